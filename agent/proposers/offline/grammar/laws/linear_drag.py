"""Linear drag: a force against the velocity, in proportion to it (Stokes)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from agent.proposers.offline.grammar.law import BodyLaw, Kick
from agent.proposers.offline.grammar.quantity import Quantity, positive, quantity
from agent.proposers.offline.grammar.seeing import Seeing, Sight


@dataclass(frozen=True)
class LinearDrag(BodyLaw):
    """drag: deceleration per speed."""

    word = "linear drag"
    says = "linear drag slows {on}"
    drag: Quantity = quantity("1/s", "linear drag on {on}", positive(20, 10), 0.1)

    def acceleration(self, n: Any, body: Sight, see: Seeing) -> Kick:
        return -n.drag * body.vx, -n.drag * body.vy, 0.0
