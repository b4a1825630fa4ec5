"""What stands in a body's way in the last picture, what it hides, and what hides it."""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np

from tools.glance.movers import Mover, Seen
from tools.glance.patches import Patch

_OTHER = 16  # grey levels from which on a pixel is not the ground that a body stands on
_EDGE = 3  # pixels by which a mask grows to hold its soft edge
_GROWS = 1.03  # sizes at two places whose ratio tells a view in perspective
_FOOT = (0.9, 0.4)  # half axes of what a body stands on, in radii, seen from above at a slant
_RIM = 2.5  # pixels from the border within which a body touches it
_STANDS = 4  # pixels that a body is moved down to feel what holds it up


@dataclass(frozen=True)
class Scenery:
    """Around one body. blocked: bool (H, W), where its feelers may not come. feelers: (N, 2)
    points of the body, relative to its centre. front: bool (H, W), what hides it. behind: (H, W,
    3), the picture without it. walls: the border of the picture stops it. depth: pixels along the
    floor behind one pixel down the picture."""

    blocked: np.ndarray = field(repr=False)
    feelers: np.ndarray = field(repr=False)
    front: np.ndarray = field(repr=False)
    behind: np.ndarray = field(repr=False)
    walls: bool = False
    depth: float = 1.0

    def touched(self, place: np.ndarray, turn: float, scale: float = 1.0) -> np.ndarray:
        """(N,) bool: feelers that meet something with the centre at ``place``."""
        c, s = np.cos(turn) * scale, np.sin(turn) * scale
        points = self.feelers @ np.array([[c, s], [-s, c]]) + place
        columns, rows = np.rint(points).astype(int).T
        height, width = self.blocked.shape
        outside = (columns < 0) | (rows < 0) | (columns >= width) | (rows >= height)
        inside = self.blocked[rows.clip(0, height - 1), columns.clip(0, width - 1)]
        return np.where(outside, self.walls, inside)


def in_perspective(movers: tuple[Mover, ...]) -> bool:
    """Whether round bodies grow as they come nearer, lower in the picture, all of them that went
    far enough to tell."""
    told = []
    for mover in movers:
        known = np.isfinite(mover.sizes)
        sizes, rows = mover.sizes[known], mover.places[known, 1]
        low, high = int(np.argmax(rows)), int(np.argmin(rows))
        if mover.last.round and rows[low] - rows[high] > sizes[-1] / 2:
            told.append(bool(sizes[low] > _GROWS * sizes[high]))
    return bool(told) and all(told)


def walled(seen: Seen, shape: tuple[int, int]) -> bool:
    """Whether the border of the picture holds things: a body that moved stands on it."""
    return any(np.nonzero(m.last.mask)[0].max() >= shape[0] - 1 - _RIM for m in seen.movers)


def scenery_of(frames: np.ndarray, seen: Seen, mover: Mover, perspective: bool) -> Scenery:
    """Everything around ``mover`` in the last of ``frames``."""
    last, own = frames[-1], grown(mover.last.mask)
    ring = cv2.dilate(own.astype(np.uint8), np.ones((7, 7), np.uint8)).astype(bool) & ~own
    ground = np.median(last[ring], axis=0) if ring.any() else np.median(last, axis=(0, 1))
    other = np.abs(last.astype(np.int16) - ground).max(axis=2) > _OTHER
    behind = _behind(frames, seen, own)
    radius = mover.last.radius + 1.5  # of the body with its soft edge
    if perspective:
        angles = np.linspace(0, 2 * np.pi, 48, endpoint=False)
        axes = radius * np.array(_FOOT)
        feelers = np.stack([np.cos(angles), np.sin(angles)], axis=1) * axes + (0, 0.8 * radius)
        feet, front = _feet(seen.still, mover, radius)
        depth = _FOOT[0] / _FOOT[1]
        return Scenery(feet & ~own, feelers, front & ~own, behind, depth=depth)
    outline, _ = cv2.findContours(own.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    points = max(outline, key=len)[:, 0].astype(float) - mover.last.centre
    lengths = np.linalg.norm(points, axis=1, keepdims=True)
    feelers = points * (1 - (_EDGE - 2) / np.maximum(lengths, _EDGE))
    blank = np.zeros(other.shape, bool)
    return Scenery(other & ~own, feelers, blank, behind, walled(seen, other.shape))


def stands(scenery: Scenery, place: np.ndarray) -> bool:
    """Whether something below holds up the body at ``place`` (2,)."""
    down = place + np.array([0.0, _STANDS])
    return bool((scenery.touched(down, 0.0) & (scenery.feelers[:, 1] > 0)).sum() >= 2)


def grown(mask: np.ndarray, by: int = _EDGE) -> np.ndarray:
    """A mask with its soft edge."""
    kernel = np.ones((2 * by + 1, 2 * by + 1), np.uint8)
    return cv2.dilate(mask.astype(np.uint8), kernel).astype(bool)


def _behind(frames: np.ndarray, seen: Seen, own: np.ndarray) -> np.ndarray:
    """The last frame without the body: from the latest frame that shows each pixel free, else
    filled in from around."""
    picture, missing = frames[-1].copy(), own.copy()
    names = [m.last for m in seen.movers]
    for k in range(len(frames) - 2, -1, -1):
        taken = np.zeros(own.shape, bool)
        for patch in seen.each[k]:
            if not patch.ground and any(_same(patch, name) for name in names):
                taken |= grown(patch.mask, _EDGE + 1)
        free = missing & ~taken
        picture[free] = frames[k][free]
        missing &= taken
    if missing.any():
        filled = cv2.inpaint(picture, grown(missing, 1).astype(np.uint8), 3, cv2.INPAINT_TELEA)
        picture[missing] = filled[missing]
    return picture


def _same(a: Patch, b: Patch) -> bool:
    return bool(np.abs(a.colour - b.colour).max() < 40)


def _feet(still: tuple[Patch, ...], mover: Mover, radius: float) -> tuple[np.ndarray, np.ndarray]:
    """Where fixed things stand on the floor (their lowest pixel in each column), and those of them
    that stand nearer than the body and so hide it."""
    shape = mover.last.mask.shape
    feet, front = np.zeros(shape, bool), np.zeros(shape, bool)
    foot = mover.last.centre[1] + 0.8 * radius
    for patch in still:
        mask = grown(patch.mask, 2)
        columns = np.nonzero(mask.any(axis=0))[0]
        lowest = shape[0] - 1 - np.argmax(mask[::-1, columns], axis=0)
        feet[lowest, columns] = True
        if lowest.max() > foot:
            front |= mask
    return grown(feet, 2), front
