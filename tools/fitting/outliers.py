"""What a fit leaves: whether that is noise, whether it is worth going on, and wrong measurements,
found as residuals far outside the bulk and given less weight by a robust loss."""

from __future__ import annotations

import numpy as np

from tools.fitting import least_squares
from tools.fitting.objective import Objective
from tools.fitting.problem import Point, Problem, Residuals
from tools.fitting.robust import Loss

EXPLAINED = 2.5
"""Mean squared residual, in units of noise and corrected for the fitted numbers, up to which a fit
explains its data (more where there are few measurements, because their noise is not well known
then)."""

FAR = 6.0
"""Residual, in units of the bulk's spread, beyond which a measurement is called wrong."""

_PATIENT = 600  # rollouts one by one that are worth a misfit smaller by a factor of e
_PAYS = 0.9  # ratio of costs, after all its rollouts and after the first half, at which it goes on
_UNSURE = 20  # measurements that the uncertainty of the noise is worth
_MOST = 0.15  # share of measurements that may be wrong; more than that is a wrong program
_RUN = 2  # consecutive frames that may be wrong
_ROUNDS = 10  # descents with a threshold that shrinks to the noise
_ITERATIONS = 5  # of each
_HOPELESS = 4.0  # spread that the last descent need not be tried from
_SHRINKS = 0.6  # ratio of spreads above which shrinking has ended
_EFFICIENT = 1.345  # Huber's threshold in units of the spread: 95 % efficiency for Gaussian noise
_GAUSSIAN = 1.4826  # standard deviation over median absolute deviation


def explained(objective: Objective) -> bool:
    """Whether the best point leaves no more than noise; under a robust loss, in all but a few
    measurements."""
    problem, best = objective.problem, objective.best
    if best is None:
        return False
    if objective.loss.name == "linear":
        return excess(objective) <= 1.0
    return _explained_but_few(problem, problem.residuals(best))


def excess(objective: Objective) -> float:
    """The least squared residuals found, as a multiple of those up to which the data are
    explained."""
    problem = objective.problem
    return 2.0 * objective.best_cost / (_limit(problem) * max(problem.size - problem.unknowns, 1))


def idle(objective: Objective) -> bool:
    """Whether a search no longer pays where rollouts go one by one: the second half of them has
    hardly lowered the cost, and they are many for what is left to gain."""
    done, left = objective.meter.evaluations, np.log(max(excess(objective), 1.0))
    if objective.problem.batched or done < _PATIENT * left:
        return False
    return objective.best_cost > _PAYS * objective.cost_after(0.5 * done)


def robust(objective: Objective, point: Point) -> Objective | None:
    """An objective under a robust loss, its best point fitted, if that explains all but a few
    measurements; else None.

    The threshold follows the spread of the bulk of the residuals, so that a fit that a gross
    outlier has bent recovers; the last descent gives outliers no weight at all.
    """
    problem, spread = objective.problem, np.inf
    for _ in range(_ROUNDS):
        before, spread = spread, bulk(problem, problem.residuals(point))
        if spread <= 1.0 or spread > _SHRINKS * before:
            break
        point = least_squares.descend(
            objective.under(Loss("huber", _EFFICIENT * spread)), point, _ITERATIONS
        )
    if spread > _HOPELESS:
        return None
    final = objective.under(Loss("tukey", FAR * max(spread, 1.0)))
    point = least_squares.descend(final, point)
    residuals = problem.residuals(point)
    return (
        final
        if _explained_but_few(problem, residuals) and far_share(problem, residuals) > 0.0
        else None
    )


def _limit(problem: Problem) -> float:
    return EXPLAINED * (1.0 + _UNSURE / max(problem.size, 1))


def bulk(problem: Problem, residuals: Residuals) -> float:
    """Robust standard deviation of the residuals that are compared, in units of noise."""
    values = compared(problem, residuals)
    return float(_GAUSSIAN * np.median(np.abs(values))) if len(values) else 0.0


def far_share(problem: Problem, residuals: Residuals) -> float:
    """Share of the compared residuals further out than ``FAR`` times their spread (at least the
    noise)."""
    values = compared(problem, residuals)
    return (
        float(np.mean(np.abs(values) > FAR * max(bulk(problem, residuals), 1.0)))
        if len(values)
        else 0.0
    )


def _explained_but_few(problem: Problem, residuals: Residuals) -> bool:
    """Whether the bulk is noise and the rest is rare and comes singly, as wrong measurements do and
    wrong motion does not."""
    spread = bulk(problem, residuals)
    if spread**2 > _limit(problem) or far_share(problem, residuals) > _MOST:
        return False
    limit = FAR * max(spread, 1.0)
    return all(
        _longest_run(np.abs(values[0]).reshape(group.weight.shape) > limit) <= _RUN
        for group, values in zip(problem.groups, residuals.values, strict=True)
    )


def _longest_run(far: np.ndarray) -> int:
    """Most consecutive frames (axis 1) that are True."""
    run = np.zeros((far.shape[0], far.shape[2]), int)
    longest = 0
    for frame in np.moveaxis(far, 1, 0):
        run = np.where(frame, run + 1, 0)
        longest = max(longest, int(run.max(initial=0)))
    return longest


def compared(problem: Problem, residuals: Residuals) -> np.ndarray:
    """(N,) residuals of one point where there is something to compare."""
    parts = [
        values[0][(group.weight > 0).reshape(len(group), -1)]
        for group, values in zip(problem.groups, residuals.values, strict=True)
    ]
    return np.concatenate(parts) if parts else np.zeros(0)
