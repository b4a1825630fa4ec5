"""A size or a gain that varies: a coordinate of its own, which laws act on as on a place along a
line."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from agent.proposers.offline.grammar.joint import Joint
from agent.proposers.offline.grammar.seeing import Curve, Pose, Seeing


@dataclass(frozen=True)
class Scalar(Joint):
    """attribute: its name in the state."""

    word = "scalar"
    says = "changes"
    attribute: str = "radius"

    def coordinates(self) -> tuple[str, ...]:
        return (self.attribute,)

    def pose(self, n: Any, host: Pose, q: tuple, see: Seeing) -> Pose:
        return q[0], 0.0, 0.0

    def start(self, name: str, n: Any, curve: Callable[[Curve, str], str]) -> tuple[str, str]:
        return "start_scalar", f'start_scalar(states, "{name}", "{self.attribute}", dt)'
