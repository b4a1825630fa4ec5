"""Errors of predicted states against true ones, whatever names a program gave its objects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from tools.types import States

_FAR = 1e6


@dataclass(frozen=True)
class StateError:
    """One true column. column: its name. matched: the predicted column compared with it. rmse: root
    of the mean squared difference over frames where both are known, in the column's unit (angles
    wrapped to half a turn). spread: the same after taking the mean difference off, because another
    reference point or zero angle is no error of motion."""

    column: str
    matched: str
    rmse: float
    spread: float


def state_errors(predicted: States, truth: States) -> tuple[StateError, ...]:
    """Compare position and angle columns of both tables (same frames, pixels and radians); objects
    are matched by where they are.

    True objects without a counterpart are left out, so compare the number of columns with what was
    expected.
    """
    errors = []
    for real, mine in match_objects(predicted, truth).items():
        for attribute in ("x", "y", "angle"):
            columns = f"{real}.{attribute}", f"{mine}.{attribute}"
            if columns[0] in truth.columns and columns[1] in predicted.columns:
                gaps = predicted.column(columns[1]) - truth.column(columns[0])
                errors.append(_error(*columns, _wrapped(gaps) if attribute == "angle" else gaps))
    return tuple(errors)


def match_objects(predicted: States, truth: States) -> Mapping[str, str]:
    """True object -> predicted object, one to one, so that the sum of mean distances is
    smallest."""
    real, mine = truth.objects, predicted.objects
    cost = np.array([[_distance(predicted, b, truth, a) for b in mine] for a in real]).reshape(
        len(real), len(mine)
    )
    rows, columns = linear_sum_assignment(cost)
    return {real[r]: mine[c] for r, c in zip(rows, columns, strict=True) if cost[r, c] < _FAR}


def _distance(predicted: States, mine: str, truth: States, real: str) -> float:
    gaps = [
        predicted.column(f"{mine}.{k}") - truth.column(f"{real}.{k}")
        for k in "xy"
        if f"{real}.{k}" in truth.columns and f"{mine}.{k}" in predicted.columns
    ]
    if not gaps:
        return _distance_of_angles(predicted, mine, truth, real)
    lengths = np.sqrt(np.sum(np.square(gaps), axis=0))
    return float(np.nanmean(lengths)) if np.isfinite(lengths).any() else _FAR


def _distance_of_angles(predicted: States, mine: str, truth: States, real: str) -> float:
    """For true objects that are known by their angle alone: how differently the two turn, in
    radians, worse than any position."""
    if f"{real}.angle" not in truth.columns or f"{mine}.angle" not in predicted.columns:
        return _FAR
    gaps = np.diff(_wrapped(predicted.column(f"{mine}.angle") - truth.column(f"{real}.angle")))
    return float(np.nanmean(np.abs(gaps))) if np.isfinite(gaps).any() else _FAR


def _error(column: str, matched: str, gaps: np.ndarray) -> StateError:
    known = gaps[np.isfinite(gaps)]
    if not known.size:
        return StateError(column, matched, float("nan"), float("nan"))
    return StateError(column, matched, float(np.sqrt(np.mean(known**2))), float(np.std(known)))


def _wrapped(angles: np.ndarray) -> np.ndarray:
    return (angles + np.pi) % (2 * np.pi) - np.pi
