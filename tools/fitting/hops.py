"""Basin hopping: random steps from the best theta, as large as its errors, the latents found anew,
and a descent from the best of them.

Where contacts happen at discrete times the loss is a field of pits: the right times lie a few
errors of theta away, and no slope leads there. Errors are those of a fit that leaves as much as
this one does, so steps suit every parameter and shrink as the fit gets better. Source: Wales and
Doye (1997), with steps from the Laplace approximation instead of a fixed width.
"""

from __future__ import annotations

import numpy as np

from tools.fitting import horizon, least_squares
from tools.fitting.differences import linearise
from tools.fitting.identifiability import information_of
from tools.fitting.objective import Objective
from tools.fitting.outliers import explained, idle
from tools.fitting.problem import stack

_STEPS = (1.0, 3.0, 10.0, 30.0, 3.0, 10.0)  # standard errors, tried together in one hop
_STALE = 6  # hops without gain that end the search
_HELPS = 0.999  # ratio of costs below which a hop is a gain
# information, in units of a parameter's scale, that a direction has at least: no step is longer
# than ten times that
_LEAST = 1e-2


def search(objective: Objective, rng: np.random.Generator) -> None:
    """Hop until the data are explained or hops bring no more; raises BudgetSpent."""
    stale = 0
    while stale < _STALE and not explained(objective) and not idle(objective):
        before = objective.best_cost
        points = horizon.infer(
            objective, stack([objective.problem.point(theta) for theta in _thetas(objective, rng)])
        )
        least_squares.descend(objective, points[int(np.argmin(objective.costs(points)))])
        stale = 0 if objective.best_cost <= _HELPS * before else stale + 1


def _thetas(objective: Objective, rng: np.random.Generator) -> np.ndarray:
    """(steps, p) theta around the best one."""
    problem, best, scale = objective.problem, objective.found, objective.problem.theta_scale
    information, _ = information_of(problem, linearise(objective, best), objective.loss)
    information += np.diag(problem.prior_weight**2)
    left = max(2.0 * objective.best_cost / problem.size, 1.0)
    values, vectors = np.linalg.eigh(scale[:, None] * information * scale / left)
    root = vectors / np.sqrt(np.maximum(values, _LEAST))
    draws = np.array(_STEPS)[:, None] * rng.standard_normal((len(_STEPS), len(scale)))
    return best.theta[0] + scale * (draws @ root.T)
