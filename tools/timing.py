"""Seconds between frames, even or not.

``Steps`` (tools.types) is one number where frames are evenly spaced, else one number a step. Every
function here computes with the one number exactly as its caller would, so that an evenly spaced
clip gives the same numbers to the last digit.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tools.types import Steps, Video


def usual_step(dt: Steps) -> float:
    """The one step, or the median of them."""
    return float(np.median(dt)) if isinstance(dt, np.ndarray) else dt


def step_at(dt: Steps, t: int) -> float:
    """Seconds from frame ``t`` to the next; beyond the last known step, the usual one."""
    if not isinstance(dt, np.ndarray):
        return dt
    return float(dt[t]) if 0 <= t < len(dt) else usual_step(dt)


def elapsed(dt: Steps, frames: Any, since: int = 0) -> Any:
    """Seconds from frame ``since`` to ``frames`` (a number or an array of them); steps beyond the
    known ones are usual ones."""
    if not isinstance(dt, np.ndarray):
        return (frames - since) * dt
    beyond = max(int(np.max(frames, initial=0)) - len(dt), 0)
    seconds = np.concatenate([[0.0], np.cumsum(np.append(dt, np.full(beyond, usual_step(dt))))])
    return seconds[frames] - seconds[since]


def steps_between(dt: Steps, start: int, stop: int) -> Steps:
    """The steps of frames ``start`` to ``stop`` (exclusive)."""
    return dt[start : max(stop - 1, start)] if isinstance(dt, np.ndarray) else dt


def continued(seen: Video, ahead: np.ndarray | None, horizon: int) -> np.ndarray | None:
    """(T + horizon,) seconds of the frames of a clip and of those after it, None where all are
    ``seen.dt`` apart. ahead: (horizon,) of the latter since the first frame, None for the usual
    step."""
    if seen.times is None and ahead is None:
        return None
    known = seen.seconds
    usual = known[-1] + seen.dt * np.arange(1, horizon + 1)
    return np.concatenate([known, usual if ahead is None else ahead])


def picked(dt: Steps, frames: np.ndarray) -> Steps:
    """The steps between those of all frames that ``frames`` (T,) bool picks; an even clip without
    gaps keeps its one step."""
    at = np.flatnonzero(frames)
    if isinstance(dt, np.ndarray):
        return np.diff(elapsed(dt, at))
    gaps = np.diff(at)
    return gaps * float(dt) if (gaps > 1).any() else dt


def places(count: int, dt: Steps) -> np.ndarray:
    """(count,) moments of the frames in usual steps: 0, 1, 2, ... where they are evenly spaced."""
    frames = np.arange(count)
    return elapsed(dt, frames) / usual_step(dt) if isinstance(dt, np.ndarray) else frames


def strides(series: np.ndarray, dt: Steps) -> np.ndarray:
    """(T - 1, ...) how far a series moves in each step, brought to a usual step."""
    if not isinstance(dt, np.ndarray):
        return series[1:] - series[:-1]
    steps = dt[: len(series) - 1].reshape(-1, *[1] * (series.ndim - 1))
    return (series[1:] - series[:-1]) / steps * usual_step(dt)


def divided_differences(series: np.ndarray, order: int, dt: Steps) -> np.ndarray:
    """Differences of ``order`` of a series (T, ...) that any polynomial course of a lower degree
    leaves at zero, (T - order, ...).

    On uneven steps they are divided differences, scaled to carry as much of white noise as the even
    ones do: its standard deviation times sqrt(2 order over order).
    """
    if not isinstance(dt, np.ndarray) or len(series) <= order:
        return np.diff(series, order, axis=0)
    seconds = elapsed(dt, np.arange(len(series)))
    index = np.arange(len(series) - order)[:, None] + np.arange(order + 1)
    gaps = seconds[index][:, :, None] - seconds[index][:, None, :]
    gaps[:, np.arange(order + 1), np.arange(order + 1)] = 1.0
    weights = 1.0 / gaps.prod(2)
    weights *= (math.comb(2 * order, order) / (weights**2).sum(1, keepdims=True)) ** 0.5
    return np.einsum("kj,kj...->k...", weights, series[index])


def bends(series: np.ndarray, dt: Steps) -> np.ndarray:
    """Second differences (T - 2, ...) of a series, in its unit: acceleration times the square of
    the usual step."""
    if not isinstance(dt, np.ndarray):
        return series[2:] - 2 * series[1:-1] + series[:-2]
    steps = dt[: len(series) - 1].reshape(-1, *[1] * (series.ndim - 1))
    return np.diff(strides(series, dt), axis=0) * (2.0 * usual_step(dt) / (steps[1:] + steps[:-1]))
