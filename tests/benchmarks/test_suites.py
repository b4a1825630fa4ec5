"""Suites: what their tables say of given records, how predictions meet the truth, and the baselines
that need no sandbox."""

from __future__ import annotations

import importlib.util
import time

import numpy as np
import pytest

from benchmarks import suites
from benchmarks.baselines import galileo, linear, measured, sindy
from benchmarks.environments import Options as EnvironmentOptions
from benchmarks.environments import load, outside
from benchmarks.environments.phyworld import film, truth_of
from benchmarks.harness.case import Case, Options, Record, Workplace
from benchmarks.phyworld import files, scenes
from benchmarks.phyworld.matching import world_positions
from benchmarks.phyworld.world import INTERVAL, Rules, to_pixels
from benchmarks.programs import NAMES, programs
from benchmarks.suites.counterfactual import CHANGES
from benchmarks.suites.mistaken import mistaken
from benchmarks.suites.phyworld import _apart, _clips, _figures, splits_of
from tests.llm.server import KEY, Answer, ScriptedServer
from tests.llm.test_in_flight import failing
from tools.types import ContractError, HeldBack, States, Task, Video


@pytest.fixture(scope="module")
def collisions():
    """Three lossless in-distribution collisions."""
    return [
        film(scene) for scene in scenes.draw_scenes("collision", "in", 3, np.random.default_rng(4))
    ]


@pytest.fixture(scope="module")
def given(collisions):
    """The same as a task of 3 seen frames."""
    clips = tuple(Video(clip.frames, 0.1) for clip in collisions)
    held = HeldBack(
        tuple(clip.frames[3:] for clip in collisions), truth_of("collision", collisions)
    )
    return Task((), tuple(v.cut(0, 3) for v in clips), 3, 29), held


# ------------------------------------------------------------------------------------------------ s


def test_a_programs_objects_become_the_balls_they_follow(collisions):
    pixels = to_pixels(collisions[0].positions)
    truth = truth_of("collision", collisions)["states"][0]
    named = States(
        ("blue.x", "blue.y", "red.x", "red.y"), np.concatenate([pixels[:, 1], pixels[:, 0]], axis=1)
    )
    assert world_positions(named, truth, 3) == pytest.approx(collisions[0].positions)


def test_a_ball_that_a_program_lost_costs_its_whole_speed(collisions):
    pixels, truth = (
        to_pixels(collisions[0].positions),
        truth_of("collision", collisions)["states"][0],
    )
    only_red = States(("red.x", "red.y"), pixels[:, 0])
    path = world_positions(only_red, truth, 3)
    assert (path[:, 1] == path[0, 1]).all() and path[0, 1] == pytest.approx(
        collisions[0].positions[2, 1]
    )
    assert path[:, 0] == pytest.approx(collisions[0].positions[:, 0])


def test_exact_states_and_true_frames_have_the_floors_they_should(given, collisions):
    task, held = given
    figures = _figures((collisions[0].positions, held.frames[0]), 0, task, held)
    assert figures["kang_states"] == figures["kang_pre"] == figures["proggen_pred"] == 0.0
    assert (
        0.0 < figures["kang_pixels"] < 0.02
        and 0.0 < figures["proggen_percepted"] < 0.02
        and figures["psnr"] == 100.0
    )


# --------------------------------------------------------------------------------------------------


def test_balls_are_measured_to_a_hundredth_of_a_pixel_when_nothing_is_compressed(collisions):
    for clip in collisions:
        balls = measured.measure(Video(clip.frames, 0.1))
        gaps = (balls.position - clip.positions) * measured.SCALE
        assert np.nanmax(np.abs(gaps)) < 0.05 and balls.radius == pytest.approx(
            clip.init[:2], abs=5e-3
        )
        assert np.isfinite(gaps[:8]).all()
        assert balls.start()[:, 2] == pytest.approx([clip.init[2], -clip.init[3]], abs=0.02)


def test_a_start_takes_gravity_off(collisions):
    t = 0.1 * np.arange(6)
    fall = np.stack([2 * t, 8 - 1.25 * t**2], axis=1)[:, None]
    assert measured.Balls(fall, np.array([1.0])).start(-2.5) == pytest.approx(
        np.array([[0, 8, 2, 0]]), abs=1e-9
    )


