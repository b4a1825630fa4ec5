"""The command line from a folder that is not the checkout: what it prints, what it writes, how it
refuses."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import pytest

from agent.cli import main
from agent.cli.parser import COMMANDS, GROUPS, build
from agent.run.runfolder import write_programs
from tests.agent import test_search
from tests.agent.candidates import BROKEN, GOOD, STORY, Scripted, thrown
from tools import media
from tools.fitting import OPTIMIZERS


@pytest.fixture(scope="module")
def run_folder(box, tmp_path_factory):
    out = tmp_path_factory.mktemp("cli") / "run"
    test_search.searched(box, out, Scripted(*STORY))
    return out


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    video = thrown(24)
    np.savez(folder / "clip.npz", frames=video.frames, dt=video.dt)
    np.savez(folder / "one.npz", frames=video.frames[:1], dt=video.dt)
    np.savez(folder / "still.npz", frames=np.repeat(video.frames[:1], 12, axis=0))
    write_programs(folder / "good", GOOD)
    write_programs(folder / "broken", BROKEN)
    (folder / "bad.mp4").write_text("no video")
    (folder / "empty").mkdir()
    return folder


def called(capsys, *arguments):
    """(exit code, stdout, stderr) of one command."""
    code = main([str(argument) for argument in arguments])
    printed = capsys.readouterr()
    return code, printed.out, printed.err


def test_help_lists_every_command_under_its_heading():
    done = subprocess.run(
        [sys.executable, "-m", "agent", "--help"], capture_output=True, text=True, check=False
    )
    listed = done.stdout[done.stdout.index("commands:") : done.stdout.index("examples:")]
    assert done.returncode == 0
    for heading, names in GROUPS.items():
        group = listed[listed.index(f"  {heading}\n") :]
        assert all(f"\n    {name}" in group for name in names)


@pytest.mark.parametrize(
    "typed, offered",
    [
        ("run-agent tra", {"trace", "tracks"}),
        ("run-agent trace --pl", {"--plain"}),
        ("run-agent --bud", {"--budget"}),
        ("run-agent bench gal", {"gallery"}),
    ],
)
def test_bash_completes_what_is_typed(capsys, tmp_path, typed, offered):
    code, script, _ = called(capsys, "completion", "bash")
    (tmp_path / "completion.sh").write_text(script)
    asked = (
        f"source {tmp_path}/completion.sh; COMP_WORDS=({typed}); COMP_CWORD=$((${{#COMP_WORDS[@]}}-1));"
        'complete -p run-agent >/dev/null; _shtab_run_agent; echo "${COMPREPLY[@]}"'
    )
    done = subprocess.run(["bash", "-c", asked], capture_output=True, text=True, check=True)
    assert code == 0 and set(done.stdout.split()) == offered


def test_importing_the_command_line_imports_nothing_heavy():
    code = (
        "import sys, agent.cli, agent.cli.parser; agent.cli.parser.build(); print([m for m in "
        "('numpy', 'scipy', 'langgraph', 'cv2', 'rich', 'av') if m in sys.modules])"
    )
    assert (
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        ).stdout.strip()
        == "[]"
    )


REFUSALS = {
    "unknown env": (["--env", "nowhere"], "one of"),
    "no input": (["--budget", "3"], "--env NAME and --video FILE, got neither"),
    "both inputs": (["--env", "cartpole", "--video", "clip.npz"], "got both"),
    "missing video": (["--video", "missing.mp4"], "existing file"),
    "broken video": (["--video", "bad.mp4"], "decode"),
    "empty folder": (["--video", "empty"], "no image"),
    "one frame": (["--video", "one.npz"], "at least 2 frames"),
    "context too long": (["--video", "clip.npz", "--context", "30"], "at least 30 frames"),
    "context of two": (["--video", "clip.npz", "--context", "2"], "at least 3 frames"),
    "nothing moves": (["--video", "still.npz"], "nothing moves"),
    "budget 0": (
        ["--video", "clip.npz", "--budget", "0"],
        "--budget: expected a whole number of at least 1",
    ),
    "workers 0": (["--video", "clip.npz", "--workers", "0"], "workers"),
    "horizon 0": (["--video", "clip.npz", "--horizon", "0"], "--horizon"),
    "negative seed": (["--video", "clip.npz", "--seed", "-1"], "seed"),
    "unknown policy": (["--video", "clip.npz", "--policy", "magic"], "tree, best-of-n, linear"),
    "unknown proposer": (["--video", "clip.npz", "--proposer", "magic"], "offline"),
    "a number in words": (
        ["--video", "clip.npz", "--budget", "three"],
        "--budget: expected a whole number of at least 1, got 'three'",
    ),
    "no time between frames": (["--video", "clip.npz", "--dt", "0"], "--dt: expected a number"),
    "time between frames of an env": (
        ["--env", "cartpole", "--dt", "1"],
        "expected --video beside it",
    ),
    "videos to learn from with an env": (
        ["--env", "cartpole", "--learn-from", "clip.npz"],
        "--learn-from: expected --video beside it",
    ),
    "unknown option": (["--video", "clip.npz", "--bugdet", "3"], "did you mean --budget?"),
    "unknown option of a command": (["trace", "good", "--plian"], "did you mean --plain?"),
    "an option cut short": (["--video", "clip.npz", "--bud", "3"], "did you mean --budget?"),
    "unknown command": (["predct", "good"], "did you mean predict?"),
    "a file as command": (["clip.npz"], "`run-agent --video clip.npz`"),
    "a word too many": (["report", "good", "bad"], "got bad"),
    "nothing to look at": (["trace"], "expected RUN, got none"),
    "unknown tracker": (
        ["--video", "clip.npz", "--tracker", "sam3"],
        "--tracker: expected auto or",
    ),
    "a tracker without weights": (
        ["--video", "clip.npz", "--tracker", "sam2.1-hiera-tiny"],
        "run-agent weights get sam2.1-hiera-tiny",
    ),
    "unknown device": (["--video", "clip.npz", "--device", "tpu"], "--device: expected one of"),
    "weights that are not there": (
        ["--video", "clip.npz", "--lpips", "nowhere"],
        "--lpips: expected a folder with alexnet.pth",
    ),
    "a model for the offline proposer": (
        ["--video", "clip.npz", "--model", "any"],
        "--model: expected a language model",
    ),
    "a run to replay for the offline proposer": (
        ["--video", "clip.npz", "--from", "good"],
        "--from: expected --proposer replay",
    ),
    "a place under a file": (
        ["evaluate", "good", "--video", "clip.npz", "--out", "clip.npz/x/score.json"],
        "got one under the file",
    ),
    "a folder for a file": (
        ["fit", "good", "--video", "clip.npz", "--out", "good"],
        "expected the name of a file, got a folder",
    ),
    "a film of no kind": (
        ["predict", "good", "--out", "film.doc"],
        "--out: expected a name ending",
    ),
    "context without a video": (
        ["predict", "good", "--context", "3"],
        "expected --video beside it",
    ),
    "unknown suite": (["bench", "cartploe"], "did you mean cartpole?"),
    "unknown option of a suite": (["bench", "cartpole", "--cuont", "2"], "did you mean --count?"),
    "no videos in a suite": (["bench", "cartpole", "--count", "0"], "--count: expected a whole"),
    "unknown weights": (["weights", "gett"], "did you mean get?"),
    "option of an env": (["--video", "clip.npz", "--level", "in"], "--level"),
    "unknown sandbox": (["--video", "clip.npz", "--unsafe-sandbox", "none"], "landlock-only"),
    "resume of nothing": (["resume", "empty"], "trace.jsonl"),
    "trace of nothing": (["trace", "missing"], "nothing there"),
    "programs that are not there": (["evaluate", "empty", "--video", "clip.npz"], "perception.py"),
    "predict of nothing": (["predict", "empty"], "trace.jsonl"),
    "unknown optimizer": (
        ["fit", "good", "--video", "clip.npz", "--optimizer", "magic"],
        "one of auto, least_squares",
    ),
    "no time to fit": (
        ["fit", "good", "--video", "clip.npz", "--seconds", "0"],
        "--seconds: expected a number above 0",
    ),
    "a plot that is none": (
        ["fit", "good", "--video", "clip.npz", "--plot", "residuals.txt"],
        "ends in .png",
    ),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_a_wrong_call_is_one_line_and_code_2(name, files, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(files)
    arguments, words = REFUSALS[name]
    out = ["--out", str(tmp_path / "out")] if arguments[0].startswith("--") else []
    code, printed, error = called(capsys, *arguments, *out)
    assert code == 2 and printed == "" and words in error
    assert error.startswith("run-agent: ") and error.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_run_in_place_of_a_command_is_answered_with_how_to_look_at_it(run_folder, capsys):
    code, out, said = called(capsys, run_folder)
    assert (code, out) == (2, "") and f"`run-agent trace {run_folder}`" in said


def test_a_hint_that_nobody_reads_is_said_to_be_unused(files, capsys, tmp_path):
    call = ["--video", files / "still.npz", "--hint", "a ball", "--out", tmp_path / "run"]
    code, _, said = called(capsys, *call, "--proposer", "random")
    assert code == 2 and said.startswith("run-agent: --hint: not used, the proposer random")


def test_a_folder_that_holds_a_run_is_left_alone(run_folder, files, capsys):
    before = sorted(path.name for path in run_folder.rglob("*"))
    code, _, error = called(capsys, "--video", files / "clip.npz", "--out", run_folder)
    assert (
        code == 2
        and "resume" in error
        and sorted(path.name for path in run_folder.rglob("*")) == before
    )


def test_evaluate_scores_three_programs(files, capsys, tmp_path):
    code, printed, _ = called(
        capsys,
        "evaluate",
        files / "good",
        "--video",
        files / "clip.npz",
        "--context",
        14,
        "--out",
        tmp_path / "e.json",
    )
    assert (
        code == 0
        and "score 1.0000" in printed
        and "gravity = " in printed
        and "dynamics loss" in printed
    )
    assert json.loads((tmp_path / "e.json").read_text())["status"] == "ok"


def test_evaluate_says_what_broke(files, capsys):
    code, printed, _ = called(capsys, "evaluate", files / "broken", "--video", files / "clip.npz")
    assert (
        code == 1
        and "failed in rendering: AttributeError" in printed
        and "return scene.nothing" in printed
    )


def test_fit_gives_the_numbers(files, capsys, tmp_path):
    out, plot = tmp_path / "params.json", tmp_path / "new" / "residuals.png"
    code, printed, _ = called(
        capsys,
        "fit",
        files / "good",
        "--video",
        files / "clip.npz",
        "--context",
        16,
        "--out",
        out,
        "--plot",
        plot,
    )
    assert code == 0 and "converged" in printed and "psnr" in printed
    row = next(line for line in printed.splitlines() if line.startswith("gravity")).split()
    assert (
        float(row[1]) == pytest.approx(60.0, abs=1.0)
        and 0.0 < float(row[2]) < 1.0
        and row[-1] == "yes"
    )
    assert (
        next(line for line in printed.splitlines() if line.startswith("ball.y  ±"))
        .split()[-1]
        .strip("▁▂▃▄▅▆▇█")
        == ""
    )
    assert media.read_image(plot).shape == (150, 600, 3)
    assert json.loads((tmp_path / "params.json").read_text())["gravity"]["value"] == pytest.approx(
        60.0, abs=1.0
    )


def test_a_fit_may_take_as_long_as_one_likes(files, capsys):
    code, printed, _ = called(
        capsys,
        "fit",
        files / "good",
        "--video",
        files / "clip.npz",
        "--context",
        16,
        "--evaluations",
        3,
        "--seconds",
        100,
    )
    assert code == 0 and "budget spent" in printed and "--evaluations N" in printed


def test_fit_by_the_optimizer_that_was_asked_for(files, capsys):
    code, printed, _ = called(
        capsys,
        "fit",
        files / "good",
        "--video",
        files / "clip.npz",
        "--context",
        16,
        "--optimizer",
        "powell",
    )
    assert code == 0 and " by powell; " in printed
    code, _, error = called(
        capsys, "fit", files / "good", "--video", files / "clip.npz", "--optimizer", "lbfgs"
    )
    assert (
        (code, "DIFFERENTIABLE = True" in error) == (1, True)
        if find_spec("jax")
        else (code, ".[jax]" in error) == (2, True)
    )


@pytest.mark.slow
@pytest.mark.parametrize(("name", "library"), [("lbfgs", "jax"), ("mcmc", "emcee")])
def test_optimizers_with_libraries_of_their_own_run_in_the_sandbox(
    name, library, files, capsys, tmp_path
):
    pytest.importorskip(library)
    write_programs(
        tmp_path / "smooth",
        replace(GOOD, dynamics=GOOD.dynamics.replace("LATENTS", "DIFFERENTIABLE = True\nLATENTS")),
    )
    code, printed, _ = called(
        capsys,
        "fit",
        tmp_path / "smooth",
        "--video",
        files / "clip.npz",
        "--context",
        16,
        "--optimizer",
        name,
    )
    assert code == 0 and "converged" in printed and f" by {name}; " in printed
    assert ("posterior of gravity: 60." in printed) == (name == "mcmc")


def test_the_help_of_fit_names_every_optimizer(capsys):
    with pytest.raises(SystemExit):
        build().parse_args(["fit", "--help"])
    words = capsys.readouterr().out.replace(",", " ").split()
    assert set(OPTIMIZERS) <= set(words)


def test_trace_shows_tree_node_and_difference(run_folder, capsys):
    code, tree, _ = called(capsys, "trace", run_folder)
    lines = tree.splitlines()
    assert code == 0 and any(line.startswith("0 draft [all] failed in rendering") for line in lines)
    assert any(line.lstrip().startswith("3 refine") and line.endswith("<- best") for line in lines)
    assert any(line.startswith("  1 repair") for line in lines), (
        "children are indented below their parent"
    )
    _, node, _ = called(capsys, "trace", run_folder, "3")
    assert (
        "score 1.0000" in node
        and "--- dynamics.py" in node
        and "gravity = " in node
        and "rationale: line 4" in node
    )
    _, changes, _ = called(capsys, "trace", run_folder, "3", "--diff", "1")
    assert (
        '-    ball, g = state["ball"], 0.0 * params["gravity"]' in changes
        and "perception" not in changes
    )
    assert called(capsys, "trace", run_folder, "3", "--diff")[1] == changes
    assert called(capsys, "trace", run_folder, "0", "--diff")[0] == 2
    assert "one of 0, 1, 2, 3" in called(capsys, "trace", run_folder, "9")[2]


def test_predict_what_if(run_folder, capsys, tmp_path):
    code, printed, _ = called(
        capsys,
        "predict",
        run_folder,
        "--set",
        "gravity=0",
        "--set",
        "ball.x+=10",
        "--out",
        tmp_path / "w.npz",
    )
    assert code == 0 and "edited: gravity=0" in printed and "->" in printed
    with np.load(tmp_path / "w.npz") as edited, np.load(run_folder / "prediction.npz") as plain:
        columns = edited["columns"].tolist()
        x, y, vy = (columns.index(f"ball.{name}") for name in ("x", "y", "vy"))
        np.testing.assert_allclose(
            edited["states"][0, :, x], plain["states"][0, :, x] + 10.0, atol=0.02
        )
        assert (
            np.ptp(edited["states"][0, :, vy]) == 0.0
            and np.ptp(np.diff(edited["states"][0, :, y])) < 1e-9
        )
        assert edited["frames"].shape == plain["frames"].shape
    assert (
        "parameters: gravity; constants: RADIUS"
        in called(capsys, "predict", run_folder, "--set", "mass*=2")[2]
    )
    assert called(capsys, "predict", run_folder, "--set", "gravity")[0] == 2
    called(capsys, "predict", run_folder, "--set", "gravity*=-1", "--out", tmp_path / "w.mp4")
    assert media.read(tmp_path / "w.mp4").frames.shape == (10, 64, 132, 3)
    called(capsys, "predict", run_folder, "--out", tmp_path / "w.png")
    assert media.read_image(tmp_path / "w.png").shape[0] < 100


def test_predict_another_video_and_from_an_earlier_frame(run_folder, files, capsys, tmp_path):
    np.savez(tmp_path / "other.npz", frames=thrown(12, x=20.0, v=10.0).frames, dt=1 / 25)
    code, printed, _ = called(
        capsys,
        "predict",
        run_folder,
        "--video",
        tmp_path / "other.npz",
        "--horizon",
        6,
        "--out",
        tmp_path / "o.npz",
    )
    assert code == 0 and "frame 17" in printed
    with np.load(tmp_path / "o.npz") as other:
        truth = thrown(18, x=20.0, v=10.0).frames[12:]
        assert np.abs(other["frames"][0].astype(int) - truth).mean() < 0.5
    code, printed, _ = called(
        capsys, "predict", run_folder, "--set", "gravity=0", "--since", 0, "--horizon", 20
    )
    assert code == 0 and called(capsys, "predict", run_folder, "--since", 99)[0] == 2
    np.savez(tmp_path / "small.npz", frames=thrown(12, size=32).frames)
    assert "64 x 64" in called(capsys, "predict", run_folder, "--video", tmp_path / "small.npz")[2]


def test_a_reader_that_leaves_early_is_no_error(run_folder):
    command = f"{sys.executable} -m agent trace {run_folder} 3 | head -n 1"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
    assert (
        done.returncode == 0 and done.stdout.startswith("node 3") and "Traceback" not in done.stderr
    )


def test_every_command_has_a_help_text():
    actions = next(
        action for action in build()._actions if hasattr(action, "choices") and action.choices
    )
    assert set(actions.choices) == set(COMMANDS)
    assert all(choice.help for choice in actions._choices_actions)
