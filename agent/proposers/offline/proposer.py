"""The proposer itself: drafts from the plan, edits from the diagnosis, nothing twice."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

import numpy as np

from agent.core.explained import SHORT, within_error
from agent.core.protocols import Archive, Move, Node, Proposal
from agent.core.screen import fingerprint
from agent.proposers.offline.edits import Edit, edits, is_void, settled, variations
from agent.proposers.offline.grammar.quantity import GrammarError
from agent.proposers.offline.mechanism import Mechanism, Term, mechanism_of
from agent.proposers.offline.plans import Plan, plan, skeleton
from agent.proposers.offline.write import write
from tools.types import STAGES, Programs, Task

GOOD = 0.7
"""Score from which the joints of the best node are taken to be right."""

ATTEMPTS = 50
"""Draws after which a random proposer takes the grammar for exhausted."""

Written = tuple[Programs | None, str, float | None]
"""Programs, why they are tried, and their log-posterior; or None and why a mechanism cannot be
written."""

_EXHAUSTED = "the offline proposer has no further idea about these frames"


class OfflineProposer:
    """Searches the grammar of ``agent.proposers.offline.mechanism``. Deterministic: ``rng`` is not
    used. hint: what a person says of the scene; it raises the prior of what it names.

    The plan of a task is made once and kept while the same task is asked about.
    """

    name = "offline"
    plentiful = True

    def __init__(self, hint: str = ""):
        self.hint = hint
        self._task: Task | None = None
        self._plan: Plan | None = None

    def plan(self, task: Task) -> Plan:
        """What the grammar makes of the visible frames."""
        if self._task is not task or self._plan is None:
            self._task, self._plan = task, plan(task, self.hint)
        return self._plan

    def propose(
        self, task: Task, archive: Archive, move: Move, rng: np.random.Generator
    ) -> Proposal:
        """The next draft, or the best untried edit of ``move.parent``."""
        plan, known = (
            self.plan(task),
            {fingerprint(node.candidate.programs) for node in archive.nodes} | archive.screened,
        )
        parent = None if move.parent is None else archive[move.parent]
        refused: list[str] = []
        for programs, why, belief in chain(
            () if parent is None else self._edits(plan, archive, parent),
            self._drafts(plan, archive),
        ):
            if programs is None:
                refused.append(why)
            elif fingerprint(programs) not in known:
                stages = _changed(programs, parent)
                return Proposal(programs, _beside(why, refused), stages, belief=belief)
        others = (
            node
            for node in archive.nodes
            if node.id != move.parent and node.evaluation.status == "ok"
        )
        if any(
            programs is not None and fingerprint(programs) not in known
            for node in others
            for programs, _, _ in self._edits(plan, archive, node)
        ):
            return Proposal(
                None,
                "every draft has been tried"
                if parent is None
                else f"every edit of node {parent.id} has been tried",
                closed=True,
            )
        return Proposal(None, _EXHAUSTED, exhausted=True)

    def _edits(self, plan: Plan, archive: Archive, node: Node) -> Iterator[Written]:
        """Whole candidates that differ from a node that ran in one thing, best first. Once the best
        does not fall short, only it is built on."""
        mechanism = mechanism_of(node.candidate.programs.dynamics)
        if mechanism is None or node.evaluation.failure is not None:
            return
        if node is not archive.best and (not _falls_short(archive) or is_void(node)):
            return
        refuted, good = _refuted(archive), _good(archive)
        for edit in edits(node, mechanism, plan):
            if not _causes(edit.mechanism) - _causes(mechanism) & refuted and not any(
                _less(edit.mechanism, other) for other in good
            ):
                belief = plan.belief(edit.mechanism, mechanism, node.candidate.belief)
                fresh, why, belief = _written(edit.mechanism, edit.why, plan, belief)
                yield None if fresh is None else _edited(node, fresh, edit), why, belief

    def _drafts(self, plan: Plan, archive: Archive) -> Iterator[Written]:
        """Other structures, best first; they come after edits because there is always another. None
        where the best forecasts all that can be told: only its drawing can get better."""
        if archive.best is not None and within_error(archive.best):
            return
        stuck = _falls_short(archive)
        done, good = _settled(archive), _good(archive)
        for draft in plan.drafts:
            if (
                (stuck or not draft.far)
                and skeleton(draft.mechanism) not in done
                and not any(_less(draft.mechanism, other) for other in good)
            ):
                yield _written(draft.mechanism, draft.why, plan, draft.belief)


def _written(mechanism: Mechanism, why: str, plan: Plan, belief: float | None = None) -> Written:
    """The programs of a mechanism and why it is tried, or None and why it cannot be written."""
    try:
        return write(mechanism, plan.evidence.said), why, belief
    except GrammarError as refusal:
        return None, str(refusal), None


def _beside(why: str, refused: list[str]) -> str:
    """A rationale that also tells what was left out."""
    if not refused:
        return why
    return (
        f"{why} Left out before it, as it cannot be written: {'; '.join(dict.fromkeys(refused))}."
    )


def _falls_short(archive: Archive) -> bool:
    return archive.best is None or archive.best.score < SHORT


def _causes(mechanism: Mechanism) -> set[tuple]:
    """What an edit may add: terms by kind and bodies, and the way of stepping and drawing."""
    return {(t.kind, t.bodies) for t in mechanism.terms} | {
        ("by", mechanism.integrator),
        ("drawn", mechanism.drawing),
    }


def _settled(archive: Archive) -> set[tuple]:
    """Bodies and joints whose motion is explained."""
    nodes = [node for node in archive.nodes if node.evaluation.status == "ok" and settled(node)]
    return {
        skeleton(mechanism)
        for node in nodes
        if (mechanism := mechanism_of(node.candidate.programs.dynamics)) is not None
    }


def _good(archive: Archive) -> list[Mechanism]:
    """Mechanisms that predict well."""
    found = (
        mechanism_of(node.candidate.programs.dynamics)
        for node in archive.nodes
        if node.evaluation.status == "ok" and node.score >= GOOD
    )
    return [mechanism for mechanism in found if mechanism is not None]


def _less(mechanism: Mechanism, other: Mechanism) -> bool:
    """Whether it is the other one without some of its walls and collisions. Where that one predicts
    well, frames seen cannot tell the two apart: such a wall is expected, and nothing has met it
    yet."""
    own, others = ({_term(t) for t in m.terms} for m in (mechanism, other))
    return (
        own < others
        and {kind for kind, *_ in others - own} <= {"wall", "collide"}
        and skeleton(mechanism) == skeleton(other)
    )


def _term(term: Term) -> tuple:
    """What a term is, but for its numbers; walls by their direction."""
    return (term.kind, term.bodies, *(round(term.numbers.get(axis, 0.0)) for axis in ("nx", "ny")))


def _refuted(archive: Archive) -> set[tuple]:
    """Causes that were added once, alone, and made the prediction worse or came to nothing."""
    refuted: set[tuple] = set()
    for node in archive.nodes:
        if node.candidate.parent is None or node.evaluation.status != "ok":
            continue
        parent = archive[node.candidate.parent]
        before, after = (mechanism_of(n.candidate.programs.dynamics) for n in (parent, node))
        worse = node.score < parent.score - 0.005 or (is_void(node) and not is_void(parent))
        if before is not None and after is not None and worse:
            added = _causes(after) - _causes(before)
            if len(added) == 1:
                refuted |= added
    return refuted


def _edited(node: Node, fresh: Programs, edit: Edit) -> Programs:
    """The stages that the edit touches; the parent's other files are kept to the letter."""
    stages = set(edit.stages) | {"dynamics"}  # the dynamics file carries the mechanism
    return Programs(
        *(fresh[stage] if stage in stages else node.candidate.programs[stage] for stage in STAGES)
    )