def test_galileos_engine_bounces_and_its_posterior_prefers_the_truth(collisions):
    videos = [measured.measure(Video(clip.frames, 0.1)) for clip in collisions]
    right = galileo._posterior(np.array([1.0, 2.0, 0.0, 0.0]), 0.02, range(4), videos)
    for wrong in (
        [0.8, 2.0, 0.0, 0.0],
        [1.0, 1.0, 0.0, 0.0],
        [1.0, 2.0, 0.2, 0.0],
        [1.0, 2.0, 0.0, 0.5],
    ):
        assert right > galileo._posterior(np.array(wrong), 0.02, range(4), videos) + 100
    assert galileo._posterior(np.array([1.2, 2.0, 0.0, 0.0]), 0.02, range(4), videos) == -np.inf


@pytest.mark.skipif(importlib.util.find_spec("pysindy") is None, reason="PySINDy is an extra")
def test_sparse_regression_finds_uniform_motion():
    t = INTERVAL * np.arange(20)
    videos = [
        measured.Balls(np.stack([1 + v * t, np.full(20, 5.0)], axis=1)[:, None], np.array([1.0]))
        for v in (1.0, 2.0, 3.0)
    ]
    law = sindy.fit(videos)
    path = sindy.simulate(law, measured.Balls(videos[1].position[:3], np.array([1.0])))
    assert np.diff(path[:, 0, 0]) / INTERVAL == pytest.approx(2.0, abs=1e-3)


def test_straight_lines_go_on_as_the_last_sightings_did():
    states = States(
        ("ball.x", "ball.radius"), np.array([[0.0, 5.0], [1.0, 5.0], [3.0, 5.0], [5.0, 5.0]])
    )
    state = linear.initial(states, {}, 0.5)
    for _ in range(4):
        state = linear.step(state, {}, 0.0, 0.5)
    assert state["ball"]["x"] == pytest.approx(7.0) and state["ball"]["radius"] == pytest.approx(
        5.0
    )


def test_hand_written_programs_are_there_and_an_unknown_one_lists_them():
    assert all("def step" in programs(name).dynamics for name in NAMES)
    with pytest.raises(ContractError, match="one of cartpole, collision"):
        programs("pinball")


def test_the_mistaken_program_differs_in_its_perception_alone():
    good, bad = programs("cartpole"), mistaken()
    assert good.perception != bad.perception and (good.dynamics, good.rendering) == (
        bad.dynamics,
        bad.rendering,
    )


# --------------------------------------------------------------------------------------------------


def test_the_true_simulator_goes_on_as_it_did_when_nothing_is_changed():
    task, held = load("cartpole", seed=2)
    frames, states = CHANGES["cartpole"]["unchanged"].truth(task, held, 0)
    assert np.array_equal(frames, held.frames[0]) and states.values == pytest.approx(
        held.truth["states"][0].values[10:]
    )
    task, held = load(
        "phyworld-collision", seed=2, options=EnvironmentOptions(train=0, test=1, variant="clean")
    )
    frames, states = CHANGES["collision"]["unchanged"].truth(task, held, 0)
    assert np.abs(
        frames.astype(int) - held.frames[0]
    ).mean() < 1e-3 and states.values == pytest.approx(held.truth["states"][0].values[3:])


def test_changes_change_the_truth_in_the_right_direction():
    task, held = load("cartpole", seed=2)
    x = CHANGES["cartpole"]["push-reversed"].truth(task, held, 0)[1].column("cart.vx")
    assert (np.diff(x) > 0).all(), "pushed to the right"
    doubled = CHANGES["cartpole"]["pole-doubled"].truth(task, held, 0)[0]
    assert (doubled[0] == (202, 152, 101)).all(-1).sum() > 1.7 * (
        held.frames[0][0] == (202, 152, 101)
    ).all(-1).sum()


