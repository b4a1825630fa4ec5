"""Numbers of a fit against closed forms, SciPy, and dense linear algebra."""

import numpy as np
import pytest
from scipy.optimize import least_squares as scipy_least_squares

from benchmarks.fitting_cases import CASES
from tests.fitting.programs import DT, line, program, swinging, swings, thrown, throws, walk
from tools.fitting import Budget, Measured, fit, infer_start, rollout
from tools.fitting.arrow import damped_step, normal_equations
from tools.fitting.coordinates import Coordinates
from tools.fitting.differences import linearise, secant
from tools.fitting.model import Model
from tools.fitting.objective import Meter, Objective
from tools.fitting.problem import Point, Problem
from tools.fitting.projection import project
from tools.fitting.robust import LOSSES, Loss
from tools.types import Param, States


def objective_of(code, data, loss="linear", batched=True):
    problem = Problem(Model(code), data)
    problem.batched = batched
    return Objective(problem, Loss(loss), Meter(Budget(10**6, 60.0)))


def dense(line_at):
    """(N, p + all latents) Jacobian and (N,) residuals of one group."""
    (jt,), (jl,), (r,) = line_at.theta, line_at.latents, line_at.values
    videos, n, q = jl.shape
    full = np.zeros((videos, n, jt.shape[2] + videos * q))
    full[:, :, : jt.shape[2]] = jt
    for v in range(videos):
        full[v, :, jt.shape[2] + v * q : jt.shape[2] + (v + 1) * q] = jl[v]
    return full.reshape(videos * n, -1), r.ravel()


def test_straight_line_is_a_linear_regression(rng):
    track = 4.0 + 7.0 * DT * np.arange(30) + 0.2 * rng.standard_normal(30)
    result = fit(line(), [walk(track, noise=0.2)], rng=rng)
    (slope, offset), covariance = np.polyfit(DT * np.arange(30), track, 1, cov="unscaled")
    assert result.values["v"] == pytest.approx(slope, abs=1e-5)
    assert result.starts[0]["ball"]["x"] == pytest.approx(offset, abs=1e-5)
    scatter = np.sqrt(((track - offset - slope * DT * np.arange(30)) ** 2).sum() / 28)
    assert 0.7 < result.params[0].error / (scatter * covariance[0, 0] ** 0.5) < 1.3
    assert result.columns["ball.x"] == pytest.approx(scatter * np.sqrt(28 / 30), rel=1e-3)


def test_reaches_the_optimum_of_scipy(rng):
    data = swings(rng, 3)
    objective = objective_of(swinging(), data)
    coordinates = Coordinates.around(objective.problem, objective.problem.point(np.array([8.0])))
    scipy = scipy_least_squares(
        lambda z: objective.problem.residuals(coordinates.unpack(z)).values[0].ravel(),
        np.zeros(7),
        x_scale="jac",
    )
    result = fit(swinging(), data, rng=rng)
    assert result.loss * objective.problem.size / 2 == pytest.approx(scipy.cost, rel=1e-6)
    assert result.values["stiffness"] == pytest.approx(
        coordinates.unpack(scipy.x).theta[0, 0], rel=1e-5
    )


def test_a_prior_gives_the_posterior_mean(rng):
    track = 7.0 * DT * np.arange(10) + 0.5 * rng.standard_normal(10)
    code = line()
    code.PARAMS = (Param("v", 5.0, 0.0, 100.0, prior=0.3),)
    result = fit(code, [walk(track, noise=0.5)], rng=rng)
    t = DT * np.arange(10)
    slope, information = np.polyfit(t, track, 1)[0], ((t - t.mean()) ** 2).sum() / 0.5**2
    expected = (slope * information + 5.0 / 0.3**2) / (information + 1 / 0.3**2)
    assert result.values["v"] == pytest.approx(expected, rel=1e-5)
    assert result.params[0].note == "held by its prior"


def test_a_value_far_from_its_prior_is_not_said_to_be_held_by_it(rng):
    code = line()
    code.PARAMS = (Param("v", 5.0, 0.0, 2000.0, prior=0.01),)
    result = fit(
        code,
        [walk(1000.0 * DT * np.arange(10) + 0.5 * rng.standard_normal(10), noise=0.5)],
        rng=rng,
    )
    assert result.values["v"] - 5.0 > 0.05 and result.params[0].note == "far from its prior"


