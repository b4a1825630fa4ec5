"""Standard picture metrics between predicted and true videos, (T, H, W, 3) uint8 each, one function
a metric."""

from __future__ import annotations

import cv2
import numpy as np

PSNR_CAP = 100.0
"""dB: what an exact frame counts as."""

_SSIM_WINDOW = 7
_AT_ONCE = 1 << 18
"""Values of a picture that are compared at a time: a dozen tables of them fit the processor's
cache."""
_SSIM_C1, _SSIM_C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2


def mae(prediction: np.ndarray, truth: np.ndarray) -> float:
    """Mean absolute error of values in [0, 1], over pixels, channels and frames."""
    pairs = zip(prediction, truth, strict=True)
    return float(np.mean([cv2.norm(p, t, cv2.NORM_L1) / t.size for p, t in pairs]) / 255.0)


def psnr(prediction: np.ndarray, truth: np.ndarray) -> float:
    """Peak signal-to-noise ratio in dB: peak 255, per frame, each capped at 100 dB, then averaged
    over frames."""
    return float(np.mean([_psnr(p, t) for p, t in zip(prediction, truth, strict=True)]))


def _psnr(prediction: np.ndarray, truth: np.ndarray) -> float:
    mse = cv2.norm(prediction, truth, cv2.NORM_L2SQR) / truth.size
    return PSNR_CAP if mse == 0 else min(PSNR_CAP, float(10.0 * np.log10(255.0**2 / mse)))


def ssim(prediction: np.ndarray, truth: np.ndarray) -> float | None:
    """Structural similarity (Wang et al. 2004, doi:10.1109/TIP.2003.819861): 7 x 7 uniform window,
    channels averaged, then frames; None for pictures smaller than the window. The figures are those
    of scikit-image, in a fraction of its time."""
    if min(truth.shape[1:3]) < _SSIM_WINDOW:
        return None
    return float(np.mean([_ssim(p, t) for p, t in zip(prediction, truth, strict=True)]))


def _ssim(a: np.ndarray, b: np.ndarray) -> float:
    """Of two (H, W, 3) uint8 pictures, band by band, each window in one band. Windows in which
    nothing differs count 1, so that of a band only columns about those that differ are looked at.
    """
    around, lost = _SSIM_WINDOW - 1, 0.0
    rows, windows = max(1, _AT_ONCE // a[0].size), len(a) - around
    for top in range(0, windows, rows):
        band = slice(top, min(top + rows, windows) + around)
        unequal = (a[band] != b[band]).reshape(-1, a[0].size).any(axis=0)
        columns = np.flatnonzero(unequal.reshape(a.shape[1:]).any(axis=1))
        if len(columns):
            some = slice(max(0, columns[0] - around), columns[-1] + 1 + around)
            lost += _unlike(a[band, some], b[band, some])
    return 1.0 - lost / (windows * (a.shape[1] - around) * a.shape[2])


def _unlike(a: np.ndarray, b: np.ndarray) -> float:
    """Sum of 1 - SSIM over the windows that lie in two uint8 pictures, with the variances of
    samples. Sums over a window, and differences of their products, are whole numbers below 2^31."""
    n, gap, single = _SSIM_WINDOW**2, cv2.absdiff(a, b), np.float32
    sum_a, sum_b = _sums(a), _sums(b)
    product, apart = sum_a * sum_b, (sum_a - sum_b) ** 2
    covariance = n * _sums(np.multiply(a, b, dtype=np.uint16)) - product
    scatter = n * _sums(np.multiply(gap, gap, dtype=np.uint16)) - apart
    means = single(2.0) * product.astype(single) + single(_SSIM_C1 * n**2)
    spreads = single(2.0) * covariance.astype(single) + single(_SSIM_C2 * n * (n - 1))
    off, unlike = apart.astype(single), scatter.astype(single)
    lost = off * (spreads + unlike) + means * unlike
    return float((lost / ((means + off) * (spreads + unlike))).sum(dtype=np.float64))


def _sums(values: np.ndarray) -> np.ndarray:
    """int32 sums over all whole windows."""
    half, size = _SSIM_WINDOW // 2, (_SSIM_WINDOW, _SSIM_WINDOW)
    return cv2.boxFilter(values, cv2.CV_32S, size, normalize=False)[half:-half, half:-half]
