"""Run folders that somebody else made, or that something damaged: no setting of theirs is followed
where only the caller may decide, nothing leads out of them, and whatever is wrong with them is one
line or mended."""

from __future__ import annotations

import json
import os
import shutil
import threading
from dataclasses import replace

import pytest

from agent.cli import main
from agent.config import EvaluationConfig, Grants, SearchConfig, granted
from agent.models.options import ModelOptions
from agent.run.mending import mend
from agent.run.runfolder import RunFolder
from agent.search import steps as search
from agent.worldmodel.world import WorldModel
from sandbox.contract import Limits
from tests.agent.candidates import GOOD, WRONG, Scripted
from tests.agent.test_search import result, searched, summary
from tools.errors import ProggenError, RunError, StorageError, UsageError
from tools.vision.config import VisionConfig

CONFIG = SearchConfig(budget=2, policy="best-of-n", threshold=1.5)
SCRIPT = (WRONG, GOOD)


@pytest.fixture(scope="module")
def whole(box, tmp_path_factory):
    out = tmp_path_factory.mktemp("whole") / "run"
    searched(box, out, Scripted(*SCRIPT), CONFIG)
    return out


@pytest.fixture
def run(whole, tmp_path):
    """A copy to be spoilt."""
    return shutil.copytree(whole, tmp_path / "run")


def settings(run, **changes):
    """Write other settings into the first line of a trace, {"model.base_url": ...} for inner ones."""
    path = run / "trace.jsonl"
    first, *rest = path.read_text().splitlines(keepends=True)
    event = json.loads(first)
    for name, value in changes.items():
        *above, last = name.split(".")
        inner = event["config"]
        for key in above:
            inner = inner[key]
        inner[last] = value
    path.write_text(json.dumps(event) + "\n" + "".join(rest))


def unfinished(run):
    (run / "result.json").unlink()
    return run


def said(capsys, arguments):
    """The exit code and what was said on stderr."""
    capsys.readouterr()
    code = main([str(argument) for argument in arguments])
    lines = capsys.readouterr().err.strip().splitlines()
    return code, "\n".join(line for line in lines if not line.startswith("... "))  # it takes long


# --------------------------------------------------------------------------------------------------


HOSTILE = SearchConfig(
    sandbox="none",
    workers=500,
    batch=10**6,
    lpips="/etc",
    model=ModelOptions(
        "m", "", None, None, (0.0, 0.0), timeout=1e9, attempts=10**6, max_output=10**9
    ),
    evaluation=EvaluationConfig(
        limits=Limits(1e9, 1e9, 1 << 50, 1 << 40, 1 << 40),
        cache=1 << 60,
        redraw=10**9,
        vision=VisionConfig(weights="/w", paths={"xmem": "/x"}, xmem_root="/code", cache="/home"),
    ),
)


def test_what_only_the_caller_may_decide_is_not_taken_from_a_folder():
    given, told = granted(replace(HOSTILE, proposer="llm"), Grants())
    usual = EvaluationConfig()
    assert given.sandbox == "strict" and given.workers <= 4 and given.batch <= 64
    assert (given.lpips, given.model.price) == ("", None)
    assert given.model.attempts == 5 and given.model.timeout == 300.0
    assert given.evaluation.limits == usual.limits and given.evaluation.vision == VisionConfig()
    assert given.evaluation.redraw == usual.redraw and given.evaluation.cache == usual.cache
    words = "\n".join(told)
    for name in ("sandbox", "lpips", "model.attempts", "limits.memory", "vision.xmem_root"):
        assert name in words
    assert granted(replace(HOSTILE, sandbox="rlimits-only"), Grants())[0].sandbox == "strict"
    allowed = granted(HOSTILE, Grants(sandbox="landlock-only", lpips="/mine"))[0]
    assert (allowed.sandbox, allowed.lpips) == ("landlock-only", "/mine")