@pytest.mark.parametrize("loss", LOSSES)
def test_elimination_is_the_dense_gauss_newton_step(rng, loss):
    objective = objective_of(thrown(), throws(rng, 3), loss)
    problem = objective.problem
    at = linearise(objective, problem.point())
    jacobian, residuals = dense(at)
    weight = objective.loss.weights(residuals)
    hessian = jacobian.T @ (weight[:, None] * jacobian)
    for damping in (0.0, 0.5):
        step = damped_step(
            problem, normal_equations(problem, at, objective.loss), np.array([50.0]), damping
        )
        expected = -np.linalg.solve(
            hessian + damping * np.diag(np.diag(hessian)), jacobian.T @ (weight * residuals)
        )
        assert np.allclose(
            np.concatenate([step.theta, step.latents[0].ravel()]), expected, rtol=1e-6, atol=1e-8
        )


def test_steps_stop_at_bounds_and_the_others_know(rng):
    code = thrown()
    code.PARAMS = (Param("gravity", 10.0, 0.0, 20.0),)
    objective = objective_of(code, throws(rng, 2))
    problem = objective.problem
    at = linearise(objective, problem.point())
    step = damped_step(
        problem, normal_equations(problem, at, objective.loss), problem.declared, 0.0
    )
    assert step.theta[0] == pytest.approx(10.0)
    jacobian, residuals = dense(at)
    expected = -np.linalg.lstsq(jacobian[:, 1:], residuals + jacobian[:, 0] * 10.0, rcond=None)[0]
    assert np.allclose(step.latents[0].ravel(), expected, rtol=1e-5, atol=1e-6)


def test_batches_and_single_rollouts_agree(rng):
    data = CASES["collision"].data(3, rng)
    together, alone = (
        objective_of(CASES["collision"].module, data, batched=flag) for flag in (True, False)
    )
    point = together.problem.point()
    for a, b in zip(linearise(together, point).theta, linearise(alone, point).theta, strict=True):
        assert np.allclose(a, b, rtol=1e-5, atol=1e-5)


def test_projection_is_the_best_for_each_video(rng):
    data = throws(rng, 4)
    objective = objective_of(thrown(), data)
    problem = objective.problem
    points = Point(np.array([[40.0], [70.0]]), (np.repeat(problem.point().latents[0], 2, 0),))
    found = project(objective, points, 5)
    t = DT * np.arange(12)
    basis = np.stack([np.ones(12), t], 1)
    for k, gravity in enumerate((40.0, 70.0)):
        for v, one in enumerate(data):
            y, vy = np.linalg.lstsq(
                basis, one.states.column("ball.y") - 0.5 * gravity * t**2, rcond=None
            )[0]
            assert found.latents[0][k, v, [1, 3]] == pytest.approx([y, vy], abs=1e-4)


def test_secant_updates_meet_the_new_residuals(rng):
    objective = objective_of(swinging(), swings(rng, 2))
    before = objective.problem.point()
    after = Point(before.theta + 0.1, (before.latents[0] + 0.01,))
    residuals = objective.problem.residuals(after)
    old = linearise(objective, before)
    new = secant(objective.problem, old, before, after, residuals)
    moved = new.theta[0] @ np.array([0.1]) + np.einsum(
        "vnq,q->vn", new.latents[0], np.full(2, 0.01)
    )
    assert np.allclose(moved, residuals.values[0][0] - old.values[0])


def test_start_of_a_video_seen_only_in_part(rng):
    data = throws(rng, 1, noise=0.01, frames=8)[0]
    start = infer_start(thrown(), {"gravity": 60.0}, data)
    t = DT * np.arange(8)
    vy, y = np.polyfit(t, data.states.column("ball.y") - 30.0 * t**2, 1)
    assert start["ball"]["y"] == pytest.approx(y, abs=1e-5)
    assert start["ball"]["vy"] == pytest.approx(vy, abs=1e-4)
    assert start == infer_start(thrown(), {"gravity": 60.0}, data)


