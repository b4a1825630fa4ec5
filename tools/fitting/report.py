"""A fit as a table and a picture: what ``run-agent fit`` shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from tools import timing
from tools.fitting.data import Measured
from tools.fitting.result import FitResult
from tools.fitting.scaling import angle_columns, difference, noise_of, scales_of
from tools.types import FittedParam, States, rounded

HEADER = ("parameter", "value", "± error", "unit", "bounds", "identified")
"""Column titles of :func:`rows`."""

_PANEL = (300, 150)  # width, height of one plot
_ACROSS = 3  # plots side by side
_MARGIN = (46, 24, 10, 20)  # left, top, right, bottom of a plot
_INK, _GRID, _BAND = (40, 40, 40), (215, 215, 215), (235, 241, 250)
_BLOCKS = "▁▂▃▄▅▆▇█"
_LINE, _MOST_TRACKS = 72, 8  # characters of a line of bars; videos in it
_COLOURS = (
    (31, 119, 180),
    (214, 39, 40),
    (44, 160, 44),
    (148, 103, 189),
    (255, 127, 14),
    (23, 190, 207),
)


def rows(params: Sequence[FittedParam]) -> list[tuple[str, ...]]:
    """One row of text per parameter, in the order of HEADER; values are rounded to two digits of
    their error. The last says "yes" or why not."""
    return [
        (p.name, *rounded(p.value, p.error), p.unit, f"{p.low:g} .. {p.high:g}", p.note or "yes")
        for p in params
    ]


def markdown(result: FitResult) -> str:
    """The whole result as Markdown: table, status, message, residuals by column."""
    lines = ["| " + " | ".join(HEADER) + " |", "|" + "---|" * len(HEADER)]
    lines += ["| " + " | ".join(row) + " |" for row in rows(result.params)]
    lines += ["", f"{result.status}: {result.message}", ""]
    lines += [f"- {column}: {rms:.4g} rms" for column, rms in result.columns.items()]
    lines += [f"- {result.evaluations} evaluations in {result.seconds:.2f} s by {result.optimizer}"]
    return "\n".join(lines)


@dataclass(frozen=True)
class _Panel:
    """Residuals of one column. tracks: per video (times in seconds, residuals). noise: the band's
    half width."""

    column: str
    tracks: tuple[tuple[np.ndarray, np.ndarray], ...]
    noise: float

    @property
    def span(self) -> float:
        """Seconds to show."""
        return max([float(times[-1]) for times, _ in self.tracks if len(times)], default=0.0) or 1.0

    @property
    def reach(self) -> float:
        """Largest residual to show, at least three times the noise."""
        return max(
            [3.0 * self.noise, *(float(np.abs(gaps).max()) for _, gaps in self.tracks if len(gaps))]
        )


def residual_plot(rolled: Sequence[States], measured: Sequence[Measured]) -> np.ndarray:
    """(H, W, 3) uint8 RGB: measured minus rolled-out over time, a plot per column, a line per
    video, the noise as a band."""
    panels = [_draw(panel) for panel in _panels(rolled, measured)] or [
        np.full((_PANEL[1], _PANEL[0], 3), 255, np.uint8)
    ]
    across = min(_ACROSS, len(panels))
    blank = [np.full_like(panels[0], 255)] * (-len(panels) % across)
    panels += blank
    return np.concatenate(
        [np.concatenate(panels[i : i + across], 1) for i in range(0, len(panels), across)], 0
    )


def residual_lines(rolled: Sequence[States], measured: Sequence[Measured]) -> list[str]:
    """The same as text, a line per column: the largest residual of every stretch of time, blanks
    between videos, low to high over plus and minus the largest one (at least three times the
    noise)."""
    panels = _panels(rolled, measured)
    width = max([len(panel.column) for panel in panels], default=0)
    return [f"{panel.column:<{width}}  ±{panel.reach:<8.2g} {_bars(panel)}" for panel in panels]


def _bars(panel: _Panel) -> str:
    tracks = [gaps for _, gaps in panel.tracks if len(gaps)][:_MOST_TRACKS]
    return " ".join(_bar(gaps, max(_LINE // len(tracks) - 1, 4), panel.reach) for gaps in tracks)


def _bar(gaps: np.ndarray, width: int, reach: float) -> str:
    largest = [
        part[np.argmax(np.abs(part))] for part in np.array_split(gaps, min(width, len(gaps)))
    ]
    levels = np.rint((np.array(largest) / (reach or 1.0) + 1.0) / 2.0 * (len(_BLOCKS) - 1))
    return "".join(_BLOCKS[int(level)] for level in levels)


def _panels(rolled: Sequence[States], measured: Sequence[Measured]) -> list[_Panel]:
    scales = scales_of(measured)
    columns = dict.fromkeys(
        c
        for states, one in zip(rolled, measured, strict=True)
        for c in one.states.columns
        if c in states.columns
    )
    panels = []
    for column in columns:
        pairs = [
            (states, one)
            for states, one in zip(rolled, measured, strict=True)
            if column in states.columns and column in one.states.columns
        ]
        noise = max(
            float(noise_of(one, scales)[one.states.columns.index(column)]) for _, one in pairs
        )
        panels.append(
            _Panel(column, tuple(_track(states, one, column) for states, one in pairs), noise)
        )
    return panels


def _track(states: States, one: Measured, column: str) -> tuple[np.ndarray, np.ndarray]:
    length = min(len(states), len(one.states))
    gap = difference(
        one.states.column(column)[:length, None],
        states.column(column)[:length, None],
        angle_columns((column,)),
    )[:, 0]
    seen = np.isfinite(gap)
    return timing.elapsed(one.dt, np.arange(length)[seen]), gap[seen]


def _draw(panel: _Panel) -> np.ndarray:
    image = np.full((_PANEL[1], _PANEL[0], 3), 255, np.uint8)
    left, top, right, bottom = _MARGIN
    width, height, span, reach = (
        _PANEL[0] - left - right,
        _PANEL[1] - top - bottom,
        panel.span,
        panel.reach,
    )

    def place(times: np.ndarray, gaps: np.ndarray) -> np.ndarray:
        x, y = left + width * times / span, top + height * (0.5 - 0.5 * gaps / reach)
        return np.rint(np.stack([x, y], 1) * 16).astype(np.int32)

    corners = place(np.array([0.0, span]), np.array([panel.noise, -panel.noise])) // 16
    cv2.rectangle(image, corners[0].tolist(), corners[1].tolist(), _BAND, -1)
    cv2.line(image, (left, top + height // 2), (left + width, top + height // 2), _GRID, 1)
    cv2.rectangle(image, (left, top), (left + width, top + height), _GRID, 1)
    for index, (times, gaps) in enumerate(panel.tracks):
        cv2.polylines(
            image,
            [place(times, gaps)[:, None]],
            False,
            _COLOURS[index % len(_COLOURS)],
            1,
            cv2.LINE_AA,
            4,
        )
    for text, position in _labels(panel, left, top, width, height):
        cv2.putText(image, text, position, cv2.FONT_HERSHEY_SIMPLEX, 0.36, _INK, 1, cv2.LINE_AA)
    return image


def _labels(
    panel: _Panel, left: int, top: int, width: int, height: int
) -> list[tuple[str, tuple[int, int]]]:
    """Texts with their places: title, the ends of both axes."""
    return [
        (f"{panel.column}, noise {panel.noise:.2g}", (left, top - 8)),
        (f"{panel.reach:.2g}", (4, top + 10)),
        (f"-{panel.reach:.2g}", (4, top + height)),
        ("0", (left, top + height + 14)),
        (f"{panel.span:.3g} s", (left + width - 36, top + height + 14)),
    ]
