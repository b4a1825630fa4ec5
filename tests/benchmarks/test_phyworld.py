"""PhyWorld against the facts of the original: closed forms, colours, edges, orientation, splits,
and the file layout."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from benchmarks.environments import Options, load
from benchmarks.environments.phyworld import film
from benchmarks.phyworld import files, scenes, world
from benchmarks.phyworld.world import Rules, Start, draw, simulate
from tools import toolbox as tools
from tools.types import ContractError


def rng(seed=0):
    return np.random.default_rng(seed)


def start_of(positions, velocities, radii):
    return Start(np.array(positions, float), np.array(velocities, float), np.array(radii, float))


# --------------------------------------------------------------------------------------------------


def test_stored_frames_lie_at_a_hundredth_after_each_tenth_of_a_second():
    path = simulate(start_of([[2.0, 5.0]], [[3.0, 0.0]], [1.0]), Rules())[:, 0]
    times = 0.01 + 0.1 * np.arange(32)
    assert path[:, 0] == pytest.approx(2.0 + 3.0 * times) and (path[:, 1] == 5.0).all()


def test_the_parabola_is_symplectic_euler_at_a_hundredth():
    path = simulate(start_of([[1.0, 8.0]], [[2.0, 0.0]], [1.0]), Rules(gravity=-2.5))[:, 0]
    steps = 1 + 10 * np.arange(32)
    assert path[:, 1] == pytest.approx(8.0 - 2.5 * 0.01**2 * steps * (steps + 1) / 2)


def test_a_fast_collision_is_elastic_with_mass_as_radius_squared():
    path = simulate(
        start_of([[2.0, 5.0], [8.0, 5.0]], [[3.0, 0.0], [-1.0, 0.0]], [1.0, 0.5]), Rules()
    )
    velocity = np.diff(path[:, :, 0], axis=0)[-1] / 0.1
    assert velocity @ [4, 1] == pytest.approx(3 * 4 - 1) and velocity[1] - velocity[
        0
    ] == pytest.approx(4.0)
    assert np.diff(path[:, :, 0], axis=0)[0] / 0.1 == pytest.approx([3.0, -1.0])


def test_a_closing_speed_of_at_most_one_ends_in_common_motion():
    slow = simulate(
        start_of([[2.0, 5.0], [5.003, 5.0]], [[0.75, 0.0], [-0.25, 0.0]], [1.0, 1.0]), Rules()
    )
    assert np.diff(slow[:, :, 0], axis=0)[-1] / 0.1 == pytest.approx([0.25, 0.25], abs=5e-3)
    gap = slow[-1, 1, 0] - slow[-1, 0, 0] - 2.0
    assert -0.0055 < gap < -0.0045, "the overlap beyond the slop is taken back, the slop stays"
    faster = simulate(
        start_of([[2.0, 5.0], [5.0, 5.0]], [[0.76, 0.0], [-0.25, 0.0]], [1.0, 1.0]), Rules()
    )
    assert np.diff(faster[:, :, 0], axis=0)[-1] / 0.1 == pytest.approx([-0.25, 0.76])


def test_counterfactual_rules_change_the_impact():
    begin = start_of([[2.0, 5.0], [8.0, 5.0]], [[2.0, 0.0], [-2.0, 0.0]], [1.0, 1.0])
    after = {
        key: np.diff(simulate(begin, rules)[:, :, 0], axis=0)[-1] / 0.1
        for key, rules in (("half", Rules(restitution=0.5)), ("heavy", Rules(density=(1.0, 3.0))))
    }
    assert after["half"] == pytest.approx([-1.0, 1.0])
    assert after["heavy"] == pytest.approx([-4.0, 0.0], abs=1e-9)


# Positions that Box2D itself stored, world units: (init, x of ball 1, x of ball 2 or y of ball 1)
# at these frames.
ENGINE_FRAMES = (0, 8, 16, 24, 31)
COLLISIONS = [
    (
        (0.6428571428571428, 1.3571428571428572, 2.65, 2.5),
        (1.19155, 3.31155, 0.29996, -4.30999, -8.34369),
        (8.27371, 6.27371, 5.42511, 4.93515, 4.50644),
    ),
    (
        (1.5, 0.7857142857142857, 1.15, 2.35),
        (1.53984, 2.45983, 3.1839, 2.8982, 2.64821),
        (8.94527, 7.06525, 5.89933, 8.41364, 10.61369),
    ),
    (
        (1.3571428571428572, 1.5, 3.25, 1.45),
        (1.4996, 4.0996, 2.7713, 1.23624, -0.10694),
        (8.27242, 7.11241, 9.16811, 11.39307, 13.33991),
    ),
]
PARABOLA = (
    (1.2304922773250584, 2.8286930019396905),
    (1.76926, 4.03221, 6.29517, 8.55812, 10.53821),
    (7.92377, 7.09377, 4.66377, 0.63376, -4.205),
)


@pytest.mark.parametrize(("init", "first", "second"), COLLISIONS)
def test_collisions_agree_with_the_original_engine(init, first, second):
    x = np.array([first[0] - 0.01 * init[2], second[0] + 0.01 * init[3]])
    path = simulate(
        start_of([[x[0], 5.0], [x[1], 5.0]], [[init[2], 0.0], [-init[3], 0.0]], init[:2]), Rules()
    )
    assert path[ENGINE_FRAMES, 0, 0] == pytest.approx(first, abs=2e-4), (
        "Box2D computes in single precision"
    )
    assert path[ENGINE_FRAMES, 1, 0] == pytest.approx(second, abs=2e-4)


def test_the_parabola_agrees_with_the_original_engine():
    (r, v), x, y = PARABOLA
    path = simulate(
        start_of([[x[0] - 0.01 * v, y[0] + 2.5e-4]], [[v, 0.0]], [r]), Rules(gravity=-2.5)
    )
    assert path[ENGINE_FRAMES, 0, 0] == pytest.approx(x, abs=2e-4) and path[
        ENGINE_FRAMES, 0, 1
    ] == pytest.approx(y, abs=2e-4)


# --------------------------------------------------------------------------------------------------


def test_orientation_colours_and_edge_profile():
    frame = draw(np.array([[[3.0, 8.0]]]), [1.0])[0]
    assert tuple(frame[51, 76]) == (255, 0, 0), "row 0 is y = 10: a ball at y = 8 is drawn high"
    assert tuple(frame[200, 200]) == (255, 255, 255)
    axis = np.arange(256) / 255 * 10
    d2 = (axis[None, :] - 3.0) ** 2 + (10 - axis[:, None] - 8.0) ** 2
    alpha = np.clip((1 - d2) / 0.03, 0, 1)
    assert np.array_equal(frame[..., 1], ((1 - alpha) * 255).astype(np.uint8)), (
        "truncated, not rounded"
    )


def test_the_second_ball_is_blue_and_over_the_first():
    frame = draw(np.array([[[4.0, 5.0], [5.0, 5.0]]]), [1.0, 1.0])[0]
    assert tuple(frame[127, 115]) == (0, 0, 255) and tuple(frame[127, 85]) == (255, 0, 0)


def test_pixels_and_world_are_inverse():
    points = rng().uniform(0, 10, (5, 2))
    assert world.to_world(world.to_pixels(points)) == pytest.approx(points)
    assert world.to_pixels(np.array([10.0, 10.0])) == pytest.approx([255.0, 0.0])


@pytest.mark.parametrize("speed", [0.0, 0.3, 5.0])
def test_a_ball_is_placed_to_thousandths_of_a_pixel_by_its_hard_edge_though_it_rests(speed):
    path = simulate(start_of([[3.0, 5.03]], [[speed, 0.0]], [1.07]), Rules(), frames=3)
    frames = draw(path, [1.07])
    found = tools.track(
        frames, (tools.Part("ball", "disk", (255, 0, 0)),), tools.plain(frames, (255, 255, 255))
    )["ball"]
    assert np.abs(found.poses[:, :2] - world.to_pixels(path[:, 0])).max() < 0.004
    assert found.appearance.size[0] == pytest.approx(0.9925 * 1.07 * 25.5, abs=0.01), (
        "half coverage"
    )


def test_compressed_balls_are_placed_by_their_luma():
    scenes_ = scenes.draw_scenes("uniform", "in", 4, rng(3))
    errors = []
    for clip in map(film, scenes_):
        frames = files.decode(files.encode(clip.frames))[:3]
        found = tools.track(
            frames, (tools.Part("ball", "disk", (253, 0, 0)),), tools.plain(frames, (255, 255, 255))
        )["ball"]
        errors.append(found.poses[:, :2] - world.to_pixels(clip.positions[:3, 0]))
    assert np.sqrt(np.mean(np.square(errors))) < 0.013, "0.02 from the colours"


# --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scenario", "init", "split"),
    [
        ("uniform", (0.7, 4.0), "in"),
        ("uniform", (0.59, 2.0), "invalid"),
        ("uniform", (1.5, 2.0), "r_out"),
        ("uniform", (0.6, 0.8), "rv_out"),
        ("parabola", (1.0, 4.5), "v_out"),
        ("parabola", (1.0, 0.0), "zero"),
        ("collision", (0.5, 1.0, 2.0, 2.0), "invalid"),
        ("collision", (1.0, 1.0, 0.0, 2.0), "zero"),
        ("collision", (1.7, 1.0, 4.0, 1.0), "r_out"),
        ("collision", (1.7, 1.0, 4.5, 1.0), "rv_out"),
        ("collision", (1.0, 1.0, 0.4, 2.0), "v_out"),
        ("collision", (1.5, 0.6, 1.0, 4.0), "in"),
    ],
)
def test_splits_count_as_the_original_counts(scenario, init, split):
    assert scenes.split_of(scenario, init) == split


@pytest.mark.parametrize("scenario", world.SCENARIOS)
def test_every_level_draws_scenes_of_that_level(scenario):
    for level in scenes.SPLITS:
        drawn = scenes.draw_scenes(scenario, level, 12, rng())
        assert {scene.split for scene in drawn} == {level}
    assert {s.split for s in scenes.draw_scenes(scenario, "out", 600, rng())} == set(scenes.OUT)


def test_balls_are_placed_so_that_the_events_are_seen():
    for scene in scenes.draw_scenes("uniform", "in", 50, rng()):
        x = simulate(scene.start, scene.rules)[:, 0]
        r = scene.init[0]
        assert x[0, 1] - r >= 0.5 and x[0, 1] + r <= 9.5
        assert x[22, 0] + r <= 10.0 or scene.init[1] * 2.4 + 2 * r > 10.0, (
            "in view for 24 frames where possible"
        )
    for scene in scenes.draw_scenes("collision", "in", 50, rng()):
        gap = np.diff(scene.start.position[:, 0])[0] - scene.start.radius.sum()
        assert gap / sum(scene.init[2:]) >= 0.8 - 1e-9, "eight frames before contact"
        assert (
            scene.start.position[0, 0] >= scene.init[0]
            and scene.start.position[1, 0] <= 10 - scene.init[1]
        )


# --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scenario", ["uniform", "collision"])
def test_a_file_in_the_official_layout_round_trips(tmp_path, scenario):
    clips = [film(scene) for scene in scenes.draw_scenes(scenario, "in", 3, rng())]
    files.write(tmp_path / "data.hdf5", clips)
    with h5py.File(tmp_path / "data.hdf5") as file:
        assert set(file) == set(files.STREAMS) and list(file["init_streams"]) == ["00000"]
        assert file["position_streams/00000"].shape == (
            (3, 32, 2) if scenario == "uniform" else (3, 32, 2, 2)
        )
        assert file["video_streams/00000"][0].dtype == np.uint8
    listing = files.index(tmp_path / "data.hdf5", len(clips[0].init) // 2)
    for clip, back in zip(clips, files.read(listing, [0, 1, 2]), strict=True):
        assert np.array_equal(back.positions, clip.positions) and back.init == clip.init
        assert (
            np.abs(back.frames.astype(int) - clip.frames).mean() < 1.0
            and 4_000 < len(files.encode(clip.frames)) < 13_000
        )


def test_a_downloaded_file_drops_in(tmp_path):
    drawn = (
        *scenes.draw_scenes("uniform", "in", 4, rng()),
        *scenes.draw_scenes("uniform", "v_out", 1, rng()),
    )
    files.write(tmp_path / "data.hdf5", [film(scene) for scene in drawn])
    task, held = load(
        "phyworld-uniform", seed=0, options=Options(data=tmp_path / "data.hdf5", train=2, test=1)
    )
    assert (len(task.train), task.context, task.horizon, task.dt) == (2, 3, 29, pytest.approx(0.1))
    assert held.truth["splits"] == ("in",)
    assert all(not np.array_equal(video.frames[:3], task.test[0].frames) for video in task.train), (
        "no video is used twice"
    )
    assert load(
        "phyworld-uniform",
        seed=0,
        options=Options(data=tmp_path / "data.hdf5", train=0, level="out"),
    )[1].truth["splits"] == ("v_out",)
    with pytest.raises(
        ContractError,
        match=r"3 more videos of level 'in': expected|expected 3 more videos of level 'in'",
    ):
        load(
            "phyworld-uniform",
            seed=0,
            options=Options(data=tmp_path / "data.hdf5", train=2, test=3),
        )
    with pytest.raises(ContractError, match="init_streams with 4 numbers"):
        load("phyworld-collision", seed=0, options=Options(data=tmp_path / "data.hdf5"))


def test_broken_files_are_answered_in_one_line(tmp_path):
    (tmp_path / "text.hdf5").write_text("not this")
    with h5py.File(tmp_path / "other.hdf5", "w") as file:
        file["frames"] = np.zeros(3)
    for name, says in (
        ("missing.hdf5", "an existing HDF5 file"),
        ("text.hdf5", "expected an HDF5 file"),
        ("other.hdf5", "got frames; it is not a file of PhyWorld"),
    ):
        with pytest.raises(ContractError, match=says) as caught:
            load("phyworld-uniform", seed=0, options=Options(data=tmp_path / name))
        assert "\n" not in str(caught.value)


# --------------------------------------------------------------------------------------------------


def test_the_environment_follows_the_published_protocol():
    task, held = load("phyworld-collision", seed=0, options=Options(train=2, test=2, level="r_out"))
    assert [len(v) for v in (*task.train, *task.test)] == [32, 32, 3, 3] and task.shape == (
        256,
        256,
    )
    assert held.truth["splits"] == ("r_out", "r_out")
    assert held.truth["states"][0].columns == ("ball_1.x", "ball_1.y", "ball_2.x", "ball_2.y")
    lossless = load(
        "phyworld-collision",
        seed=0,
        options=Options(train=2, test=2, level="r_out", variant="clean"),
    )[1]
    assert np.array_equal(held.truth["clean_frames"][0], lossless.frames[0]) and not np.array_equal(
        held.frames[0], lossless.frames[0]
    )


def test_asking_for_more_test_videos_keeps_the_training_videos():
    few, many = (
        load("phyworld-uniform", seed=3, options=Options(train=1, test=n, variant="clean"))[0]
        for n in (1, 3)
    )
    assert np.array_equal(few.train[0].frames, many.train[0].frames) and np.array_equal(
        few.test[0].frames, many.test[0].frames
    )


def test_lengths_and_levels_are_checked():
    with pytest.raises(ContractError, match="at most 32 frames, got 40"):
        load("phyworld-uniform", seed=0, context=20, horizon=20)
    with pytest.raises(ContractError, match="level: expected one of in, r_out"):
        load("phyworld-uniform", seed=0, options=Options(level="far"))
