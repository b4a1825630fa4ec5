"""A turning frame: the Coriolis and the centrifugal force that a camera on a turntable sees."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from agent.proposers.offline.grammar.law import BodyLaw, Kick
from agent.proposers.offline.grammar.quantity import Quantity, around, quantity, signed
from agent.proposers.offline.grammar.seeing import Seeing, Sight


@dataclass(frozen=True)
class TurningFrame(BodyLaw):
    """rate: angular velocity of the frame, clockwise on the screen. x, y: the point about which it
    turns."""

    word = "turning frame"
    says = "the frame in which {on} is seen turns"
    rate: Quantity = quantity(
        "rad/s", "angular velocity of the frame, clockwise", signed(10, 20), 1.0, base="frame_rate"
    )
    x: Quantity = quantity(
        "px", "point about which the frame turns", around(400.0), 0.0, base="axle_x"
    )
    y: Quantity = quantity(
        "px", "point about which the frame turns", around(400.0), 0.0, base="axle_y"
    )

    def acceleration(self, n: Any, body: Sight, see: Seeing) -> Kick:
        square = n.rate * n.rate
        ax = square * see.whole(body.x - n.x) + 2.0 * n.rate * body.vy
        ay = square * see.whole(body.y - n.y) - 2.0 * n.rate * body.vx
        return ax, ay, 0.0
