"""Programs that cannot be fitted well end with the right status and a sentence that tells what to
change."""

import math
from types import SimpleNamespace

import numpy as np
import pytest

from tests.fitting.programs import DT, branching, line, moved, program, uniform_walk, walk
from tools.fitting import Budget, Measured, fit, rollout
from tools.physics import xp
from tools.types import ContractError, Param, States


@pytest.fixture
def data(rng):
    return [uniform_walk(rng)]


def test_flat(data, rng):
    result = fit(moved(lambda p: 0.0, (Param("g", 1.0, 0.0, 10.0),)), data, rng=rng)
    assert result.status == "flat"
    assert "use the parameters in step" in result.message
    assert result.params[0].error is None and result.params[0].note == "no effect on this data"


def test_discontinuous(data, rng):
    result = fit(
        moved(lambda p: float(math.floor(p["v"])), (Param("v", 1.5, 0.0, 50.0),)), data, rng=rng
    )
    assert result.status == "not smooth"
    assert "the loss jumps in v" in result.message and "continuous expressions" in result.message
    assert math.floor(result.values["v"]) == 7
    assert result.params[0].error is None


def test_non_finite_in_half_of_the_box(data, rng):
    result = fit(
        moved(lambda p: xp.sqrt(p["v"]), (Param("v", -5.0, -100.0, 100.0),)), data, rng=rng
    )
    assert result.status == "converged" and result.explained
    assert result.values["v"] == pytest.approx(49.0, abs=1.0)
    assert "explode or divide by zero: narrow the bounds" in result.message


def test_frames_in_which_nothing_was_seen_say_so(rng):
    nobody = SimpleNamespace(
        PARAMS=(), initial=lambda states, params, dt: {}, step=lambda s, p, a, dt: {}
    )
    result = fit(nobody, [Measured(States((), np.zeros((20, 0))), 0.1)], rng=rng)
    assert result.status == "nothing to compare"
    assert "no body was seen to move" in result.message


@pytest.mark.parametrize(
    "bad",
    [
        lambda p: 1.0 / (p["v"] - p["v"]),
        lambda p: math.sqrt(-1.0 - p["v"]),
        lambda p: (-1.0 - p["v"]) ** 0.5,
        lambda p: math.nan,
    ],
)
def test_finite_nowhere(data, rng, bad):
    result = fit(moved(bad, (Param("v", 1.0, 0.0, 10.0),)), data, rng=rng)
    assert result.status == "non-finite"
    assert "check divisions, roots" in result.message
    assert result.loss == math.inf and result.values == {"v": 1.0}
    assert result.to_json()["loss"] is None


def test_exploding_start_is_left_behind(rng):
    def step(state, params, action, dt):
        return {"ball": {"x": state["ball"]["x"] * xp.exp(params["growth"])}}

    track = 5.0 * np.exp(0.1 * np.arange(20))
    result = fit(program(step, (Param("growth", 90.0, -100.0, 100.0),)), [walk(track)], rng=rng)
    assert result.values["growth"] == pytest.approx(0.1, abs=1e-4)


def test_what_does_nothing_keeps_its_first_value_however_a_fit_ends(data, rng):
    params = (Param("v", 1.0, 0.0, 100.0), Param("mass", 2.0, 0.1, 10.0))
    budget = Budget(evaluations=60, seconds=20.0)
    program = moved(lambda p: p["v"], params)
    cut = fit(program, data, budget=budget, optimizer="differential_evolution", rng=rng)
    assert cut.values["mass"] == 2.0 and cut.values["v"] != 1.0


def test_a_parameter_that_does_nothing(data, rng):
    result = fit(
        moved(lambda p: p["v"], (Param("v", 1.0, 0.0, 100.0), Param("mass", 2.0, 0.1, 10.0))),
        data,
        rng=rng,
    )
    assert result.status == "converged" and result.explained
    assert (
        "mass has no effect on the frames fitted: where it acts only later, put" in result.message
    )
    assert (result.values["mass"], result.params[1].error) == (2.0, None)
    assert result.params[0].error is not None


@pytest.mark.parametrize(
    ("velocity", "word"),
    [
        (lambda p: p["force"] / p["mass"], "ratio force / mass"),
        (lambda p: p["force"] * p["mass"], "product force * mass"),
    ],
)
def test_combinations_that_only_together_are_identified(data, rng, velocity, word):
    result = fit(
        moved(velocity, (Param("force", 1.0, 0.1, 100.0), Param("mass", 1.0, 0.1, 100.0))),
        data,
        rng=rng,
    )
    assert result.status == "converged" and f"only the {word} is identified" in result.message
    assert [param.note for param in result.params] == ["not identified by this data"] * 2
    assert velocity(result.values) == pytest.approx(7.0, abs=0.2)


def test_a_plateau_is_left(rng):
    """Beyond 0.2 the parameter has no effect at all: no derivative leads back."""
    code = moved(
        lambda p: 100.0 * xp.minimum(p["friction"], 0.2), (Param("friction", 1.0, 0.0, 2.0),)
    )
    result = fit(code, [uniform_walk(rng)], rng=rng)
    assert result.values["friction"] == pytest.approx(0.07, abs=0.002)


