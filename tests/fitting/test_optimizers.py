"""One contract for all optimisers."""

import json

import numpy as np
import pytest

from tests.fitting.programs import line, moved, thrown, throws, uniform_walk
from tools.fitting import Budget, fit
from tools.fitting.fit import OPTIMIZERS
from tools.fitting.result import STATUSES
from tools.types import ContractError, Param

EXTRAS = {"lbfgs": "jax", "mcmc": "emcee"}
BUDGET = Budget(evaluations=3000, seconds=60.0)


@pytest.fixture(params=sorted(OPTIMIZERS))
def optimizer(request):
    if request.param in EXTRAS:
        pytest.importorskip(EXTRAS[request.param])
    return request.param


@pytest.fixture(params=sorted(set(OPTIMIZERS) - {"lbfgs"}))
def derivative_free(request):
    if request.param in EXTRAS:
        pytest.importorskip(EXTRAS[request.param])
    return request.param


def test_finds_the_closed_form_optimum(optimizer, rng):
    data = throws(rng, 2)
    result = fit(thrown(), data, optimizer=optimizer, rng=rng, budget=BUDGET)
    best = _gravity_by_regression(data)
    assert result.status == "converged"
    assert result.values["gravity"] == pytest.approx(best, abs=0.02 * result.params[0].error)
    assert result.loss == pytest.approx(1.0, abs=0.6)


def test_is_deterministic_and_serialises(optimizer):
    results = [
        fit(
            thrown(),
            throws(np.random.default_rng(5), 1),
            optimizer=optimizer,
            rng=np.random.default_rng(1),
            budget=BUDGET,
        )
        for _ in range(2)
    ]
    first, second = (
        json.loads(json.dumps(result.to_json(), allow_nan=False)) for result in results
    )
    assert {**first, "seconds": 0} == {**second, "seconds": 0}
    assert results[0].samples == results[1].samples


def test_stays_inside_the_bounds(derivative_free, rng):
    seen = []

    def velocity(params):
        seen.append(np.asarray(params["v"], float))
        return params["v"]

    result = fit(
        moved(velocity, (Param("v", 1.0, 0.0, 5.0),)),
        [uniform_walk(rng)],
        optimizer=derivative_free,
        rng=rng,
        budget=BUDGET,
    )
    values = np.concatenate([np.ravel(value) for value in seen])
    assert values.min() >= 0.0 and values.max() <= 5.0
    assert result.status == "bound hit" and "v is at its upper bound 5" in result.message
    assert result.values["v"] == pytest.approx(5.0, abs=1e-4)


def test_survives_half_a_box_without_finite_numbers(derivative_free, rng):
    program = moved(lambda p: p["v"] ** 0.5, (Param("v", -5.0, -80.0, 80.0),))
    result = fit(program, [uniform_walk(rng)], optimizer=derivative_free, rng=rng, budget=BUDGET)
    assert result.status == "converged"
    assert result.values["v"] == pytest.approx(49.0, abs=1.0)


def test_spends_no_more_than_its_budget_and_returns_the_best_point_seen(derivative_free, rng):
    data = throws(rng, 1)
    result = fit(thrown(), data, optimizer=derivative_free, rng=rng, budget=Budget(evaluations=9))
    assert result.status == "budget spent" and "allow more evaluations" in result.message
    start = fit(thrown(), data, optimizer="least_squares", rng=rng, budget=Budget(evaluations=1))
    assert result.loss <= start.loss
    assert result.status in STATUSES


def test_lets_exceptions_of_the_program_through(derivative_free, rng):
    def step(state, params, action, dt):
        return state["cube"]

    broken = line()
    broken.step = step
    with pytest.raises(KeyError, match="cube"):
        fit(broken, [uniform_walk(rng)], optimizer=derivative_free, rng=rng)


def test_an_unknown_name_lists_the_known_ones(rng):
    with pytest.raises(ContractError, match=r"auto.*powell.*'newton'"):
        fit(line(), [uniform_walk(rng)], optimizer="newton", rng=rng)


def test_lbfgs_wants_a_declaration(rng):
    with pytest.raises(ContractError, match="DIFFERENTIABLE = True"):
        fit(line(), [uniform_walk(rng)], optimizer="lbfgs", rng=rng)


def _gravity_by_regression(data):
    """Gravity shared, x, y, vx, vy per video: the linear least-squares problem in closed form."""
    rows, right = [], []
    for v, one in enumerate(data):
        t = one.dt * np.arange(len(one.states))
        block = np.zeros((len(t), 1 + 2 * len(data)))
        block[:, 0], block[:, 1 + 2 * v], block[:, 2 + 2 * v] = 0.5 * t**2, 1.0, t
        rows.append(block)
        right.append(one.states.column("ball.y"))
    return np.linalg.lstsq(np.concatenate(rows), np.concatenate(right), rcond=None)[0][0]
