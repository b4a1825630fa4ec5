"""Disks, polygons and sprites with anti-aliased edges, placed anywhere (not only on whole pixels).

Coverage is the share of the box of ``width`` pixels around a pixel's centre (see
``tools.rendering.coverage``): 1 = ideal anti-aliasing, larger = a blurred edge, near 0 = a hard
one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np

from tools.rendering import coverage
from tools.rendering.canvas import blend

_CHUNK = 4096
"""Pixels whose coverage is computed at a time: bounds the memory of outlines with many corners."""


def visible(part: dict[str, float] | None, *attributes: str) -> bool:
    """True if the object is in the state and none of ``attributes`` (default: all) is NaN."""
    return part is not None and all(math.isfinite(part[name]) for name in (attributes or part))


def place(points: np.ndarray, x: float, y: float, angle: float = 0.0) -> np.ndarray:
    """Rotate (N, 2) points by ``angle`` (radians, clockwise on screen) about the origin, then move
    them to (x, y)."""
    c, s = math.cos(angle), math.sin(angle)
    points = np.asarray(points, np.float64)
    return np.stack(
        [x + c * points[:, 0] - s * points[:, 1], y + s * points[:, 0] + c * points[:, 1]], 1
    )


def box_corners(x: float, y: float, angle: float, width: float, height: float) -> np.ndarray:
    """(4, 2) corners of a box centred at (x, y); ``width`` runs along ``angle``.

    >>> box_corners(5.0, 5.0, 0.0, 4.0, 2.0).tolist()
    [[3.0, 4.0], [7.0, 4.0], [7.0, 6.0], [3.0, 6.0]]
    """
    w, h = width / 2, height / 2
    return place(np.array([(-w, -h), (w, -h), (w, h), (-w, h)]), x, y, angle)


def _window(
    shape: tuple[int, int], x_low: float, y_low: float, x_high: float, y_high: float
) -> tuple[int, int, int, int] | None:
    """Pixels (x0, y0, x1, y1) (exclusive end) that the closed rectangle touches inside the image;
    None if none."""
    x0, y0 = max(0, math.floor(x_low)), max(0, math.floor(y_low))
    x1, y1 = min(shape[1], math.ceil(x_high) + 1), min(shape[0], math.ceil(y_high) + 1)
    return (x0, y0, x1, y1) if x0 < x1 and y0 < y1 else None


def disk_coverage(
    shape: tuple[int, int], x: float, y: float, radius: float, width: float = 1.0
) -> tuple[int, int, np.ndarray] | None:
    """Coverage of a disk: (x0, y0, alpha (h, w) float32) for the window it touches, or None outside
    the image."""
    reach = radius + width
    window = _window(shape, x - reach, y - reach, x + reach, y + reach)
    if window is None:
        return None
    x0, y0, x1, y1 = window
    square = (np.arange(x0, x1) - x) ** 2 + ((np.arange(y0, y1) - y) ** 2)[:, None]
    alpha = (square <= radius * radius).astype(np.float32)
    band = np.abs(square - radius * radius) <= 2 * (radius + width) * (0.8 * width + 0.1)
    rows, columns = np.nonzero(band)
    alpha[band] = coverage.disk(columns + float(x0), rows + float(y0), x, y, radius, width)[0]
    return x0, y0, alpha


def polygon_coverage(
    shape: tuple[int, int], points: np.ndarray, width: float = 1.0
) -> tuple[int, int, np.ndarray] | None:
    """Coverage of a simple polygon (N, 2): (x0, y0, alpha (h, w) float32), or None outside the
    image."""
    points = np.asarray(points, np.float64)
    low, high = points.min(0) - width, points.max(0) + width
    window = _window(shape, low[0], low[1], high[0], high[1])
    if window is None:
        return None
    x0, y0, x1, y1 = window
    corners = np.rint(np.clip(points - (x0, y0), -1e6, 1e6) * 16).astype(np.int32).reshape(-1, 1, 2)
    alpha, band = np.zeros((y1 - y0, x1 - x0), np.uint8), np.zeros((y1 - y0, x1 - x0), np.uint8)
    cv2.fillPoly(alpha, [corners], 1, shift=4)
    cv2.polylines(band, [corners], True, 1, 3 + 2 * math.ceil(0.71 * width), shift=4)
    rows, columns = np.nonzero(band)
    alpha = alpha.astype(np.float32)
    for part in range(0, len(rows), _CHUNK):
        r, c = rows[part : part + _CHUNK], columns[part : part + _CHUNK]
        alpha[r, c] = coverage.polygon(c + float(x0), r + float(y0), points, width)[0]
    return x0, y0, alpha


def sprite_layer(
    shape: tuple[int, int], sprite: np.ndarray, x: float, y: float, angle: float = 0.0
) -> tuple[int, int, np.ndarray, np.ndarray] | None:
    """Warp an RGBA sprite (see tools.types.Scene) to (x, y, angle): (x0, y0, alpha (h, w), colour
    (h, w, 3) in grey levels).

    Bilinear interpolation of premultiplied colour, so that transparent borders never bleed in; None
    outside the image.
    """
    h, w = sprite.shape[:2]
    reach = 0.5 * math.hypot(w, h) + 1 if angle else 0.0
    half_w, half_h = (reach, reach) if angle else (w / 2 + 1, h / 2 + 1)
    window = _window(shape, x - half_w, y - half_h, x + half_w, y + half_h)
    if window is None:
        return None
    x0, y0 = window[:2]
    c, s = math.cos(angle), math.sin(angle)
    cx, cy = (w - 1) / 2, (h - 1) / 2
    forward = np.array([[c, -s, x - x0 - c * cx + s * cy], [s, c, y - y0 - s * cx - c * cy]])
    return _warped(sprite, forward, window)


def stretched_layer(
    shape: tuple[int, int], sprite: np.ndarray, onto: np.ndarray
) -> tuple[int, int, np.ndarray, np.ndarray] | None:
    """The same under any map: (2, 3), from pixels of the sprite to the picture."""
    h, w = sprite.shape[:2]
    corners = np.array([[-1, -1, 1], [w, -1, 1], [-1, h, 1], [w, h, 1]]) @ onto.T
    window = _window(shape, *corners.min(0), *corners.max(0))
    if window is None:
        return None
    return _warped(sprite, onto - [[0.0, 0.0, window[0]], [0.0, 0.0, window[1]]], window)


def _warped(
    sprite: np.ndarray, forward: np.ndarray, window: tuple[int, int, int, int]
) -> tuple[int, int, np.ndarray, np.ndarray]:
    """A sprite in a window of the picture, by a (2, 3) map into that."""
    x0, y0, x1, y1 = window
    premultiplied = np.dstack([sprite[..., :3] * sprite[..., 3:], sprite[..., 3]])
    warped = cv2.warpAffine(
        premultiplied,
        forward,
        (x1 - x0, y1 - y0),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT,
    )
    alpha = np.clip(warped[..., 3], 0, 1)
    return x0, y0, alpha, 255.0 * warped[..., :3] / np.maximum(alpha, 1e-6)[..., None]


def draw_disk(
    image: np.ndarray, x: float, y: float, radius: float, colour, width: float = 1.0
) -> None:
    """Draw a filled disk on a canvas (H, W, 3) in place; x, y, radius in pixels. colour: RGB in [0,
    255]; width: edge softness in pixels."""
    covered = disk_coverage(image.shape[:2], x, y, radius, width)
    if covered is not None:
        blend(image, *covered, colour)


def draw_polygon(image: np.ndarray, points, colour, width: float = 1.0) -> None:
    """Draw a filled polygon (N, 2) on a canvas in place."""
    covered = polygon_coverage(image.shape[:2], points, width)
    if covered is not None:
        blend(image, *covered, colour)


def draw_sprite(
    image: np.ndarray,
    sprite: np.ndarray,
    x: float,
    y: float,
    angle: float = 0.0,
    cut: Sequence[float] = (0.0, 0.0, 0.0),
) -> None:
    """Draw a float RGBA sprite (h, w, 4) on a part whose centre is at (x, y), turned by ``angle``.

    cut: (x, y, turn), where the sprite's middle lies in the part's frame; zeros when it is the
    part's centre.
    """
    c, s = np.cos(angle + cut[2]), np.sin(angle + cut[2])
    layer = sprite_layer(
        image.shape[:2],
        sprite,
        x + c * cut[0] - s * cut[1],
        y + s * cut[0] + c * cut[1],
        angle + cut[2],
    )
    if layer is not None:
        blend(image, *layer)
