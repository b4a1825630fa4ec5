"""A stop that a joint strikes: a pendulum that meets a wall, a slider at the end of its rail."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from agent.proposers.offline.grammar.law import JointLaw
from agent.proposers.offline.grammar.quantity import (
    GrammarError,
    Quantity,
    around,
    between,
    quantity,
)
from agent.proposers.offline.grammar.seeing import Seeing, Sight


@dataclass(frozen=True)
class Stop(JointLaw):
    """side: 1.0 where it stops coordinates above ``place``, -1.0 below. restitution: share of the
    rate that the impact gives back. Between impacts it does nothing."""

    word = "stop"
    says = "a stop turns {on} back"
    side: float = 1.0
    place: Quantity = quantity(
        "", "coordinate at which {on} strikes a stop", around(1.0), 0.0, base="stop"
    )
    restitution: Quantity = quantity(
        "1",
        "share of its rate that the stop of {on} gives back",
        between(0.0, 1.0),
        0.5,
        base="restitution_stop",
    )

    def __post_init__(self):
        super().__post_init__()
        if self.side not in (-1.0, 1.0):
            raise GrammarError("stop.side", "1.0 or -1.0", repr(self.side))

    def label(self) -> str:
        return "high" if self.side > 0 else "low"

    def effort(self, n: Any, body: Sight, see: Seeing) -> Any:
        return 0.0
