"""The same patch over time, and which of them move."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from tools.glance.patches import Patch, patches, unlikeness

_ALIKE = 1.0
_STILL = 0.6
"""Pixels within which a patch that did not move is found again."""
_NUDGED, _SHARE = 5.0, 0.02
"""Pixels by which the middle of what stands still may seem to move, and the least share of its area
that changes then: something came to lie on its edge."""
_FAR = 1.0  # what a way as long as the picture's diagonal weighs beside unlikeness


@dataclass(frozen=True)
class Mover:
    """A patch that moved. places: (T, 3) x, y in pixels and angle in radians (unwrapped, 0 for what
    is about round), NaN where it was not found. sizes: (T,) radius of a disk of the same area.
    last: the patch as seen in the last frame."""

    places: np.ndarray
    sizes: np.ndarray
    last: Patch

    @property
    def noise(self) -> float:
        """Pixels within which a place is known: the edge of a patch falls on whole pixels."""
        return 0.5 / np.sqrt(max(self.last.radius, 1.0))


@dataclass(frozen=True)
class Seen:
    """What a handful of frames show. movers: patches of the last frame that moved. still: those
    that did not. each: patches of every frame."""

    movers: tuple[Mover, ...]
    still: tuple[Patch, ...]
    each: tuple[list[Patch], ...]


def seen_in(frames: np.ndarray) -> Seen:
    """Follow the patches of the last frame back to the first: frames (T, H, W, 3) uint8."""
    each = tuple(patches(frame) for frame in frames)
    bodies = [patch for patch in each[-1] if not patch.ground]
    chains: list[list[Patch | None]] = [[body] for body in bodies]
    diagonal = float(np.hypot(*frames.shape[1:3]))
    for earlier in reversed(each[:-1]):
        heads = [next(p for p in reversed(chain) if p is not None) for chain in chains]
        for chain, found in zip(chains, paired(heads, earlier, diagonal), strict=True):
            chain.append(found)
    movers, still = [], []
    for chain in chains:
        chain.reverse()
        mover = _mover(chain)
        if mover is None:
            still.append(chain[-1])
        else:
            movers.append(mover)
    return Seen(tuple(movers), tuple(p for p in still if p is not None), each)


def paired(
    known: list[Patch], found: list[Patch], diagonal: float, alike: float = _ALIKE
) -> list[Patch | None]:
    """Which of ``found`` is which of ``known``, None where none is alike; each at most once."""
    bodies = [patch for patch in found if not patch.ground]
    if not known or not bodies:
        return [None] * len(known)
    unlike = np.array([[unlikeness(a, b) for b in bodies] for a in known])
    way = np.array([[np.hypot(*(a.centre - b.centre)) for b in bodies] for a in known])
    cost = np.where(unlike > alike, 1e3, unlike + _FAR * way / diagonal)
    rows, columns = linear_sum_assignment(cost)
    chosen: list[Patch | None] = [None] * len(known)
    for r, c in zip(rows, columns, strict=True):
        if cost[r, c] < 1e3:
            chosen[r] = bodies[c]
    return chosen


def _mover(chain: list[Patch | None]) -> Mover | None:
    """None for what kept its place."""
    places = np.array([(np.nan,) * 3 if p is None else (*p.centre, p.angle) for p in chain])
    seen = np.isfinite(places[:, 2])
    places[seen, 2] = np.unwrap(places[seen, 2], period=np.pi)
    sizes = np.array([np.nan if p is None else p.radius for p in chain])
    last = chain[-1]
    assert last is not None, "chains begin with a patch of the last frame"
    turned = np.abs(places[:, 2] - places[-1, 2]) * last.radius
    gone = max(np.nanmax(np.abs(places - places[-1])[:, :2]), np.nanmax(turned))
    covered = np.nanmax(np.abs(np.square(sizes / sizes[-1]) - 1)) > _SHARE
    if gone < (_NUDGED if covered else _STILL):
        return None
    return Mover(places, sizes, last)
