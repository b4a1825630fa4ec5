"""No joint: a body that goes where it likes, and turns if its angle varies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from agent.proposers.offline.grammar.joint import Joint
from agent.proposers.offline.grammar.seeing import Pose, Seeing


@dataclass(frozen=True)
class Free(Joint):
    """turns: whether its angle varies."""

    word = "free"
    says = "moves freely"
    turns: bool = False

    def sentence(self) -> str:
        return "moves freely and spins" if self.turns else self.says

    def coordinates(self) -> tuple[str, ...]:
        return ("x", "y", "angle") if self.turns else ("x", "y")

    def pose(self, n: Any, host: Pose, q: tuple, see: Seeing) -> Pose:
        return (*q, 0.0)[:3]

    def link(self, n: Any) -> dict[str, Any]:
        kind = "free" if self.turns else "point"
        return {"joint": kind, "com": (n.com_x, n.com_y)}
