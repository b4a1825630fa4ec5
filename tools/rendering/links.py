"""Drawing what is stretched between a body and a point of the picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tools.rendering.canvas import blend
from tools.rendering.shapes import stretched_layer
from tools.types import Scene

LINK = "_link"
"""What the sprite of a link is called, after its body."""


def across_line(
    anchor: Sequence[float], end: Sequence[float], offset: float, length: int, width: int
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


def draw_link(image: np.ndarray, scene: Scene, name: str, part: Mapping[str, Any] | None) -> None:
    """Draw the spring, rope or thread that holds a body on a canvas (H, W, 3) in place, where the
    scene has one. part: the body's pose and constants, from ``pose_of``."""
    strip = scene.sprites.get(name + LINK)
    if strip is None or part is None or not all(np.isfinite(part.get(k, np.nan)) for k in "xy"):
        return
    x, y, offset = part["link"]
    height, width = strip.shape[:2]
    onto = across_line((x, y), (part["x"], part["y"]), offset, width, height)
    if not np.isfinite(onto).all() or np.abs(onto).max() > 1e5:
        return
    layer = stretched_layer(image.shape[:2], strip, onto)
    if layer is not None:
        blend(image, *layer)
