"""Drawn clips as a camera in trouble takes them, and what is still found in them."""

from __future__ import annotations

import numpy as np
import pytest

from agent.proposers.offline.evidence import gather
from agent.proposers.offline.plans import plan
from agent.proposers.offline.write import write
from benchmarks.environments import Options, load
from benchmarks.environments.trouble import TROUBLES
from benchmarks.environments.variants import KNOWN
from docs.examples.ball import draw
from tools.perception.repeats import stalled
from tools.types import ContractError, Video


def taken(trouble: str, seed: int = 3) -> np.ndarray:
    return TROUBLES[trouble](draw(30), 20, np.random.default_rng(seed))


@pytest.mark.parametrize("trouble", TROUBLES)
def test_a_trouble_changes_pictures_and_is_the_same_for_a_seed(trouble):
    clean, frames = draw(30), taken(trouble)
    assert frames.shape == clean.shape and frames.dtype == np.uint8
    assert (frames != clean).any() and np.array_equal(frames, taken(trouble))


@pytest.mark.parametrize("trouble", ["shake1", "shake3", "flicker", "repeat", "clock"])
def test_what_nobody_could_know_is_not_in_the_frames_to_come(trouble):
    frames, clean = taken(trouble), draw(30)
    steps = np.abs(np.diff(frames[20:].astype(int), axis=0))
    ground = (clean[20:] == clean[20]).all((0, 3))
    ground[:, [0, 1, 2, 3, -4, -3, -2, -1]] = False
    inside = ground.copy()
    inside[4:-4] &= ground[:-8] & ground[8:]  # beside what moves by the shake
    assert np.quantile(steps[:, inside], 0.98) == 0


def test_a_varying_frame_rate_leaves_frames_out_and_keeps_their_times():
    task, held_back = load("gallery:thrown-ball", seed=0, options=Options(variant="vfr"))
    plain, _ = load("gallery:thrown-ball", seed=0)
    seen, times = task.test[0], task.test[0].times
    assert times is not None and len(seen) == task.context < plain.context
    at = np.rint(times / plain.dt).astype(int)
    assert np.array_equal(seen.frames, plain.test[0].frames[at])
    assert len(task.future_times[0]) == task.horizon == len(held_back.known[0])
    with pytest.raises(ContractError, match=r"one of clean, noise, mp4, shake1.*vfr"):
        load("gallery:thrown-ball", seed=0, options=Options(variant="fog"))
    assert {"pan", "vfr"} <= {*KNOWN}


def test_frames_that_repeat_show_no_place_and_a_bounce_beside_one_is_found():
    frames = draw(30)
    clean = gather(Video(frames, 1 / 30))
    (path,) = gather(Video(taken("repeat"), 1 / 30)).movers
    assert np.flatnonzero(~path.seen).tolist() == [4, 9, 14, 19]
    assert path.sigma < 3 * clean.movers[0].sigma + 0.05
    assert len(path.kinks) == len(clean.movers[0].kinks)


def test_what_rests_for_a_frame_on_whole_pixels_is_no_repeat():
    frames = np.full((30, 40, 60, 3), 240, np.uint8)
    places = np.array([(5.0 + int(1.6 * t), 20.0) for t in range(30)])
    for t, (x, y) in enumerate(places.astype(int)):
        frames[t, y : y + 6, x : x + 6] = (20, 20, 200)
    assert not stalled(frames, [places]).any()


def test_a_clock_is_no_body():
    found = gather(Video(taken("clock"), 1 / 30))
    assert [path.appearance.shape for path in found.movers] == ["disk"]


def test_a_body_is_not_carried_by_its_shadow():
    task, _ = load("gallery:spring", seed=0, options=Options(variant="shadow"))
    found = plan(task).drafts[0].mechanism
    motions = {body.motion: body for body in found.bodies}
    assert motions["image"].on is not None and "weld" not in motions
    assert "spring" in write(found).dynamics
