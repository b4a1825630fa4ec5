"""The nouns of the search and the Protocols that its parts obey. Values only: nothing here runs
anything."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np

from tools.types import (
    STAGES,
    Candidate,
    ContractError,
    Evaluation,
    Failure,
    Programs,
    States,
    Task,
)

if TYPE_CHECKING:
    from agent.core.archive import NodeArchive
    from tools.vision.check import Ask

MOVES = ("draft", "repair", "refine")


@dataclass(frozen=True)
class Finding:
    """One thing that the residual shows. stage: the program to blame. kind: a stable slug a
    proposer can switch on ("lag", "drift", "kink", "late_jump", "missing_object", "colour_residue",
    ...). message: the sentence a person reads. where: object or column name, or "". evidence:
    numbers behind the sentence."""

    stage: str
    kind: str
    message: str
    where: str = ""
    evidence: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Diagnosis:
    """What to edit next and why. guilty: the stage to edit, or None when nothing is wrong. verdict:
    "exact", "within error" (nothing is off by more than measurements and fit leave uncertain), "bad
    structure", "bad perception" (what it should measure is missing), "fit not converged", "program
    failed". findings: strongest first."""

    guilty: str | None
    verdict: str
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True)
class Node:
    """A candidate with what became of it."""

    candidate: Candidate
    evaluation: Evaluation
    diagnosis: Diagnosis

    @property
    def id(self) -> str:
        return self.candidate.id

    @property
    def score(self) -> float:
        return self.evaluation.score


class Archive(Protocol):
    """Every node so far, read-only, in order of proposal. declined: moves to which the proposer had
    nothing to say. screened: fingerprints of programs that were left out after a short fit."""

    @property
    def nodes(self) -> tuple[Node, ...]: ...

    @property
    def declined(self) -> tuple[Move, ...]: ...

    @property
    def screened(self) -> frozenset[str]: ...

    @property
    def best(self) -> Node | None:
        """Highest score; ties are decided as ``agent.core.archive`` says."""
        ...

    def __getitem__(self, node_id: str) -> Node: ...

    def children(self, node_id: str | None) -> tuple[Node, ...]:
        """Nodes whose parent is ``node_id`` (None: the drafts)."""
        ...


@dataclass(frozen=True)
class Brief:
    """What one of several answers that are asked for at once is told beside the question. words:
    for its prompt. temperature: in place of the configured one, None leaves that. model: which of
    several models answers, "" for the first."""

    words: str = ""
    temperature: float | None = None
    model: str = ""


@dataclass(frozen=True)
class Move:
    """What the policy asks a proposer to do. kind: one of MOVES. parent: the node to expand (None
    for a draft). stage: the stage to edit, or None to leave it open. reason: why, in words; it goes
    into the trace. brief: what sets this question apart from others in flight."""

    kind: str
    parent: str | None = None
    stage: str | None = None
    reason: str = ""
    brief: Brief | None = None


@dataclass(frozen=True)
class Cost:
    """What a proposal cost. money: in US dollars, None when the price of the model is not known."""

    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    money: float | None = 0.0

    def __post_init__(self) -> None:
        money = self.money if isinstance(self.money, float) else 0.0
        if min(self.calls, self.input_tokens, self.output_tokens, money) < 0:
            raise ContractError("Cost", "calls, tokens and money from 0 up", repr(self)[:80])

    def __add__(self, other: Cost) -> Cost:
        money = None if self.money is None or other.money is None else self.money + other.money
        return Cost(
            self.calls + other.calls,
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            money,
        )


@dataclass(frozen=True)
class Proposal:
    """A proposer's answer. programs None means "nothing (new) to say": ``rationale`` then tells
    why, and the search goes on (or ends, when ``exhausted``: the proposer will not have anything
    else to say for this task; ``closed``: about the node of this move).

    stages: stages that differ from the parent. findings: checks the proposer made on detections or
    pictures (VLM verdicts, measured checks); they go into the trace. exchanges: content hashes of
    recorded requests and replies. origin: who wrote it, where that is not simply the proposer's own
    name (a mixed proposer names the one it asked). screened: fingerprint of programs that it had,
    and that a short fit showed to be out of reach of the best. belief: log-posterior of what was
    proposed, up to a constant that all proposals about the same frames share; None where the
    proposer keeps none.
    """

    programs: Programs | None
    rationale: str
    stages: tuple[str, ...] = STAGES
    cost: Cost = Cost()
    findings: tuple[Finding, ...] = ()
    exchanges: tuple[str, ...] = ()
    exhausted: bool = False
    origin: str = ""
    closed: bool = False
    screened: str = ""
    belief: float | None = None