@pytest.mark.parametrize(
    ("env", "change", "names", "edits"),
    [
        ("cartpole", "pole-doubled", ["push", "gravity", "length"], ["length*=2"]),
        (
            "cartpole",
            "pole-doubled",
            ["rod_pivot_x", "rod_reach", "rod_width", "cart_width"],
            ["rod_reach*=2", "rod_width*=2"],
        ),
        (
            "cartpole",
            "pole-doubled",
            ["rod_pivot_x", "rod_arm", "rod_reach", "rod.width"],
            ["rod_arm*=2", "rod.width*=2"],
        ),
        ("cartpole", "gravity-halved", ["gravity", "push"], ["gravity*=0.5"]),
        ("cartpole", "push-reversed", ["gravity", "push"], ["push*=-1"]),
        ("cartpole", "push-reversed", ["gravity"], []),
        ("collision", "restitution", ["restitution_disks"], ["restitution_disks*=0.5"]),
        ("collision", "mass", ["mass_disk_2_to_disk_1"], ["mass_disk_2_to_disk_1*=3.0"]),
        (
            "collision",
            "radius",
            ["restitution", "ball_1.x", "ball_1.radius"],
            ["ball_1.radius*=1.25"],
        ),
    ],
)
def test_edits_are_told_from_the_names_of_parameters(env, change, names, edits):
    assert CHANGES[env][change].wanted(names) == edits


# --------------------------------------------------------------------------------------------------


def predicted(key, split, init, **figures):
    return Record(key, (figures,), {"splits": [split], "inits": [init], "missing": []})


def test_phyworlds_tables_keep_protocols_and_groups_apart():
    records = {
        r.key: r
        for r in (
            Record(
                "search/collision/10",
                ({"search_score": 0.98, "evaluations": 7.0},),
                timings={"search": 30.0},
            ),
            predicted(
                "predict/collision/10/in/0",
                "in",
                [1, 1, 2, 2],
                **{
                    "search:kang_states": 0.003,
                    "search:kang_pixels": 0.011,
                    "frames:kang_pixels": 0.009,
                },
            ),
            predicted(
                "predict/collision/10/out/0",
                "zero",
                [1, 1, 0, 0.8],
                **{"search:kang_states": 0.5, "search:proggen_pred": 0.7},
            ),
            predicted(
                "predict/collision/10/out/1",
                "r_out",
                [1.7, 1, 2, 2],
                **{"search:kang_states": 0.1, "search:proggen_pred": 0.1},
            ),
            predicted(
                "predict/collision/10/invalid/0",
                "invalid",
                [0.3, 1, 2, 2],
                **{"search:kang_states": 9.0},
            ),
        )
    }
    table = suites.suite("phyworld").report(records, Options())
    assert (
        "| ProgGen | 10 | 0.0147 | 0.015 | 0.0227 | 0.0241 |" in table
        and "| ProgGen | 10 | 0.0187 | 0.0176 | 0.0385 | 0.0418 |" in table
    )
    states, ours = (
        table.index("predicted states"),
        "| this project, search | 10 | – | – | 0.0030 | 0.3000 [0.1000, 0.5000] |",
    )
    assert ours in table[states:], "Kang's 'out' holds balls at rest"
    proggen = table[table.index("pred_post_vel_error (states)") :]
    assert "| this project, search | 10 | – | – | – | 0.1000 |" in proggen, "ProgGen's does not"
    assert "slow collisions (closing at most 1)" in _apart(records) and "| invalid | 1 |" in _apart(
        records
    )
    assert splits_of(records, "collision", 10, "search:kang_states")["out"] == pytest.approx(0.3)


def test_a_file_with_fewer_videos_of_a_level_gives_fewer_and_says_so(tmp_path):
    drawn = [
        scene
        for split, count in (("in", 12), ("invalid", 2))
        for scene in scenes.draw_scenes("uniform", split, count, np.random.default_rng(4))
    ]
    files.write(tmp_path / "uniform_motion_train.hdf5", [film(scene) for scene in drawn])
    suite, options = suites.suite("phyworld"), Options(data=str(tmp_path))
    assert len(_clips(options, "uniform", 10, ("invalid",), 20)[1]) == 2
    key = "predict/uniform/10/invalid/1"
    empty = suite.run(Case(key), Workplace(tmp_path, options))
    assert not empty.rows and not empty.error
    told = suite.report({key: empty}, options)
    assert "Of uniform invalid the file holds 0 videos, fewer than the 20 asked for." in told


def test_the_gallerys_summary_counts_what_it_is_held_to():
    def scene(name, **figures):
        return Record(
            f"tree/{name}",
            (figures,),
            {"true": "a mechanism", "found": ""},
            timings={"search": 12.0},
        )

    good = {
        "score": 0.95,
        "search_score": 0.9,
        "psnr": 40.0,
        "psnr_still": 20.0,
        "gain": 20.0,
        "named": 1.0,
        "evaluations": 4.0,
        "param.gravity": 0.03,
    }
    records = {
        r.key: r
        for r in (
            scene("thrown-ball", **good),
            scene("pendulum", **{**good, "score": 0.4, "gain": 3.0, "named": 0.0}),
            scene("jumping-dot", **{**good, "score": 0.0}),
        )
    }
    table = suites.suite("gallery").report(records, Options(budget=30))
    assert (
        "at least 0.9 on 1 of 2 scenes, lowest 0.40" in table
        and "named on 1 of 2" in table
        and "gravity 3.0%" in table
    )
    assert "| jumping-dot | 0.000 |" in table, "shown, not counted"


