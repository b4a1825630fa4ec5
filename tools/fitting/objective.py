"""The cost of points, with everything counted: evaluations, time, and the best point seen."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from tools.fitting.data import Budget
from tools.fitting.problem import PENALTY, Point, Problem, Residuals
from tools.fitting.robust import rho


class BudgetSpent(Exception):
    """Raised by an objective that may not be evaluated any more; the best point seen is kept."""


class Objective:
    """A problem under a loss and a budget.

    cost = 0.5 * (sum of rho over residuals + sum of squared prior residuals), plus PENALTY for every compared value that
    is not finite. best: the point of least cost seen so far inside the bounds (None before the first).
    """

    def __init__(self, problem: Problem, loss: str, budget: Budget, clock: Callable[[], float] = time.perf_counter):
        self.problem, self.loss, self.budget = problem, loss, budget
        self._clock, self._began = clock, clock()
        self.evaluations = 0
        self.non_finite = 0
        self.best: Point | None = None
        self.best_cost = np.inf

    @property
    def seconds(self) -> float:
        return self._clock() - self._began

    @property
    def spent(self) -> bool:
        return self.evaluations >= self.budget.evaluations or self.seconds >= self.budget.seconds

    def evaluate(self, point: Point) -> tuple[Residuals, np.ndarray]:
        """Residuals and costs (K,) of K points; raises BudgetSpent once the budget is used up."""
        if self.spent:
            raise BudgetSpent
        residuals = self.problem.residuals(point)
        costs = self._costs(point, residuals)
        self._remember(point, residuals, costs)
        return residuals, costs

    def costs(self, point: Point) -> np.ndarray:
        """(K,) costs."""
        return self.evaluate(point)[1]

    def _costs(self, point: Point, residuals: Residuals) -> np.ndarray:
        data = sum((rho(part, self.loss).sum((1, 2)) for part in residuals.values), np.zeros(len(point)))
        prior = (self.problem.prior(point.theta) ** 2).sum(1)
        return 0.5 * (data + prior) + PENALTY * residuals.bad

    def _remember(self, point: Point, residuals: Residuals, costs: np.ndarray) -> None:
        self.evaluations += len(point)
        self.non_finite += int((residuals.bad > 0).sum())
        inside = ((point.theta >= self.problem.low) & (point.theta <= self.problem.high)).all(1)
        eligible = np.where(inside, costs, np.inf)
        index = int(np.argmin(eligible))
        if eligible[index] < self.best_cost:
            self.best, self.best_cost = point[index], float(eligible[index])
