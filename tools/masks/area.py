"""Small questions about masks, bool (H, W)."""

from __future__ import annotations

import cv2
import numpy as np

Box = tuple[float, float, float, float]
"""(x0, y0, x1, y1) pixels, x1 and y1 exclusive."""


def mask_box(mask: np.ndarray) -> Box | None:
    """Tight box of a mask, or None if it is empty.

    >>> mask_box(np.eye(4, dtype=bool))
    (0.0, 0.0, 4.0, 4.0)
    """
    ys, xs = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return (float(xs[0]), float(ys[0]), float(xs[-1] + 1), float(ys[-1] + 1)) if len(xs) else None


def mask_iou(a: np.ndarray, b: np.ndarray) -> float:
    """Intersection over union of two masks; 0 when both are empty."""
    union = np.count_nonzero(a | b)
    return np.count_nonzero(a & b) / union if union else 0.0


def bridged(mask: np.ndarray, same: np.ndarray) -> np.ndarray:
    """The mask with its narrow gaps closed where ``same`` holds: where a fixed line of the object's
    own colour runs through it."""
    if not same.any():
        return mask
    closed = cv2.morphologyEx(
        np.pad(mask, 3).astype(np.uint8), cv2.MORPH_CLOSE, np.ones((7, 7), np.uint8)
    )[3:-3, 3:-3]
    return mask | (closed.astype(bool) & same)


def core(mask: np.ndarray) -> np.ndarray:
    """The mask without its outermost pixels, or the whole mask where nothing would be left."""
    inner = cv2.erode(mask.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool)
    return inner if inner.sum() >= 5 else mask
