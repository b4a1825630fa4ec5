"""Several starts of least squares, from the declared theta and from points of the box that look
promising.

The first two starts are the program's own: a plain descent, and one over growing horizons
(``horizon``). The others begin at the best of many random theta. How many of them end at the same
cost tells whether the minimum can be trusted.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tools.fitting import horizon, least_squares
from tools.fitting.objective import BudgetSpent, Objective
from tools.fitting.problem import Point, Problem, stack
from tools.fitting.projection import project
from tools.fitting.solution import Solution
from tools.types import Param

SAME = 1.005  # ratio of costs below which two starts count as having found the same minimum
_CANDIDATES = 8  # random theta looked at per start; looks whose latents are refitted
_ONE_BY_ONE = 4  # of these looks, where rollouts cannot be batched
_SCANS = 4  # scans along the parameters, at most
_HELPS = 0.999  # ratio of costs below which a look is worth a descent
_ACTS = 1e-9  # relative change of the cost from which a look is another place than the best point
_REFITS = 3  # steps of the latents at these looks
_SHARES = np.concatenate(
    [np.geomspace(0.003, 0.1, 6), np.linspace(0.2, 1.0, 7)]
)  # of a box, where scans look
_WIDE = 100.0  # ratio of positive bounds from which a parameter is drawn on a logarithmic scale


def solve(objective: Objective, start: Point, rng: np.random.Generator) -> Solution:
    """All the starts that the budget allows."""
    attempts: list[float] = []
    try:
        for cost in ends(objective, start, rng):
            attempts.append(cost)
    except BudgetSpent:
        return Solution(objective, "multistart", tuple(attempts), spent=True)
    return Solution(objective, "multistart", tuple(attempts))


def ends(objective: Objective, start: Point, rng: np.random.Generator) -> Iterator[float]:
    """Costs at which one start after the other ends; raises BudgetSpent."""
    count = objective.meter.budget.starts
    yield _cost(objective, least_squares.descend(objective, start))
    if count > 1:
        yield _cost(objective, horizon.descend(objective, start))
    if count > 2 and objective.problem.free:
        before = objective.best_cost
        scan(objective)
        if objective.best_cost * SAME < before:
            yield objective.best_cost
        for point in promising(objective, count - 2, rng):
            yield _cost(objective, horizon.descend(objective, point))


def scan(objective: Objective) -> None:
    """Look along every parameter through the best point, the others held, and descend from the
    best; again while that helps. At the end the best theta starts once more over growing horizons.

    Looks find what has no slope where the search stands: a coefficient of friction so large that
    everything sticks. There the latents have bent to make up for the wrong value, so that the right
    one looks worse until they are refitted; and so bent they may hold contacts at wrong times,
    which the program's own latents get right.
    """
    for _ in range(_SCANS):
        before, looks = objective.best_cost, _looks(objective.problem, objective.found)
        costs = objective.costs(looks)
        acting = np.where(np.abs(costs - before) > _ACTS * before, costs, np.inf)
        few = _CANDIDATES if objective.problem.batched else _ONE_BY_ONE
        looks = project(objective, looks[np.argsort(acting, kind="stable")[:few]], _REFITS)
        costs = objective.costs(looks)
        if costs.min() > _HELPS * before:
            break
        least_squares.descend(objective, looks[int(np.argmin(costs))])
    horizon.descend(objective, objective.problem.point(objective.found.theta[0]))


def _looks(problem: Problem, point: Point) -> Point:
    """Two points per parameter and share of its box: with the latents of ``point``, and with those
    of the program itself."""
    p, held = len(problem.free), point.repeat(len(problem.free) * len(_SHARES))
    rows = np.arange(len(held))
    held.theta[rows, rows % p] = np.outer(_SHARES, problem.high - problem.low).ravel() + np.tile(
        problem.low, len(_SHARES)
    )
    return stack([held, *(problem.point(theta) for theta in held.theta)])


def promising(objective: Objective, count: int, rng: np.random.Generator) -> list[Point]:
    """The ``count`` best of many random points, best first; latents are the program's own."""
    if count < 1:
        return []
    thetas = sample(objective.problem, _CANDIDATES * count, rng)
    points = stack([objective.problem.point(theta) for theta in thetas])
    order = np.argsort(objective.costs(points), kind="stable")
    return [points[int(index)] for index in order[:count]]


def agree(costs: tuple[float, ...] | list[float]) -> bool:
    """Whether the two lowest costs are the same minimum."""
    lowest = sorted(costs)[:2]
    return len(lowest) == 2 and lowest[1] <= SAME * lowest[0]


def sample(problem: Problem, count: int, rng: np.random.Generator) -> np.ndarray:
    """(count, p) theta: a Latin hypercube over priors and boxes (logarithmic for boxes of positive
    numbers over decades)."""
    strata = np.stack([rng.permutation(count) for _ in problem.free], 1)
    shares = (strata + rng.uniform(size=strata.shape)) / count
    return np.stack([_quantiles(param, shares[:, j]) for j, param in enumerate(problem.free)], 1)


def _quantiles(param: Param, shares: np.ndarray) -> np.ndarray:
    if param.prior is not None:
        return np.clip(
            param.value + 2.0 * param.prior * (2.0 * shares - 1.0), param.low, param.high
        )
    if param.low > 0 and param.high > _WIDE * param.low:
        return param.low * (param.high / param.low) ** shares
    return param.low + (param.high - param.low) * shares


def _cost(objective: Objective, point: Point) -> float:
    return float(objective.costs(point)[0])
