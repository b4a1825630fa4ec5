"""The judge of what only turns: places that go round a circle, and patches that lean."""

from __future__ import annotations

import cv2
import numpy as np

from tools.judge import judge
from tools.judge.circle import continued, gone_round


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
