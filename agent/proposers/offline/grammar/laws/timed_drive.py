"""A motor at a joint that is switched off, or on, while the clip runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from agent.proposers.offline.grammar.law import JointLaw
from agent.proposers.offline.grammar.laws.timed_force import acting
from agent.proposers.offline.grammar.quantity import Quantity, around, quantity, signed
from agent.proposers.offline.grammar.seeing import Seeing, Sight


@dataclass(frozen=True)
class TimedDrive(JointLaw):
    """push: acceleration of the joint's coordinate while it acts. moment, later, edge: see
    ``TimedForce``."""

    word = "timed drive"
    says = "an effort at the joint of {on} {turns} after a while"
    push: Quantity = quantity(
        "px/s^2 or rad/s^2",
        "timed effort at the joint of {on}",
        signed(10, 100),
        10.0,
        base="drive",
    )
    moment: Quantity = quantity(
        "s", "when the effort at the joint of {on} {turns}", around(1.0), 1.0, base="drive_moment"
    )
    later: bool = False
    edge: float = 1.0 / 30.0

    def words(self) -> dict[str, str]:
        return {**super().words(), "turns": "begins" if self.later else "ends"}

    def effort(self, n: Any, body: Sight, see: Seeing) -> Any:
        return n.push * acting(n.moment, self.later, self.edge, see)