def test_the_key_goes_only_where_the_caller_says():
    model = ModelOptions("gpt-4o", "http://thief.example/v1", max_cost=5.0, price=(0.0, 0.0))
    for proposer in ("llm", "both"):
        asking = SearchConfig(proposer=proposer, model=model)
        with pytest.raises(UsageError, match="--base-url"):
            granted(asking, Grants())
        given, told = granted(asking, Grants(base_url="http://mine.example/v1"))
        assert given.model.base_url == "http://mine.example/v1"
        assert given.model.price == (2.5, 10.0) and given.model.max_cost == 5.0
        assert any("thief.example" in line and "mine.example" in line for line in told)
        assert granted(asking, Grants(base_url="", max_cost=1.0))[0].model.max_cost == 1.0
    with pytest.raises(UsageError, match="--from"):
        granted(SearchConfig(proposer="replay", model=replace(model, replay="/")), Grants())


def test_a_resume_says_what_it_does_not_follow_and_keeps_the_sandbox(run, tmp_path):
    unfinished(run)
    shutil.rmtree(run / "nodes" / "1")
    settings(run, sandbox="none", lpips="/etc", **{"evaluation.limits.memory": 1 << 50})
    told = []
    search.resume(run, proposer=Scripted(*SCRIPT), tell=told.append)
    assert result(run)["sandbox"]["mode"] in ("strict", "strict+")
    assert any("sandbox: the run says 'none'" in line for line in told)
    assert any("limits.memory" in line for line in told)


def test_the_command_refuses_a_run_that_names_its_own_endpoint(run, capsys, monkeypatch):
    for name in ("PROGGEN_BASE_URL", "OPENAI_BASE_URL", "OPENAI_API_BASE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PROGGEN_API_KEY", "sk-not-for-others")
    settings(unfinished(run), proposer="llm", **{"model.base_url": "http://127.0.0.1:9/v1"})
    settings(run, **{"model.name": "gpt-4o"})
    code, words = said(capsys, ["resume", run, "--quiet"])
    assert code == 2 and "--base-url" in words and "sk-" not in words and "\n" not in words


@pytest.mark.parametrize(
    "place", ["best", "nodes", "store", "nodes/1/evaluation.json", "report.html", "trace.jsonl"]
)
def test_no_link_leads_out_of_a_run(run, tmp_path, capsys, place):
    outside = tmp_path / "outside"
    os.rename(run / place, outside)
    (run / place).symlink_to(outside)
    before = sorted((path, path.stat().st_mtime_ns) for path in tmp_path.rglob("*"))
    for command in ("trace", "report", "resume", "predict"):
        code, words = said(capsys, [command, run])
        assert code == 2 and "a link" in words and "\n" not in words
    with pytest.raises(UsageError, match="a link"):
        WorldModel.load(run)
    assert sorted((path, path.stat().st_mtime_ns) for path in tmp_path.rglob("*")) == before


def test_a_pipe_in_a_run_is_not_waited_for(run, capsys):
    (run / "best" / "params.json").unlink()
    os.mkfifo(run / "best" / "params.json")
    assert said(capsys, ["predict", run])[0] == 2


@pytest.mark.parametrize("place", ["result.json", "nodes/1/evaluation.json", "trace.jsonl"])
def test_a_folder_in_place_of_a_file_is_one_line(run, capsys, place):
    (run / place).unlink()
    (run / place / "below").mkdir(parents=True)
    code, words = said(capsys, ["resume", run, "--quiet"])
    assert code in (1, 2) and words.startswith("run-agent:") and "\n" not in words


@pytest.mark.parametrize("key", ["../../x", "/etc/passwd", "8cc75ed03c5b6da4992b5258a8693cf", ""])
def test_a_blob_is_named_by_its_hash_alone(whole, key):
    with pytest.raises(StorageError, match="hash"):
        RunFolder(whole).store.get(key)


