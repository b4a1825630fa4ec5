"""Bounded Levenberg-Marquardt that eliminates the latents of each video (``arrow``).

Where the program rolls out in batches, derivatives are recomputed for every step and several damping factors are tried at once;
where it does not, secant updates save rollouts, and derivatives are recomputed only when those stop helping.

Source: Marquardt (1963), scaled damping; robust losses by iteratively reweighted residuals.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tools.fitting.arrow import Arrow, damped_step, normal_equations
from tools.fitting.differences import linearise, secant
from tools.fitting.objective import Objective
from tools.fitting.problem import Point, Residuals, stack
from tools.fitting.solution import Solution

_TOLERANCE = 1e-7  # decrease of the cost, promised or found, relative to it, that ends the descent
_EXACT = 1e-12  # cost per residual below which nothing is left to explain
_FIRST_DAMPING = 1e-3
_TOGETHER = (0.01, 1.0, 100.0)  # factors on the damping that are tried in one batch
_ALONE = 10.0  # factor on the damping after a failure, one trial at a time
_MOST_DAMPING = 1e10
_STALE_TRIALS = 2  # failures with secant derivatives before they are recomputed


@dataclass(frozen=True)
class _At:
    """Where a descent stands."""

    point: Point
    residuals: Residuals
    cost: float


def solve(objective: Objective, start: Point, rng: np.random.Generator) -> Solution:
    """One descent from ``start``."""
    descend(objective, start)
    return Solution(objective, "least_squares")


def descend(objective: Objective, start: Point, iterations: int = 60) -> Point:
    """The local minimum that ``start`` leads to (the start itself when it is not finite); raises BudgetSpent."""
    problem, damping = objective.problem, _FIRST_DAMPING
    residuals, (cost,) = objective.evaluate(start)
    at, line, fresh = _At(start, residuals, cost), None, False
    if residuals.bad_total[0] or not problem.unknowns:
        return start
    for _ in range(iterations):
        if line is None:
            line, fresh = linearise(objective, at.point, at.residuals), True
        arrow = normal_equations(problem, line, objective.loss)
        found, damping = _improve(objective, at, arrow, damping, fresh)
        done = found is None or at.cost - found.cost <= _TOLERANCE * at.cost or found.cost <= _EXACT * problem.size
        if found is not None:
            line = None if problem.batched or done else secant(problem, line, at.point, found.point, found.residuals)
            at = found
        if done and fresh:
            break
        line, fresh = (None, True) if done else (line, False)
    return at.point


def _improve(objective: Objective, at: _At, arrow: Arrow, damping: float, fresh: bool) -> tuple[_At | None, float]:
    """A better point, or None when no damping (or, with stale derivatives, none of the first few) leads to one; and the damping
    to go on with."""
    for trial in range(100 if fresh else _STALE_TRIALS):
        factors = [damping * factor for factor in _TOGETHER] if objective.problem.batched else [damping]
        steps = [damped_step(objective.problem, arrow, at.point.theta[0], factor) for factor in factors]
        if trial == 0 and steps[0].promise <= _TOLERANCE * at.cost:
            return None, damping
        points = stack([step.applied(objective.problem, at.point) for step in steps])
        residuals, costs = objective.evaluate(points)
        best = int(np.argmin(costs))
        if costs[best] < at.cost:
            relaxed = factors[best] if len(factors) > 1 else factors[best] / _ALONE
            return _At(points[best], residuals[best], costs[best]), max(relaxed, 1e-12)
        damping = factors[-1] * _ALONE
        if damping > _MOST_DAMPING:
            break
    return None, damping if fresh else _FIRST_DAMPING
