"""Dry friction at a joint: a constant effort against its rate, smoothed where it all but rests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from agent.proposers.offline.grammar.law import JointLaw
from agent.proposers.offline.grammar.quantity import Quantity, positive, quantity
from agent.proposers.offline.grammar.seeing import Seeing, Sight

REST = 0.1
"""Rate in rad/s (px/s) below which rubbing gives way to rest."""


@dataclass(frozen=True)
class JointFriction(JointLaw):
    """friction: deceleration of the joint."""

    word = "joint friction"
    says = "dry friction at the joint of {on}"
    friction: Quantity = quantity(
        "rad/s^2", "deceleration by dry friction at the joint of {on}", positive(10, 5), 1.0
    )

    def effort(self, n: Any, body: Sight, see: Seeing) -> Any:
        return -n.friction * body.rate / see.sqrt(body.rate * body.rate + REST**2)
