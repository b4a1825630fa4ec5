"""Camera pictures: repeated frames, marks on round bodies, what lies out of view, no bodies."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from tests.perception.filmed import SHAPE, ball, shot, thrown, wall
from tools import toolbox
from tools.perception.camera.bodies import Body, Stage, released
from tools.perception.camera.marks import angles_by_marks, inscribed
from tools.perception.camera.noise import Noise
from tools.perception.camera.shadows import _visits, joined, welded
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


def test_marks_on_a_disk_tell_its_angle_though_the_light_on_it_stays(rng):
    true = 1.4 * (np.arange(24) / 23) ** 2
    ys, xs = np.mgrid[: SHAPE[0], : SHAPE[1]]

    def lit_from_the_left(t):
        right = (xs - 30 - 4.0 * t) / 14
        inside = np.hypot(right, (ys - 60) / 14) < 1.05
        return (1 - inside * 0.3 * (1 + right))[..., None]

    frames, _ = marked(rng, true, lit_from_the_left)
    (track,) = toolbox.moving_bodies(frames).tracks
    assert np.ptp(track.poses[track.seen, 2]) == pytest.approx(1.4, abs=0.1)


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


def stage_of(xy: np.ndarray, paint) -> Stage:
    """A stage with one body, a ball of 8 pixels at (T, 2) places that are known; NaN = not seen."""
    ground = np.full((*SHAPE, 3), 150.0, np.float32)
    frames = []
    for t, place in enumerate(xy):
        picture = ground.copy()
        paint(picture, t)
        if np.isfinite(place).all():
            ball(picture, *place)
        frames.append(np.rint(picture).astype(np.uint8))
    ys, xs = np.mgrid[:21, :21]
    matte = np.clip(8.5 - np.hypot(xs - 10, ys - 10), 0, 1).astype(np.float32)
    colour = matte[..., None] * np.array([150.0, 40.0, 30.0], np.float32)
    poses = np.column_stack([xy, np.where(np.isfinite(xy[:, 0]), 0.0, np.nan)])
    seen = np.flatnonzero(np.isfinite(xy[:, 0]))
    left, spread = np.full(len(xy), 0.02), np.full((len(xy), 3), 0.1)
    body = Body(Sprite(np.dstack([colour, matte])), poses, left, spread, (10, 10), seen, 200.0)
    return Stage(np.stack(frames), ground, Noise(1.0, 0.0), [()] * len(xy), [body])


def test_a_body_begins_where_the_fingers_about_it_end():
    xy = np.column_stack([np.full(16, 80.0), 20 + 0.35 * np.arange(16.0) ** 2])

    def paint(picture, t):
        cv2.circle(picture, (80, 20), 15, (170, 120, 95), -1)  # and the plate has none

    stage = stage_of(xy, paint)
    released(stage, 0)
    first = int(np.flatnonzero(stage.bodies[0].seen)[0])
    assert 6 <= first <= 9 and stage.bodies[0].seen[first:].all()
    assert stage.bodies[0].clean[0] == first
    free = stage_of(xy, lambda picture, t: None)
    released(free, 0)
    assert free.bodies[0].seen.all()


def test_what_dips_into_the_picture_now_and_then_is_no_body():
    """As a bag does that hangs below a mass on a spring; what comes late and stays is one."""
    t = np.arange(40.0)
    dips = np.column_stack([np.full(40, 80.0), 112 + 14 * np.cos(2 * np.pi * t / 20)])
    dips[dips[:, 1] > 113] = np.nan
    bag = stage_of(dips, lambda picture, t: None)
    assert _visits(bag.bodies[0], bag)
    late = np.column_stack([112 - 3.0 * (t - 18), np.full(40, 60.0)])
    late[:18] = np.nan
    inside = stage_of(late[:, ::-1], lambda picture, t: None)
    assert not _visits(inside.bodies[0], inside)


def test_a_piece_that_keeps_its_distance_is_no_body_of_its_own():
    """The edge that a block leaves behind where the plate was taken with it; what drifts away from
    it is a body."""
    t = np.arange(24.0)
    xy = np.column_stack([40 + 2.0 * t, 60 + 0.0 * t])
    for drift, count in ((0.0, 1), (0.3, 2)):
        stage = stage_of(xy, lambda picture, t: None)
        poses = stage.bodies[0].poses + np.column_stack([14 + drift * t, 0 * t, 0 * t])
        stage.bodies.append(replace(stage.bodies[0], poses=poses, sprite=faint(stage.bodies[0])))
        welded(stage)
        assert len(stage.bodies) == count and np.allclose(stage.bodies[0].poses[:, :2], xy)


def faint(body: Body) -> Sprite:
    """Its picture, much nearer to the ground of ``stage_of``."""
    matte = body.sprite.matte[..., None]
    return Sprite(np.dstack([0.2 * body.sprite.layers[..., :3] + 0.8 * 150.0 * matte, matte]))


def test_an_edge_that_a_body_leaves_for_a_while_is_no_body():
    t = np.arange(24.0)
    xy = np.column_stack([40 + 2.0 * t, 60 + 0.0 * t])
    stage = stage_of(xy, lambda picture, t: None)
    stage.bodies[0].area = 500.0
    for last, count in ((10, 1), (24, 2)):
        poses = stage.bodies[0].poses + np.column_stack([-3 - 0.2 * t, 0 * t, 0 * t])
        poses[last:] = np.nan
        piece = replace(stage.bodies[0], poses=poses, area=60.0, sprite=faint(stage.bodies[0]))
        two = replace(stage, bodies=[stage.bodies[0], piece])
        welded(two)
        assert len(two.bodies) == count


@pytest.mark.parametrize("jump, count", [(0.0, 1), (60.0, 2)])
def test_one_thing_that_two_pictures_show_by_turns_is_one_body(jump, count):
    """Handed over three times, each time where the other is; something that looks alike elsewhere
    is another body."""
    t = np.arange(30.0)
    xy = np.column_stack([60 + 0.0 * t, 60 + 30 * np.sin(0.2 * t)])
    stage = stage_of(xy, lambda picture, t: None)
    second = (t >= 8) & (t < 14) | (t >= 24)
    first, other = stage.bodies[0], np.add(stage.bodies[0].poses, (jump, 0.0, 0.0))
    halves = [first.poses.copy(), other]
    halves[0][second], halves[1][~second] = np.nan, np.nan
    stage.bodies = [replace(first, poses=poses) for poses in halves]
    joined(stage)
    assert len(stage.bodies) == count
