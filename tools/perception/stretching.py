"""Boxes of which something in front hides an end: is there more of the box beyond what hides it?

Fits of a size only look near the present outline. Where a corner shows on the far side of what lies
in front, a longer box explains the picture better although every small step makes it worse; so
longer boxes are tried outright.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tools.perception.appearance import at_pose
from tools.perception.layout import Layout
from tools.perception.parts import Appearance
from tools.rendering import place

_LONGER = (2.0, 4.0, 6.0, 9.0, 12.0)
_GAIN = 0.97
_ALIKE = 40.0
"""Grey levels up to which a pixel has the colour of a part."""


def stretch(layout: Layout, k: int, times: np.ndarray) -> bool:
    """Make box ``k`` longer at one end if that explains the frames ``times`` clearly better; in
    place, poses included."""
    appearance, appearances = layout.appearances[k], layout.appearances
    if appearance.shape != "box" or not len(times):
        return False
    layout = _shrunk(layout, k)
    ends = [(axis, side) for axis in (0, 1) for side in (-1, 1)]
    trials = [
        (axis, side, d)
        for axis, side in ends
        for d in _LONGER
        if d < 0.5 * appearance.size[axis] + 4
    ]
    best = min(trials, key=lambda trial: _error(layout, k, times, *trial))
    if _error(layout, k, times, *best) > _GAIN * _error(layout, k, times, best[0], best[1], 0.0):
        return False
    longer = _longer(appearance, best[0], best[2])
    for pose in layout.poses[k]:
        if np.isfinite(pose[0]):
            pose[:] = _shifted(pose, *best)
    appearances[k] = longer
    return True


def _shrunk(layout: Layout, k: int) -> Layout:
    """The same layout with the disks in front of part k a little smaller: a disk that was fitted
    while the box was too short has grown over the very corner that is looked for."""
    front = layout.order[layout.order.index(k) + 1 :]
    appearances = [
        replace(appearance, size=(0.85 * appearance.size[0],))
        if j in front and appearance.shape == "disk"
        else appearance
        for j, appearance in enumerate(layout.appearances)
    ]
    return replace(layout, appearances=appearances)


def _longer(appearance: Appearance, axis: int, d: float) -> Appearance:
    return replace(
        appearance, size=tuple(s + (d if a == axis else 0.0) for a, s in enumerate(appearance.size))
    )


def _shifted(pose: np.ndarray, axis: int, side: int, d: float) -> np.ndarray:
    """The pose when one end is moved out by ``d`` pixels and the other stays."""
    offset = np.zeros((1, 2))
    offset[0, axis] = 0.5 * side * d
    return np.append(place(offset, *pose)[0], pose[2])


def _error(layout: Layout, k: int, times: np.ndarray, axis: int, side: int, d: float) -> float:
    """Sum of squared colour errors around the end in question, over all times."""
    appearance, total = layout.appearances[k], 0.0
    for t in times:
        pose = layout.poses[k][t]
        seen = layout.view(k, int(t), pose)
        px, py = _around(appearance, pose, axis, side, seen.shape)
        px, py, target, ground = seen.pick(px, py)
        kept = ~_of_others(layout, k, target)
        px, py, target, ground = px[kept], py[kept], target[kept], ground[kept]
        if len(px):
            drawn = at_pose(
                _longer(appearance, axis, d),
                _shifted(pose, axis, side, d),
                px,
                py,
                appearance.width,
            ).over(ground)
            total += float(((drawn - target) ** 2).sum())
    return total


def _of_others(layout: Layout, k: int, target: np.ndarray) -> np.ndarray:
    """(N,) bool: pixels in the colour of a disk in front of part k rather than in its own, which
    belong to the disk though it was made smaller."""
    own = np.abs(target - layout.appearances[k].colour).max(1)
    other = np.zeros(len(target), bool)
    for j in layout.order[layout.order.index(k) + 1 :]:
        if layout.appearances[j].shape == "disk":
            other |= np.abs(target - layout.appearances[j].colour).max(1) < np.minimum(own, _ALIKE)
    return other


def _around(
    appearance: Appearance, pose: np.ndarray, axis: int, side: int, shape: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Pixels within the reach of the longest trial beyond one end, and a little inside it."""
    half = np.array(appearance.size) / 2
    along = np.arange(half[axis] - 4, half[axis] + max(_LONGER) + 2) * side
    across = np.arange(-half[1 - axis] - 2, half[1 - axis] + 2.5)
    grid = np.stack(np.meshgrid(along, across), -1).reshape(-1, 2)
    points = np.unique(np.round(place(grid if axis == 0 else grid[:, ::-1], *pose)), axis=0)
    inside = (points >= 0).all(1) & (points[:, 0] < shape[1]) & (points[:, 1] < shape[0])
    return points[inside, 0], points[inside, 1]
