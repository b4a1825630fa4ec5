"""Axes for small inline SVG charts. Colours and type come from the page's style sheet, by class."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from agent.report.markup import Child, Html, tag
from agent.report.words import number

WIDTH = 400
"""User units: charts are about as wide as this on a page, so type keeps its size."""

_LEFT, _RIGHT, _BOTTOM = 44, 10, 22


@dataclass(frozen=True)
class Axes:
    """A box of a chart and what it shows. top, bottom: y in user units. x, y: (low, high) in the
    data's own units; with ``log``, y runs over decades and lower values sit on its lower edge."""

    x: tuple[float, float]
    y: tuple[float, float]
    top: float
    bottom: float
    log: bool = False

    def right(self, value: float) -> float:
        """x in user units."""
        low, high = self.x
        return round(_LEFT + (WIDTH - _LEFT - _RIGHT) * (value - low) / (high - low), 1)

    def up(self, value: float) -> float:
        """y in user units, inside the box."""
        low, high = self.y
        share = (
            math.log(max(value, low) / low) / math.log(high / low)
            if self.log
            else (value - low) / (high - low)
        )
        return round(self.bottom - (self.bottom - self.top) * min(max(share, 0.0), 1.0), 1)

    def grid(self, y_ticks: Sequence[float]) -> list[Html]:
        """Horizontal rules with their numbers."""
        parts = []
        for value in y_ticks:
            height = self.up(value)
            parts.append(
                tag("line", class_="grid", x1=_LEFT, x2=WIDTH - _RIGHT, y1=height, y2=height)
            )
            parts.append(
                tag(
                    "text",
                    number(value, 3),
                    class_="tick",
                    x=_LEFT - 6,
                    y=height + 4,
                    text_anchor="end",
                )
            )
        return parts

    def foot(self, noun: str, most: int = 5) -> list[Html]:
        """Whole numbers along the x axis; the first says of what."""
        whole = [value for value in ticks(*self.x, most) if value == int(value)]
        words = [
            f"{noun} {number(value)}" if not k else number(value) for k, value in enumerate(whole)
        ]
        return [
            tag(
                "text",
                text,
                class_="tick",
                x=self.right(value),
                y=self.bottom + 15,
                text_anchor="middle",
            )
            for value, text in zip(whole, words, strict=True)
        ]

    def span(self, start: float, stop: float, class_: str) -> Html:
        """A shaded stretch of x."""
        left, right = (
            min(max(self.right(value), _LEFT), WIDTH - _RIGHT) for value in (start, stop)
        )
        return tag(
            "rect",
            class_=class_,
            x=left,
            y=self.top,
            width=round(max(right - left, 0), 1),
            height=self.bottom - self.top,
        )

    def line(self, xs: Sequence[float], ys: Sequence[float], class_: str) -> Html:
        """A path through the points; NaN interrupts it."""
        words, pen = [], False
        for x, y in zip(xs, ys, strict=True):
            known = math.isfinite(y)
            if known:
                words.append(f"{'L' if pen else 'M'}{self.right(x)} {self.up(y)}")
            pen = known
        return tag("path", class_=class_, d="".join(words))

    def steps(self, xs: Sequence[float], ys: Sequence[float], end: float, class_: str) -> Html:
        """A path that keeps each value until the next."""
        words = []
        for index, (x, y) in enumerate(zip(xs, ys, strict=True)):
            words.append(
                f"M{self.right(x)} {self.up(y)}" if not index else f"H{self.right(x)}V{self.up(y)}"
            )
        return tag(
            "path", class_=class_, d="".join(words) + (f"H{self.right(end)}" if words else "")
        )

    def dots(self, xs: Iterable[float], ys: Iterable[float], class_: str) -> Html:
        """Many small dots as one path (round line caps of no length); NaN is left out."""
        return tag(
            "path",
            class_=class_,
            d="".join(
                f"M{self.right(x)} {self.up(y)}h0"
                for x, y in zip(xs, ys, strict=True)
                if math.isfinite(y)
            ),
        )


def chart(title: str, height: float, *parts: Child) -> Html:
    """The SVG around the parts; ``title`` is read out and shown on hovering."""
    return tag(
        "svg",
        tag("title", title),
        *parts,
        viewBox=f"0 0 {WIDTH} {height}",
        role="img",
        aria_label=title,
    )


def box(height: float, x: tuple[float, float], y: tuple[float, float], log: bool = False) -> Axes:
    """Axes that fill a chart of ``height`` user units."""
    return Axes(x, y, 8, height - _BOTTOM, log)


def ticks(low: float, high: float, most: int = 5) -> list[float]:
    """Round numbers from ``low`` to ``high``.

    >>> ticks(0, 19), ticks(-1.48, -1.32, 3)
    ([0.0, 5.0, 10.0, 15.0], [-1.4])
    """
    if not high > low:
        return [low]
    raw = (high - low) / most
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= raw * (1 - 1e-9))
    first = math.ceil(low / step - 1e-9)
    return [round(step * k, 12) for k in range(first, math.floor(high / step + 1e-9) + 1)]


def symmetric(reach: float) -> list[float]:
    """Zero between two round numbers.

    >>> symmetric(1.03)
    [-1.0, 0.0, 1.0]
    """
    power = 10.0 ** math.floor(math.log10(reach))
    tick = max(power * factor for factor in (1, 2, 5) if power * factor <= reach)
    return [-tick, 0.0, tick]


def decades(low: float, high: float) -> list[float]:
    """Powers of ten from ``low`` to ``high``."""
    return [
        10.0**k
        for k in range(math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9) + 1)
    ]


def padded(values: np.ndarray, least: float) -> tuple[float, float]:
    """A range around finite ``values`` with some room, at least ``least`` wide."""
    low, high = float(np.min(values)), float(np.max(values))
    room = max(0.08 * (high - low), (least - (high - low)) / 2)
    return low - room, high + room
