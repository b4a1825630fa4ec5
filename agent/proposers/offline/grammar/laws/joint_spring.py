"""A spring at a joint, linear in its coordinate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from agent.proposers.offline.grammar.law import JointLaw
from agent.proposers.offline.grammar.quantity import Quantity, around, positive, quantity
from agent.proposers.offline.grammar.seeing import Seeing, Sight


@dataclass(frozen=True)
class JointSpring(JointLaw):
    """stiffness: acceleration back per px or rad. rest: coordinate at which it is slack."""

    word = "joint spring"
    says = "a spring at the joint of {on}"
    stiffness: Quantity = quantity(
        "1/s^2",
        "pull back of the spring at the joint of {on}",
        positive(20, 10),
        10.0,
        base="joint_stiffness",
    )
    rest: Quantity = quantity(
        "", "where the spring at the joint of {on} is slack", around(500.0), 0.0, base="joint_rest"
    )

    def effort(self, n: Any, body: Sight, see: Seeing) -> Any:
        return -n.stiffness * see.whole(body.s - n.rest)
