"""Reading a scene while drawing: where a part is, and what lies in front of everything."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tools.rendering.canvas import blend
from tools.rendering.shapes import box_corners
from tools.types import Scene, State

FRONT = "front"
"""Sprite name of fixed structures that hide what passes behind them; as large as the image."""


def pose_of(name: str, state: State, scene: Scene) -> dict[str, Any]:
    """Everything known about a part now: its constants, overlaid by the state, placed on what it rides on.

    Always holds "x", "y" and "angle" (radians; NaN = not visible).
    """
    part = {"angle": 0.0, **scene.constants.get(name, {}), **state.get(name, {})}
    host = part.get("on")
    if host:
        base = pose_of(host, state, scene)
        c, s = math.cos(base["angle"]), math.sin(base["angle"])
        part["x"] = base["x"] + c * part["dx"] - s * part["dy"]
        part["y"] = base["y"] + s * part["dx"] + c * part["dy"]
        part["angle"] = base["angle"] + part["turn"]
    part.setdefault("x", math.nan)
    part.setdefault("y", math.nan)
    return part


def draw_front(image: np.ndarray, scene: Scene) -> None:
    """Draw the fixed structures that lie in front of everything, if the scene has any."""
    front = scene.sprites.get(FRONT)
    if front is not None:
        blend(image, 0, 0, front[..., 3], 255.0 * front[..., :3])


def grid_box(part: dict[str, Any]) -> np.ndarray:
    """Corners (4, 2) on whole pixels of a box drawn on the pixel grid.

    part: from ``pose_of``, with "width" and "height" as seen. Corners that the state holds ("ax" ... "dy") count before
    those that follow from the pose. The grid's boundary pixels belong to the box, so its corners lie half a pixel inside what is seen: draw
    ``grown(corners, 0.5)``.
    """
    corners = box_corners(part["x"], part["y"], part["angle"], max(part["width"] - 1.0, 0.5), max(part["height"] - 1.0, 0.5))
    known = np.array([part.get(name, math.nan) for name in ("ax", "ay", "bx", "by", "cx", "cy", "dx", "dy")]).reshape(4, 2)
    return whole(known if np.isfinite(known).all() else corners)


def whole(values: Any) -> Any:
    """Nearest whole pixels, halves upwards: for drawings that are made on the pixel grid. A float or an array."""
    return np.floor(np.asarray(values, np.float64) + 0.5)


def grown(points: np.ndarray, margin: float) -> np.ndarray:
    """A convex polygon (N, 2) with every edge moved outwards by ``margin`` pixels.

    A polygon that is filled on the pixel grid owns its boundary pixels: it looks half a pixel larger all around.

    >>> grown(np.array([[0.0, 0.0], [4.0, 0.0], [4.0, 2.0], [0.0, 2.0]]), 0.5).tolist()
    [[-0.5, -0.5], [4.5, -0.5], [4.5, 2.5], [-0.5, 2.5]]
    """
    points = np.asarray(points, np.float64)
    following, before = np.roll(points, -1, 0) - points, points - np.roll(points, 1, 0)
    turn = np.sign(np.sum(before[:, 0] * following[:, 1] - before[:, 1] * following[:, 0]))
    a, b = (v / np.maximum(np.hypot(v[:, 0], v[:, 1]), 1e-9)[:, None] for v in (before, following))
    normal_a, normal_b = (turn * np.stack([v[:, 1], -v[:, 0]], 1) for v in (a, b))
    mid = normal_a + normal_b
    return points + 2.0 * margin * mid / np.maximum(np.sum(mid * mid, 1), 0.2)[:, None]
