"""What slows or drives the turning of a body that turns freely."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from agent.proposers.offline.grammar.law import BodyLaw, Kick
from agent.proposers.offline.grammar.quantity import Quantity, positive, quantity, signed
from agent.proposers.offline.grammar.seeing import Seeing, Sight


@dataclass(frozen=True)
class Turning(BodyLaw):
    """torque: constant angular acceleration; drag: deceleration per angular velocity; None: there
    is none."""

    word = "turning"
    says = "turning is slowed or driven: {on}"
    torque: Quantity | None = quantity(
        "rad/s^2", "constant angular acceleration of {on}", signed(10, 100), None
    )
    drag: Quantity | None = quantity(
        "1/s", "drag on the turning of {on}", positive(20, 10), None, base="spin_drag"
    )

    @property
    def turns(self) -> bool:
        return True

    def acceleration(self, n: Any, body: Sight, see: Seeing) -> Kick:
        return 0.0, 0.0, n.torque - n.drag * body.spin