def test_gaps_and_invisible_first_frames_do_not_disturb(rng):
    whole = throws(rng, 1, noise=1e-3)[0]
    values = whole.states.values.copy()
    values[[0, 1, 5, 6], :] = np.nan
    data = Measured(States(whole.states.columns, values, whole.states.noise), DT)
    code = thrown()
    code.initial = lambda states, params, dt: {
        "ball": {"x": float("nan"), "y": float("nan"), "vx": 0.0, "vy": 0.0}
    }
    result = fit(code, [data], rng=rng)
    assert result.status == "converged"
    assert result.values["gravity"] == pytest.approx(60.0, abs=0.1)


def test_videos_of_different_length_interval_and_objects_fit_together(rng):
    short, long = throws(rng, 1, frames=8)[0], throws(rng, 1, frames=15)[0]
    fast = Measured(long.states, 2 * DT)
    only_y = Measured(
        States(("ball.x", "ball.y"), np.where([True, False], np.nan, long.states.values), None), DT
    )
    result = fit(thrown(), [short, long, only_y], rng=rng)
    assert result.status == "converged" and len(result.starts) == 3
    assert abs(result.values["gravity"] - 60.0) < 4 * result.params[0].error
    halved = fit(thrown(), [fast], rng=rng)
    assert halved.values["gravity"] == pytest.approx(
        fit(thrown(), [long], rng=rng).values["gravity"] / 4, rel=1e-3
    )


def test_actions_reach_the_program(rng):
    pushes = rng.choice([-1.0, 1.0], 25)

    def step(state, params, action, dt):
        v = state["ball"]["vx"] + params["push"] * action * dt
        return {"ball": {"x": state["ball"]["x"] + v * dt, "vx": v}}

    code = program(step, (Param("push", 1.0, 0.0, 100.0),), ("ball.x", "ball.vx"))
    truth = rollout(code, {"push": 30.0}, {"ball": {"x": 5.0, "vx": 2.0}}, 24, DT, pushes)
    data = Measured(States(("ball.x",), truth.values[:, :1]), DT, pushes)
    assert fit(code, [data], rng=rng).values["push"] == pytest.approx(30.0, rel=1e-4)


def test_start_states_that_depend_on_theta_are_followed(rng):
    """Without latents, theta acts through ``initial`` alone."""
    code = program(
        lambda s, p, a, dt: {
            "ball": {"x": s["ball"]["x"] + s["ball"]["vx"] * dt, "vx": s["ball"]["vx"]}
        },
        (Param("launch", 1.0, 0.0, 50.0),),
        (),
        lambda states, params, dt: {
            "ball": {"x": states.column("ball.x")[0], "vx": params["launch"]}
        },
    )
    result = fit(code, [walk(3.0 + 12.0 * DT * np.arange(15))], rng=rng)
    assert result.values["launch"] == pytest.approx(12.0, rel=1e-4)
    assert result.starts[0]["ball"]["vx"] == pytest.approx(12.0, rel=1e-4)


def test_columns_that_follow_from_latents_count_in_the_first_frame_too(rng):
    """A pendulum seen by its bob: ``initial`` puts the bob somewhere else, a step of zero seconds
    puts it right."""
    case = CASES["pendulum"]
    data = case.data(1, rng)[0]
    code = program(case.module.step, case.module.PARAMS, case.module.LATENTS)
    code.initial = lambda states, params, dt: (
        case.module.initial(states, params, dt) | {"bob": {"x": 0.0, "y": 0.0}}
    )
    problem = Problem(Model(code), [data])
    assert problem.settles and problem.size == 2 * len(data.states)
    result = fit(code, [data], rng=rng)
    assert result.explained
    assert result.starts[0]["bob"]["x"] == pytest.approx(data.states.column("bob.x")[0], abs=1.0)


def test_a_program_that_divides_by_the_interval_does_not_settle(rng):
    def step(state, params, action, dt):
        x = state["ball"]["x"] + params["v"] * dt
        return {"ball": {"x": x, "speed": (x - state["ball"]["x"]) / dt}}

    code = program(step, (Param("v", 1.0, 0.0, 100.0),))
    data = walk(3.0 + 0.7 * np.arange(12))
    assert not Problem(Model(code), [data]).settles
    assert fit(code, [data], rng=rng).values["v"] == pytest.approx(7.0, abs=1e-4)
