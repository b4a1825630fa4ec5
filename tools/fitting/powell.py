"""Powell's method over all coordinates: no derivatives, for programs whose loss is not smooth.

SciPy's bounded Powell can return a point worse than its start and evaluate outside the bounds;
points are clipped before they are evaluated and the objective keeps the best one, so neither shows.
Source: Powell (1964).
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize

from tools.fitting.coordinates import Coordinates
from tools.fitting.objective import Objective
from tools.fitting.problem import Point
from tools.fitting.solution import Solution


def solve(objective: Objective, start: Point, rng: np.random.Generator) -> Solution:
    """Line searches along conjugate directions from ``start``."""
    coordinates = Coordinates.around(objective.problem, start)
    if len(coordinates.reference):
        minimize(
            lambda z: objective.costs(coordinates.unpack(z))[0],
            np.zeros(len(coordinates.reference)),
            method="Powell",
            bounds=coordinates.bounds,
            options={"xtol": 1e-4, "ftol": 1e-7, "maxfev": objective.meter.budget.evaluations},
        )
    return Solution(objective, "powell")
