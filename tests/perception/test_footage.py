"""Bodies in real clips, where these lie beside the repository (PROGGEN_DATA or ../shared/data)."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

from tools import toolbox
from tools.media import read
from tools.perception.tracking import Tracks

ROOT = Path(__file__).resolve().parents[2]
FOOTAGE = Path(os.environ.get("PROGGEN_DATA", ROOT.parent / "shared" / "data")) / "footage"


def seen(name: str) -> np.ndarray:
    """The seen part of a clip of footage.json."""
    listed = FOOTAGE / "footage.json"
    if not listed.is_file():
        pytest.skip(f"no real clips: {listed} is missing; set PROGGEN_DATA to the folder above it")
    clip = json.loads(listed.read_text())["clips"][name]
    last = clip["first"] + clip["context"] * clip["step"]
    return read(FOOTAGE / clip["file"], clip["first"], last).frames[:: clip["step"]]


def tracks_of(name: str) -> Tracks:
    frames = seen(name)
    assert toolbox.is_camera(frames)
    return toolbox.moving_bodies(frames)


def test_a_bauble_on_a_thread_is_one_red_body_without_the_hand_that_let_it_go():
    (track,) = tracks_of("pendulum_wall").tracks
    red, green, _ = track.appearance.colour
    assert red > 1.3 * green and track.seen.mean() > 0.8
    assert np.ptp(track.poses[track.seen, 0]) > 180


def test_a_steel_ball_of_five_pixels_is_told_from_its_shadow():
    (track,) = tracks_of("projectile_30").tracks
    assert track.appearance.shadow is not None
    t = np.flatnonzero(track.seen)[4:]
    left = track.poses[t, 1] - np.polyval(np.polyfit(t, track.poses[t, 1], 2), t)
    assert np.sqrt(np.mean(left**2)) < 0.25


def test_two_equal_pucks_keep_apart_when_they_collide():
    one, two = tracks_of("carom_headon").tracks
    apart = np.hypot(*(one.poses[:, :2] - two.poses[:, :2])[one.seen & two.seen].T)
    touching = one.appearance.radius + two.appearance.radius
    between_frames = np.abs(np.diff(apart)).max()
    assert 0.8 * touching < apart.min() < touching + between_frames
    assert one.seen.all() and two.seen.all()
