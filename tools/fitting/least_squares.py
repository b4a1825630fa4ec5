"""Bounded Levenberg-Marquardt that eliminates the latents of each video (``arrow``).

Where the program rolls out in batches, derivatives are recomputed for every step and several
damping factors are tried at once; where it does not, secant updates save rollouts, and derivatives
are recomputed only when those stop helping.

Source: Marquardt (1963), scaled damping; robust losses by iteratively reweighted residuals.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tools.fitting.arrow import Arrow, Step, damped_step, normal_equations, projected
from tools.fitting.differences import Linearised, linearise, secant
from tools.fitting.objective import Objective
from tools.fitting.problem import Point, Residuals, stack
from tools.fitting.solution import Solution

_TOLERANCE = 1e-7  # decrease of the cost, promised or found, relative to it, that ends the descent
_EXACT = 1e-12  # cost per residual below which nothing is left to explain
_FIRST_DAMPING = 1e-3
_TOGETHER = (0.01, 1.0, 100.0)  # factors on the damping that are tried in one batch
_ALONE = 10.0  # factor on the damping after a failure, one trial at a time
_MOST_DAMPING = 1e10
_AHEAD = 0.1  # share of a step after which its curvature is measured
_WINDOW, _CREEP = (
    10,
    5e-3,
)  # so many steps that together lower the cost by less than this share creep
# cost per compared value, above that of noise, from which a descent that creeps is given up
_FAR = 2.0
_STALE_TRIALS = 2  # failures with secant derivatives before they are recomputed


@dataclass(frozen=True)
class _At:
    """Where a descent stands. straight: the least damped step was the best one so far."""

    point: Point
    residuals: Residuals
    cost: float
    straight: bool = True


def solve(objective: Objective, start: Point, rng: np.random.Generator) -> Solution:
    """One descent from ``start``."""
    descend(objective, start)
    return Solution(objective, "least_squares")


def descend(objective: Objective, start: Point, iterations: int = 200) -> Point:
    """The local minimum that ``start`` leads to (the start itself when it is not finite); raises
    BudgetSpent.

    A descent that creeps far above the noise, as along the kinks of contacts at wrong times, is
    given up.
    """
    problem, damping, costs = objective.problem, _FIRST_DAMPING, []
    residuals, (cost,) = objective.evaluate(start)
    at, line, fresh = _At(start, residuals, cost), None, False
    if residuals.bad_total[0] or not problem.unknowns:
        return start
    for _ in range(iterations):
        if line is None:
            line, fresh = linearise(objective, at.point, at.residuals), True
        arrow = normal_equations(problem, line, objective.loss)
        found, damping = _improve(objective, at, line, arrow, damping, fresh)
        done = (
            found is None
            or at.cost - found.cost <= _TOLERANCE * at.cost
            or found.cost <= _EXACT * problem.size
        )
        if found is not None:
            line = (
                None
                if problem.batched or done
                else secant(problem, line, at.point, found.point, found.residuals)
            )
            at = found
        costs.append(at.cost)
        if (done and fresh) or (at.cost > _FAR * problem.size and _creeps(costs)):
            break
        line, fresh = (None, True) if done else (line, False)
    return at.point


def _creeps(costs: Sequence[float]) -> bool:
    return len(costs) > _WINDOW and costs[-1] > (1.0 - _CREEP) * costs[-1 - _WINDOW]


def _improve(
    objective: Objective, at: _At, line: Linearised, arrow: Arrow, damping: float, fresh: bool
) -> tuple[_At | None, float]:
    """A better point, or None when no damping (or, with stale derivatives, none of the first few)
    leads to one; and the damping to go on with."""
    problem = objective.problem
    for trial in range(100 if fresh else _STALE_TRIALS):
        factors = [damping * factor for factor in _TOGETHER] if problem.batched else [damping]
        steps = [damped_step(problem, arrow, at.point.theta[0], factor) for factor in factors]
        if trial == 0 and steps[0].promise <= _TOLERANCE * at.cost:
            return None, damping
        if problem.batched and not (at.straight and trial == 0):
            steps += _bent(objective, at, line, arrow, steps, factors)
        points = stack([step.applied(problem, at.point) for step in steps])
        residuals, costs = objective.evaluate(points)
        best = int(np.argmin(costs))
        if costs[best] < at.cost:
            factor = factors[best % len(factors)]
            straight = best % len(factors) == 0 and trial == 0
            return _At(points[best], residuals[best], costs[best], straight), max(
                factor if len(factors) > 1 else factor / _ALONE, 1e-12
            )
        damping = factors[-1] * _ALONE
        if damping > _MOST_DAMPING:
            break
    return None, damping if fresh else _FIRST_DAMPING


def _bent(
    objective: Objective,
    at: _At,
    line: Linearised,
    arrow: Arrow,
    steps: list[Step],
    factors: list[float],
) -> list[Step]:
    """The steps with geodesic acceleration: bent along the curve of the residuals, which narrow
    valleys need."""
    problem = objective.problem
    ahead, _ = objective.evaluate(
        stack([step.scaled(_AHEAD).applied(problem, at.point) for step in steps])
    )
    bent = []
    for k, (step, factor) in enumerate(zip(steps, factors, strict=True)):
        curvature = tuple(
            2.0
            / _AHEAD
            * ((there[k] - here) / _AHEAD - jt @ step.theta - np.einsum("vnq,vq->vn", jl, move))
            for there, here, jt, jl, move in zip(
                ahead.values, line.values, line.theta, line.latents, step.latents, strict=True
            )
        )
        turn = damped_step(
            problem,
            projected(problem, line, objective.loss, arrow, curvature),
            at.point.theta[0],
            factor,
        )
        bent.append(step.plus(turn.scaled(0.5)))
    return bent
