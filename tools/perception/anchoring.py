"""A part's own frame, so that it does not depend on which frame of the clip the part was cut from.

The origin is the centre of its area, or of its outline where that is a circle (a mark in the
ground's colour is a hole in the area). An elongated part lies along its own x axis (turned by less
than half a turn in the first frame that shows it); any other part has angle 0 there. Disks have
such a frame already, boxes but for half a turn.
"""

from __future__ import annotations

import math
from dataclasses import replace

import cv2
import numpy as np

from tools.perception.parts import Appearance

CIRCULAR = 0.02
"""Standard deviation of an outline's distance from its middle, as a share of that distance, up to
which it is a circle (a hexagon has 0.043)."""

ELONGATED = 1.5
"""Ratio of the standard deviations along and across a part from which its long axis is well
defined."""
LOWEST = -1.9
"""Lowest angle (radians) of a long axis in the first frame; far from the upright and level
positions in which clips often begin."""


def anchored(appearance: Appearance, poses: np.ndarray) -> tuple[Appearance, np.ndarray]:
    """The look in its own frame, and its poses (T, 3) to match. A sprite keeps its pixels and notes
    where its middle is (``cut``)."""
    seen = np.flatnonzero(np.isfinite(poses).all(1))
    if appearance.shape == "disk" or not len(seen):
        return appearance, poses
    if appearance.shape == "box":
        return appearance, poses - (
            0.0,
            0.0,
            math.pi * math.floor((float(poses[seen[0], 2]) - LOWEST) / math.pi),
        )
    centre, spread = _area_moments(appearance)
    around = circle_of(appearance)
    centre = centre if around is None else around[0]
    turn = _own_turn(spread, float(poses[seen[0], 2])) if appearance.turns else 0.0
    moved = poses.copy()
    c, s = np.cos(poses[:, 2]), np.sin(poses[:, 2])
    moved[:, 0] += c * centre[0] - s * centre[1]
    moved[:, 1] += s * centre[0] + c * centre[1]
    moved[:, 2] += turn
    if appearance.shape == "sprite":
        return replace(appearance, cut=(-float(centre[0]), -float(centre[1]), -turn)), moved
    return replace(appearance, outline=_turned(appearance.outline - centre, -turn)), moved


def circle_of(appearance: Appearance) -> tuple[np.ndarray, float] | None:
    """The circle that a part's outline is, in the look's frame: centre (2,) and radius in pixels;
    None if it is none. A notch, where a mark has the ground's colour, is bridged."""
    if appearance.shape == "disk":
        return np.zeros(2), float(appearance.radius)
    hull = _hull(appearance)
    if hull is None:
        return None
    steps = np.diff(hull, axis=0, append=hull[:1])
    along = np.linspace(0.0, 1.0, 9)[:-1, None, None]
    outline = (hull + along * steps).reshape(-1, 2)
    centre = (outline.max(0) + outline.min(0)) / 2
    radii = np.hypot(*(outline - centre).T)
    if radii.std() > max(CIRCULAR * radii.mean(), 0.25):
        return None
    return centre, float(radii.mean())


def _hull(appearance: Appearance) -> np.ndarray | None:
    """(N, 2) corners around a polygon or the largest piece of a cut-out, in the look's frame; None
    of other shapes."""
    if appearance.shape == "polygon":
        return cv2.convexHull(appearance.corners.astype(np.float32))[:, 0]
    if appearance.shape != "sprite" or appearance.sprite is None:
        return None
    alpha = np.ascontiguousarray(appearance.picture[..., 3])
    size = 4 * np.array(alpha.shape[::-1])
    fine = cv2.resize(alpha, size.tolist())
    solid = np.pad((fine > 0.5).astype(np.uint8), 1)
    outlines, _ = cv2.findContours(solid, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    if not outlines:
        return None
    return (cv2.convexHull(max(outlines, key=cv2.contourArea))[:, 0] - (size + 1) / 2) / 4.0


def _own_turn(spread: np.ndarray, first: float) -> float:
    """Angle of the own frame in the old one. spread: (2, 2) second moments. first: old angle in the
    first frame seen."""
    low, high = np.linalg.eigvalsh(spread)
    if high < ELONGATED**2 * max(low, 1e-9):
        return -first
    axis = 0.5 * math.atan2(2 * spread[0, 1], spread[0, 0] - spread[1, 1])
    return axis - math.pi * math.floor((first + axis - LOWEST) / math.pi)


def _area_moments(appearance: Appearance) -> tuple[np.ndarray, np.ndarray]:
    """Centre (2,) and second moments (2, 2) of the area covered, in the look's frame."""
    if appearance.shape == "sprite":
        alpha = np.maximum(appearance.picture[..., 3], 0.0).astype(np.float64)
        ys, xs = np.mgrid[: alpha.shape[0], : alpha.shape[1]]
        points = np.stack(
            [xs.ravel() - (alpha.shape[1] - 1) / 2, ys.ravel() - (alpha.shape[0] - 1) / 2], 1
        )
        weight = alpha.ravel()
    else:
        points, weight = _triangles(appearance.corners)
    total = weight.sum()
    if abs(total) < 1e-9:
        return np.zeros(2), np.eye(2)
    centre = weight @ points / total
    away = points - centre
    return centre, (away * weight[:, None]).T @ away / total


def _triangles(outline: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Points and signed weights whose moments up to the second are those of a polygon's area
    (midpoints of the edges of a fan)."""
    a, b = outline, np.roll(outline, -1, 0)
    area = 0.5 * (a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0])
    points = np.concatenate([a / 2, b / 2, (a + b) / 2])
    return points, np.tile(area / 3, 3)


def _turned(points: np.ndarray, angle: float) -> np.ndarray:
    c, s = math.cos(angle), math.sin(angle)
    return points @ np.array([[c, s], [-s, c]])
