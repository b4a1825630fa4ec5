"""Frames that a camera or a converter has written twice: they show where things were, not where
they are."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

_SAME = 0.25
"""Change of a repeated frame, at most, as a share of that of the frames around it."""
_AROUND = 3
_FAST, _MADE_UP = 1.0, 1.5
"""Pixels a frame that something must go, and factor by which its step is longer after a repeated
frame."""
_MOST = 2
"""Frames in a row that may be repeats of one; where more show no change, things rest."""


def repeated(frames: np.ndarray) -> np.ndarray:
    """(T,) bool: frames (T, H, W, 3) uint8 that repeat the one before, while frames around them
    change."""
    change = np.array([np.inf, *(_change(a, b) for a, b in pairwise(frames))])
    found = np.zeros(len(frames), bool)
    for t in range(1, len(frames)):
        near = change[max(1, t - _AROUND) : t + _AROUND + 1]
        moving = near[near > change[t] / _SAME]
        found[t] = len(near) > 2 and len(moving) >= max(2, len(near) - _MOST)
    return found


def stalled(frames: np.ndarray, courses: Sequence[np.ndarray]) -> np.ndarray:
    """(T,) bool: frames of a drawing that repeat the one before, made up for by the fastest thing
    in the next one. courses: (T, 2) places of each thing, pixels. Things drawn on whole pixels may
    also rest for a frame, but go on as before."""
    found = np.zeros(len(frames), bool)
    steps = [np.hypot(*np.diff(course, axis=0).T) for course in courses]
    usual = [float(np.nanmedian(s)) if np.isfinite(s).any() else 0.0 for s in steps]
    if not steps or max(usual) < _FAST:
        return found
    again, step = repeated(frames), steps[int(np.argmax(usual))]
    for t in np.flatnonzero(again[2:-2]) + 2:
        around = 0.5 * (step[t - 2] + step[t + 1])
        found[t] = step[t] > _MADE_UP * around and around > 0.5 * _FAST
    return found if found.sum() > max(1, 0.5 * again.sum()) else np.zeros_like(found)


def _change(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.abs(a[::2, ::2].astype(np.int16) - b[::2, ::2]).mean())
