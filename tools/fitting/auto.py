"""The default: as little work as the data need, in the order of cost.

1. Least squares from the declared theta, enough for most programs.
2. If that leaves more than noise: the same under a robust loss, in case a few measurements are wrong.
3. Growing horizons, then random starts, until two starts agree on the best minimum.
4. New latents for single videos (a contact at the wrong time), and the robust loss once more.
5. If the loss jumps: differential evolution, then Powell.

Gradients by JAX are not tried on their own: compiling costs more than a whole fit by finite differences in a batch.
"""

from __future__ import annotations

import numpy as np

from tools.fitting import differential_evolution, horizon, multistart, powell, restarts
from tools.fitting.differences import linearise
from tools.fitting.objective import BudgetSpent, Objective
from tools.fitting.outliers import explained, robust
from tools.fitting.problem import Point
from tools.fitting.smoothness import rough_params
from tools.fitting.solution import Solution

_FEW = 3  # videos that a program which cannot be batched is fitted to first
_TRIES = 3  # starts before agreement counts
_MOST_UNKNOWNS = 24  # for Powell


def solve(objective: Objective, start: Point, rng: np.random.Generator) -> Solution:
    """See the module."""
    search = _Search(objective, rng)
    try:
        search.run(start)
    except BudgetSpent:
        search.spent = True
    return Solution(search.objective, search.by, tuple(search.attempts), search.spent)


class _Search:
    """Runs the stages until the data are explained, and remembers how far it got when the budget ends."""

    def __init__(self, objective: Objective, rng: np.random.Generator):
        self.objective, self.rng = objective, rng
        self.by, self.spent = "least_squares", False
        self.attempts: list[float] = []

    def run(self, start: Point) -> None:
        start = self._from_few(start)
        for stage in (self._starts, self._videos, self._direct):
            stage(start)
            if explained(self.objective):
                return

    def _from_few(self, start: Point) -> Point:
        """A start fitted to a few videos, where rolling out all of them one by one is slow."""
        if self.objective.problem.batched or sum(len(group) for group in self.objective.problem.groups) <= 2 * _FEW:
            return start
        few = self.objective.only(_FEW)
        _Search(few, self.rng).run(few.problem.point(start.theta[0]))
        if few.best is None:
            return start
        start = self.objective.problem.point(few.best.theta[0])
        self.objective.evaluate(start)
        return horizon.infer(self.objective, start)

    def _starts(self, start: Point) -> None:
        for cost in multistart.ends(self.objective, start, self.rng):
            self.attempts.append(cost)
            if explained(self.objective) or self._robust():
                return
            if len(self.attempts) >= _TRIES and multistart.agree(self.attempts):
                return
            self.by = "multistart"

    def _robust(self) -> bool:
        """Whether a robust loss explains the data; it is then kept."""
        if self.objective.loss.name != "linear" or self.objective.best is None:
            return False
        found = robust(self.objective, self.objective.best)
        self.objective = found or self.objective
        return found is not None

    def _videos(self, start: Point) -> None:
        before = self.objective.best_cost
        if any(part.size for part in start.latents):
            restarts.descend(self.objective, self.objective.best, self.rng)
            self.by = "multistart" if self.objective.best_cost < before else self.by
            self._robust()

    def _direct(self, start: Point) -> None:
        best = self.objective.best
        if not rough_params(self.objective, best, linearise(self.objective, best)):
            return
        before = self.objective.best_cost
        differential_evolution.solve(self.objective, self.objective.best, self.rng)
        self.by = "differential_evolution" if self.objective.best_cost < before else self.by
        before = self.objective.best_cost
        if self.objective.problem.unknowns <= _MOST_UNKNOWNS:
            powell.solve(self.objective, self.objective.best, self.rng)
            self.by = "powell" if self.objective.best_cost < before else self.by
