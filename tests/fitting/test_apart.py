"""Start states of bodies that do not meet are tried together, with the slopes that each alone has;
where bodies meet after all, one by one."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from tools import fitting
from tools.fitting.apart import slopes_together
from tools.fitting.model import Model
from tools.fitting.objective import Meter, Objective
from tools.fitting.problem import Problem
from tools.fitting.projection import _STEP, slopes
from tools.fitting.robust import Loss
from tools.physics import collide_disks
from tools.types import Param, States

BODIES, DT = 8, 0.1
NAMES = [f"b{k}" for k in range(BODIES)]
LATENTS = tuple(f"{name}.{axis}" for name in NAMES for axis in ("x", "y", "vx", "vy"))


def crowd(meeting: float = 0.0):
    """Disks that fall; the first two, of this radius, bounce off each other."""

    def step(state, params, action, dt):
        fallen = {
            name: {
                "x": s["x"] + s["vx"] * dt,
                "y": s["y"] + s["vy"] * dt + 0.5 * params["g"] * dt * dt,
                "vx": s["vx"],
                "vy": s["vy"] + params["g"] * dt,
            }
            for name, s in state.items()
        }
        if meeting:
            pair = collide_disks(fallen["b0"], fallen["b1"], 2.0 * meeting, 1.0, 1.0)
            fallen["b0"], fallen["b1"] = pair
        return fallen

    def initial(states, params, dt):
        at = dict(zip(states.columns, states.values[0], strict=True))
        later = dict(zip(states.columns, states.values[1], strict=True))
        return {
            n: {a: at[f"{n}.{a}"] for a in "xy"}
            | {f"v{a}": (later[f"{n}.{a}"] - at[f"{n}.{a}"]) / dt for a in "xy"}
            for n in NAMES
        }

    params = (Param("g", 5.0, 0.0, 20.0),)
    return SimpleNamespace(
        PARAMS=params, LATENTS=LATENTS, initial=initial, step=step, DIFFERENTIABLE=False
    )


def seen(rng, frames=12):
    """What falls is seen, with noise; the first two disks come towards each other."""
    t = DT * np.arange(frames)
    start, speed = rng.uniform(0, 90, (BODIES, 2)), rng.uniform(-9, 9, (BODIES, 2))
    start[:2], speed[:2] = [(0, 0), (20, 0)], [(9, 0), (-9, 0)]
    places = start[:, None] + speed[:, None] * t[:, None]
    places[..., 1] += 0.5 * 9.0 * t**2
    columns = tuple(f"{name}.{axis}" for name in NAMES for axis in "xy")
    table = places.transpose(1, 0, 2).reshape(frames, -1)
    return fitting.Measured(States(columns, table + rng.normal(0, 0.01, table.shape)), DT)


def objective(made, data):
    problem = Problem(Model(made), [data])
    problem.batched = True
    return Objective(problem, Loss("linear"), Meter(fitting.Budget()))


@pytest.mark.parametrize("meeting", [0.0, 3.0], ids=["apart", "meeting"])
def test_slopes_are_those_found_one_by_one(rng, meeting):
    target = objective(crowd(meeting), seen(rng))
    points = target.problem.point()
    residuals, _ = target.evaluate(points)
    assert slopes_together(target, points, residuals, _STEP) is None, "nothing is known yet"
    alone = slopes(target, points, residuals)
    before, rolled = target.meter.evaluations, []
    rolls = target.problem.residuals
    target.problem.residuals = lambda some: rolled.append(len(some)) or rolls(some)
    together = slopes_together(target, points, residuals, _STEP)
    assert together is not None and sum(rolled) < len(LATENTS) / 3
    assert target.meter.evaluations - before == len(LATENTS), "a budget leads as far"
    np.testing.assert_array_equal(together[0], alone[0])


def test_a_meeting_that_was_not_known_of_is_noticed(rng):
    data = seen(rng)
    target = objective(crowd(), data)
    points = target.problem.point()
    slopes(target, points, target.evaluate(points)[0])
    meeting = objective(crowd(3.0), data)
    meeting.problem.touched.update(target.problem.touched)
    residuals, _ = meeting.evaluate(points)
    assert slopes_together(meeting, points, residuals, _STEP) is None
    slopes(meeting, points, residuals)
    assert slopes_together(meeting, points, residuals, _STEP) is not None, "it is known now"


def test_a_fit_of_many_bodies_ends_where_it_is_right(rng):
    found = fitting.fit(crowd(), [seen(rng)], rng=np.random.default_rng(0))
    (gravity,) = found.params
    assert gravity.value == pytest.approx(9.0, abs=4 * gravity.error) and gravity.error < 0.05
