"""Camera pictures of things that turn fast or hang together: one body, or the links of one."""

import cv2
import numpy as np
import pytest

from tests.perception.filmed import shot, wall
from tools.perception.assemble import states_of
from tools.perception.camera import moving_bodies
from tools.rendering import box_corners, draw_polygon


def rod(picture, x, y, angle, length, colour, grain):
    """A grained stick, softly lit across."""
    lay = np.zeros(picture.shape, np.float32)
    draw_polygon(lay, box_corners(x, y, angle, length, 9.0), (1.0, 1.0, 1.0))
    ys, xs = np.mgrid[: picture.shape[0], : picture.shape[1]].astype(np.float32)
    u = np.cos(angle) * (xs - x) + np.sin(angle) * (ys - y)
    v = np.cos(angle) * (ys - y) - np.sin(angle) * (xs - x)
    rows = np.clip(np.rint(u + 60), 0, 119).astype(int)
    lit = (0.9 - 0.04 * v + 0.25 * grain[rows])[..., None] * np.array(colour, np.float32)
    picture += lay * (np.clip(lit, 0, 255) - picture)


@pytest.fixture
def scene():
    rng = np.random.default_rng(3)
    grain = cv2.GaussianBlur(rng.normal(0, 1, (120, 1)).astype(np.float32), (0, 0), 1.5)[:, 0]
    return rng, wall(rng), grain / grain.std()


def angles(count, swing, pace, phase=0.0):
    return np.pi / 2 + swing * np.cos(pace * np.arange(count) + phase)


def test_two_links_of_one_colour_are_told_apart_by_how_they_move(scene):
    rng, ground, grain = scene
    upper, lower = angles(36, 0.8, 0.21), angles(36, 0.9, 0.33, 1.0)
    joint = np.stack([80 + 38 * np.cos(upper), 20 + 38 * np.sin(upper)], 1)
    middles = (
        np.stack([80 + 19 * np.cos(upper), 20 + 19 * np.sin(upper)], 1),
        joint + 20 * np.stack([np.cos(lower), np.sin(lower)], 1),
    )

    def paint(picture, t):
        rod(picture, *middles[0][t], upper[t], 44.0, (150, 60, 45), grain)
        rod(picture, *middles[1][t], lower[t], 40.0, (150, 60, 45), grain[::-1])

    tracks = moving_bodies(shot(rng, ground, joint, paint).frames)
    assert len(tracks.tracks) == 2
    found = sorted(tracks.tracks, key=lambda track: np.nanmean(track.poses[:, 1]))
    for track, angle in zip(found, (upper, lower), strict=True):
        assert track.seen.mean() > 0.9
        turned = track.poses[:, 2] - angle
        assert np.nanstd(turned) < 0.06


def test_a_stick_that_is_thrown_and_turns_is_one_body(scene):
    rng, ground, grain = scene
    t = np.arange(24)
    xy = np.stack([20 + 5.0 * t, 90 - 7.0 * t + 0.27 * t * t], 1)
    angle = 0.3 + 0.16 * t

    def paint(picture, k):
        rod(picture, *xy[k], angle[k], 40.0, (60, 80, 150), grain)

    tracks = moving_bodies(shot(rng, ground, xy, paint).frames)
    (track,) = tracks.tracks
    assert track.seen.mean() > 0.9
    off = track.poses[:, :2] - xy
    assert np.nanstd(off, axis=0).max() < 0.6
    assert np.nanstd(track.poses[:, 2] - angle) < 0.05


def test_where_no_body_is_found_every_frame_has_a_state_that_says_so(scene):
    rng, ground, _ = scene
    frames = shot(rng, ground, np.zeros((8, 2)), lambda picture, t: None).frames
    tracks = moving_bodies(frames, {"ball": None})
    states = states_of(tracks, {"ball": ("x", "y")})
    assert states.values.shape == (8, 2) and not np.isfinite(states.values).any()
