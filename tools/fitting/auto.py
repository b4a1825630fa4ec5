"""The default: as little work as the data need, in the order of cost.

1. Least squares from the declared theta, enough for most programs.
2. If that leaves more than noise: the same under a robust loss, in case a few measurements are
   wrong.
3. Growing horizons, which is enough where they end at the same minimum and the noise of the start
   states foretells what is left. A look along every parameter; random starts, until one agrees with
   the best minimum.
4. Where none does, or the loss jumps: hops from the best one.
5. New latents for videos that fit worse than others (a contact at the wrong time).
6. If the loss jumps: differential evolution, then Powell.

Where rollouts cannot be batched, theta is first fitted to a few videos, and a search whose second
half gained next to nothing ends. Gradients by JAX are not tried on their own: compiling costs more
than a whole fit by finite differences in a batch.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tools.fitting import (
    differential_evolution,
    hops,
    horizon,
    initial_state_noise,
    least_squares,
    multistart,
    powell,
    restarts,
)
from tools.fitting.differences import linearise
from tools.fitting.objective import BudgetSpent, Objective
from tools.fitting.outliers import explained, idle, robust
from tools.fitting.problem import Point
from tools.fitting.smoothness import rough_params
from tools.fitting.solution import Solution

_FEW = 3  # videos that a program which cannot be batched is fitted to first
_MOST_UNKNOWNS = 24  # for Powell


def solve(objective: Objective, start: Point, rng: np.random.Generator) -> Solution:
    """See the module."""
    search = _Search(objective, rng)
    try:
        search.run(start)
    except BudgetSpent:
        search.spent = True
    return Solution(search.objective, search.by, tuple(search.attempts), search.spent)


def settle(objective: Objective, start: Point, explicable: bool = True) -> Solution:
    """The minimum that ``start`` lies at, and no other: under a robust loss where that explains the
    data and least squares do not. explicable: whether a fit has explained them; if none has, no
    robust loss is tried once more."""
    point = least_squares.descend(objective, start)
    doubted = explicable and not explained(objective)
    found = robust(objective, point) if doubted else None
    return Solution(found or objective, "least_squares")


class _Search:
    """Runs the stages until the data are explained, and remembers how far it got when the budget
    ends."""

    def __init__(self, objective: Objective, rng: np.random.Generator):
        self.objective, self.rng = objective, rng
        self.by, self.spent = "least_squares", False
        self._doubted: Point | None = None
        self.attempts: list[float] = []

    def run(self, start: Point) -> None:
        start = self._from_few(start)
        for stage in (self._own_starts, self._more_starts, self._hops, self._videos, self._direct):
            stage(start)
            if (
                explained(self.objective)
                or self._robust()
                or idle(self.objective)
                or self._limited()
            ):
                return

    def _from_few(self, start: Point) -> Point:
        """A start fitted to a few videos, where rolling out all of them one by one is slow."""
        problem = self.objective.problem
        if (
            problem.batched
            or sum(len(group) for group in problem.groups) <= 2 * _FEW
            or not problem.free
        ):
            return start
        few = self.objective.only(_FEW)
        _Search(few, self.rng).run(few.problem.point(start.theta[0]))
        if few.best is None:
            return start
        start = problem.point(few.best.theta[0])
        self.objective.evaluate(start)
        return horizon.infer(self.objective, start)

    def _own_starts(self, start: Point) -> None:
        self._attempt(least_squares.descend, start)
        if (
            self.objective.meter.budget.starts > 1
            and not explained(self.objective)
            and not self._robust()
        ):
            self._attempt(horizon.descend, start)

    def _more_starts(self, start: Point) -> None:
        count = self.objective.meter.budget.starts - 2
        if not self.objective.problem.free or count < 1:
            return
        self.by = "multistart"
        multistart.scan(self.objective)
        self.attempts = [self.objective.best_cost]
        if explained(self.objective) or idle(self.objective):
            return
        for point in multistart.promising(self.objective, count, self.rng):
            self._attempt(horizon.descend, point)
            if explained(self.objective) or multistart.agree(self.attempts) or idle(self.objective):
                return

    def _attempt(self, descend: Callable[[Objective, Point], Point], start: Point) -> None:
        self.attempts.append(float(self.objective.costs(descend(self.objective, start))[0]))

    def _robust(self) -> bool:
        """Whether a robust loss explains the data; it is then kept."""
        if self.objective.loss.name != "linear" or self.objective.best is None:
            return False
        if self.objective.best is self._doubted:  # it would end as it did before
            return False
        self._doubted = self.objective.best
        found = robust(self.objective, self.objective.best)
        self.objective = found or self.objective
        return found is not None

    def _hops(self, start: Point) -> None:
        if self.by != "multistart" or (multistart.agree(self.attempts) and not self._jumps()):
            return
        before = self.objective.best_cost
        hops.search(self.objective, self.rng)
        if self.objective.best_cost * multistart.SAME < before:
            self.attempts.append(self.objective.best_cost)

    def _limited(self) -> bool:
        """Whether two starts agree and the noise of the start states foretells what they leave."""
        best, problem = self.objective.best, self.objective.problem
        if (
            best is None
            or not problem.free
            or not multistart.agree(self.attempts)
            or not initial_state_noise.carries(problem, best)
        ):
            return False
        plain = Objective(problem.plain(), self.objective.loss, self.objective.meter)
        noise = initial_state_noise.find(
            plain.problem, best, linearise(plain, best), plain.loss, rough=True
        )
        return noise is not None and noise.limits

    def _videos(self, start: Point) -> None:
        if restarts.promises(self.objective):
            self._take(lambda best: restarts.descend(self.objective, best, self.rng), "multistart")

    def _direct(self, start: Point) -> None:
        if not self._jumps():
            return
        self._take(
            lambda best: differential_evolution.solve(self.objective, best, self.rng),
            "differential_evolution",
        )
        if self.objective.problem.unknowns <= _MOST_UNKNOWNS:
            self._take(lambda best: powell.solve(self.objective, best, self.rng), "powell")

    def _jumps(self) -> bool:
        best = self.objective.best
        return best is not None and bool(
            rough_params(self.objective, best, linearise(self.objective, best))
        )

    def _take(self, search: Callable[[Point], object], name: str) -> None:
        """Search from the best point; the name counts if it finds a better one."""
        before = self.objective.best_cost
        search(self.objective.found)
        self.by = name if self.objective.best_cost < before else self.by
