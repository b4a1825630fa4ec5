"""A bead on a curve: a body that runs to and fro on a track of the picture."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from agent.proposers.offline.grammar.joint import Joint
from agent.proposers.offline.grammar.quantity import Quantity, around, quantity
from agent.proposers.offline.grammar.seeing import Curve, Pose, Seeing


@dataclass(frozen=True)
class Track:
    """Height (px) over x: a polynomial in u = (x - middle) / half for u in [-1, 1]; beyond, it
    bends on as it does there. heights: its coefficients of u^0, u^1, ..."""

    heights: tuple[float, ...]
    middle: float
    half: float

    def value(self, argument: Any) -> Any:
        u = (argument - self.middle) / self.half
        real = np.real(u)
        inside = np.where(real < -1.0, -1.0, np.where(real > 1.0, 1.0, u))
        y, slope, bend = 0.0 * u, 0.0 * u, 0.0 * u
        for c in reversed(self.heights):
            bend, slope, y = bend * inside + 2.0 * slope, slope * inside + y, y * inside + c
        beyond = u - inside
        return y + (slope + 0.5 * bend * beyond) * beyond

    def lines(self) -> list[str]:
        listed = ", ".join(f"{c:.9g}" for c in self.heights)
        comma = "," if len(self.heights) == 1 else ""
        return [
            f"u = (x - {self.middle:.9g}) / {self.half:.9g}",
            "inside = xp.clip(u, -1.0, 1.0)",
            "y, slope, bend = 0.0 * u, 0.0 * u, 0.0 * u",
            f"for c in reversed(({listed}{comma})):",
            "    bend, slope, y = bend * inside + 2.0 * slope, slope * inside + y, y * inside + c",
            "beyond = u - inside  # there it bends on as it does at its end",
            "y = y + (slope + 0.5 * bend * beyond) * beyond",
            f"return y, (slope + bend * beyond) / {self.half:.9g}, bend / {self.half:.9g} ** 2",
        ]


@dataclass(frozen=True)
class Bead(Joint):
    """heights, middle, half: the track (see Track). foot: px by which the drawn centre is off the
    track, upwards across it. seen: whether the body shows an angle: it leans against the track by
    ``lean`` (rad), and by powers of the slope (within gentle to steep) by ``leans``. valley: its
    place along x alone has inertia, as in small games; else it is a bead, which the track's slope
    slows. The coordinate is "at", the x of the point of the track."""

    word = "bead"
    balanced = True
    says = "runs to and fro on a curved track"
    heights: tuple[float, ...] = (0.0,)
    middle: float = 0.0
    half: float = 1.0
    foot: float = 0.0
    seen: bool = False
    lean: Quantity = quantity("rad", "how {on} leans against the track", around(1.0), 0.0)
    leans: tuple[float, ...] = ()
    gentle: float = -10.0
    steep: float = 10.0
    valley: bool = False

    def sentence(self) -> str:
        return "runs to and fro in a valley" if self.valley else self.says

    def coordinates(self) -> tuple[str, ...]:
        return ("at",)

    def placed(self) -> tuple[str, ...]:
        return ("x", "y", "angle") if self.seen else ("x", "y")

    @property
    def track(self) -> Track:
        """The curve."""
        return Track(self.heights, self.middle, self.half)

    def shows(self) -> tuple[str, ...]:
        return ("x", "y", "angle") if self.seen else ("x", "y")

    def pose(self, n: Any, host: Pose, q: tuple, see: Seeing) -> Pose:
        y, slope = see.curve(self.track, "track", q[0])
        x, angle = q[0], 0.0
        if self.foot:
            off = see.let("off", self.foot / see.sqrt(1.0 + slope * slope))
            x, y = x + off * slope, y - off
        if self.seen:
            angle = see.arctan(slope) + n.lean
            within = (
                see.let("seen", see.clip(slope, self.gentle, self.steep)) if self.leans else 0.0
            )
            for power, c in enumerate(self.leans, 1):
                angle = angle + c * within**power
        return x, y, angle

    def heavy(self, n: Any, host: Pose, q: tuple, see: Seeing) -> Pose:
        return q[0], see.curve(self.track, "track", q[0])[0], 0.0

    def inert(self, n: Any, host: Pose, q: tuple, see: Seeing) -> Pose:
        return (q[0], 0.0, 0.0) if self.valley else self.heavy(n, host, q, see)

    def start(self, name: str, n: Any, curve: Callable[[Curve, str], str]) -> tuple[str, str]:
        track = curve(self.track, "track")
        foot = f", {self.foot:.9g}" if self.foot else ""
        return "start_at", f'start_at(states, "{name}", {track}, dt{foot})'
