"""Shapes as small simulators draw them: corners on whole pixels, filled row by row, with an
anti-aliased outline.

The outline is Wu's (1991, doi:10.1145/122718.122734): along its longer axis a line lights two
neighbouring pixels, each by how near the line passes. Every value is a function of whole numbers,
so a drawing made this way is reproduced exactly.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tools.rendering.canvas import blend
from tools.rendering.shapes import box_corners

HARD = 0.3
"""Edge softness in pixels below which a drawing has no anti-aliased outline."""

CORNERS = tuple(f"corner{k}_{axis}" for k in (1, 2, 3, 4) for axis in "xy")
"""Attribute names of the four corners of a box, in the order of tools.rendering.box_corners."""

_HAIR = 1e-3
"""Grey levels below which a float is the next whole number."""
_LARGEST = 1 << 24
"""Pixels of the largest polygon that is drawn: what explodes is not."""

Window = tuple[int, int, np.ndarray]


def whole(values: Any) -> Any:
    """Nearest whole pixels, halves upwards. A float or an array."""
    return np.floor(np.asarray(values, np.float64) + 0.5)


def grid_box(part: dict[str, Any]) -> np.ndarray:
    """Corners (4, 2) on whole pixels of a box drawn on the pixel grid.

    part: from ``pose_of``, with "width" and "height" as seen. Corners that the state holds
    ("corner1_x" ... "corner4_y") count before those that follow from the pose; boundary pixels
    belong to the box, so its corners lie half a pixel inside what is seen.
    """
    corners = box_corners(
        part["x"],
        part["y"],
        part["angle"],
        max(part["width"] - 1.0, 0.5),
        max(part["height"] - 1.0, 0.5),
    )
    known = np.array([part.get(name, math.nan) for name in CORNERS]).reshape(4, 2)
    return whole(known if np.isfinite(known).all() else corners)


def draw_grid_box(image: np.ndarray, part: dict[str, Any]) -> None:
    """Draw a box from ``pose_of`` on a canvas (H, W, 3) in place, its corners on whole pixels."""
    covered = grid_polygon_coverage(image.shape[:2], grid_box(part), part["softness"])
    if covered is not None:
        stamp(image, *covered, part["colour"])


def draw_grid_disk(
    image: np.ndarray, part: dict[str, Any], matte: np.ndarray | None = None
) -> None:
    """Draw a disk from ``pose_of`` on a canvas in place, its centre on a whole pixel. matte: (2 n +
    1, 2 n + 1, 4) RGBA as measured by ``tools.on_grid``; None draws the disk of that radius."""
    if matte is None:
        covered = grid_disk_coverage(
            image.shape[:2], part["x"], part["y"], part["radius"], part["softness"]
        )
    else:
        covered = matte_coverage(image.shape[:2], part["x"], part["y"], matte)
    if covered is not None:
        stamp(image, *covered, part["colour"])


def stamp(image: np.ndarray, x0: int, y0: int, alpha: np.ndarray, colour: np.ndarray) -> None:
    """``blend`` in the arithmetic of such drawings: what comes out are whole grey levels, cut, not
    rounded."""
    blend(image, x0, y0, alpha, colour)
    window = image[y0 : y0 + alpha.shape[0], x0 : x0 + alpha.shape[1]]
    np.floor(window + _HAIR, out=window)


def grid_polygon_coverage(
    shape: tuple[int, int], corners: np.ndarray, softness: float = 1.0
) -> Window | None:
    """Coverage of a convex polygon with corners (N, 2) on whole pixels, boundary included: (x0, y0,
    alpha (h, w) float32) for the window that it touches, None outside the image. softness: below
    ``HARD`` every pixel is inside or outside."""
    corners = np.rint(np.asarray(corners, np.float64)).astype(np.int64)
    (x0, y0), (x1, y1) = corners.min(0) - 1, corners.max(0) + 2
    if (
        max(x0, 0) >= min(x1, shape[1])
        or max(y0, 0) >= min(y1, shape[0])
        or (x1 - x0) * (y1 - y0) > _LARGEST
    ):
        return None
    alpha = np.zeros((y1 - y0, x1 - x0), np.float32)
    local = corners - (x0, y0)
    if softness >= HARD:
        for start, end in zip(local, np.roll(local, -1, 0), strict=True):
            _line(alpha, start, end)
    _fill(alpha, local)
    return _clipped(shape, x0, y0, alpha)


def grid_disk_coverage(
    shape: tuple[int, int], x: float, y: float, radius: float, softness: float = 1.0
) -> Window | None:
    """Coverage of a disk whose centre and radius are whole pixels, boundary included; as
    ``grid_polygon_coverage``."""
    cx, cy, r = (math.floor(v + 0.5) for v in (x, y, radius))
    x0, y0 = cx - r - 1, cy - r - 1
    if max(x0, 0) >= min(cx + r + 2, shape[1]) or max(y0, 0) >= min(cy + r + 2, shape[0]):
        return None
    offset = np.abs(np.arange(-r - 1, r + 2))
    rim = np.sqrt(
        np.maximum(r * r - offset**2, 0.0)
    )  # half height of each column, and width of each row
    filled = np.where(offset <= r, np.floor(rim + 0.5), -1.0)
    alpha = (offset[:, None] <= filled[None, :]).astype(np.float32)
    if softness >= HARD:
        steep = np.where(offset <= r, np.clip(rim[None, :] + 1.0 - offset[:, None], 0.0, 1.0), 0.0)
        steep = np.where(
            offset[None, :] <= offset[:, None], steep, 0.0
        )  # where the rim runs more along the columns
        alpha = np.maximum(alpha, np.maximum(steep, steep.T)).astype(np.float32)
    return _clipped(shape, x0, y0, alpha)


def matte_coverage(shape: tuple[int, int], x: float, y: float, matte: np.ndarray) -> Window | None:
    """Coverage of a matte (2 n + 1, 2 n + 1, 4) RGBA whose centre lies on the whole pixel nearest
    to (x, y)."""
    x0, y0 = (int(v) - matte.shape[0] // 2 for v in whole((x, y)))
    return _clipped(shape, x0, y0, matte[..., 3])


def _clipped(shape: tuple[int, int], x0: int, y0: int, alpha: np.ndarray) -> Window | None:
    """The part of a window inside the image, None when there is none."""
    left, top = max(0, -x0), max(0, -y0)
    inside = alpha[top : max(shape[0] - y0, 0), left : max(shape[1] - x0, 0)]
    return (x0 + left, y0 + top, inside) if inside.size else None


def _line(alpha: np.ndarray, start: np.ndarray, end: np.ndarray) -> None:
    """Wu's line between two whole pixels, onto the coverage that is there: eight bits of weight
    from sixteen of slope, counted from the lower end, as programs whose y axis points upwards see
    it."""
    if start[1] < end[1]:
        start, end = end, start
    across = int(
        abs(end[0] - start[0]) < abs(end[1] - start[1])
    )  # the axis along which the line makes whole steps
    (longer, shorter), (step, side) = (
        np.abs(end - start)[[across, 1 - across]],
        np.sign(end - start)[[across, 1 - across]],
    )
    steps = np.arange(longer + 1)
    passed = steps * ((shorter << 16) // max(longer, 1) if shorter < longer else 1 << 16)
    along, near = start[across] + step * steps, start[1 - across] + side * (passed >> 16)
    share = (passed >> 8) & 255
    for place, weight in ((near, 255 - share), (near + side, share)):
        cells = (along, place) if across else (place, along)
        alpha[cells] = np.maximum(alpha[cells], (weight * 255 >> 8) / 256.0)


def _fill(alpha: np.ndarray, corners: np.ndarray) -> None:
    """Every row between the edges that cross it, to the nearest whole pixel, ends included."""
    rows = np.arange(alpha.shape[0])
    left, right = np.full(len(rows), np.inf), np.full(len(rows), -np.inf)
    for (xa, ya), (xb, yb) in zip(corners, np.roll(corners, -1, 0), strict=True):
        hit = (rows >= min(ya, yb)) & (rows <= max(ya, yb))
        crossing = (
            xa + (rows[hit] - ya) * (xb - xa) / (yb - ya) if ya != yb else np.array([xa, xb], float)
        )
        left[hit] = np.minimum(left[hit], crossing.min() if ya == yb else crossing)
        right[hit] = np.maximum(right[hit], crossing.max() if ya == yb else crossing)
    columns = np.arange(alpha.shape[1])
    alpha[
        (columns >= np.floor(left + 0.5)[:, None]) & (columns <= np.ceil(right - 0.5)[:, None])
    ] = 1.0
