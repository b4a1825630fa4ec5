"""The cost of points, with everything counted: evaluations, time, and the best point seen."""

from __future__ import annotations

import bisect
import time
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from tools.fitting.blocks import blocks
from tools.fitting.data import Budget
from tools.fitting.problem import Point, Problem, Residuals, stack
from tools.fitting.robust import Loss

PENALTY = 1e12
"""Cost per value of a rollout that is not finite: large, finite, and smaller the later a rollout
explodes."""


class BudgetSpent(Exception):
    """Raised by an objective that may not be evaluated any more; the best point seen is kept."""


class Meter:
    """Counts the evaluations of a fit and watches its budget. seconds: processor time of this
    process since the meter was made."""

    def __init__(self, budget: Budget, clock: Callable[[], float] = time.process_time):
        self.budget, self._clock, self._began = budget, clock, clock()
        self.evaluations = 0.0
        self.non_finite = 0.0

    @property
    def seconds(self) -> float:
        return self._clock() - self._began

    def check(self) -> None:
        """Raise BudgetSpent once the budget is used up; the first evaluation is always allowed."""
        if not self.evaluations:
            return
        if self.evaluations >= self.budget.evaluations or self.seconds >= self.budget.seconds:
            raise BudgetSpent

    def count(self, points: float, non_finite: float) -> None:
        """Note evaluated points, and how many of them had rollouts that are not finite (parts of
        the data as fractions)."""
        self.evaluations += points
        self.non_finite += non_finite


class Objective:
    """A problem under a loss, evaluated on a meter.

    cost = 0.5 * (sum of rho over residuals + sum of squared prior residuals), plus PENALTY for
    every compared value that is not finite. best: the point of least cost seen so far inside the
    bounds (None before the first).
    """

    def __init__(self, problem: Problem, loss: Loss, meter: Meter):
        self.problem, self.loss, self.meter = problem, loss, meter
        self.best: Point | None = None
        self.best_cost = np.inf
        self._gains: list[tuple[float, float]] = []

    @property
    def found(self) -> Point:
        """The best point of a search that has evaluated one."""
        assert self.best is not None, "nothing was evaluated inside the bounds"
        return self.best

    def evaluate(self, point: Point) -> tuple[Residuals, np.ndarray]:
        """Residuals and costs (K,) of K points; raises BudgetSpent once the budget is used up."""
        self.meter.check()
        return self._evaluated(point)

    def each(self, points: Sequence[Point]) -> Iterator[Residuals]:
        """As :meth:`evaluate` of one after the other, of as many points each, but rolled out
        together as far as memory allows: a step of many bodies costs much the same for many
        points."""
        count = len(points[0]) if points else 0
        for part in blocks(len(points), count * self.problem.rolled):
            self.meter.check()
            together = self.problem.residuals(stack(points[part])) if points[part] else None
            for k, point in enumerate(points[part]):
                self.meter.check()
                assert together is not None
                residuals = together[k * count : (k + 1) * count]
                self._noted(point, residuals)
                yield residuals

    def passes(self, point: Point) -> Iterator[tuple[slice, Residuals, np.ndarray]]:
        """As :meth:`evaluate`, a block of the points at a time: which, residuals, costs. For what
        needs no two blocks together."""
        self.meter.check()
        for part in blocks(len(point), self.problem.rolled):
            yield part, *self._evaluated(point[part])

    def _evaluated(self, point: Point) -> tuple[Residuals, np.ndarray]:
        residuals = self.problem.residuals(point)
        return residuals, self._noted(point, residuals)

    def _noted(self, point: Point, residuals: Residuals) -> np.ndarray:
        """Costs (K,) of points, remembered."""
        costs = sum((part.sum(1) for part in self.video_costs(residuals)), self._prior_costs(point))
        self._remember(point, residuals, costs)
        return costs

    def costs(self, point: Point) -> np.ndarray:
        """(K,) costs."""
        return np.concatenate([costs for _, _, costs in self.passes(point)])

    def costs_by_video(self, point: Point) -> tuple[np.ndarray, ...]:
        """Per group (K, V): as :meth:`video_costs`, of points."""
        found = [self.video_costs(residuals) for _, residuals, _ in self.passes(point)]
        return tuple(np.concatenate(parts) for parts in zip(*found, strict=True))

    def video_costs(self, residuals: Residuals) -> tuple[np.ndarray, ...]:
        """Per group (K, V): the share of the cost that each video has (priors apart)."""
        parts = zip(residuals.values, residuals.bad, strict=True)
        return tuple(0.5 * self.loss.rho(values).sum(2) + PENALTY * bad for values, bad in parts)

    def under(self, loss: Loss) -> Objective:
        """The same problem under another loss, on the same meter."""
        return Objective(self.problem, loss, self.meter)

    def only(self, videos: int) -> Objective:
        """The same problem on a few videos of every group, on the same meter."""
        return Objective(self.problem.only(videos), self.loss, self.meter)

    def until(self, frames: int) -> Objective:
        """The same problem on the first ``frames`` frames of every video, on the same meter."""
        return Objective(self.problem.until(frames), self.loss, self.meter)

    def note(self, point: Point, cost: float, finite: bool) -> None:
        """Count one point whose cost was found by other means (exact gradients)."""
        self.meter.count(self.problem.share, 0.0 if finite else self.problem.share)
        self._keep(point, np.array([cost]))

    def _prior_costs(self, point: Point) -> np.ndarray:
        return 0.5 * (self.problem.prior(point.theta) ** 2).sum(1)

    def _remember(self, point: Point, residuals: Residuals, costs: np.ndarray) -> None:
        share = self.problem.share
        self.meter.count(share * len(point), share * float((residuals.bad_total > 0).sum()))
        self._keep(point, costs)

    def _keep(self, point: Point, costs: np.ndarray) -> None:
        inside = ((point.theta >= self.problem.low) & (point.theta <= self.problem.high)).all(1)
        eligible = np.where(inside, costs, np.inf)
        if len(eligible) and eligible.min() < self.best_cost:
            index = int(np.argmin(eligible))
            self.best, self.best_cost = point[index], float(eligible[index])
            self._gains.append((self.meter.evaluations, self.best_cost))

    def cost_after(self, evaluations: float) -> float:
        """The least cost that was known after so many evaluations; infinity before the first."""
        known = bisect.bisect_right(self._gains, (evaluations, np.inf))
        return self._gains[known - 1][1] if known else np.inf
