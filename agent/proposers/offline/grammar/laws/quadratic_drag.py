"""Quadratic drag: a force against the velocity, in proportion to its square (Newton)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from agent.proposers.offline.grammar.law import BodyLaw, Kick
from agent.proposers.offline.grammar.quantity import Quantity, positive, quantity
from agent.proposers.offline.grammar.seeing import Seeing, Sight


@dataclass(frozen=True)
class QuadraticDrag(BodyLaw):
    """drag: deceleration per squared speed."""

    word = "quadratic drag"
    says = "quadratic drag slows {on}"
    drag: Quantity = quantity(
        "1/px", "quadratic drag on {on}", positive(20, 0.02), 1e-4, base="quadratic_drag"
    )

    def acceleration(self, n: Any, body: Sight, see: Seeing) -> Kick:
        speed = see.let("speed", see.sqrt(body.vx * body.vx + body.vy * body.vy + 1e-12))
        return -n.drag * speed * body.vx, -n.drag * speed * body.vy, 0.0
