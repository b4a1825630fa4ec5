"""Damping at a joint, in proportion to its rate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from agent.proposers.offline.grammar.law import JointLaw
from agent.proposers.offline.grammar.quantity import Quantity, positive, quantity
from agent.proposers.offline.grammar.seeing import Seeing, Sight


@dataclass(frozen=True)
class JointDamping(JointLaw):
    """damping: deceleration per rate of the joint."""

    word = "joint damping"
    says = "damping at the joint of {on}"
    damping: Quantity = quantity("1/s", "damping at the joint of {on}", positive(20, 5), 0.1)

    def effort(self, n: Any, body: Sight, see: Seeing) -> Any:
        return -n.damping * body.rate
