"""Dry friction (Coulomb): a constant force against the velocity, smoothed where the body all but
rests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from agent.proposers.offline.grammar.law import BodyLaw, Kick
from agent.proposers.offline.grammar.quantity import Quantity, positive, quantity
from agent.proposers.offline.grammar.seeing import Seeing, Sight

REST = 2.0
"""Speed in px/s below which rubbing gives way to rest."""


@dataclass(frozen=True)
class DryFriction(BodyLaw):
    """friction: deceleration."""

    word = "dry friction"
    says = "dry friction slows {on}"
    friction: Quantity = quantity(
        "px/s^2", "deceleration of {on} by dry friction", positive(10, 100), 10.0
    )

    def acceleration(self, n: Any, body: Sight, see: Seeing) -> Kick:
        sliding = see.let("rub", see.sqrt(body.vx * body.vx + body.vy * body.vy + REST**2))
        return -n.friction * body.vx / sliding, -n.friction * body.vy / sliding, 0.0
