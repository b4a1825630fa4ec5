"""The programs that no other beats in length and error at once. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from agent.core.screen import complexity
from tools.types import FittedParam, Programs


@dataclass(frozen=True)
class Ranked:
    """One program. bits: description length (agent.core.screen.complexity). error: 1 - score.
    params: how many numbers were fitted."""

    node: str
    bits: float
    error: float
    params: int


def ranked(node: str, programs: Programs, params: tuple[FittedParam, ...], score: float) -> Ranked:
    """A program that ran."""
    return Ranked(node, complexity(programs, params), 1.0 - score, len(params))


def front(every: Iterable[Ranked]) -> tuple[Ranked, ...]:
    """The shortest first, errors falling; of two alike the earlier one."""
    kept: list[Ranked] = []
    for one in sorted(every, key=lambda one: (one.bits, one.error)):
        if not kept or one.error < kept[-1].error:
            kept.append(one)
    return tuple(kept)
