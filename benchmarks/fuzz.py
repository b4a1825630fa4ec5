"""Random hostile input: claims of children, folders of runs, answers of models. Nothing but a
recorded failure, or one clear line, may come of it.

    python -m benchmarks.fuzz --count 10000
    python -m benchmarks.fuzz --scaling         # processor time of answers of n and 4 n characters

Cases are made by Hypothesis in blocks of 500, each from a seed of its own; seeds that fail are
added to ``benchmarks/fuzz_failures.txt``, which the tests try again.
"""

from __future__ import annotations

import argparse
import copy
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import hypothesis
import numpy as np
from hypothesis import strategies as st

from agent import report
from agent.browser.index import Index
from agent.cli import comparing, text
from agent.config import Grants, SearchConfig, granted
from agent.core.protocols import Cost, Diagnosis, Finding, Move, Proposal
from agent.core.split import Trial
from agent.evaluation import jobs
from agent.models.messages import Reply
from agent.models.recording import Recording
from agent.prompting.reply import ReplyError, read_fields, read_programs
from agent.proposers import replay
from agent.run import records, runfolder, store, story, trace
from agent.run.mending import mend
from agent.run.runfolder import RunFolder
from agent.worldmodel.world import WorldModel
from benchmarks.hostile_answers import ANSWERS
from sandbox.contract import Outcome
from sandbox.protocol import CLAIM, FrameError, decode, encode
from tools.errors import ProggenError
from tools.types import (
    Evaluation,
    FittedParam,
    HeldBack,
    Losses,
    Programs,
    States,
    Task,
    Video,
)

BLOCK = 500
"""Cases made from one seed."""
FAILURES = Path(__file__).with_name("fuzz_failures.txt")
Draw = Callable[[st.SearchStrategy], Any]

_DEEP: Any = json.loads("[" * 60 + "]" * 60)
_VALUES = st.sampled_from(
    (
        *(
            None,
            True,
            0,
            -1,
            7,
            10**17,
            10**400,
            0.5,
            -1e300,
            1e300,
            "",
            "0",
            "9",
            "../../etc",
            "a.b",
        ),
        *(
            "x" * 300,
            "\x1b[2J",
            "\u202e",
            '"""',
            "\\N{",
            "NaN",
            [],
            {},
            [1.0],
            [[]],
            {"a": 1},
            _DEEP,
        ),
    )
)
_TOKENS = st.sampled_from(
    (
        *(
            "```",
            "````",
            "~~~",
            "\n",
            " ",
            "python",
            "perception.py",
            "dynamics.py",
            "json",
            "{",
            "}",
        ),
        *("[", "]", '"', ":", ",", "\\", "rationale", "<think>", "</think>", "def ", "(", ")", "x"),
        *("import numpy\n", "1e999", "9" * 50, "\ud800", "\0", "\r\n", "-" * 40, "\N{SNOWMAN}"),
    )
)


@st.composite
def _mutated(draw: Draw, document: Any) -> Any:
    """Plain JSON with a few places replaced, removed, doubled or wrapped."""
    document = json.loads(json.dumps(document))
    for _ in range(draw(st.integers(1, 3))):
        if not isinstance(document, (dict, list)) or not document:
            break
        inner: Any = document
        while True:
            keys = list(inner) if isinstance(inner, dict) else list(range(len(inner)))
            key = draw(st.sampled_from(keys))
            below = inner[key]
            if not isinstance(below, (dict, list)) or not below or draw(st.booleans()):
                break
            inner = below
        match draw(st.sampled_from(("replace", "replace", "remove", "wrap", "double"))):
            case "replace":
                inner[key] = copy.deepcopy(draw(_VALUES))
            case "remove":
                del inner[key]
            case "wrap":
                inner[key] = draw(st.sampled_from(([below], {"0": below}, [below, below])))
            case "double" if isinstance(inner, list):
                inner.insert(key, below)
            case _:
                inner[draw(st.sampled_from(("node", "x" * 300, "v", "")))] = copy.deepcopy(
                    draw(_VALUES)
                )
    return document


# ------------------------------------------------------------------------------------------- claims


@cache
def _claims() -> tuple[dict[str, Any], Video]:
    """An honest claim of each kind of job, and the clip that they are about."""
    clip = Video(np.zeros((4, 8, 8, 3), np.uint8))
    states = States(("ball.x", "ball.y"), np.ones((4, 2)), np.ones(2)).to_json()
    looks = {"constants": {"ball": {"radius": 5.0, "colour": [1, 2, 3]}}, "sprites": {"a": [2, 2]}}
    fit = {
        "params": [asdict(FittedParam("g", 1.0, 0.0, 2.0, "px", 0.1, "", "falls"))],
        "values": {"g": 1.0},
        "status": "converged",
        "optimizer": "lm",
        "message": "done",
        "loss": 1.0,
        "rms": 1.0,
        "evaluations": 10,
        "seconds": 0.1,
        "columns": {"ball.x": 0.1},
        "posterior": {"g": [0.0, 1.0, 2.0]},
    }
    return {
        "perceive": {"states": states, "size": 10, "looks": looks, "seconds": 0.1},
        "fit": {"fit": fit, "rolled": [states], "seconds": {"fit": 0.1}},
        "predict": {"states": states},
    }, clip


