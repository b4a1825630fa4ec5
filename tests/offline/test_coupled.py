"""Coordinates that follow others, and causes that have a number in their shape, are found from
paths and printed."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from agent.proposers.offline.evidence import Explanation, smooth
from agent.proposers.offline.flying import _free_terms, centres, library
from agent.proposers.offline.plans import ranked
from agent.proposers.offline.write import translated, write
from benchmarks.grammar import judged, without_idle
from tests.offline.test_grammar import evidence, path
from tools.perception.parts import Appearance

DT = 0.03
T = np.arange(40) * DT
TALL = Appearance("box", (60.0, 60.0, 200.0), (30.0, 30.0))


def wheel(radius):
    return Appearance("disk", (60.0, 160.0, 60.0), (radius,))


def around(middle, reach, angle):
    return np.array(middle) + reach * np.stack([np.cos(angle), np.sin(angle)], 1)


def still(name, x, y, look):
    return path(name, np.tile([float(x), float(y)], (len(T), 1)), appearance=look)


def noisy(xy, seed=0):
    return xy + np.random.default_rng(seed).normal(0, 0.02, xy.shape)


def found(*paths):
    """The likeliest mechanism, whose program does what it says."""
    likeliest = ranked(replace(evidence(*paths), dt=DT))[0][1].mechanism
    verdict = judged(without_idle(translated(likeliest)), np.random.default_rng(0))
    assert verdict.status == "agrees", verdict
    return likeliest


def solved(rates, start):
    return solve_ivp(rates, (0, T[-1]), start, "DOP853", T, rtol=1e-9, atol=1e-9).y.T


def test_marks_on_two_wheels_that_touch_are_gears():
    a = 3.0 * (1 - np.exp(-0.8 * T))
    mechanism = found(
        still("small", 100, 100, wheel(30.0)),
        still("large", 175, 100, wheel(45.0)),
        path("one", noisy(around((100, 100), 18, a)), appearance=wheel(4.0)),
        path("other", noisy(around((175, 100), 30, 2.0 - a / 1.5), 1), appearance=wheel(4.5)),
    )
    (gear,) = mechanism.of("gear")
    ratio = gear.numbers["ratio"]
    assert (ratio if gear.bodies[0] == "other" else 1 / ratio) == pytest.approx(-1 / 1.5, rel=0.01)
    assert "are gears that mesh" in write(mechanism).dynamics


def test_two_that_go_up_and_down_by_the_same_way_hang_on_one_rope():
    y = 40.0 * T**2
    mechanism = found(
        path("left", noisy(np.stack([90 + 0 * T, 80 + y], 1)), appearance=TALL),
        path("right", noisy(np.stack([170 + 0 * T, 190 - y], 1), 1), appearance=TALL),
    )
    assert mechanism.of("pulley") and {t.kind for t in mechanism.terms} == {"pulley", "gravity"}
    assert len(mechanism.followers) == 1


def test_two_that_are_let_go_together_fall_on_their_own():
    paths = [
        path(name, noisy(np.stack([x + 0 * T, 40 + 60 * T**2], 1), k), appearance=wheel(9.0))
        for k, (name, x) in enumerate((("a", 60.0), ("b", 200.0)))
    ]
    mechanism = found(*paths)
    assert not mechanism.followers and {b.motion for b in mechanism.bodies} == {"free"}


@pytest.mark.parametrize("side", [1.0, -1.0])
def test_a_slider_that_follows_a_wheel_by_a_rod_is_driven_by_a_crank(side):
    a = 0.4 + 7.0 * T
    x = 120 + 30 * np.cos(a) + side * np.sqrt(100.0**2 - (30 * np.sin(a)) ** 2)
    mechanism = found(
        still("axle", 120, 100, wheel(8.0)),
        path("pin", noisy(around((120, 100), 30, a)), appearance=wheel(5.0)),
        path("block", noisy(np.stack([x, 100 + 0 * T], 1), 1), appearance=TALL),
    )
    (crank,) = mechanism.of("crank")
    assert crank.bodies == ("block", "pin")
    assert crank.numbers["throw"] == pytest.approx(30.0, abs=0.5)
    assert crank.numbers["rod"] == pytest.approx(100.0, abs=3.0)


def test_a_ball_on_a_spring_that_swings_about_a_drawn_pin_has_a_spring_of_some_length():
    def rates(_, s):
        d = s[:2] - (150, 30)
        return [*s[2:], *(-60 * (np.hypot(*d) - 90) * d / np.hypot(*d) + (0, 600))]

    xy = solved(rates, [190, 120, 0, 0])[:, :2]
    mechanism = found(still("pin", 150, 30, wheel(5.0)), path("ball", noisy(xy)))
    (spring,) = mechanism.of("attraction")
    assert spring.numbers["length"] == pytest.approx(90.0, rel=0.02)
    assert spring.numbers["k"] == pytest.approx(60.0, rel=0.03)


def test_free_motion_seen_by_one_who_turns_is_a_turning_frame():
    c, s, along = np.cos(1.7 * T), np.sin(1.7 * T), 180 * T - 100
    xy = np.stack([150 + c * along + 25 * s, 120 - s * along + 25 * c], 1)
    mechanism = found(path("ball", noisy(xy)))
    (frame,) = mechanism.of("frame")
    assert abs(frame.numbers["rate"]) == pytest.approx(1.7, rel=0.02)
    assert (frame.numbers["x0"], frame.numbers["y0"]) == pytest.approx((150, 120), abs=2)


def test_a_spring_under_a_periodic_force_is_both():
    s = solved(lambda t, s: [s[1], -50 * s[0] - 0.4 * s[1] + 2500 * np.sin(12 * t)], [40, 0])
    mechanism = found(path("block", noisy(np.stack([160 + s[:, 0], 80 + 0 * T], 1))))
    (drive,), (spring,) = mechanism.of("drive"), mechanism.of("spring")
    assert drive.numbers["rate"] == pytest.approx(12.0, rel=0.03)
    assert spring.numbers["k"] == pytest.approx(50.0, rel=0.05)


def test_an_engine_that_stops_is_told_with_the_moment():
    until = np.minimum(T, 0.61)
    y = 220 - 160 * until * (T - until / 2) + 60 * T * T / 2
    mechanism = found(path("box", noisy(np.stack([80 + 40 * T, y], 1))))
    (thrust,), (weight,) = mechanism.of("switched"), mechanism.of("gravity")
    assert thrust.numbers["ends"] == pytest.approx(0.61, abs=0.01)
    assert thrust.numbers["ay"] == pytest.approx(-160, rel=0.05)
    assert weight.numbers["gy"] == pytest.approx(60, rel=0.1)


def test_three_bodies_that_attract_each_other():
    mass = np.array([1.0, 0.7, 0.3])

    def rates(_, s):
        p, force = s[:6].reshape(3, 2), np.zeros((3, 2))
        for i in range(3):
            for j in range(3):
                if i != j:
                    d = p[j] - p[i]
                    force[i] += 3e6 * mass[j] * d / np.hypot(*d) ** 3
        return [*s[6:], *force.ravel()]

    start = [140, 120, 200, 130, 160, 230, 20, -130, -40, 160, -150, 20]
    s = solved(rates, start)
    paths = [
        path(name, noisy(s[:, 2 * k : 2 * k + 2], k), appearance=wheel(8.0))
        for k, name in enumerate("abc")
    ]
    mechanism = found(*paths)
    (pull,) = mechanism.of("pair_force")
    assert set(pull.bodies) == {"a", "b", "c"} and pull.numbers["power"] == -2.0
    assert pull.numbers["mass@b"] == pytest.approx(0.7, rel=0.05)
    assert "a, b and c attract or repel each other" in write(mechanism).dynamics


def test_pendulums_that_a_spring_joins_are_joined():
    def rates(_, s):
        ends = np.array([[100.0, 30.0], [210.0, 30.0]]) + 100 * np.stack(
            [np.sin(s[:2]), np.cos(s[:2])], 1
        )
        d = ends[1] - ends[0]
        pull = 12.0 * (np.hypot(*d) - 110) * d / np.hypot(*d)
        along = np.stack([np.cos(s[:2]), -np.sin(s[:2])], 1)
        twist = np.array([pull @ along[0], -pull @ along[1]]) / 100
        return [*s[2:], *(-40 * np.sin(s[:2]) + twist)]

    s = solved(rates, [0.45, 0.0, 0, 0])
    paths = [
        path(name, noisy(around((x, 30), 100, np.pi / 2 - s[:, k]), k), appearance=wheel(11.0))
        for k, (name, x) in enumerate((("a", 100.0), ("b", 210.0)))
    ]
    mechanism = found(still("pin", 100, 30, wheel(4.0)), still("hook", 210, 30, wheel(4.0)), *paths)
    assert {mechanism.body(name).motion for name in "ab"} == {"revolute"}
    (spring,) = mechanism.of("pair_force")
    assert spring.numbers["k"] == pytest.approx(12.0, rel=0.1)


def test_every_feature_of_a_free_body_becomes_a_term():
    xy = np.stack([40 + 90 * T, 60 + 40 * np.sin(5 * T)], 1)
    seen = evidence(still("pin", 150, 30, wheel(5.0)), path("ball", noisy(xy)))
    driven = replace(seen, dt=DT, actions=np.sin(T))
    smoothed, v = smooth(driven.paths["ball"].xy, DT)
    where = centres(driven.paths["ball"], driven, smoothed)
    names = [name for name, *_ in library(driven.paths["ball"], driven, smoothed, v)]
    assert {"action_x", "lorentz_force", "attraction-2@pin"} <= set(names)
    for name in names:
        alone = Explanation((name,), {name: 1.0}, {name: 0.1}, 0.0, 0.0, 0.02)
        assert _free_terms("ball", alone, xy.mean(0), 50.0, where), name


def test_a_wheel_on_a_coil_spring_swings_in_proportion_to_its_angle():
    angle = 1.6 * np.cos(6.0 * T)
    mechanism = found(
        still("hub", 150, 100, wheel(6.0)),
        path("mark", noisy(around((150, 100), 40, angle)), appearance=wheel(4.0)),
    )
    assert {t.kind for t in mechanism.terms} == {"joint_spring"}
    assert mechanism.of("joint_spring")[0].numbers["k"] == pytest.approx(36.0, rel=0.02)
