"""Speed, as ratios within one run, in CPU time."""

import time

import numpy as np
import pytest
from scipy.optimize import minimize

from benchmarks.fitting_cases import CASES
from tests.fitting.programs import thrown, throws
from tools.fitting import Budget, fit
from tools.fitting.coordinates import Coordinates
from tools.fitting.model import Model
from tools.fitting.objective import Meter, Objective
from tools.fitting.problem import Problem
from tools.fitting.robust import Loss


def seconds_of(function, times=3):
    """Least CPU seconds of a few runs, and the last result."""
    spent = []
    for _ in range(times):
        began = time.process_time()
        result = function()
        spent.append(time.process_time() - began)
    return min(spent), result


def test_twenty_times_faster_than_powell_on_collisions(rng):
    """Powell gets a few hundred evaluations, far from enough for it, and is slower by more than
    that already."""
    case = CASES["collision"]
    data = case.data(10, rng)
    ours, result = seconds_of(lambda: fit(case.module, data, rng=rng))
    objective = Objective(Problem(Model(case.module), data), Loss(), Meter(Budget(10**6, 1e6)))
    coordinates = Coordinates.around(objective.problem, objective.problem.point())

    def powell():
        start = np.zeros(len(coordinates.reference))
        minimize(
            lambda z: objective.costs(coordinates.unpack(z))[0],
            start,
            method="Powell",
            bounds=coordinates.bounds,
            options={"maxfev": 250},
        )

    theirs, _ = seconds_of(powell, 1)
    assert result.explained
    assert result.loss <= 2.0 * objective.best_cost / objective.problem.size
    assert theirs >= 20.0 * ours


@pytest.mark.parametrize("name", ["collision", "cartpole"])
def test_a_hundred_videos_cost_at_most_twelve_times_ten(name, rng):
    case = CASES[name]
    data = case.data(100, rng)
    few, _ = seconds_of(lambda: fit(case.module, data[:10], rng=np.random.default_rng(0)))
    many, result = seconds_of(lambda: fit(case.module, data, rng=np.random.default_rng(0)), 2)
    assert result.explained
    assert many <= 12.0 * few


def test_a_short_video_fits_in_a_blink(rng):
    spent, result = seconds_of(lambda: fit(thrown(), throws(rng, 1, frames=10), rng=rng))
    assert result.explained
    assert spent < 0.3
