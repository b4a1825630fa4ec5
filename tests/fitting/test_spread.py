"""What a fit leaves uncertain in a forecast, against the closed form of a straight line."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from tools.fitting import Measured, forecast_spread
from tools.fitting.simulate import rollout, rollouts
from tools.types import States, unflatten_state

DT, COUNT, AHEAD = 0.1, 8, 6


def line(latents):
    def step(state, params, action, dt):
        x, v = state["ball"]["x"], state["ball"]["v"]
        return {"ball": {"x": x + v * dt + params["push"] * dt, "v": v}}

    def initial(states, params, dt):
        return {"ball": {"x": 5.0, "v": 20.0}}

    return SimpleNamespace(initial=initial, step=step, LATENTS=latents)


def seen(noise):
    gaps = noise * np.where(np.arange(COUNT) % 2, 1.0, -1.0)
    x = 5.0 + 20.0 * DT * np.arange(COUNT) + gaps
    return Measured(States(("ball.x",), x[:, None], np.array([noise])), DT)


def test_start_values_are_as_uncertain_as_the_line_through_the_frames_seen():
    start = {"ball": {"x": 5.0, "v": 20.0}}
    program = line(("ball.x", "ball.v"))
    spread = forecast_spread(program, {"push": 0.0}, {}, start, seen(0.4), AHEAD)
    t = DT * np.arange(COUNT)
    end = DT * (COUNT + AHEAD - 1)
    closed = 0.4 * np.sqrt(1 / COUNT + (end - t.mean()) ** 2 / ((t - t.mean()) ** 2).sum())
    assert spread[0] == pytest.approx(closed, rel=1e-3)


def test_an_error_of_a_parameter_grows_over_the_forecast():
    start = {"ball": {"x": 5.0, "v": 20.0}}
    far = forecast_spread(line(()), {"push": 0.0}, {"push": 1e-4}, start, seen(0.4), AHEAD)
    assert far[0] == pytest.approx(1e-4 * DT * (COUNT + AHEAD - 1), rel=1e-2)
    assert not forecast_spread(line(()), {"push": 0.0}, {}, start, seen(0.4), AHEAD).any()


@pytest.mark.parametrize("kind", ["elementwise", "branches", "differs"])
def test_rollouts_together_are_those_one_by_one(kind):
    def step(state, params, action, dt):
        x, v = state["ball"]["x"], state["ball"]["v"]
        turns = x > 8.0
        if kind == "branches" and turns:
            v = -v
        if kind == "differs" and np.any(turns):
            v = -v
        kick = np.where(turns, -params["push"] * v, 0.0) if kind == "elementwise" else 0.0
        return {"ball": {"x": x + v * dt + params["push"] * dt, "v": v + kick}}

    program = SimpleNamespace(initial=line(()).initial, step=step)
    starts = [{"ball.x": 5.0, "ball.v": speed} for speed in (20.0, 0.0, 1.0, 9.0)]
    variants = [({"push": 0.1 * k}, row) for k, row in enumerate(starts)]
    found = rollouts(program, variants, 9, DT)
    for rows, (values, row) in zip(found, variants, strict=True):
        alone = rollout(program, values, unflatten_state(row), 9, DT)
        np.testing.assert_allclose(rows, alone.values, rtol=1e-12)
