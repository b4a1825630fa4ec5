"""Bodies that look alike and hang side by side hang alike, and meet."""

from dataclasses import replace

import numpy as np

from agent.proposers.offline.breaks import arrests
from tests.offline.test_coupled import T, found, noisy
from tests.offline.test_grammar import path
from tools.perception.parts import Appearance

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


def test_what_swings_and_stands_at_once_was_stopped():
    places = cradle()
    swung = int(np.argmax(-0.5 * np.cos(RATE * T) > 0))
    for xy in (places[0], places[-1]):
        jumps = arrests(xy, 0.02)
        assert min(abs(t - swung) for t in jumps) <= 1
    assert not arrests(np.stack([50 + 40 * np.cos(RATE * T), 0 * T], 1), 0.02)
