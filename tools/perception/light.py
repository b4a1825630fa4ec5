"""Slow changes of the light: one gain per frame and channel, measured on what stands still."""

from __future__ import annotations

import cv2
import numpy as np

_DARK = 24
"""Pixels below this many grey levels say nothing about a gain."""
_TOP, _FULL = 254.0, 230.0
"""Grey levels from which a pixel is as bright as can be, so that it tells only a gain below one,
and those from which light may make it so."""
_NOTICEABLE = 1.5
"""Change of a mean grey level below which the light counts as constant."""


def gains(frames: np.ndarray, reference: np.ndarray, noise: float = 0.0) -> np.ndarray:
    """(T, 3) factors by which each frame is brighter than ``reference`` (H, W, 3); ones when the
    light is constant.

    Per channel the median ratio over a sparse grid, sharpened by least squares over the pixels that
    agree with it. It must explain more of the picture than no change does, so that large moving
    things are not mistaken for light.
    """
    stride = max(1, int(np.sqrt(reference[..., 0].size / 8000)))
    base = reference[::stride, ::stride].reshape(-1, 3).astype(np.float32)
    found = np.ones((len(frames), 3))
    tolerance = 4.0 + 3.0 * noise
    for t, frame in enumerate(frames):
        seen = frame[::stride, ::stride].reshape(-1, 3).astype(np.float32)
        if (np.abs(seen - base).max(1) > 1 + noise).mean() > 0.5:
            found[t] = _gain(seen, base, tolerance, noise)
    level = np.median(base, axis=0)
    noticeable = (np.abs(found - 1) * np.maximum(level, 40.0)).max() > _NOTICEABLE
    return found if noticeable else np.ones((len(frames), 3))


def _gain(seen: np.ndarray, base: np.ndarray, tolerance: float, noise: float) -> np.ndarray:
    """(3,) gain of one frame; a channel as bright as can be, which tells none, has the others'."""
    factor, top = np.full(3, np.nan), _TOP - 2.0 * noise
    for channel in range(3):
        a, b = seen[:, channel], base[:, channel]
        white = (b >= _TOP) & (a < _TOP - tolerance)
        bright = (b > _DARK) & (b < top) & (a < top) | white
        if bright.mean() < 0.2:
            continue
        guess = float(np.median(a[bright] / b[bright]))
        near = bright & (np.abs(a - guess * b) <= tolerance)
        if near.any():
            factor[channel] = float(a[near] @ b[near] / (b[near] @ b[near]))
    told = np.isfinite(factor)
    full = ~told & (np.median(base, axis=0) > _FULL)
    factor[full] = factor[told].mean() if told.any() else 1.0
    factor[~(told | full)] = 1.0
    before = (np.abs(seen - base).max(1) <= tolerance).mean()
    after = (np.abs(seen - np.minimum(factor * base, 255.0)).max(1) <= tolerance).mean()
    return (
        factor
        if after > before + 0.05 or (after > 0.5 and np.abs(factor - 1).max() < 0.1)
        else np.ones(3)
    )


def relight(frame: np.ndarray, gain: np.ndarray) -> np.ndarray:
    """``frame`` (H, W, 3) uint8 divided by the gain (3,)."""
    if (gain == 1).all():
        return frame
    table = np.clip(np.rint(np.arange(256)[:, None] / gain), 0, 255).astype(np.uint8)
    return cv2.LUT(frame, table.reshape(1, 256, 3))


def evened(frames: np.ndarray, noise: float) -> np.ndarray:
    """The frames at the light of the middle one; the same array when the light is constant."""
    factors = gains(frames, frames[len(frames) // 2], noise)
    if (factors == 1).all():
        return frames
    return np.stack([relight(frame, gain) for frame, gain in zip(frames, factors, strict=True)])
