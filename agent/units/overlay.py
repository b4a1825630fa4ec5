"""The model on the real picture: what was measured, the fitted path, the forecast with its band,
velocities, and the mechanism itself (pivots, anchors with their springs, walls).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import sympy

from agent.equations.system import System, symbol
from agent.units.bands import FrameBands
from tools.types import States

_TALL = 480
"""Pixels of height to which small pictures are enlarged."""
_SEEN, _FIT, _AHEAD = (40, 130, 230), (220, 50, 40), (250, 170, 30)
_BAND, _LAW, _SPEED = (255, 220, 120), (30, 180, 90), (240, 60, 200)
_WIDE, _WASH = 48, 0.35
"""Grey levels between the ends of a pixel's 95 % band from which it is washed, and how strongly."""
_ARROW = 0.2
"""Of the picture's height: the arrow of the largest velocity."""


@dataclass(frozen=True)
class Film:
    """frames: (T, H, W, 3) uint8. measured, modelled: T states, in pixels of these frames. band:
    (lower, upper) states of 95 %, or None. seen: frames that the model was given. values: θ.
    system: of its equations, None where they cannot be told. frame_bands: of the frames to come, or
    None."""

    frames: np.ndarray
    measured: States
    modelled: States
    band: tuple[States, States] | None
    seen: int
    values: Mapping[str, float]
    system: System | None = None
    frame_bands: FrameBands | None = None

    def drawn(self) -> np.ndarray:
        """(T, H', W', 3) uint8: the frames, enlarged where they are small, with everything on
        them."""
        by = max(1, math.ceil(_TALL / self.frames.shape[1]))
        return np.stack([self._frame(t, by) for t in range(len(self.frames))])

    def _frame(self, t: int, by: int) -> np.ndarray:
        height, width = self.frames.shape[1:3]
        size = (by * width, by * height)
        image = cv2.resize(self._washed(t), size, interpolation=cv2.INTER_NEAREST)
        ink = _Ink(np.ascontiguousarray(image), by)
        for name in self._bodies():
            self._body(ink, name, t)
        self._law(ink, t)
        words = "seen" if t < self.seen else "forecast"
        ink.text((8, 22), f"frame {t}, {words}")
        return ink.image

    def _washed(self, t: int) -> np.ndarray:
        """The picture, with a wash where its 95 % band is wide: where something may be."""
        width = None if self.frame_bands is None else self.frame_bands.width(t)
        if width is None:
            return self.frames[t]
        strength = np.where(width > _WIDE, _WASH, 0.0)[..., None]
        return np.asarray(((1 - strength) * self.frames[t] + strength * _BAND).astype(np.uint8))

    def _bodies(self) -> Iterator[str]:
        for column in self.modelled.columns:
            name, _, attribute = column.rpartition(".")
            if attribute == "x" and f"{name}.y" in self.modelled.columns:
                yield name

    def _body(self, ink: _Ink, name: str, t: int) -> None:
        path = _places(self.modelled, name)
        if self.band is not None and t >= self.seen - 1:
            low, high = (_places(end, name) for end in self.band)
            for k in range(self.seen, len(path)):
                ink.oval((low[k] + high[k]) / 2, np.abs(high[k] - low[k]) / 2, _BAND)
        ink.path(path[: self.seen], _FIT)
        ink.path(path[self.seen - 1 :], _AHEAD)
        found = _places(self.measured, name)
        for k in range(min(t + 1, len(found))):
            ink.dot(found[k], _SEEN, 2)
        ink.ring(path[t], _FIT if t < self.seen else _AHEAD)
        speed = _pair(self.modelled, name, "vx", "vy")
        if speed is not None:
            fastest = float(np.nanmax(np.linalg.norm(speed, axis=1)))
            seconds = _ARROW * self.frames.shape[1] / max(fastest, 1e-9)
            ink.arrow(path[t], path[t] + seconds * speed[t], _SPEED)

    def _law(self, ink: _Ink, t: int) -> None:
        """What the parameters say of places in the picture, and walls of the equations."""
        for key, value in self.values.items():
            for word in ("pivot", "anchor", "centre"):
                if f"{word}_x" not in key or key.replace("_x", "_y") not in self.values:
                    continue
                name = key.partition(f"_{word}_x")[0] if f"_{word}_x" in key else ""
                place = np.array([value, self.values[key.replace("_x", "_y")]])
                bodies = [b for b in self._bodies() if b == name] or list(self._bodies())[:1]
                if word == "pivot" and not self._on_picture(place, bodies):
                    continue
                ink.cross(place, _LAW)
                for body in bodies:
                    end = _places(self.modelled, body)[t]
                    (ink.zigzag if word == "anchor" else ink.line)(place, end, _LAW)
        for normal, offset in walls(self.system, self.values) if self.system else ():
            ink.wall(normal, offset, _LAW)

    def _on_picture(self, place: np.ndarray, bodies: Sequence[str]) -> bool:
        """Whether a pivot is a place of the picture, not one on another body: then its distance
        from the body stays the same."""
        for body in bodies:
            gaps = np.linalg.norm(_places(self.modelled, body) - place, axis=1)
            if np.nanstd(gaps) > 0.05 * max(float(np.nanmean(gaps)), 1.0):
                return False
        return bool(bodies)


