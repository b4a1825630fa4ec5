"""Forecasts at a glance: what rests is repeated to the last bit, what moves goes on until it meets
something, two frames say that they cannot tell."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from benchmarks.visphy_scenes import DT, drawn
from tools.glance import foretell, straight
from tools.glance.movers import seen_in
from tools.types import ContractError

RED, BLACK = (235, 70, 60), (0, 0, 0)


def disks(paths, size=(160, 200), bars=()):
    """Frames of disks of radius 10 at (T, 2) places, over black bars (x0, y0, x1, y1)."""
    frames = []
    for row in zip(*paths, strict=True):
        frame = np.full((*size, 3), 255, np.uint8)
        for x0, y0, x1, y1 in bars:
            frame[y0:y1, x0:x1] = BLACK
        for k, (x, y) in enumerate(row):
            centre = (round(x * 256), round(y * 256))
            colour = (RED, (40, 90, 230))[k]
            cv2.circle(frame, centre, 10 * 256, colour, -1, cv2.LINE_AA, 8)
        frames.append(frame)
    return np.stack(frames)


def line(start, velocity, count):
    return np.asarray(start, float) + np.outer(np.arange(count), velocity)


def psnr(a, b):
    return -10 * np.log10(max(float(((a / 255.0 - b / 255.0) ** 2).mean()), 1e-10))


def test_what_rests_is_repeated_to_the_last_bit():
    fall = np.minimum(30 + 6.0 * np.arange(10) ** 2, 149)
    frames = disks([np.stack([np.full(10, 60.0), fall], axis=1)])
    told = foretell(frames, np.arange(10) * 0.2, np.arange(10, 15) * 0.2)
    assert (told.frames == frames[-1]).all()
    assert "at rest" in told.says[0]


def test_a_body_goes_on_straight():
    frames = disks([line((20, 60), (6, 2), 16)])
    seconds = np.arange(16) / 10
    told = foretell(frames[:10], seconds[:10], seconds[10:])
    assert np.abs(told.places[:, 0, :2] - line((20, 60), (6, 2), 16)[10:]).max() < 0.3
    assert min(psnr(a, b) for a, b in zip(told.frames, frames[10:], strict=True)) > 30


def test_a_body_that_falls_speeds_up():
    t = np.arange(14)
    frames = disks([np.stack([20 + 3.0 * t, 15 + 0.7 * t**2], axis=1)])
    told = foretell(frames[:10], t[:10] / 10, t[10:] / 10)
    assert np.abs(told.places[:, 0, 1] - (15 + 0.7 * t[10:] ** 2)).max() < 1.5


def test_a_body_stops_at_what_stands_in_its_way():
    frames = disks([line((20, 60), (6, 0), 10)], bars=[(110, 20, 120, 120)])
    told = foretell(frames, np.arange(10) / 10, np.arange(10, 30) / 10)
    assert told.places[:, 0, 0].max() < 102
    free = straight(frames, np.arange(10) / 10, np.arange(10, 30) / 10)
    assert free.places[-1, 0, 0] == pytest.approx(20 + 29 * 6, abs=1)


def test_two_frames_cannot_judge_each_other_and_say_so():
    frames = disks([np.array([[60.0, 20.0], [60.0, 149.0]]), line((30, 40), (60, 5), 2)])
    told = foretell(frames, np.array([0.0, 1.8]), np.array([0.9, 2.0]))
    assert all("two frames cannot tell" in words for words in told.says)
    falls, goes = (
        next(k for k, w in enumerate(told.says) if part in w) for part in ("rest", "goes")
    )
    assert told.places[1, falls, 1] == pytest.approx(149, abs=0.5)
    assert told.places[0, goes, 0] == pytest.approx(60, abs=0.6)


def test_nothing_that_moves_is_a_repeated_frame():
    frames = np.full((3, 40, 50, 3), 200, np.uint8)
    told = foretell(frames, np.arange(3.0), np.array([3.0, 4.0]))
    assert told.frames.shape == (2, 40, 50, 3) and (told.frames == 200).all()
    assert told.places.shape == (2, 0, 3) and told.says == ()


def test_what_something_came_to_lie_on_did_not_move():
    fall = np.minimum(30 + 6.0 * np.arange(10) ** 2, 109)
    frames = disks([np.stack([np.full(10, 60.0), fall], axis=1)], bars=[(30, 120, 90, 128)])
    assert len(seen_in(frames).movers) == 1


def test_a_side_view_goes_on_as_rigid_bodies_do():
    frames = drawn("ramp", 1)
    seconds = np.arange(len(frames)) * DT
    told = foretell(frames[:10], seconds[:10], seconds[10:])
    assert "rolled out" in told.says[0]
    ours = np.mean([psnr(a, b) for a, b in zip(told.frames, frames[10:], strict=True)])
    still = np.mean([psnr(frames[9], b) for b in frames[10:]])
    assert ours > still + 5


def test_what_has_come_to_rest_is_repeated_also_from_two_frames():
    frames = drawn("cup", 0)
    seconds = np.arange(len(frames)) * DT
    told = foretell(frames[[0, 9]], seconds[[0, 9]], seconds[10:])
    assert (told.frames == frames[9]).all()


def test_one_frame_is_refused():
    with pytest.raises(ContractError, match="two or more"):
        foretell(np.zeros((1, 20, 20, 3), np.uint8), np.zeros(1), np.ones(1))
