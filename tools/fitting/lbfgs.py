"""L-BFGS-B on exact gradients by JAX, for programs that declare DIFFERENTIABLE.

Coordinates are scaled by the diagonal of the Gauss-Newton matrix at the start, without which
gravity in px/s^2 beside an angle in radians would take thousands of iterations. Source: Byrd, Lu,
Nocedal, Zhu (1995).
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize

from tools.fitting.coordinates import Coordinates, natural_scale
from tools.fitting.differences import linearise
from tools.fitting.gradients import Gradients
from tools.fitting.objective import PENALTY, Objective
from tools.fitting.problem import Point
from tools.fitting.solution import Solution
from tools.types import ContractError

_ITERATIONS = 2000


def solve(objective: Objective, start: Point, rng: np.random.Generator) -> Solution:
    """Descend from ``start``; raises ContractError for a program that is not declared
    differentiable, ImportError without JAX."""
    if not objective.problem.model.differentiable:
        raise ContractError(
            "optimizer 'lbfgs'",
            "a program with DIFFERENTIABLE = True",
            "False",
            "declare it, or use 'auto'",
        )
    gradients = Gradients(objective)
    coordinates = Coordinates.around(objective.problem, start, _scales(objective, start))

    def cost(z: np.ndarray) -> tuple[float, np.ndarray]:
        point = coordinates.unpack(z)
        objective.meter.check()
        value, gradient = gradients(point)
        finite = np.isfinite(value) and all(
            np.isfinite(part).all() for part in (gradient.theta, *gradient.latents)
        )
        objective.note(point, value if finite else PENALTY, finite)
        return (value, coordinates.slope(gradient)) if finite else (PENALTY, np.zeros_like(z))

    bounds = coordinates.bounds
    bounds[len(objective.problem.free) :] = (-np.inf, np.inf)
    options = {
        "maxiter": _ITERATIONS,
        "maxfun": 2 * _ITERATIONS,
        "maxcor": 20,
        "ftol": 1e-13,
        "gtol": 1e-8,
    }
    minimize(
        cost, np.zeros(len(bounds)), jac=True, method="L-BFGS-B", bounds=bounds, options=options
    )
    return Solution(objective, "lbfgs")


def _scales(objective: Objective, start: Point) -> np.ndarray:
    """(n,) inverse root of the Gauss-Newton diagonal; the problem's own scale where that is
    zero."""
    problem, line = objective.problem, linearise(objective, start)
    theta = sum(((part**2).sum((0, 1)) for part in line.theta), problem.prior_weight**2)
    diagonal = np.concatenate([theta, *((part**2).sum(1).ravel() for part in line.latents)])
    return np.where(
        diagonal > 0, 1.0 / np.sqrt(np.maximum(diagonal, 1e-300)), natural_scale(problem)
    )
