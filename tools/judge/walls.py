"""Things that stand still and turned a body back: bodies that pass through them later, and bounces
off them that give more speed than came in."""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np

from tools.judge.eyes import Body, Sight
from tools.judge.innovation import FLAG
from tools.judge.naming import KINDS, Violation
from tools.judge.touch import givers

_DEEP = 3  # pixels of the inside of a body that lie on the inside of a wall when it is in it
_SAME = 0.9  # share of a wall's pixels that must still be of one patch
_GAIN = 1.15  # speed after, in parts of that before, from which on a bounce gave energy
_FIT = 5  # frames on either side of a bounce that tell the speeds
_STIRS = 3.0  # pixels that the middle of what stands may seem to move while others cover it


@dataclass(frozen=True)
class Wall:
    """What turned a body back. frame: when. mask: bool (H, W), its inside."""

    frame: int
    mask: np.ndarray = field(repr=False)


def wall_met(sight: Sight, body: Body, t: int, change: np.ndarray, reach: float) -> Wall | None:
    """The one thing that stands and may have given ``body`` its change of velocity in the frames
    around ``t``; None where there are several in both, or one that moves."""
    if sight.labels is None:
        return None
    near = [(k, givers(sight, body, k, change, reach)) for k in (t - 1, t)]
    for k, found in near:
        if len(found) == 1:
            mask = sight.labels[k] == found.pop()
            return Wall(t, mask) if _stands(sight, mask) else None
    return None


def _stands(sight: Sight, mask: np.ndarray) -> bool:
    """Whether one patch of about that size is there at the beginning, amid and at the end."""
    assert sight.labels is not None, "walls are of drawings only"
    size = int(mask.sum())
    for labels in sight.labels[np.linspace(0, len(sight.labels) - 1, 5).astype(int)]:
        count = np.bincount(labels[mask])
        count[:1] = 0
        label = int(count.argmax())
        if count[label] < _STANDS * size or (labels == label).sum() > size / _STANDS:
            return False
    return True


_STANDS = 0.8
"""Share of a thing that others may not cover for it to be seen to stand there."""


def _moves(sight: Sight, label: int, t: int, around: int = 4) -> bool:
    """Whether a patch of frame ``t`` belongs to a body that moves within so many frames of it."""
    for body in sight.bodies:
        if body.labels[t] == label:
            near = body.places[max(t - around, 0) : t + around + 1]
            return bool(np.nanmax(np.ptp(near[np.isfinite(near[:, 0])], axis=0)) > _STIRS)
    return False


def passed(sight: Sight, body: Body, walls: list[Wall], error: float) -> Violation | None:
    """The first frame in which ``body`` lies in a wall that something had bounced off before.
    error: of a place, pixels."""
    if sight.labels is None:
        return None
    for t in np.nonzero(body.seen)[0]:
        if not _moves(sight, int(body.labels[t]), int(t)):
            continue
        for wall in walls:
            if wall.frame + 1 < t and (depth := _depth(sight, body, int(t), wall)) >= FLAG * error:
                x, y = (float(v) for v in body.places[t])
                says = f"{body.name} {KINDS['passes']} at frame {t}, near ({x:.0f}, {y:.0f})"
                return Violation("passes", body.name, int(t), (x, y), depth / error, says)
    return None


def _depth(sight: Sight, body: Body, t: int, wall: Wall) -> float:
    """Pixels that the body lies in the wall; 0 where it does not, or where the wall is gone."""
    assert sight.labels is not None, "walls are of drawings only"
    now = sight.labels[t]
    own = now == body.labels[t]
    over = own & wall.mask
    if over.sum() < _DEEP or over.sum() > wall.mask.sum() / 2:  # the wall itself
        return 0.0
    wide = cv2.dilate(own.astype(np.uint8), np.ones((9, 9), np.uint8)).astype(bool)
    left = now[wall.mask & ~wide]
    if not len(left) or (left == np.bincount(left).argmax()).mean() < _SAME:
        return 0.0
    inside = cv2.distanceTransform(wall.mask.astype(np.uint8), cv2.DIST_L2, 3)
    return float(inside[over].max())


def gained(places: np.ndarray, t: int, first: int, last: int, grid: float) -> tuple[float, float]:
    """How many times as fast a body left a bounce at frame ``t`` as it came, and by how many
    standard errors faster; places (T, 2), those from ``first`` to before ``last`` belong to the two
    ways."""
    before = np.arange(max(first, t - _FIT), t)
    after = np.arange(t, min(last, t + _FIT))
    came, left = (_speed(places, part, t - 0.5, grid) for part in (before, after))
    if came is None or left is None or came[0] < FLAG * came[1]:
        return 1.0, 0.0
    half = (came[2] + left[2]) / 4  # nobody knows when between the frames it bounced
    strength = (left[0] - came[0]) / float(np.hypot(np.hypot(came[1], left[1]), half))
    return left[0] / came[0], strength


def _speed(
    places: np.ndarray, frames: np.ndarray, at: float, grid: float
) -> tuple[float, float, float] | None:
    """Speed at ``at``, its standard error, and the size of the acceleration; None where too little
    is seen."""
    frames = frames[np.isfinite(places[frames, 0])]
    if len(frames) < 3:
        return None
    degree = 2 if len(frames) >= 4 else 1
    base = np.vander(frames - at, degree + 1, increasing=True)
    c = np.linalg.lstsq(base, places[frames], rcond=None)[0]
    gap, free = places[frames] - base @ c, 2 * (len(frames) - degree - 1)
    sigma = max(grid, float(np.sqrt((gap**2).sum() / free)))
    error = sigma * float(np.sqrt(np.linalg.inv(base.T @ base)[1, 1]))
    pull = 2 * float(np.linalg.norm(c[2])) if degree == 2 else 0.0
    return float(np.linalg.norm(c[1])), error, pull


def energy(body: Body, t: int, factor: float, strength: float) -> Violation | None:
    """A violation where a bounce gave clearly more speed than came in."""
    if factor < _GAIN or strength < FLAG:
        return None
    x, y = (float(v) for v in body.places[t])
    says = (
        f"{body.name} {KINDS['energy']} at frame {t}, near ({x:.0f}, {y:.0f}): "
        f"{factor:.2f} times as fast as before"
    )
    return Violation("energy", body.name, t, (x, y), strength, says)
