"""Jumps of velocity that no single second difference shows: drawn on whole pixels, or measured with
noise, a bounce drowns there, and stands out in the courses of several frames before and after."""

from __future__ import annotations

import numpy as np

from tools import timing
from tools.timing import Steps

WINDOW = 6
"""Frames before and after a jump that tell it."""
PLACES = (-0.5, -0.25, 0.0, 0.25, 0.5)
"""Where between two frames it may fall, in frames from their middle."""
BETTER = 3.0
"""How many times smaller the squares left by a jump are than those left by the smoothest course of
as many coefficients."""
CLEARER = 20.0
"""How much smaller they are at least, in variances of the noise: ten nats, for a jump may be looked
for in every frame of every path."""
NOISY = 2.0
"""Variance that a jump may leave, in variances of the noise."""
SHARP = 0.12
"""Least jump, as a share of the speed."""


def breaks(xy: np.ndarray, sigma: float, dt: Steps = 1.0) -> list[int]:
    """Frames t such that the velocity of a path (T, 2) px jumps between t - 1 and t. sigma: noise
    of its places, px. dt: seconds between frames, one number or one a step.

    A parabola with a kink is weighed against a cubic, which has as many coefficients, in windows of
    2 * WINDOW frames; a quintic, which has two more, must not do better either.
    """
    times = timing.places(len(xy), dt)
    gains = np.zeros(len(xy))
    for t in range(WINDOW, len(xy) - WINDOW + 1):
        window = slice(t - WINDOW, t + WINDOW)
        if np.isfinite(xy[window]).all():
            u = times[window] - times[t - 1 : t + 1].mean()
            gains[t] = _gain(u, xy[window], max(sigma, 0.02))
    found = []
    while gains.max(initial=0.0) > 0.0:
        t = int(gains.argmax())
        found.append(t)
        gains[max(0, t - WINDOW + 1) : t + WINDOW] = 0.0
    return sorted(found)


def arrests(xy: np.ndarray, sigma: float, dt: Steps = 1.0) -> list[int]:
    """Frames nearest to which what moved at an even pace stands at once, or what stood moves at
    once: a path (T, 2) px that swings bends elsewhere as much as there."""
    steps = np.hypot(*timing.strides(xy, dt).T)
    found = set()
    for pace, last in ((steps, 0), (steps[::-1], len(xy) - 1)):
        for k in range(EVEN, len(pace) - EVEN):
            before, after = pace[k - EVEN : k], pace[k + 1 : k + 1 + EVEN]
            if not (np.isfinite(before).all() and np.isfinite(after).all()):
                continue
            even = before.min() > EVENLY * before.max() and before[-1] > max(0.5, 8.0 * sigma)
            if even and after.max() < STANDS * before[-1] and pace[k] < 1.1 * before[-1]:
                found.add(abs(last - (k + int(pace[k] > 0.5 * before[-1]))))
    return sorted(found)


EVEN, EVENLY, STANDS = 3, 0.75, 0.1
"""Frames before and after; the slowest step of the first by the fastest; and the fastest step of the
others by the last of the first."""


def _gain(u: np.ndarray, xy: np.ndarray, sigma: float) -> float:
    """How much better a jump explains a window (n, 2) at times u (n,) than a cubic, in variances of
    the noise; 0 where it is none."""
    parabola = np.vander(u, 3)
    smooth = _left(np.column_stack([parabola, u**3]), xy)[0]
    kinked = [_left(np.column_stack([parabola, np.maximum(u - s, 0.0)]), xy) for s in PLACES]
    left, fit = min(kinked, key=lambda pair: pair[0])
    freedom = 2 * (len(u) - 4) - 1
    jump, speed = float(np.hypot(*fit[3])), float(np.hypot(*fit[1]))
    if left > NOISY * sigma**2 * freedom or jump < SHARP * max(speed, jump - speed):
        return 0.0
    clear = smooth > BETTER * left and smooth - left > CLEARER * sigma**2
    clear = clear and _left(np.vander(u, 6), xy)[0] > left  # whatever is smooth
    return (smooth - left) / sigma**2 if clear else 0.0


def _left(design: np.ndarray, xy: np.ndarray) -> tuple[float, np.ndarray]:
    """Sum of squares that least squares leave, and the coefficients."""
    fit = np.linalg.lstsq(design, xy, rcond=None)[0]
    return float(((design @ fit - xy) ** 2).sum()), fit
