"""Error bars mean what they say: over many seeds, the truth lies within k standard errors as often
as it should."""

from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks.fitting_cases import CASES
from tests.fitting.programs import DT, line, swinging, swings, thrown, throws, uniform_walk, walk
from tools.fitting import Budget, fit

SEEDS = 100


def misses(code, truth, data_of):
    """(SEEDS,) distance of each fitted value from the truth, in standard errors."""
    out = []
    for seed in range(SEEDS):
        rng = np.random.default_rng([11, seed])
        result = fit(code, data_of(rng), rng=rng)
        assert result.converged
        out.append([abs(p.value - truth) / p.error for p in result.params])
    return np.array(out)


@pytest.mark.parametrize(
    ("code", "truth", "data_of"),
    [
        (line(), 7.0, lambda rng: [uniform_walk(rng)]),
        (thrown(), 60.0, lambda rng: throws(rng, 2)),
        (thrown(), 60.0, lambda rng: throws(rng, 2, stated=False)),
        (swinging(), 9.0, lambda rng: swings(rng, 1)),
    ],
    ids=["line", "thrown, stated noise", "thrown, estimated noise", "pendulum"],
)
def test_hundred_seeds(code, truth, data_of):
    found = misses(code, truth, data_of)
    assert (found <= 3.0).sum() >= 95
    assert 50 <= (found <= 1.0).sum() <= 85


def test_whole_pixels():
    """Rounded measurements: the error is uniform, and error bars know it."""
    found = []
    for seed in range(SEEDS):
        rng = np.random.default_rng([13, seed])
        velocity = rng.uniform(20.0, 60.0)
        result = fit(
            line(), [walk(np.rint(rng.uniform(0, 9) + velocity * DT * np.arange(30)))], rng=rng
        )
        found.append(abs(result.values["v"] - velocity) / result.params[0].error)
    assert (np.array(found) <= 3.0).sum() >= 95
    assert 50 <= (np.array(found) <= 1.0).sum() <= 90


def test_rounding_leaves_its_own_standard_deviation(rng):
    result = fit(line(), [walk(np.rint(4.2 + 3.33 * np.arange(60)))], rng=rng)
    assert result.columns["ball.x"] == pytest.approx(12**-0.5, rel=0.15)
    assert result.rms == pytest.approx(1.0, rel=0.15)


@pytest.mark.parametrize("name", ["collision", "collision, theta only", "cartpole"])
def test_programs(name):
    """Also where start states are read off noisy frames and bend the whole rollout."""
    case, hits = CASES[name], 0
    for seed in range(30):
        rng = np.random.default_rng([12, seed])
        result = fit(case.module, case.data(2, rng), rng=rng)
        hits += all(abs(p.value - case.truth[p.name]) <= 3.0 * p.error for p in result.params)
    assert hits >= 28


def test_start_states_are_blamed_for_what_their_noise_leaves(rng):
    case = CASES["collision, theta only"]
    result = fit(case.module, case.data(2, rng), rng=rng)
    assert "LATENTS = ('left.x', 'left.vx', 'right.x', 'right.vx')" in result.message
    wrong = dict(vars(case.module)) | {
        "step": lambda state, params, action, dt: {
            name: {"x": ball["x"] + 3.0 * ball["vx"] * dt} for name, ball in state.items()
        }
    }
    assert (
        "LATENTS"
        not in fit(SimpleNamespace(**wrong | {"LATENTS": ()}), case.data(2, rng), rng=rng).message
    )


def test_advice_on_start_states_keeps_those_that_are_inferred_already(rng):
    """And names none that others are computed from: inferred alone they would not fit together."""
    case = CASES["collision, theta only"]
    some = SimpleNamespace(**dict(vars(case.module)) | {"LATENTS": ("left.x", "left.vx")})
    message = fit(some, case.data(2, rng), rng=rng).message
    assert "LATENTS" not in message or "LATENTS = ('left.x', 'left.vx', 'right.x'" in message

    def bound(state):
        return {name: ball | {"twice": 2 * ball["x"]} for name, ball in state.items()}

    derived = dict(vars(case.module)) | {
        "initial": lambda states, params, dt: bound(case.module.initial(states, params, dt)),
        "step": lambda *arguments: bound(case.module.step(*arguments)),
    }
    message = fit(SimpleNamespace(**derived), case.data(2, rng), rng=rng).message
    assert "which are 4 independent numbers" in message and "LATENTS = " not in message


@pytest.mark.parametrize("seed", [21])
def test_contacts_at_discrete_times(seed):
    """The first value of friction holds the ball where it touches (no slope), and wrong times of
    contact are pits in the loss."""
    case, rng = CASES["bounce"], np.random.default_rng([17, seed])
    result = fit(case.module, case.data(2, rng), budget=Budget(seconds=600.0), rng=rng)
    assert result.explained
    assert result.values["friction"] == pytest.approx(0.05, rel=0.05) and result.values[
        "gravity"
    ] == pytest.approx(400.0, rel=0.01)


def test_posterior_samples_agree_with_the_error_bars(rng):
    pytest.importorskip("emcee")
    case = CASES["collision"]
    result = fit(
        case.module,
        case.data(2, rng),
        optimizer="mcmc",
        rng=rng,
        budget=Budget(evaluations=6000, seconds=60.0),
    )
    for param in result.params:
        draws = np.array(result.samples[param.name])
        assert draws.mean() == pytest.approx(param.value, abs=0.5 * param.error)
        assert draws.std() == pytest.approx(param.error, rel=0.5)
