"""A revolute joint: a body that turns about a point of the picture or of another body."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from agent.proposers.offline.grammar.joint import Joint
from agent.proposers.offline.grammar.quantity import Quantity, around, between, positive, quantity
from agent.proposers.offline.grammar.seeing import Curve, Pose, Seeing, turned


@dataclass(frozen=True)
class Revolute(Joint):
    """on: the host. pivot_x, pivot_y: the joint in the host's frame (from its drawn centre), px.
    arm: distance of the drawn centre from the joint, px, in the direction ``bearing`` (rad) of the
    body's own frame. seen: whether the body shows its angle; if not, its angle is the direction
    from the joint to its centre. reach: distance of the centre of mass from the joint, in arms.
    spread: radius of gyration about the centre of mass, in arms (0: all mass in one point; 0.577: a
    rod hung at its end). The coordinate is the body's angle in the picture."""

    word = "revolute"
    says = "turns on a revolute joint"
    turning = True
    balanced = True
    on: str | None = None  # type: ignore[misc]
    pivot_x: Quantity = quantity("px", "revolute joint of {on}, to the right", around(200.0), 0.0)
    pivot_y: Quantity = quantity("px", "revolute joint of {on}, downwards", around(200.0), 0.0)
    arm: Quantity = quantity(
        "px", "distance of the drawn centre of {on} from its joint", positive(3.0, 10.0), 1.0
    )
    bearing: float = 0.0
    seen: bool = True
    reach: Quantity = quantity(
        "1",
        "distance of the centre of mass of {on} from its joint, in arms",
        between(0.05, 3.0),
        1.0,
    )
    spread: Quantity = quantity("1", "radius of gyration of {on}, in arms", between(0.0, 5.0), 0.0)

    def sentence(self) -> str:
        return f"{self.says} on {self.on}" if self.on else f"{self.says} of the picture"

    def coordinates(self) -> tuple[str, ...]:
        return ("angle",)

    def placed(self) -> tuple[str, ...]:
        return ("x", "y")

    def shows(self) -> tuple[str, ...]:
        return ("x", "y", "angle") if self.seen else ("x", "y")

    def _out(self, n: Any, host: Pose, angle: Any, length: Any, see: Seeing) -> Pose:
        px, py = turned(see, (n.pivot_x, n.pivot_y), host[2])
        towards = angle + self.bearing if self.bearing else angle
        x, y = host[0] + px, host[1] + py
        return x + length * see.cos(towards), y + length * see.sin(towards), angle

    def pose(self, n: Any, host: Pose, q: tuple, see: Seeing) -> Pose:
        return self._out(n, host, q[0], n.arm, see)

    def heavy(self, n: Any, host: Pose, q: tuple, see: Seeing) -> Pose:
        return self._out(n, host, q[0], n.arm * n.reach, see)

    def radius_of_gyration(self, n: Any) -> Any:
        return n.arm * n.reach * n.spread

    def link(self, n: Any) -> dict[str, Any]:
        along, across = math.cos(self.bearing), math.sin(self.bearing)
        reach = n.arm * n.reach
        return {
            "joint": "hinge",
            "at": (n.pivot_x, n.pivot_y),
            "centre": (n.arm * along, n.arm * across),
            "com": (reach * along, reach * across),
        }

    def pinned(self, n: Any) -> dict[str, Any]:
        """Keywords of ``tools.physics.engine.Solid``: where it is fixed, in the picture and in the
        body's own frame."""
        along, across = math.cos(self.bearing), math.sin(self.bearing)
        return {"pin": (n.pivot_x, n.pivot_y), "hang": (-(n.arm * along), -(n.arm * across))}

    def start(self, name: str, n: Any, curve: Callable[[Curve, str], str]) -> tuple[str, str]:
        if self.seen:
            return super().start(name, n, curve)
        pivot = f'"{self.on}"' if self.on else f"({n.pivot_x}, {n.pivot_y})"
        call = f'start_of_angle(states, "{name}", {pivot}, dt)'
        return "start_of_angle", call
