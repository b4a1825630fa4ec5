import math

import numpy as np
import pytest

from tests.fitting.programs import DT, line, throws, walk
from tools.fitting import Measured, fit, rollout, state_loss
from tools.fitting.robust import LOSSES, Loss
from tools.fitting.scaling import QUANTISED_NOISE, scales_of
from tools.fitting.spikes import spikes
from tools.types import ContractError, States


def shifted(one, shift):
    return States(one.states.columns, one.states.values + shift)


def held(one):
    return States(one.states.columns, np.repeat(one.states.values[:1], len(one.states), 0))


def test_perfect_is_zero_and_holding_still_is_one(rng):
    data = throws(rng, 3)
    assert state_loss([one.states for one in data], data).relative == 0.0
    assert state_loss([held(one) for one in data], data).relative == pytest.approx(1.0)


def test_noise_level_is_one(rng):
    data = throws(rng, 4, noise=0.3, frames=60)
    truth = throws(np.random.default_rng(0), 4, noise=0.0, frames=60, stated=False)
    found = state_loss([one.states for one in truth[:1]], data[:1])
    assert found.noise == pytest.approx(1.0, abs=0.3)
    assert found.columns["ball.x"] == pytest.approx(0.3, abs=0.08)


def test_grows_with_the_error_and_is_capped_by_nothing(rng):
    data = throws(rng, 1)
    losses = [
        state_loss([shifted(one, size) for one in data], data).relative
        for size in (0.1, 1.0, 10.0, 1e6)
    ]
    assert losses == sorted(losses) and losses[-1] > 100


def test_a_column_that_never_moves_does_not_excuse_one_that_is_predicted_to():
    still = Measured(
        States(("ball.x", "ball.y"), np.stack([np.arange(10.0), np.full(10, 5.0)], 1)), DT
    )
    wrong = States(("ball.x", "ball.y"), np.stack([np.arange(10.0), 5.0 + np.arange(10.0)], 1))
    assert state_loss([wrong], [still]).relative > 1.0


def test_gaps_do_not_count(rng):
    data = throws(rng, 1)[0]
    values = data.states.values.copy()
    values[3:6] = np.nan
    gappy = Measured(States(data.states.columns, values, data.states.noise), DT)
    assert state_loss([data.states], [gappy]).relative == 0.0
    assert state_loss([held(data)], [gappy]).relative == pytest.approx(1.0)


def test_angles_are_compared_modulo_a_turn():
    track = np.linspace(0.0, 3.0, 12)
    whole_turns = States(("arm.angle",), (track + 4.0 * np.pi)[:, None])
    assert state_loss([whole_turns], [walk(track, column="arm.angle")]).relative == pytest.approx(
        0.0, abs=1e-12
    )
    assert (
        state_loss([whole_turns], [walk(track, column="arm.x")]).relative == math.inf
        or state_loss(
            [States(("arm.x",), whole_turns.values)], [walk(track, column="arm.x")]
        ).relative
        > 1.0
    )


def test_one_wrong_measurement_does_not_decide(rng):
    track = 10.0 + 30.0 * np.arange(20)
    spoilt = track.copy()
    spoilt[9] += 5000.0
    right, still = States(("ball.x",), track[:, None]), States(("ball.x",), np.full((20, 1), 10.0))
    assert state_loss([right], [walk(spoilt)]).relative == 0.0
    assert state_loss([still], [walk(spoilt)]).relative == pytest.approx(1.0)


@pytest.mark.parametrize("kind", ["bounce", "teleport", "two frames wrong"])
def test_motion_is_not_taken_for_wrong_measurements(kind, rng):
    t = np.arange(30.0)
    track = {
        "bounce": np.abs(50.0 * (t - 12.3)),
        "teleport": np.where(t < 15, 4.0 * t, 4.0 * t + 300.0),
        "two frames wrong": 4.0 * t + 200.0 * ((t == 11) | (t == 12)),
    }[kind]
    assert not spikes(track + 0.05 * rng.standard_normal(30), 0.05).any()


def test_a_rollout_that_ends_early_or_explodes_is_infinitely_wrong(rng):
    data = throws(rng, 1)
    short = States(data[0].states.columns, data[0].states.values[:4])
    assert state_loss([short], data).relative == math.inf
    assert state_loss([short], data).noise == math.inf


