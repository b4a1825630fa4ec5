"""Bodies in camera pictures: found by their motion, with one picture each, whatever they are."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from tests.perception.filmed import SHAPE, ball, shadow, shot, thrown, wall
from tools import toolbox
from tools.perception.camera.noise import camera_noise
from tools.rendering import canvas, draw_body, finish, pose_of


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)


def thrown_film(rng, extra=lambda picture, t: None):
    xy = thrown()

    def paint(picture, t):
        extra(picture, t)
        ball(picture, *xy[t])

    return shot(rng, wall(rng), xy, paint)


def off(track, xy):
    """Distance of a track from the truth (pixels), but for where in the body its place is."""
    difference = (track.poses[:, :2] - xy)[track.seen]
    return np.hypot(*(difference - np.median(difference, axis=0)).T)


def test_noise_grows_with_the_signal(rng):
    noise = camera_noise(thrown_film(rng).frames)
    assert noise.sigma(np.float32(180.0)) == pytest.approx(
        (1 + 0.02 * 180 + 1 / 12) ** 0.5, rel=0.25
    )


def test_camera_pictures_are_told_from_drawings(rng):
    drawn = np.full((24, *SHAPE, 3), 240, np.uint8)
    for t, (x, y) in enumerate(thrown().astype(int)):
        drawn[t, max(0, y - 6) : y + 6, x - 6 : x + 6] = (200, 30, 30)
    noisy = np.clip(drawn + rng.normal(0, 5, drawn.shape), 0, 255).astype(np.uint8)
    assert toolbox.is_camera(thrown_film(rng).frames)
    assert not toolbox.is_camera(drawn) and not toolbox.is_camera(noisy)
    textured = np.repeat(rng.integers(60, 190, (1, 60, 80, 3)).astype(np.uint8), 24, 0)
    textured = np.stack([cv2.blur(cv2.resize(f, SHAPE[::-1]), (9, 9)) for f in textured])
    for t in range(24):
        textured[t, 20:110, 4 * t : 4 * t + 60] = (90, 60, 20)
    assert not toolbox.is_camera(textured), "a large body over a drawn texture"
    height, width = 200, 320
    light = 110 + 8 * np.linspace(-1, 1, width) + 4 * np.linspace(-1, 1, height)[:, None]
    table = light[None, :, :, None] + rng.normal(0, 1.5, (12, height, width, 3))
    assert toolbox.is_camera(table.round().astype(np.uint8)), "an evenly lit table"


def test_a_shaded_ball_is_one_body_with_sub_pixel_places(rng):
    film = thrown_film(rng)
    (track,) = toolbox.moving_bodies(film.frames).tracks
    assert (
        track.seen.all()
        and off(track, film.xy).max() < 0.3
        and np.median(off(track, film.xy)) < 0.1
    )
    assert track.appearance.shape == "disk" and track.appearance.size[0] == pytest.approx(
        8.0, abs=0.8
    )


def test_what_was_measured_draws_the_frames_again(rng):
    film = thrown_film(rng)
    tracks = toolbox.moving_bodies(film.frames, {"red_ball": tuple(film.xy[0])})
    varies = {"red_ball": ("x", "y")}
    states, scene = toolbox.states_of(tracks, varies), toolbox.scene_of(tracks, varies)
    for t in (3, 12, 20):
        image = canvas(scene.background)
        draw_body(image, "red_ball", pose_of("red_ball", states[t], scene), scene)
        turned = {"red_ball": {**states[t]["red_ball"], "angle": 1.2}}  # by the joint it hangs on
        other = canvas(scene.background)
        draw_body(other, "red_ball", pose_of("red_ball", turned, scene), scene)
        assert np.array_equal(image, other), "its picture tells no angle"
        left = finish(image).astype(float) - film.frames[t]
        noise = np.sqrt(1.0 + 0.02 * film.frames[t].astype(float))
        assert np.mean(left**2) < 1.5 * np.mean(noise**2)


def test_a_shadow_is_attached_to_its_body(rng):
    film = thrown_film(
        rng, lambda picture, t: shadow(picture, thrown()[t, 0] * 0.95 + 22, thrown()[t, 1] + 24)
    )
    (track,) = toolbox.moving_bodies(film.frames).tracks
    assert track.appearance.shadow is not None and off(track, film.xy).max() < 0.4
    a, b, c, d, e, f = track.appearance.shadow.place
    x, y = track.poses[12, :2]
    assert (
        np.hypot(
            a * x + b * y + c - film.xy[12, 0] * 0.95 - 22, d * x + e * y + f - film.xy[12, 1] - 24
        )
        < 1.5
    )


def test_a_hand_that_lets_go_is_left_out(rng):
    release, frames = 8, 30
    t = np.arange(frames)
    xy = np.stack([np.full(frames, 80.0), 30 + 0.18 * np.maximum(t - release, 0) ** 2], 1)

    def paint(picture, t):
        end = 88 - 9 * max(t - release, 0)  # a hand from the left, that withdraws
        ball(picture, *xy[t])
        if end > 0:
            picture[22:34, :end] = (215, 160, 135)

    film = shot(rng, wall(rng), xy, paint)
    tracks = toolbox.moving_bodies(film.frames)
    (track,) = tracks.tracks
    first = int(np.flatnonzero(track.seen)[0])
    assert release <= first <= release + 6
    assert off(track, xy).max() < 0.6


def test_what_moves_off_slowly_is_no_part_of_the_plate(rng):
    t = np.arange(28)
    xy = np.stack([40 + 0.05 * t**2, np.full(28, 60.0)], 1)
    film = shot(rng, wall(rng), xy, lambda picture, t: ball(picture, *xy[t], radius=20.0))
    assert np.ptp(xy[:, 0]) < 40, "it never leaves the place that it began at"
    (track,) = toolbox.moving_bodies(film.frames).tracks
    assert track.seen.all() and off(track, xy).max() < 0.5


def test_clutter_that_moves_a_little_is_no_body(rng):
    film = thrown_film(
        rng, lambda picture, t: ball(picture, 130 + 1.5 * np.sin(t), 100, 5, (80, 120, 70))
    )
    assert len(toolbox.moving_bodies(film.frames).tracks) == 1


def test_light_that_plays_here_and_there_is_no_body(rng):
    xy = thrown()
    spots = rng.uniform((20, 15), (SHAPE[1] - 20, 40), (len(xy), 2))

    def paint(picture, t):
        if t % 3 == 0:
            ball(picture, *spots[t], radius=5.0)
        ball(picture, *xy[t])

    film = shot(rng, wall(rng), xy, paint)
    (track,) = toolbox.moving_bodies(film.frames).tracks
    assert off(track, film.xy).max() < 0.4


def test_the_plate_is_healed_where_a_body_rested(rng):
    t = np.arange(24.0)
    xy = np.stack([np.where(t < 15, 60.0, 60 + 8.0 * (t - 15)), np.full(24, 60.0)], 1)
    film = shot(rng, wall(rng), xy, lambda picture, t: ball(picture, *xy[t]))
    tracks = toolbox.moving_bodies(film.frames)
    (track,) = tracks.tracks
    assert off(track, xy).max() < 0.4
    assert np.abs(tracks.plate[50:71, 50:71].astype(float) - film.ground[50:71, 50:71]).mean() < 4.0


def test_an_angle_is_measured_only_where_the_picture_tells_it(rng):
    xy = thrown()

    def paint(picture, t):
        ball(picture, *xy[t])
        spot = xy[t] + 4.5 * np.array([np.cos(0.2 * t), np.sin(0.2 * t)])
        ball(picture, *spot, 2.5, (30, 30, 30))

    (marked,) = toolbox.moving_bodies(shot(rng, wall(rng), xy, paint).frames).tracks
    (plain,) = toolbox.moving_bodies(thrown_film(rng).frames).tracks
    assert np.diff(marked.poses[:, 2]) == pytest.approx(np.full(23, 0.2), abs=0.08)
    assert not plain.appearance.turns and np.nanmax(np.abs(plain.poses[:, 2])) == 0.0


def test_what_goes_far_between_frames_is_told_by_its_look(rng):
    angles = 1.3 * np.arange(24) - 0.006 * np.arange(24) ** 2
    xy = np.stack([80 + 45 * np.cos(angles), 60 + 45 * np.sin(angles)], 1)
    rim = rng.uniform(-np.pi, np.pi, (24, 2))

    def paint(picture, t):
        for at in rim[t]:  # its edge wobbles: light comes and goes elsewhere
            ball(picture, 80 + 52 * np.cos(at), 60 + 52 * np.sin(at), 5.0, (235, 225, 215))
        ball(picture, *xy[t], 5.0, (50, 50, 60))

    track = toolbox.moving_bodies(shot(rng, wall(rng), xy, paint).frames).tracks[0]
    assert track.seen.mean() > 0.8 and np.median(off(track, xy)) < 0.5


def test_a_drifting_camera_is_taken_out(rng):
    xy, ground = thrown(), wall(rng)
    ground[30:34, :], ground[:, 40:43] = 70.0, 90.0
    ground[80:110, 100:130:6] = 60.0
    film = shot(rng, ground, xy, lambda picture, t: ball(picture, *xy[t]))
    shaken = np.stack(
        [np.roll(frame, (t // 4, t // 3), (0, 1)) for t, frame in enumerate(film.frames)]
    )
    (track,) = toolbox.moving_bodies(shaken).tracks
    assert off(track, xy).max() < 0.6
