"""How noisy a camera picture is: a variance that grows with the signal."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_LEAST = 0.7
"""Least standard deviation in grey levels: compression hides noise, it does not remove it."""
_BINS = 16
_PAIRS = 12
_COMMON = 0.03
"""Share of the pixels from which a brightness tells noise: of less, most may be something that
moves."""


@dataclass(frozen=True)
class Noise:
    """Variance of a pixel in squared grey levels: ``read + gain * level`` (read-out noise, photon
    noise)."""

    read: float
    gain: float

    def sigma(self, levels: np.ndarray) -> np.ndarray:
        """Standard deviation at grey levels of any shape, float32, never below what compression
        hides."""
        variance = self.read + self.gain * np.asarray(levels, np.float32)
        return np.sqrt(np.maximum(variance, _LEAST**2)).astype(np.float32)

    @property
    def typical(self) -> float:
        """Standard deviation at middle grey."""
        return float(self.sigma(np.array(128.0)))


def camera_noise(frames: np.ndarray) -> Noise:
    """The noise of a clip (T, H, W, 3) uint8 from differences of neighbouring frames.

    Per bin of brightness the median absolute difference (movers are a minority), then a straight
    line through the variances, weighted by the number of pixels; slope and offset are not negative.
    """
    pairs = np.unique(np.linspace(0, len(frames) - 2, _PAIRS).round().astype(int))
    stride = max(1, int(np.sqrt(frames[0, ..., 0].size / 20000)))
    if len(frames) < 2:
        return Noise(_LEAST**2, 0.0)
    first = frames[pairs, ::stride, ::stride].astype(np.float32)
    change = np.abs(frames[pairs + 1, ::stride, ::stride] - first).ravel()
    bins = np.minimum(first.ravel() * (_BINS / 256.0), _BINS - 1).astype(int)
    usual = _variance(change)
    levels, variances, weights = [], [], []
    for k in range(_BINS):
        inside = change[bins == k]
        if len(inside) > max(500, _COMMON * len(change)):
            levels.append((k + 0.5) * 256.0 / _BINS)
            variances.append(min(_variance(inside), 4 * usual))
            weights.append(len(inside) ** 0.5)
    return _line(np.array(levels), np.array(variances), np.array(weights))


def _variance(change: np.ndarray) -> float:
    """Variance of a pixel from absolute differences of two frames. They are whole numbers: a median
    of 0 means less than half."""
    median = float(np.median(change))
    return (1.4826 * (median if median > 0 else 0.25)) ** 2 / 2


def _line(levels: np.ndarray, variances: np.ndarray, weights: np.ndarray) -> Noise:
    if len(levels) < 2:
        return Noise(float(variances[0]) if len(levels) else _LEAST**2, 0.0)
    slope, offset = np.polyfit(levels, variances, 1, w=weights)
    if slope < 0:
        return Noise(float(np.average(variances, weights=weights)), 0.0)
    if offset < 0:
        ratio = np.average(variances, weights=weights) / np.average(levels, weights=weights)
        return Noise(0.0, float(ratio))
    return Noise(float(offset), float(slope))
