"""Two proposers at one budget: the grammar goes on for nothing while the model's answers are
awaited, and the model refines what leads, whoever wrote it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from agent.core.protocols import Archive, Cost, Known, Move, Paying, Proposal, Proposer, Seeing
from agent.proposers.llm import LLMProposer
from tools.types import Task

if TYPE_CHECKING:
    from tools.vision.check import Ask


class MixedProposer:
    """A model, and an offline proposer that works on its own candidates meanwhile as it would
    alone, so that the search is at no moment worse off than without the model."""

    name = "both"

    def __init__(self, offline: Proposer, llm: LLMProposer):
        self.near, self.distant = offline, llm

    def __repr__(self) -> str:
        return f"MixedProposer({self.near!r}, {self.distant!r})"

    @property
    def ask(self) -> Ask | None:
        """The model's verdict on masks, also for programs of the grammar."""
        return self.distant.ask if isinstance(self.distant, Seeing) else None

    @property
    def spent(self) -> Cost:
        """What the model has cost; the grammar costs nothing."""
        return self.distant.spent if isinstance(self.distant, Paying) else Cost()

    @property
    def in_flight(self) -> int:
        """Questions to the model at the same time, at most."""
        return self.distant.in_flight

    @property
    def asked(self) -> str:
        """The model's name."""
        return self.distant.asked

    @property
    def notes(self) -> Sequence[str]:
        """What is to be told of the model first."""
        return self.distant.notes

    def briefed(self, move: Move, archive: Archive, others: Sequence[Move]) -> Move:
        """``move`` with what sets it apart from those in flight."""
        return self.distant.briefed(move, archive, others)

    def begin(self, known: Known) -> Sequence[Mapping[str, Any]]:
        """Take in what is known before the first question."""
        return self.distant.begin(known)

    def news(self) -> Sequence[str]:
        """What was found out of the model."""
        return self.distant.news()

    def leave(self) -> None:
        """The search is over."""
        self.distant.leave()

    def propose(
        self, task: Task, archive: Archive, move: Move, rng: np.random.Generator
    ) -> Proposal:
        """The grammar's answer, or else the model's, for callers that wait for each answer."""
        answer = self.near.propose(task, archive, move, rng)
        if answer.programs is not None:
            return answer
        return self.distant.propose(task, archive, move, rng)
