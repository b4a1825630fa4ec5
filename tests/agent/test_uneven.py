"""Frames that are unevenly spaced, all the way through: evidence, fit, prediction, what-if, report,
exports."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys

import numpy as np
import pytest

from agent.cli import main
from agent.proposers.offline.evidence import gather, kinks, regress, smooth
from agent.run import records
from agent.run.runfolder import RunFolder
from agent.worldmodel.world import WorldModel
from tests.agent.candidates import thrown
from tests.agent.test_cli import called
from tests.fitting import programs
from tools.fitting import Measured, fit, rollout
from tools.types import States

CONTEXT, HORIZON, UP = 26, 8, -40.0
TIMES = np.concatenate(
    [[0.0], np.cumsum(np.random.default_rng(4).uniform(0.025, 0.06, CONTEXT + HORIZON - 1))]
)


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory):
    """A search of the offline proposer on a clip with uneven times."""
    folder = tmp_path_factory.mktemp("uneven")
    video = thrown(len(TIMES), up=UP, times=TIMES)
    np.savez(folder / "clip.npz", frames=video.frames, times=TIMES)
    arguments = ["--video", folder / "clip.npz", "--context", CONTEXT, "--budget", 1]
    assert main([*map(str, arguments), "--workers", "1", "--out", str(folder / "run")]) == 0
    return folder / "run"


def throw(times, gravity=60.0):
    """States of a thrown ball at ``times``, without noise."""
    table = np.stack([10 + 30 * times, 50 + UP * times + gravity / 2 * times**2], 1)
    return States(("ball.x", "ball.y"), table)


def test_a_search_finds_the_law_and_keeps_the_times(run_folder):
    result = json.loads((run_folder / "result.json").read_text())
    assert result["metrics"]["psnr"] > 40.0
    gravity = json.loads((run_folder / "best" / "params.json").read_text())["gravity"]
    assert gravity["value"] == pytest.approx(60.0, rel=0.01)
    folder = RunFolder(run_folder)
    task = records.load_task(folder.store, folder.first()["task"])
    assert task.test[0].times == pytest.approx(TIMES[:CONTEXT])
    assert task.future_times[0] == pytest.approx(TIMES[CONTEXT:])
    with np.load(run_folder / "prediction.npz") as made:
        assert made["times"] == pytest.approx(TIMES[CONTEXT:])
    assert "unevenly spaced" in (run_folder / "report.html").read_text()


def test_predictions_and_what_ifs_lie_at_the_clips_own_times(run_folder, capsys, tmp_path):
    code, _, _ = called(capsys, "predict", run_folder, "--out", tmp_path / "p.npz")
    assert code == 0
    with np.load(run_folder / "prediction.npz") as made, np.load(tmp_path / "p.npz") as again:
        assert np.abs(made["states"] - again["states"]).max() < 1e-3
        assert again["times"] == pytest.approx(TIMES[CONTEXT:])
    with WorldModel.load(run_folder) as model:
        still, moved = model.compare(model.seen, HORIZON, [["gravity=0"]], times=model.future_times)
        body = still.states.objects[0]
        fall = still.states.column(f"{body}.y") - moved.states.column(f"{body}.y")
        since = moved.times - TIMES[CONTEXT - 1]
        assert fall == pytest.approx(model.params["gravity"] / 2 * since**2, abs=0.02)


def test_exports_step_by_each_frames_own_time(run_folder, tmp_path, monkeypatch):
    for form in ("python", "gymnasium"):
        out = tmp_path / f"uneven_{form}.py"
        assert main(["export", str(run_folder), "--to", form, "--out", str(out)]) == 0
    with np.load(run_folder / "prediction.npz") as made:
        columns, states = made["columns"].tolist(), made["states"][0]
    asked = [sys.executable, tmp_path / "uneven_python.py", run_folder.parent / "clip.npz"]
    asked += ["--context", CONTEXT, "--horizon", HORIZON]
    said = subprocess.run(list(map(str, asked)), capture_output=True, text=True, check=True).stdout
    ends = json.loads(said)
    for column in ends:
        assert ends[column] == pytest.approx(states[-1][columns.index(column)], abs=0.05)
    monkeypatch.syspath_prepend(str(tmp_path))
    world = importlib.import_module("uneven_gymnasium")
    one, many = world.Environment(), world.VectorEnvironment(2)
    one.reset(seed=0)
    many.reset(seed=0)
    for _ in range(len(TIMES) - 1):
        row, rows = one.step(0)[0], many.step(np.zeros(2))[0]
    assert rows == pytest.approx(np.stack([row, row]))
    assert row == pytest.approx(
        [states[-1][columns.index(column)] for column in one.columns], abs=0.05
    )
    even = world.Environment(steps=())
    even.reset(seed=0)
    assert abs(even.step(0)[0] - world.Environment().reset(seed=0)[0]).max() > 0


def test_a_fit_steps_by_each_frames_own_time():
    for code in (programs.thrown(),):
        found = fit(code, [Measured(throw(TIMES), np.diff(TIMES))], rng=np.random.default_rng(0))
        assert found.values["gravity"] == pytest.approx(60.0, rel=1e-4)
        (start,) = found.starts
        rolled = rollout(code, found.values, start, len(TIMES) - 1, np.diff(TIMES))
        assert np.abs(rolled.column("ball.y") - throw(TIMES).column("ball.y")).max() < 1e-3


def test_many_at_once_and_gradients_step_alike():
    pytest.importorskip("jax")
    measured = [
        Measured(throw(TIMES), np.diff(TIMES)),
        Measured(throw(TIMES, 40.0), np.diff(TIMES)),
    ]
    rng = np.random.default_rng(0)
    together = fit(programs.thrown(), measured, rng=rng)
    assert together.batched
    graded = fit(programs.thrown(), measured, optimizer="lbfgs", rng=rng)
    assert graded.values["gravity"] == pytest.approx(together.values["gravity"], rel=1e-3)


def test_equal_steps_one_by_one_fit_as_one_number_does():
    times = np.arange(20) * 0.125  # exact in binary
    one, each = (
        fit(programs.thrown(), [Measured(throw(times), dt)], rng=np.random.default_rng(0))
        for dt in (0.125, np.full(19, 0.125))
    )
    assert one.values["gravity"] == pytest.approx(each.values["gravity"], rel=1e-6)


def test_evidence_of_an_uneven_clip_has_no_kinks_and_the_right_field():
    seen = gather(thrown(len(TIMES), up=UP, times=TIMES))
    (path,) = seen.paths.values()
    assert path.kinks == () and path.sigma < 0.05
    down = np.stack([np.zeros(len(TIMES)), np.ones(len(TIMES))], 1)
    found = regress(path.xy, path.sigma, seen.dt, [("gy", down, bool)])
    assert found.values["gy"] == pytest.approx(60.0, rel=0.01) and found.rms < 0.05
    _, speed = smooth(path.xy, seen.dt)
    assert speed[:, 1] == pytest.approx(UP + 60.0 * TIMES, abs=1.5)


def test_a_bounce_of_an_uneven_clip_is_one_kink():
    x = np.minimum(20 + 100 * TIMES, 2 * 65 - (20 + 100 * TIMES))
    xy = np.stack([x, np.full(len(TIMES), 50.0)], 1)
    (kink,) = kinks(xy, 0.02, np.diff(TIMES))
    assert abs(kink - np.searchsorted(TIMES, 0.45)) <= 1


def test_one_rate_is_said_once(capsys, tmp_path):
    np.savez(tmp_path / "clip.npz", frames=thrown(6).frames)
    for wrong in (["--dt", 0.1, "--fps", 10], ["--fps", 0], ["--dt", -1], ["--fps", "nan"]):
        code, _, complaint = called(capsys, "--video", tmp_path / "clip.npz", *wrong)
        assert code == 2 and "expected" in complaint and len(complaint.splitlines()) == 1
