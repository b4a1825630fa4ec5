"""What is concluded from paths: right names, also where a lens bends what is measured."""

import math
from dataclasses import replace

import numpy as np
import pytest

from agent.proposers.offline.belief import bandwidth, least, misfit, systematic
from agent.proposers.offline.evidence import kinks, noise_of
from agent.proposers.offline.flying import library
from agent.proposers.offline.plans import ranked
from agent.proposers.offline.priors import CAUSES, JOINTS, THRESHOLDS, log_odds, price
from tests.offline.test_grammar import evidence, path

T = np.arange(60) * 0.03
MIDDLE = np.array([160.0, 120.0])


def swing(reach, length, rate, damping=0.0, pivot=(160.0, 20.0)):
    angle = reach * np.exp(-damping * T) * np.cos(rate * T)
    return np.array(pivot) + length * np.stack([np.sin(angle), np.cos(angle)], 1)


WAYS = {
    "incline": (
        np.stack([40 + 30 * T + 60 * T**2, 60 + 12 * T + 24 * T**2], 1),
        "prismatic",
        {"push"},
    ),
    "throw": (np.stack([40 + 130 * T, 200 - 250 * T + 140 * T**2], 1), "free", {"gravity"}),
    "pendulum": (swing(0.5, 100, 4.0, 0.3), "revolute", {"gravity", "damping"}),
    "pivot far outside": (swing(0.08, 600, 4.0, pivot=(160.0, -480.0)), "revolute", {"gravity"}),
    "spring": (
        np.stack([160 + 0 * T, 120 + 40 * np.exp(-0.3 * T) * np.cos(6 * T)], 1),
        "free",
        {"spring", "drag"},
    ),
    "steady": (np.stack([40 + 130 * T, 80 + 40 * T], 1), "free", set()),
    "drag": (np.stack([40 + 150 * (1 - np.exp(-1.2 * T)), 80 + 0 * T], 1), "free", {"drag"}),
}


def seen(xy, lens, noise, seed=0):
    """A path as a camera with a lens shows it, with the errors that evidence would give it."""
    away = xy - MIDDLE
    bent = xy + lens * away * ((away**2).sum(1) / 160**2)[:, None]
    shown = bent + np.random.default_rng(seed).normal(0, noise, xy.shape)
    sigma = max(noise_of(series, 0.02) for series in shown.T)
    travel = float(np.hypot(*np.diff(shown, axis=0).T).sum())
    known = replace(path("thing", shown, sigma=sigma), kinks=tuple(kinks(shown, sigma)))
    found = replace(known, systematic=systematic(sigma, travel) if lens else 0.0)
    return replace(evidence(found), dt=0.03)


@pytest.mark.parametrize("name", WAYS)
@pytest.mark.parametrize(("lens", "noise"), [(0.0, 0.02), (0.01, 0.3), (-0.015, 0.5)])
def test_the_cause_is_named_though_a_lens_misplaces_things(name, lens, noise):
    xy, motion, kinds = WAYS[name]
    (_, best), *_ = ranked(seen(xy, lens, noise))
    assert best.mechanism.body("thing").motion == motion
    found = {term.kind for term in best.mechanism.terms}
    assert found == kinds or (lens and {"damping", "drag"} & kinds and found < kinds)


def test_the_pivot_is_found_far_outside_the_picture():
    (_, best), *_ = ranked(seen(WAYS["pivot far outside"][0], 0.0, 0.02))
    numbers = best.mechanism.body("thing").numbers
    assert numbers["pivot_y"] == pytest.approx(-480, abs=12)
    assert numbers["pivot_x"] == pytest.approx(160, abs=3)


def test_a_slow_error_says_less_than_noise_of_the_same_size():
    t = np.linspace(0, 1, 100)
    slow, fast = np.sin(3 * t), np.random.default_rng(0).normal(0, 0.7, 100)
    assert misfit([slow], 0.1, [6]) < 0.4 * misfit([fast], 0.1, [6])
    assert misfit([0 * t], 0.1, [6]) == 0.0


def test_systematic_errors_are_as_rough_as_twice_the_path():
    t = np.arange(100)
    assert bandwidth(3.0 * t, 0.02) == THRESHOLDS.modes
    assert 16 <= bandwidth(np.cos(2 * math.pi * t / 25), 0.02) <= 24


def test_no_cause_is_free_and_every_further_one_is_dearer():
    ball = evidence(path("ball", WAYS["throw"][0]))
    names = [f[0] for f in library(ball.paths["ball"], ball, *(WAYS["throw"][0],) * 2)]
    assert all(log_odds(name) < 0 for name in [*names, "damping@rod", "pair_force-2", "ax:u*p"])
    assert price(["gy", "drag"]) > price(["gy"]) + price(["drag"])
    assert price(["ax:1"]) > price(["lorentz_force"]) > price(["gy"])
    assert all(odds.why.endswith(".") for odds in (*CAUSES.values(), *JOINTS.values()))


def test_a_pendulum_that_strikes_a_wall_is_turned_back_there():
    angle, spin, rows = -0.5, 0.0, []
    for _ in T:
        rows.append(angle)
        for _ in range(30):
            spin -= 16.0 * math.sin(angle) * 0.001
            angle += spin * 0.001
            if angle > 0.2 and spin > 0:
                spin *= -0.8
    xy = np.array([160.0, 20.0]) + 100 * np.stack([np.sin(rows), np.cos(rows)], 1)
    (_, best), *_ = ranked(seen(xy, 0.0, 0.02))
    stop = best.mechanism.of("stop")[0].numbers
    assert best.mechanism.body("thing").motion == "revolute"
    assert stop["side"] == -1.0  # angles of the picture grow the other way
    assert stop["place"] == pytest.approx(math.pi / 2 - 0.2, abs=0.05)
    assert stop["e"] == pytest.approx(0.8, abs=0.15)


def test_what_is_driven_is_damped():
    """A swing that a force keeps up is expected to lose by itself what the force gives it."""
    from agent.proposers.offline.flying import _damped
    from agent.proposers.offline.mechanism import Term
    from agent.proposers.offline.priors import price

    alone = price(["spring_x", "drag"]) - price(["spring_x"])
    driven = price(["spring_x", "drive_x", "drag"]) - price(["spring_x", "drive_x"])
    assert driven == 2.0 < alone
    force = Term("drive", ("block",), {"ax": 90.0, "rate": 10.0, "phase": 0.3})
    (_, drag), told = _damped("block", (force,))
    assert drag.kind == "drag" and drag.numbers["prior"] == drag.numbers["c"] > 0 and told
    rubbing = (force, Term("friction", ("block",), {"c": 5.0}))
    assert _damped("block", rubbing) == (rubbing, "")


def test_nothing_leaves_less_than_the_least_that_its_squares_allow():
    rng = np.random.default_rng(0)
    for size in (0.01, 0.3, 8.0):
        for bend in (0.0, 4.0):
            residuals = [
                rng.normal(0, size, n) + bend * size * np.cos(np.arange(n) / n) for n in (12, 7)
            ]
            rss = sum(float(one @ one) for one in residuals)
            told = misfit(residuals, 0.1, [4, 2])
            bound = least(rss, [12, 7], [4, 2], 0.1)
            assert 0.0 < bound <= told
