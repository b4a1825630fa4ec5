"""Rolling without slipping: a round body whose angle goes with its way along a straight line."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from agent.proposers.offline.grammar.joint import Joint
from agent.proposers.offline.grammar.quantity import (
    GrammarError,
    Quantity,
    positive,
    quantity,
)
from agent.proposers.offline.grammar.seeing import Curve, Pose, Seeing


@dataclass(frozen=True)
class Rolling(Joint):
    """at: a point of the centre's line, axis: its direction (a unit vector), px in the picture.
    radius: from the centre to what it rolls on. lean: its angle at ``at``, rad. side: 1.0 where
    moving along the axis turns it clockwise on the screen, else -1.0. seen: whether it shows its
    angle. The coordinate is "s", the distance from ``at``; the angle is lean + side * s /
    radius."""

    word = "rolling"
    says = "rolls along a line without slipping"
    at: tuple[float, float] = (0.0, 0.0)
    axis: tuple[float, float] = (1.0, 0.0)
    radius: Quantity = quantity("px", "rolling radius of {on}", positive(3.0, 10.0), 10.0)
    lean: Quantity = quantity(
        "rad", "angle of {on} where it starts", lambda v: (v - 7.0, v + 7.0), 0.0
    )
    side: float = 1.0
    seen: bool = True

    def __post_init__(self):
        if abs(math.hypot(*self.axis) - 1.0) > 1e-4 or self.side not in (1.0, -1.0):
            raise GrammarError(
                "rolling", "a unit axis and side 1 or -1", f"{self.axis}, {self.side}"
            )

    @property
    def spins(self) -> bool:
        return True

    def coordinates(self) -> tuple[str, ...]:
        return ("s",)

    def placed(self) -> tuple[str, ...]:
        return ("x", "y", "angle")

    def shows(self) -> tuple[str, ...]:
        return ("x", "y", "angle") if self.seen else ("x", "y")

    def pose(self, n: Any, host: Pose, q: tuple, see: Seeing) -> Pose:
        (s,) = q
        x, y = self.at[0] + s * self.axis[0], self.at[1] + s * self.axis[1]
        return x, y, n.lean + self.side * s / n.radius

    def start(self, name: str, n: Any, curve: Callable[[Curve, str], str]) -> tuple[str, str]:
        return "start_along", f'start_along(states, "{name}", {self.at}, {self.axis}, dt)'
