"""Standard picture metrics between predicted and true videos, (T, H, W, 3) uint8 each, one function
a metric."""

from __future__ import annotations

import cv2
import numpy as np

PSNR_CAP = 100.0
"""dB: what an exact frame counts as."""

_SSIM_WINDOW = 7
_AT_ONCE = 1 << 22
"""Values that are compared at a time."""
_SSIM_AT_ONCE = 1 << 19
"""Pixels of a channel: a dozen tables of float64 are made of them."""
_SSIM_C1, _SSIM_C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2


def mae(prediction: np.ndarray, truth: np.ndarray) -> float:
    """Mean absolute error of values in [0, 1], over pixels, channels and frames."""
    return float(
        np.mean([cv2.absdiff(p, t).mean() for p, t in zip(prediction, truth, strict=True)]) / 255.0
    )


def psnr(prediction: np.ndarray, truth: np.ndarray) -> float:
    """Peak signal-to-noise ratio in dB: peak 255, per frame, each capped at 100 dB, then averaged
    over frames."""
    return float(np.mean([_psnr(p, t) for p, t in zip(prediction, truth, strict=True)]))


def _psnr(prediction: np.ndarray, truth: np.ndarray) -> float:
    rows = max(1, _AT_ONCE // prediction[0].size)
    bands = (slice(top, top + rows) for top in range(0, len(truth), rows))
    squares = (np.square(prediction[b].astype(np.float64) - truth[b]).sum() for b in bands)
    mse = sum(squares) / truth.size  # whole numbers: the same in any order
    return PSNR_CAP if mse == 0 else min(PSNR_CAP, float(10.0 * np.log10(255.0**2 / mse)))


def ssim(prediction: np.ndarray, truth: np.ndarray) -> float | None:
    """Structural similarity (Wang et al. 2004, doi:10.1109/TIP.2003.819861): 7 x 7 uniform window,
    channels averaged, then frames; None for pictures smaller than the window. The figures are those
    of scikit-image, in less than half its time."""
    if min(truth.shape[1:3]) < _SSIM_WINDOW:
        return None
    pairs = zip(prediction, truth, strict=True)
    return float(np.mean([_of_channel(p[..., c], t[..., c]) for p, t in pairs for c in range(3)]))


def _of_channel(a: np.ndarray, b: np.ndarray) -> float:
    """SSIM of two (H, W) uint8 pictures; of large ones band by band, each window in one band."""
    rows, windows = max(1, _SSIM_AT_ONCE // a.shape[1]), a.shape[0] - _SSIM_WINDOW + 1
    if windows <= rows:
        return _ssim(a.astype(np.float64), b.astype(np.float64))
    total = 0.0
    for top in range(0, windows, rows):
        few = min(rows, windows - top)
        part = slice(top, top + few + _SSIM_WINDOW - 1)
        total += few * _ssim(a[part].astype(np.float64), b[part].astype(np.float64))
    return total / windows


def _ssim(a: np.ndarray, b: np.ndarray) -> float:
    """Of one channel, (H, W) float64, over the windows that lie in the picture, with the variances
    of samples."""
    unbiased = _SSIM_WINDOW**2 / (_SSIM_WINDOW**2 - 1)
    mean_a, mean_b = _windows(a), _windows(b)
    product, squares = mean_a * mean_b, mean_a**2 + mean_b**2
    covariance = unbiased * (_windows(a * b) - product)
    variances = unbiased * (_windows(a * a + b * b) - squares)
    alike = (2 * product + _SSIM_C1) * (2 * covariance + _SSIM_C2)
    return float(np.mean(alike / ((squares + _SSIM_C1) * (variances + _SSIM_C2))))


def _windows(values: np.ndarray) -> np.ndarray:
    """Means over all whole windows."""
    half = _SSIM_WINDOW // 2
    return cv2.boxFilter(values, -1, (_SSIM_WINDOW, _SSIM_WINDOW))[half:-half, half:-half]
