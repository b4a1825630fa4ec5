"""A rope over a fixed pulley: one body goes up as far as the other goes down."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from agent.proposers.offline.grammar.joint import Coupling
from agent.proposers.offline.grammar.seeing import Seeing


@dataclass(frozen=True)
class Pulley(Coupling):
    """The rope is inextensible, taut and without mass."""

    word = "pulley"
    says = "{follower} and {leader} hang on one rope over a pulley"

    def follow(self, n: Any, lead: Any, see: Seeing) -> Any:
        return -lead
