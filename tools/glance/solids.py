"""Outlines of patches as what a rigid-body engine takes: disks and convex pieces."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import pymunk
from pymunk.autogeometry import convex_decomposition

from tools.glance.patches import Patch

_SOFT = 4  # pixels around the inside of a patch that its edge may take
_ROUND, _NOTCHED = 0.95, 0.87
"""Shares of the circle around it that a disk fills, and one that something touches."""
_SMALL = 30  # pixels below which everything is a disk
_RIM = 1.5  # pixels by which the inside of a patch is smaller than the patch
_LIKE = 0.55  # of the contrast to the ground, how far from its colour the rim of a patch is
_STRAIGHT = 1.2  # pixels by which a straight side may be off
_CONVEX = 0.94  # share of its hull that a convex shape fills


@dataclass(frozen=True)
class Solid:
    """An outline about its middle, in pixels. radius: of a disk, else 0. pieces: convex polygons,
    (n, 2) each. dark: as fixed things are often drawn."""

    middle: np.ndarray
    radius: float
    pieces: tuple[np.ndarray, ...]
    dark: bool

    @property
    def reach(self) -> float:
        """Pixels from the middle to the farthest point."""
        far = [float(np.linalg.norm(piece, axis=1).max()) for piece in self.pieces]
        return max([self.radius, *far])

    def shapes(self, body: pymunk.Body) -> list[pymunk.Shape]:
        """For the engine."""
        if self.radius:
            return [pymunk.Circle(body, self.radius)]
        return [pymunk.Poly(body, [(float(u), float(v)) for u, v in p]) for p in self.pieces]


_DARK = 70.0  # grey levels of the brightest colour of what is drawn black


def solid(patch: Patch, picture: np.ndarray) -> Solid | None:
    """The outline of a patch in its picture (H, W, 3); None for what is too thin to have one. What
    touches something else may still be seen to be round."""
    dark, middle = bool(patch.colour.max() < _DARK), np.array(patch.centre, float)
    inside, corner = _inside(patch, picture)
    for mask, rim in ((inside, 0.0), (patch.mask[patch.window].astype(np.uint8), _RIM)):
        area, outline = float(mask.sum()), _outline(mask)
        _, around = cv2.minEnclosingCircle(outline)
        filled = area / (np.pi * (around + 0.5) ** 2)
        if area < _SMALL or filled > _NOTCHED:
            even = filled > _ROUND or area < _SMALL
            radius = float(np.sqrt(area / np.pi)) if even else around + 0.5
            return Solid(middle, radius + rim, (), dark)
    area, outline = float(inside.sum()), _outline(inside)
    points = _widened(cv2.approxPolyDP(outline, _STRAIGHT, True)[:, 0].astype(float))
    if len(points) < 3:
        return None
    points = points + corner - middle
    hull = cv2.convexHull(points.astype(np.float32))[:, 0].astype(float)
    if area > _CONVEX * cv2.contourArea(hull.astype(np.float32)):
        return Solid(middle, 0.0, (hull,), dark)
    closed = [(float(u), float(v)) for u, v in [*points, points[0]]]
    if cv2.contourArea(points.astype(np.float32), oriented=True) < 0:
        closed.reverse()
    try:
        pieces = [np.array(piece)[:-1] for piece in convex_decomposition(closed, 0.5)]
    except AssertionError:
        pieces = [hull]
    return Solid(middle, 0.0, tuple(p for p in pieces if len(p) >= 3), dark)


def _outline(mask: np.ndarray) -> np.ndarray:
    found, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return max(found, key=cv2.contourArea)


def _inside(patch: Patch, picture: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(h, w) uint8, what is nearer to the colour of the patch than to what surrounds it, and the
    corner (x, y) of that window."""
    rows, columns = (slice(max(v.start - _SOFT, 0), v.stop + _SOFT) for v in patch.window)
    mask, part = patch.mask[rows, columns].astype(np.uint8), picture[rows, columns].astype(float)
    near = cv2.dilate(mask, np.ones((5, 5), np.uint8))
    ring = cv2.dilate(near, np.ones((3, 3), np.uint8)) - near
    ground = np.median(part[ring > 0], axis=0) if ring.any() else np.full(3, 255.0)
    contrast = patch.colour - ground
    share = (part - ground) @ contrast / max(float(contrast @ contrast), 1.0)
    like = np.abs(part - patch.colour).max(axis=2) < _LIKE * max(float(np.abs(contrast).max()), 1.0)
    inside = ((share > 0.5) & like & (near > 0)) | (mask > 0)
    return inside.astype(np.uint8), np.array([columns.start, rows.start], float)


def _widened(points: np.ndarray) -> np.ndarray:
    """Corners that lie on pixel centres, moved out by half a pixel."""
    away = points - points.mean(axis=0)
    return points + 0.5 * np.sign(away)
