"""Bodies of camera pictures: a sprite with its matte, and under it the shadow that it casts."""

from __future__ import annotations

from typing import Any

import numpy as np

from tools.rendering.shapes import draw_sprite
from tools.types import Scene

SHADOW = "_shadow"
"""Ending of the sprite name of a body's shadow."""


def draw_body(image: np.ndarray, name: str, part: dict[str, Any], scene: Scene) -> None:
    """Draw a body on a canvas (H, W, 3) in place, with the picture that perception made of it.

    part: its pose ("x", "y" in pixels, "angle" in radians), and "shadow", six numbers that place
    its shadow (tools.perception.parts.Cast), from ``pose_of``. Where the scene has the body's angle
    as a constant, its picture tells none and is drawn as it was measured, whatever its joint turns
    by. A body that was never seen has no picture and is not drawn.
    """
    x, y = part["x"], part["y"]
    shadow = scene.sprites.get(name + SHADOW)
    if shadow is not None:
        a, b, c, d, e, f = part["shadow"]
        draw_sprite(image, shadow, a * x + b * y + c, d * x + e * y + f)
    sprite = scene.sprites.get(name)
    if sprite is not None:
        upright = scene.constants.get(name, {})
        draw_sprite(image, sprite, x, y, upright.get("angle", part["angle"]))
