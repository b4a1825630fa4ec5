"""How far a round body has turned, told by marks on it: its pictures unrolled around the centre,
compared by circular correlation."""

from __future__ import annotations

import cv2
import numpy as np

_ROUND = 0.6
"""Share of a matte that its largest inscribed circle covers, from which the body is round."""
_LEAST_RADIUS = 5.0
_RINGS = (0.15, 0.88)
"""Radii that are compared, as shares of the circle's: the rim shows what lies behind."""
_STEPS = 180
"""Angles at which rings are sampled."""
_LOYAL = 0.1
"""Loss of correlation that a radian away from the expected angle costs."""
_ABOVE = 1.5
"""Standard deviations of the noise that marks must differ by from what is always there."""
_ERRATIC = 0.3
"""Root mean square of second differences of the angles, in radians, from which they are no motion:
light that wanders over a body seems to turn it to and fro."""
_EXPLAINED = 0.35
"""Share of what changes inside the circle that turning must explain, in most frames."""


def inscribed(matte: np.ndarray) -> tuple[np.ndarray, float] | None:
    """Centre (x, y), from the middle of a matte (h, w), and radius of the circle that fills a round
    one; None for other shapes."""
    solid = (cv2.copyMakeBorder(matte, 1, 1, 1, 1, cv2.BORDER_CONSTANT) > 0.3).astype(np.uint8)
    outlines, _ = cv2.findContours(solid, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    if not outlines:
        return None
    hull = cv2.convexHull(max(outlines, key=cv2.contourArea))  # what looks like the ground as well
    filled = np.asarray(cv2.drawContours(np.zeros_like(solid), [hull], -1, 1, cv2.FILLED), np.uint8)
    depth = cv2.distanceTransform(filled, cv2.DIST_L2, 5)
    radius = float(depth.max())
    if radius < _LEAST_RADIUS or np.pi * radius**2 < _ROUND * filled.sum():
        return None
    rows, columns = np.nonzero(depth > radius - 0.75)
    h, w = matte.shape
    return np.array([columns.mean() - 1 - (w - 1) / 2, rows.mean() - 1 - (h - 1) / 2]), radius


def angles_by_marks(
    frames: np.ndarray, centres: np.ndarray, radius: float, noise: float
) -> np.ndarray | None:
    """(n,) angles in radians, 0 in the middle one, of a disk around ``centres`` (n, 2) in frames
    (n, H, W, 3) uint8; None where turning does not explain what changes on it."""
    rings = np.stack([_unrolled(f, c, radius) for f, c in zip(frames, centres, strict=True)])
    change = rings - np.median(rings, axis=0)
    if float((change**2).mean(0).max()) < (_ABOVE * noise) ** 2:
        return None
    waves = np.fft.rfft(change, axis=2)
    waves[:, :, 0] = 0.0  # rings as bright as each other: light is no mark
    angles = _followed(waves)
    template = (waves * _turned(waves, angles)).mean(0)
    for t in range(len(angles)):
        angles[t] = _best(waves[t], template, angles[t])
    template = (waves * _turned(waves, angles)).mean(0)
    rest = np.abs(waves * _turned(waves, angles) - template) ** 2
    left = rest.sum((1, 2, 3)) / np.maximum((np.abs(waves) ** 2).sum((1, 2, 3)), 1e-9)
    if float(np.median(left)) > 1.0 - _EXPLAINED or erratic(angles):
        return None
    return angles - angles[len(angles) // 2]


def erratic(angles: np.ndarray) -> bool:
    """Whether angles (n,) of a clip's frames jump about as no body turns."""
    return len(angles) > 2 and float(np.sqrt(np.mean(np.diff(angles, 2) ** 2))) > _ERRATIC


def _unrolled(frame: np.ndarray, centre: np.ndarray, radius: float) -> np.ndarray:
    """(rings, angles, 3) float32 around a centre, every ring weighed by its length."""
    radii = np.arange(_RINGS[0] * radius, _RINGS[1] * radius, max(1.0, radius / 24))
    around = np.arange(_STEPS) * (2 * np.pi / _STEPS)
    x, y = (
        (c + np.outer(radii, side)).astype(np.float32)
        for c, side in zip(centre, (np.cos(around), np.sin(around)), strict=True)
    )
    seen = cv2.remap(frame, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return seen.astype(np.float32) * np.sqrt(radii / radii[-1]).astype(np.float32)[:, None, None]


def _turned(waves: np.ndarray, angles: np.ndarray) -> np.ndarray:
    """Factors (n, 1, k, 1) that turn spectra back by ``angles``."""
    return np.exp(1j * np.outer(angles, np.arange(waves.shape[2])))[:, None, :, None]


def _followed(waves: np.ndarray) -> np.ndarray:
    """Angles outwards from the middle picture, each against the mean of those before."""
    count = len(waves)
    middle = count // 2
    angles = np.zeros(count)
    for order in (range(middle + 1, count), range(middle - 1, -1, -1)):
        template, before, rate = waves[middle].copy(), 0.0, 0.0
        for number, t in enumerate(order):
            angles[t] = _best(waves[t], template, before + rate)
            rate, before = angles[t] - before, angles[t]
            turned = waves[t] * _turned(waves[t : t + 1], angles[t : t + 1])[0]
            template += (turned - template) / min(number + 2, 6)
    return angles


def _best(wave: np.ndarray, template: np.ndarray, expected: float) -> float:
    """The angle at which a picture is most like the template, not far from the expected one."""
    product = (wave * np.conj(template)).sum((0, 2))
    alike = np.fft.irfft(product, n=4 * _STEPS)
    away = np.angle(np.exp(1j * (np.arange(len(alike)) * 2 * np.pi / len(alike) - expected)))
    scored = alike / max(float(alike.max()), 1e-9) - _LOYAL * np.abs(away)
    k = int(np.argmax(scored))
    low, mid, high = alike[k - 1], alike[k], alike[(k + 1) % len(alike)]
    bend = low - 2 * mid + high
    finer = float(np.clip(0.5 * (low - high) / bend, -0.5, 0.5)) if bend < 0 else 0.0
    return expected + float(away[k]) + finer * 2 * np.pi / len(alike)
