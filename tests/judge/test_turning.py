"""The judge of what only turns: places that go round a circle, and patches that lean."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from benchmarks.environments.variants import dressed
from tools.judge import judge
from tools.judge.circle import continued, gone_round
from tools.types import Video


def ring(angles, axes=(40.0, 36.0)):
    return np.stack([100 + axes[0] * np.cos(angles), 90 + axes[1] * np.sin(angles)], axis=1)


def marked(angles, radius=60):
    """A disk with one mark near its rim."""
    frames = []
    for angle in angles:
        frame = np.full((200, 200, 3), 235, np.uint8)
        cv2.circle(frame, (100, 100), radius + 15, (120, 120, 120), -1, cv2.LINE_AA)
        at = np.rint(16 * (100 + radius * np.array([np.cos(angle), np.sin(angle)]))).astype(int)
        cv2.circle(frame, at.tolist(), 8 * 16, (200, 40, 40), -1, cv2.LINE_AA, 4)
        frames.append(frame)
    return np.array(frames)


def bar(angles, half=80, post=None):
    """A bar that turns on the spot, and a post that may stand in its way."""
    frames = []
    for angle in angles:
        frame = np.full((240, 240, 3), 235, np.uint8)
        if post is not None:
            cv2.circle(frame, post, 9, (30, 30, 30), -1, cv2.LINE_AA)
        box = cv2.boxPoints(((120.3, 118.6), (2 * half, 14), float(np.degrees(angle))))
        cv2.fillPoly(frame, [np.rint(box * 16).astype(int)], (40, 90, 200), cv2.LINE_AA, 4)
        frames.append(frame)
    return np.array(frames)


def worn(frames, variant):
    return np.asarray(dressed(Video(frames, 1 / 30), variant, np.random.default_rng(1)).frames)


def slowing(count=100, first=0.9, share=0.99):
    """Angles of what spins down."""
    return 0.3 + first * np.cumsum(share ** np.arange(count))


def test_a_way_round_is_unrolled_and_rolled_up_again():
    angles = slowing(40)
    places = ring(angles)
    places[[3, 4]] = np.nan
    circle = gone_round(places, 0.05)
    way = circle.unrolled(places)
    steps = np.diff(way[:, 0]) / circle.radius
    assert np.allclose(steps[5:], np.diff(angles)[5:], atol=0.01)
    assert np.nanmax(np.abs(circle.rolled(way) - places)) < 1e-6
    moved = circle.turned(way[20], np.array([0.01, 0.02]))
    assert np.allclose(circle.rolled(way[20] + [0.01, 0.02]) - places[20], moved, atol=1e-4)


def test_what_does_not_go_all_round_has_no_circle():
    swing = ring(np.pi / 2 + np.cos(np.arange(40) / 3.0), (40.0, 40.0))
    steps = np.arange(40.0)
    flight = np.stack([3 * steps, 0.2 * steps**2], axis=1)
    assert gone_round(swing, 0.05) is None
    assert gone_round(flight, 0.05) is None


def test_angles_go_on_by_their_last_rate():
    angles = 2.0 * np.arange(20)
    assert np.allclose(np.diff(continued(angles % np.pi, np.pi)[3:]), 2.0 - np.pi)
    slow = 0.9 * np.arange(20)
    assert np.allclose(continued(slow % np.pi, np.pi), slow)


def test_a_disk_that_spins_down_holds_and_its_time_is_told():
    angles = slowing()
    whole = marked(angles[:60])
    assert judge(whole).holds
    for rate in (2, 3):
        order = np.concatenate([np.arange(25), 24 + rate * np.arange(1, 20)])
        found = judge(marked(angles[order])).violations
        assert found[0].kind == "speed" and abs(found[0].frame - 25) <= 2


EVEN, SWING = 0.3 + 0.15 * np.arange(60), 0.3 + 0.8 * np.cos(0.25 * np.arange(60))
ORDERS = {
    "speed": np.concatenate([np.arange(20), np.arange(21, 60, 2)]),
    "freeze": np.concatenate([np.arange(20), np.full(7, 19), np.arange(20, 33)]),
    "reversal": np.concatenate([np.arange(20), np.arange(18, 0, -1)]),
}


@pytest.mark.parametrize("variant", ["clean", "noise", "mp4"])
@pytest.mark.parametrize("angles", [EVEN, SWING], ids=["even", "swing"])
def test_a_bar_that_turns_on_the_spot_tells_the_time(angles, variant):
    assert judge(worn(bar(angles[:40]), variant)).holds
    for kind, order in ORDERS.items():
        first = judge(worn(bar(angles[order]), variant)).violations[0]
        assert first.kind == kind and abs(first.frame - 20) <= 2


def test_a_bar_that_jumps_as_it_turns_is_told_unless_something_could_do_it():
    angles = EVEN[:40] + 0.5 * (np.arange(40) >= 20)
    first = judge(bar(angles)).violations[0]
    assert first.kind == "turning" and first.frame == 20
    slowly = 0.3 + 0.02 * np.arange(40) + 0.3 * (np.arange(40) >= 20)
    assert judge(bar(slowly)).violations[0].kind == "turning"
    within = (round(120.3 + 60 * np.cos(2.4)), round(118.6 + 60 * np.sin(2.4)))
    assert judge(bar(slowly, post=within)).holds


def test_what_is_round_or_nearly_so_has_no_angle():
    jumps = EVEN[:40] + 0.5 * (np.arange(40) >= 20)
    assert judge(bar(jumps, half=8)).holds
