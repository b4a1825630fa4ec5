"""A run on disk. Every file is whole or absent at any moment; what is on disk is never computed
again.

trace.jsonl            the story, see agent.run.trace; its first line holds the configuration
nodes/<id>/            perception.py dynamics.py rendering.py proposal.json evaluation.json
                       diagnosis.json last.json output.txt
store/                 frames, pictures, recorded replies, once each by content
checkpoint.sqlite      LangGraph's checkpoints: ids only
result.json best/ prediction.npz prediction.mp4 filmstrip.png report.html   written at the end
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from agent.core.front import Ranked, front, ranked
from agent.core.protocols import Cost, Diagnosis, Move, Proposal
from agent.run import export_format, locks, records, store, story, trace
from agent.run.store import Store
from tools import backing, claims, npz
from tools.errors import StorageError, UsageError
from tools.types import (
    MAX_COLUMNS,
    STAGES,
    ContractError,
    Evaluation,
    FittedParam,
    HeldBack,
    Programs,
    States,
    Task,
)

RESULT_FORMAT = 1
_AGAIN = "it says what the run is about: start the run again"
PROPOSER_NOTE = "#grammar"
"""Key of params.json."""


class RunFolder:
    """Paths and files of one run. ``create`` starts one, the constructor opens one."""

    def __init__(self, path: str | Path):
        self.path = Path(path)
        if not self.trace.is_file():
            raise UsageError(
                str(self.path),
                "the folder of a run (with trace.jsonl)",
                _what(self.path),
                "see `run-agent --help`",
            )
        _check_plain(self.path)
        self.store = Store(self.path / "store")

    @classmethod
    def create(cls, path: str | Path, first: trace.Event) -> RunFolder:
        """Make a new run folder whose trace starts with ``first``. Raises UsageError when there is
        something there already."""
        check_new(path)
        trace.Writer(Path(path) / "trace.jsonl").write(first)
        return cls(path)

    @property
    def trace(self) -> Path:
        return self.path / "trace.jsonl"

    @property
    def checkpoint(self) -> Path:
        return self.path / "checkpoint.sqlite"

    @property
    def best(self) -> Path:
        return self.path / "best"

    def first(self) -> dict[str, Any]:
        """The event that the trace starts with. Raises StorageError when a kill left none, or it is
        damaged."""
        event = next(story.read(self.trace), None)
        if event is None:
            raise StorageError(
                str(self.trace),
                "a first event that describes the run",
                "none",
                "start the run again",
            )
        return event

    def settings(self) -> dict[str, Any]:
        """The configuration: that of the first event, its limits as later sessions raised them."""
        settings = dict(self.first()["config"])
        for event in self.events("extended"):
            settings |= {name: event[name] for name in trace.LIMITS}
        return settings

    def task(self) -> Task:
        """What the run was about. Raises StorageError."""
        with store.reading(self.trace, _AGAIN):
            return records.load_task(self.store, self.first()["task"])

    def front(self) -> tuple[Ranked, ...]:
        """The programs found that no other beats in length and error at once (agent.core.front);
        nodes whose files are damaged are left out."""
        found = []
        for node in self.node_ids():
            try:
                evaluation, proposed = self.load_evaluation(node), self.load_proposal(node)
            except StorageError:
                continue
            if evaluation is None or evaluation.status != "ok" or proposed is None:
                continue
            programs = proposed[0].programs
            if programs is not None:
                found.append(ranked(node, programs, evaluation.params, evaluation.score))
        return front(found)

    def held_back(self, task: Task) -> HeldBack:
        """What comes after the frames of ``task``, as far as the run knew. Raises StorageError."""
        with store.reading(self.trace, _AGAIN):
            held = records.load_held_back(self.store, self.first().get("held_back") or {})
            records.check_held_back(held, task)
            return held

    def extend(self, budget: int, threshold: float) -> None:
        """Put higher limits on record. A run that had ended is an unfinished one from here on."""
        (self.path / "result.json").unlink(missing_ok=True)  # first: after a kill it is made again
        trace.Writer(self.trace).write(
            {"event": "extended", "budget": budget, "threshold": threshold, "time": time.time()}
        )

    def result(self) -> dict[str, Any] | None:
        """result.json, or None while the run is not finished. Raises StorageError when it is
        damaged or of a newer format."""
        path = self.path / "result.json"
        if not path.exists():
            return None
        data: Any = store.read_json(path)
        with store.reading(path):
            said = claims.read(_Result, data, "result")
            if said.format > RESULT_FORMAT:
                raise store.newer(path, RESULT_FORMAT, said.format)
            if said.best is not None and said.best not in self.node_ids():
                raise ContractError("best", "a node of the run", said.best)
        return {**_UNSAID, **data, "cost": asdict(said.cost)}

    def alone(self) -> AbstractContextManager[None]:
        """Hold the run, so that no other process goes on with it meanwhile. Raises RunError when
        one does. The lock ends with the process that has it."""
        return locks.alone(self.path, "run")

    # ----------------------------------------------------------------------------------------------

    def node(self, node_id: str) -> Path:
        """The folder of one node; an unknown one lists the known ones (UsageError)."""
        path = self.path / "nodes" / node_id
        if node_id not in self.node_ids():
            raise UsageError(
                "node", f"one of {', '.join(self.node_ids()) or 'none yet'}", repr(node_id)
            )
        return path

    def node_ids(self) -> list[str]:
        """Ids of all nodes that were proposed, in order."""
        found = (self.path / "nodes").glob("*/proposal.json")
        names = {path.parent.name for path in found}
        return sorted(filter(story.is_node, names), key=int)

    def save_proposal(self, node_id: str, proposal: Proposal, move: Move) -> None:
        """Write the sources, then the record that makes them valid."""
        folder = self.path / "nodes" / node_id
        assert proposal.programs is not None, "a refusal is not a node"
        write_programs(folder, proposal.programs)
        store.write_json(folder / "proposal.json", records.save_proposal(proposal, move))

    def proposal(self, node_id: str) -> tuple[Proposal, Move]:
        """What was proposed as ``node_id``. Raises StorageError when that is not there."""
        found = self.load_proposal(node_id)
        if found is None:
            path = self.path / "nodes" / node_id / "proposal.json"
            raise StorageError(str(path), "what was proposed", "no such file")
        return found

    def load_proposal(self, node_id: str) -> tuple[Proposal, Move] | None:
        """What was proposed as ``node_id``, or None. Raises StorageError when it is damaged."""
        path = self.path / "nodes" / node_id / "proposal.json"
        if not path.exists():
            return None
        data: Any = store.read_json(path)
        with store.reading(path):
            proposal, move = records.load_proposal(data, read_programs(path.parent))
            story.check_move(move, node_id, "proposal")
            return proposal, move

    def drop_nodes(self, first: int) -> None:
        """Forget the nodes from ``first`` on: they were written, and never entered the search."""
        for node_id in self.node_ids():
            if int(node_id) >= first:
                store.remove(self.path / "nodes" / node_id / "proposal.json")

    def drop_outcome(self, node_id: str) -> None:
        """Forget what became of other programs under this id."""
        for name in ("evaluation", "diagnosis", "last"):
            store.remove(self.path / "nodes" / node_id / f"{name}.json")

    def save_evaluation(self, node_id: str, evaluation: Evaluation) -> None:
        """Write what became of a node."""
        folder = self.path / "nodes" / node_id
        if evaluation.log:
            store.write_text(folder / "output.txt", evaluation.log)
        store.write_json(folder / "evaluation.json", evaluation.to_json())

    def load_evaluation(self, node_id: str) -> Evaluation | None:
        """What became of ``node_id``, or None when it was not evaluated yet. Raises StorageError
        when it is damaged."""
        path = self.path / "nodes" / node_id / "evaluation.json"
        if not path.exists():
            return None
        evaluation = store.read_json(path, Evaluation)
        with store.reading(path):
            story.check_outcome(evaluation.status, evaluation.score, evaluation.failure)
            claims.unique_names(evaluation.params, "params")
            claims.read(tuple[story.Origin, ...], evaluation.origins, "origins")
            if evaluation.last:
                claims.read(story.Last, evaluation.last, "last")
        return evaluation

    def save_last(self, node_id: str, last: Mapping[str, Any]) -> None:
        """Write how a node that led forecast the part that nobody was shown."""
        store.write_json(self.path / "nodes" / node_id / "last.json", dict(last))

    def load_last(self, node_id: str) -> dict[str, Any] | None:
        """How ``node_id`` forecast that part, or None when it was not asked yet."""
        path = self.path / "nodes" / node_id / "last.json"
        if not path.exists():
            return None
        last = store.read_json(path, dict[str, Any])
        with store.reading(path):
            if last:
                claims.read(story.Last, last, "last")
        return last

    def save_diagnosis(self, node_id: str, diagnosis: Diagnosis) -> None:
        """Write the diagnosis of a node."""
        store.write_json(
            self.path / "nodes" / node_id / "diagnosis.json", records.save_diagnosis(diagnosis)
        )

    def load_diagnosis(self, node_id: str) -> Diagnosis | None:
        """The diagnosis of ``node_id``, or None. Raises StorageError when it is damaged."""
        path = self.path / "nodes" / node_id / "diagnosis.json"
        return store.read_json(path, Diagnosis) if path.exists() else None

    def events(self, kind: str) -> Iterator[dict[str, Any]]:
        """Events of one kind in the trace, in order."""
        return (event for event in story.read(self.trace) if event["event"] == kind)


@dataclass(frozen=True)
class _Held:
    """What is kept of the sandbox (sandbox.doctor.record)."""

    mode: str = "strict"
    barriers: Mapping[str, bool | None] = field(default_factory=dict)
    layers: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class _Result:
    """What must be in result.json."""

    status: str
    reason: str
    score: float
    best: story.Node | None
    metrics: story.Metrics
    explained: bool = True
    motion: float | None = None
    evaluations: int = 0
    seconds: float = 0.0
    baselines: Mapping[str, story.Metrics] = field(default_factory=dict)
    cost: Cost = field(default_factory=Cost)
    format: int = 1
    sandbox: _Held = field(default_factory=lambda: _Held())
    versions: Mapping[str, str | None] = field(default_factory=dict)


_UNSAID: Mapping[str, Any] = {
    "evaluations": 0,
    "seconds": 0.0,
    "baselines": {},
    "cost": asdict(Cost()),
    "versions": {},
}
"""What a result of an early version leaves out."""


def _check_plain(folder: Path) -> None:
    """Raise UsageError unless everything in a run's folder is a file or a folder: whoever made it
    may have put links there, to files elsewhere that would be read or written over."""
    open_folders = [str(folder)]
    try:
        while open_folders:
            with os.scandir(open_folders.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        open_folders.append(entry.path)
                    elif not entry.is_file(follow_symlinks=False):
                        raise UsageError(
                            str(entry.path),
                            "a file or a folder in a run's folder",
                            "a link or a device",
                            "remove it, or put what it stands for in its place",
                        )
    except OSError as error:
        raise UsageError(
            str(folder), "a run's folder that can be read", str(error.strerror)
        ) from None


def check_new(path: str | Path) -> None:
    """Raise UsageError unless ``path`` is free for a run: absent, empty, or left by a run killed
    before it began."""
    path = Path(path)
    if (path / "trace.jsonl").exists():
        raise UsageError(
            str(path),
            "a new folder",
            "one that holds a run",
            f"choose another --out, or `run-agent resume {path}`",
        )
    if path.exists() and (
        not path.is_dir()
        or any(
            p
            for p in path.iterdir()
            if p.name != "store" and not p.name.startswith(store.TEMPORARY)
        )
    ):
        raise UsageError(
            str(path), "a new or empty folder for the run", _what(path), "choose another --out"
        )
    store.check_place(path)


def _what(path: Path) -> str:
    if not path.exists():
        return "nothing there"
    return (
        "a file"
        if path.is_file()
        else "a folder with other things in it"
        if any(path.iterdir())
        else "an empty folder"
    )


# --------------------------------------------------------------------------------------------------


def write_programs(folder: Path, programs: Programs) -> None:
    """perception.py, dynamics.py and rendering.py into ``folder``."""
    for stage, source in programs.items():
        store.write_text(folder / f"{stage}.py", source)


def read_programs(folder: str | Path) -> Programs:
    """The three programs in ``folder`` (of a run: its best), or in a file that ``run-agent export``
    wrote. Raises UsageError naming the file that is missing."""
    if Path(folder).is_file():
        return export_format.read(Path(folder))[0]
    folder, sources = best_of(Path(folder)), {}
    for stage in STAGES:
        path = Path(folder) / f"{stage}.py"
        try:
            sources[stage] = _text(path)
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(
                str(path),
                "a program (UTF-8 text)",
                str(getattr(error, "strerror", None) or error),
                "see CONTRIBUTING.md",
            ) from None
    return Programs(**sources)


def read_source(path: Path) -> str | None:
    """One source, None where there is none. Raises UsageError."""
    try:
        return _text(path) if path.exists() else None
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(str(path), "a program (UTF-8 text)", str(error)) from None


def _text(path: Path) -> str:
    """A source: of a plain file, at most four bytes a character that a program may have."""
    with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK), encoding="utf-8", newline=None) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(0, "no plain file")
        return file.read(claims.SOURCE + 1)  # one more is too long, which the screen says


def read_model(path: str | Path) -> tuple[Programs, tuple[FittedParam, ...]]:
    """Programs and fitted parameters: from a folder with the three programs and params.json, a run
    folder (its best), or a file that ``run-agent export`` wrote. Raises UsageError."""
    path = Path(path)
    if path.is_file():
        return export_format.read(path)
    path = best_of(path)
    programs = read_programs(path)
    if not (path / "params.json").exists():
        raise UsageError(
            str(path / "params.json"),
            "fitted parameters",
            "nothing there",
            f"make them with `run-agent fit {path} --video FILE --out {path / 'params.json'}`",
        )
    return programs, read_params(path / "params.json")


def best_of(path: Path) -> Path:
    """``path`` itself, or the folder of the best programs when it is a run."""
    return path / "best" if (path / "trace.jsonl").is_file() else path


def write_params(path: Path, params: tuple[FittedParam, ...], note: str = "") -> None:
    """params.json: {name: {value, low, high, unit, error, note, about}}. note: what a proposer
    notes for itself, under a key that no parameter can have."""
    table: dict[str, Any] = {
        param.name: {k: v for k, v in asdict(param).items() if k != "name"} for param in params
    }
    store.write_json(path, table | ({PROPOSER_NOTE: {"note": note}} if note else {}))


def read_params(path: Path) -> tuple[FittedParam, ...]:
    """Inverse of :func:`write_params`. Raises StorageError."""
    entries = store.read_json(path, dict[str, dict[str, Any]])
    with store.reading(path):
        return claims.fitted({k: v for k, v in entries.items() if k != PROPOSER_NOTE}, "content")


def read_prediction(path: Path, task: Task) -> tuple[np.ndarray, ...] | None:
    """Frames (horizon, H, W, 3) uint8 of each video of a prediction for ``task``; None where there
    is none, or it is damaged."""
    shape = (len(task.test), task.horizon, *task.shape, 3)
    try:
        with npz.opened(path, "frames", 2) as frames:
            if frames.shape != shape or frames.dtype != np.uint8 or 0 in shape:
                return None
            videos = [backing.stacked(islice(frames.rows, task.horizon)) for _ in task.test]
            return tuple(video for video in videos if video is not None)
    except npz.BROKEN:
        return None


def read_predicted_states(path: Path, task: Task) -> tuple[States, ...] | None:
    """States of each video, (horizon, columns), of the same."""
    most = len(task.test) * task.horizon * MAX_COLUMNS * 8
    try:
        columns = tuple(map(str, npz.small(path, "columns").tolist()))
        found = tuple(States(columns, rows) for rows in npz.small(path, "states", most))
    except npz.BROKEN:
        return None
    return found if len(found) == len(task.test) else None


def write_prediction(
    path: Path,
    frames: Sequence[np.ndarray],
    states: tuple[States, ...],
    dt: float,
    times: np.ndarray | None = None,
) -> None:
    """prediction.npz: ``frames`` (videos, horizon, H, W, 3) uint8, ``states`` (videos, horizon,
    columns) float64 (NaN = not visible), ``columns`` names, ``dt`` seconds; ``times`` (horizon,)
    seconds since the first frame seen, where frames of the first video are unevenly spaced. Videos
    whose states have other columns than the first get NaN."""
    columns = states[0].columns
    rows = [
        one.values if one.columns == columns else np.full((len(one), len(columns)), np.nan)
        for one in states
    ]
    with store.replacing(path) as temporary:
        npz.write(
            temporary,
            {"frames": frames, "states": rows},
            columns=np.array(columns, str),
            dt=np.float64(dt),
            **({} if times is None else {"times": times}),
        )
