"""From a program's states to the balls of the benchmark."""

from __future__ import annotations

import numpy as np

from benchmarks.phyworld.world import to_world
from tools.metrics.states import match_objects
from tools.types import States


def world_positions(predicted: States, truth: States, seen: int) -> np.ndarray:
    """(T, n, 2) world positions of the balls in ``predicted`` (pixels; rows from the first seen
    frame on).

    Objects are matched to the true balls by where they are in the ``seen`` first frames. A ball
    that has no counterpart, or whose prediction is missing, stays where it was last seen: a failure
    costs its whole speed instead of dropping out.
    """
    pairs = match_objects(predicted.cut(0, seen), truth.cut(0, seen))
    out = np.empty((len(predicted), len(truth.objects), 2))
    for ball, name in enumerate(truth.objects):
        last = np.array([truth.column(f"{name}.{axis}")[seen - 1] for axis in "xy"])
        out[:, ball] = _place(predicted, pairs.get(name), last)
    return to_world(out)


def _place(predicted: States, name: str | None, last: np.ndarray) -> np.ndarray:
    axes = [f"{name}.{axis}" for axis in "xy"]
    columns = [
        predicted.column(axis) if axis in predicted.columns else np.full(len(predicted), np.nan)
        for axis in axes
    ]
    place = np.stack(columns, axis=1)
    return np.where(np.isfinite(place), place, last)
