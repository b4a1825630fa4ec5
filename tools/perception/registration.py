"""Angles without a starting guess: the rotation that turns one polar picture into another."""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np

ANGLES = 256
EVEN = 0.005
"""Share of a picture's energy that varies with the angle, below which it tells no angle."""
UNLIKE = 0.2
"""Likeness of what varies, below which two pictures have no turn in common."""
_SILHOUETTE = 60.0
"""Weight of the outline against colour differences, in grey levels."""


def polar(
    picture: np.ndarray,
    solid: np.ndarray,
    mean: np.ndarray | Sequence[float],
    centre: tuple[float, float],
    reach: float,
) -> np.ndarray:
    """(ANGLES, R, 4) picture around ``centre`` (x, y): colours relative to ``mean`` and the
    silhouette ``solid`` (h, w) in [0, 1].

    Rows weigh with the square root of the radius, so that sums over (R, 4) are integrals over area.
    """
    solid = solid.astype(np.float32)
    layers = np.dstack(
        [
            (picture.astype(np.float32) - np.asarray(mean, np.float32)) * solid[..., None],
            _SILHOUETTE * solid,
        ]
    )
    radii = int(np.clip(round(reach), 4, 64))
    found = cv2.warpPolar(
        layers, (radii, ANGLES), centre, reach, cv2.WARP_POLAR_LINEAR | cv2.WARP_FILL_OUTLIERS
    )
    return found * np.sqrt(np.arange(radii) + 0.5)[None, :, None].astype(np.float32)


def likeness(reference: np.ndarray, other: np.ndarray) -> np.ndarray:
    """(ANGLES,) correlation of ``other`` with ``reference`` turned by 2 pi k / ANGLES; 1 =
    identical up to that turn."""
    a, b = (np.fft.rfft(p.reshape(ANGLES, -1), axis=0) for p in (reference, other))
    product = np.fft.irfft((np.conj(a) * b).sum(1), ANGLES)
    return product / max(0.5 * (float((reference**2).sum()) + float((other**2).sum())), 1e-9)


def turn(
    reference: np.ndarray, other: np.ndarray, expected: float, slack: float = 0.25
) -> tuple[float, float]:
    """(angle, likeness): the turn from reference to other nearest to ``expected`` among those that
    fit about equally well.

    The angle continues ``expected`` (no jump by full turns). Where every angle fits, it is
    ``expected``. What is the same all round says nothing about the angle and is left out.
    """
    found = likeness(uneven(reference), uneven(other))
    best = float(found.max())
    if _energy(uneven(reference)) < EVEN * _energy(reference) or best < UNLIKE:
        return expected, best
    peaks = np.flatnonzero(
        (found >= np.roll(found, 1))
        & (found >= np.roll(found, -1))
        & (found >= best - slack * abs(best))
    )
    angles = 2 * math.pi * (peaks + np.array([_vertex(found, int(k)) for k in peaks])) / ANGLES
    away = np.array([math.remainder(a - expected, 2 * math.pi) for a in angles])
    k = int(np.argmin(np.abs(away)))
    return expected + float(away[k]), float(found[peaks[k]])


def uneven(picture: np.ndarray) -> np.ndarray:
    """A polar picture (ANGLES, R, 4) without what is the same at every angle."""
    return picture - picture.mean(axis=0, keepdims=True)


def _energy(picture: np.ndarray) -> float:
    return float((picture**2).sum())


def _vertex(values: np.ndarray, k: int) -> float:
    """Offset of a parabola's top from sample k, in samples."""
    before, here, after = values[k - 1], values[k], values[(k + 1) % len(values)]
    bend = before - 2 * here + after
    return 0.0 if abs(bend) < 1e-12 else float(np.clip(0.5 * (before - after) / bend, -0.5, 0.5))
