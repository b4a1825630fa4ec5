"""What a look contributes to single pixels, and how that changes with its pose and its size: the
model behind every fit.

A picture is composed as ``colour + (1 - alpha) ground`` with premultiplied colour. Everything here
works on lists of pixels, so that a fit touches only the pixels that can tell it something.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache

import cv2
import numpy as np

from tools.perception.parts import Appearance
from tools.rendering import box_corners, coverage, place

SOFTEST = 1.1
"""Smallest edge width used in fits of poses (pixels): an edge of at most one pixel that lies
between two rows of pixels changes none of them until it has moved."""
HARDEST = 0.3
"""Smallest edge width used in fits of sizes."""


@dataclass(frozen=True)
class Sample:
    """A look at N pixels. colour: (N, 3) premultiplied grey levels. alpha: (N,). colour_slopes: (N,
    3, P) and alpha_slopes: (N, P), derivatives by P parameters."""

    colour: np.ndarray
    alpha: np.ndarray
    colour_slopes: np.ndarray
    alpha_slopes: np.ndarray

    def over(self, ground: np.ndarray) -> np.ndarray:
        """(N, 3) picture over a ground (N, 3)."""
        return self.colour + (1 - self.alpha)[:, None] * ground

    def slopes_over(self, ground: np.ndarray) -> np.ndarray:
        """(N, 3, P) derivatives of that picture."""
        return self.colour_slopes - self.alpha_slopes[:, None, :] * ground[:, :, None]


def at_pose(
    appearance: Appearance,
    pose: np.ndarray,
    px: np.ndarray,
    py: np.ndarray,
    width: float | None = None,
) -> Sample:
    """A look at ``pose`` = (x, y, angle), with derivatives by x, y and angle (for a disk the last
    are 0).

    width: edge softness in pixels in place of the look's own, which is never taken below SOFTEST.
    """
    if appearance.shape == "sprite":
        return _sprite(appearance, pose, px, py)
    alpha, slopes = cover_at(appearance, pose, px, py, width)
    ink = np.asarray(appearance.colour, np.float64)
    return Sample(alpha[:, None] * ink, alpha, ink[None, :, None] * slopes[:, None, :], slopes)


def picture_at(
    appearance: Appearance,
    pose: np.ndarray,
    px: np.ndarray,
    py: np.ndarray,
    ground: np.ndarray,
    width: float | None = None,
) -> np.ndarray:
    """(N, 3) picture of a look over a ground (N, 3)."""
    if appearance.shape == "sprite":
        return _sprite(appearance, pose, px, py).over(ground)
    return ground + cover_at(appearance, pose, px, py, width)[0][:, None] * (
        np.asarray(appearance.colour, np.float64) - ground
    )


def cover_at(
    appearance: Appearance,
    pose: np.ndarray,
    px: np.ndarray,
    py: np.ndarray,
    width: float | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Coverage (N,) by a flat look at ``pose``, and its derivatives (N, 3) by x, y and angle; width
    as in ``at_pose``."""
    width = max(appearance.width, SOFTEST) if width is None else width
    if appearance.shape == "disk":
        alpha, slopes = coverage.disk(px, py, pose[0], pose[1], appearance.size[0], width)
        slopes[:, 2] = 0.0
        return alpha, slopes
    if appearance.shape == "box":
        alpha, slopes = coverage.box(px, py, pose, _sides(appearance), width)
        return alpha, slopes[:, :3]
    return coverage.placed_polygon(px, py, corners_of(appearance, pose), pose, width)


def _sides(appearance: Appearance) -> tuple[float, float]:
    width, height = appearance.size
    return width, height


def corners_of(appearance: Appearance, pose: np.ndarray) -> np.ndarray:
    """(N, 2) corners of a box or polygon in the picture."""
    x, y, angle = (float(v) for v in pose)
    return (
        box_corners(x, y, angle, *appearance.size)
        if appearance.shape == "box"
        else place(appearance.corners, x, y, angle)
    )


