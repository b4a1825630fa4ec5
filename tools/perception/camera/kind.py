"""Whether a clip was taken by a camera or drawn: read from its pixels alone."""

from __future__ import annotations

import cv2
import numpy as np

from tools.perception.background import sample

_SAMPLES = 15
_PIXELS = 40_000
_TONES = 4
"""Tones (three grey levels wide) that a drawing may have beside what moves."""
_FLAT = 0.6
"""Share of the picture in its commonest tones from which it is drawn: cameras give 0.1 to 0.4,
drawings 0.85 and more, also when they are noisy or compressed."""
_FROZEN = 0.9
"""Share of the pixels that nothing crosses which never change, not by a single level, from which
frames were not taken by a camera."""
_MOVED = 16
"""Grey levels of change that noise does not reach, but what moves does."""


def is_camera(frames: np.ndarray) -> bool:
    """Whether frames (T, H, W, 3) uint8 look like camera pictures: shaded softly instead of filled
    with a few tones, and never quite the same."""
    stride = max(1, int((frames[0, ..., 0].size / _PIXELS) ** 0.5))
    few = sample(frames, _SAMPLES)
    raw = np.stack([_grey(np.ascontiguousarray(frame[::stride, ::stride])) for frame in few])
    change = np.ptp(raw, axis=0)
    still = change[change < _MOVED]
    if len(raw) > 1 and still.size and (still == 0).mean() > _FROZEN:
        return False
    smooth = np.stack(
        [cv2.blur(_grey(frame).astype(np.float32), (7, 7))[::stride, ::stride] for frame in few]
    )
    tones = np.rint(np.median(smooth, axis=0)).astype(int)
    return _commonest(np.bincount(tones.ravel(), minlength=258) / tones.size) < _FLAT


def _grey(frame: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)


def _commonest(shares: np.ndarray) -> float:
    """Sum of the largest few runs of three neighbouring grey levels."""
    shares, total = shares.copy(), 0.0
    for _ in range(_TONES):
        runs = np.convolve(shares, np.ones(3), "same")
        best = int(runs.argmax())
        total += float(runs[best])
        shares[max(0, best - 1) : best + 2] = 0.0
    return total
