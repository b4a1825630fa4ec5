"""A motor at a joint: a constant effort, and one that follows the action."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from agent.proposers.offline.grammar.law import JointLaw
from agent.proposers.offline.grammar.quantity import Quantity, quantity, signed
from agent.proposers.offline.grammar.seeing import Seeing, Sight


@dataclass(frozen=True)
class JointDrive(JointLaw):
    """effort: constant acceleration of the joint's coordinate; gain: acceleration per unit of
    action; None: there is none."""

    word = "joint drive"
    says = "a motor drives the joint of {on}"
    push: Quantity | None = quantity(
        "px/s^2 or rad/s^2",
        "constant effort at the joint of {on}",
        signed(10, 100),
        None,
        base="push",
    )
    gain: Quantity | None = quantity(
        "px/s^2 or rad/s^2",
        "effort at the joint of {on} per unit of action",
        signed(10, 100),
        None,
        base="gain",
    )

    def sentence(self) -> str:
        causes = ["a constant effort"] if self.push is not None else []
        causes += ["the action"] if self.gain is not None or not causes else []
        verb = "drive" if len(causes) > 1 else "drives"
        return f"{' and '.join(causes)} {verb} the joint of {self.words()['on']}"

    def effort(self, n: Any, body: Sight, see: Seeing) -> Any:
        return n.push + n.gain * see.action