def test_a_bound_in_the_way(data, rng):
    result = fit(line(high=5.0), data, rng=rng)
    assert result.status == "bound hit" and not result.explained
    assert "v is at its upper bound 5" in result.message and "widen it" in result.message


def test_bad_structure_is_no_failure_of_the_fit(rng):
    result = fit(
        line(),
        [walk(10.0 + 7.0 * (DT * np.arange(20)) ** 2 + 0.05 * rng.standard_normal(20))],
        rng=rng,
    )
    assert result.converged and not result.explained
    assert "structure of the program may be wrong" in result.message


def test_budget(data, rng):
    result = fit(line(), data, rng=rng, budget=Budget(evaluations=2))
    assert result.status == "budget spent" and math.isfinite(result.loss) and not result.converged
    slow = fit(branching(), [walk(np.linspace(5, 60, 40))], rng=rng, budget=Budget(seconds=1e-9))
    assert slow.status == "budget spent"


def test_nothing_to_compare(data, rng):
    cube = program(lambda s, p, a, dt: {"cube": {"x": 1.0}}, (Param("v", 1.0, 0.0, 2.0),))
    result = fit(cube, data, rng=rng)
    assert result.status == "nothing to compare"
    assert "measured ball.x; step returns cube.x" in result.message
    unseen = fit(line(), [walk(np.full(10, np.nan))], rng=rng)
    assert unseen.status == "nothing to compare" and "nothing is visible" in unseen.message


def test_nothing_to_fit(rng):
    still = program(
        lambda s, p, a, dt: {"ball": {"x": s["ball"]["x"] + 0.7}},
        (),
        (),
        lambda states, params, dt: {"ball": {"x": states.column("ball.x")[0]}},
    )
    result = fit(still, [walk(10.0 + 0.7 * np.arange(12))], rng=rng)
    assert result.status == "nothing to fit" and result.explained
    assert result.starts == ({"ball": {"x": 10.0}},)


def test_two_minima_and_none_that_explains():
    """Random data: every start ends elsewhere."""
    rng = np.random.default_rng(1)
    code = program(
        lambda s, p, a, dt: {
            "ball": {
                "x": 20.0
                * xp.sin(p["a"] * (s["ball"]["t"] + dt))
                * xp.cos(p["b"] * (s["ball"]["t"] + dt)),
                "t": s["ball"]["t"] + dt,
            }
        },
        (Param("a", 3.0, 0.0, 300.0), Param("b", 2.0, 0.0, 300.0)),
        (),
        lambda states, params, dt: {"ball": {"x": 0.0, "t": 0.0}},
    )
    result = fit(code, [walk(10.0 * rng.standard_normal(60), noise=0.1)], rng=rng)
    assert result.status == "starts disagree" and not result.converged
    assert "better first values or tighter bounds" in result.message


@pytest.mark.parametrize("wrong", [(7, 60.0), (13, -300.0), (1, 40.0)])
def test_wrong_measurements_are_left_out(rng, wrong):
    frame, size = wrong
    track = uniform_walk(rng).states.column("ball.x").copy()
    track[frame] += size
    result = fit(line(), [walk(track)], rng=rng)
    clean = fit(line(), [walk(np.where(np.arange(20) == frame, np.nan, track))], rng=rng)
    assert result.explained and "1 of 20 measurements" in result.message
    assert result.values["v"] == pytest.approx(clean.values["v"], abs=clean.params[0].error)


def test_branches_are_rolled_out_one_by_one(rng):
    truth = rollout(branching(), {"restitution": 0.8}, {"ball": {"x": 5.0, "vx": 20.0}}, 25, DT)
    values = truth.values[:, :1] + 0.02 * rng.standard_normal((26, 1))
    result = fit(branching(), [Measured(States(("ball.x",), values), DT)], rng=rng)
    assert not result.batched
    assert result.values["restitution"] == pytest.approx(0.8, abs=0.02)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"PARAMS": ("v",)}, "dynamics.PARAMS.*tuple of tools.types.Param"),
        ({"PARAMS": (Param("v", 1, 0, 2), Param("v", 1, 0, 2))}, "different names"),
        ({"LATENTS": "ball.x"}, "dynamics.LATENTS.*tuple of column names"),
        ({"LATENTS": ("ball.mass",)}, "columns of the state that initial returns: ball.x"),
        ({"step": None}, "dynamics.step.*a function.*define step"),
        ({"initial": lambda states, params, dt: [1.0]}, "initial.*object"),
        ({"initial": lambda states, params, dt: {"ball": {"x": "left"}}}, "initial.*a number"),
        ({"step": lambda s, p, a, dt: {"ball": 3.0}}, "step.*number"),
    ],
)
def test_a_broken_contract_is_named(data, rng, change, message):
    code = line()
    vars(code).update(change)
    with pytest.raises(ContractError, match=message):
        fit(code, data, rng=rng)


def test_a_call_without_data(rng):
    with pytest.raises(ContractError, match="at least one video"):
        fit(line(), [], rng=rng)
