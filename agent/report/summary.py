"""What a run's files say, as plain values: every candidate in short, who won and on what grounds.
Reads, decides nothing anew."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from agent.core.screen import DUPLICATE
from agent.report import ranking
from agent.run import story, trace
from agent.run.runfolder import RunFolder
from tools.errors import StorageError
from tools.types import STAGES, Failure, Losses


@dataclass(frozen=True)
class Told:
    """One candidate as the trace tells it (see ranking.Judged).

    status: "ok", "failed" or "pending". found: what its
    diagnosis says, strongest first. checks: what was found about its detections. timings: seconds
    by stage. blobs: pictures in the store."""

    id: str
    parent: str | None
    kind: str
    reason: str
    stages: tuple[str, ...]
    rationale: str
    origin: str = ""
    checks: tuple[str, ...] = ()
    status: str = "pending"
    score: float = 0.0
    losses: Losses = field(default_factory=Losses)
    failure: Failure | None = None
    frame_errors: tuple[tuple[float, ...], ...] = ()
    complexity: float = 0.0
    leeway: float = 0.0
    belief: float | None = None
    remarks: tuple[str, ...] = ()
    found: tuple[str, ...] = ()
    timings: Mapping[str, float] = field(default_factory=dict)
    blobs: Mapping[str, str] = field(default_factory=dict)

    @property
    def repeats(self) -> bool:
        """Whether it was the same as an earlier one, and not run therefore."""
        return self.failure is not None and self.failure.kind == DUPLICATE


@dataclass(frozen=True)
class RunSummary:
    """A run. first: the event that describes it, its limits as they were raised. observed: what was
    known before the first candidate ({} when that is not on record). nodes: in order of proposal.
    leaders: ids that were the best so far, in order. result: result.json, or None while the run is
    not finished."""

    first: Mapping[str, Any]
    observed: Mapping[str, Any]
    nodes: Mapping[str, Told]
    leaders: tuple[str, ...]
    declined: int
    result: Mapping[str, Any] | None

    @property
    def config(self) -> Mapping[str, Any]:
        return self.first["config"]

    @property
    def name(self) -> str:
        """What the task is called, for people."""
        return self.first["task"].get("name") or "a video"

    @cached_property
    def winner(self) -> Told | None:
        """The program that was kept: the one in the result, or the leader of an unfinished run."""
        best = (
            self.result["best"]
            if self.result is not None
            else self.leaders[-1]
            if self.leaders
            else None
        )
        return None if best is None else self.nodes.get(best)

    @property
    def kept(self) -> Told:
        """The winner of a run that has one."""
        assert self.winner is not None, "nothing ran to its end"
        return self.winner

    @cached_property
    def ran(self) -> tuple[Told, ...]:
        """Candidates that ran to their end."""
        return tuple(node for node in self.nodes.values() if node.status == "ok")

    @cached_property
    def failed(self) -> tuple[Told, ...]:
        """Candidates that were run, or refused, and have no score."""
        return tuple(
            node for node in self.nodes.values() if node.status == "failed" and not node.repeats
        )

    @cached_property
    def repeats(self) -> tuple[Told, ...]:
        """Candidates that were not run, because an earlier one was the same."""
        return tuple(node for node in self.nodes.values() if node.repeats)

    @property
    def judged(self) -> int:
        """Number of candidates of which it is known what became of them."""
        return len(self.ran) + len(self.failed) + len(self.repeats)

    @property
    def fates(self) -> str:
        """How many of them have no score, as words; "" when all have."""
        counts = ((len(self.failed), "failed"), (len(self.repeats), "repeated an earlier one"))
        return ", ".join(f"{number} {what}" for number, what in counts if number)

    @cached_property
    def lineage(self) -> tuple[Told, ...]:
        """From the draft to the winner, each the parent of the next."""
        line, node = [], self.winner
        while node is not None:
            line.append(node)
            node = None if node.parent is None else self.nodes.get(node.parent)
        return tuple(reversed(line))

    @cached_property
    def ties(self) -> tuple[Told, ...]:
        """Others whose score is within the tolerance of the highest, as the search counts ties;
        best first."""
        tied, _ = ranking.equals(self.nodes.values(), self.tolerance)
        return tuple(
            sorted((node for node in tied if node is not self.winner), key=lambda node: -node.score)
        )

    @cached_property
    def rival(self) -> Told | None:
        """The one to compare the winner with (ranking.rival)."""
        return (
            None
            if self.winner is None
            else ranking.rival(
                self.winner,
                self.nodes.values(),
                self.tolerance,
                frozenset(node.id for node in self.lineage),
            )
        )

    @property
    def tolerance(self) -> float:
        return self.config.get("tolerance", 0.0)

    @property
    def tied_within(self) -> float:
        """What scores may differ by and tie."""
        return ranking.tolerance(self.nodes.values(), self.tolerance)

    @property
    def why_among_ties(self) -> str:
        """What decided between the winner and those it ties with (ranking.decided), or ""."""
        return "" if self.winner is None else ranking.decided(self.winner, self.ties)

    @property
    def seconds(self) -> Mapping[str, float]:
        """Seconds by stage, over all candidates."""
        total: dict[str, float] = {}
        for node in self.nodes.values():
            for stage, seconds in node.timings.items():
                total[stage] = total.get(stage, 0.0) + seconds
        return total


def read(folder: RunFolder) -> RunSummary:
    """The story of the run in ``folder``, finished or not. Raises StorageError when its trace
    cannot be read."""
    nodes: dict[str, Told] = {}
    observed: Mapping[str, Any] = {}
    leaders: list[str] = []
    declined = 0
    first = folder.first()
    for event in story.read(folder.trace):
        node = event.get("node", "")
        match event["event"]:
            case "observed":
                observed = event
            case "proposed":
                nodes[node] = _proposed(event)
            case "declined":
                declined += 1
            case "evaluated":
                nodes[node] = _evaluated(nodes[node], event)
            case "diagnosed":
                nodes[node] = replace(nodes[node], found=_messages(event["findings"]))
            case "confirmed":
                nodes[node] = replace(nodes[node], score=event["score"])
            case "best":
                leaders.append(node)
            case "extended":
                first["config"] |= {name: event[name] for name in trace.LIMITS}
    result = folder.result()
    best = None if result is None else result["best"]
    if best is not None and getattr(nodes.get(best), "status", "") != "ok":
        raise StorageError(
            str(folder.trace),
            f"how node {best}, which won, ran",
            "nothing",
            "`run-agent resume` tells it again",
        )
    return RunSummary(first, observed, nodes, tuple(leaders), declined, result)


def _proposed(event: Mapping[str, Any]) -> Told:
    move = event["move"]
    stages = tuple(event.get("stages", STAGES))
    checks = _messages(event.get("findings", ()))
    return Told(
        event["node"],
        move["parent"],
        move["kind"],
        move["reason"],
        stages,
        event["rationale"],
        event.get("origin", ""),
        checks,
        belief=event.get("belief"),
    )


def _evaluated(node: Told, event: Mapping[str, Any]) -> Told:
    failure = event["failure"]
    return replace(
        node,
        status=event["status"],
        score=event["score"],
        losses=Losses(**event["losses"]),
        failure=None if failure is None else Failure(**failure),
        frame_errors=tuple(map(tuple, event.get("frame_errors", ()))),
        complexity=event.get("complexity", 0.0),
        leeway=event.get("leeway", 0.0),
        remarks=tuple(event.get("reasons", ())),
        timings=event.get("timings", {}),
        blobs=event.get("blobs", {}),
    )


def _messages(findings: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    return tuple(finding["message"] for finding in findings)
