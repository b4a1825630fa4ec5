"""What is kept of a search, and exported: fitted numbers as defaults, texts of others that end no
docstring, digits that end where the error begins."""

from __future__ import annotations

import json
import runpy
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from agent.cli.text import parameters
from agent.export.write import exported
from agent.run import runfolder
from agent.run.best import kept, with_defaults
from agent.run.runfolder import PROPOSER_NOTE, read_params, read_programs, write_params
from agent.worldmodel.world import WorldModel
from tests.agent import test_search
from tests.agent.candidates import GOOD, Scripted, changed, thrown
from tools.types import FittedParam

NOTE = '{"bodies":[]}'
NOTED = changed(dynamics=GOOD.dynamics.rstrip() + f"\n\n\n# grammar: {NOTE}\n")
HOSTILE = [
    'x""" ; raise SystemExit("INJECTED") ; """',
    "ends in a backslash \\N{",
    "ends in one \\",
    '"',
    "two\nlines, an escape \x1b[2J and \u202ebidi",
    "# ======== end of dynamics.py",
]


@pytest.fixture(scope="module")
def run_folder(box, tmp_path_factory):
    out = tmp_path_factory.mktemp("kept") / "run"
    test_search.searched(box, out, Scripted(NOTED))
    return out


def test_the_best_programs_begin_with_the_fitted_values(run_folder):
    (gravity,) = read_params(run_folder / "best" / "params.json")
    best, node = (read_programs(run_folder / one) for one in ("best", "nodes/0"))
    assert f'Param("gravity", {float(f"{gravity.value:.9g}")!r}' in best.dynamics
    assert node.dynamics == NOTED.dynamics, "nodes keep the proposal"
    assert "# grammar" not in best.dynamics
    assert json.loads((run_folder / "best" / "params.json").read_text())[PROPOSER_NOTE] == {
        "note": NOTE
    }


def test_only_plain_defaults_are_replaced():
    source = (
        'from tools.types import Param\n\nä = "é"\nPARAMS = (\n    Param("é", 1.0, low=0.0, high=9.0),'
        '\n    Param(name="b", high=9.0, value=-2.0, low=-9.0), Param("c", 3.0, 0.0, 9.0))\n'
    )
    params = [FittedParam("é", 2.5, 0, 9), FittedParam("b", -3.25, -9, 9)]
    after = with_defaults(source, params)
    assert after == source.replace('"é", 1.0', '"é", 2.5').replace("-2.0", "-3.25")
    assert kept(GOOD, [])[0] == GOOD


def test_texts_of_others_end_no_docstring(tmp_path):
    for number, text in enumerate(HOSTILE):
        folder = tmp_path / str(number)
        runfolder.write_programs(folder, GOOD)
        param = FittedParam("gravity", 61.0, 0.0, 2000.0, text, 0.2, "", text)
        write_params(folder / "params.json", (param,))
        source = exported(folder, "python", 0.04)
        assert "\x1b" not in source and "\u202e" not in source.split('"""')[1]
        (tmp_path / f"model{number}.py").write_text(source)
        table = runpy.run_path(str(tmp_path / f"model{number}.py"))["FITTED"]
        assert table["gravity"]["about"] == text
        assert runfolder.read_model(tmp_path / f"model{number}.py")[1][0].about == text


def test_digits_end_where_the_error_begins_and_what_was_not_learnt_is_assumed():
    gravity = FittedParam("gravity", 1046.1134, 0.0, 2000.0, "px/s^2", 392.0)
    assert next(parameters([gravity])).startswith("fitted    gravity = 1050 ± 390 px/s^2 in [0, ")
    held = replace(gravity, note="held by its prior")
    assert next(parameters([held])).startswith("assumed   gravity = ")


def test_an_exported_model_answers_a_strange_video_in_one_line(tmp_path, monkeypatch):
    runfolder.write_programs(tmp_path / "good", GOOD)
    write_params(tmp_path / "good" / "params.json", (FittedParam("gravity", 61.0, 0.0, 2000.0),))
    (tmp_path / "model.py").write_text(exported(tmp_path / "good", "python", 0.04))
    np.savez(tmp_path / "empty.npz", frames=np.zeros((0, 64, 64, 3), np.uint8))
    np.savez(tmp_path / "short.npz", frames=np.full((1, 64, 64, 3), 255, np.uint8))
    np.savez(tmp_path / "bare.npz", frames=np.full((5, 64, 64, 3), (20, 30, 40), np.uint8))
    (tmp_path / "bad.npz").write_bytes(b"PK no archive")
    np.savez(tmp_path / "clip.npz", frames=thrown(9).frames)
    monkeypatch.chdir(tmp_path)
    alone = runpy.run_path("model.py")
    for call, says in (
        (["empty.npz"], "T at least 1"),
        (["short.npz"], "its programs fail"),
        (["bare.npz"], "none of its parts is to be seen"),
        (["bad.npz"], "NumPy cannot read"),
        (["nowhere.npz"], "No such file"),
        (["clip.npz", "--set", "speed=3"], "expected one of gravity, ball.x"),
        (["clip.npz", "--set", "gravity"], "expected NAME=VALUE"),
        (["clip.npz", "--out", "nowhere/a.npz"], "No such file"),
    ):
        with pytest.raises(SystemExit) as ended:
            alone["main"](alone["MODEL"], alone["FITTED"], alone["SI"], call)
        assert says in str(ended.value) and "\n" not in str(ended.value)
    call = [sys.executable, "model.py", "bare.npz"]
    done = subprocess.run(call, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and done.stderr.count("\n") == 1


@pytest.mark.parametrize("edits", [["gravity=0"], ["gravity*=0.5", "ball.x+=10"], ["ball.vy*=-1"]])
def test_an_exported_model_answers_what_if_as_the_run_does(edits, box, tmp_path):
    runfolder.write_programs(tmp_path, GOOD)
    write_params(tmp_path / "params.json", (FittedParam("gravity", 61.0, 0.0, 2000.0),))
    (tmp_path / "model.py").write_text(exported(tmp_path, "python", 0.04))
    clip = thrown(14)
    alone = runpy.run_path(str(tmp_path / "model.py"))["MODEL"]
    frames, states = alone.predict(clip.frames, 6, edits=edits)
    with WorldModel.load(tmp_path) as model:
        expected = model.predict(clip, 6, edits=edits)
    assert np.abs(frames.astype(int) - expected.frames).max() <= 1
    np.testing.assert_allclose(states.values, expected.states.values, atol=1e-6)
    assert (frames != alone.predict(clip.frames, 6)[0]).any()