# --------------------------------------------------------------------------------------------------


def free_sizes(appearance: Appearance) -> np.ndarray:
    """The numbers that describe a flat shape besides pose and softness: radius; width and height;
    or (2N,) outline."""
    return (
        np.asarray(appearance.size, np.float64)
        if appearance.shape in ("disk", "box")
        else appearance.corners.ravel()
    )


def with_sizes(appearance: Appearance, sizes: np.ndarray, width: float) -> Appearance:
    """The look with those numbers replaced."""
    if appearance.shape == "polygon":
        return replace(
            appearance, outline=np.asarray(sizes, np.float64).reshape(-1, 2), width=width
        )
    return replace(appearance, size=tuple(float(v) for v in np.maximum(sizes, 0.3)), width=width)


def cover_at_size(
    appearance: Appearance, pose: np.ndarray, px: np.ndarray, py: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Coverage (N,) by a flat look and its derivatives (N, P) by (x, y, angle, sizes..., width).

    A polygon's pose is taken as fixed (derivatives 0): its corners can do all that the pose can.
    """
    width, step = max(appearance.width, HARDEST), 0.05
    if appearance.shape == "disk":
        alpha, slopes = coverage.disk(px, py, pose[0], pose[1], appearance.size[0], width)
        slopes = np.insert(slopes, 2, 0.0, axis=1)
        wider = coverage.disk(px, py, pose[0], pose[1], appearance.size[0], width + step)[0]
    elif appearance.shape == "box":
        alpha, slopes = coverage.box(px, py, pose, _sides(appearance), width)
        wider = coverage.box(px, py, pose, _sides(appearance), width + step)[0]
    else:
        corners = corners_of(appearance, pose)
        alpha, by_corner = coverage.polygon(px, py, corners, width)
        c, s = math.cos(pose[2]), math.sin(pose[2])
        by_outline = by_corner @ np.array([(c, -s), (s, c)])
        slopes = np.column_stack([np.zeros((len(px), 3)), by_outline.reshape(len(px), -1)])
        wider = coverage.polygon(px, py, corners, width + step)[0]
    return alpha, np.column_stack([slopes, (wider - alpha) / step])


# --------------------------------------------------------------------------------------------------


@lru_cache(maxsize=32)
def _premultiplied(key: _Key) -> tuple[np.ndarray, np.ndarray]:
    """Padded premultiplied sprite (h + 4, w + 4, 4) in grey levels (alpha in [0, 1]), and the mask
    of telling pixels."""
    sprite = key.sprite.astype(np.float64)
    layer = np.dstack([255.0 * sprite[..., :3] * sprite[..., 3:], sprite[..., 3]])
    layer = np.pad(layer, ((2, 2), (2, 2), (0, 0)))
    level = np.dstack([layer[..., :3], 255 * layer[..., 3:]]).astype(np.float32)
    spread = (cv2.dilate(level, np.ones((3, 3))) - cv2.erode(level, np.ones((3, 3)))).max(-1)
    return layer, spread > 8.0


@dataclass(frozen=True, eq=False)
class _Key:
    """A sprite as a cache key: the array itself, by identity."""

    sprite: np.ndarray

    def __hash__(self) -> int:
        return id(self.sprite)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Key) and self.sprite is other.sprite


def _body(
    appearance: Appearance, pose: np.ndarray, px: np.ndarray, py: np.ndarray
) -> tuple[np.ndarray, np.ndarray, float, float]:
    """Pixels in the coordinates of the padded sprite, with cosine and sine of the angle."""
    c, s = math.cos(pose[2]), math.sin(pose[2])
    h, w = appearance.picture.shape[:2]
    dx, dy = px - pose[0], py - pose[1]
    return c * dx + s * dy + (w - 1) / 2 + 2, -s * dx + c * dy + (h - 1) / 2 + 2, c, s


def _sprite(appearance: Appearance, pose: np.ndarray, px: np.ndarray, py: np.ndarray) -> Sample:
    """Bilinear interpolation of the premultiplied sprite, with its exact slopes."""
    layer, _ = _premultiplied(_Key(appearance.picture))
    u, v, c, s = _body(appearance, pose, px, py)
    h, w = layer.shape[:2]
    i, j = np.clip(np.floor(v).astype(int), 0, h - 2), np.clip(np.floor(u).astype(int), 0, w - 2)
    fv, fu = np.clip(v - i, 0, 1)[:, None], np.clip(u - j, 0, 1)[:, None]
    a, b, d, e = layer[i, j], layer[i, j + 1], layer[i + 1, j], layer[i + 1, j + 1]
    value = (1 - fv) * ((1 - fu) * a + fu * b) + fv * ((1 - fu) * d + fu * e)
    by_u, by_v = (1 - fv) * (b - a) + fv * (e - d), (1 - fu) * (d - a) + fu * (e - b)
    dx, dy = (px - pose[0])[:, None], (py - pose[1])[:, None]
    turn = by_u * (-s * dx + c * dy) + by_v * (-c * dx - s * dy)
    slopes = np.stack([-c * by_u + s * by_v, -s * by_u - c * by_v, turn], -1)
    return Sample(value[:, :3], value[:, 3], slopes[:, :3], slopes[:, 3])


# --------------------------------------------------------------------------------------------------


def informative_pixels(
    appearance: Appearance, pose: np.ndarray, shape: tuple[int, int], margin: float, limit: int
) -> tuple[np.ndarray, np.ndarray]:
    """Pixels (px, py) float, at most about ``limit``, that change when the look moves by up to
    ``margin`` pixels."""
    reach = appearance.bounding_radius + margin + max(appearance.width, 1.0)
    x0, x1 = max(0, math.floor(pose[0] - reach)), min(shape[1], math.ceil(pose[0] + reach) + 1)
    y0, y1 = max(0, math.floor(pose[1] - reach)), min(shape[0], math.ceil(pose[1] + reach) + 1)
    if x0 >= x1 or y0 >= y1:
        return np.zeros(0), np.zeros(0)
    mask = _telling_mask(appearance, pose, (x0, y0, x1, y1), margin)
    rows, columns = np.nonzero(mask)
    if len(rows) > limit:
        chosen = thinned(len(rows), limit)
        rows, columns = rows[chosen], columns[chosen]
    return columns + float(x0), rows + float(y0)


def thinned(count: int, limit: int) -> np.ndarray:
    """About ``limit`` of ``count`` indices, spread without a pattern that lines up with rows
    (golden-ratio sequence)."""
    return np.flatnonzero((np.arange(count) * 0.6180339887498949) % 1.0 < limit / count)


def _telling_mask(
    appearance: Appearance, pose: np.ndarray, box: tuple[int, int, int, int], margin: float
) -> np.ndarray:
    x0, y0, x1, y1 = box
    if appearance.shape == "sprite":
        _, informative = _premultiplied(_Key(appearance.picture))
        size = 2 * math.ceil(margin) + 1
        wide = cv2.dilate(
            np.pad(informative, size).astype(np.uint8), np.ones((size, size), np.uint8)
        )
        u, v, _, _ = _body(
            appearance,
            pose,
            np.arange(x0, x1, dtype=float)[None],
            np.arange(y0, y1, dtype=float)[:, None],
        )
        i, j = np.rint(v).astype(int) + size, np.rint(u).astype(int) + size
        inside = (i >= 0) & (j >= 0) & (i < wide.shape[0]) & (j < wide.shape[1])
        return inside & (wide[np.where(inside, i, 0), np.where(inside, j, 0)] > 0)
    thickness = margin + 0.71 * max(appearance.width, 1.0)
    if appearance.shape == "disk":
        distance = np.hypot(np.arange(x0, x1) - pose[0], (np.arange(y0, y1) - pose[1])[:, None])
        return np.abs(distance - appearance.size[0]) <= thickness
    corners = (
        np.rint((corners_of(appearance, pose) - (x0, y0)) * 16).astype(np.int32).reshape(-1, 1, 2)
    )
    mask = np.zeros((y1 - y0, x1 - x0), np.uint8)
    return cv2.polylines(mask, [corners], True, 1, max(3, round(2 * thickness)), shift=4) > 0


def covered(
    appearance: Appearance, pose: np.ndarray, shape: tuple[int, int], limit: int
) -> tuple[np.ndarray, np.ndarray]:
    """Pixels (px, py) float, at most about ``limit``, that the look covers (the edge pixels more or
    less)."""
    found = covered_window(appearance, pose, shape, 1)
    if found is None:
        return np.zeros(0), np.zeros(0)
    (over, along), mask = found
    rows, columns = np.nonzero(mask)
    if len(rows) > limit:
        chosen = thinned(len(rows), limit)
        rows, columns = rows[chosen], columns[chosen]
    return columns + float(along.start), rows + float(over.start)


def covered_window(
    appearance: Appearance, pose: np.ndarray, shape: tuple[int, int], pad: int
) -> tuple[tuple[slice, slice], np.ndarray] | None:
    """The same as a window (rows, columns) with ``pad`` pixels to spare and a bool mask; None
    outside the image."""
    reach = appearance.bounding_radius + pad
    x0, x1 = max(0, math.floor(pose[0] - reach)), min(shape[1], math.ceil(pose[0] + reach) + 1)
    y0, y1 = max(0, math.floor(pose[1] - reach)), min(shape[0], math.ceil(pose[1] + reach) + 1)
    if x0 >= x1 or y0 >= y1:
        return None
    return (slice(y0, y1), slice(x0, x1)), _covered_mask(appearance, pose, (x0, y0, x1, y1))


def _covered_mask(
    appearance: Appearance, pose: np.ndarray, box: tuple[int, int, int, int]
) -> np.ndarray:
    x0, y0, x1, y1 = box
    px, py = np.arange(x0, x1, dtype=float)[None], np.arange(y0, y1, dtype=float)[:, None]
    if appearance.shape == "disk":
        return (px - pose[0]) ** 2 + (py - pose[1]) ** 2 <= (appearance.size[0] + 0.5) ** 2
    if appearance.shape == "sprite":
        layer, _ = _premultiplied(_Key(appearance.picture))
        u, v, _, _ = _body(appearance, pose, px, py)
        i, j = np.rint(v).astype(int), np.rint(u).astype(int)
        inside = (i >= 0) & (j >= 0) & (i < layer.shape[0]) & (j < layer.shape[1])
        return inside & (layer[np.where(inside, i, 0), np.where(inside, j, 0), 3] > 0.02)
    corners = (
        np.rint((corners_of(appearance, pose) - (x0, y0)) * 16).astype(np.int32).reshape(-1, 1, 2)
    )
    return cv2.fillPoly(np.zeros((y1 - y0, x1 - x0), np.uint8), [corners], 1, shift=4) > 0


def alpha_at(
    appearance: Appearance, pose: np.ndarray, px: np.ndarray, py: np.ndarray
) -> np.ndarray:
    """(N,) coverage by a look, edges never harder than SOFTEST."""
    return (
        _sprite(appearance, pose, px, py).alpha
        if appearance.shape == "sprite"
        else cover_at(appearance, pose, px, py)[0]
    )


def shown_at(
    appearance: Appearance, pose: np.ndarray, px: np.ndarray, py: np.ndarray, ground: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """``alpha_at`` and ``picture_at`` together: coverage (N,), picture (N, 3) over a ground."""
    if appearance.shape == "sprite":
        sample = _sprite(appearance, pose, px, py)
        return sample.alpha, sample.over(ground)
    alpha = cover_at(appearance, pose, px, py)[0]
    return alpha, ground + alpha[:, None] * (np.asarray(appearance.colour, np.float64) - ground)
