"""What explains a motion: causes of some bodies, and a whole structure with its causes."""

from __future__ import annotations

from dataclasses import dataclass

from agent.proposers.offline.mechanism import Mechanism, Term

Option = tuple[tuple[Term, ...], float, str]
"""Terms of a group of bodies, their deviance, and why in words."""


@dataclass(frozen=True)
class Driven:
    """A structure with terms. bic: misfit and complexity of the explanation; why: in words."""

    mechanism: Mechanism
    bic: float
    why: str