@st.composite
def claims(draw: Draw) -> tuple[str, bytes]:
    """A kind of job and the bytes that its child returns."""
    honest, _ = _claims()
    kind = draw(st.sampled_from(sorted(honest)))
    if draw(st.integers(0, 9)) == 0:
        return kind, draw(st.binary(max_size=60))
    frame = encode(CLAIM, draw(_mutated(honest[kind])))
    cut = draw(st.integers(0, 3 * len(frame)))
    return kind, frame[:cut] if cut < len(frame) and draw(st.integers(0, 4)) == 0 else frame


def check_claim(case: tuple[str, bytes]) -> None:
    """A claim is read, or it is the candidate's failure."""
    (kind, data), (_, clip) = case, _claims()
    try:
        _, claim = decode(data, 1 << 20)
    except FrameError:
        return
    arrays = {"parcel": np.zeros(20, np.uint8), "frames": np.zeros((1, 8, 8, 3), np.uint8)}
    outcome, trial = Outcome(claim, arrays, None), Trial(clip.cut(0, 3), 1)
    read: dict[str, Callable[[], Any]] = {
        "perceive": lambda: jobs.read_perceived(outcome, 4),
        "fit": lambda: jobs.read_fitted(outcome, [clip]),
        "predict": lambda: jobs.read_predicted(outcome, trial),
    }
    try:
        json.dumps(_plain(read[kind]()), allow_nan=False)
    except jobs.CandidateFailed as failed:
        _check_line(failed.failure.message)


def _plain(value: Any) -> Any:
    """What of a claim goes into files: its report, values, looks and tables."""
    tables = [
        one.to_json()
        for one in (*getattr(value, "rolled", ()), value.__dict__.get("states"))
        if one is not None
    ]
    return [tables, *(getattr(value, name, None) for name in ("report", "values", "looks"))]


# --------------------------------------------------------------------------------------------- runs

_SOURCES = Programs(
    "def perceive(frames, tools):\n    return [], None\n",
    '"""Dynamics.\n\n- it falls\n"""\nG = 5.0\ndef initial(states, params, dt):\n    return {}\n'
    "def step(state, params, action, dt):\n    return state\n",
    "def render(state, scene, shape):\n    return None\n",
)


@cache
def _run() -> Path:
    """A small finished run, written as a search writes it."""
    clip = Video(np.arange(6 * 8 * 8 * 3, dtype=np.uint8).reshape(6, 8, 8, 3))
    task, held = Task((), (clip.cut(0, 4),), 4, 2), HeldBack((clip.frames[4:],))
    path = Path(tempfile.mkdtemp(prefix="fuzz-")) / "run"
    kept = store.Store(path / "store")
    saved = {"task": records.save_task(kept, task), "held_back": records.save_held_back(kept, held)}
    config = replace(SearchConfig(budget=2), proposer="llm")
    first = {"event": "run", "config": config.to_json(), **saved, "time": 1e9}
    folder = RunFolder.create(path, first)
    writer = trace.Writer(folder.trace)
    writer.write(
        {"event": "observed", "noise": 0.1, "fitted": [3], "trials": [{"seen": 3, "judged": 1}]}
    )
    for node, score in (("0", 0.4), ("1", 0.9)):
        _node(folder, writer, node, score, kept)
    story_end = {
        "status": "budget",
        "reason": "spent",
        "score": 0.9,
        "best": "1",
        "evaluations": 2,
        "metrics": {"psnr": 30.0, "mae": 0.01, "ssim": 0.9, "score": 0.8, "notes": {"lpips": "no"}},
        "seconds": 3.0,
    }
    writer.write({"event": "finished", **story_end})
    still = {"persistence": {"psnr": 20.0, "mae": 0.02, "ssim": 0.5}}
    result = story_end | {"format": 1, "baselines": still, "cost": asdict(Cost()), "seed": 0}
    runfolder.write_programs(folder.best, _SOURCES)
    runfolder.write_params(folder.best / "params.json", (FittedParam("g", 1.0, 0.0, 2.0),))
    ahead = States(("ball.x",), np.ones((2, 1)))
    runfolder.write_prediction(path / "prediction.npz", [clip.frames[4:]], (ahead,), 0.1)
    store.write_json(path / "result.json", result)
    return path


