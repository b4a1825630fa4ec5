"""Places against what the frames before foretold, in standard errors.

Each body has the predictor that foretells it best: a polynomial of degree 1 to 3 through the last
few places. The standard error of a forecast is the robust spread of this body's own errors, never
below what the pixel grid leaves, and wider where the last forecasts already missed.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from math import comb

import numpy as np

FLAG = 5.0
"""Standard errors from which on a forecast counts as broken."""
_GRID = 0.03  # pixels: error of the place of a patch of radius 10; falls with its root
_ROUNDED, _WHOLE = 0.4, 0.06
"""The same of a drawing that rounds to whole pixels, and how near to whole its steps are then."""
_PREDICTORS = ((1, 2), (1, 4), (2, 3), (2, 5), (3, 4), (3, 6), (4, 7))  # degree, places
_WIDER = 0.6  # of the last misses, what the next one may be
_FEW, _AT_FIRST = 3, 2.0  # forecasts, and by how much their errors count more before so many
_MOST = 0.75  # share of the forecasts by whose errors predictors are compared
_SPREAD = 1.3  # of the robust spread: tails are heavier than a normal's


@dataclass(frozen=True)
class Foretold:
    """ahead: (T, 2) place foretold from the frames before, NaN where too few. strength: (T,) gap to
    the place seen in standard errors, NaN where there is no forecast. error: (T,) standard error,
    pixels. velocity: (T, 2) pixels a frame at the frame before, as foretold. starts: frames at
    which forecasts begin anew. count: places that
    a forecast needs."""

    ahead: np.ndarray
    strength: np.ndarray
    error: np.ndarray
    velocity: np.ndarray
    count: int


@cache
def _weights(times: tuple[int, ...], degree: int, derivative: int) -> np.ndarray:
    """(n,) weights that the value (or first derivative) at 0 of a least-squares polynomial gives to
    values at ``times``."""
    base = np.vander(np.array(times, float), degree + 1, increasing=True)
    row: np.ndarray = np.linalg.pinv(base)[derivative]
    return row


def foretold(places: np.ndarray, radius: float, restarts: frozenset[int]) -> Foretold:
    """places: (T, 2), NaN where not seen. restarts: frames from which on nothing before counts."""
    tried, least = [], place_error(places, radius)
    for degree, count in _PREDICTORS:
        ahead, velocity, factor = _ahead(places, degree, count, restarts)
        missed = np.linalg.norm(places - ahead, axis=1)
        known = np.isfinite(missed)
        if known.sum() < 4:
            continue
        floor = least * factor
        error = np.maximum(_spread(missed[known]), floor)
        usual = float(np.quantile(np.maximum(missed[known], floor[known]), _MOST))
        tried.append((usual, count, ahead, velocity, error, missed))
    if not tried:
        nan = np.full(len(places), np.nan)
        return Foretold(np.full((len(places), 2), np.nan), nan, nan, np.zeros((len(places), 2)), 1)
    _, count, ahead, velocity, error, missed = min(tried, key=lambda row: row[:2])
    error = _wider(missed, error, restarts)
    return Foretold(ahead, missed / error, error, velocity, count)


def _ahead(
    places: np.ndarray, degree: int, count: int, restarts: frozenset[int]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Forecasts, velocities and how much noise each forecast takes in."""
    length = len(places)
    ahead, velocity = np.full((length, 2), np.nan), np.zeros((length, 2))
    factor = np.full(length, np.nan)
    seen = np.isfinite(places[:, 0])
    first = 0
    for t in range(length):
        if t in restarts:
            first = t
        known = np.nonzero(seen[first:t])[0][-count:] + first
        if len(known) < count or known[0] < t - count - 2:
            continue
        row = _weights(tuple(known - t), degree, 0)
        ahead[t] = row @ places[known]
        velocity[t] = _weights(tuple(known - t + 1), degree, 1) @ places[known]
        factor[t] = np.sqrt(1 + float(row @ row))
    return ahead, velocity, factor


def place_error(places: np.ndarray, radius: float) -> float:
    """Standard error of a coordinate of a place (T, 2), pixels."""
    return max(grid(places, radius), jitter(places))


def grid(places: np.ndarray, radius: float) -> float:
    """Least standard error of a place, pixels: large where a drawing moves in whole pixels."""
    steps = np.diff(places, axis=0)
    steps = steps[np.nan_to_num(np.abs(steps)) > 0.3]
    if len(steps) >= 4 and (np.abs(steps - np.rint(steps)) < _WHOLE).mean() > 0.9:
        return _ROUNDED
    return float(_GRID / np.sqrt(max(radius, 1.0) / 10))


def jitter(places: np.ndarray) -> float:
    """Usual error of a coordinate while the body moves, pixels: the least that third to sixth
    differences leave, of which smooth motion makes hardly any. 0 where too few places follow each
    other. A coordinate that stands is left out: a codec copies it without any error."""
    left = (_left(places, n) for n in _DIFFERENCES)
    return min((error for error in left if error is not None), default=0.0)


def aside(way: np.ndarray) -> float:
    """Usual error of the second coordinate of an unrolled way (T, 2), pixels, which stands."""
    off = way[np.isfinite(way[:, 1]), 1]
    return float(np.median(np.abs(off - np.median(off)))) / 0.6745 if len(off) else 0.0


def _left(places: np.ndarray, n: int) -> float | None:
    """Usual ``n``-th difference of places that move, of that which an error of 1 makes; None where
    too few move."""
    if len(places) <= n:
        return None
    windows = np.lib.stride_tricks.sliding_window_view(places, n + 1, axis=0)
    moves = np.ptp(windows, axis=2) > _MOVES
    known = np.abs(np.diff(places, n=n, axis=0))[moves]
    if len(known) < _ENOUGH:
        return None
    return float(np.median(known)) / (0.6745 * np.sqrt(comb(2 * n, n)))


_DIFFERENCES = (3, 4, 5, 6)
_ENOUGH = 8  # differences that tell an error
_MOVES = 1.0  # pixels within as many frames from which on a coordinate does not stand


def _spread(missed: np.ndarray) -> float:
    """Standard deviation of one coordinate from distances, by the median and by the 75th per cent
    (Rayleigh), so that a few broken forecasts do not count."""
    middle, high = np.quantile(missed, [0.5, 0.75])
    return _SPREAD * max(float(middle) / 1.177, min(float(high) / 1.665, 4 * float(middle)))


def _wider(missed: np.ndarray, error: np.ndarray, restarts: frozenset[int]) -> np.ndarray:
    """Standard errors that grow with the misses of the last three frames that were no breaks, and
    are larger while there are fewer since forecasts began anew: a motion may begin more violently
    than it goes on."""
    wide, last = error.copy(), list[float]()
    for t in range(len(missed)):
        if t in restarts:
            last.clear()
        if len(last) < _FEW:
            wide[t] = max(_AT_FIRST * error[t], _WIDER * max(last, default=0.0))
        else:
            wide[t] = max(error[t], _WIDER * max(last[-_FEW:]))
        if np.isfinite(missed[t]) and missed[t] < FLAG * wide[t]:
            last.append(float(missed[t]))
    return wide
