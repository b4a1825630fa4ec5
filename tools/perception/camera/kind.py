"""Whether a clip was taken by a camera or drawn: read from its pixels alone."""

from __future__ import annotations

import cv2
import numpy as np

from tools.perception.background import sample

_SAMPLES = 15
_PIXELS = 40_000
_APART = 32
"""Pixels between two places whose brightness is compared."""
_SAME, _NEAR = 0.6, 6.0
"""Grey levels between two places up to which they are filled with one tone, and from which an edge
lies between them; what is in between is shading."""
_SHADED = 0.4
"""Share of pairs without an edge that differ by shading from which a picture is a camera's: cameras
give 0.75 to 0.95, also of a plain wall, drawings 0 to 0.15, also when they are noisy or
compressed."""
_FROZEN = 0.9
"""Share of the pixels that nothing crosses which never change, not by a single level, from which
frames were not taken by a camera."""
_MOVED = 16
"""Grey levels of change that noise does not reach, but what moves does."""


def is_camera(frames: np.ndarray) -> bool:
    """Whether frames (T, H, W, 3) uint8 look like camera pictures: shaded softly instead of filled
    with even tones, and never quite the same."""
    stride = max(1, int((frames[0, ..., 0].size / _PIXELS) ** 0.5))
    few = sample(frames, _SAMPLES)
    raw = np.stack([_grey(np.ascontiguousarray(frame[::stride, ::stride])) for frame in few])
    change = np.ptp(raw, axis=0)
    still = change[change < _MOVED]
    if len(raw) > 1 and still.size and (still == 0).mean() > _FROZEN:
        return False
    floats = (_grey(frame).astype(np.float32) for frame in few)
    smooth = [cv2.blur(grey, (7, 7))[::stride, ::stride] for grey in floats]
    return _shaded(np.median(smooth, axis=0), max(1, round(_APART / stride))) > _SHADED


def _grey(frame: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)


def _shaded(smooth: np.ndarray, apart: int) -> float:
    """Share of places in a smooth grey picture (H, W), so many pixels side by side or one above the
    other, that differ softly, of those that no edge parts."""
    apart = min(apart, max(1, min(smooth.shape) // 4))
    pairs = (smooth[apart:], smooth[:-apart]), (smooth[:, apart:], smooth[:, :-apart])
    away = np.concatenate([np.abs(a - b).ravel() for a, b in pairs])
    away = away[away < _NEAR]
    return float((away >= _SAME).mean()) if away.size else 0.0
