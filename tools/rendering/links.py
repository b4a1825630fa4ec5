"""Drawing what is stretched between a body and a point of the picture, or another body."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tools.rendering.canvas import blend
from tools.rendering.shapes import stretched_layer
from tools.types import Scene


def link_key(number: int) -> str:
    """The constant of a body that says where its so many-th link (from 1 on) begins and ends, and,
    after the body's name and "_", that link's sprite."""
    return "link" if number == 1 else f"link_{number}"


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
    layer = stretched_layer(image.shape[:2], strip, onto)
    if layer is not None:
        blend(image, *layer)


def _placed(part: Mapping[str, Any]) -> bool:
    return all(np.isfinite(part.get(k, np.nan)) for k in "xy")
