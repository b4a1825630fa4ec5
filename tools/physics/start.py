"""First states from measured ones: place and speed at the first frame, from the frames seen."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from tools.types import States

RATE_NAMES = {
    "x": "vx",
    "y": "vy",
    "angle": "spin",
    "s": "v",
    "gain": "d_gain",
    "red": "d_red",
    "green": "d_green",
    "blue": "d_blue",
}
"""Name of the rate that belongs to a coordinate."""


def value_and_rate(
    series: np.ndarray, dt: float, first: int = 6, times: np.ndarray | None = None
) -> tuple[float, float]:
    """Value and rate (per second) at frame 0 of a series (T,) with gaps (NaN), from its first
    ``first`` sightings.

    times: (T,) seconds of the frames where they are not ``dt`` apart. A straight line through two
    or three sightings, a parabola through more. Before the first sighting the line is extended
    backwards. (0, 0) when nothing is seen.

    >>> [round(number, 9) for number in value_and_rate(np.array([1.0, 3.0, 5.0]), 0.5)]
    [1.0, 4.0]
    """
    seen = np.flatnonzero(np.isfinite(series))[:first]
    if len(seen) == 0:
        return 0.0, 0.0
    if len(seen) == 1:
        return float(series[seen[0]]), 0.0
    origin = seen[0]
    order = 2 if len(seen) >= 5 else 1
    since = (seen - origin) * dt if times is None else times[seen] - times[origin]
    value, rate = (_reading(tuple(since.tolist()), order) @ series[seen]).tolist()
    before = rate * origin * dt if times is None else rate * (times[origin] - times[0])
    return float(value - before), rate


@lru_cache(maxsize=256)
def _reading(times: tuple[float, ...], order: int) -> np.ndarray:
    """(2, T) what value and rate at time 0 are of a series seen at some times (seconds), by the
    polynomial of that order that fits it best."""
    powers = np.polynomial.polynomial.polyvander(np.array(times), order)
    scale = np.linalg.norm(powers, axis=0)
    return (np.linalg.pinv(powers / scale) / scale[:, None])[:2]


def start_of(states: States, name: str, coordinates: Sequence[str], dt: float) -> dict[str, float]:
    """Coordinates of one object and their rates at frame 0: {"x": ..., "vx": ..., "y": ..., "vy":
    ...}; the rate of "angle" is called "spin"."""
    start: dict[str, float] = {}
    for coordinate in coordinates:
        start[coordinate], start[RATE_NAMES[coordinate]] = value_and_rate(
            states.column(f"{name}.{coordinate}"), dt, times=states.times
        )
    return start


STILL = 1.0
"""Pixels within which the first sightings of what stands still lie."""


def start_at_rest(
    states: States, name: str, coordinates: Sequence[str], dt: float
) -> dict[str, float]:
    """As ``start_of``, for an object that stands still at first: the median of each coordinate's
    first six sightings, and no rate. In a clip in which "x" or "y" changes by more than a pixel
    meanwhile, as ``start_of``."""
    first = {c: states.column(f"{name}.{c}") for c in coordinates}
    first = {c: series[np.isfinite(series)][:6] for c, series in first.items()}
    if any(len(v) == 0 or (c != "angle" and np.ptp(v) > STILL) for c, v in first.items()):
        return start_of(states, name, coordinates, dt)
    rates = dict.fromkeys((RATE_NAMES[c] for c in coordinates), 0.0)
    return {c: float(np.median(values)) for c, values in first.items()} | rates


def start_along(
    states: States, name: str, origin: tuple[float, float], axis: tuple[float, float], dt: float
) -> dict[str, float]:
    """{"s": distance along a line (origin, unit axis; pixels), "v": its rate} at frame 0."""
    along = (states.column(f"{name}.x") - origin[0]) * axis[0] + (
        states.column(f"{name}.y") - origin[1]
    ) * axis[1]
    value, rate = value_and_rate(along, dt, times=states.times)
    return {"s": value, "v": rate}


def start_of_angle(
    states: States, name: str, pivot: tuple[float, float] | str, dt: float
) -> dict[str, float]:
    """{"angle": direction (radians) from a pivot to an object, "spin": its rate} at frame 0; the
    pivot is a place or another object."""
    px, py = (
        (states.column(f"{pivot}.x"), states.column(f"{pivot}.y"))
        if isinstance(pivot, str)
        else pivot
    )
    angle = np.arctan2(states.column(f"{name}.y") - py, states.column(f"{name}.x") - px)
    seen = np.isfinite(angle)
    angle[seen] = np.unwrap(angle[seen])
    value, rate = value_and_rate(angle, dt, times=states.times)
    return {"angle": value, "spin": rate}


def typical(series: np.ndarray) -> float:
    """Median of what is seen of a series (T,); 1.0 when nothing is."""
    seen = series[np.isfinite(series)]
    return float(np.median(seen)) if len(seen) else 1.0


__all__ = ["RATE_NAMES", "start_along", "start_of", "start_of_angle", "typical", "value_and_rate"]
