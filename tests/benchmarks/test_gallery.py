"""The gallery: pictures show what the true states say, and the true states obey the law that the
scene names."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.environments import Options, load
from benchmarks.gallery import SCENES, UNEXPLAINED
from benchmarks.gallery.drawing import (
    Placed,
    backdrop,
    box,
    disk,
    draw,
    flat,
    halves,
    polygon,
    union,
)
from benchmarks.gallery.sheet import contact_sheet
from benchmarks.gallery.simulate import Disks, Wall, fly
from tools.types import ContractError

WHITE, BLACK = flat((255.0, 255.0, 255.0)), flat((0.0, 0.0, 0.0))


def film(name, frames=60, seed=0):
    return SCENES[name](np.random.default_rng(seed), frames)


def coverage(shape, x, y, angle=0.0):
    """(H, W) share of each pixel covered by a black shape on white."""
    return 1.0 - draw(backdrop(WHITE, (60, 80)), [Placed(shape, x, y, angle)])[..., 0] / 255.0


def centroid(weights):
    rows, columns = np.mgrid[: weights.shape[0], : weights.shape[1]]
    return (weights * columns).sum() / weights.sum(), (weights * rows).sum() / weights.sum()


# --------------------------------------------------------------------------------------------------


def test_a_disk_lies_where_it_was_put_and_has_its_area():
    weights = coverage(disk(9.0, BLACK), 30.37, 25.81)
    assert weights.sum() == pytest.approx(np.pi * 81, rel=2e-3)
    assert centroid(weights) == pytest.approx((30.37, 25.81), abs=0.02)


def test_positive_angles_turn_clockwise_on_the_screen():
    assert centroid(coverage(box(20, 4, BLACK, (10, 0)), 30, 20, np.pi / 2)) == pytest.approx(
        (30, 30), abs=0.05
    )


def test_a_polygon_and_a_box_agree():
    corners = [(-8, -5), (8, -5), (8, 5), (-8, 5)]
    assert np.array_equal(
        coverage(polygon(corners, BLACK), 31.3, 24.6, 0.7),
        coverage(box(16, 10, BLACK), 31.3, 24.6, 0.7),
    )


def test_later_shapes_are_painted_over_earlier_ones_and_the_picture_may_cut_them():
    both = union(disk(10, flat((200.0, 0.0, 0.0))), disk(4, flat((0.0, 0.0, 200.0))))
    frame = draw(backdrop(WHITE, (40, 40)), [Placed(both, 1.0, 1.0)])
    assert (
        tuple(frame[1, 1]) == (0, 0, 200)
        and tuple(frame[1, 8]) == (200, 0, 0)
        and tuple(frame[30, 30]) == (255, 255, 255)
    )
    assert (draw(backdrop(WHITE, (40, 40)), [Placed(both, 200.0, -50.0)]) == 255).all()


def test_two_halves_show_the_turn():
    ball = disk(10, halves((250.0, 0.0, 0.0), (0.0, 0.0, 250.0)))
    frame = draw(backdrop(WHITE, (40, 40)), [Placed(ball, 20.0, 20.0, np.pi / 2)])
    assert tuple(frame[15, 20]) == (250, 0, 0) and tuple(frame[25, 20]) == (0, 0, 250)


# --------------------------------------------------------------------------------------------------


def test_free_flight_has_the_stated_gravity():
    scene = film("thrown-ball")
    assert np.diff(scene.states.column("ball.y"), 2) / scene.dt**2 == pytest.approx(
        scene.parameters["gravity"]
    )


def test_bounces_keep_the_stated_share_of_speed():
    scene = film("bouncing-ball")
    y, g = scene.states.column("ball.y"), scene.parameters["gravity"]
    peaks = [v for a, v, b in zip(y, y[1:], y[2:], strict=False) if v < a and v <= b]
    heights = y.max() - np.array([y[0], *peaks])
    assert np.sqrt(heights[1] / heights[0]) == pytest.approx(
        scene.parameters["restitution"], abs=0.03
    )
    assert g > 0


def test_balls_keep_momentum_and_lose_energy_only_by_restitution():
    def energy(elasticity):
        disks = Disks(
            np.array([[20.0, 50.0], [80.0, 53.0]]),
            np.array([[30.0, 0.0], [-10.0, 2.0]]),
            np.array([8.0, 6.0]),
            np.array([2.0, 1.0]),
            restitution=elasticity,
        )
        path = fly(disks, np.linspace(0, 2.5, 26))
        first, last = (path[1] - path[0]) / 0.1, (path[-1] - path[-2]) / 0.1
        assert disks.mass @ last == pytest.approx(disks.mass @ first), "momentum"
        return [0.5 * float(disks.mass @ (v**2).sum(1)) for v in (first, last)]

    before, after = energy(1.0)
    assert after == pytest.approx(before)
    before, after = energy(0.5)
    assert after < before * 0.9


def test_a_ball_comes_to_rest_on_the_floor_and_slides_on():
    disks = Disks(
        np.array([[0.0, 0.0]]),
        np.array([[2.0, 0.0]]),
        np.ones(1),
        np.ones(1),
        (0.0, 90.0),
        (Wall((0, -1), -60.0),),
        wall_restitution=0.5,
    )
    path = fly(disks, np.linspace(0, 30, 31))[:, 0]
    assert path[-5:, 1] == pytest.approx(59.0, abs=1e-2) and path[:, 0] == pytest.approx(
        2.0 * np.arange(31)
    )


def test_several_balls_coming_to_rest_are_refused():
    disks = Disks(
        np.array([[0.0, 0.0], [9.0, 0.0]]),
        np.zeros((2, 2)),
        np.ones(2),
        np.ones(2),
        (0.0, 90.0),
        (Wall((0, -1), -60.0),),
        wall_restitution=0.5,
    )
    with pytest.raises(RuntimeError, match="comes to rest"):
        fly(disks, np.linspace(0, 30, 31))


def test_the_double_pendulum_keeps_its_energy():
    scene = film("double-pendulum", 80)
    a, b = -scene.states.column("upper.angle"), -scene.states.column("lower.angle")
    da, db = (
        np.pad((8 * (s[3:-1] - s[1:-3]) - (s[4:] - s[:-4])) / (12 * scene.dt), 2) for s in (a, b)
    )
    l1, l2, m, g = (scene.parameters[k] for k in ("length_1", "length_2", "mass_ratio", "gravity"))
    kinetic = (
        0.5 * (1 + m) * (l1 * da) ** 2
        + 0.5 * m * (l2 * db) ** 2
        + m * l1 * l2 * da * db * np.cos(a - b)
    )
    energy = (kinetic - (1 + m) * g * l1 * np.cos(a) - m * g * l2 * np.cos(b))[2:-2]
    assert np.ptp(energy) < 0.03 * np.ptp(kinetic), (
        "only the finite differences over a frame are inexact"
    )


def test_the_orbit_sweeps_equal_areas():
    scene = film("orbit", 120)
    x, y = scene.states.column("planet.x") - 150, scene.states.column("planet.y") - 130
    swept = x[:-1] * y[1:] - x[1:] * y[:-1]
    assert swept == pytest.approx(swept.mean(), rel=0.02)


def test_rolling_turns_as_far_as_it_travels():
    scene = film("rolling-ball")
    x, y, turned = (scene.states.column(f"ball.{key}") for key in ("x", "y", "angle"))
    way = np.hypot(x - x[0], y - y[0])
    radius = way[-1] / (turned[-1] - turned[0])
    assert 14 <= radius <= 20 and way == pytest.approx(radius * (turned - turned[0]), abs=1e-6)


# -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SCENES)
def test_every_scene_loads_and_moves_in_the_part_held_back(name):
    task, held = load(f"gallery:{name}", seed=1, context=16, horizon=8)
    frames = held.frames[0]
    assert (frames != task.test[0].frames[-1]).any(), "something moves after the last seen frame"
    assert task.shape[0] % 2 == 0 and task.shape[1] % 2 == 0
    assert len(held.truth["states"][0]) == 24 and held.truth["mechanism"]


@pytest.mark.parametrize(
    "name", ["thrown-ball", "two-balls", "sliding-box", "orbit", "occlusion", "spring-pair"]
)
def test_single_coloured_bodies_lie_at_their_true_positions(name):
    scene = film(name, 8)
    plain = np.median(scene.frames.reshape(-1, 3), axis=0)
    for t in (0, 7):
        for body in scene.states.objects:
            x, y = (scene.states.column(f"{body}.{key}")[t] for key in ("x", "y"))
            assert (scene.frames[t, round(y), round(x)] != plain).any()


def test_a_seed_repeats_the_scene_and_another_changes_it():
    first, again, other = (
        load("gallery:pendulum", seed=s, context=2, horizon=1)[1] for s in (0, 0, 1)
    )
    assert first.truth["parameters"] == again.truth["parameters"] != other.truth["parameters"]
    assert np.array_equal(first.frames[0], again.frames[0])


def test_the_contact_sheet_shows_the_scenes_that_are_loaded():
    sheet = contact_sheet(0, ["thrown-ball", "orbit"])
    assert sheet.shape == (2 * 122, 9 * 162, 3)
    frame = load("gallery:orbit", seed=0, context=2, horizon=1)[0].test[0].frames[0]
    assert np.abs(np.median(sheet[122:], axis=(0, 1)) - np.median(frame, axis=(0, 1))).max() < 5
    assert (sheet == (255, 0, 0)).all(-1).any()


def test_there_are_enough_scenes_and_one_that_nothing_explains():
    assert len(SCENES) - len(UNEXPLAINED) >= 18 and set(UNEXPLAINED) <= set(SCENES)


def test_variants_change_the_pictures_and_keep_the_truth():
    plain, held = load("gallery:thrown-ball", seed=0, context=4, horizon=3)
    for variant, low, high in (("noise", 3.5, 4.5), ("mp4", 0.01, 3.0)):
        task, other = load(
            "gallery:thrown-ball", seed=0, context=4, horizon=3, options=Options(variant=variant)
        )
        assert low < np.abs(task.test[0].frames.astype(int) - plain.test[0].frames).mean() < high
        assert np.array_equal(other.truth["clean_frames"][0], held.frames[0])
        assert not np.array_equal(other.frames[0], held.frames[0]), (
            "the future comes from the same camera"
        )


def test_bad_scene_and_bad_variant_are_answered_in_one_line():
    with pytest.raises(ContractError, match="NAME one of thrown-ball"):
        load("gallery:nothing", seed=0)
    with pytest.raises(ContractError, match="variant: expected one of clean, noise, mp4"):
        load("gallery:orbit", seed=0, context=2, horizon=1, options=Options(variant="vhs"))