class Proposer(Protocol):
    """Writes programs. Sees visible frames and evaluations, never a name of an environment or a
    held-back frame.

    ``propose`` must depend on its arguments alone (and, for a model behind a network, on the
    recorded replies): the same arguments and an ``rng`` in the same state give the same proposal.
    """

    @property
    def name(self) -> str: ...

    def propose(
        self, task: Task, archive: Archive, move: Move, rng: np.random.Generator
    ) -> Proposal: ...


Measure = Callable[[str], States | Failure]
"""What a perception program measures in the first clip that is fitted, or why it does not."""


@dataclass(frozen=True)
class Known:
    """Before the first question. task: what may be seen. observed: which frames are fitted, which
    judge (the "observed" event of the trace). measure: runs a perception program alone. remembered:
    what an earlier session of this run remembered, None in its first."""

    task: Task
    observed: Mapping[str, Any] = field(default_factory=dict)
    measure: Measure | None = None
    remembered: Sequence[Mapping[str, Any]] | None = None


@runtime_checkable
class Waiting(Protocol):
    """A proposer that waits for somebody far away (a model): the search asks it several questions
    at once, from threads, and goes on meanwhile."""

    @property
    def in_flight(self) -> int:
        """Questions at the same time, at most."""
        ...

    @property
    def asked(self) -> str:
        """Who is asked, in words."""
        ...

    @property
    def notes(self) -> Sequence[str]:
        """What should be known before it goes on, such as calls that an earlier session left."""
        ...

    @property
    def distant(self) -> Proposer:
        """Answers the questions in flight."""
        ...

    @property
    def near(self) -> Proposer | None:
        """Proposes meanwhile, at once and for nothing; None where nobody does."""
        ...

    def begin(self, known: Known) -> Sequence[Mapping[str, Any]]:
        """Take in what is known before the first question. What is remembered of earlier runs, for
        the trace."""
        ...

    def briefed(self, move: Move, archive: Archive, others: Sequence[Move]) -> Move:
        """``move`` with what sets it apart from ``others``, which are in flight already."""
        ...

    def news(self) -> Sequence[str]:
        """What was found out since the last look and should be said once, such as that a model
        takes no pictures."""
        ...

    def leave(self) -> None:
        """The search is over: what is still in flight is given up, and counted as paid."""
        ...


@runtime_checkable
class Plentiful(Protocol):
    """A proposer that has more to say than can be fitted: what a short fit shows to be out of reach
    of the best is left out, and costs no budget."""

    @property
    def plentiful(self) -> bool: ...


@runtime_checkable
class Seeing(Protocol):
    """A proposer whose model can be shown pictures: it also judges the masks made for programs that
    declare detections."""

    @property
    def ask(self) -> Ask | None:
        """The verdict on one mask, or None where the model is not to be asked."""
        ...


@runtime_checkable
class Paying(Protocol):
    """A proposer that keeps an account of its own, which also holds what belongs to no proposal
    (verdicts on masks, answers that were not needed in the end)."""

    @property
    def spent(self) -> Cost:
        """Everything that this run has cost so far, over all its sessions."""
        ...


class Policy(Protocol):
    """Decides what to do next from the archive alone. serial: each move builds on how the one
    before turned out, so that asking for several at once would ask for the same thing. blind: no
    move depends on how others turned out."""

    @property
    def name(self) -> str: ...

    @property
    def serial(self) -> bool: ...

    @property
    def blind(self) -> bool: ...

    def choose(self, archive: NodeArchive, rng: np.random.Generator) -> Move: ...
