"""Frames that a camera or a converter has written twice: they show where things were, not where
they are."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import cv2
import numpy as np

_SAME = 0.25
"""Change of a repeated frame, at most, as a share of that of the frames around it."""
_AROUND = 3
_FAST, _MADE_UP = 1.0, 1.5
"""Pixels a frame that something must go, and factor by which its step is longer after a repeated
frame."""
_PIXELS = 320 * 240
"""Pixels of a picture that middles are taken of."""
_CLEARLY = 1.2
"""Factor by which a course must be smoother without time in between, for copies to fill up a
rate."""
_COPY, _SWIFT, _LEAST, _CLEAR = 0.1, 0.5, 6, 16
"""Change of a copy, and of those beside it, as a share of the usual change; frames that must be
left without copies; grey levels by which what moves differs."""
_MOST = 2
"""Frames in a row that may be repeats of one; where more show no change, things rest."""


def repeated(frames: np.ndarray) -> np.ndarray:
    """(T,) bool: frames (T, H, W, 3) uint8 that repeat the one before, while frames around them
    change."""
    return _repeated(_changes(frames))


def _repeated(change: np.ndarray) -> np.ndarray:
    found = np.zeros(len(change), bool)
    for t in range(1, len(change)):
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


def doubled(frames: np.ndarray) -> tuple[np.ndarray, bool]:
    """(T,) bool: frames (T, H, W, 3) uint8 that are certainly copies of the one before, none unless
    two are while things move fast, a pixel a frame or more. And whether time went on meanwhile
    (each stands for a frame that was lost) or the others follow each other evenly (copies that fill
    up a rate): whichever lets the middle of what moves go more smoothly."""
    change = _changes(frames)
    found = _repeated(change)
    if not found.any():
        return found, True
    usual = float(np.median(change[~found][1:]))
    around = np.minimum(np.append(change[1:], 0.0), np.insert(change[:-1], 0, 0.0))
    found &= change <= _COPY * usual
    kept = np.flatnonzero(~found)
    sure = (found & (around > _SWIFT * usual)).sum() > 1
    if not sure or len(kept) < _LEAST or _speed(frames, kept) < _FAST:
        return np.zeros_like(found), True
    middles = _middles(frames, kept)
    lost, filled = (_roughness(middles, times) for times in (kept, np.arange(len(kept))))
    return found, lost < _CLEARLY * filled


def _speed(frames: np.ndarray, kept: np.ndarray) -> float:
    """Pixels a frame, at least, that things go: change over time against change along the picture
    where anything changes."""
    speeds = []
    for t in kept[1 :: max(1, len(kept) // 8)]:
        now, before = (frames[k].astype(np.int16) for k in (t, t - 1))
        moved = np.abs(now - before).max(-1) > _CLEAR
        if t - 1 in kept and moved.any():
            slope = max(np.abs(np.diff(now, axis=k, append=0))[moved].sum() for k in (0, 1))
            speeds.append(float(np.abs(now - before)[moved].sum() / max(float(slope), 1.0)))
    return float(np.median(speeds)) if speeds else 0.0


def _middles(frames: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """(n, 5) mean places, spreads and mixed moment, in pixels, of what differs from the usual
    picture, in the frames kept; every so many-th pixel of large ones."""
    stride = max(1, int((frames[0, ..., 0].size / _PIXELS) ** 0.5))
    few = np.stack([frames[t][::stride, ::stride] for t in kept[:: max(1, len(kept) // 32)]])
    plate = np.median(few, axis=0).astype(np.int16)
    rows, columns = np.mgrid[: plate.shape[0], : plate.shape[1]] * stride
    out = []
    for t in kept:
        weight = np.abs(frames[t][::stride, ::stride] - plate).max(-1).astype(np.float64)
        weight *= weight > _CLEAR
        total = max(float(weight.sum()), 1e-9)
        x, y = (float((weight * side).sum()) / total for side in (columns, rows))
        dx, dy = columns - x, rows - y
        second = [float((weight * m).sum()) / total for m in (dx**2, dy**2, dx * dy)]
        out.append([x, y, *(np.sign(m) * np.sqrt(abs(m)) for m in second)])
    return np.array(out)


def _roughness(series: np.ndarray, times: np.ndarray) -> float:
    """Root mean square of what a parabola through four neighbours leaves of each row (T, n)."""
    left = []
    for k in range(2, len(times) - 2):
        near = np.array([k - 2, k - 1, k + 1, k + 2])
        fit = np.polynomial.polynomial.polyfit(times[near] - times[k], series[near], 2)
        left.append(np.abs(series[k] - fit[0]))
    return float(np.median(np.array(left), axis=0).mean())


def _changes(frames: np.ndarray) -> np.ndarray:
    """(T,) mean change of every other pixel since the frame before, in grey levels; none is known
    of the first."""
    few = (frame[::2, ::2].copy() for frame in frames)
    return np.array([np.inf, *(cv2.norm(a, b, cv2.NORM_L1) / a.size for a, b in pairwise(few))])