def test_nothing_in_common_is_no_loss(rng):
    data = throws(rng, 1)
    assert state_loss([States(("cube.x",), np.zeros((12, 1)))], data).columns == {}


def test_wrong_calls_are_named(rng):
    data = throws(rng, 2)
    with pytest.raises(ContractError, match="2 rollouts, one a video"):
        state_loss([data[0].states], data)
    with pytest.raises(ContractError, match="one of linear, huber"):
        state_loss([one.states for one in data], data, "cauchy")


@pytest.mark.parametrize("name", LOSSES)
def test_losses_agree_for_small_residuals_and_with_their_weights(name):
    loss, z = Loss(name), np.linspace(-8.0, 8.0, 401)
    assert loss.rho(np.array([0.01])) == pytest.approx(1e-4, rel=1e-3)
    slope = np.gradient(loss.rho(z), z)
    assert np.allclose(slope[2:-2], (2.0 * z * loss.weights(z))[2:-2], atol=0.02)


@pytest.mark.parametrize("noise", [0.01, 0.3])
def test_noise_is_estimated_from_smooth_and_kinked_motion(rng, noise):
    t = np.arange(200) * 0.05
    tracks = [40.0 * np.sin(t), np.abs(30.0 * (t - 5.0)), 5.0 + 3.0 * t**2]
    for track in tracks:
        found = scales_of([walk(track + noise * rng.standard_normal(200))])["ball.x"]
        assert found.noise == pytest.approx(noise, rel=0.35)
        assert not found.quantised


def test_whole_pixels_are_recognised_also_where_hardly_anything_moves():
    x, y = np.rint(3.3 * np.arange(30)), np.rint(100.0 + 0.01 * np.arange(30))
    scales = scales_of([Measured(States(("ball.x", "ball.y"), np.stack([x, y], 1)), DT)])
    assert all(scale.quantised and scale.noise == QUANTISED_NOISE for scale in scales.values())


def test_stated_noise_weighs(rng):
    """Two columns that disagree about one parameter: the better measured one wins."""
    code = line()
    code.step = lambda s, p, a, dt: {
        "ball": {"x": s["ball"]["x"] + p["v"] * dt, "y": s["ball"]["y"] + p["v"] * dt}
    }
    code.initial = lambda states, params, dt: {"ball": {"x": 0.0, "y": 0.0}}
    code.LATENTS = ()
    t = DT * np.arange(20)
    data = Measured(
        States(("ball.x", "ball.y"), np.stack([5.0 * t, 9.0 * t], 1), np.array([0.01, 1.0])), DT
    )
    assert fit(code, [data], rng=rng).values["v"] == pytest.approx(5.0, abs=0.01)


def test_rollout_keeps_what_step_leaves_out_and_marks_what_explodes():
    code = line()
    code.step = lambda s, p, a, dt: {"ball": {"x": s["ball"]["x"] * 1e6}}
    table = rollout(code, {"v": 1.0}, {"ball": {"x": 1.0, "radius": 3.0}}, 4, DT)
    assert table.columns == ("ball.x", "ball.radius") and len(table) == 5
    assert table.column("ball.radius").tolist() == [3.0] * 5
    assert np.isnan(table.column("ball.x")).tolist() == [False, False, True, True, True]


def test_rollout_does_not_let_a_program_change_its_past():
    def step(state, params, action, dt):
        state["ball"]["x"] += params.pop("v") * dt
        return state

    code = line()
    code.step = step
    start = {"ball": {"x": 1.0}}
    assert rollout(code, {"v": 10.0}, start, 1, DT).column("ball.x").tolist() == [1.0, 2.0]
    assert start == {"ball": {"x": 1.0}}


def test_rollout_wants_enough_actions():
    with pytest.raises(ContractError, match="at least 5 numbers, one a step"):
        rollout(line(), {"v": 1.0}, {"ball": {"x": 1.0}}, 5, DT, [0.0, 1.0])


def test_measurements_are_checked():
    states = States(("ball.x",), np.zeros((4, 1)))
    with pytest.raises(ContractError, match="seconds between frames"):
        Measured(states, 0.0)
    with pytest.raises(ContractError, match="4 finite numbers"):
        Measured(states, DT, np.array([1.0, math.nan, 1.0, 1.0]))
    with pytest.raises(ContractError, match="at least one frame"):
        Measured(States(("ball.x",), np.zeros((0, 1))), DT)
