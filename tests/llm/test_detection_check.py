"""Checks on detections: measured alone, and weighed with a checker that errs."""

import numpy as np
import pytest

from agent.checking.detection_check import (
    Missing,
    ModelVerdict,
    belief,
    check_detections,
    judge,
    measure,
    parse_verdicts,
)
from agent.checking.sighting import sight
from tests.llm import scenes
from tools.rendering import canvas, draw_disk, finish
from tools.types import Evaluation, States, Task, Video


def two_disks(count=12, noise=0.0, texture=False):
    """Red goes right, blue goes left, they pass each other; (frames, states)."""
    rng = np.random.default_rng(3)
    back = np.full((120, 160, 3), 235, np.uint8)
    if texture:
        back = np.clip(back + rng.integers(-8, 8, (120, 160, 1)), 0, 255).astype(np.uint8)
    frames, states = [], []
    for t in range(count):
        image = canvas(back)
        red, blue = (25 + 9.5 * t, 40.0), (135 - 9.0 * t, 78.0)
        draw_disk(image, *red, 10, (220, 40, 40))
        draw_disk(image, *blue, 14, (40, 60, 200))
        frames.append(
            np.clip(finish(image) + rng.normal(0, noise, image.shape), 0, 255).astype(np.uint8)
        )
        states.append({"red": {"x": red[0], "y": red[1]}, "blue": {"x": blue[0], "y": blue[1]}})
    return np.stack(frames), states


def kinds(frames, states, verdicts=(), missing=()):
    found = list(judge(frames, States.of(states), verdicts, missing))
    assert found[-1].kind == "detections_checked"
    return [(finding.kind, finding.where) for finding in found[:-1]]


@pytest.mark.parametrize(
    "scene", [{}, {"noise": 5.0}, {"texture": True}], ids=["clean", "noisy", "textured"]
)
def test_good_detections_pass(scene):
    assert kinds(*two_disks(**scene)) == []


@pytest.mark.parametrize("scene", [{}, {"noise": 5.0}], ids=["clean", "noisy"])
def test_swapped_identities_are_found(scene):
    frames, states = two_disks(**scene)
    swapped = [{"red": s["blue"], "blue": s["red"]} if t % 2 else s for t, s in enumerate(states)]
    assert kinds(frames, swapped)[:2] == [("wrong_detection", "red"), ("wrong_detection", "blue")]


def test_a_place_with_nothing_in_it_is_found_and_so_is_what_was_missed():
    frames, states = two_disks()
    astray = [{**s, "red": {"x": 20.0 + t, "y": 105.0}} for t, s in enumerate(states)]
    assert kinds(frames, astray) == [("wrong_detection", "red"), ("missing_object", "")]


def test_the_same_thing_twice_is_found():
    frames, states = two_disks()
    assert kinds(frames, [{"red": s["red"], "blue": s["red"]} for s in states]) == [
        ("same_thing_twice", "blue"),
        ("missing_object", ""),
    ]


def test_a_missing_object_is_described():
    frames, states = two_disks()
    finding = next(judge(frames, States.of([{"red": s["red"]} for s in states]), (), ()))
    assert finding.kind == "missing_object" and finding.stage == "perception"
    assert (
        np.allclose(finding.evidence["colour"], (40, 60, 200), atol=8)
        and abs(finding.evidence["y"] - 78) < 2
    )


def test_part_of_a_body_is_not_missing_and_a_bare_angle_accounts_for_one_thing():
    task = scenes.pendulum()
    frames = task.test[0].frames
    angles = [0.7 * np.cos(4.5 * t * scenes.DT) for t in range(len(frames))]
    bob = [{"bob": {"x": 100 + 90 * np.sin(a), "y": 30 + 90 * np.cos(a)}} for a in angles]
    assert ("missing_object", "") not in kinds(frames, bob)[1:]
    assert [
        f.kind for f in judge(frames, States.of([{"arm": {"angle": a}} for a in angles]), (), ())
    ].count("missing_object") <= 1


def test_a_false_alarm_is_overruled_and_kept_on_record():
    frames, states = two_disks()
    said = [ModelVerdict("red", "wrong", "it looks like the blue one")]
    finding = next(judge(frames, States.of(states), said, ()))
    assert (finding.kind, finding.where) == ("checker_overruled", "red")
    assert finding.evidence["belief"] > 0.5 and "looks like the blue one" in finding.message


def test_doubt_counts_when_something_is_not_accounted_for():
    """The published failure: one object's name on another, and the real one not found."""
    frames, states = two_disks()
    mislabelled = [{"blue": s["red"]} for s in states]
    assert ("wrong_detection", "blue") in kinds(
        frames, mislabelled, [ModelVerdict("blue", "wrong", "this is the red disk")]
    )
    assert ("wrong_detection", "blue") not in kinds(frames, mislabelled)


def test_an_approving_checker_does_not_rescue_what_measurements_contradict():
    frames, states = two_disks()
    astray = [{**s, "red": {"x": 20.0 + t, "y": 105.0}} for t, s in enumerate(states)]
    assert ("wrong_detection", "red") in kinds(frames, astray, [ModelVerdict("red", "right")])


def test_what_the_checker_misses_is_believed_only_if_it_moves():
    frames, states = two_disks()
    real = list(
        judge(
            frames,
            States.of([{"red": s["red"]} for s in states]),
            (),
            [Missing("a blue ball", 130, 80)],
        )
    )
    assert real[0].kind == "missing_object" and "a blue ball" in real[0].message
    invented = list(judge(frames, States.of(states), (), [Missing("a ghost", 80, 100)]))
    assert invented[0].kind == "checker_overruled" and "a ghost" in invented[0].message


def test_works_offline_on_an_evaluation():
    frames, states = two_disks(20)
    task = Task((), (Video(frames, 0.05),), 20, 5)
    good = Evaluation("ok", measured=(States.of(states[:14]),))
    assert [f.kind for f in check_detections(task, good)] == ["detections_checked"]
    assert check_detections(task, Evaluation("failed")) == ()


def test_never_seen_and_never_moving_objects_do_no_harm():
    frames, states = two_disks()
    odd = [
        {**s, "wall": {"x": 80.0, "y": 118.0}, "ghost": {"x": np.nan, "y": np.nan}} for s in states
    ]
    evidence = {e.name: e for e in measure(frames, States.of(odd))}
    assert evidence["wall"].present is None and evidence["ghost"].seen == 0.0
    assert kinds(frames, odd) == [("wrong_detection", "ghost")]


def test_verdicts_are_read_defensively():
    rows = [
        {"object": "red", "verdict": "WRONG ", "why": "x" * 900},
        {"object": "nobody", "verdict": "right"},
        {"object": "blue", "verdict": "maybe"},
        {},
    ]
    read = parse_verdicts(rows, ["red", "blue"])
    assert [(v.name, v.verdict, len(v.why)) for v in read] == [("red", "wrong", 200)]


def test_belief_is_a_probability():
    assert belief(-1e9) < 1e-9 and belief(1e9) > 1 - 1e-9 and belief(0) == 0.5


def test_large_and_long_clips_stay_within_bounds():
    frames, _ = two_disks(12)
    large = np.repeat(np.repeat(frames, 5, axis=1), 5, axis=2)
    seen = sight(large)
    assert seen.plate.shape == (480, 640, 3)
    assert seen.things[0].area / seen.scale**2 == pytest.approx(25 * np.pi * 14**2, rel=0.05)
    assert len(sight(np.concatenate([frames[:1]] * 80 + [frames])).times) <= 40
