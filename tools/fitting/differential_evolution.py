"""Differential evolution over theta: a global search whose generations are rolled out in one batch.

Latents are eliminated: every member refits them by a few Gauss-Newton steps, so the search space
has the size of theta however many videos there are. A least-squares fit from the best member ends
the search. Source: Storn and Price (1997).
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import differential_evolution

from tools.fitting import least_squares
from tools.fitting.objective import Objective
from tools.fitting.problem import Point, stack
from tools.fitting.projection import project
from tools.fitting.solution import Solution

_MEMBERS = 6  # per parameter
_GENERATIONS = 30
_REFITS = 2  # steps of the latents per member


def solve(objective: Objective, start: Point, rng: np.random.Generator) -> Solution:
    """Evolve theta within its bounds, from a population that holds ``start``."""
    problem = objective.problem
    if len(problem.free):
        differential_evolution(
            lambda theta: _costs(objective, theta.T),
            np.stack([problem.low, problem.high], 1),
            x0=start.theta[0],
            popsize=_MEMBERS,
            maxiter=_GENERATIONS,
            tol=1e-3,
            polish=False,
            rng=rng,
            vectorized=True,
            updating="deferred",
        )
    least_squares.descend(objective, objective.best if objective.best is not None else start)
    return Solution(objective, "differential_evolution")


def _costs(objective: Objective, thetas: np.ndarray) -> np.ndarray:
    """(S,) costs with latents refitted from the program's own."""
    return objective.costs(
        project(objective, stack([objective.problem.point(theta) for theta in thetas]), _REFITS)
    )
