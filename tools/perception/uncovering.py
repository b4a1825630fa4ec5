"""The plate a second time, now that the parts are known: what each pixel shows while nothing lies
on it."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from tools import backing
from tools.perception.appearance import covered_window, picture_at
from tools.perception.background import densest, differs, fill
from tools.perception.layout import Layout
from tools.perception.segmentation import regions

SAMPLES = 40
"""Frames looked at."""
RIM = 2
"""Pixels around a part that its soft edge or its shadow in a compressed picture may touch."""
RESTING = 0.3
"""A part that stays within so many pixels (and so many pixels of turning at its rim) through the
clip does not move."""


@dataclass(frozen=True)
class Uncovered:
    """plate: (H, W, 3) uint8. wrong: number of pixels at which the plate before was noticeably
    different."""

    plate: np.ndarray
    wrong: int


def uncover(layout: Layout) -> Uncovered:
    """Measure the plate in frames in which no moving part covers a pixel; fill where the parts
    never leave and the plate before showed one of them. Parts that never move do not count unless
    they were declared: what they cover may well be the plate."""
    clip, movers = (
        layout.clip,
        [
            k
            for k in range(len(layout.appearances))
            if layout.parts[k] is not None or moves(layout, k)
        ],
    )
    times = clip.spread_times(SAMPLES)
    shadows = [np.packbits(_shadow(layout, movers, t)) for t in times]
    resting = [k for k in range(len(layout.appearances)) if k not in movers]
    swept = np.zeros(clip.shape, bool)
    for t, shadow in zip(times, shadows, strict=True):
        swept |= np.unpackbits(shadow, count=swept.size).reshape(swept.shape) > 0
        swept |= _shadow(layout, resting, t) if resting else False
    if not swept.any():
        return _vacated(layout, clip.plate)
    plate = clip.plate.copy()
    rows, columns = np.nonzero(swept)
    never = np.zeros(swept.shape, bool)
    chunk = max(1, backing.WINDOW // (24 * len(times)))
    for start in range(0, len(rows), chunk):
        r, c = rows[start : start + chunk], columns[start : start + chunk]
        values = np.stack([clip.frame(t)[r, c] for t in times]).astype(np.int16)
        places = r * swept.shape[1] + c
        open_ = np.stack([~_bits(shadow, places) for shadow in shadows])
        found, count = densest(values, open_, 3.0 + 3.0 * clip.noise)
        plate[r[count > 0], c[count > 0]] = found[count > 0]
        never[r[count == 0], c[count == 0]] = True
    hole = never & _shows_part(layout, movers, never, times)
    if hole.any():
        around = np.ones((2 * RIM + 1, 2 * RIM + 1), np.uint8)
        plate = fill(plate, (cv2.dilate(hole.astype(np.uint8), around) > 0) & never)
    return _vacated(layout, plate)


def _bits(packed: np.ndarray, places: np.ndarray) -> np.ndarray:
    """(n,) bool: what a mask, packed to bits, holds at places of its pixels in reading order."""
    return (packed[places >> 3] >> (7 - (places & 7)).astype(np.uint8) & 1).astype(bool)


def _vacated(layout: Layout, plate: np.ndarray) -> Uncovered:
    """The plate without flat parts that rested before they were first seen, or after they were seen
    last, and therefore were taken for it: a piece of their colour and area where they set off."""
    clip, hole = layout.clip, np.zeros(layout.clip.shape, bool)
    for k, appearance in enumerate(layout.appearances):
        seen = layout.seen(k)
        if appearance.shape not in ("disk", "box") or not len(seen) or not moves(layout, k):
            continue
        ends = {int(t) for t, end in ((seen[0], 0), (seen[-1], len(clip) - 1)) if t != end}
        colour = np.asarray(appearance.colour, np.float64)
        for x, y, _ in layout.poses[k][sorted(ends)]:
            reach = max(AWAY * appearance.bounding_radius, 4.0)
            for piece in regions(differs(plate, colour, 3.0 * clip.level) == 0, 4.0):
                near = np.hypot(piece.x - x, piece.y - y) < reach and not piece.edge
                if near and abs(np.log(piece.area / appearance.area)) < AS_LARGE:
                    x0, y0, x1, y1 = piece.box
                    hole[y0:y1, x0:x1] |= piece.mask
    if hole.any():
        plate = fill(plate, cv2.dilate(hole.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0)
    return Uncovered(plate, int(differs(plate, clip.plate, clip.level).sum()))


AWAY, AS_LARGE = 0.25, 0.4
"""Of a part's size, how far from its place a piece of the plate may lie that is the part; logarithm
of the ratio of their areas."""


def moves(layout: Layout, k: int) -> bool:
    """Does part k move or turn noticeably?"""
    path = layout.poses[k][layout.seen(k)]
    if len(path) < 2:
        return False
    away = np.ptp(path, axis=0)
    spread = np.median(layout.spreads[k][layout.seen(k)], axis=0)
    turned = away[2] * layout.appearances[k].bounding_radius if layout.appearances[k].turns else 0.0
    return bool(
        max(away[0], away[1]) > RESTING + 4 * min(max(spread[0], spread[1]), 1.0)
        or turned > 2 * RESTING
    )


def _shadow(layout: Layout, parts: list[int], t: int) -> np.ndarray:
    """bool (H, W): pixels on or next to parts in frame t."""
    mask = np.zeros(layout.clip.shape, np.uint8)
    for k in parts:
        if np.isfinite(layout.poses[k][t, 0]):
            found = covered_window(
                layout.appearances[k], layout.poses[k][t], layout.clip.shape, RIM + 1
            )
            if found is not None:
                window, inside = found
                size = 2 * RIM + 1
                wide = cv2.dilate(inside.astype(np.uint8), np.ones((size, size), np.uint8))
                mask[window] |= wide.astype(np.uint8)
    return mask > 0


def _shows_part(
    layout: Layout, parts: list[int], never: np.ndarray, times: list[int]
) -> np.ndarray:
    """bool (H, W): never uncovered pixels whose plate looks like the part that lies on them in some
    frame, as that frame does too."""
    clip = layout.clip
    rows, columns = np.nonzero(never)
    px, py = columns.astype(float), rows.astype(float)
    alike = np.zeros(len(rows), bool)
    looked = times[:: max(1, len(times) // 6)]
    for t in looked if len(rows) else ():
        picture = clip.plate[rows, columns].astype(np.float64)
        plain = np.full(picture.shape, -1000.0)
        for k in [k for k in layout.order if k in parts and np.isfinite(layout.poses[k][t, 0])]:
            plain = picture_at(layout.appearances[k], layout.poses[k][t], px, py, plain)
        frame = clip.frame(t)[rows, columns].astype(np.float64)
        alike |= (np.abs(plain - frame).max(1) <= clip.level) & (
            np.abs(picture - frame).max(1) <= clip.level
        )
    mask = np.zeros(never.shape, bool)
    mask[rows, columns] = alike
    return mask
