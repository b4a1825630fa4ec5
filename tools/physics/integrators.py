"""Integrators of second-order systems q'' = f(q, v): one frame at a time, on floats or arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Acceleration = Callable[[Any, Any], Any]
"""(q, v) -> q''; q and v are tuples of coordinates, each a float or an array."""


def _plus(a: tuple, b: tuple, factor: Any) -> tuple:
    return tuple(x + factor * y for x, y in zip(a, b, strict=True))


def rk4(q: tuple, v: tuple, acceleration: Acceleration, dt: float, substeps: int = 1) -> tuple[tuple, tuple]:
    """Classical fourth-order Runge-Kutta: (q, v) after dt seconds. Error per frame O(dt^5).

    >>> (x,), (speed,) = rk4((0.0,), (1.0,), lambda q, v: (-2.0,), 0.5)
    >>> round(x, 12), round(speed, 12)
    (0.25, 0.0)
    """
    h = dt / substeps
    for _ in range(substeps):
        a1 = acceleration(q, v)
        v2 = _plus(v, a1, h / 2)
        a2 = acceleration(_plus(q, v, h / 2), v2)
        v3 = _plus(v, a2, h / 2)
        a3 = acceleration(_plus(q, v2, h / 2), v3)
        v4 = _plus(v, a3, h)
        a4 = acceleration(_plus(q, v3, h), v4)
        q = tuple(x + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4) for x, k1, k2, k3, k4 in zip(q, v, v2, v3, v4, strict=True))
        v = tuple(x + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4) for x, k1, k2, k3, k4 in zip(v, a1, a2, a3, a4, strict=True))
    return q, v


def symplectic_euler(q: tuple, v: tuple, acceleration: Acceleration, dt: float, substeps: int = 1) -> tuple[tuple, tuple]:
    """Velocity first, then position with the new velocity: what most game engines do."""
    h = dt / substeps
    for _ in range(substeps):
        v = _plus(v, acceleration(q, v), h)
        q = _plus(q, v, h)
    return q, v


def explicit_euler(q: tuple, v: tuple, acceleration: Acceleration, dt: float, substeps: int = 1) -> tuple[tuple, tuple]:
    """Position with the old velocity, then velocity with the old acceleration: what many small simulators do."""
    h = dt / substeps
    for _ in range(substeps):
        q, v = _plus(q, v, h), _plus(v, acceleration(q, v), h)
    return q, v
