"""Integrators of second-order systems q'' = f(q, v): one frame at a time, on floats or arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Acceleration = Callable[[Any, Any], Any]
"""(q, v) -> q''; q and v are tuples of coordinates, each a float or an array."""


Vector = tuple | np.ndarray
"""Coordinates as a tuple of numbers or, where all of them are NumPy arrays, as the rows of one
array: an operation on all of them is then one call."""


def _vectors(q: tuple, v: tuple, acceleration: Acceleration) -> tuple[Any, Any, Acceleration]:
    """q, v and an acceleration that takes and returns them."""
    if not all(isinstance(x, np.ndarray) and x.shape == q[0].shape for x in (*q, *v)):
        return q, v, acceleration

    def of_rows(q: np.ndarray, v: np.ndarray) -> np.ndarray:
        rows = np.empty_like(q)
        for k, values in enumerate(acceleration(tuple(q), tuple(v))):
            rows[k] = values
        return rows

    return np.array(q, np.float64), np.array(v, np.float64), of_rows


def _plus(a: Vector, b: Vector, factor: Any) -> Any:
    if isinstance(a, np.ndarray):
        return a + factor * b
    return tuple(x + factor * y for x, y in zip(a, b, strict=True))


def _simpson(x: Any, k1: Any, k2: Any, k3: Any, k4: Any, h: Any) -> Any:
    if isinstance(x, tuple):
        return tuple(_simpson(*each, h) for each in zip(x, k1, k2, k3, k4, strict=True))
    return x + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)


def rk4(
    q: tuple, v: tuple, acceleration: Acceleration, dt: float, substeps: int = 1
) -> tuple[tuple, tuple]:
    """Classical fourth-order Runge-Kutta: (q, v) after dt seconds. Error per frame O(dt^5).

    q, v: tuples of coordinates and of their rates. ``acceleration(q, v)`` gives the tuple q''. The
    same for all integrators.

    >>> (x,), (speed,) = rk4((0.0,), (1.0,), lambda q, v: (-2.0,), 0.5)
    >>> round(x, 12), round(speed, 12)
    (0.25, 0.0)
    """
    h = dt / substeps
    q, v, acceleration = _vectors(tuple(q), tuple(v), acceleration)
    for _ in range(substeps):
        a1 = acceleration(q, v)
        v2 = _plus(v, a1, h / 2)
        a2 = acceleration(_plus(q, v, h / 2), v2)
        v3 = _plus(v, a2, h / 2)
        a3 = acceleration(_plus(q, v2, h / 2), v3)
        v4 = _plus(v, a3, h)
        a4 = acceleration(_plus(q, v3, h), v4)
        q, v = _simpson(q, v, v2, v3, v4, h), _simpson(v, a1, a2, a3, a4, h)
    return tuple(q), tuple(v)


def symplectic_euler(
    q: tuple, v: tuple, acceleration: Acceleration, dt: float, substeps: int = 1
) -> tuple[tuple, tuple]:
    """Velocity first, then position with the new velocity: what most game engines do."""
    h = dt / substeps
    q, v, acceleration = _vectors(tuple(q), tuple(v), acceleration)
    for _ in range(substeps):
        v = _plus(v, acceleration(q, v), h)
        q = _plus(q, v, h)
    return tuple(q), tuple(v)


def explicit_euler(
    q: tuple, v: tuple, acceleration: Acceleration, dt: float, substeps: int = 1
) -> tuple[tuple, tuple]:
    """Position with the old velocity, then velocity with the old acceleration: what many small
    simulators do."""
    h = dt / substeps
    q, v, acceleration = _vectors(tuple(q), tuple(v), acceleration)
    for _ in range(substeps):
        q, v = _plus(q, v, h), _plus(v, acceleration(q, v), h)
    return tuple(q), tuple(v)
