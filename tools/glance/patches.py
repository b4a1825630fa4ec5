"""Patches: connected pieces of smooth colour in one picture, as drawings and plain renderings are
made of."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import cv2
import numpy as np

SHADED = 24
"""Grey levels between neighbours within a body that light shades, at most."""
_SEAM, _ROUGH = 7, 60
"""Pixels: the edge between two patches is narrower, what is rough all over at least so large."""
_SMALLEST = 12  # pixels of a patch's inside
_LONG = 0.3  # (a - b) / (a + b) of the variances along its axes from which on an angle can be told
_GROUND = 0.2  # share of the picture from which on a patch is ground, not a body


@dataclass(frozen=True)
class Patch:
    """One piece. centre: (x, y) pixels, mean of its inside. area: pixels of its inside. colour:
    (3,) mean. mask: bool (H, W), its inside without the soft edge. ground: large enough to be what
    others stand before."""

    centre: np.ndarray
    area: float
    colour: np.ndarray
    mask: np.ndarray = field(repr=False)
    ground: bool = False

    @property
    def radius(self) -> float:
        """Of a disk of the same area, pixels."""
        return float(np.sqrt(self.area / np.pi))

    @cached_property
    def window(self) -> tuple[slice, slice]:
        """Rows and columns that hold it."""
        x, y, width, height = cv2.boundingRect(self.mask.view(np.uint8))
        return slice(y, y + height), slice(x, x + width)

    @cached_property
    def axes(self) -> tuple[float, float]:
        """How long it is, (a - b) / (a + b) of the variances along its axes, and the angle of the
        long one in [-pi/2, pi/2], radians."""
        rows, columns = np.nonzero(self.mask[self.window])
        (xx, xy), (_, yy) = np.cov(columns, rows)
        long = float(np.hypot(xx - yy, 2 * xy) / max(xx + yy, 1e-9))
        return long, 0.5 * float(np.arctan2(2 * xy, xx - yy))

    @property
    def round(self) -> bool:
        """Too round to tell an angle."""
        return self.axes[0] < _LONG

    @property
    def angle(self) -> float:
        """Of the long axis, radians; 0 for what is round."""
        return 0.0 if self.round else self.axes[1]


def patches(frame: np.ndarray, edge: int = SHADED, patterned: bool = False) -> list[Patch]:
    """All patches of a picture (H, W, 3) uint8, largest first. edge: grey levels between neighbours
    that part two patches. patterned: with things so full of edges that no part of them is
    smooth."""
    labels, stats, centres = _labels(frame, edge)
    found = [_whole(mask, frame) for mask in _patterned(labels)] if patterned else []
    for k in range(1, len(stats)):
        x, y, width, height, area = (int(v) for v in stats[k])
        if area < _SMALLEST:
            continue
        window = (slice(y, y + height), slice(x, x + width))
        mask, ground = labels == k, area > _GROUND * labels.size
        colour = np.array(cv2.mean(frame[window], mask[window].view(np.uint8))[:3])
        found.append(Patch(centres[k], float(area), colour, mask, ground))
    return sorted(found, key=lambda patch: -patch.area)


def _patterned(labels: np.ndarray) -> list[np.ndarray]:
    """Masks (H, W) of things so full of edges that no part of them is smooth."""
    kernel = np.ones((_SEAM, _SEAM), np.uint8)
    rough = cv2.morphologyEx((labels == 0).astype(np.uint8), cv2.MORPH_OPEN, kernel)
    count, pieces, stats, _ = cv2.connectedComponentsWithStats(rough, connectivity=4)
    large = [k for k in range(1, count) if stats[k, cv2.CC_STAT_AREA] >= _ROUGH]
    return [pieces == k for k in large]


def _whole(mask: np.ndarray, frame: np.ndarray) -> Patch:
    rows, columns = np.nonzero(mask)
    centre = np.array([columns.mean(), rows.mean()])
    ground = bool(len(rows) > _GROUND * mask.size)
    return Patch(centre, float(len(rows)), frame[mask].mean(axis=0), mask, ground)


def _labels(frame: np.ndarray, edge: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(H, W) int: number of the patch from 1 on, 0 on edges between patches; and of each number
    window and area (n, 5), and centre (n, 2)."""
    kernel = np.ones((3, 3), np.uint8)
    step = cv2.subtract(cv2.dilate(frame, kernel), cv2.erode(frame, kernel))
    steepest = cv2.max(cv2.max(step[..., 0], step[..., 1]), step[..., 2])
    smooth = (steepest < edge).astype(np.uint8)
    return cv2.connectedComponentsWithStats(smooth, connectivity=4)[1:]


def unlikeness(a: Patch, b: Patch) -> float:
    """How little two patches look like the same thing: 0 the same, above 1 hardly."""
    colour = float(np.abs(a.colour - b.colour).max()) / 40.0
    return colour + abs(float(np.log(a.area / b.area)))
