"""Impacts in closed form, for the oracle: plain vectors of one disk and of two.

A step has carried a disk too far; it is taken back to the moment of touching, struck, and goes on
from there. Under a constant acceleration the result is exact for a wall, and for two disks that are
accelerated alike."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np


def bounce(
    place: np.ndarray, speed: np.ndarray, pull: np.ndarray, normal: tuple[float, float],
    offset: float, restitution: float, friction: float,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """Place and velocity (2,) of a point after it met the half-plane normal . place < offset, whose
    inside it is taken out of."""
    n = np.array(normal)
    depth = offset - float(n @ place)
    if depth <= 0.0:
        return place, speed
    if n @ speed >= 0.0:
        return place + depth * n, speed
    since = _since(depth, -(n @ speed), n @ pull)
    touching = speed - since * pull
    jump = max(-(1.0 + restitution) * float(n @ touching), 0.0)
    tangent = np.array([-n[1], n[0]])
    slide = float(tangent @ touching)
    brake = -min(max(slide, -friction * jump), friction * jump)
    normal_way = max(since * jump, depth)
    return place + normal_way * n + since * brake * tangent, speed + jump * n + brake * tangent


def bounce_off(
    place: np.ndarray, speed: np.ndarray, pull: np.ndarray,
    corners: Sequence[tuple[float, float]], reach: float, restitution: float,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """Place and velocity of a disk, which reaches so far (px), after it met what stands: it bounces
    off the line across the way to the nearest point of the outline, as that was at the touch."""
    n, offset = _nearest(place, corners)
    depth, closing = offset + reach - float(n @ place), -float(n @ speed)
    if 0.0 < depth < closing:
        n, offset = _nearest(place - depth / closing * speed, corners)
    return bounce(place, speed, pull, (n[0], n[1]), offset + reach, restitution, 0.0)


def _nearest(place: np.ndarray, corners: Sequence[tuple[float, float]]) -> tuple[np.ndarray, float]:
    """Normal and offset of the line through the nearest point of an outline, outwards."""
    a = np.array(corners)
    b = np.roll(a, -1, axis=0)
    square = np.maximum(((b - a) ** 2).sum(1), 1e-12)
    share = np.clip(((place - a) * (b - a)).sum(1) / square, 0.0, 1.0)
    points = a + share[:, None] * (b - a)
    point = points[np.argmin(((points - place) ** 2).sum(1))]
    crossed = (a[:, 1] > place[1]) != (b[:, 1] > place[1])
    slant = (b - a)[crossed]
    left = place[0] < a[crossed, 0] + (place[1] - a[crossed, 1]) * slant[:, 0] / slant[:, 1]
    out = -1.0 if left.sum() % 2 else 1.0
    normal = out * (place - point) / max(float(np.hypot(*(place - point))), 1e-9)
    return normal, float(normal @ point)


def _since(depth: float, speed: float, pull: float) -> float:
    """Seconds ago at which it touched: the root of depth = speed t + pull t^2 / 2."""
    root = math.sqrt(max(speed * speed + 2.0 * pull * depth, 0.0) + 1e-12)
    return 2.0 * depth / (speed + root)


def collide(
    a: tuple[np.ndarray, np.ndarray], b: tuple[np.ndarray, np.ndarray], reach: float,
    masses: tuple[float, float], restitution: float, rest_speed: float,
) -> tuple:  # fmt: skip
    """(place, velocity) of two disks after they met; reach: sum of their radii."""
    apart, closing = b[0] - a[0], b[1] - a[1]
    overlap = reach * reach - apart @ apart
    if overlap <= 0.0 or apart @ closing >= 0.0:
        return a, b
    along, square = apart @ closing, closing @ closing + 1e-9
    since = (along + math.sqrt(along * along + square * overlap + 1e-12)) / square
    n = (apart - since * closing) / reach
    approach = -(closing @ n)
    given = 0.0 if approach <= rest_speed else restitution
    impulse = (1.0 + given) * approach / (1.0 / masses[0] + 1.0 / masses[1])
    ja, jb = -impulse / masses[0] * n, impulse / masses[1] * n
    return (a[0] + since * ja, a[1] + ja), (b[0] + since * jb, b[1] + jb)
