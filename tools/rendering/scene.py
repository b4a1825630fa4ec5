"""Reading a scene while drawing: where a part is, and what lies in front of everything."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tools.rendering.canvas import blend
from tools.types import Scene, State

FRONT = "front"
"""Sprite name of fixed structures that hide what passes behind them; as large as the image."""


LOOKS = frozenset(("colour", "radius", "width", "outline"))
"""Attributes that say what a part looks like."""


def pose_of(name: str, state: State, scene: Scene, turns: bool = True) -> dict[str, Any]:
    """Everything known about a part now: its constants, overlaid by the state, placed on what it
    rides on. turns: False for a part that keeps the angle that perception measured, whatever its
    joint turns by.

    Always holds "x", "y" and "angle" (radians; NaN = not visible). A part that perception found in
    no frame has no look, so it is not visible, wherever the state may have it.
    """
    constants = scene.constants.get(name, {})
    part = {"angle": 0.0, **constants, **state.get(name, {})}
    if not turns:
        part["angle"] = constants.get("angle", 0.0)
    host = part.get("on")
    if host and "image" in part:
        base = pose_of(host, state, scene)
        (xx, xy, x), (yx, yy, y) = part["image"]
        part["x"] = xx * base["x"] + xy * base["y"] + x
        part["y"] = yx * base["x"] + yy * base["y"] + y
    elif host:
        base = pose_of(host, state, scene)
        c, s = math.cos(base["angle"]), math.sin(base["angle"])
        part["x"] = base["x"] + c * part["dx"] - s * part["dy"]
        part["y"] = base["y"] + s * part["dx"] + c * part["dy"]
        part["angle"] = base["angle"] + part["turn"]
    part.setdefault("x", math.nan)
    part.setdefault("y", math.nan)
    if name not in scene.constants and name not in scene.sprites and not LOOKS & set(part):
        part |= {"x": math.nan, "y": math.nan}
    return part


def draw_front(image: np.ndarray, scene: Scene) -> None:
    """Draw the fixed structures that lie in front of everything, if the scene has any, on a canvas
    (H, W, 3) in place."""
    front = scene.sprites.get(FRONT)
    if front is not None:
        blend(image, 0, 0, front[..., 3], 255.0 * front[..., :3])
