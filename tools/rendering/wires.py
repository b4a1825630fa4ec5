"""Bent lines of one width."""

from __future__ import annotations

import math

import numpy as np


def line_cover(px: np.ndarray, py: np.ndarray, points: np.ndarray, width: float) -> np.ndarray:
    """(H, W) coverage of pixels at columns px (W,) and rows py (H,) by a line of ``width`` pixels
    through corners (K, 2): full within it, soft over a pixel at its rim, round at its ends."""
    cover = np.zeros((len(py), len(px)))
    half, strength = max(width, 1.0) / 2 + 0.5, min(width, 1.0)
    for (x0, y0), (x1, y1) in zip(points[:-1].tolist(), points[1:].tolist(), strict=True):
        columns = slice(*np.searchsorted(px, (min(x0, x1) - half, max(x0, x1) + half)))
        rows = slice(*np.searchsorted(py, (min(y0, y1) - half, max(y0, y1) + half)))
        dx, dy = px[columns][None] - x0, py[rows][:, None] - y0
        far = math.hypot(x1 - x0, y1 - y0)
        ux, uy = ((x1 - x0) / far, (y1 - y0) / far) if far > 1e-9 else (1.0, 0.0)
        along = dx * ux + dy * uy
        beyond = np.maximum(np.maximum(-along, along - far), 0.0)
        off = np.hypot(beyond, dy * ux - dx * uy)
        window = cover[rows, columns]
        np.maximum(window, np.clip(half - off, 0.0, 1.0) * strength, out=window)
    return cover
