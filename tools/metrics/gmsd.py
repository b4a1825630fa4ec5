"""Gradient magnitude similarity deviation: a perceptual metric that needs no weights."""

from __future__ import annotations

import cv2
import numpy as np

_LUMA = np.array([0.299, 0.587, 0.114])
_PREWITT = np.array([[1.0, 0.0, -1.0]] * 3) / 3.0
_C = 170.0  # constant of the paper, for values in [0, 255]


def gmsd(prediction: np.ndarray, truth: np.ndarray) -> float:
    """Mean over frames of GMSD (Xue, Zhang, Mou, Bovik 2014, doi:10.1109/TIP.2013.2293423); 0 =
    alike, higher = worse.

    prediction, truth: (T, H, W, 3) uint8. Luma (BT.601), halved by a 2 x 2 mean, Prewitt gradients
    with zeros outside, and the standard deviation over the picture of (2 a b + c) / (a^2 + b^2 +
    c).
    """
    return float(
        np.mean([_gmsd(_edges(p), _edges(t)) for p, t in zip(prediction, truth, strict=True)])
    )


def _edges(frame: np.ndarray) -> np.ndarray:
    """Gradient magnitude of the halved luma."""
    luma = np.stack([row.astype(np.float64) @ _LUMA for row in frame])
    half = cv2.blur(luma, (2, 2), anchor=(0, 0), borderType=cv2.BORDER_REFLECT_101)[::2, ::2]
    across, down = (
        cv2.filter2D(half, -1, kernel, borderType=cv2.BORDER_CONSTANT)
        for kernel in (_PREWITT, _PREWITT.T)
    )
    return np.hypot(across, down)


def _gmsd(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.std((2 * a * b + _C) / (a * a + b * b + _C)))
