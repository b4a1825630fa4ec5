"""Gradient magnitude similarity deviation: a perceptual metric that needs no weights."""

from __future__ import annotations

import cv2
import numpy as np

_LUMA = np.array([[299, 587, 114]], np.float32)  # thousandths
_PREWITT = np.array([[1, 0, -1]] * 3, np.float32)
_C = np.float32(170.0 * 12_000**2)
"""Constant of the paper, for values in [0, 255], in the units of :func:`_edges`."""
_AT_ONCE = 1 << 18
"""Pixels that are made floats of at a time."""


def gmsd(prediction: np.ndarray, truth: np.ndarray) -> float:
    """Mean over frames of GMSD (Xue, Zhang, Mou, Bovik 2014, doi:10.1109/TIP.2013.2293423); 0 =
    alike, higher = worse.

    prediction, truth: (T, H, W, 3) uint8. Luma (BT.601), halved by a 2 x 2 mean, Prewitt gradients
    with zeros outside, and the standard deviation over the picture of (2 a b + c) / (a^2 + b^2 +
    c).
    """
    return float(np.mean([_gmsd(p, t) for p, t in zip(prediction, truth, strict=True)]))


def _gmsd(prediction: np.ndarray, truth: np.ndarray) -> float:
    a, b = _edges(prediction), _edges(truth)
    alike = (2 * np.sqrt(a * b) + _C) / (a + b + _C)
    return float(np.std(alike, dtype=np.float64))


def _edges(frame: np.ndarray) -> np.ndarray:
    """Squared gradient magnitude of the halved luma, in twelve-thousandths of a grey level: sums of
    four luma values and of three of these are whole numbers, which float32 holds exactly."""
    height, width = frame.shape[:2]
    if height % 2 or width % 2:
        sides = (0, height % 2, 0, width % 2)
        frame = cv2.copyMakeBorder(frame, *sides, cv2.BORDER_REFLECT_101)
    rows = max(2, _AT_ONCE // width // 2 * 2)
    half = np.concatenate([_halved(frame[top : top + rows]) for top in range(0, height, rows)])
    across, down = (
        cv2.filter2D(half, -1, kernel, borderType=cv2.BORDER_CONSTANT)
        for kernel in (_PREWITT, _PREWITT.T)
    )
    return np.asarray(across * across + down * down)


def _halved(band: np.ndarray) -> np.ndarray:
    """Sums over squares of 2 x 2 pixels of the luma, in thousandths."""
    luma = cv2.transform(band.astype(np.float32), _LUMA)
    rows = luma[::2] + luma[1::2]
    return np.asarray(rows[:, ::2] + rows[:, 1::2])
