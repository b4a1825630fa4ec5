"""World models as objects, what-ifs at the command line, and exported files that run alone."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
import warnings

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from agent.cli import main
from agent.export.environment import action_space
from agent.export.gather import Gatherer, Writer
from agent.run.runfolder import read_model, write_programs
from agent.worldmodel.world import WorldModel
from tests.agent import test_search
from tests.agent.candidates import GOOD, STORY, Scripted, thrown
from tests.agent.test_cli import called
from tools import media
from tools.errors import RunError, UsageError


@pytest.fixture(scope="module")
def run_folder(box, tmp_path_factory):
    out = tmp_path_factory.mktemp("world") / "run"
    test_search.searched(box, out, Scripted(*STORY))
    return out


@pytest.fixture
def model(run_folder, box):
    with WorldModel.load(run_folder, sandbox=box) as loaded:
        yield loaded


FRAMES = thrown(14).frames


def test_a_model_perceives_predicts_and_shows_its_numbers(model):
    assert dict(model.params).keys() == {"gravity"} and model.fitted[0].unit == "px/s^2"
    perceived = model.perceive(FRAMES)
    assert perceived.states.columns == ("ball.x", "ball.y") and len(perceived.states) == 14
    film = model.predict(FRAMES, 6)
    assert film.first == 14 and film.frames.shape == (6, 64, 64, 3) and len(film.states) == 6
    assert np.abs(film.frames.astype(int) - thrown(20).frames[14:]).mean() < 0.5
    assert "gravity=" in repr(model)


def test_an_edited_model_is_another_model(model):
    falling, floating = model.predict(FRAMES, 6), model.edit("gravity=0").predict(FRAMES, 6)
    assert (
        np.ptp(floating.states.column("ball.vy")) == 0.0 < np.ptp(falling.states.column("ball.vy"))
    )
    assert model.edit("gravity=0").params["gravity"] == 0.0 < model.params["gravity"]
    back = model.edit("ball.vx*=-1", "gravity=0").edit("ball.vy=0").predict(FRAMES, 6)
    assert (
        back.edits == ("ball.vx*=-1", "gravity=0", "ball.vy=0")
        and np.ptp(back.states.column("ball.y")) == 0.0
    )
    assert back.states.column("ball.vx")[0] == -falling.states.column("ball.vx")[0]


def test_looks_and_constants_change_the_picture_and_not_the_motion(model):
    plain, large = model.compare(FRAMES, 3, [["RADIUS*=2"]])
    assert np.array_equal(plain.states.values, large.states.values)
    ground = FRAMES[0, 0, 0]
    sizes = [(film.frames[0] != ground).any(-1).sum() for film in (plain, large)]
    assert 3.0 < sizes[1] / sizes[0] < 4.5, "twice the radius, four times the area"


def test_everything_that_can_be_edited_is_listed(model):
    kinds = {one.name: one.kind for one in model.editable(FRAMES)}
    assert kinds == {
        "gravity": "parameter",
        "ball.x": "state",
        "ball.y": "state",
        "ball.vx": "state",
        "ball.vy": "state",
        "RADIUS": "constant",
    }
    with pytest.raises(
        UsageError,
        match=r"parameters: gravity; states: ball\.x, ball\.y, ball\.vx, ball\.vy; constants: "
        r"RADIUS\), got 'ball\.vz'; did you mean ball\.v",
    ):
        model.predict(FRAMES, 2, edits=["ball.vz*=2"])


def test_edits_are_checked_before_anything_runs(model):
    with WorldModel(model.programs, model.fitted) as fresh:  # without a sandbox
        for edit, says in (
            ("gravty*=2", r"parameters: gravity; constants: RADIUS.*did you mean gravity\?"),
            ("bell.x=2", "did you mean|expected a name"),
            ("gravity=fast", "expected NAME=VALUE"),
        ):
            with pytest.raises(UsageError, match=says):
                fresh.predict(FRAMES, 2, edits=[edit])
        assert fresh._engine._runner is None


def test_a_model_is_saved_with_its_edits_and_loaded_again(model, box, tmp_path):
    model.edit("gravity*=0.5", "RADIUS=3", "ball.x=0").save(tmp_path / "mine")
    again = WorldModel.load(tmp_path / "mine", sandbox=box)
    assert (
        again.params["gravity"] == 0.5 * model.params["gravity"]
        and "RADIUS = 3.0" in again.programs.rendering
    )
    assert again.predict(model.seen, 4).frames.shape[0] == 4
    with pytest.raises(UsageError, match="new folder"):
        model.save(tmp_path / "mine")


def test_programs_without_parameters_say_how_to_get_them(tmp_path, box):
    write_programs(tmp_path, GOOD)
    with pytest.raises(UsageError, match="run-agent fit"):
        WorldModel.load(tmp_path)
    with pytest.raises(UsageError, match=r"trace\.jsonl"):
        WorldModel.load(tmp_path / "nothing")


def test_programs_that_fail_are_told_by_stage(model, box, tmp_path):
    with pytest.raises(RunError, match="rendering"):
        broken = WorldModel(
            model.programs.__class__(
                GOOD.perception,
                GOOD.dynamics,
                "def render(state, scene, shape):\n    return None\n",
            ),
            model.fitted,
            sandbox=box,
        )
        broken.predict(FRAMES, 2)


# --------------------------------------------------------------------------------------------------


def test_several_what_ifs_side_by_side(run_folder, capsys, tmp_path):
    code, printed, _ = called(
        capsys,
        "predict",
        run_folder,
        "--set",
        "gravity=0",
        "--set",
        "ball.x-=10",
        "--or",
        "--set",
        "ball.vx*=-1",
        "--out",
        tmp_path / "w.npz",
    )
    assert code == 0 and "edited: gravity=0, ball.x-=10\nedited: ball.vx*=-1\n" in printed
    with np.load(tmp_path / "w.npz") as data:
        assert data["frames"].shape == (2, 10, 64, 64, 3) and len(data["states"]) == 2
    called(
        capsys,
        "predict",
        run_folder,
        "--set",
        "gravity=0",
        "--or",
        "--set",
        "ball.vx*=-1",
        "--out",
        tmp_path / "w.gif",
    )
    assert media.read(tmp_path / "w.gif").frames.shape[2] == 3 * 64 + 8
    code, _, complaint = called(capsys, "predict", run_folder, "--set", "gravity=0", "--or")
    assert code == 2 and complaint.count("\n") == 1 and "--or" in complaint


def test_predict_lists_what_can_be_edited_and_takes_actions(run_folder, capsys):
    code, printed, _ = called(capsys, "predict", run_folder, "--list")
    assert (
        code == 0
        and "parameters (fitted" in printed
        and "  RADIUS = 5  (in rendering.py)" in printed
    )
    assert called(capsys, "predict", run_folder, "--actions", "1,0")[0] == 0
    for wrong in ("x", "1,,2", "nan", "missing.npy"):
        assert called(capsys, "predict", run_folder, "--actions", wrong)[0] == 2
    assert called(capsys, "predict", run_folder, "--horizon", "0")[0] == 2


# --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def exported(run_folder, tmp_path_factory):
    """The run as one file in an empty folder."""
    out = tmp_path_factory.mktemp("exported") / "ball_model.py"
    assert main(["export", str(run_folder), "--to", "python", "--out", str(out)]) == 0
    return out


ALONE = """
import sys
class Nothing:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("tools", "agent", "sandbox", "prompts", "benchmarks", "scipy", "pymunk", "gymnasium", "av"):
            raise ImportError(name + " is not to be had here")
