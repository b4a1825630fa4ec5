"""A prismatic joint: a body that slides along a straight line and does not turn against what
carries it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from agent.proposers.offline.grammar.joint import Joint
from agent.proposers.offline.grammar.quantity import GrammarError
from agent.proposers.offline.grammar.seeing import Curve, Pose, Seeing, turned


@dataclass(frozen=True)
class Prismatic(Joint):
    """on: the host. at: a point of the line, axis: its direction (a unit vector), both in the
    host's frame, px. A line along x or y of the picture has that coordinate; others have "s", the
    distance from ``at``."""

    word = "prismatic"
    says = "slides along a line"
    on: str | None = None  # type: ignore[misc]
    at: tuple[float, float] = (0.0, 0.0)
    axis: tuple[float, float] = (1.0, 0.0)

    def __post_init__(self):
        if abs(math.hypot(*self.axis) - 1.0) > 1e-4:
            raise GrammarError("prismatic.axis", "a unit vector", str(self.axis))

    def sentence(self) -> str:
        return f"{self.says} of {self.on}" if self.on else self.says

    def coordinates(self) -> tuple[str, ...]:
        if self.on is None and self.axis in ((1.0, 0.0), (0.0, 1.0)):
            return ("x",) if self.axis[0] else ("y",)
        return ("s",)

    def placed(self) -> tuple[str, ...]:
        return ("x", "y") if self.coordinates() == ("s",) else ()

    @property
    def origin(self) -> tuple[float, float]:
        """Where the coordinate is 0."""
        if self.coordinates() == ("s",):
            return self.at
        return (0.0, self.at[1]) if self.axis[0] else (self.at[0], 0.0)

    def shows(self) -> tuple[str, ...]:
        return ("x", "y") if self.coordinates() == ("s",) else self.coordinates()

    def pose(self, n: Any, host: Pose, q: tuple, see: Seeing) -> Pose:
        (x, y), (dx, dy) = self.origin, self.axis
        ox, oy = turned(see, (x + q[0] * dx, y + q[0] * dy), host[2])
        return host[0] + ox, host[1] + oy, host[2]

    def link(self, n: Any) -> dict[str, Any]:
        return {"joint": "slide", "at": self.origin, "axis": self.axis, "com": (n.com_x, n.com_y)}

    def start(self, name: str, n: Any, curve: Callable[[Curve, str], str]) -> tuple[str, str]:
        if self.coordinates() != ("s",):
            return super().start(name, n, curve)
        if self.on is None:
            return "start_along", f'start_along(states, "{name}", {self.at}, {self.axis}, dt)'
        where = f'"{self.on}", {self.at}, {self.axis}'
        return "start_on", f'start_on(states, "{name}", {where}, dt)'