def _node(
    folder: RunFolder, writer: trace.Writer, node: str, score: float, kept: store.Store
) -> None:
    move = Move("draft") if node == "0" else Move("refine", "0", "dynamics", "it drifts")
    finding = Finding("dynamics", "drift", "it drifts", "ball.x", {"last": 2.0})
    sources = replace(_SOURCES, dynamics=f"{_SOURCES.dynamics}# {node}\n")
    proposal = Proposal(sources, "because", cost=Cost(1, 2, 3, 0.1), findings=(finding,))
    seen, judged = States(("ball.x",), np.ones((3, 1))), States(("ball.x",), np.ones((1, 1)))
    evaluation = Evaluation(
        "ok",
        score,
        Losses(0.1, 0.2, 0.3, 0.01),
        params=(FittedParam("g", 1.0, 0.0, 2.0, "px", 0.1),),
        fit={"status": "converged", "message": "done"},
        measured=(seen,),
        rolled=(seen,),
        predicted=(judged,),
        remeasured=(judged,),
        frame_errors=((0.1,),),
        complexity=500.0,
        reasons=("fine",),
        timings={"fit": 1.0, "total": 2.0},
        blobs={"prediction": kept.put(b"picture")},
    )
    diagnosis = Diagnosis("dynamics", "bad structure", (finding,))
    folder.save_proposal(node, proposal, move)
    folder.save_evaluation(node, evaluation)
    folder.save_diagnosis(node, diagnosis)
    about = {"origin": "llm", "sources": {}, "time": 1e9 + 1}
    said = records.save_proposal(proposal, move)
    writer.write({"event": "proposed", "node": node, **said, **about})
    told = {k: v for k, v in evaluation.to_json().items() if k not in ("log", "measured", "rolled")}
    writer.write({"event": "evaluated", "node": node, **told, "seconds": 2.0})
    writer.write({"event": "diagnosed", "node": node, **records.save_diagnosis(diagnosis)})
    writer.write({"event": "best", "node": node, "score": score})


_FILES = (
    ("trace.jsonl",) * 8
    + ("result.json", "best/params.json", "prediction.npz")
    + tuple(
        f"nodes/{node}/{name}.json"
        for node in "01"
        for name in ("proposal", "evaluation", "evaluation", "diagnosis")
    )
)


@st.composite
def runs(draw: Draw) -> tuple[str, bytes]:
    """A file of a run and what it is replaced by."""
    name = draw(st.sampled_from(_FILES))
    data = (_run() / name).read_bytes()
    how = draw(st.integers(0, 9))
    if how == 0:
        return name, data[: draw(st.integers(0, len(data)))]
    if how == 1 or name.endswith(".npz"):
        place = draw(st.integers(0, len(data) - 1))
        return name, data[:place] + draw(st.binary(max_size=8)) + data[place + 3 :]
    if not name.endswith(".jsonl"):
        return name, _bytes(draw(_mutated(json.loads(data))))
    lines = data.splitlines(keepends=True)
    place = draw(st.integers(0, len(lines) - 1))
    if how == 2:
        lines.insert(place, lines[draw(st.integers(0, len(lines) - 1))])
    elif how == 3:
        del lines[place]
    else:
        lines[place] = _bytes(draw(_mutated(json.loads(lines[place])))) + b"\n"
    return name, b"".join(lines)


def _bytes(document: Any) -> bytes:
    return json.dumps(document).encode()


def check_run(case: tuple[str, bytes]) -> None:
    """Every reader of a run shows what there is, or says one line; a mended run can be read."""
    name, data = case
    with tempfile.TemporaryDirectory(prefix="fuzz-") as place:
        path = Path(place) / "run"
        shutil.copytree(_run(), path)
        (path / name).write_bytes(data)
        for reader in _READERS:
            _said(partial(reader, path))
        if _said(lambda: mend(RunFolder(path))):
            folder = RunFolder(path)
            list(story.read(folder.trace))
            folder.result()
            for node in folder.node_ids():
                for load in (folder.load_proposal, folder.load_evaluation, folder.load_diagnosis):
                    load(node)


def _said(work: Callable[[], Any]) -> bool:
    """Whether ``work`` came to its end; if not, it says why in one line."""
    try:
        work()
    except ProggenError as error:
        _check_line(str(error))
        return False
    return True


def _check_line(message: str) -> None:
    assert message and "\n" not in message and len(message) < 2000, message[:200]


def _index(path: Path) -> None:
    index = Index(path / "trace.jsonl")
    index.refresh()
    list(comparing.table([index], 2e9))
    for row in index.rows.values():
        index.lineage(row.id), row.losses, row.said, row.event("evaluated")


