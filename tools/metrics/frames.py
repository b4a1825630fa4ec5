"""Standard picture metrics between predicted and true videos, (T, H, W, 3) uint8 each, one function a metric."""

from __future__ import annotations

import numpy as np
from skimage.metrics import structural_similarity

PSNR_CAP = 100.0
"""dB: what an exact frame counts as."""

_SSIM_WINDOW = 7


def mae(prediction: np.ndarray, truth: np.ndarray) -> float:
    """Mean absolute error of values in [0, 1], over pixels, channels and frames."""
    return float(np.mean([np.abs(p.astype(np.int16) - t).mean() for p, t in zip(prediction, truth, strict=True)]) / 255.0)


def psnr(prediction: np.ndarray, truth: np.ndarray) -> float:
    """Peak signal-to-noise ratio in dB: peak 255, per frame, each capped at 100 dB, then averaged over frames."""
    return float(np.mean([_psnr(p, t) for p, t in zip(prediction, truth, strict=True)]))


def _psnr(prediction: np.ndarray, truth: np.ndarray) -> float:
    mse = np.square(prediction.astype(np.float64) - truth).mean()
    return PSNR_CAP if mse == 0 else min(PSNR_CAP, float(10.0 * np.log10(255.0**2 / mse)))


def ssim(prediction: np.ndarray, truth: np.ndarray) -> float | None:
    """Structural similarity (Wang et al. 2004, doi:10.1109/TIP.2003.819861): 7 x 7 uniform window, channels averaged, then
    frames; None for pictures smaller than the window."""
    if min(truth.shape[1:3]) < _SSIM_WINDOW:
        return None
    pairs = zip(prediction, truth, strict=True)
    return float(np.mean([structural_similarity(p, t, channel_axis=2, data_range=255, win_size=_SSIM_WINDOW) for p, t in pairs]))
