"""Gravity on a body that turns about a fixed joint, when its centre of mass cannot be told: only
the pull back per radian is known."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from agent.proposers.offline.grammar.law import JointLaw
from agent.proposers.offline.grammar.quantity import Quantity, around, positive, quantity
from agent.proposers.offline.grammar.seeing import Seeing, Sight


@dataclass(frozen=True)
class GravityTorque(JointLaw):
    """over_length: gravity by the length of the pendulum (for an extended body, mass times distance
    of the centre of mass by the moment of inertia, times gravity). rest: angle at which it hangs."""

    word = "gravity torque"
    says = "a constant field turns {on} back to where it hangs"
    over_length: Quantity = quantity(
        "1/s^2", "pull back per radian near rest", positive(10, 50), base="gravity_over_length"
    )
    rest: Quantity = quantity(
        "rad",
        "angle at which it would hang still",
        around(math.pi),
        math.pi / 2,
        base="rest_angle",
    )

    def effort(self, n: Any, body: Sight, see: Seeing) -> Any:
        return -n.over_length * see.sin(body.s - n.rest)
