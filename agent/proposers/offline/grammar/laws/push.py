"""A constant force on one body, and a constant torque."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from agent.proposers.offline.grammar.law import BodyLaw, Kick
from agent.proposers.offline.grammar.quantity import Quantity, quantity, signed
from agent.proposers.offline.grammar.seeing import Seeing, Sight


@dataclass(frozen=True)
class Push(BodyLaw):
    """x, y: acceleration to the right and downwards; turn: angular acceleration; None: there is
    none."""

    word = "push"
    says = "a constant force pushes {on}"
    x: Quantity | None = quantity(
        "px/s^2", "constant push on {on} to the right", signed(10, 100), None, base="push_x"
    )
    y: Quantity | None = quantity(
        "px/s^2", "constant push on {on} downwards", signed(10, 100), None, base="push_y"
    )
    turn: Quantity | None = quantity(
        "rad/s^2", "constant angular acceleration of {on}", signed(10, 100), None, base="torque"
    )

    def acceleration(self, n: Any, body: Sight, see: Seeing) -> Kick:
        return n.x, n.y, n.turn
