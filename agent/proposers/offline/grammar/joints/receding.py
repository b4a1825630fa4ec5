"""No joint, before a pinhole camera: a body that moves in depth, so that its place in the picture and
its size go by one distance."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from agent.proposers.offline.grammar.joint import Joint
from agent.proposers.offline.grammar.quantity import GrammarError, Quantity, around, quantity
from agent.proposers.offline.grammar.seeing import Curve, Pose, Seeing


@dataclass(frozen=True)
class Receding(Joint):
    """vanish_x, vanish_y: the point of the picture in which a line straight away from the camera
    ends. size: radius (px) at distance 1. Its coordinates are ``across`` and ``down``, px from that
    line as seen at distance 1, and ``depth``, its distance; x = vanish_x + across / depth, y =
    vanish_y + down / depth, radius = size / depth. Laws act on across and down; it goes away
    steadily."""

    word = "receding"
    balanced = True
    says = "moves in depth: its place and its radius go by its distance"
    vanish_x: Quantity = quantity("px", "x of the point that {on} goes away to", around(400.0), 0.0)
    vanish_y: Quantity = quantity("px", "y of the point that {on} goes away to", around(400.0), 0.0)
    size: float = 10.0

    def __post_init__(self):
        if self.size <= 0.0:
            raise GrammarError("receding.size", "a positive radius", str(self.size))

    def coordinates(self) -> tuple[str, ...]:
        return ("across", "down", "depth")

    def placed(self) -> tuple[str, ...]:
        return ("x", "y", "radius")

    def shows(self) -> tuple[str, ...]:
        return self.placed()

    def pose(self, n: Any, host: Pose, q: tuple, see: Seeing) -> Pose:
        across, down, depth = q
        return n.vanish_x + across / depth, n.vanish_y + down / depth, 0.0

    def figure(self, pose: Pose, q: tuple) -> dict[str, Any]:
        return {"x": pose[0], "y": pose[1], "radius": self.size / q[2]}

    def heavy(self, n: Any, host: Pose, q: tuple, see: Seeing) -> Pose:
        return (*q,)[:3]

    def girth(self, radius: Any) -> Any:
        return self.size

    def radius_of_gyration(self, n: Any) -> Any:
        return 1.0

    def start(self, name: str, n: Any, curve: Callable[[Curve, str], str]) -> tuple[str, str]:
        vanish = f"({n.vanish_x}, {n.vanish_y})"
        return "start_receding", f'start_receding(states, "{name}", {vanish}, {self.size:.9g}, dt)'
