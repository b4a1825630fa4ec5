"""Where rollouts go one by one, a search that no longer pays ends."""

from types import SimpleNamespace

import numpy as np

from benchmarks.fitting_cases import CASES
from tools.fitting.data import Budget
from tools.fitting.model import Model
from tools.fitting.objective import Meter, Objective
from tools.fitting.outliers import idle
from tools.fitting.problem import Problem
from tools.fitting.robust import Loss


def search(evaluations, cost, before, batched=False):
    """A search of 600 numbers with 40 unknowns that knew the cost ``before`` half its rollouts
    ago."""
    problem = SimpleNamespace(batched=batched, size=600, unknowns=40)
    return SimpleNamespace(
        problem=problem,
        best_cost=cost,
        meter=SimpleNamespace(evaluations=evaluations),
        cost_after=lambda _: before,
    )


def test_a_search_whose_second_half_gained_nothing_ends():
    assert idle(search(3000, 4000.0, 4100.0))
    assert not idle(search(3000, 4000.0, 8000.0))
    assert not idle(search(3000, 4000.0, 4100.0, batched=True))


def test_the_more_there_is_to_gain_the_longer_it_is_looked_for():
    near, far = 2000.0, 2e5
    assert idle(search(1500, near, near)) and not idle(search(1500, far, far))


def test_an_objective_remembers_what_it_knew():
    case, rng = CASES["uniform"], np.random.default_rng(0)
    problem = Problem(Model(case.module), case.data(1, rng))
    objective = Objective(problem, Loss(), Meter(Budget()))
    objective.evaluate(problem.point())
    assert objective.cost_after(0.0) == np.inf
    assert objective.cost_after(5.0) == objective.best_cost
