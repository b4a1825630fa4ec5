"""Camera pictures: repeated frames, marks on round bodies, what lies out of view, no bodies."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from tests.perception.filmed import SHAPE, ball, shot, thrown, wall
from tools import toolbox
from tools.perception.camera.marks import angles_by_marks, inscribed
from tools.perception.camera.sprite import Near, Sprite, align
from tools.perception.repeats import repeated


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(3)


def test_repeated_frames_are_found_and_show_no_place(rng):
    xy = thrown()
    film = shot(rng, wall(rng), xy, lambda picture, t: ball(picture, *xy[t]))
    frames = film.frames.copy()
    frames[[6, 12, 13]] = frames[[5, 11, 11]]
    assert np.flatnonzero(repeated(frames)).tolist() == [6, 12, 13]
    (track,) = toolbox.moving_bodies(frames).tracks
    assert np.flatnonzero(~track.seen).tolist() == [6, 12, 13]


def test_what_rests_before_it_moves_is_no_repeated_frame():
    frames = np.zeros((20, 40, 40, 3), np.uint8)
    for t in range(10, 20):
        frames[t, 10:20, 2 * t : 2 * t + 5] = 200
    assert not repeated(frames).any()


def marked(rng, angles: np.ndarray, light=lambda t: 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Frames of a white disk with two dark marks at ``angles`` along a line, and its centres."""
    centres = np.stack([30 + 4.0 * np.arange(len(angles)), np.full(len(angles), 60.0)], 1)

    def paint(picture, t):
        ball(picture, *centres[t], 14.0, (230, 230, 230))
        for angle in (angles[t], angles[t] + np.pi):
            x, y = centres[t] + 9 * np.array([np.cos(angle), np.sin(angle)])
            cv2.circle(picture, (round(16 * x), round(16 * y)), 32, (40, 40, 60), -1, 16, 4)
        picture *= light(t)

    return shot(rng, wall(rng), centres, paint).frames, centres


def test_marks_on_a_disk_tell_how_far_it_rolls(rng):
    true = 4.0 / 14.0 * np.arange(24) + 0.3
    frames, _ = marked(rng, true)
    (track,) = toolbox.moving_bodies(frames).tracks
    off = (track.poses[:, 2] - true)[track.seen]
    assert not track.appearance.round and np.abs(off - np.median(off)).max() < 0.1


def test_a_disk_whose_marks_stay_up_does_not_turn(rng):
    frames, centres = marked(rng, np.full(24, 0.5), lambda t: 1 - 0.01 * t)
    assert angles_by_marks(frames, centres, 14.0, 2.0) is None
    (track,) = toolbox.moving_bodies(frames).tracks
    assert track.appearance.shape == "disk"


def test_the_largest_circle_fills_a_round_matte_only():
    ys, xs = np.mgrid[:41, :41]
    disk = (np.hypot(xs - 18, ys - 22) < 15).astype(np.float32)
    centre, radius = inscribed(disk)
    assert centre == pytest.approx([-2, 2], abs=0.3) and radius == pytest.approx(15, abs=0.8)
    assert inscribed(((np.abs(xs - 20) < 18) & (np.abs(ys - 20) < 4)).astype(np.float32)) is None


def test_a_body_is_not_found_where_it_would_lie_out_of_view():
    matte = np.zeros((15, 15, 1), np.float32)
    matte[3:12, 3:12] = 1.0
    sprite = Sprite(np.dstack([200 * matte, 200 * matte, 200 * matte, matte]))
    frame, ground = np.full((40, 40, 3), 90, np.uint8), np.full((40, 40, 3), 90, np.float32)
    for x, shown in ((20.0, True), (-3.0, False)):
        pose = np.array([x, 20.0, 0.0])
        near = Near.of(frame, lambda window: ground[window], sprite, pose)
        assert np.isfinite(align(near, sprite, pose, 1.0, rounds=0).left) == shown


def test_what_moves_and_is_no_body_is_drawn_where_it_was_last(rng):
    """A hand that slides along the border, with texture of its own."""
    xy = thrown()
    skin = rng.uniform(60, 200, (20, 60, 1)).astype(np.float32)

    def paint(picture, t):
        picture[: 2 + t // 2, :60] = skin[20 - 2 - t // 2 :]
        ball(picture, *xy[t])

    film = shot(rng, wall(rng), xy, paint)
    plate = toolbox.moving_bodies(film.frames).plate.astype(float)
    last = film.frames[-1].astype(float)
    window = np.s_[:13, 5:55]
    assert np.abs(plate[window] - last[window]).mean() < 6.0
    assert plate.shape[:2] == SHAPE
