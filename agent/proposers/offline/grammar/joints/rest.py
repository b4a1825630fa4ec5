"""A body that stays where it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from agent.proposers.offline.grammar.joint import Joint
from agent.proposers.offline.grammar.seeing import Pose, Seeing


@dataclass(frozen=True)
class Rest(Joint):
    """x, y: its drawn centre in the picture, px; what others feel of it comes from there."""

    word = "rest"
    says = "rests"
    x: float = 0.0
    y: float = 0.0

    def coordinates(self) -> tuple[str, ...]:
        return ()

    def pose(self, n: Any, host: Pose, q: tuple, see: Seeing) -> Pose:
        return self.x, self.y, 0.0