sys.meta_path.insert(0, Nothing())
import runpy
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def test_an_exported_file_runs_alone_and_predicts_what_the_run_predicted(
    exported, run_folder, model, tmp_path
):
    np.savez(tmp_path / "clip.npz", frames=model.seen.frames)
    command = [
        sys.executable,
        "-c",
        ALONE,
        str(exported),
        "clip.npz",
        "--horizon",
        "10",
        "--out",
        "film.npz",
    ]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    with np.load(tmp_path / "film.npz") as mine, np.load(run_folder / "prediction.npz") as theirs:
        assert np.abs(mine["frames"].astype(int) - theirs["frames"][0]).max() <= 1
    listed = subprocess.run(command[:4], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert listed.stdout.startswith("gravity = ") and "px/s^2" in listed.stdout


def test_an_exported_file_says_what_it_holds(exported, run_folder):
    text = exported.read_text()
    head = text.partition('"""')[2].partition('"""')[0]
    assert (
        "gravity = " in head
        and "px/s^2" in head
        and f"run: {run_folder.name}" in head
        and re.search(r"score: (0\.99|1\.0)", head)
    )
    line = int(next(line for line in head.splitlines() if line.endswith("dynamics.py")).split()[0])
    assert text.splitlines()[line - 1] == "# ======== dynamics.py"


def test_an_exported_file_is_read_back_and_improved_by_hand(
    exported, run_folder, model, capsys, tmp_path
):
    programs, params = read_model(exported)
    assert programs.dynamics.strip() == model.programs.dynamics.strip() and params == model.fitted
    np.savez(tmp_path / "clip.npz", frames=thrown(24).frames, dt=1 / 25)
    code, printed, _ = called(
        capsys, "evaluate", exported, "--video", tmp_path / "clip.npz", "--context", 18
    )
    assert code == 0 and re.search(r"score (0\.99|1\.0)", printed)
    changed = tmp_path / "changed.py"
    changed.write_text(exported.read_text().replace("0.5 * g * dt * dt", "0.25 * g * dt * dt"))
    code, printed, _ = called(
        capsys, "fit", changed, "--video", tmp_path / "clip.npz", "--context", 18
    )
    assert code == 0 and "gravity" in printed
    assert (
        called(capsys, "predict", exported, "--video", tmp_path / "clip.npz", "--set", "gravity=0")[
            0
        ]
        == 0
    )
    assert called(capsys, "predict", exported)[0] == 2
    (tmp_path / "other.py").write_text("print(1)\n")
    code, _, complaint = called(
        capsys, "evaluate", tmp_path / "other.py", "--video", tmp_path / "clip.npz"
    )
    assert code == 2 and "run-agent export" in complaint


def test_wrong_exports_are_one_line(exported, run_folder, capsys, tmp_path):
    for wrong in (
        ["--to", "java"],
        ["--to", "python", "--out", exported],
        ["--to", "python", "--out", tmp_path / "x.txt"],
    ):
        code, _, complaint = called(capsys, "export", run_folder, *wrong)
        assert code == 2 and complaint.count("\n") == 1, complaint
    again = ["export", exported, "--to", "python", "--out", tmp_path / "again.py"]
    assert "--dt" in called(capsys, *again)[2], "a file does not say how far apart its frames were"
    assert (
        called(capsys, *again, "--dt", "0")[0] == 2
        and called(capsys, *again, "--dt", "0.04")[0] == 0
    )
    assert read_model(tmp_path / "again.py") == read_model(exported)


# --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def world(run_folder, tmp_path_factory):
    """The run as a Gymnasium environment, imported like a module of the user's."""
    folder = tmp_path_factory.mktemp("gym")
    assert (
        main(
            ["export", str(run_folder), "--to", "gymnasium", "--out", str(folder / "ball_world.py")]
        )
        == 0
    )
    sys.path.insert(0, str(folder))
    yield importlib.import_module("ball_world")
    sys.path.remove(str(folder))
    del sys.modules["ball_world"]


def test_an_exported_environment_passes_gymnasiums_own_checker(world):
    env = gymnasium.make("ball_world:ball_world-v0", render_mode="rgb_array")
    with warnings.catch_warnings():
        warnings.filterwarnings("error")
        warnings.filterwarnings(
            "ignore", message=r".*Box observation space (min|max)imum value is (-)?infinity"
        )
        check_env(env.unwrapped)
        named = gymnasium.make("ball_world:ball_world-v0", named=True, render_mode="rgb_array")
        check_env(named.unwrapped)
    env.reset(seed=0)
    assert env.render().shape == (64, 64, 3) and env.unwrapped.columns == (
        "ball.x",
        "ball.y",
        "ball.vx",
        "ball.vy",
    )


def test_an_episode_is_what_the_model_predicts_and_rewards_are_the_users(world, model):
    env = world.Environment(
        reward=lambda before, action, after: after["ball.y"] - before["ball.y"],
        terminated=lambda state: state["ball.y"] > 60.0,
    )
    start, _ = env.reset(seed=0)
    (expected,) = world.STARTS
    assert start.tolist() == pytest.approx(
        [expected["ball"][name] for name in ("x", "y", "vx", "vy")]
    )
    rows, rewards, ended = [start], [], False
    while not ended and len(rows) < 14 + 6:
        row, reward, ended, cut, _ = env.step(0)
        rows.append(row)
        rewards.append(reward)
        assert not cut
    film = model.predict(model.seen, 6)
    assert sum(rewards) == pytest.approx(rows[-1][1] - rows[0][1])
    if not ended:
        np.testing.assert_allclose(
            np.array(rows)[film.first :, 0],
            film.states.column("ball.x")[: len(rows) - film.first],
            atol=1e-6,
        )
    placed, _ = env.reset(options={"state": {"ball.x": 7.0}})
    assert placed[0] == 7.0
    with pytest.raises(ValueError, match=r"columns among ball\.x"):
        env.reset(options={"state": {"x": 7.0}})
    with pytest.raises(ValueError, match="names among gravity"):
        world.Environment(params={"mass": 1.0})


def test_many_episodes_at_once_are_the_same_episodes(world):
    many = gymnasium.make_vec(
        "ball_world:ball_world-v0",
        num_envs=3,
        vectorization_mode="vector_entry_point",
        terminated=lambda state: state["ball.y"] > 60.0,
    )
    one = world.Environment()
    assert many.unwrapped.together, "the program is written elementwise"
    rows, _ = many.reset(seed=1, options={"state": {"ball.x": 9.0}})
    single, _ = one.reset(options={"state": {"ball.x": 9.0}})
    for _ in range(4):
        rows, rewards, ended, cut, _ = many.step(many.action_space.sample())
        single = one.step(0)[0]
        assert rows == pytest.approx(
            np.tile(single, (3, 1))
        ) and rewards.shape == ended.shape == cut.shape == (3,)
    while not ended.any():
        _, _, ended, _, _ = many.step(many.action_space.sample())
    again, rewards, ended, _, _ = many.step(many.action_space.sample())
    assert not ended.any() and again[0, 1] == pytest.approx(world.STARTS[0]["ball"]["y"]), (
        "the next step begins anew"
    )


def test_observations_have_names_and_infos_are_filled(world):
    plain, named = world.Environment(), world.Environment(named=True)
    assert plain.units == {"ball.x": "px", "ball.y": "px", "ball.vx": "px/s", "ball.vy": "px/s"}
    (row, info), (told, _) = plain.reset(seed=0), named.reset(seed=0)
    assert list(told) == list(plain.columns) == list(info["state"])
    assert row.tolist() == [float(one) for one in told.values()] == list(info["state"].values())
    assert (info["frame"], info["seconds"], info["start"]) == (0, 0.0, 0)
    *_, info = plain.step(0)
    assert info["frame"] == 1 and info["seconds"] == pytest.approx(0.04) and info["finite"]
    broken = world.Environment(params={"gravity": float("inf")})
    broken.reset(seed=0)
    _, _, ended, _, info = broken.step(0)
    assert ended and not info["finite"]
    many = world.VectorEnvironment(num_envs=3, named=True)
    rows, info = many.reset(seed=0)
    assert many.single_observation_space.keys() == told.keys() and rows["ball.x"].shape == (3,)
    assert many.observation_space.contains(rows) and info["_state"].all()
    *_, info = many.step(many.action_space.sample())
    assert info["frame"].tolist() == [1, 1, 1] and info["finite"].all()
    np.testing.assert_array_equal(info["state"]["ball.x"].shape, (3,))


@pytest.mark.parametrize(
    "actions, kind",
    [
        ([], "Discrete(1)"),
        ([0.0, 1.0], "Discrete(2)"),
        ([-1.0, 1.0], "Discrete(3, start=-1)"),
        ([-0.5, 2.0], "Box(-0.5, 2.0, (1,), float32)"),
    ],
)
def test_actions_are_those_of_the_video(actions, kind):
    assert str(action_space(actions)) == kind


# --------------------------------------------------------------------------------------------------


def test_names_that_meet_get_others_and_shadowed_ones_stay(tmp_path):
    one = (
        "from math import sin as place\n\ndef perceive(frames, tools):\n    from "
        "tools.rendering import place as put\n    return put, place(1.0)\n"
    )
    two = "import tools.physics as bad\n"
    gatherer = Gatherer(
        {
            "perception": one,
            "dynamics": "place = 3\n\ndef step(place):\n    return place\n\ndef initial():\n    "
            "return place\n",
        }
    )
    gathered = gatherer.gather()
    text = Writer(gatherer, gathered).program("perception")
    assert (
        "def perceive" in text
        and "pass  #: from tools.rendering import place as shapes_place" in text
        and "return shapes_place, place_(1.0)" in text
    )
    assert "#: from math import sin as place_" in text
    dynamics = Writer(gatherer, gathered).program("dynamics")
    assert "return place" in dynamics and "place_" not in dynamics
    with pytest.raises(UsageError, match=r"functions of tools\.physics by name"):
        Gatherer({"perception": two + "x = bad\n"}).gather()
    with pytest.raises(UsageError, match="imports by name"):
        Gatherer({"perception": "from tools.physics import *\nx = rk4\n"}).gather()
