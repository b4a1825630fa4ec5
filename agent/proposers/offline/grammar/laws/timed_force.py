"""A force that ends, or begins, while the clip runs: an engine that stops, a push that is over."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from agent.proposers.offline.grammar.law import BodyLaw, Kick
from agent.proposers.offline.grammar.quantity import Quantity, around, quantity, signed
from agent.proposers.offline.grammar.seeing import Seeing, Sight


@dataclass(frozen=True)
class TimedForce(BodyLaw):
    """x, y: acceleration while it acts; None: there is none. moment: seconds since the first frame
    at which it ends, or begins where it comes ``later``. edge: seconds that it takes to go or come:
    with a frame's length the velocity gained is exactly linear in the moment, whatever the steps.
    """

    word = "timed force"
    says = "a force on {on} {turns} after a while"
    x: Quantity | None = quantity(
        "px/s^2", "timed force on {on} to the right", signed(10, 100), None, base="thrust_x"
    )
    y: Quantity | None = quantity(
        "px/s^2", "timed force on {on} downwards", signed(10, 100), None, base="thrust_y"
    )
    moment: Quantity = quantity(
        "s", "when the timed force on {on} {turns}", around(1.0), 1.0, base="thrust_moment"
    )
    later: bool = False
    edge: float = 1.0 / 30.0

    def words(self) -> dict[str, str]:
        return {**super().words(), "turns": "begins" if self.later else "ends"}

    def acceleration(self, n: Any, body: Sight, see: Seeing) -> Kick:
        acts = acting(n.moment, self.later, self.edge, see)
        return n.x * acts, n.y * acts, 0.0


def acting(moment: Any, later: bool, edge: float, see: Seeing) -> Any:
    """How much of what ends at a moment, or begins there where it comes ``later``, acts now, from 0
    to 1; it takes ``edge`` seconds to go or come."""
    passed = see.whole(see.time - moment) if later else see.whole(moment - see.time)
    return see.let("acts", see.clip(passed / edge + 0.5, 0.0, 1.0))
