"""Drawing what is stretched between a body and a point of the picture, or another body."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tools.rendering.canvas import blend
from tools.rendering.shapes import stretched_layer
from tools.rendering.wires import line_cover
from tools.types import Scene


def link_key(number: int) -> str:
    """The constant of a body that says where its so many-th link (from 1 on) begins and ends, and,
    after the body's name and "_", that link's sprite."""
    return "link" if number == 1 else f"link_{number}"


def wire_key(number: int) -> str:
    """The constant of a body that holds the bent line of its so many-th link, where it is one:
    width, then corners, as shares of the way and of the height of the link's sprite across it."""
    return f"{link_key(number)}_wire"


def begun(
    other: Sequence[float] | np.ndarray, end: Sequence[float] | np.ndarray, start: float
) -> np.ndarray:
    """(..., 2) places ``start`` px from ``other`` (..., 2) on the way to ``end`` (..., 2)."""
    way = np.asarray(end, float) - np.asarray(other, float)
    far = np.maximum(np.linalg.norm(way, axis=-1, keepdims=True), 1e-6)
    return np.asarray(other, float) + start * way / far


def across_line(
    anchor: Sequence[float] | np.ndarray,
    end: Sequence[float] | np.ndarray,
    offset: float,
    length: int,
    width: int,
) -> np.ndarray:
    """(2, 3) map from the pixels of a strip (``length`` along, ``width`` across) to the picture:
    from ``anchor`` to ``offset`` px before ``end``."""
    start, way = np.asarray(anchor, float), np.asarray(end, float) - np.asarray(anchor, float)
    far = max(float(np.hypot(*way)), 1e-6)
    along = way / far
    step = max(far - offset, 1.0) / length
    side = np.array([-along[1], along[0]])
    corner = start + 0.5 * step * along - (width - 1) / 2 * side
    return np.column_stack([step * along, side, corner])


def draw_link(
    image: np.ndarray,
    scene: Scene,
    name: str,
    part: Mapping[str, Any] | None,
    other: Mapping[str, Any] | None = None,
    number: int = 1,
) -> None:
    """Draw the spring, rope or thread that holds a body on a canvas (H, W, 3) in place, where the
    scene has one. part: the body's pose and constants, from ``pose_of``; other: those of the body
    that it goes to, None for a point of the picture. number: which of the body's links."""
    strip, key = scene.sprites.get(f"{name}_{link_key(number)}"), link_key(number)
    if strip is None or part is None or key not in part or not _placed(part):
        return
    end = part["x"], part["y"]
    if len(part[key]) == 2:
        if other is None or not _placed(other):
            return
        start, offset = part[key]
        anchor = begun((other["x"], other["y"]), end, start)
    else:
        x, y, offset = part[key]
        anchor = np.array([x, y])
    height, width = strip.shape[:2]
    onto = across_line(anchor, end, offset, width, height)
    if not np.isfinite(onto).all() or np.abs(onto).max() > 1e5:
        return
    if wire_key(number) in part:
        _draw_wire(image, part[wire_key(number)], strip, onto)
        return
    layer = stretched_layer(image.shape[:2], strip, onto)
    if layer is not None:
        blend(image, *layer)


def _draw_wire(
    image: np.ndarray, numbers: Sequence[float], strip: np.ndarray, onto: np.ndarray
) -> None:
    """Draw a bent line in place, in the colour of its strip (h, w, 4). onto: (2, 3) map from the
    strip to the image."""
    alpha, size = strip[..., 3:], strip.shape
    colour = 255.0 * (strip[..., :3] * alpha).sum((0, 1)) / max(float(alpha.sum()), 1e-6)
    width, points = numbers[0] * size[0], np.reshape(numbers[1:], (-1, 2))
    strip = points * (size[1], size[0]) + (-0.5, (size[0] - 1) / 2)
    places = strip @ onto[:, :2].T + onto[:, 2]
    pad = width / 2 + 1.0
    x0, y0 = np.maximum(np.floor(places.min(0) - pad), 0).astype(int).tolist()
    x1, y1 = np.minimum(np.ceil(places.max(0) + pad) + 1, image.shape[1::-1]).astype(int).tolist()
    if x0 < x1 and y0 < y1:
        cover = line_cover(
            np.arange(x0, x1, dtype=float), np.arange(y0, y1, dtype=float), places, width
        )
        blend(image, x0, y0, cover.astype(np.float32), colour)


def _placed(part: Mapping[str, Any]) -> bool:
    return all(np.isfinite(part.get(k, np.nan)) for k in "xy")
