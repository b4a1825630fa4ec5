"""The proposer that repeats a recorded run: no key, no network, nothing spent.

Where answers were waited for, the same search lets the same things enter in the same order
(agent.search.flow). Otherwise a move is answered in one of three ways, the first that applies:

1. *exact*: the recorded proposal was made for this very question: for the same move on the same
   programs, by the same number of candidates before it. Such a replay of an unchanged search gives
   the same tree, byte for byte.
2. *same question*: another search (policy, threshold, seed) asks to draft anew, or to work on the
   same programs in the same way; the first recorded answer to that which this search has not used
   yet is given.
3. *nearest*: an unused recorded answer to another question of the same kind; then any unused one.
   Its whole files are given, as they stand.

When every recorded answer has been used the proposer is exhausted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from agent.config import SearchConfig
from agent.core.protocols import Archive, Cost, Move, Proposal
from agent.core.screen import fingerprint
from agent.models.errors import ModelError
from agent.models.messages import Request
from agent.models.recording import Exchange, Recording
from agent.prompting.mask_questions import asker
from agent.proposers.llm import INDEX, settings
from agent.run import records, store, story
from agent.run.runfolder import RunFolder, read_programs
from agent.run.script import Script
from tools.errors import UsageError
from tools.types import Task

if TYPE_CHECKING:
    from tools.vision.check import Ask


@dataclass(frozen=True)
class Recorded:
    """A proposal of an earlier run. place: how many candidates that run had before it. parent:
    fingerprint of the programs it was made from, or None for a draft."""

    place: int
    move: Move
    parent: str | None
    proposal: Proposal


class ReplayProposer:
    """Answers from the proposals of an earlier run, in their order.

    answers: in order of proposal, those with no programs included. ask: the recorded verdicts on
    masks, None when that run had none. run: where they come from, None where nobody was waited for
    there.
    """

    name = "replay"

    def __init__(
        self, answers: Sequence[Recorded], ask: Ask | None = None, run: RunFolder | None = None
    ):
        self.answers, self.ask, self._run = tuple(answers), ask, run

    def __repr__(self) -> str:
        return f"ReplayProposer({len(self.answers)} recorded proposals)"

    def script(self, policy: str, seed: int) -> Script | None:
        """What enters when, where answers were waited for in that run and the search is the same:
        then the order in which they came is part of what is repeated."""
        if self._run is None:
            return None
        with store.reading(self._run.trace):
            theirs = SearchConfig.from_json(self._run.first()["config"])
        if (theirs.policy, theirs.seed) != (policy, seed):
            return None
        script = Script.of(story.read(self._run.trace), self._run.load_proposal)
        return script if script.waited else None

    def propose(
        self, task: Task, archive: Archive, move: Move, rng: np.random.Generator
    ) -> Proposal:
        """The recorded answer that fits best, at no cost."""
        parent = (
            None if move.parent is None else fingerprint(archive[move.parent].candidate.programs)
        )
        exact = self._exact(archive, move, parent)
        if exact is not None:
            return _free(exact.proposal)
        unused = self._unused(archive)
        for fits, words in _TIERS:
            for answer in unused:
                if fits(answer, move, parent):
                    return replace(
                        _free(answer.proposal), rationale=_told(answer.proposal.rationale, words)
                    )
        return Proposal(
            None, f"all {len(self.answers)} recorded proposals have been used", (), exhausted=True
        )

    def _exact(self, archive: Archive, move: Move, parent: str | None) -> Recorded | None:
        """The answer recorded for this question: same number of candidates before it, same move,
        same programs; after as many refusals as this search has seen since its last candidate."""
        here = [a for a in self.answers if a.place == len(archive.nodes)]
        refused = _refused_here(self.answers, archive)
        answer = here[refused] if refused < len(here) else None
        fits = (
            answer is not None
            and answer.move.kind == move.kind
            and answer.move.stage == move.stage
            and answer.parent == parent
        )
        return answer if fits else None

    def _unused(self, archive: Archive) -> list[Recorded]:
        """Recorded answers with programs that this search does not have yet."""
        known = {fingerprint(node.candidate.programs) for node in archive.nodes}
        return [
            a
            for a in self.answers
            if a.proposal.programs is not None and fingerprint(a.proposal.programs) not in known
        ]


_TIERS: tuple[tuple[Callable[[Recorded, Move, str | None], bool], str], ...] = (
    (lambda a, move, parent: a.move.kind == move.kind and a.parent == parent, ""),
    (lambda a, move, parent: a.move.kind == move.kind, "recorded as an answer to another question"),
    (lambda a, move, parent: True, "recorded as an answer to another kind of question"),
)
"""From the same question to any: which answers fit, and what to say about it."""


def _refused_here(answers: Sequence[Recorded], archive: Archive) -> int:
    """How many refusals this search has had for the candidate that it asks for now."""
    before = sum(1 for a in answers if a.place < len(archive.nodes) and a.proposal.programs is None)
    return max(0, len(archive.declined) - before)


def _free(proposal: Proposal) -> Proposal:
    return replace(proposal, cost=Cost())


def _told(rationale: str, words: str) -> str:
    return f"{rationale} ({words})" if words else rationale


def open_run(config: SearchConfig) -> ReplayProposer:
    """A replay of the run that the configuration names. Raises UsageError when there is no such
    run."""
    if not config.model.replay:
        raise UsageError("replay", "the folder of a run to repeat", "none", "pass --from RUN")
    folder = RunFolder(config.model.replay)
    return ReplayProposer(recorded(folder), recorded_verdicts(folder), folder)


def recorded_verdicts(folder: RunFolder) -> Ask | None:
    """What the model of a run said of masks, as a verdict function; None where no model was asked
    (a replay of a replay asks none: it would lead to a folder that only the run names). What it was
    not asked then is left to the measurements."""
    with store.reading(folder.trace):
        config = SearchConfig.from_json(folder.first()["config"])
    if config.proposer not in ("llm", "both") or not config.model.check:
        return None
    recording = Recording(folder.store, folder.path / INDEX)

    def answer(request: Request) -> Exchange:
        exchange = recording.find(request)
        if exchange is None:
            raise ModelError(
                str(folder.path), "a recorded answer", "none", "replay only what the run had asked"
            )
        return exchange

    return asker(settings(config), answer)


def recorded(folder: RunFolder) -> list[Recorded]:
    """Every proposal and refusal of a run, in order."""
    marks = {
        node_id: fingerprint(read_programs(folder.node(node_id))) for node_id in folder.node_ids()
    }
    refusals = [
        (int(event["node"]), *records.load_proposal(event, None))
        for event in folder.events("declined")
    ]
    accepted = [(place, *folder.proposal(node_id)) for place, node_id in enumerate(marks)]
    ordered = sorted(
        [*refusals, *accepted], key=lambda entry: entry[0]
    )  # stable: refusals come before what was accepted
    return [
        Recorded(place, move, None if move.parent is None else marks.get(move.parent), proposal)
        for place, proposal, move in ordered
    ]