def _changed(programs: Programs, parent: Node | None) -> tuple[str, ...]:
    if parent is None:
        return STAGES
    return tuple(stage for stage in STAGES if programs[stage] != parent.candidate.programs[stage])


class RandomProposer(OfflineProposer):
    """Drafts drawn at random from the same grammar: a structure with causes, and up to two edits of
    it. It reads no evaluation, and is what a search led by evidence and diagnosis has to beat at
    equal budget."""

    name = "random"
    plentiful = False

    def propose(
        self, task: Task, archive: Archive, move: Move, rng: np.random.Generator
    ) -> Proposal:
        """A fresh draft, whatever the move."""
        plan, known = (
            self.plan(task),
            {fingerprint(node.candidate.programs) for node in archive.nodes},
        )
        for _ in range(ATTEMPTS):
            mechanism = plan.drafts[rng.integers(len(plan.drafts))].mechanism
            for _ in range(rng.integers(3)):
                choices = [edit.mechanism for edit in variations(mechanism)]
                mechanism = choices[rng.integers(len(choices))]
            programs, _, _ = _written(mechanism, "", plan)
            if programs is not None and fingerprint(programs) not in known:
                return Proposal(
                    programs, "Drawn at random from what the grammar says of these frames.", STAGES
                )
        return Proposal(None, _EXHAUSTED, exhausted=True)
