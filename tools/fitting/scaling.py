"""Scales of measured attributes: noise, motion, angles.

Every residual of a fit is divided by the noise of its attribute; a loss reported to people is
divided by its motion.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tools import timing
from tools.columns import is_angle
from tools.fitting.data import Measured
from tools.physics import xp
from tools.types import Steps

QUANTISED_NOISE = 12**-0.5
"""Standard deviation of rounding to whole units: uniform on [-0.5, 0.5]."""

_LEAST_NOISE = 1e-4  # of the motion of the attribute's kind, when nothing else is known
_FEW_VALUES = 3  # so many different whole numbers may be chance
# a higher difference counts as removing motion when it has this share of the spread or less
_REMOVES = 0.5
_LEAST_CLAIM = 1e-6  # of the same, for a noise that perception claims


@dataclass(frozen=True)
class Scale:
    """noise: standard deviation of one measurement, at least what is assumed when nothing else is
    known. motion: root mean square distance from the first visible value, over the video where it
    is largest. quantised: measured values are whole numbers. shown: the noise that the measurements
    themselves show, 0 where they are exact. Unit of the attribute."""

    noise: float
    motion: float
    quantised: bool = False
    shown: float = 0.0


def wrap(difference: np.ndarray) -> np.ndarray:
    """Angle differences (radians) brought into [-pi, pi)."""
    return (difference + np.pi) % (2.0 * np.pi) - np.pi


def unwrapped(track: np.ndarray) -> np.ndarray:
    """A track of angles (T,) without jumps of a turn; NaN stays where it is."""
    seen, smooth = np.isfinite(track), track.copy()
    smooth[seen] = np.unwrap(track[seen])
    return smooth


def angle_columns(columns: Sequence[str]) -> np.ndarray:
    """(len(columns),) bool: which columns are angles."""
    return np.array([is_angle(column) for column in columns], bool)


def difference(predicted: np.ndarray, measured: np.ndarray, angles: np.ndarray) -> np.ndarray:
    """``predicted - measured`` over the last axis (columns), angle columns wrapped; NaN stays
    NaN."""
    gap = predicted - measured
    return xp.where(angles, wrap(gap), gap) if angles.any() else gap


def scales_of(data: Sequence[Measured]) -> dict[str, Scale]:
    """Column -> its scales over all videos, from the measurements alone, so that losses of
    different programs compare.

    Noise is the robust spread (median absolute deviation) of differences of high order, which a
    smooth motion hardly has and which a few jumps do not move. It is at least a ten-thousandth of
    the largest motion of the same kind (lengths, angles). Where columns hold whole numbers only,
    one of them more than a few different ones, they count as rounded.
    """
    columns = tuple(dict.fromkeys(column for one in data for column in one.states.columns))
    tracks = {
        column: [_track(one, column) for one in data if column in one.states.columns]
        for column in columns
    }
    steps = {column: [one.dt for one in data if column in one.states.columns] for column in columns}
    motion = {
        column: max((_motion(track) for track in tracks[column]), default=0.0) for column in columns
    }
    scales: dict[str, Scale] = {}
    for kind in (False, True):
        same = [column for column in columns if is_angle(column) == kind]
        largest = max([motion[column] for column in same], default=0.0) or 1.0
        whole = {column: _distinct_whole(tracks[column]) for column in same}
        rounded = max(whole.values(), default=0) > _FEW_VALUES
        scales |= {
            column: _scale(
                _difference_noise(tracks[column], steps[column]),
                motion[column],
                largest,
                rounded and whole[column] > 0,
            )
            for column in same
        }
    return scales


def noise_of(one: Measured, scales: Mapping[str, Scale]) -> np.ndarray:
    """(columns,) standard deviations to weigh one video with: the program's own where it states
    them, else estimated."""
    estimated = np.array([scales[column].noise for column in one.states.columns])
    if one.states.noise is None:
        return estimated
    motion = np.array([scales[column].motion for column in one.states.columns])
    return np.maximum(one.states.noise, _LEAST_CLAIM * motion)


def noise_shown(one: Measured, scales: Mapping[str, Scale]) -> np.ndarray:
    """(columns,) standard deviations as they are: the program's own where it states them, else what
    the measurements show."""
    return (
        np.array([scales[column].shown for column in one.states.columns])
        if one.states.noise is None
        else np.asarray(one.states.noise)
    )


def _track(one: Measured, column: str) -> np.ndarray:
    values = one.states.column(column)
    return unwrapped(values) if is_angle(column) else values


def _motion(track: np.ndarray) -> float:
    seen = track[np.isfinite(track)]
    return float(np.sqrt(np.mean((seen - seen[0]) ** 2))) if len(seen) else 0.0


def _scale(noise: float, motion: float, largest: float, quantised: bool) -> Scale:
    noise = QUANTISED_NOISE if quantised else noise
    return Scale(max(noise, _LEAST_NOISE * largest), motion, quantised, noise)


def _distinct_whole(tracks: list[np.ndarray]) -> int:
    """Number of different values when all of them are whole numbers, else 0."""
    values = np.concatenate([track[np.isfinite(track)] for track in tracks])
    return len(np.unique(values)) if (values == np.rint(values)).all() else 0


def _difference_noise(tracks: list[np.ndarray], steps: list[Steps]) -> float:
    """Spread of differences of order 3, or higher where that still removes motion (second ones for
    short tracks).

    The difference of order n of white noise has the variance (2 n over n) times that of the noise.
    """
    spreads = [
        spread for order in (3, 4, 5) if (spread := _spread(tracks, steps, order)) is not None
    ]
    if not spreads:
        return _spread(tracks, steps, 2, least=2) or 0.0
    noise = spreads[0]
    for spread in spreads[1:]:
        noise = spread if spread < _REMOVES * noise else noise
    return noise


def _spread(
    tracks: list[np.ndarray], steps: list[Steps], order: int, least: int = 5
) -> float | None:
    differences = np.concatenate(
        [
            timing.divided_differences(track, order, dt)
            for track, dt in zip(tracks, steps, strict=True)
        ]
    )
    differences = differences[np.isfinite(differences)]
    if len(differences) < least:
        return None
    return float(1.4826 * np.median(np.abs(differences)) / math.comb(2 * order, order) ** 0.5)
