"""A video against frames that a world model foretold."""

from __future__ import annotations

import numpy as np

from tools.judge.eyes import Body, Sight, look
from tools.judge.innovation import FLAG
from tools.judge.naming import KINDS, Violation

_GRID, _WAY = 0.5, 0.04
"""Standard error of a foretold place: pixels, and share of the way that the body has gone since."""


def departures(frames: np.ndarray, foretold: np.ndarray, first: int) -> list[Violation]:
    """Where bodies leave the way that was foretold: one violation a body, at its first frame.

    frames: (T, H, W, 3). foretold: (T - first, H, W, 3), the frames from ``first`` on.
    """
    whole = np.concatenate([frames[:first], foretold])
    seen, told = look(frames), look(whole)
    found = [_departure(seen, body, told, first) for body in seen.bodies]
    return [one for one in found if one is not None]


def _departure(seen: Sight, body: Body, told: Sight, first: int) -> Violation | None:
    twin = _twin(body, told, first)
    if twin is None or not body.seen[first - 1]:
        return None
    gap = np.linalg.norm(body.places - twin.places, axis=1)
    steps = np.linalg.norm(np.diff(twin.places, axis=0), axis=1)
    way = np.concatenate([[0.0], np.cumsum(np.nan_to_num(steps[first - 1 :]))])
    error = np.hypot(max(_GRID, float(np.nanmedian(gap[:first]))), _WAY * way)
    strength = np.nan_to_num(gap[first - 1 :] / error)
    late = np.nonzero(strength >= FLAG)[0]
    if not len(late):
        return None
    t = first - 1 + int(late[0])
    x, y = (float(v) for v in body.places[t])
    says = f"{body.name} {KINDS['world']} at frame {t}, near ({x:.0f}, {y:.0f})"
    return Violation("world", body.name, t, (x, y), float(strength[late[0]]), says)


def _twin(body: Body, told: Sight, first: int) -> Body | None:
    """The body of the foretold film that was in the same place in the last frame of both."""
    there = [other for other in told.bodies if other.seen[first - 1]]
    if not there or not body.seen[first - 1]:
        return None
    place = body.places[first - 1]
    near = min(there, key=lambda other: float(np.hypot(*(other.places[first - 1] - place))))
    return near if float(np.hypot(*(near.places[first - 1] - place))) < body.radius else None
