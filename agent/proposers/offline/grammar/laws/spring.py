"""A spring that is fixed at one end and slack at length zero: an oscillator about a place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from agent.proposers.offline.grammar.law import BodyLaw, Kick
from agent.proposers.offline.grammar.quantity import Quantity, around, positive, quantity
from agent.proposers.offline.grammar.seeing import Seeing, Sight


@dataclass(frozen=True)
class Spring(BodyLaw):
    """stiffness: pull per px and mass. x, y: the anchor; None: it pulls along the other axis
    only."""

    word = "spring"
    says = "a spring pulls {on} to an anchor"
    stiffness: Quantity = quantity(
        "1/s^2", "pull per pixel and mass of the spring on {on}", positive(20, 10), 10.0
    )
    x: Quantity | None = quantity(
        "px", "where the spring pulls {on} to", around(500.0), None, base="anchor_x"
    )
    y: Quantity | None = quantity(
        "px", "where the spring pulls {on} to", around(500.0), None, base="anchor_y"
    )

    def acceleration(self, n: Any, body: Sight, see: Seeing) -> Kick:
        ax = 0.0 if self.x is None else -n.stiffness * see.whole(body.x - n.x)
        ay = 0.0 if self.y is None else -n.stiffness * see.whole(body.y - n.y)
        return ax, ay, 0.0