def test_policies_are_compared_in_pairs():
    records = {}
    for policy, score in (("tree", 0.9), ("best-of-n", 0.6)):
        for seed in range(6):
            row = {"score": score + 0.01 * seed, "evaluations": 10.0, "reached": 1.0}
            records[f"{policy}/cartpole/{seed}"] = Record(
                f"{policy}/cartpole/{seed}", (row,), timings={"search": 5.0}
            )
    table = suites.suite("search").report(records, Options())
    assert "- tree minus best-of-n, held-back score: 0.3 [0.3, 0.3] over 6 pairs\n" in table
    assert "| all | tree | 6 | 6 | 10 [10, 10] | 5 [5, 5] | – |" in table
    with pytest.raises(ContractError, match="some of tree"):
        suites.suite("search").phases(Options(policies=("greedy",)))


def test_rules_of_the_true_engine_are_those_of_the_scenario():
    assert scenes.draw_scenes("parabola", "in", 1, np.random.default_rng(0))[0].rules == Rules(
        gravity=-2.5
    )


def test_planning_is_quick(tmp_path):
    (tmp_path / "footage.json").write_text('{"clips": {"a": {"file": "a.mp4", "context": 9}}}')
    (tmp_path / "clip").mkdir()
    (tmp_path / "clip" / "gt.mp4").touch()
    began = time.perf_counter()
    for name in suites.known():
        suites.suite(name).phases(Options(data=str(tmp_path)))
    assert time.perf_counter() - began < 5.0


# ------------------------------------------------------------------------- bench search, models


def test_a_model_without_a_recording_has_empty_columns_that_say_so(tmp_path):
    case = Case("llm/outside:hopping/0")
    record = suites.suite("search").run(case, Workplace(tmp_path, Options()))
    assert record.rows == ({},) and "--record MODEL" in record.notes["reason"]
    table = suites.suite("search").report({case.key: record}, Options())
    assert "llm: no recording: make one with" in table
    assert "| outside:hopping | llm | 0 | – | – | – | – | – | – | – |" in table


def test_a_model_is_recorded_once_and_repeated_for_nothing(tmp_path, monkeypatch):
    case, suite = Case("llm/outside:hopping/0"), suites.suite("search")
    with ScriptedServer(lambda request: Answer(failing(request["seed"]))) as server:
        monkeypatch.setenv("PROGGEN_BASE_URL", server.url)
        monkeypatch.setenv("PROGGEN_API_KEY", KEY)
        live = Options(budget=2, record="scripted")
        recorded = suite.run(case, Workplace(tmp_path / "live", live))
        asked = len(server.requests)
        again = Options(budget=2, recordings=str(tmp_path / "live"))
        repeated = suite.run(case, Workplace(tmp_path / "again", again))
        assert asked == len(server.requests) > 0
    row = recorded.rows[0]
    assert row["calls"] == asked and row["tokens"] == 1200 * asked and row["after_20"] == 0.0
    assert repeated.rows == recorded.rows
    assert repeated.timings == recorded.timings and recorded.timings["waited"] > 0
    table = suite.report({case.key: repeated}, again)
    assert "| llm | 2 [2, 2] | 0 [0, 0] | 1 [1, 1] | " in table


def test_scenes_outside_the_grammar_are_films_like_others():
    for name in outside.SCENES:
        task, held_back = load(f"outside:{name}", seed=1)
        seen, film = task.test[0].frames, held_back.frames[0]
        again, _ = load(f"outside:{name}", seed=1)
        assert (again.test[0].frames == seen).all() and len(seen) == len(film) == 30
        changed = (np.abs(np.diff(np.concatenate([seen, film]).astype(int), axis=0)) > 20).any(3)
        assert changed.reshape(59, -1).any(axis=1).mean() > 0.9
        assert not changed[:, [0, -1], :].any() and not changed[:, :, [0, -1]].any(), name