def walls(system: System, values: Mapping[str, float]) -> Iterator[tuple[np.ndarray, float]]:
    """(unit normal, offset) of the lines normal . (x, y) = offset at which a body's centre bounces,
    read off the equations' impacts."""
    known = {symbol(name): value for name, value in values.items()}
    for impact in system.impacts:
        if impact.gap is None:
            continue
        names = [s.name for s in impact.gap.free_symbols if "." in s.name]
        bodies = {name.rpartition(".")[0] for name in names}
        if len(bodies) != 1:
            continue
        (body,) = bodies
        x, y = symbol(f"{body}.x"), symbol(f"{body}.y")
        gap = sympy.expand(impact.gap.subs(known))
        nx, ny = gap.coeff(x), gap.coeff(y)
        rest = gap.subs({x: 0, y: 0})
        length = math.hypot(float(nx), float(ny))
        if length > 0 and rest.is_number:
            yield np.array([float(nx), float(ny)]) / length, -float(rest) / length


def _places(states: States, name: str) -> np.ndarray:
    """(T, 2) places of a body, NaN where there are none."""
    found = _pair(states, name, "x", "y")
    return np.full((len(states), 2), np.nan) if found is None else found


def _pair(states: States, name: str, first: str, second: str) -> np.ndarray | None:
    if not {f"{name}.{first}", f"{name}.{second}"} <= set(states.columns):
        return None
    return np.stack([states.column(f"{name}.{first}"), states.column(f"{name}.{second}")], 1)


class _Ink:
    """Draws into ``image``; places in pixels of the frames, ``by`` times enlarged."""

    def __init__(self, image: np.ndarray, by: int):
        self.image, self.by = image, by

    def _at(self, place: np.ndarray) -> tuple[int, int] | None:
        if not np.isfinite(place).all() or np.abs(place).max() > 1e5:
            return None
        x, y = (place + 0.5) * self.by
        return round(float(x)), round(float(y))

    def path(self, places: np.ndarray, colour: tuple[int, int, int]) -> None:
        points = [p for place in places if (p := self._at(place)) is not None]
        if len(points) > 1:
            line = np.array(points, np.int32)
            cv2.polylines(self.image, [line], False, colour, 2, cv2.LINE_AA)

    def line(self, a: np.ndarray, b: np.ndarray, colour: tuple[int, int, int]) -> None:
        self.path(np.array([a, b]), colour)

    def zigzag(self, a: np.ndarray, b: np.ndarray, colour: tuple[int, int, int]) -> None:
        along = b - a
        length = float(np.linalg.norm(along))
        if not length > 0:
            return
        across = np.array([-along[1], along[0]]) / length * 4.0
        shares = np.linspace(0.0, 1.0, 13)
        sides = np.where(np.arange(13) % 2 == 0, 1.0, -1.0)
        sides[[0, -1]] = 0.0
        self.path(a + shares[:, None] * along + sides[:, None] * across, colour)

    def dot(self, place: np.ndarray, colour: tuple[int, int, int], radius: int) -> None:
        if (p := self._at(place)) is not None:
            cv2.circle(self.image, p, radius, colour, -1, cv2.LINE_AA)

    def ring(self, place: np.ndarray, colour: tuple[int, int, int]) -> None:
        if (p := self._at(place)) is not None:
            cv2.circle(self.image, p, 7, colour, 2, cv2.LINE_AA)

    def cross(self, place: np.ndarray, colour: tuple[int, int, int]) -> None:
        if (p := self._at(place)) is not None:
            cv2.drawMarker(self.image, p, colour, cv2.MARKER_TILTED_CROSS, 14, 2, cv2.LINE_AA)

    def arrow(self, a: np.ndarray, b: np.ndarray, colour: tuple[int, int, int]) -> None:
        start, end = self._at(a), self._at(b)
        if start is not None and end is not None:
            cv2.arrowedLine(self.image, start, end, colour, 2, cv2.LINE_AA, tipLength=0.2)

    def oval(self, place: np.ndarray, half: np.ndarray, colour: tuple[int, int, int]) -> None:
        p = self._at(place)
        if p is not None and np.isfinite(half).all() and float(half.max()) < 1e4:
            axes = tuple(max(round(float(h) * self.by), 1) for h in half)
            cv2.ellipse(self.image, p, axes, 0, 0, 360, colour, 1, cv2.LINE_AA)

    def wall(self, normal: np.ndarray, offset: float, colour: tuple[int, int, int]) -> None:
        foot, along = normal * offset, np.array([-normal[1], normal[0]]) * 5e3
        self.line(foot - along, foot + along, colour)

    def text(self, place: tuple[int, int], words: str) -> None:
        font = cv2.FONT_HERSHEY_SIMPLEX
        for colour, thick in (((0, 0, 0), 3), ((255, 255, 255), 1)):
            cv2.putText(self.image, words, place, font, 0.6, colour, thick, cv2.LINE_AA)
