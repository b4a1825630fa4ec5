"""Wrong measurements: found as residuals far outside the bulk, and given less weight by a robust loss."""

from __future__ import annotations

import numpy as np

from tools.fitting import least_squares
from tools.fitting.objective import EXPLAINED, Objective
from tools.fitting.problem import Point, Problem, Residuals
from tools.fitting.robust import Loss

FAR = 6.0
"""Residual, in units of the bulk's spread, beyond which a measurement is called wrong."""

_MOST = 0.15  # share of measurements that may be wrong; more than that is a wrong program
_ROUNDS = 4  # descents with a threshold that shrinks to the noise
_GAUSSIAN = 1.4826  # standard deviation over median absolute deviation


def robust(objective: Objective, point: Point) -> Objective | None:
    """An objective under a Huber loss, its best point fitted, if that explains all but a few measurements; else None.

    The threshold follows the spread of the bulk of the residuals, so that a fit that a gross outlier has bent recovers.
    """
    trial = None
    for _ in range(_ROUNDS):
        spread = bulk(objective.problem, objective.problem.residuals(point))
        trial = objective.under(Loss("huber", 3.0 * max(1.0, spread)))
        point = least_squares.descend(trial, point)
        if spread <= 1.0:
            break
    residuals = objective.problem.residuals(point)
    spread = bulk(objective.problem, residuals)
    far = far_share(objective.problem, residuals, spread)
    return trial if spread**2 <= EXPLAINED and 0.0 < far <= _MOST else None


def bulk(problem: Problem, residuals: Residuals) -> float:
    """Robust standard deviation of the residuals that are compared, in units of noise."""
    values = compared(problem, residuals)
    return float(_GAUSSIAN * np.median(np.abs(values))) if len(values) else 0.0


def far_share(problem: Problem, residuals: Residuals, spread: float) -> float:
    """Share of the compared residuals further out than ``FAR`` times the spread (at least the noise)."""
    values = compared(problem, residuals)
    return float(np.mean(np.abs(values) > FAR * max(spread, 1.0))) if len(values) else 0.0


def compared(problem: Problem, residuals: Residuals) -> np.ndarray:
    """(N,) residuals of one point where there is something to compare."""
    parts = [values[0][(group.weight > 0).reshape(len(group), -1)] for group, values in zip(problem.groups, residuals.values, strict=True)]
    return np.concatenate(parts) if parts else np.zeros(0)
