"""Whole triples of mechanisms that only the new grammar can say: perception reads what rendering
drew, dynamics goes on from there."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest

from agent.core.screen import screen
from agent.proposers.offline.grammar.couplings.pulley import Pulley
from agent.proposers.offline.grammar.joints.prismatic import Prismatic
from agent.proposers.offline.grammar.joints.revolute import Revolute
from agent.proposers.offline.grammar.laws.collision import Collision
from agent.proposers.offline.grammar.laws.constant_field import ConstantField
from agent.proposers.offline.grammar.laws.pair_force import PairForce
from agent.proposers.offline.grammar.laws.periodic_force import PeriodicForce
from agent.proposers.offline.grammar.mechanism import Body, Mechanism
from agent.proposers.offline.grammar.quantity import Number
from agent.proposers.offline.grammar.rollout import complete, rollout
from agent.proposers.offline.grammar.shapes.disk import Disk
from agent.proposers.offline.source.programs import programs
from benchmarks.grammar import loaded
from tools import toolbox

RED, BLUE, GREEN = Disk((210.0, 40.0, 40.0)), Disk((40.0, 60.0, 200.0)), Disk((30.0, 150.0, 60.0))
DT = 0.04


def two_masses_on_a_rope():
    lines = (Prismatic(None, (x, 0.0), (0.0, 1.0)) for x in (40.0, 110.0))
    one, two = (Body(n, s, j) for n, s, j in zip("ab", (RED, BLUE), lines, strict=True))
    heavy = Body("a", one.shape, one.joint, Number(2.0))
    fall = ConstantField(("a", "b"), None, Number(90.0))
    state = {"a": {"y": 30.0, "vy": 0.0}, "b": {"y": 90.0, "vy": 0.0}}
    return Mechanism((heavy, two), (fall,), (Pulley("b", "a"),)), state


def three_that_attract_each_other():
    bodies = tuple(Body(n, s) for n, s in zip("abc", (RED, BLUE, GREEN), strict=True))
    law = PairForce(("a", "b", "c"), Number(3e4), -1.0)
    turns = [2 * math.pi * k / 3 for k in range(3)]
    state = {
        n: {
            "x": 80.0 + 35.0 * math.cos(t),
            "y": 60.0 + 35.0 * math.sin(t),
            "vx": -60.0 * math.sin(t),
            "vy": 60.0 * math.cos(t),
        }
        for n, t in zip("abc", turns, strict=True)
    }
    return Mechanism(bodies, (law,)), state


def a_driven_disk():
    law = PeriodicForce(("a",), Number(300.0), None, Number(6.0), Number(0.3))
    return Mechanism((Body("a", RED),), (law,)), {
        "a": {"x": 60.0, "y": 50.0, "vx": 20.0, "vy": 5.0}
    }


def two_pendulums_that_meet():
    bodies = tuple(
        Body(n, s, Revolute(None, x, 10.0, Number(60.0), seen=False))
        for n, s, x in (("a", RED, 60.0), ("b", BLUE, 81.0))
    )
    laws = (ConstantField(("a", "b"), None, Number(500.0)), Collision(("a", "b"), Number(0.9)))
    state = {"a": {"angle": 2.2, "spin": 0.0}, "b": {"angle": math.pi / 2, "spin": 0.0}}
    return Mechanism(bodies, laws, substeps=2), {n: {**p, "radius": 9.0} for n, p in state.items()}


def film(mechanism, state, count):
    """States of a rollout, and frames that OpenCV drew of them."""
    start = complete(mechanism, mechanism.guesses, {"clock": {"time": 0.0}, **state})
    states = [start, *rollout(mechanism, mechanism.guesses, start, DT, [0.0] * (count - 1))]
    frames = np.full((count, 120, 160, 3), (238, 234, 226), np.uint8)
    for frame, now in zip(frames, states, strict=True):
        for body in mechanism.bodies:
            along = dict(zip("xy", getattr(body.joint, "at", (0.0, 0.0)), strict=True))
            x, y = (now[body.name].get(axis, along[axis]) for axis in "xy")
            at = (round(x * 256), round(y * 256))
            cv2.circle(frame, at, 9 * 256, body.shape.colour, -1, cv2.LINE_AA, 8)
    return states, frames


@pytest.mark.parametrize(
    "scene",
    [two_masses_on_a_rope, three_that_attract_each_other, a_driven_disk, two_pendulums_that_meet],
)
def test_a_triple_sees_goes_on_and_draws(scene):
    mechanism, state = scene()
    written = programs(mechanism)
    assert screen(written) is None
    perceive, dynamics, render = (loaded(source) for _, source in written.items())
    truth, frames = film(mechanism, state, 14)
    states, picture = perceive["perceive"](frames[:10], toolbox)
    values = {p.name: p.value for p in dynamics["PARAMS"]}
    now = dynamics["initial"](states, values, DT)
    assert set(dynamics["LATENTS"]) <= {f"{n}.{a}" for n, part in now.items() for a in part}
    for part, exact in ((now[n], truth[0][n]) for n in mechanism.by_name):
        part.update({key: exact[key] for key in part if key in exact})
    for _ in range(13):
        now = dynamics["step"](now, values, 0.0, DT)
    for name, part in ((n, truth[13][n]) for n in mechanism.by_name):
        assert now[name] == pytest.approx({k: part[k] for k in now[name]}, rel=1e-6, abs=1e-6)
    drawn = render["render"](now, picture, frames.shape[1:3])
    assert np.abs(drawn.astype(float) - frames[13]).mean() < 0.6
    for column in states.columns:
        name, _, attribute = column.partition(".")
        if attribute in ("x", "y"):
            exact = [moment[name].get(attribute, np.nan) for moment in truth[:10]]
            assert np.nanmax(np.abs(states.column(column) - exact)) < 0.5
