"""What each event of a trace must say, and which lines of a trace can be used: whole ones, about
nodes that were proposed before. Whoever reads a trace to show it, or to go on with it, reads it
here; damaged lines are left out and counted."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Annotated, Any

from agent.core.protocols import MOVES, Cost, Finding, Move
from agent.run import trace
from tools import claims
from tools.errors import StorageError
from tools.types import STAGES, ContractError, Failure, FittedParam, Losses

_NODE = re.compile(r"(?:0|[1-9][0-9]{0,6})\Z")


def is_node(name: str) -> bool:
    """Whether ``name`` can be the id of a node: a number in decimal digits."""
    return _NODE.match(name) is not None


def check_node(name: str, what: str) -> str:
    """``name``, if it can be the id of a node."""
    if not is_node(name):
        raise ContractError(what, "the number of a node", repr(name[:40]))
    return name


def check_move(move: Move, node: str, what: str) -> None:
    """Raise ContractError unless ``move`` can have led to ``node``: a known kind and stage, and a
    parent that is older."""
    if move.kind not in MOVES or move.stage not in (None, *STAGES):
        raise ContractError(what, f"a move of {', '.join(MOVES)}", repr(move.kind[:40]))
    if move.parent is not None and not int(check_node(move.parent, what)) < int(node):
        raise ContractError(what, f"a parent older than node {node}", move.parent)


def check_time(value: float, what: str) -> float:
    """``value``, if it can be seconds since 1970, or for something."""
    if not 0.0 <= value <= 4e9:
        raise ContractError(what, "seconds from 0 up", f"{value:g}")
    return value


def check_ticket(value: int | None, what: str) -> int | None:
    """``value``, if it can be the number of a question."""
    if value is not None and not 0 <= value <= 10**6:
        raise ContractError(what, "the number of a question", str(value))
    return value


Node = Annotated[str, check_node]
Ticket = Annotated[int | None, check_ticket]
Seconds = Annotated[float, check_time]
Words = tuple[str, ...]
Metrics = Mapping[str, float | Mapping[str, str] | None]
"""Figures by name, and under ``notes`` why there is none."""


@dataclass(frozen=True)
class _Model:
    name: str = ""
    base_url: str = ""


@dataclass(frozen=True)
class _Config:
    """What readers show of a configuration."""

    budget: int
    threshold: float
    seed: int
    policy: str
    proposer: str
    tolerance: float = 0.0
    batch: int = 1
    workers: int = 1
    hint: str = ""
    rules: str = ""
    lpips: str = ""
    sandbox: str = "strict"
    model: _Model = field(default_factory=lambda: _Model())
    evaluation: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class _Task:
    train: tuple[Mapping[str, Any], ...]
    test: tuple[Mapping[str, Any], ...]
    context: int
    horizon: int
    name: str = ""


@dataclass(frozen=True)
class _Run:
    config: _Config
    task: _Task
    versions: Mapping[str, str | None] = field(default_factory=dict)
    time: Seconds = 0.0


@dataclass(frozen=True)
class _Trial:
    seen: int
    judged: int


@dataclass(frozen=True)
class _Observed:
    noise: float
    fitted: tuple[int, ...]
    trials: tuple[_Trial, ...]
    beat: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Memory:
    name: str
    words: str
    score: float
    distance: float
    perception: str
    dynamics: str


@dataclass(frozen=True)
class _Remembered:
    entries: tuple[_Memory, ...]


@dataclass(frozen=True)
class _Asked:
    ticket: Annotated[int, check_ticket]
    move: Move
    time: Seconds = 0.0

    def __post_init__(self) -> None:
        check_move(self.move, "9999999", "asked")


@dataclass(frozen=True)
class _Proposed:
    node: Node
    move: Move
    stages: Words = STAGES
    rationale: str = ""
    origin: str = ""
    findings: tuple[Finding, ...] = ()
    exchanges: Words = ()
    cost: Cost = field(default_factory=Cost)
    sources: Mapping[str, str] = field(default_factory=dict)
    time: Seconds = 0.0
    ticket: Ticket = None
    belief: float | None = None

    def __post_init__(self) -> None:
        check_move(self.move, self.node, "proposed")


@dataclass(frozen=True)
class _Declined(_Proposed):
    attempt: int = 0
    exhausted: bool = False
    closed: bool = False
    screened: str = ""


def check_share(value: float, what: str) -> float:
    """``value``, if it lies in [0, 1]."""
    if not 0.0 <= value <= 1.0:
        raise ContractError(what, "a number in [0, 1]", f"{value:g}")
    return value


Share = Annotated[float, check_share]


@dataclass(frozen=True)
class Origin:
    """A forecast that makes up a score: frames seen, frames judged."""

    seen: int
    judged: int
    score: Share


@dataclass(frozen=True)
class Last:
    """How a node forecast the part that nobody was shown (see agent.evaluation.foretelling)."""

    score: Share
    weight: Share
    replayed: float = 0.0
    reason: str = ""


@dataclass(frozen=True)
class _Evaluated:
    node: Node
    status: str
    score: float
    losses: Losses
    failure: Failure | None
    seconds: Seconds = 0.0
    params: tuple[FittedParam, ...] = ()
    fit: Mapping[str, Any] = field(default_factory=dict)
    reasons: Words = ()
    frame_errors: tuple[tuple[float, ...], ...] = ()
    origins: tuple[Origin, ...] = ()
    complexity: float = 0.0
    leeway: Share = 0.0
    timings: Mapping[str, Seconds] = field(default_factory=dict)
    blobs: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_outcome(self.status, self.score, self.failure)


def check_outcome(status: str, score: float, failure: Failure | None) -> None:
    """Raise ContractError unless these three can belong to one evaluation."""
    if status not in ("ok", "failed") or (failure is not None) != (status == "failed"):
        raise ContractError("status", "ok, or failed with a failure", repr(status[:40]))
    check_share(score, "score")


@dataclass(frozen=True)
class _Diagnosed:
    node: Node
    verdict: str
    guilty: str | None = None
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True)
class _Confirmed:
    node: Node
    score: Share
    last: Last


@dataclass(frozen=True)
class _Best:
    node: Node
    score: float
    tied: tuple[Node, ...] = ()
    by_belief: bool = False


@dataclass(frozen=True)
class _Finished:
    status: str
    reason: str
    score: float
    best: Node | None
    evaluations: int
    explained: bool = True
    motion: float | None = None
    metrics: Metrics = field(default_factory=dict)
    seconds: Seconds = 0.0


@dataclass(frozen=True)
class _Extended:
    budget: int
    threshold: float
    time: Seconds = 0.0


_KINDS: Mapping[str, type] = {
    "run": _Run,
    "observed": _Observed,
    "remembered": _Remembered,
    "asked": _Asked,
    "proposed": _Proposed,
    "declined": _Declined,
    "evaluated": _Evaluated,
    "diagnosed": _Diagnosed,
    "confirmed": _Confirmed,
    "best": _Best,
    "finished": _Finished,
    "extended": _Extended,
}


def is_known(event: Mapping[str, Any]) -> bool:
    """Whether ``event`` is of a kind that this version knows."""
    return isinstance(event.get("event"), str) and event["event"] in _KINDS


def checked(event: Mapping[str, Any]) -> dict[str, Any]:
    """``event`` with what it leaves out filled in. Raises ContractError where it does not say what
    its kind must."""
    kind = _KINDS[event["event"]]
    filled: dict[str, Any] = _filled(event, claims.read(kind, event, event["event"]))
    if not any(one.name == "node" for one in fields(kind)):
        filled.pop("node", None)  # it is about none
    return filled


def _filled(said: Any, built: Any) -> Any:
    """``said`` with the fields that it leaves out of ``built``, which was read from it."""
    if is_dataclass(built) and isinstance(said, Mapping):
        known = {one.name: getattr(built, one.name) for one in fields(built)}
        return {
            **said,
            **{k: _filled(said[k], v) if k in said else _plain(v) for k, v in known.items()},
        }
    if isinstance(built, tuple) and isinstance(said, list):
        return [_filled(one, other) for one, other in zip(said, built, strict=True)]
    return said


def _plain(value: Any) -> Any:
    return asdict(value) if is_dataclass(value) and not isinstance(value, type) else value


class Reader:
    """Takes the lines of one trace in order. damaged: numbers of those that were left out."""

    def __init__(self, path: Path):
        self.path, self.damaged = path, list[int]()
        self._nodes, self._ran = set[str](), set[str]()
        self._begun = False

    def take(self, line: bytes, number: int) -> dict[str, Any] | None:
        """The event on a whole line; None where it is damaged, of a kind that is not known, or
        about a node that was not proposed. Raises StorageError for a newer format."""
        event = trace.event_of(line)
        try:
            if event is None:
                raise ContractError("event", "one JSON object", "none")
            trace.check_version(event, self.path)
            if not is_known(event):
                return None
            event = checked(event)
            self._follow(event)
        except ContractError:
            self.damaged.append(number)
            return None
        return event

    def _follow(self, event: Mapping[str, Any]) -> None:
        """Raise ContractError where an event has no place in the story so far."""
        kind, node = event["event"], event.get("node")
        if (kind == "run") == self._begun:
            raise ContractError("trace", "one first event that describes the run", kind)
        self._begun = True
        if kind == "asked" and event["move"]["parent"] not in (None, *self._nodes):
            raise ContractError("asked", "a known parent", str(event["move"]["parent"]))
        if kind == "proposed":
            parent = event["move"]["parent"]
            if node in self._nodes or (parent is not None and parent not in self._nodes):
                raise ContractError("proposed", "a new node with a known parent", str(node))
            self._nodes.add(str(node))
        elif kind in ("evaluated", "diagnosed") and node not in self._nodes:
            raise ContractError(kind, "a node that was proposed", str(node))
        elif kind in ("confirmed", "best") and node not in self._ran:
            raise ContractError(kind, "a node that ran to its end", str(node))
        if kind == "evaluated" and event["status"] == "ok":
            self._ran.add(str(node))


def note(path: Path, lines: int) -> str:
    """What to say of a trace some of whose lines are damaged."""
    what = "1 line is" if lines == 1 else f"{lines} lines are"
    return f"{path}: {what} damaged and left out; `run-agent resume {path.parent}` mends it"


def read(path: Path, damaged: list[int] | None = None) -> Iterator[dict[str, Any]]:
    """The events of a trace that can be used, in order; the numbers of the lines left out are
    added to ``damaged``. A torn last line is not counted among them.

    Raises StorageError when there is no trace, none of it describes the run, or the format is a
    newer one.
    """
    reader = Reader(path)
    for number, line in trace.lines(path):
        event = reader.take(line, number)
        if event is not None:
            yield event
        elif number == 1:
            raise StorageError(
                f"{path}: line 1 is damaged",
                "the event that describes the run",
                "another",
                "nothing can be told without it: start the run again",
            )
    if damaged is not None:
        damaged += reader.damaged
