"""The pictures a model is shown. All coordinates in them are pixels of the original video: rulers
say so."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import cv2
import numpy as np

from agent.checking.sighting import Sighting, Thing, reduced
from agent.models.messages import Picture
from tools.perception.segmentation import Region
from tools.types import States

SIDE = 640
"""Longer side of one panel, pixels. Small frames are enlarged by whole factors, large ones reduced.
"""
ZOOM_SIDE = 192
_COLUMNS = 56  # of a frame in letters
_MARGIN = 26
_FONT, _TEXT = cv2.FONT_HERSHEY_SIMPLEX, 0.38
_INK, _PAPER = (60, 60, 60), (252, 252, 252)
_MARKS = (
    (230, 0, 120),
    (0, 140, 255),
    (0, 160, 60),
    (200, 110, 0),
    (130, 60, 220),
    (0, 150, 160),
    (200, 0, 0),
    (90, 110, 0),
    (120, 80, 50),
)
"""Colours of outlines and labels, by turns."""


def key_frames(frames: np.ndarray, count: int = 4) -> list[int]:
    """Indices of ``count`` frames that differ most from each other, in order; the first is always
    among them.

    Greedy: each next frame is the one whose smallest mean difference from those chosen is largest.
    Ties go to the earlier.
    """
    small = np.stack(
        [cv2.resize(frame, (48, 48), interpolation=cv2.INTER_AREA) for frame in frames]
    ).astype(np.float32)
    chosen = [0]
    nearest = np.abs(small - small[0]).mean(axis=(1, 2, 3))
    while len(chosen) < min(count, len(frames)) and nearest.max() > 0:
        chosen.append(int(nearest.argmax()))
        nearest = np.minimum(nearest, np.abs(small - small[chosen[-1]]).mean(axis=(1, 2, 3)))
    return sorted(chosen)


def annotated(frame: np.ndarray, seen: Sighting, t: int, cropped: bool = False) -> Picture:
    """The untouched frame, and beside it a copy with outlines and numbers of the things in it.
    cropped: only where anything ever moves, enlarged."""
    x0, y0, x1, y1 = window = seen.window() if cropped else (0, 0, seen.shape[1], seen.shape[0])
    factor = magnification((y1 - y0, x1 - x0))
    bare = _resized(frame[y0:y1, x0:x1], factor)
    drawn = bare.copy()
    for thing in seen.things:
        if t in thing.regions:
            _outline(drawn, seen, thing, t, factor, (x0, y0))
    words = "left: untouched; right: outlines and numbers drawn on a copy"
    words += f"; x {x0} to {x1 - 1}, y {y0} to {y1 - 1}" if window[2:] != seen.shape[::-1] else ""
    sides = (_ruled(one, factor, (x0, y0)) for one in (bare, drawn))
    return to_picture(_beside(*sides), f"frame {t} ({words})", sketch(seen, t, window))


def sketch(seen: Sighting, t: int, window: tuple[int, int, int, int]) -> str:
    """A frame in letters, for a model that sees nothing: which thing covers the middle of each cell
    of a grid over ``window`` (x0, y0, x1, y1)."""
    x0, y0, x1, y1 = window
    step = max((x1 - x0) / _COLUMNS, 1.0)
    xs, ys = np.arange(x0 + step / 2, x1, step), np.arange(y0 + step, y1, 2 * step)
    grid = np.full((len(ys), len(xs)), ".")
    for thing in reversed(seen.things):
        if t in thing.regions:
            grid[_covered(seen, thing.regions[t], xs, ys)] = str(thing.label)
    lines = "\n".join("".join(line) for line in grid)
    return (
        f"In letters ({step:.3g} px a column, {2 * step:.3g} px a row; x from {x0}, y from {y0}; "
        f"digits: the numbered things):\n\n```\n{lines}\n```"
    )


def _covered(seen: Sighting, region: Region, xs: np.ndarray, ys: np.ndarray) -> np.ndarray:
    """bool (len(ys), len(xs)): whether the region covers these places of the original picture."""
    left, top, right, bottom = region.box
    columns = np.rint((xs + 0.5) * seen.scale - 0.5).astype(int)
    rows = np.rint((ys + 0.5) * seen.scale - 0.5).astype(int)
    inside = ((rows >= top) & (rows < bottom))[:, None] & ((columns >= left) & (columns < right))
    safe = region.mask[
        np.clip(rows - top, 0, bottom - top - 1)[:, None],
        np.clip(columns - left, 0, right - left - 1),
    ]
    return inside & safe


def composite(frames: np.ndarray, seen: Sighting) -> Picture:
    """All of the motion in one picture: the faded background, the moving pixels of several frames
    (early ones faint), and the path of each thing with a dot a frame, a ring at its start."""
    factor = magnification(seen.shape)
    base = (0.5 * seen.plate + 0.5 * 255).astype(np.float32)
    picked = [
        seen.times[k] for k in np.unique(np.linspace(0, len(seen.times) - 1, 6).round().astype(int))
    ]
    for k, t in enumerate(picked):
        small = reduced(frames[t], seen.scale).astype(np.float32)
        moving = (np.abs(small - seen.plate).max(axis=-1) > 14.0 + 5.0 * seen.noise)[..., None]
        base = np.where(
            moving, base + (0.25 + 0.75 * k / max(1, len(picked) - 1)) * (small - base), base
        )
    image = _resized(np.clip(base, 0, 255).astype(np.uint8), factor / seen.scale)
    for thing in seen.things:
        _path(image, [seen.place(thing, t) for t in thing.regions], thing.label, factor)
    shown = ", ".join(str(t) for t in picked)
    return to_picture(
        _ruled(image, factor),
        f"motion: frames {shown} over each other, early ones faint; dots: path of each numbered "
        "thing, ring: start",
    )


def zoom(frame: np.ndarray, seen: Sighting, t: int) -> Picture | None:
    """Enlarged untouched windows around things that are small in the frame, with their numbers;
    None when none is small."""
    limit = max(24.0, 0.05 * max(seen.shape))
    small = [
        thing for thing in seen.things if t in thing.regions and _extent(seen.box(thing, t)) < limit
    ][:4]
    if not small:
        return None
    tiles = [_tile(frame, seen, thing, t, limit) for thing in small]
    numbers = ", ".join(str(thing.label) for thing in small)
    return to_picture(
        _beside(*tiles), f"frame {t}, enlarged around what is small: {numbers} (in this order)"
    )


def overlay(frame: np.ndarray, states: States, t: int) -> Picture:
    """What a perception program found at frame ``t``: a cross, a name, and, where the state has
    them, heading and size."""
    factor = magnification(frame.shape[:2])
    bare = _resized(frame, factor)
    drawn = bare.copy()
    for index, (name, part) in enumerate(states[t].items()):
        _marker(drawn, name, part, _MARKS[index % len(_MARKS)], factor)
    return to_picture(
        _beside(_ruled(bare, factor), _ruled(drawn, factor)),
        f"frame {t} (left: untouched; right: what the program found)",
    )


def magnification(shape: tuple[int, int]) -> float:
    """Factor that brings a frame of (H, W) near SIDE: a whole number for small frames, below 1 for
    large ones."""
    factor = SIDE / max(shape)
    return float(max(1, int(factor))) if factor >= 1 else factor


def to_picture(image: np.ndarray, caption: str, words: str = "") -> Picture:
    """(H, W, 3) uint8 RGB -> PNG with a caption, and with words for those who do not see."""
    png = cv2.imencode(
        ".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_PNG_COMPRESSION, 6]
    )[1].tobytes()
    return Picture(png, caption, image.shape[1], image.shape[0], words)


def from_png(png: bytes, caption: str) -> Picture:
    """A picture that is already encoded (a PNG's header holds its size)."""
    return Picture(
        png, caption, int.from_bytes(png[16:20], "big"), int.from_bytes(png[20:24], "big")
    )


def _resized(image: np.ndarray, factor: float) -> np.ndarray:
    if factor == 1.0:
        return image.copy()
    method = cv2.INTER_NEAREST if factor >= 1.0 else cv2.INTER_AREA
    return cv2.resize(image, None, fx=factor, fy=factor, interpolation=method)


def _beside(*images: np.ndarray) -> np.ndarray:
    height = max(image.shape[0] for image in images)
    padded = [
        np.pad(image, ((0, height - image.shape[0]), (0, 8), (0, 0)), constant_values=255)
        for image in images
    ]
    return np.concatenate(padded, axis=1)[:, :-8]


def _ruled(image: np.ndarray, factor: float, corner: tuple[int, int] = (0, 0)) -> np.ndarray:
    """A margin with ticks and coordinates (pixels of the video) above and to the left. corner: of
    the part of the video that is shown."""
    h, w = image.shape[:2]
    page = np.full((h + _MARGIN, w + _MARGIN, 3), _PAPER, np.uint8)
    page[_MARGIN:, _MARGIN:] = image
    step = _step(max(h, w) / factor)
    for value, at in _ticks(corner[0], w, factor, step):
        cv2.line(page, (at, _MARGIN - 4), (at, _MARGIN - 1), _INK, 1)
        _write(page, str(value), at - 3 * len(str(value)), _MARGIN - 8)
    for value, at in _ticks(corner[1], h, factor, step):
        cv2.line(page, (_MARGIN - 4, at), (_MARGIN - 1, at), _INK, 1)
        _write(page, str(value), 0, at + 4)
    return page


def _ticks(first: int, length: int, factor: float, step: int) -> Iterator[tuple[int, int]]:
    """(coordinate, pixel of the page) of every tick along a side of ``length`` that begins at
    ``first``."""
    for value in range(-(-first // step) * step, first + int(length / factor) + 1, step):
        at = _MARGIN + round((value - first + 0.5) * factor)
        if at < length + _MARGIN:
            yield value, at


def _step(length: float) -> int:
    """A round distance between ticks that gives six to twelve of them."""
    return next(
        (step for step in (5, 10, 20, 25, 50, 100, 200, 250, 500) if length / step <= 12), 1000
    )


def _outline(
    image: np.ndarray,
    seen: Sighting,
    thing: Thing,
    t: int,
    factor: float,
    corner: tuple[int, int] = (0, 0),
) -> None:
    colour = _MARKS[(thing.label - 1) % len(_MARKS)]
    region = thing.regions[t]
    contours, _ = cv2.findContours(
        region.mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE
    )
    moved = [
        (((c + region.box[:2] + 0.5) / seen.scale - corner) * factor).round().astype(np.int32)
        for c in contours
    ]
    cv2.polylines(image, moved, True, colour, 1, cv2.LINE_AA)
    rows, columns = np.nonzero(region.mask)
    tip = np.argmax(columns - rows)
    x, y = (
        ((at + 0.5) / seen.scale - first) * factor
        for at, first in zip(
            (columns[tip] + region.box[0], rows[tip] + region.box[1]), corner, strict=True
        )
    )
    _label(image, str(thing.label), round(x) + 6, round(y), colour)


def _label(image: np.ndarray, text: str, x: int, y: int, colour: tuple[int, int, int]) -> None:
    (width, height), _ = cv2.getTextSize(text, _FONT, 0.5, 1)
    x, y = min(max(1, x), image.shape[1] - width - 2), min(max(height + 2, y), image.shape[0] - 3)
    cv2.rectangle(image, (x - 1, y - height - 2), (x + width, y + 2), _PAPER, -1)
    cv2.putText(image, text, (x, y), _FONT, 0.5, colour, 1, cv2.LINE_AA)


def _write(image: np.ndarray, text: str, x: int, y: int) -> None:
    cv2.putText(image, text, (x, y), _FONT, _TEXT, _INK, 1, cv2.LINE_AA)


def _path(
    image: np.ndarray, places: Sequence[tuple[float, float]], label: int, factor: float
) -> None:
    colour = _MARKS[(label - 1) % len(_MARKS)]
    points = [(round((x + 0.5) * factor), round((y + 0.5) * factor)) for x, y in places]
    cv2.polylines(image, [np.array(points, np.int32)], False, colour, 1, cv2.LINE_AA)
    for point in points:
        cv2.circle(image, point, 2, colour, -1, cv2.LINE_AA)
    cv2.circle(image, points[0], 5, colour, 1, cv2.LINE_AA)
    _label(image, str(label), points[-1][0] + 6, points[-1][1] + 4, colour)


def _extent(box: tuple[float, float, float, float]) -> float:
    return max(box[2] - box[0], box[3] - box[1])


def _tile(frame: np.ndarray, seen: Sighting, thing: Thing, t: int, limit: float) -> np.ndarray:
    x0, y0, x1, y1 = seen.box(thing, t)
    half = int(max(6.0, min(0.9 * _extent((x0, y0, x1, y1)) + 3, limit)))
    cx, cy = round((x0 + x1) / 2), round((y0 + y1) / 2)
    padded = np.pad(frame, ((half, half), (half, half), (0, 0)), mode="edge")
    window = padded[cy : cy + 2 * half + 1, cx : cx + 2 * half + 1]
    tile = cv2.resize(window, (ZOOM_SIDE, ZOOM_SIDE), interpolation=cv2.INTER_NEAREST)
    page = np.full((ZOOM_SIDE + 20, ZOOM_SIDE, 3), _PAPER, np.uint8)
    page[20:] = tile
    _write(page, f"{thing.label}: x {cx - half}..{cx + half}, y {cy - half}..{cy + half}", 2, 14)
    return page


def _marker(
    image: np.ndarray,
    name: str,
    part: dict[str, float],
    colour: tuple[int, int, int],
    factor: float,
) -> None:
    x, y = part.get("x", np.nan), part.get("y", np.nan)
    if not (np.isfinite(x) and np.isfinite(y)):
        return
    at = (round((x + 0.5) * factor), round((y + 0.5) * factor))
    cv2.drawMarker(image, at, colour, cv2.MARKER_CROSS, 13, 1, cv2.LINE_AA)
    radius = part.get("radius", part.get("r", np.nan))
    if np.isfinite(radius) and 0 < radius < 1e4:
        cv2.circle(image, at, max(1, round(radius * factor)), colour, 1, cv2.LINE_AA)
    angle = part.get("angle", np.nan)
    if np.isfinite(angle):
        cv2.line(
            image,
            at,
            (at[0] + round(24 * np.cos(angle)), at[1] + round(24 * np.sin(angle))),
            colour,
            1,
            cv2.LINE_AA,
        )
    _label(image, name, at[0] + 8, at[1] - 6, colour)
