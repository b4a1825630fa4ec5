"""Numbers and pictures in characters: bars, curves in Braille dots, frames in half blocks. Values
in, Rich text out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import cv2
import numpy as np
from rich.style import Style
from rich.text import Text

TRUE, MADE, BOTH, DIM, GOOD, BAD = "cyan", "dark_orange", "green", "grey58", "green", "red"
"""Colours: what was seen or measured, what was predicted, where they agree, the rest."""

_HEIGHTS = "▁▂▃▄▅▆▇█"
_DOTS = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]])


def spark(values: Sequence[float], low: float, high: float) -> str:
    """One character a value, from ``low`` to ``high``; a blank where a value is not known.

    >>> spark([0.0, float("nan"), 1.0], 0.0, 1.0)
    '▁ █'
    """
    span = high - low or 1.0
    return "".join(
        " " if np.isnan(v) else _HEIGHTS[round(min(max((v - low) / span, 0.0), 1.0) * 7)]
        for v in values
    )


def thinned(values: Sequence[float], most: int) -> list[float]:
    """At most ``most`` of the values, evenly spread, the last among them."""
    if len(values) <= most:
        return list(values)
    return [values[round(k * (len(values) - 1) / (most - 1))] for k in range(most)]


def plot(
    measured: np.ndarray, rolled: np.ndarray, width: int, height: int, bound: int | None = None
) -> Iterator[Text]:
    """``height`` lines: (T,) ``measured`` as marks, (T,) ``rolled`` as a line, NaN = not there.
    bound: frame before which a vertical line stands."""
    known = np.concatenate([measured, rolled])
    known = known[np.isfinite(known)]
    low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 1.0)
    size = (4 * height, 2 * width)
    marks, line = np.zeros(size, bool), np.zeros(size, bool)
    x = np.linspace(0, size[1] - 2, len(measured)) if len(measured) > 1 else np.zeros(1)
    for t, (a, b) in enumerate(zip(measured, rolled, strict=True)):
        if np.isfinite(a):
            row, column = _place(a, low, high, size[0]) & ~1, round(x[t]) & ~1
            marks[row : row + 2, column : column + 2] = True
        if t and np.isfinite(b) and np.isfinite(rolled[t - 1]):
            for column in range(round(x[t - 1]), round(x[t]) + 1):
                share = min(max((column - x[t - 1]) / max(x[t] - x[t - 1], 1e-9), 0.0), 1.0)
                line[
                    _place(rolled[t - 1] + share * (b - rolled[t - 1]), low, high, size[0]), column
                ] = True
    edge = None if bound is None or not 0 < bound < len(x) else int((x[bound - 1] + x[bound]) / 4)
    for top in range(0, size[0], 4):
        yield _dotted(marks[top : top + 4], line[top : top + 4], edge)


def _place(value: float, low: float, high: float, rows: int) -> int:
    return round((1.0 - (value - low) / (high - low or 1.0)) * (rows - 1))


def _dotted(marks: np.ndarray, line: np.ndarray, edge: int | None) -> Text:
    text = Text(no_wrap=True)
    for column in range(marks.shape[1] // 2):
        a, b = marks[:, 2 * column : 2 * column + 2], line[:, 2 * column : 2 * column + 2]
        bits = int((_DOTS * (a | b)).sum())
        if not bits:
            text.append("┊" if column == edge else " ", DIM)
        else:
            text.append(
                chr(0x2800 + bits), BOTH if a.any() and b.any() else TRUE if a.any() else MADE
            )
    return text


def picture(frame: np.ndarray, width: int, peaks: bool = False) -> list[Text]:
    """An (H, W, 3) uint8 frame as lines of half blocks, ``width`` characters wide, two pixels a
    character. peaks: a pixel shows the largest value in its place, not the mean, so that nothing
    thin is lost."""
    rows = max(1, round(frame.shape[0] * width / frame.shape[1] / 2))
    if peaks:
        frame = cv2.dilate(
            frame,
            np.ones(
                (max(1, frame.shape[0] // (2 * rows)), max(1, frame.shape[1] // width)), np.uint8
            ),
        )
    small = cv2.resize(
        np.ascontiguousarray(frame),
        (width, 2 * rows),
        interpolation=cv2.INTER_NEAREST if peaks else cv2.INTER_AREA,
    )
    return [_half_blocks(small[2 * row], small[2 * row + 1]) for row in range(rows)]


def heat(truth: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    """How far two (H, W, 3) uint8 pictures are apart, as (H, W, 3) uint8: black where they agree,
    then red, yellow, white."""
    gap = np.abs(drawn.astype(np.int16) - truth).max(axis=-1)
    return np.clip(np.stack([4 * gap, 4 * gap - 255, 4 * gap - 510], axis=-1), 0, 255).astype(
        np.uint8
    )


def _half_blocks(upper: np.ndarray, lower: np.ndarray) -> Text:
    text = Text(no_wrap=True)
    changes = (
        np.flatnonzero(
            (upper[1:] != upper[:-1]).any(axis=1) | (lower[1:] != lower[:-1]).any(axis=1)
        )
        + 1
    )
    bounds = [0, *changes.tolist(), len(upper)]
    for start, stop in pairwise(bounds):
        text.append(
            "▀" * (stop - start), Style(color=_hex(upper[start]), bgcolor=_hex(lower[start]))
        )
    return text


def _hex(pixel: np.ndarray) -> str:
    return "#{:02x}{:02x}{:02x}".format(*pixel.tolist())


def beside(pictures: Sequence[Sequence[Text]], gap: int = 1) -> list[Text]:
    """Pictures of equal height next to each other."""
    return [Text(" " * gap, no_wrap=True).join(parts) for parts in zip(*pictures, strict=True)]


def moving(frames: np.ndarray, least: int = 12) -> tuple[slice, slice]:
    """(rows, columns) of (n, H, W, 3) frames in which something changes among them, with a margin;
    everything when nothing does."""
    change = (frames.max(axis=0).astype(np.int16) - frames.min(axis=0)).max(axis=2) > least
    if not change.any():
        return slice(None), slice(None)
    spans = [np.flatnonzero(change.any(axis=axis)) for axis in (1, 0)]
    margin = max(3, max(int(span[-1] - span[0]) for span in spans) // 6)
    rows, columns = (
        slice(max(0, int(span[0]) - margin), int(span[-1]) + margin + 1) for span in spans
    )
    return rows, columns
