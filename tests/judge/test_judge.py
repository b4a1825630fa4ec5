"""The judge: splices are located and named, what is left as it is holds."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest

from agent.cli import main
from benchmarks.environments.variants import compressed, dressed
from benchmarks.gallery import SCENES
from benchmarks.harness.case import Case, Options, Workplace
from benchmarks.splices import NAMED, Reel, in_order, spliced
from benchmarks.suites.judge import Judge, Truth, effect
from tools import media
from tools.judge import departures, judge
from tools.judge.codec import coded
from tools.judge.innovation import jitter
from tools.types import Video

CASES = {
    "freeze": "two-balls",
    "teleport": "bouncing-ball",
    "reversal": "thrown-ball",
    "speed": "crossing-balls",
    "swap": "two-balls",
    "removed": "thrown-ball",
    "gravity": "thrown-ball",
    "bounce": "thrown-ball",
    "wall": "bouncing-ball",
    "energy": "ball-in-box",
}


@pytest.mark.parametrize("kind", NAMED)
def test_a_splice_is_located_and_named(kind):
    one = spliced(kind, Reel.shot(CASES[kind], 2))
    assert effect(one, Truth.of(one.true)) > 5
    first = judge(one.frames).violations[0]
    assert abs(first.frame - one.frame) <= 2
    assert first.kind == NAMED[kind] and first.strength > 5


@pytest.mark.parametrize("scene", ["thrown-ball", "ball-in-box", "falling-stack", "occlusion"])
def test_what_is_left_as_it_is_holds(scene):
    verdict = judge(SCENES[scene](np.random.default_rng(3), 40).frames)
    assert verdict.holds and verdict.bodies


def test_a_longer_film_begins_like_a_shorter_one():
    short, long = (Reel.shot("ball-in-box", 3, n).film.frames for n in (40, 80))
    assert (long[:40] == short).all()


def test_only_what_was_spliced_is_drawn_anew():
    reel = Reel.shot("two-balls", 2, 40)
    one = spliced("teleport", reel)
    assert (one.frames[: one.frame] == reel.film.frames[: one.frame]).all()
    assert (one.frames[one.frame] != reel.film.frames[one.frame]).any()


@pytest.mark.parametrize("kind", ["freeze", "removed", "bounce"])
def test_a_splice_is_named_in_a_compressed_film(kind):
    one = spliced(kind, Reel.shot("sideways-fall", 2))
    first = judge(compressed(one.frames, 1 / 30)).violations[0]
    assert abs(first.frame - one.frame) <= 2 and first.kind == NAMED[kind]


@pytest.mark.parametrize("scene", ["bouncing-ball", "sliding-box"])
def test_a_codec_is_told_by_its_pairs_of_colours(scene):
    frames = Reel.shot(scene, 3, 40).film.frames
    noisy = dressed(Video(frames, 1 / 30), "noise", np.random.default_rng(0)).frames
    assert coded(compressed(frames, 1 / 30))
    assert not coded(frames) and not coded(noisy)


def test_bodies_alike_that_meet_in_noise_are_no_change_of_size():
    frames = Reel.shot("crossing-balls", 10, 40).film.frames
    noisy = dressed(Video(frames, 1 / 30), "noise", np.random.default_rng(10)).frames
    assert judge(noisy).holds


def test_what_comes_nearer_may_not_jump():
    reel = Reel.shot("growing-disk", 10, 40)
    one = spliced("teleport", reel)
    assert judge(reel.film.frames).holds
    assert [(v.kind, v.frame) for v in judge(one.frames).violations] == [("jump", one.frame)]


def test_what_comes_into_the_picture_may_not_bounce_off_nothing():
    entering = spliced("bounce", Reel.shot("sideways-fall", 21, 40))
    found = judge(entering.frames)
    assert found.violations[0].kind == "velocity"
    assert abs(found.violations[0].frame - entering.frame) <= 1


@pytest.mark.parametrize(
    ("kind", "scene", "seed", "variant"),
    [
        ("freeze", "pendulum", 12, "clean"),  # at its turning point
        ("removed", "crank-slider", 30, "clean"),  # the thin rod
        ("teleport", "crank-slider", 30, "clean"),  # away from what drives it
        ("speed", "dominoes", 31, "clean"),  # while the next one is struck
        ("wall", "bouncing-ball", 30, "mp4"),
        ("reversal", "crossing-balls", 13, "clean"),  # while two meet
        ("removed", "spring", 61, "clean"),  # what its spring lay on grows
        ("teleport", "spring", 12, "clean"),  # by less than a step
        ("teleport", "cart-pole", 13, "clean"),  # under its pole
        ("teleport", "crank-slider", 62, "clean"),  # a thin rod
        ("speed", "rotating-bar", 13, "clean"),  # whose pixels change as it turns
        ("speed", "pendulum", 60, "clean"),  # beside its rod
        ("speed", "cart-pole", 13, "noise"),  # slowly
        ("teleport", "occlusion", 61, "clean"),  # out of hiding
        ("removed", "occlusion", 61, "noise"),  # while it is hidden in part
        ("speed", "occlusion", 13, "mp4"),  # behind something
        ("speed", "bouncing-ball", 32, "clean"),  # soon after a bounce
        ("reversal", "zigzag-spring", 32, "clean"),  # where it turns back on its own
        ("freeze", "damped-spring", 34, "noise"),  # where it hardly moves
        ("speed", "crossing-balls", 34, "clean"),  # as soon as two alike are two again
        ("removed", "crossing-balls", 34, "noise"),  # just then
        ("teleport", "crossing-balls", 34, "mp4"),  # while they are one patch
        ("speed", "see-saw", 36, "clean"),  # while its other end comes down
        ("teleport", "dominoes", 36, "noise"),  # onto another one
        ("speed", "pendulum", 82, "clean"),  # most of the film is faster than it began
        ("reversal", "pendulum", 82, "mp4"),  # just after a swing turned
        ("teleport", "cart-pole", 82, "clean"),  # half under its pole
        ("teleport", "crossing-balls", 83, "noise"),  # next to one alike
        ("removed", "crank-slider", 83, "clean"),  # a rod across the rail
        ("reversal", "coupled-pendulums", 84, "clean"),  # a rod of the colour of its bob
        ("reversal", "forced-oscillator", 85, "clean"),  # a short piece of a swing before
    ],
)
def test_a_splice_is_told_beside_what_could_hide_it(kind, scene, seed, variant):
    one = spliced(kind, Reel.shot(scene, seed))
    frames = dressed(Video(one.frames, 1 / 30), variant, np.random.default_rng(seed)).frames
    first = judge(frames).violations[0]
    assert abs(first.frame - one.frame) <= 2 and first.kind == NAMED[kind]


@pytest.mark.parametrize(
    ("scene", "seed", "variant"),
    [
        ("break-shot", 42, "clean"),  # a ball that friction stops
        ("billiards", 51, "mp4"),  # a ball that was still, and drawn without error, is struck
        ("see-saw", 40, "clean"),  # a blow that goes on through a plank
        ("gym-pendulum", 31, "clean"),  # a swing that turns back
        ("three-links", 71, "clean"),  # a rod that is thin in some frames
        ("coupled-pendulums", 70, "clean"),  # that swing behind each other
        ("cart-pole", 71, "mp4"),  # a cart that is less and less clear
        ("break-shot", 71, "mp4"),  # balls that just started from rest
        ("billiards", 33, "mp4"),  # a faint cushion, a part of the cloth in some frames
        ("newtons-cradle", 32, "mp4"),  # balls alike that become one patch, with a start in it
        ("newtons-cradle", 80, "noise"),  # one of which two are one patch always
        ("newtons-cradle", 33, "mp4"),  # a patch that is another ball in each frame
        ("dominoes", 36, "noise"),  # a domino that its neighbour takes a few pixels from
        ("see-saw", 36, "noise"),  # a blow that goes on through a plank to what lies on it
        ("atwood", 33, "mp4"),  # a piece of rope that flickers
        ("falling-stack", 31, "mp4"),  # boxes of like colours that become one patch
    ],
)
def test_what_only_looks_like_a_break_holds(scene, seed, variant):
    frames = SCENES[scene](np.random.default_rng(seed), 40).frames
    worn = dressed(Video(frames, 1 / 30), variant, np.random.default_rng(seed)).frames
    assert judge(worn).holds


def test_time_is_not_judged_where_something_outside_acts():
    one = spliced("speed", Reel.shot(CASES["speed"], 2))
    pushes = (np.arange(len(one.frames)) >= one.frame).astype(float)
    assert not judge(one.frames).holds
    assert judge(one.frames, pushes).holds


def test_jitter_is_that_of_what_moves():
    t, noise = np.arange(60.0), np.random.default_rng(1).normal(0, 0.3, 60)
    moving = np.stack([3 * t + 0.05 * t**2 + noise, np.full(60, 80.0)], axis=1)
    film = np.concatenate([np.repeat(moving[:1], 90, axis=0), moving])
    assert jitter(film) == pytest.approx(0.3, rel=0.4)


def test_jitter_is_what_does_not_move_smoothly():
    t = np.arange(40.0)
    swing = 60 * np.stack([np.cos(0.3 * t), np.sin(0.3 * t)], axis=1)
    noise = np.random.default_rng(0).normal(0, 0.2, swing.shape)
    assert jitter(swing) < 0.01
    assert jitter(swing + noise) == pytest.approx(0.2, rel=0.4)


def test_a_case_of_the_bench_is_one_scene_with_all_its_splices(tmp_path):
    options = Options(count=1, variant="clean")
    suite = Judge()
    cases = [case.key for case in suite.phases(options)[0]]
    assert "drawn/0/thrown-ball" in cases and len(cases) == len(set(cases))
    record = suite.run(Case("drawn/0/thrown-ball"), Workplace(tmp_path, options))
    assert record.notes["clips"][0] == "clean/untouched"
    assert {f"clean/{kind}" for kind in ("freeze", "gravity")} <= set(record.notes["clips"])
    table = suite.report({record.key: record}, options)
    assert "| gravity | 1 |" in table and "Untouched: 1 clips, 0 false alarms" in table


def looks(count=30, at=15, radius=9, colour=(30, 120, 60), later=(12, (200, 120, 60))):
    """A disk that glides and gets another size or colour."""
    frames = np.full((count, 80, 160, 3), 240, np.uint8)
    for t in range(count):
        r, c = (radius, colour) if t < at else later
        cv2.circle(frames[t], (256 * 20 + 900 * t, 40 * 256), r * 256, c, -1, cv2.LINE_AA, 8)
    return frames


def test_a_body_that_changes_its_looks():
    size = judge(looks(later=(12, (30, 120, 60)))).violations
    assert [(one.kind, one.frame) for one in size] == [("size", 15)]
    colour = judge(looks(later=(9, (200, 120, 60)))).violations
    assert [(one.kind, one.frame) for one in colour] == [("colour", 15)]


def test_a_body_that_comes_from_nothing():
    frames = looks(later=(9, (30, 120, 60)))
    frames[:10] = 240
    found = judge(frames).violations
    assert [(one.kind, one.frame) for one in found] == [("appears", 10)]


def test_a_film_in_another_order():
    rng = np.random.default_rng(0)
    back = in_order("reversal", 10, 30, rng)
    assert back[:10].tolist() == list(range(10)) and back[10:].tolist() == list(range(8, -1, -1))
    still = in_order("freeze", 10, 40, rng)
    assert (np.diff(still) >= 0).all() and (still == 9).sum() >= 7


def test_a_world_model_that_foretells_otherwise():
    frames = looks(later=(9, (30, 120, 60)))
    assert not departures(frames, frames[10:], 10)
    found = departures(frames, np.repeat(frames[9:10], 20, axis=0), 10)
    assert [one.kind for one in found] == ["world"] and 10 <= found[0].frame <= 12


def test_the_command_judges_a_video_and_ranks_a_folder(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    one = spliced("teleport", Reel.shot("thrown-ball", 1))
    (tmp_path / "clips").mkdir()
    media.write(tmp_path / "clips" / "broken.mp4", one.frames, 1 / 30)
    media.write(tmp_path / "clips" / "whole.mp4", one.true, 1 / 30)
    assert main(["judge", "clips/broken.mp4", "--json", "--out", "film.mp4"]) == 0
    about = json.loads(capsys.readouterr().out)
    assert about["violations"][0]["kind"] == "jump"
    assert len(media.read("film.mp4")) == len(one.frames)
    assert main(["judge", "clips"]) == 0
    rows = (tmp_path / "judge.csv").read_text().splitlines()
    assert rows[1].startswith("whole.mp4,yes") and rows[2].startswith("broken.mp4,no")


@pytest.mark.parametrize("words", [["clips.mp4"], [".", "--out", "x.mp4"], [".", "--context", "3"]])
def test_wrong_calls_are_one_line(words, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    media.write("a.mp4", np.zeros((4, 32, 32, 3), np.uint8), 0.1)
    assert main(["judge", *words]) == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1
