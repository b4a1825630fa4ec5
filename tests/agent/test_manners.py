"""How the command line speaks: to terminals that can little, to readers that leave, of words that
are not ours, while somebody waits."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import struct
import subprocess
import sys
import termios
import time
import unicodedata

import pytest

from agent.cli import live
from agent.config import EvaluationConfig, SearchConfig
from agent.core.split import validation
from agent.evaluation.evaluate import Evaluator
from agent.evaluation.runner import REFIT
from agent.models.options import ModelOptions
from agent.plain import clean, wrapped
from agent.run import trace
from tests.agent import test_search
from tests.agent.candidates import GOOD, STORY, Scripted, task
from tools.types import Programs
from tools.vision.config import VisionConfig

HOSTILE = "\x1b[2J\x1b]0;owned\x07 \u202eevil\u200b\ufeff\U000e0041 \x9b31m"


@pytest.fixture(scope="module")
def run_folder(box, tmp_path_factory):
    out = tmp_path_factory.mktemp("manners") / "run"
    test_search.searched(box, out, Scripted(*STORY))
    return out


def spoken(*arguments, to=subprocess.PIPE, **environ):
    """The finished process of one command."""
    return subprocess.run(
        [sys.executable, "-m", "agent", *map(str, arguments)],
        stdout=to,
        stderr=subprocess.PIPE,
        env=os.environ | environ,
        check=False,
    )


def on_screen(columns, *arguments, **environ):
    """What one command writes to a terminal of so many columns."""
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    process = subprocess.Popen(
        [sys.executable, "-m", "agent", *map(str, arguments)],
        stdin=follower,
        stdout=follower,
        stderr=follower,
        env={k: v for k, v in os.environ.items() if k != "COLUMNS"} | environ,
    )
    os.close(follower)
    written = b""
    while True:
        try:
            written += (part := os.read(leader, 65536))
        except OSError:  # the other side is closed
            break
        if not part:
            break
    os.close(leader)
    assert process.wait(60) == 0
    return written.decode()


# --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [50, 80])
def test_a_dumb_terminal_gets_lines_that_break_between_words(run_folder, width):
    screen = on_screen(width, "trace", run_folder, TERM="dumb")
    lines = screen.splitlines()
    assert "\x1b" not in screen and len(lines) > 5
    assert all(len(line) <= width or " " not in line.strip() for line in lines)
    words = on_screen(400, "trace", run_folder, TERM="dumb").split()
    assert screen.split() == words, "nothing is lost or cut"


def test_source_text_is_not_wrapped(run_folder):
    source = (run_folder / "nodes" / "0" / "dynamics.py").read_text()
    screen = on_screen(30, "trace", run_folder, "0", "--plain", TERM="dumb").replace("\r\n", "\n")
    assert source.strip() in screen


def test_lines_are_indented_to_where_their_text_begins():
    line = "  fitted    gravity = 9.81 px/s^2 (downwards, the same everywhere)"
    _, *others = wrapped(line, 48).splitlines()
    assert len(others) == 1 and others[0].startswith(" " * 12) and others[0][12] != " "


def test_symbols_fall_back_where_the_encoding_has_none(run_folder):
    done = spoken("trace", run_folder, "0", "--plain", PYTHONIOENCODING="ascii")
    assert done.returncode == 0 and done.stdout.isascii() and b"score" in done.stdout
    known = spoken("trace", run_folder, "0", "--plain", PYTHONIOENCODING="utf-8").stdout.decode()
    assert ("±" in known) == (b"+-" in done.stdout)


def test_a_full_or_closed_stdout_is_no_traceback(run_folder, tmp_path):
    with open("/dev/full", "wb") as full:
        done = spoken("trace", run_folder, to=full)
    assert done.returncode == 1 and done.stderr.count(b"\n") == 1
    assert done.stderr.startswith(b"run-agent: stdout: No space left on device")
    call = f"exec {sys.executable} -m agent trace {run_folder} >&-"
    closed = subprocess.run(["sh", "-c", call], capture_output=True, check=False)
    assert (closed.returncode, closed.stderr) == (0, b"")


def test_what_goes_to_a_file_is_written_before_anything_is_printed(run_folder, tmp_path):
    with open("/dev/full", "wb") as full:
        done = spoken("predict", run_folder, "--out", tmp_path / "film.npz", to=full)
    assert done.returncode == 1 and (tmp_path / "film.npz").stat().st_size > 1000


# --------------------------------------------------------------------------------------------------


def test_no_hidden_character_passes():
    visible = {  # numbers and marks of scripts, which are drawn
        *range(0x600, 0x606),
        *(0x6DD, 0x70F, 0x890, 0x891, 0x8E2, 0x110BD, 0x110CD),
        *range(0x13430, 0x13440),
    }
    for code in range(0x110000):
        character = chr(code)
        hidden = unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp")
        if hidden and code not in visible and character not in "\n\t":
            assert clean(character) == "\ufffd", hex(code)
    assert clean("a\tb\nc é 漢 ±") == "a\tb\nc é 漢 ±"


def test_programs_hold_no_hidden_characters():
    programs = Programs(f"# {HOSTILE}\r\nX = 1\f\n", "\ufeffY = 2", "Z = 3")
    assert programs.perception == f"# {clean(HOSTILE)}\nX = 1 \n" and programs.dynamics == "Y = 2"


def test_what_others_say_is_cleaned_while_a_search_runs(capsys):
    event = {
        "event": "proposed",
        "node": "0",
        "move": {"kind": "draft", "parent": None},
        "stages": ["perception", "dynamics", "rendering"],
        "rationale": HOSTILE,
    }
    with live.watching(5, quiet=False) as watch:
        watch(event)
    said = capsys.readouterr().err
    assert "node 0: draft" in said and clean(said) == said


def test_somebody_who_waits_hears_of_it(capsys):
    progress = live.Progress(4)
    progress.take({"event": "evaluating", "node": "1"})
    progress.take({"event": "evaluated", "node": "0"})
    with live.heard(progress.words, every=0.2) as tell:
        tell("begun")
        time.sleep(0.6)
    said = capsys.readouterr().err.splitlines()
    assert said[0] == "begun" and "node 1: running it in the sandbox; 1 of at most 4" in said[1]
    assert "at most about" in said[1]
    progress.take({"event": "finishing"})
    assert "the last step" in progress.words() and progress.words().endswith("usually 1 s")


def test_how_far_the_first_evaluation_is_can_be_told(box):
    """By the time that measuring took, and the limits of what is left."""
    told, (seen, _) = [], task()
    split, config = validation(seen), EvaluationConfig()
    judge = Evaluator(seen, split, box, config)
    assert judge.evaluate(GOOD, 0, told.append).status == "ok"
    assert [step.number for step in told] == [0, 1, 2, 3] and told[0].most is None
    fitting, forecasting, again = (step.most for step in told[1:])
    assert fitting == pytest.approx(forecasting + config.fit.seconds)
    refits = REFIT["seconds"] * (len(split.origins) - 1)
    assert refits and forecasting == pytest.approx(again + refits) and 0 < again < 5
    progress = live.Progress(4)
    assert "looking at the video" in progress.words() and "once a candidate" in progress.words()
    progress.take({"event": "step", "node": "0", "number": 1, "most": 63.2})
    assert progress.words().startswith("node 0: fitting (step 2 of 4); 0 of at most 4")
    assert progress.words().endswith("this one at most about 63 s more")


# --------------------------------------------------------------------------------------------------


def test_nothing_that_is_only_this_machines_is_written(tmp_path):
    vision = VisionConfig(weights="/home/me/w", paths={"xmem": "/data/x.pth"}, cache="/home/me/c")
    config = SearchConfig(
        lpips="/home/me/lpips",
        model=ModelOptions(base_url="https://me:pw@host:8000/v1", replay="/home/me/runs/one"),
        evaluation=EvaluationConfig(vision=vision),
        rules="no file is at /etc/passwd",
    )
    written = config.portable()
    assert "/home/me" not in json.dumps(written) and "pw" not in json.dumps(written)
    assert written["model"]["base_url"] == "https://host:8000/v1"
    again = SearchConfig.from_json(written)
    assert again.rules == "no file is at …/passwd" and again.budget == config.budget
    writer = trace.Writer(tmp_path / "trace.jsonl")
    writer.write({"event": "declined", "node": "0", "rationale": "no run at /home/me/runs/one"})
    (event,) = trace.read(tmp_path / "trace.jsonl")
    assert event["rationale"] == "no run at …/one"


def test_processor_time_decides_and_wall_clock_only_ends_what_hangs():
    limits = EvaluationConfig().limits
    assert limits.wall == 10 * limits.cpu
