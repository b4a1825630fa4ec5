"""The record of a search: ``trace.jsonl``, one event a line, append-only, versioned, written as it
happens.

An event is a JSON object with ``v`` (format), ``event`` (one of EVENTS), and the fields below;
times live under the keys in TIMES and nowhere else, so that two runs of one seed differ in nothing
but these.

    run        config, task (shape, lengths; frames by content hash), sandbox, versions
    observed   split, pixel noise, baselines
    remembered entries of a library for scenes like this one
    asked      ticket, move: a question to a model, beside other work; written before it is sent
    proposed   node, ticket (of the question that it answers, where one was asked), move, stages,
               rationale, origin, sources (hash by stage), findings, exchanges, cost, belief
    declined   attempt, ticket, move, parent, stage, rationale, cost, exhausted, closed
    evaluated  node, status, score, losses, failure, params, fit, reasons, frame_errors, origins,
               complexity, leeway, blobs
    confirmed  node, score (with what it loses in the part that nobody was shown), last
    diagnosed  node, guilty, verdict, findings
    best       node, score, tied (nodes that are as good on what is seen), by_belief (whether what
               is known beforehand decided between them)
    finished   status, reason, score, best, evaluations, metrics
    extended   budget, threshold: raised by a later session, which goes on from there
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from agent.plain import private
from agent.run import store
from tools import claims
from tools.errors import StorageError
from tools.types import ContractError

VERSION = 1
EVENTS = (
    "run",
    "remembered",
    "observed",
    "asked",
    "proposed",
    "declined",
    "evaluated",
    "diagnosed",
    "confirmed",
    "best",
    "finished",
    "extended",
)
TIMES = ("time", "seconds", "timings")
LIMITS = ("budget", "threshold")
"""What a later session may raise."""

Event = Mapping[str, Any]


MOST = 64 << 20
"""Bytes of one line."""


def lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Number and bytes of every whole line of a trace. A torn last line (a kill, a full disk, a run
    that is writing just now) is left out. Raises StorageError when there is no trace."""
    try:
        with open(path, "rb") as file:
            for number, line in enumerate(iter(lambda: file.readline(MOST), b""), 1):
                if not line.endswith(b"\n"):
                    return
                yield number, line
    except OSError as error:
        raise StorageError(str(path), "the trace of a run", str(error.strerror)) from error


def read(path: Path) -> Iterator[dict[str, Any]]:
    """Events of a trace in order, whatever they say (agent.run.story reads those that can be used).

    Raises StorageError when there is no trace, a line before the last is damaged, or the format is
    a newer one.
    """
    return (parsed(line, path, number) for number, line in lines(path))


def parsed(line: bytes, path: Path, number: int) -> dict[str, Any]:
    """The event on a whole line. Raises StorageError (with its number) when it is damaged or of a
    newer format."""
    event = event_of(line)
    if event is None:
        raise damaged(path, number, f"expected one JSON object, got {line[:60]!r}")
    check_version(event, path)
    return event


def damaged(path: Path, number: int, why: str) -> StorageError:
    """What to raise about a line."""
    return StorageError(
        f"{path}: line {number} is damaged: {why[:200]}; `run-agent resume` leaves it out"
    )


def event_of(line: bytes) -> dict[str, Any] | None:
    """The object on a line, None where it is damaged."""
    try:
        event = claims.parse(line, "event", MOST)
    except ContractError:
        return None
    return event if isinstance(event, dict) and type(event.get("v", 0)) is int else None


def check_version(event: Event, path: Path) -> None:
    """Raise StorageError for an event of a newer format."""
    if event.get("v", 0) > VERSION:
        raise store.newer(path, VERSION, event["v"])


def without_times(event: Event) -> dict[str, Any]:
    """``event`` without anything that a clock decided, at any depth."""
    return {key: _timeless(value) for key, value in event.items() if key not in TIMES}


def _timeless(value: Any) -> Any:
    if isinstance(value, Mapping):
        return without_times(value)
    return [_timeless(item) for item in value] if isinstance(value, list) else value


class Writer:
    """Appends events. On an existing trace it cuts off a torn last line and then ignores every
    event that is already there, so that a resumed run may simply tell its story again."""

    def __init__(self, path: Path):
        self.path = path
        self._known: set[tuple] = set()
        self._extended = 0
        if path.exists():
            _cut_torn_line(path)
            for _, line in lines(path):
                self._know(event_of(line) or {})

    def write(self, event: Event) -> bool:
        """Append ``event`` durably; False when it is on record already. Raises StorageError."""
        if self._identity(event) in self._known:
            return False
        told = event if event["event"] == "run" else private(event)
        line = json.dumps({"v": VERSION, **told}, allow_nan=False)
        store.append(self.path, line.encode() + b"\n")
        self._know(event)
        return True

    def _know(self, event: Event) -> None:
        self._known.add(self._identity(event))
        self._extended += event.get("event") == "extended"

    def _identity(self, event: Event) -> tuple:
        """What an event is about; a run says each of these once, its end once after each
        extension."""
        kind = event.get("event")
        return (
            kind,
            event.get("node"),
            event.get("attempt"),
            event.get("ticket") if kind == "asked" else None,
            self._extended if kind in ("finished", "extended") else 0,
        )


def _cut_torn_line(path: Path) -> None:
    data = path.read_bytes()
    whole = data.rfind(b"\n") + 1
    if whole < len(data):
        store.write(path, data[:whole])
