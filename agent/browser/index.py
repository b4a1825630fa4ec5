"""What a trace holds and where: one cheap pass over the file, then only what a line of the tree
needs is kept.

The writer puts the fields of an event in a fixed order, so that the few that every line of the tree
needs are found by patterns; they cannot match inside a JSON string, where quotes are escaped.
Everything else about a node is read when it is asked for. A line that the patterns do not fit is
parsed whole, so that another order of fields costs time and nothing else.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agent.run import store, story, trace
from tools import claims
from tools.errors import StorageError
from tools.types import ContractError

_HEAD = re.compile(rb'\{"v": (\d+), "event": "([a-z]+)"(?:, "node": "([^"\\]*)")?[,}]')
_MOVE = re.compile(rb', "move": \{"kind": "(\w+)", "parent": (?:null|"([^"\\]*)"), "stage": ')
_FREE = b'"cost": {"calls": 0, '
_SCORE = re.compile(
    rb', "status": "ok", "score": ([^,]+), "losses": (\{[^{}]*\}), "failure": null, '
)
_TOTAL = re.compile(rb'"complexity": ([^,]+), .*"total": ([^,}]+)\}, "seconds": ')
_TAIL = 600  # bytes at the end of an evaluation that hold its complexity and its times
_BLOCK = 1 << 20


Span = tuple[int, int]
"""Where one event lies in the file: its first byte, its length."""


@dataclass(slots=True)
class Row:
    """One node. In memory: what its place in the tree needs. kind, parent: the move. calls:
    requests to a model. status: "pending", "ok" or "failed". failure: (stage, kind, message) or
    None. complexity: bits. seconds: time of its evaluation. where: event name -> its place in the
    trace. Everything else is read from there when it is asked for."""

    id: str
    kind: str
    parent: str | None
    calls: int
    trace: Path
    where: dict[str, Span]
    status: str = "pending"
    score: float = 0.0
    failure: tuple[str, str, str] | None = None
    complexity: float = 0.0
    seconds: float | None = None
    children: list[str] = field(default_factory=list)
    _losses: bytes | Mapping[str, float | None] = b"{}"
    _said: Mapping[str, Any] | None = None

    def event(self, kind: str) -> dict[str, Any] | None:
        """The whole event of this kind about the node, or None."""
        span = self.where.get(kind)
        if span is None:
            return None
        with open(self.trace, "rb") as file:
            file.seek(span[0])
            line = file.read(span[1])
        with store.reading(self.trace):
            return story.checked(trace.event_of(line) or {})

    @property
    def said(self) -> Mapping[str, Any]:
        """The proposal as it is on record: move, rationale, stages, origin, cost, exchanges,
        findings."""
        if self._said is None:
            self._said = self.event("proposed")
            assert self._said is not None, "every row was proposed"
        return self._said

    @property
    def losses(self) -> Mapping[str, float | None]:
        """See tools.types.Losses."""
        losses = self._losses
        if isinstance(losses, bytes):
            with store.reading(self.trace):
                said = claims.parse(losses, "losses", _TAIL)
                losses = self._losses = claims.read(dict[str, float | None], said, "losses")
        return losses

    @property
    def reason(self) -> str:
        """Why the move was chosen."""
        return self.said["move"]["reason"]

    @property
    def asked(self) -> str | None:
        """The stage that was to be edited, None when that was left open."""
        return self.said["move"]["stage"]

    @property
    def stages(self) -> tuple[str, ...]:
        """The stages in which it differs from its parent."""
        return tuple(self.said["stages"])

    @property
    def belief(self) -> float | None:
        """Its log-posterior, None where nobody told it."""
        belief: float | None = self.said["belief"]
        return belief

    @property
    def leeway(self) -> float:
        """Of its score, see ranking.Judged."""
        event = self.event("evaluated")
        return 0.0 if event is None else float(event["leeway"])

    @property
    def cost(self) -> Mapping[str, Any]:
        """See agent.core.protocols.Cost."""
        return self.said["cost"]


class Index:
    """The rows of a trace, in order of proposal. ``refresh`` reads what was added since.

    events: their number so far. first, observed, finished: these events, or None. climb: (node,
    score) each time the best changed. declined: number of moves to which the proposer had nothing
    to say. raised: limits, as later sessions set them. changed: when the file last was (seconds
    since 1970).
    """

    def __init__(self, path: Path):
        self.path = Path(path)
        self._clear()

    def _clear(self) -> None:
        self.rows: dict[str, Row] = {}
        self.drafts: list[str] = []
        self.climb: list[tuple[str, float]] = []
        self.first: dict[str, Any] | None = None
        self.observed: dict[str, Any] | None = None
        self.finished: dict[str, Any] | None = None
        self.raised: dict[str, Any] = {}
        self.declined = 0
        self.changed = 0.0
        self._read = self.events = 0

    def refresh(self) -> bool:
        """Read what was added; whether there was anything. A line that is still being written waits
        for the next time.

        Raises StorageError when there is no trace, a line is damaged, or the format is a newer one.
        """
        before = self._read
        try:
            with open(self.path, "rb", buffering=_BLOCK) as file:
                known = os.fstat(file.fileno())
                if known.st_size < self._read:
                    self._clear()
                self.changed = known.st_mtime
                file.seek(self._read)
                for line in file:
                    if not line.endswith(b"\n"):
                        break
                    self.events += 1
                    try:
                        self._take(line, (self._read, len(line)))
                    except ValueError as error:
                        raise trace.damaged(self.path, self.events, str(error)) from None
                    self._read += len(line)
        except OSError as error:
            raise StorageError(str(self.path), "the trace of a run", str(error.strerror)) from error
        return self._read != before

    @property
    def best(self) -> str | None:
        """The best node so far."""
        return self.climb[-1][0] if self.climb else None

    @property
    def config(self) -> Mapping[str, Any]:
        """The configuration of the run, with limits as they were raised; {} when the trace does not
        begin with it."""
        return {} if self.first is None else self.first["config"] | self.raised

    @property
    def evaluated(self) -> int:
        """Number of nodes that were judged or failed."""
        return sum(row.status != "pending" for row in self.rows.values())

    def lineage(self, node: str) -> list[Row]:
        """From the draft down to ``node``."""
        chain = [self.rows[node]]
        while chain[-1].parent in self.rows:
            chain.append(self.rows[chain[-1].parent])
        return chain[::-1]

    # ----------------------------------------------------------------------------------------------

    def _take(self, line: bytes, span: Span) -> None:
        head = _HEAD.match(line)
        if head is None or int(head[1]) > trace.VERSION:
            event = self._whole(line)
            kind, node = event.get("event", ""), event.get("node") or ""
        else:
            kind, node = head[2].decode(), (head[3] or b"").decode()
        match kind:
            case "proposed":
                self._propose(line, node, span)
            case "evaluated" if node in self.rows:
                self._judge(self.rows[node], line, span)
            case "diagnosed" if node in self.rows:
                self.rows[node].where[kind] = span
            case "confirmed" if node in self.rows:
                self.rows[node].where[kind] = span
                self.rows[node].score = self._whole(line)["score"]
            case "best" if node in self.rows:
                self.climb.append((node, self._whole(line)["score"]))
            case "declined":
                self.declined += 1
            case "run":
                self.first = self._whole(line)
            case "observed" | "finished":
                setattr(self, kind, self._whole(line))
            case "extended":
                self.finished, self.raised = (
                    None,
                    {name: self._whole(line)[name] for name in trace.LIMITS},
                )

    def _whole(self, line: bytes) -> dict[str, Any]:
        event = trace.event_of(line)
        if event is None or not story.is_known(event):
            raise ContractError("event", "an event of a trace", "none")
        trace.check_version(event, self.path)
        return story.checked(event)

    def _propose(self, line: bytes, node: str, span: Span) -> None:
        move = _MOVE.search(line, max(line.rfind(b', "move": {'), 0)) if _FREE in line else None
        if move is not None:
            kind, parent, calls = move[1].decode(), None if move[2] is None else move[2].decode(), 0
        else:
            event = self._whole(line)
            kind, parent, calls = (
                event["move"]["kind"],
                event["move"]["parent"],
                event["cost"].get("calls", 0),
            )
        if node in self.rows or (parent is not None and parent not in self.rows):
            raise ContractError("proposed", "a new node with a known parent", str(node))
        story.check_node(node, "proposed")
        self.rows[node] = Row(node, kind, parent, calls, self.path, {"proposed": span})
        above = None if parent is None else self.rows.get(parent)
        (self.drafts if above is None else above.children).append(node)

    def _judge(self, row: Row, line: bytes, span: Span) -> None:
        row.where["evaluated"] = span
        score, total = _SCORE.search(line, 0, _TAIL), _TOTAL.search(line, max(len(line) - _TAIL, 0))
        if score is not None and total is not None:
            row.complexity, row.seconds = _number(total[1]), _number(total[2])
            row.status, row.score, row._losses = "ok", _number(score[1]), score[2]
            return
        event = self._whole(line)
        row.status, row.score, row._losses, row.complexity = (
            event["status"],
            event["score"],
            event["losses"],
            event["complexity"],
        )
        if event["failure"] is not None:
            row.failure = tuple(event["failure"][name] for name in ("stage", "kind", "message"))
        row.seconds = event.get("timings", {}).get("total")


def _number(text: bytes) -> float:
    return claims.read(float, float(text), "number")


def spent(rows: Iterable[Row]) -> tuple[int, int, float | None]:
    """(calls, tokens, dollars or None where a price is not known) of some nodes together."""
    costs = [row.cost for row in rows if row.calls]
    money = [cost.get("money", 0.0) for cost in costs]
    tokens = sum(cost.get("input_tokens", 0) + cost.get("output_tokens", 0) for cost in costs)
    return sum(cost["calls"] for cost in costs), tokens, None if None in money else sum(money)


def state(index: Index, now: float) -> str:
    """Whether a run is over and why, up to the first semicolon, or when it last wrote something.
    now: seconds since 1970."""
    if index.finished is not None:
        return (
            f"finished ({index.finished['status']}: {index.finished['reason'].partition(';')[0]})"
        )
    return f"not finished, last event {_ago(now - index.changed)} ago"


def _ago(seconds: float) -> str:
    for unit, size in (("days", 86400.0), ("h", 3600.0), ("min", 60.0)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(seconds, 0.0):.0f} s"
