"""Clips of one experiment: numbers that they share, and numbers that they do not."""

import numpy as np

from agent.evaluation.doubts import Doubts
from agent.units import sharing
from benchmarks.identifiability import DT, FAMILIES, FRAMES
from tools.fitting import Measured, determined, posterior, rollout
from tools.types import States

BALL = FAMILIES["thrown ball"]


def clip(rng, **values):
    values = {"gravity": 300.0, "drag": 1.0, "mass": 1.0} | values
    course = rollout(BALL.program, values, BALL.start(rng), FRAMES - 1, DT)
    table = np.stack([course.column(c) for c in BALL.noise], 1)
    noisy = table + 0.1 * rng.standard_normal(table.shape)
    return Measured(States(tuple(BALL.noise), noisy), DT)


def asked(clips):
    start = {p.name: p.value for p in BALL.program.PARAMS}
    found = posterior(BALL.program, clips, start, np.random.default_rng(0))
    return Doubts(determined(found), (), (), found.worth, found.noise, ())


def test_shared_constants_are_found_and_others_are_told_apart():
    rng = np.random.default_rng(5)
    clips = [clip(rng), clip(rng), clip(rng, drag=1.3)]
    found = sharing.compared([asked([one]) for one in clips], asked(clips))
    by_name = {one.name: one for one in found}
    assert by_name["gravity"].one and not by_name["drag"].one
    assert by_name["mass"].chance is None and by_name["mass"].alone == (None, None, None)
    said = "\n".join(sharing.lines(found))
    assert "drag" in said and "NOT one number" in said and "fewer than two clips" in said


def test_together_the_error_is_smaller():
    rng = np.random.default_rng(6)
    clips = [clip(rng) for _ in range(4)]
    found = sharing.compared([asked([one]) for one in clips], asked(clips))
    gravity = next(one for one in found if one.name == "gravity")
    assert gravity.one and abs(gravity.together[0] - 300.0) < 5 * gravity.together[1]
    assert gravity.together[1] < 0.7 * min(error for _, error in gravity.alone)
