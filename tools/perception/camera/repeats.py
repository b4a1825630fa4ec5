"""Frames that a camera or a converter has written twice: they show where things were, not where
they are."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

_SAME = 0.25
"""Change of a repeated frame, at most, as a share of that of the frames around it."""
_AROUND = 3
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


def _change(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.abs(a[::2, ::2].astype(np.int16) - b[::2, ::2]).mean())
