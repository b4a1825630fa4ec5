"""What many bodies share is worked out once, and what cannot pay is not worked out, with the same
result."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from agent.proposers.offline import kinematics, pairs
from agent.proposers.offline.contacts import without
from agent.proposers.offline.mechanism import Body, Term
from agent.proposers.offline.priors import without as left_out
from agent.proposers.offline.walls import boundaries
from tests.offline.test_grammar import DT, evidence, path
from tools.perception.parts import Appearance

T = DT * np.arange(30)


def flying(name, start, speed, sigma=0.05):
    rng = np.random.default_rng(len(name))
    xy = np.array(start) + np.outer(T, speed) + rng.normal(0, sigma, (len(T), 2))
    return path(name, xy, sigma=sigma)


def tied(stiffness=9.0):
    """Two bodies on a spring of their own, that go round each other."""
    angle = math.sqrt(stiffness / 2) * T
    apart = np.stack([(20 + 6 * np.cos(2 * angle)) * np.cos(angle), 15 * np.sin(angle)], 1)
    middle = np.array([150.0, 100.0])
    return path("a", middle + apart), path("bb", middle - apart)


def test_a_force_that_cannot_pay_is_not_sought_and_one_that_does_is_found():
    one, other = tied()
    paths = one, other, flying("ccc", (20, 20), (40, 9)), flying("dddd", (280, 30), (-50, 30))
    scene = evidence(*paths)
    for a, b in itertools.combinations(paths, 2):
        pair = pairs._pair(a.name, b.name, scene)
        every = [bic for _, bic, _ in pair.options(math.inf)]
        bound = max(pair._least, pair._bound) if pair._least < math.inf else math.inf
        assert all(bound <= bic for bic in every)
        assert pair.options(min(every, default=bound) - 200.0) == [] or every
    bodies = [Body(p.name, "disk", (200, 30, 30), None, "free") for p in paths]
    alone = [pairs._steadily(p, p.seen, DT) for p in paths]
    found = pairs.pair_options(bodies, alone, scene)
    assert found and found[0][:2] == (0, 1)


def test_what_was_worked_out_is_not_used_when_something_is_left_out():
    scene = evidence(*tied())
    pair = pairs._pair("a", "bb", scene)
    assert pairs._pair("a", "bb", scene) is pair
    with left_out("law drag"):
        assert pairs._pair("a", "bb", scene) is not pair


@pytest.mark.parametrize("away", [15.0, 19.5, 60.0])
def test_bodies_far_apart_are_not_near_whatever_their_outlines(away):
    box = Appearance("box", (9, 9, 9), (30.0, 4.0))
    xy = np.stack([100 + T, 100 + 0 * T], 1)
    first = path("first", xy, angle=0.3 * T, appearance=box)
    second = path("second", xy + np.array([0.0, away]))
    gaps = [kinematics.gap(first, second, t) for t in range(len(T))][:: len(T) // 12]
    assert kinematics.near(first, second) == (np.quantile(gaps, 0.9) <= 3.0)


def test_contacts_are_told_apart_by_what_they_say():
    walls = [Term("wall", ("a",), {"nx": float(k)}) for k in range(3)]
    assert without(walls, [Term("wall", ("a",), {"nx": 1.0})]) == (walls[0], walls[2])


def test_boundaries_of_another_path_of_the_same_name_are_its_own():
    scene = evidence(flying("a", (100, 100), (20, 0)))
    whole = boundaries(scene.paths["a"], scene)
    assert boundaries(scene.paths["a"], scene) == whole
    assert boundaries(flying("a", (100, 100), (0, 20)), scene) is not whole
