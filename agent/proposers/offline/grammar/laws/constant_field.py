"""A constant field: gravity, and whatever accelerates alike everywhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from agent.proposers.offline.grammar.law import BodyLaw, Kick
from agent.proposers.offline.grammar.quantity import Quantity, quantity, signed
from agent.proposers.offline.grammar.seeing import Seeing, Sight


@dataclass(frozen=True)
class ConstantField(BodyLaw):
    """x, y: acceleration to the right and downwards; None: there is none."""

    word = "constant field"
    says = "a constant field accelerates {on}"
    x: Quantity | None = quantity(
        "px/s^2", "constant acceleration to the right", signed(10, 100), None, base="field_x"
    )
    y: Quantity | None = quantity(
        "px/s^2", "constant acceleration downwards", signed(10, 100), None, base="gravity"
    )

    def acceleration(self, n: Any, body: Sight, see: Seeing) -> Kick:
        return n.x, n.y, 0.0
