"""Where a body goes on to: the simplest course that foretold its own last places, or, of two
pictures, what is likely beforehand."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

FALL = 2.88
"""Picture heights per s² with which things fall in a side view, before anything is measured."""
_REST = 0.6  # pixels a frame below which a body is taken to rest
_ORIGINS = 2  # places at the end that a course must have foretold
_DEARER = 0.7  # an acceleration must leave at most this share of the error of a straight line
_DROPS = 3.0  # times as fast down as aside: what rolls down a slope does not
_SLOWS = -0.97  # cosine of acceleration and velocity from which on friction is at work


@dataclass(frozen=True)
class Course:
    """What a body does from the last frame on. place, velocity, acceleration: (3,) x, y, angle in
    pixels, radians and seconds. stops: it slows down to rest instead of turning back. says: in
    words."""

    place: np.ndarray
    velocity: np.ndarray
    acceleration: np.ndarray
    stops: bool
    says: str

    @property
    def rests(self) -> bool:
        """Nothing is foretold to change."""
        return not (self.velocity.any() or self.acceleration.any())

    @property
    def drops(self) -> bool:
        """Whether it goes down, and hardly aside."""
        return bool(self.velocity[1] > _DROPS * abs(self.velocity[0]))


def resting(place: np.ndarray, says: str) -> Course:
    """The course of what stays where it is."""
    return Course(place, np.zeros(3), np.zeros(3), True, says)


def course(places: np.ndarray, seconds: np.ndarray, radius: float) -> Course:
    """From three places or more: rest, a straight line, or a constant acceleration.

    places: (T, 3), the last finite. Each is fitted to the last few places, as many as foretold the
    last two places best; what foretells them no better than standing still is rest.
    """
    known = np.isfinite(places).all(axis=1)
    p, t = places[known] * (1.0, 1.0, radius), seconds[known]
    last = p[-1] / (1.0, 1.0, radius)
    steps = np.abs(np.diff(p[-3:], axis=0)).max() if len(p) > 1 else 0.0
    if len(p) < 3 or steps < _REST:
        return resting(last, "at rest" if steps < _REST else "seen too briefly to foretell")
    straight = min((_missed(p, t, 1, n), n) for n in range(2, len(p)))
    bent = min(((_missed(p, t, 2, n), n) for n in range(3, len(p))), default=(np.inf, 0))
    still = _held(p)
    order, (missed, n) = (2, bent) if bent[0] < _DEARER * straight[0] else (1, straight)
    if missed >= still:
        return resting(last, "moves in a way that its last places do not tell; left where it was")
    c = _fitted(p[-n - 1 :], t[-n - 1 :] - t[-1], order)
    velocity, acceleration = c[1], 2 * c[2] if order == 2 else np.zeros(3)
    scale = np.array([1.0, 1.0, radius])
    return Course(
        last,
        velocity / scale,
        acceleration / scale,
        _slows(velocity, acceleration),
        "constant acceleration" if order == 2 else "constant velocity",
    )


def _slows(velocity: np.ndarray, acceleration: np.ndarray) -> bool:
    """Whether friction is the likelier cause: against the motion, and that not up or down."""
    size = float(np.linalg.norm(velocity) * np.linalg.norm(acceleration))
    against = size > 0 and float(velocity @ acceleration) < _SLOWS * size
    return against and abs(velocity[0]) > abs(velocity[1])


def _fitted(p: np.ndarray, t: np.ndarray, order: int) -> np.ndarray:
    """(order + 1, 3) coefficients of 1, t, t²."""
    return np.linalg.lstsq(np.vander(t, order + 1, increasing=True), p, rcond=None)[0]


def _missed(p: np.ndarray, t: np.ndarray, order: int, count: int) -> float:
    """Mean error of the last places, each foretold from the ``count`` before it (all there are)."""
    errors = []
    for k in range(len(p) - _ORIGINS, len(p)):
        first = max(0, k - count)
        if k - first <= order:
            continue
        c = _fitted(p[first:k], t[first:k] - t[k], order)
        errors.append(float(np.linalg.norm(c[0] - p[k])))
    return float(np.mean(errors)) if errors else np.inf


def _held(p: np.ndarray) -> float:
    """The same error of repeating the place before."""
    return float(np.mean(np.linalg.norm(p[-_ORIGINS:] - p[-_ORIGINS - 1 : -1], axis=1)))


def between(
    first: np.ndarray, last: np.ndarray, gap: float, height: int, falls: bool, stands: bool
) -> tuple[Course, str]:
    """From two places ``gap`` seconds apart: the course from the last on, and how it came there
    ("fell" or "went").

    falls: it moved down in a side view. stands: something holds it up now. Two places cannot
    judge each other: that things fall from rest, stay where something holds them, and else go on
    as they went, is prior.
    """
    way = last - first
    if stands:
        says = "something holds it up: taken to rest (two frames cannot tell)"
        return resting(last, says), "fell" if falls else "went"
    if falls:
        pull = min(2 * way[1] / gap**2, FALL * height)
        velocity = np.array([way[0] / gap, pull * gap, way[2] / gap])
        says = "nothing holds it up: falls from rest (prior; two frames cannot tell)"
        return Course(last, velocity, np.array([0.0, pull, 0.0]), False, says), "fell"
    says = "goes on at its mean velocity (prior; two frames cannot tell)"
    return Course(last, way / gap, np.zeros(3), False, says), "went"
