"""Two proposers at one budget: the grammar's drafts and the model's compete, and each refines what
the other found."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from agent.core.protocols import Archive, Cost, Move, Paying, Proposal, Proposer, Seeing
from tools.types import Task

if TYPE_CHECKING:
    from tools.vision.check import Ask


class MixedProposer:
    """Shares the moves of one search between an offline proposer and a model.

    A draft goes to the one that has drafted less. A node that broke goes back to its author. A node
    to be refined goes to the one that has tried it less often, at first not to its author: so that
    the model refines what the grammar found and the other way round. Whoever has nothing to say
    passes the move on to the other.
    """

    name = "both"

    def __init__(self, offline: Proposer, llm: Proposer):
        self.offline, self.llm = offline, llm

    def __repr__(self) -> str:
        return f"MixedProposer({self.offline!r}, {self.llm!r})"

    @property
    def ask(self) -> Ask | None:
        """The model's verdict on masks, also for programs of the grammar."""
        return self.llm.ask if isinstance(self.llm, Seeing) else None

    @property
    def spent(self) -> Cost:
        """What the model has cost; the grammar costs nothing."""
        return self.llm.spent if isinstance(self.llm, Paying) else Cost()

    def propose(
        self, task: Task, archive: Archive, move: Move, rng: np.random.Generator
    ) -> Proposal:
        """The answer of the proposer whose turn it is, or else of the other; ``origin`` tells whose
        it is."""
        first, second = self._order(archive, move)
        answer = first.propose(task, archive, move, rng)
        if answer.programs is not None:
            return replace(answer, origin=first.name)
        other = second.propose(task, archive, move, rng)
        return _joined(first, answer, second, other)

    def _order(self, archive: Archive, move: Move) -> tuple[Proposer, Proposer]:
        """Whose turn it is, and who comes next. Ties go to the offline proposer, which costs
        nothing."""
        tries = {proposer.name: 0 for proposer in (self.offline, self.llm)}
        siblings = [node for node in archive.nodes if node.candidate.parent == move.parent]
        for node in siblings:
            tries[node.candidate.origin] = tries.get(node.candidate.origin, 0) + 1
        author = None if move.parent is None else archive[move.parent].candidate.origin
        turn = {
            "draft": lambda p: tries[p.name],
            "repair": lambda p: p.name != author,
            "refine": lambda p: (tries[p.name], p.name == author),
        }[move.kind]
        first, second = sorted((self.offline, self.llm), key=turn)
        return first, second


def _joined(first: Proposer, silent: Proposal, second: Proposer, other: Proposal) -> Proposal:
    """The second's answer, with the first's cost, findings and reason for saying nothing."""
    rationale = (
        other.rationale
        if other.programs is not None
        else f"{first.name}: {silent.rationale}; {second.name}: {other.rationale}"
    )
    return replace(
        other,
        rationale=rationale,
        origin=second.name,
        cost=silent.cost + other.cost,
        findings=silent.findings + other.findings,
        exchanges=silent.exchanges + other.exchanges,
        exhausted=silent.exhausted and other.exhausted,
        closed=silent.closed and other.closed,
    )
