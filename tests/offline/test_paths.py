"""What is read off a path with gaps: jumps that nobody saw, sightings that do not belong to it."""

from __future__ import annotations

import numpy as np

from agent.proposers.offline.evidence import bearing, kinks, strays
from agent.proposers.offline.hints import favour
from agent.proposers.offline.mechanism import Body, Mechanism, Term


def test_a_bounce_in_a_gap_is_a_jump():
    t = np.arange(24.0)
    x = np.where(t < 10, 8 * t, 160 - 8 * t)
    xy = np.stack([x, 0.1 * t * t], 1)
    xy[9:12] = np.nan
    assert kinks(xy, 0.05) == [10]


def test_a_gap_in_a_swing_is_no_jump():
    t = np.arange(40.0)
    xy = np.stack([60 * np.cos(0.2 * t), 5 * np.cos(0.4 * t)], 1)
    xy[14:18] = np.nan
    assert kinks(xy, 0.05) == []


def test_a_bounce_drawn_on_whole_pixels_is_a_jump_and_a_swing_is_none():
    t = np.arange(40.0)
    x = np.where(t < 19.5, 160 - 1.0 * t, 121 + 0.9 * t)
    assert kinks(np.round(np.stack([x, 60 + 0.1 * t], 1)), 0.29) in ([19], [20], [21])
    for period in (14, 25, 60):
        angle = 2 * np.pi * t / period
        swing = np.stack([100 + 60 * np.sin(angle), 60 + 9 * np.cos(2 * angle)], 1)
        assert kinks(np.round(swing), 0.29) == []


def test_a_lone_first_sighting_off_the_course_is_no_part_of_it():
    t = np.arange(30.0)
    xy = np.stack([20 + 5 * t, 80 - 4 * t + 0.15 * t * t], 1)
    xy[1:3] = np.nan
    assert strays(xy, 0.1) == []
    xy[0] += (14.0, 3.0)
    assert strays(xy, 0.1) == [0]


def test_directions_go_on_across_a_gap():
    angles = np.linspace(0.0, 9.0, 40)
    offset = np.stack([np.cos(angles), np.sin(angles)], 1)
    offset[[0, 17, 18]] = np.nan
    found = bearing(offset)
    known = np.isfinite(found)
    assert known.sum() == 37 and np.abs(np.diff(found[known] - angles[known])).max() < 1e-9


def test_a_hint_raises_what_it_names_and_nothing_else():
    hanging = Mechanism(
        (Body("bob", "disk", None, motion="revolute"),), (Term("gravity", ("bob",)),)
    )
    falling = Mechanism((Body("bob", "disk", None),), (Term("gravity", ("bob",)),))
    assert favour("It is a pendulum", hanging) < favour("It is a pendulum", falling) == 0.0
    assert favour("gravity", hanging) == favour("gravity", falling) < 0.0
    assert favour("my cat filmed this", hanging) == 0.0