def _resumed(path: Path) -> None:
    folder = RunFolder(path)
    said = SearchConfig.from_json(folder.settings())
    config, _ = granted(said, Grants(base_url="http://mine.example/v1"))
    assert config.sandbox in ("strict", "strict+") and config.model.base_url.startswith(
        "http://mine"
    ) == (said.proposer in ("llm", "both"))
    assert config.evaluation.limits.memory <= 2 << 30
    folder.held_back(folder.task())
    Recording(folder.store, path / "exchanges.jsonl")


def _compared(path: Path) -> None:
    sides = [comparing.side(f"{path}:{node}") for node in ("0", "1")]
    list(comparing.compared(*sides))


_READERS: Sequence[Callable[[Path], Any]] = (
    lambda path: list(text.tree(story.read(path / "trace.jsonl"))),
    lambda path: list(text.node(RunFolder(path), "1")),
    lambda path: report.page(RunFolder(path)),
    WorldModel.load,
    lambda path: replay.recorded(RunFolder(path)),
    _index,
    _compared,
    _resumed,
)


# ------------------------------------------------------------------------------------------ answers


@st.composite
def answers(draw: Draw) -> Reply:
    """What a model may answer."""
    said = "".join(draw(st.lists(_TOKENS, max_size=60)))
    if draw(st.booleans()):
        fields = {"rationale": "why", "dynamics": said, "verdicts": [{"object": "a"}]}
        said = json.dumps(draw(_mutated(fields)))
    return Reply(said) if draw(st.booleans()) else Reply("", arguments=said)


def check_answer(reply: Reply) -> None:
    """An answer is read, or it is said what is wrong with it."""
    for read in (read_programs, read_fields):
        try:
            read(reply)
        except ReplyError as error:
            _check_line(str(error))


# --------------------------------------------------------------------------------------------------

TARGETS: dict[str, tuple[st.SearchStrategy, Callable[[Any], None]]] = {
    "claims": (claims(), check_claim),
    "runs": (runs(), check_run),
    "answers": (answers(), check_answer),
}


def block(target: str, seed: int, count: int = BLOCK) -> None:
    """Try ``count`` cases made from ``seed``. Raises what a case raised, shrunk to its core."""
    strategy, check = TARGETS[target]

    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=count,
        database=None,
        deadline=None,
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(strategy)
    def every(case: Any) -> None:
        check(case)

    every()


def failures() -> list[tuple[str, int]]:
    """Targets and seeds that once failed."""
    lines = FAILURES.read_text().splitlines() if FAILURES.exists() else []
    return [(target, int(seed)) for target, seed in map(str.split, lines)]


def fuzz(count: int, first: int) -> Iterator[str]:
    """Try ``count`` cases, a line a block; seeds that fail are written down."""
    names = list(TARGETS)
    for number in range(-(-count // BLOCK)):
        yield _tried(names[number % len(names)], first + number)


def _tried(target: str, seed: int) -> str:
    try:
        block(target, seed, BLOCK)
    except Exception as error:
        if (target, seed) not in failures():
            with open(FAILURES, "a") as file:
                file.write(f"{target} {seed}\n")
        return f"{target} {seed}: FAILED: {type(error).__name__}: {error}"[:2000]
    return f"{target} {seed}: {BLOCK} cases"


# --------------------------------------------------------------------------------------------------


def scaling(length: int = 100_000) -> Iterator[str]:
    """Processor time of hostile answers of ``length`` and four times as many characters."""
    for kind, make in ANSWERS.items():
        seconds = [_seconds(Reply(make(size))) for size in (length, 4 * length)]
        ratio = seconds[1] / max(seconds[0], 1e-4)
        yield f"{kind:<28} {seconds[0]:7.4f} s {seconds[1]:7.4f} s  x{ratio:.1f}"


def _seconds(reply: Reply) -> float:
    began = time.process_time()
    check_answer(reply)
    return time.process_time() - began


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code 1 where anything failed."""
    parser = argparse.ArgumentParser("python -m benchmarks.fuzz", description=__doc__)
    parser.add_argument("--count", type=int, default=BLOCK, metavar="N", help="cases in all")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the first block")
    parser.add_argument("--scaling", action="store_true", help="time answers of n and 4 n")
    parser.add_argument("--again", action="store_true", help="the blocks that once failed, whole")
    arguments = parser.parse_args(argv)
    lines = scaling() if arguments.scaling else fuzz(arguments.count, arguments.seed)
    if arguments.again:
        lines = (_tried(target, seed) for target, seed in failures())
    failed = False
    for line in lines:
        print(line, flush=True)
        failed = failed or "FAILED" in line
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