def test_only_one_process_goes_on_with_a_run(run, box):
    folder = RunFolder(unfinished(run))
    with folder.alone(), pytest.raises(RunError, match="another process"):
        search.resume(run, proposer=Scripted())
    entered, refused = threading.Barrier(2), []

    def resume():
        entered.wait()
        try:
            search.resume(run, proposer=Scripted())
        except RunError as error:
            refused.append(error)

    threads = [threading.Thread(target=resume) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(refused) < 2 and result(run)["score"] > 0.9


# --------------------------------------------------------------------------------------------------


def _half(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _without(name):
    def damage(path):
        data = json.loads(path.read_text())
        del data[name]
        path.write_text(json.dumps(data))

    return damage


def _with(**values):
    def damage(path):
        path.write_text(json.dumps(json.loads(path.read_text()) | values))

    return damage


def _line(kind, change):
    """Change the first event of a kind: a function of the object that gives another, or bytes."""

    def damage(path):
        lines = path.read_bytes().splitlines(keepends=True)
        place = next(n for n, line in enumerate(lines) if json.loads(line)["event"] == kind)
        new = change(json.loads(lines[place]))
        lines[place] = new if isinstance(new, bytes) else json.dumps(new).encode() + b"\n"
        path.write_bytes(b"".join(lines))

    return damage


_NESTED = b"[" * 20_000 + b"\n"
MENDED = {
    "a line that is cut off": (
        "trace.jsonl",
        _line("evaluated", lambda e: json.dumps(e)[:40].encode() + b"\n"),
    ),
    "a line of brackets": ("trace.jsonl", _line("diagnosed", lambda e: _NESTED)),
    "a line that is no object": ("trace.jsonl", _line("best", lambda e: b"7\n")),
    "an event without fields": (
        "trace.jsonl",
        _line("evaluated", lambda e: {"v": 1, "event": "evaluated"}),
    ),
    "a proposal without its move": (
        "trace.jsonl",
        _line("proposed", lambda e: {k: e[k] for k in e if k != "move"}),
    ),
    "a parent that is younger": (
        "trace.jsonl",
        _line("proposed", lambda e: e | {"move": e["move"] | {"parent": "7"}}),
    ),
    "a score of 400 digits": ("trace.jsonl", _line("evaluated", lambda e: e | {"score": 10**400})),
    "an event of no kind": ("trace.jsonl", _line("finished", lambda e: {"v": 1})),
    "half a result": ("result.json", _half),
    "an empty result": ("result.json", lambda path: path.write_bytes(b"")),
    "a result that is a list": ("result.json", lambda path: path.write_text("[]")),
    "a result without a score": ("result.json", _without("score")),
    "a result with a best that is not there": ("result.json", _with(best="9")),
    "half an evaluation": ("nodes/1/evaluation.json", _half),
    "an evaluation nested deeply": (
        "nodes/1/evaluation.json",
        lambda path: path.write_bytes(_NESTED),
    ),
    "an evaluation without losses": ("nodes/1/evaluation.json", _without("losses")),
    "an evaluation of another clip": ("nodes/1/evaluation.json", _with(rolled=[])),
    "half a proposal": ("nodes/1/proposal.json", _half),
    "a proposal by a stranger": (
        "nodes/1/proposal.json",
        _with(move={"kind": "draft", "parent": "../x"}),
    ),
    "half a diagnosis": ("nodes/0/diagnosis.json", _half),
    "a source that is no text": (
        "nodes/1/dynamics.py",
        lambda path: path.write_bytes(b"\xff\xfe\x00"),
    ),
    "half the parameters": ("best/params.json", _half),
    "parameters that are a list": ("best/params.json", lambda path: path.write_text("[1]")),
    "half a prediction": ("prediction.npz", _half),
}


@pytest.mark.parametrize("kind", MENDED)
def test_damage_is_one_line_to_readers_and_mended_for_a_resume(whole, run, capsys, kind):
    place, damage = MENDED[kind]
    damage(run / place)
    commands = [
        ["trace", run],
        ["trace", run, "1"],
        ["trace", run, "1", "--diff", "0"],
        ["trace", "list", run.parent],
        ["report", run],
    ]
    for command in commands:
        code, words = said(capsys, command)
        assert code in (0, 1, 2) and len(words.splitlines()) <= 1, (command, words)
    folder = RunFolder(run)
    again = mend(folder)
    assert mend(folder) == [] or not again
    for load in (folder.load_proposal, folder.load_evaluation, folder.load_diagnosis):
        for node in folder.node_ids():
            load(node)


@pytest.mark.parametrize(
    "kind", ["half a result", "an evaluation of another clip", "half a proposal"]
)
def test_what_is_lost_is_made_again_by_a_resume(whole, run, kind):
    place, damage = MENDED[kind]
    damage(run / place)
    (run / "result.json").unlink(missing_ok=kind != "half a result")
    search.resume(run, proposer=Scripted(*SCRIPT))
    assert result(run) == result(whole)
    assert sorted(map(str, summary(run))) == sorted(map(str, summary(whole)))


LOST = {
    "half a first line": (
        "trace.jsonl",
        _line("run", lambda e: json.dumps(e)[:400].encode() + b"\n"),
    ),
    "a first line without a task": (
        "trace.jsonl",
        _line("run", lambda e: {k: e[k] for k in e if k != "task"}),
    ),
    "a newer trace": ("trace.jsonl", _line("run", lambda e: e | {"v": 99})),
    "a newer line": ("trace.jsonl", _line("best", lambda e: e | {"v": 2})),
    "a newer result": ("result.json", _with(format=99)),
    "a blob that is not there": (
        "trace.jsonl",
        _line(
            "run",
            lambda e: json.loads(
                json.dumps(e).replace(e["task"]["test"][0]["frames"]["blob"], "0" * 32)
            ),
        ),
    ),
    "frames of objects": (
        "trace.jsonl",
        _line("run", lambda e: json.loads(json.dumps(e).replace('"|u1"', '"|O"'))),
    ),
    "frames of another shape": (
        "trace.jsonl",
        _line("run", lambda e: json.loads(json.dumps(e).replace("[14, 64", "[14000000, 64000000"))),
    ),
    "a horizon without end": (
        "trace.jsonl",
        _line("run", lambda e: e | {"task": e["task"] | {"horizon": 10**12}}),
    ),
    "a seed that is a text": (
        "trace.jsonl",
        _line("run", lambda e: e | {"config": e["config"] | {"seed": "0"}}),
    ),
    "a budget below 1": (
        "trace.jsonl",
        _line("run", lambda e: e | {"config": e["config"] | {"budget": -5}}),
    ),
    "an empty trace": ("trace.jsonl", lambda path: path.write_bytes(b"")),
}


@pytest.mark.parametrize("kind", LOST)
def test_what_cannot_be_mended_is_one_line(run, capsys, kind):
    place, damage = LOST[kind]
    damage(run / place)
    code, words = said(capsys, ["resume", run, "--quiet", "--budget", "3"])
    assert code in (1, 2) and words.startswith("run-agent:") and "\n" not in words
    commands = [["trace", run], ["report", run]]
    if place == "trace.jsonl" and kind != "a newer line":
        commands += [["predict", run], ["export", run, "--to", "python", "--out", run / "m.py"]]
    for command in commands:
        code, words = said(capsys, command)
        assert code in (0, 1, 2) and len(words.splitlines()) <= 1


FILES = {
    "no marks": lambda text: "print('hello')\n",
    "half": lambda text: text[: len(text) // 2],
    "parameters that are a call": lambda text: text.replace("FITTED = {", "FITTED = dict(", 1),
    "a parameter without bounds": lambda text: text.replace("'low':", "'lower':"),
    "a name that is none": lambda text: text.replace("'gravity'", "'../x'", 1),
    "deep numbers": lambda text: text.replace("FITTED = {", "FITTED = " + "-" * 3000 + "{", 1),
    "brackets": lambda text: text + "X = " + "[" * 5000 + "\n",
    "no text": lambda text: b"\xff\xfe\x00",
}


@pytest.mark.parametrize("kind", FILES)
def test_an_exported_file_is_read_and_never_run(whole, tmp_path, kind, capsys):
    path = tmp_path / "model.py"
    if not (whole.parent / "model.py").exists():
        assert (
            main(["export", str(whole), "--to", "python", "--out", str(whole.parent / "model.py")])
            == 0
        )
    spoilt = FILES[kind]((whole.parent / "model.py").read_text())
    trap = f"open({str(tmp_path / 'run')!r}, 'w')\n"
    path.write_bytes(spoilt if isinstance(spoilt, bytes) else (trap + spoilt).encode())
    for command in (["predict", path, "--list"], ["evaluate", path, "--env", "cartpole"]):
        code, words = said(capsys, command) if kind != "brackets" else (2, "x")
        assert code == 2 and "\n" not in words
    with pytest.raises(ProggenError):
        WorldModel.load(path)
    assert not (tmp_path / "run").exists()
