"""Bodies that look alike and hang side by side hang alike, and meet."""

from dataclasses import replace

import numpy as np

from agent.proposers.offline.breaks import arrests
from agent.proposers.offline.write import write
from tests.offline.test_coupled import T, found, noisy
from tests.offline.test_grammar import path
from tools.perception.assemble import scene_of
from tools.perception.parts import Appearance, Track
from tools.perception.tracking import Tracks
from tools.rendering import pose_of

ARM, RADIUS, RATE = 100.0, 12.0, 5.0


def cradle(count=3):
    """Places of the balls of a Newton's cradle: what arrives at one end leaves at the other."""
    phase = -0.5 * np.cos(RATE * T)
    angles = np.zeros((count, len(T)))
    angles[0], angles[-1] = np.minimum(phase, 0), np.maximum(phase, 0)
    pivots = 100 + 2 * RADIUS * np.arange(count)
    return [
        np.stack([x + ARM * np.sin(a), 40 + ARM * np.cos(a)], 1)
        for x, a in zip(pivots, angles, strict=True)
    ]


def test_balls_that_have_not_moved_hang_as_those_that_swing_and_are_struck():
    places = cradle()
    names = ("first", "middle", "last")
    ball = Appearance("disk", (200.0, 30.0, 30.0), (RADIUS,))
    paths = [
        path(name, noisy(xy, k), appearance=ball)
        for k, (name, xy) in enumerate(zip(names, places, strict=True))
    ]
    paths[1] = replace(paths[1], waits=True)
    mechanism = found(*paths)
    assert {body.motion for body in mechanism.bodies} == {"revolute"}
    (weight,) = mechanism.of("gravity")
    assert set(weight.bodies) == set(names)
    assert {frozenset(t.bodies) for t in mechanism.of("collide")} >= {
        frozenset(("first", "middle")), frozenset(("middle", "last"))
    }  # fmt: skip


def test_a_thread_is_fixed_to_its_bob_round_the_same_point():
    places = cradle()
    ball = Appearance("disk", (200.0, 30.0, 30.0), (RADIUS,))
    paths = [path(f"ball_{k}", noisy(xy, k), appearance=ball) for k, xy in enumerate(places)]
    paths[1] = replace(paths[1], waits=True)
    for k in (0, 2):
        pivot = np.array([100 + 2 * RADIUS * k, 40.0])
        away = places[k] - pivot
        angle = np.unwrap(np.arctan2(away[:, 1], away[:, 0]))
        thread = Appearance("box", (30.0, 30.0, 200.0), (60.0, 3.0))
        paths.append(path(f"thread_{k}", noisy(pivot + 0.4 * away, k), angle, appearance=thread))
    mechanism = found(*paths)
    threads = [body for body in mechanism.bodies if body.name.startswith("thread")]
    assert [(body.motion, body.on) for body in threads] == [("weld", "ball_0"), ("weld", "ball_2")]
    assert abs(threads[1].numbers["about_x"] - 148.0) < 0.5 and not mechanism.of("belt")
    programs = write(mechanism)
    assert '"thread_2": ("ball_2", 148.' in programs.perception


def test_a_rider_is_placed_by_the_angle_that_its_host_is_seen_at():
    turn = np.linspace(0.2, 1.4, 9)
    disk, rod = Appearance("disk", (9, 9, 9), (5.0,)), Appearance("box", (9, 9, 9), (20.0, 2.0))
    ways = np.stack([np.cos(turn), np.sin(turn)], 1)
    host, rider = (
        Track(name, look, np.column_stack([50 + r * ways, angle]), np.full(3, 0.01), np.zeros(9))
        for name, look, r, angle in (("bob", disk, 40, 0 * turn), ("rod", rod, 20, turn))
    )
    tracks = Tracks(np.zeros((99, 99, 3), np.uint8), 0.0, (host, rider), np.zeros((99, 99), bool))
    varies = {"bob": ("x", "y")}
    scene = scene_of(tracks, varies, {"rod": ("bob", 50.0, 50.0)})
    state = {"bob": {"x": 50.0 + 40 * ways[5, 0], "y": 50.0 + 40 * ways[5, 1], "angle": turn[5]}}
    pose = pose_of("rod", state, scene)
    assert np.allclose([pose["x"], pose["y"], pose["angle"]], [*(50 + 20 * ways[5]), turn[5]])


def test_what_swings_and_stands_at_once_was_stopped():
    places = cradle()
    swung = int(np.argmax(-0.5 * np.cos(RATE * T) > 0))
    for xy in (places[0], places[-1]):
        jumps = arrests(xy, 0.02)
        assert min(abs(t - swung) for t in jumps) <= 1
    assert not arrests(np.stack([50 + 40 * np.cos(RATE * T), 0 * T], 1), 0.02)
