"""Plots of every coordinate: what was measured, the fit, the forecast with its band, and below what
is left; as SVG, or as PNG.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol
from xml.sax.saxutils import escape

import cv2
import numpy as np

from agent.run import store
from agent.units import convert
from agent.units.tracks import Trajectories, coordinates
from tools import media
from tools.errors import UsageError

KINDS = (".svg", ".png")
_WIDE, _HIGH, _LEFT_OVER, _GAP = 620, 190, 70, 34
_LEFT, _RIGHT, _TOP = 76, 14, 26
_INK, _FAINT, _SEEN = "#222222", "#d8d8d8", "#1f6fb2"
_FIT, _AHEAD, _BAND = "#c0392b", "#e08e0b", "#f7dfb0"
_MOST = 24
"""Coordinates that are plotted."""

Points = Sequence[tuple[float, float]]


class Pen(Protocol):
    """Where a plot is drawn; pixels of a page, y down."""

    def line(self, points: Points, colour: str, width: float = 1.0) -> None: ...
    def area(self, points: Points, colour: str) -> None: ...
    def dot(self, x: float, y: float, colour: str) -> None: ...
    def text(self, x: float, y: float, words: str, end: bool = False) -> None: ...


def check_name(path: Path) -> None:
    """Raise UsageError for a plot that cannot be written there."""
    if path.suffix not in KINDS:
        raise UsageError("--plot", "a name ending in .svg or .png", repr(path.name))


def svg(table: Trajectories) -> str:
    """Everything that moves, as the text of an SVG file."""
    names = _plotted(table)
    pen = Svg(_WIDE, _height(names))
    draw(pen, table, names)
    return pen.page()


def _height(names: Sequence[str]) -> int:
    return len(names) * (_TOP + _HIGH + _LEFT_OVER + _GAP)


def _plotted(table: Trajectories) -> list[str]:
    every = coordinates(table.measured, table.modelled)
    return ([name for name in every if _moves(table, name)] or every)[:_MOST]


def write(table: Trajectories, path: Path) -> None:
    """Plot everything that moves into one picture. Raises UsageError, StorageError."""
    check_name(path)
    if path.suffix == ".svg":
        store.write_text(path, svg(table))
        return
    names = _plotted(table)
    png = Png(_WIDE, _height(names))
    draw(png, table, names)
    with store.replacing(path) as temporary:
        media.write_image(temporary, png.image)


def _moves(table: Trajectories, name: str) -> bool:
    """Whether it does more than the noise of what stays as it is."""
    series = table.of(table.modelled, name)
    series = series if np.isfinite(series).any() else table.of(table.measured, name)
    spread, size = np.nanmax(series) - np.nanmin(series), np.nanmax(np.abs(series))
    return bool(spread > 1e-3 * size)


def draw(pen: Pen, table: Trajectories, names: Sequence[str]) -> None:
    """One coordinate below another."""
    for k, name in enumerate(names):
        _Panel(pen, table, name, k * (_TOP + _HIGH + _LEFT_OVER + _GAP)).draw()


class _Panel:
    """One coordinate: courses above, what is left below."""

    def __init__(self, pen: Pen, table: Trajectories, name: str, top: float):
        self.pen, self.table, self.name, self.top = pen, table, name, top + _TOP
        self.found = table.of(table.measured, name)
        self.model = table.of(table.modelled, name)
        self.seen = np.arange(len(table.times)) < table.seen
        self.unit = convert.column_unit(name, table.scale)

    def draw(self) -> None:
        """Everything."""
        band = self._band()
        whole = np.concatenate([self.found, self.model, *(end[~self.seen] for end in band)])
        low, high = _range(whole)
        title = f"{self.name} [{self.unit}]" if self.unit else self.name
        self.pen.text(
            _LEFT, self.top - 9, f"{title}: measured (dots), fit, forecast with 95 % band"
        )
        self._frame(self.top, _HIGH, low, high)
        if band:
            places = np.flatnonzero(~self.seen)
            edge = [(t, band[0][t]) for t in places] + [(t, band[1][t]) for t in places[::-1]]
            edge = [(t, v) for t, v in edge if np.isfinite(v)]
            if len(edge) > 2:
                self.pen.area([self._at(t, v, self.top, _HIGH, low, high) for t, v in edge], _BAND)
        for which, colour in ((self.seen, _FIT), (~self.seen | self._last(), _AHEAD)):
            self._course(np.where(which, self.model, np.nan), colour, low, high)
        for t in np.flatnonzero(np.isfinite(self.found)).tolist():
            x, y = self._at(t, self.found[t], self.top, _HIGH, low, high)
            self.pen.dot(x, y, _SEEN)
        self._rest()

    def _rest(self) -> None:
        gaps = self.found - self.model
        top = self.top + _HIGH + 10
        reach = float(np.nanmax(np.abs(gaps))) if np.isfinite(gaps).any() else 1.0
        reach = reach or 1.0
        self._frame(top, _LEFT_OVER, -reach, reach, foot=True)
        for t in np.flatnonzero(np.isfinite(gaps)).tolist():
            x, y = self._at(t, gaps[t], top, _LEFT_OVER, -reach, reach)
            self.pen.dot(x, y, _SEEN)

    def _band(self) -> list[np.ndarray]:
        if self.table.band is None or self.name not in self.table.band[0].columns:
            return []
        return [self.table.of(end, self.name) for end in self.table.band]

    def _last(self) -> np.ndarray:
        """The last frame seen, where the forecast begins."""
        return np.asarray(np.arange(len(self.seen)) == self.table.seen - 1)

    def _course(self, values: np.ndarray, colour: str, low: float, high: float) -> None:
        places = np.flatnonzero(np.isfinite(values)).tolist()
        points = [self._at(t, values[t], self.top, _HIGH, low, high) for t in places]
        if len(points) > 1:
            self.pen.line(points, colour, 1.6)

    def _at(
        self, t: int, value: float, top: float, high: float, least: float, most: float
    ) -> tuple[float, float]:
        times = self.table.times
        share = (times[t] - times[0]) / max(times[-1] - times[0], 1e-12)
        return (
            _LEFT + (_WIDE - _LEFT - _RIGHT) * float(share),
            top + high * (1.0 - (value - least) / (most - least)),
        )

    def _frame(self, top: float, high: float, low: float, most: float, foot: bool = False) -> None:
        right = _WIDE - _RIGHT
        for value in np.linspace(low, most, 3 if foot else 5):
            y = top + high * (1.0 - (value - low) / (most - low))
            self.pen.line([(_LEFT, y), (right, y)], _FAINT)
            self.pen.text(_LEFT - 6, y + 4, f"{value:.4g}", end=True)
        start = self._at(max(self.table.seen - 1, 0), low, top, high, low, most)[0]
        self.pen.line([(start, top), (start, top + high)], _FAINT)
        if foot:
            times = self.table.times
            self.pen.text(_LEFT, top + high + 16, f"{times[0]:.3g} s")
            self.pen.text(right, top + high + 16, f"{times[-1]:.3g} s", end=True)


def _range(values: np.ndarray) -> tuple[float, float]:
    values = values[np.isfinite(values)]
    if not len(values):
        return 0.0, 1.0
    low, high = float(values.min()), float(values.max())
    edge = 0.05 * (high - low) or 1.0
    return low - edge, high + edge


class Svg:
    """A pen that writes SVG."""

    def __init__(self, width: int, height: int):
        self.size, self.out = (width, height), io.StringIO()

    def line(self, points: Points, colour: str, width: float = 1.0) -> None:
        """A polyline."""
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        self.out.write(
            f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="{width}"/>\n'
        )

    def area(self, points: Points, colour: str) -> None:
        """A filled polygon."""
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        self.out.write(f'<polygon points="{path}" fill="{colour}"/>\n')

    def dot(self, x: float, y: float, colour: str) -> None:
        """One measurement."""
        self.out.write(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2" fill="{colour}"/>\n')

    def text(self, x: float, y: float, words: str, end: bool = False) -> None:
        """Words that begin (or end) there."""
        anchor = ' text-anchor="end"' if end else ""
        self.out.write(f'<text x="{x:.1f}" y="{y:.1f}"{anchor}>{escape(words)}</text>\n')

    def page(self) -> str:
        """The whole file."""
        width, height = self.size
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
            f'font-family="sans-serif" font-size="11" fill="{_INK}">\n<rect width="{width}" '
            f'height="{height}" fill="#ffffff"/>\n{self.out.getvalue()}</svg>\n'
        )


class Png:
    """A pen that draws into ``image``, (H, W, 3) uint8 RGB, twice as fine as the page."""

    def __init__(self, width: int, height: int):
        self.image = np.full((2 * height, 2 * width, 3), 255, np.uint8)

    def line(self, points: Points, colour: str, width: float = 1.0) -> None:
        """A polyline."""
        thick = max(round(2 * width), 1)
        cv2.polylines(self.image, [_whole(points)], False, _rgb(colour), thick, cv2.LINE_AA)

    def area(self, points: Points, colour: str) -> None:
        """A filled polygon."""
        cv2.fillPoly(self.image, [_whole(points)], _rgb(colour), cv2.LINE_AA)

    def dot(self, x: float, y: float, colour: str) -> None:
        """One measurement."""
        cv2.circle(self.image, (round(2 * x), round(2 * y)), 4, _rgb(colour), -1, cv2.LINE_AA)

    def text(self, x: float, y: float, words: str, end: bool = False) -> None:
        """Words that begin (or end) there."""
        font, size = cv2.FONT_HERSHEY_SIMPLEX, 0.62
        (wide, _), _ = cv2.getTextSize(words, font, size, 1)
        place = (round(2 * x) - (wide if end else 0), round(2 * y))
        cv2.putText(self.image, words, place, font, size, _rgb(_INK), 1, cv2.LINE_AA)


def _whole(points: Points) -> np.ndarray:
    return np.round(2.0 * np.array(points)).astype(np.int32)


def _rgb(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)
