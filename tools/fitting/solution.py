"""What an optimiser hands back, and the Protocol that all of them obey."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from tools.fitting.objective import Objective
from tools.fitting.problem import Point


@dataclass(frozen=True)
class Solution:
    """objective: the one whose ``best`` is the answer (its loss may have been chosen on the way).
    by: the method that found it. attempts: costs at which independent starts ended. spent: whether
    the budget cut it short. samples: (S, p) draws from the posterior of theta, or None."""

    objective: Objective
    by: str
    attempts: tuple[float, ...] = ()
    spent: bool = False
    samples: np.ndarray | None = field(default=None, repr=False)


class Optimizer(Protocol):
    """Looks for the least cost from ``start``. Every point it evaluates goes through ``objective``,
    which keeps the best one, counts, and raises BudgetSpent when the budget is used up; the
    exception may pass through."""

    def __call__(
        self, objective: Objective, start: Point, rng: np.random.Generator
    ) -> Solution: ...
