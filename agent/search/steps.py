"""A search from start to end: ``run`` and ``resume``. Everything that happens is on disk before it
is used.

Resuming is running again: the same steps are taken in the same order, and each finds its result in
the run folder instead of making it. What a step decides depends on earlier results and on a seed
derived from (run seed, node id), never on the clock or on the order in which workers finish, so the
resumed run ends like the uninterrupted one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from agent import proposers, versions
from agent.config import Grants, SearchConfig, granted
from agent.core import affordances
from agent.core import policy as policies
from agent.core.archive import Choice, NodeArchive
from agent.core.diagnosis import diagnose
from agent.core.protocols import (
    Cost,
    Known,
    Move,
    Node,
    Paying,
    Plentiful,
    Proposal,
    Proposer,
    Seeing,
    Waiting,
)
from agent.core.readying import notes, readied
from agent.core.screen import complexity, duplicate, fingerprint
from agent.core.split import Split, validation
from agent.evaluation.evaluate import Evaluator
from agent.evaluation.foretelling import HOPELESS, confirmed
from agent.evaluation.jobs import TOLD_CLIPS
from agent.evaluation.pace import Step
from agent.evaluation.remembered import Remembered
from agent.plain import clean, private
from agent.run import records, store, story, trace
from agent.run.mending import mend
from agent.run.runfolder import RunFolder, check_new
from agent.run.script import Directing, Script
from agent.run.shared import SharedStore
from agent.run.shared import key as shared_key
from agent.run.store import Store, digest
from agent.search.callbacks import Callbacks
from agent.search.flow import MAX_DECLINED, PENDING, UNREAD, Flow
from agent.search.outcome import (
    EXPLAINED,
    NEVER,
    THRESHOLD,
    RunResult,
    Spent,
    conclude,
    ended,
    finished,
    publish,
)
from sandbox import Sandbox, doctor
from sandbox.contract import Box
from tools import backing
from tools.errors import Interrupted, ProggenError, UsageError
from tools.types import STAGES, Candidate, Evaluation, HeldBack, Programs, Task

SCORING = 6
"""How candidates are scored: 1 = one cut of the visible frames, 2 = several origins and a last part
that nobody is shown, 3 = origins weighed by what moves there, values that few frames leave open
taken from later ones, 4 = near ties on camera pictures decided by belief, 5 = and ties of drawings
on whole pixels, 6 = and all others. A run is resumed under its own only."""

WELL = 0.5
"""Score of the best from which others are looked at by a short fit first."""

MOST_SCREENED = 3
"""Candidates left out after a short fit, as a multiple of the budget; after that all are fitted."""

_NO_KEY = proposers.Access()
_NO_GRANTS = Grants()
_NO_CALLBACKS = Callbacks()

OnEvent = Callable[[Mapping[str, Any]], None]
Opened = Callable[[SearchConfig], AbstractContextManager[Box]]
"""Opens the place where programs run."""


def here(config: SearchConfig) -> AbstractContextManager[Box]:
    """Sandbox servers on this machine."""
    return Sandbox(config.workers, config.sandbox)


def run(
    task: Task,
    held_back: HeldBack,
    config: SearchConfig,
    *,
    proposer: Proposer,
    out: str | Path,
    on_event: OnEvent | None = None,
    opened: Opened = here,
    shared: SharedStore | None = None,
    callbacks: Callbacks = _NO_CALLBACKS,
) -> RunResult:
    """Search programs for ``task`` and write everything to the new folder ``out``.

    held_back is compared with the final prediction and goes nowhere else. on_event: called with
    every event of the trace as it is written, and with "evaluating" and "step" of a node. opened:
    opens the place where programs run (here, or agent.cluster.box on other machines). shared: what
    other runs have computed, and where this one leaves what it computes. callbacks: called with
    nodes. Raises UsageError (bad input), StorageError (disk), SandboxError, Interrupted (Ctrl-C).
    """
    check_new(out)
    policies.named(config.policy)
    kept = Store(Path(out) / "store")
    task = _ready(task, on_event)
    split = validation(task, config.evaluation.validation)
    saved = {
        "task": records.save_task(kept, task),
        "held_back": records.save_held_back(kept, held_back),
    }
    first = {
        "event": "run",
        "config": config.portable(),
        **saved,
        "versions": versions.known(),
        "scoring": SCORING,
        "time": time.time(),
    }
    folder, inputs = RunFolder.create(out, first), Inputs(task, held_back, split)
    with folder.alone():
        return _go(folder, inputs, config, proposer, on_event, opened, shared, callbacks)


def _ready(task: Task, on_event: OnEvent | None) -> Task:
    """The task as it is worked on; whoever looks on is told what was done to its clips."""
    ready = readied(task)
    if on_event is not None:
        for line in notes(ready, task):
            on_event({"event": "noted", "line": line})
    return ready


def resume(
    path: str | Path,
    *,
    proposer: Proposer | None = None,
    secrets: proposers.Access = _NO_KEY,
    grants: Grants = _NO_GRANTS,
    workers: int | None = None,
    budget: int | None = None,
    threshold: float | None = None,
    on_event: OnEvent | None = None,
    tell: Callable[[str], None] = lambda line: None,
    opened: Opened = here,
    shared: SharedStore | None = None,
    callbacks: Callbacks = _NO_CALLBACKS,
) -> RunResult:
    """Go on with a run that was stopped in any way; a finished one only gives its result, unless
    its limits are raised. What is damaged is made again.

    proposer: None makes the one that the run was started with, with ``secrets`` where it needs a
    key. grants: what the run's folder may not decide (agent.config.Grants). workers: as in
    ``grants``. budget, threshold: higher limits; the run ends as one that had them from the start.
    tell: is told, before anything runs, what was mended and where the run's own settings are not
    used. opened, shared, callbacks: as for ``run``. Raises UsageError where limits would change
    nothing or a grant is missing, RunError when another process is at work on the run.
    """
    folder = RunFolder(path)
    with folder.alone():
        for line in mend(folder):
            tell(f"mended: {line}")
        if folder.result() is None or budget is not None or threshold is not None:
            _check_scoring(folder)
        _raise_limits(folder, budget, threshold)
        done = finished(folder)
        if done is not None:
            return done
        given = replace(grants, workers=workers or grants.workers)
        inputs, config = _recalled(folder, given, tell, own=proposer is not None)
        mine = proposer or proposers.make(config, folder.store, secrets)
        _tell_notes(mine, tell)
        return _go(folder, inputs, config, mine, on_event, opened, shared, callbacks)


def _tell_notes(proposer: Proposer, tell: Callable[[str], None]) -> None:
    for line in proposer.notes if isinstance(proposer, Waiting) else ():
        tell(line)


def _raise_limits(folder: RunFolder, budget: int | None, threshold: float | None) -> None:
    before = _settings(folder)
    after = replace(
        before,
        budget=before.budget if budget is None else budget,
        threshold=before.threshold if threshold is None else threshold,
    )
    for name in trace.LIMITS:
        if getattr(after, name) < getattr(before, name):
            raise UsageError(
                f"--{name}",
                f"at least the {getattr(before, name):g} that the run had",
                f"{getattr(after, name):g}",
            )
    done = folder.result()
    if after == before:
        return
    if done is not None and done["score"] >= after.threshold:
        raise UsageError(
            "--threshold",
            f"more than the score {done['score']:.4g} that was reached",
            f"{after.threshold:g}",
            "above 1 = never stop early",
        )
    if done is not None and done["evaluations"] >= after.budget:
        raise UsageError(
            "--budget", f"more than the {done['evaluations']} evaluations made", str(after.budget)
        )
    if done is not None and _of_itself(done, after) and done["evaluations"] < before.budget:
        raise UsageError(
            "--budget",
            "a search that its budget ended",
            f"one that ended of itself after {done['evaluations']} of {before.budget} evaluations",
            f"a larger budget changes nothing: {done['reason'].partition('; ')[0]}",
        )
    folder.extend(after.budget, after.threshold)


def _of_itself(done: Mapping[str, Any], after: SearchConfig) -> bool:
    """Whether a search that is over would end in the same place under other limits."""
    if done["status"] == EXPLAINED:
        return after.threshold <= NEVER
    return done["status"] != THRESHOLD


@contextmanager
def reopened(path: str | Path) -> Iterator[Search]:
    """The steps of a run on disk, with a sandbox of their own, for somebody else's scheduler."""
    folder = RunFolder(path)
    with folder.alone():
        mend(folder)
        inputs, config = _recalled(folder, _NO_GRANTS)
        with Sandbox(config.workers, config.sandbox) as sandbox:
            yield Search(
                folder, inputs, config, proposers.make(config, folder.store), sandbox, None
            )


@dataclass(frozen=True)
class Inputs:
    """What a search works on. split: visible frames only."""

    task: Task
    held_back: HeldBack
    split: Split


def _settings(folder: RunFolder) -> SearchConfig:
    with store.reading(folder.trace):
        return SearchConfig.from_json(folder.settings())


def _recalled(
    folder: RunFolder,
    grants: Grants,
    tell: Callable[[str], None] = lambda line: None,
    own: bool = False,
) -> tuple[Inputs, SearchConfig]:
    """What a run was started with, from the first line of its trace, as far as ``grants`` let it.
    own: a proposer is there already, so that none is made from these settings."""
    _check_scoring(folder)
    said = _settings(folder)
    config, differences = granted(replace(said, proposer="offline") if own else said, grants)
    task = folder.task()
    inputs = Inputs(task, folder.held_back(task), validation(task, config.evaluation.validation))
    for line in differences:
        tell(line)
    return inputs, replace(config, proposer=said.proposer)


def _check_scoring(folder: RunFolder) -> None:
    """Raise UsageError for a run whose candidates were scored in another way."""
    with store.reading(folder.trace):
        first = folder.first()
        theirs = first.get("scoring", 1)
        made = clean(str(first.get("versions", {}).get("proggen-agent", "an unknown version")))[:40]
    if theirs == SCORING:
        return
    theirs = clean(str(theirs))[:40]
    raise UsageError(
        str(folder.path),
        f"a run with scoring {SCORING}",
        f"{theirs}, so scores before and after would not compare",
        f"resume it with the proggen-agent that began it ({made}), or search anew; "
        "`run-agent trace` and `predict` read it as it is",
    )


def _go(
    folder: RunFolder,
    inputs: Inputs,
    config: SearchConfig,
    proposer: Proposer,
    on_event: OnEvent | None,
    opened: Opened,
    shared: SharedStore | None,
    callbacks: Callbacks,
) -> RunResult:
    backing.hand_back()
    with opened(config) as sandbox:
        from agent.search import (
            graph,
        )  # LangGraph takes a second to import, in which the sandbox warms up

        search = Search(folder, inputs, config, proposer, sandbox, on_event, shared, callbacks)
        try:
            return graph.execute(search, folder.checkpoint, config.budget)
        except KeyboardInterrupt:
            raise Interrupted(f"stopped; {_go_on(folder)}") from None
        except ProggenError as error:
            if "run-agent resume" not in str(error):
                error.args = (f"{error}; {_go_on(folder)}",)
            raise
        finally:
            search.close()


def _go_on(folder: RunFolder) -> str:
    return f"everything so far is in {folder.path}; go on with `run-agent resume {folder.path}`"


@dataclass(frozen=True)
class Attempt:
    """One answer of the proposer, as it was stored."""

    proposal: Proposal
    move: Move


class Search:
    """The steps that the graph schedules. Holds the archive; the run folder holds everything
    else."""

    def __init__(
        self,
        folder: RunFolder,
        inputs: Inputs,
        config: SearchConfig,
        proposer: Proposer,
        sandbox: Box,
        on_event: OnEvent | None,
        shared: SharedStore | None = None,
        callbacks: Callbacks = _NO_CALLBACKS,
    ):
        self.folder, self.inputs, self.task, self.config = folder, inputs, inputs.task, config
        self._guiding = inputs.split.guiding  # all that a proposer may see
        self.archive = NodeArchive(tolerance=config.tolerance)
        self.cost = Cost()
        self.stopped, self.exhausted, self.reached = "", False, False
        self._proposer, self.policy = proposer, policies.named(config.policy)
        self._rules = affordances.of(config.rules)
        self._sandbox = sandbox
        ask = proposer.ask if isinstance(proposer, Seeing) else None
        self._decides = {} if shared is None else _deciding(folder, config)
        perceptions = {name: self._decides.get(name) for name in ("sandbox", "versions")}
        self._evaluator = Evaluator(
            inputs.task,
            inputs.split,
            sandbox,
            config.evaluation,
            folder.store.put,
            ask,
            None if shared is None else Remembered(shared, perceptions),
        )
        self._shared = None if ask is not None else shared  # a model's verdicts are its own
        self._writer, self._on_event = trace.Writer(folder.trace), on_event
        self._callbacks = callbacks
        self._refusals = _refusals(folder)
        self._best: str | None = None
        self._confirmed: set[str] = set()
        self._clock = _Clock(_seconds_so_far(folder))
        self._remembered: list[dict[str, Any]] = []
        self._flow = self._flowing()

    def _flowing(self) -> Flow | None:
        """How candidates come where somebody is waited for, or was in the run that is repeated;
        None where they come in rounds."""
        proposer = self._proposer
        if isinstance(proposer, Waiting):
            script = Script.of(story.read(self.folder.trace), self.folder.load_proposal)
            self._begin(proposer)
            return Flow(self, proposer, script, self._guiding)
        if not isinstance(proposer, Directing):
            return None
        given = proposer.script(self.config.policy, self.config.seed)
        return None if given is None else Flow(self, None, given, self._guiding)

    def _begin(self, proposer: Waiting) -> None:
        """Tell the proposer what is known, and what it remembered where this is not the first
        session."""
        told = next(self.folder.events("remembered"), None)
        begun = next(self.folder.events("observed"), None) is not None
        before = () if told is None and begun else None if told is None else told["entries"]
        known = Known(self._guiding, self._evaluator.summary(), self._evaluator.measure, before)
        self._remembered = [dict(entry) for entry in proposer.begin(known)]

    def close(self) -> None:
        """Let go of what is still at work."""
        if self._flow is not None:
            self._flow.close()

    # ----------------------------------------------------------------------------------------------

    def observe(self) -> None:
        """Write down what is known before the first proposal."""
        if self._remembered:
            self.tell({"event": "remembered", "entries": self._remembered})
        self.tell({"event": "observed", **self._evaluator.summary()})

    def propose(self) -> list[str]:
        """Ask for the candidates of one round; their ids. An empty round means that there is
        nothing more to say. Where answers are waited for, those that are evaluated already."""
        if self._flow is not None:
            return self._flow.advance()
        room = min(self.config.batch, self.config.budget - len(self.archive))
        ids: list[str] = []
        tries = vain = 0
        while len(ids) < room and not self.stopped:
            node_id = str(len(self.archive))
            attempt = self._attempt(node_id, tries)
            self.cost += attempt.proposal.cost
            if attempt.proposal.programs is None:
                tries, vain = tries + 1, vain + self._in_vain(attempt)
                self._decline(node_id, tries, vain, attempt)
            else:
                tries = vain = 0
                self._accept(node_id, attempt)
                ids.append(node_id)
        return ids

    def evaluate(self, ids: list[str]) -> None:
        """Evaluate the candidates of a round, several at a time; results do not depend on how
        many."""
        if self._flow is not None:
            done = [self._flow.evaluation(node_id) for node_id in ids]
        else:
            with ThreadPoolExecutor(self.config.workers) as pool:
                done = list(pool.map(self.evaluated, ids))
        for node_id, evaluation in zip(ids, done, strict=True):
            self.archive = self.archive.added(replace(self.archive[node_id], evaluation=evaluation))

    def diagnose(self, ids: list[str]) -> None:
        """Read every new evaluation."""
        for node_id in ids:
            diagnosis = self.folder.load_diagnosis(node_id)
            if diagnosis is None:
                diagnosis = diagnose(self.archive[node_id].evaluation)
                self.folder.save_diagnosis(node_id, diagnosis)
            self.archive = self.archive.added(replace(self.archive[node_id], diagnosis=diagnosis))

    def record(self, ids: list[str]) -> bool:
        """Tell the story of a round; whether the search is over."""
        for node_id in ids:
            self._tell_node(self.archive[node_id])
            self._tell_leader(int(node_id) + 1 if self._flow is None else len(self.archive))
        self.reached = ended(self.archive.best, self.config.threshold) != ""
        done = [node for node in self.archive.nodes if node.evaluation is not PENDING]
        over = self.reached or bool(self.stopped) or len(done) >= self.config.budget
        return over and len(done) == len(self.archive)

    def _tell_leader(self, count: int) -> None:
        """Tell which of the first ``count`` nodes leads, if that is another than before."""
        choice = self._leader(count)
        if choice is not None and choice.node.id != self._best:
            self._best = choice.node.id
            tied = [node.id for node in choice.tied] if choice.by_belief else []
            event = {"event": "best", "node": choice.node.id, "score": choice.node.score}
            self.tell({**event, "tied": tied, "by_belief": choice.by_belief})

    def _leader(self, count: int) -> Choice | None:
        """The best of the first ``count`` nodes, once its forecast of the part that nobody was
        shown is known; one that does worse there may give way to another, which is then looked at
        in the same way. Nodes are counted one by one, so that it does not matter where rounds end.
        """
        while True:
            first = self.archive.nodes[:count]
            choice = NodeArchive(first, tolerance=self.archive.tolerance).choice
            if choice is None or choice.node.id in self._confirmed:
                return choice
            self._confirm(choice.node)

    def _confirm(self, node: Node) -> None:
        self._confirmed.add(node.id)
        last = self.folder.load_last(node.id)
        if last is None:
            seed = node_seed(self.config.seed, node.id)
            programs, values = node.candidate.programs, node.evaluation.values
            last = private(self._evaluator.confirm(programs, values, seed))
            self.folder.save_last(node.id, last)
        if last:
            after = confirmed(node.evaluation, last)
            self.archive = self.archive.added(replace(node, evaluation=after))
            self.tell({"event": "confirmed", "node": node.id, "score": after.score, "last": last})

    def finish(self) -> RunResult:
        """Refit the best programs on everything visible, predict, compare with what was held back,
        write the results."""
        held_back = self.inputs.held_back
        self.announce({"event": "finishing"})
        if self._flow is not None:
            self._flow.leave()
        conclusion = conclude(
            self.task,
            held_back,
            self.archive,
            self._evaluator,
            self.config,
            self.stopped,
            self.exhausted,
        )
        spent = Spent(
            self._clock.seconds(),
            self._proposer.spent if isinstance(self._proposer, Paying) else self.cost,
        )
        conclusion = replace(conclusion, sandbox=doctor.record(self._sandbox))
        return publish(conclusion, held_back, self.folder, spent, self.tell)

    # ----------------------------------------------------------------------------------------------

    def _attempt(self, node_id: str, tries: int) -> Attempt:
        """Answer number ``tries`` to the question for ``node_id``: the stored one, or a new one
        that is stored at once."""
        refusal, stored = (
            self._refusals.get((node_id, tries + 1)),
            self.folder.load_proposal(node_id),
        )
        if refusal is not None:
            return Attempt(*records.load_proposal(refusal, None))
        if stored is not None:
            return Attempt(*stored)
        rng = self._rng(node_id, tries)
        move = self.policy.choose(self.archive, rng)
        self.announce(
            {
                "event": "proposing",
                "node": node_id,
                "move": move.kind,
                "parent": move.parent,
                "stage": move.stage,
            }
        )
        said = self._proposer.propose(self._guiding, self.archive, move, rng)
        proposal = replace(private(replace(said, programs=None)), programs=said.programs)
        proposal = self._screened(node_id, proposal)
        if proposal.programs is not None:
            self.folder.save_proposal(node_id, proposal, move)
        return Attempt(proposal, move)

    def _screened(self, node_id: str, proposal: Proposal) -> Proposal:
        """What was proposed; without its programs, where a short fit forecasts no better than a
        still picture while the best does well."""
        best, programs = self.archive.best, proposal.programs
        plenty = isinstance(self._proposer, Plentiful) and self._proposer.plentiful
        if not plenty or programs is None or best is None or best.score < WELL:
            return proposal
        if len(self.archive.screened) >= MOST_SCREENED * self.config.budget:
            return proposal
        mark = fingerprint(programs)
        known = self.archive.fingerprints()
        score = None if mark in known else self._sketch(node_id, programs)
        if score is None or score >= HOPELESS:
            return proposal
        why = f"after a short fit it scores {score:.2f}, and node {best.id} {best.score:.2f}"
        return replace(
            proposal, programs=None, rationale=f"{why}: {proposal.rationale}", screened=mark
        )

    def _sketch(self, node_id: str, programs: Programs) -> float | None:
        return self._evaluator.sketched(programs, node_seed(self.config.seed, node_id))

    def _in_vain(self, attempt: Attempt) -> bool:
        """Whether an answer without programs led nowhere: it neither closed another node nor spared
        a fit."""
        said = attempt.proposal
        closes = said.closed and attempt.move.parent not in self.archive.closed
        return not said.screened and not closes

    def _rng(self, node_id: str, tries: int) -> np.random.Generator:
        return np.random.default_rng(
            np.random.SeedSequence(self.config.seed, spawn_key=(int(node_id), tries))
        )

    def enter(self, node_id: str, proposal: Proposal, move: Move, ticket: int | None) -> None:
        """Store what was proposed, and make a node of it."""
        self.cost += proposal.cost
        stored = self.folder.load_proposal(node_id)
        if stored is None or stored != (proposal, move):
            if stored is None or stored[0].programs != proposal.programs:
                self.folder.drop_outcome(node_id)
            self.folder.save_proposal(node_id, proposal, move)
        self._accept(node_id, Attempt(proposal, move), ticket)

    def _accept(self, node_id: str, attempt: Attempt, ticket: int | None = None) -> None:
        proposal, move = attempt.proposal, attempt.move
        programs, origin = proposal.programs, proposal.origin or self._proposer.name
        assert programs is not None, "a refusal is not accepted"
        stages = self._changed(programs, move.parent)
        candidate = Candidate(
            node_id,
            programs,
            move.parent,
            move.kind,
            stages,
            proposal.rationale,
            origin,
            proposal.belief,
        )
        self.archive = self.archive.added(Node(candidate, PENDING, UNREAD))
        saved = records.save_proposal(proposal, move)
        sources = {stage: digest(source.encode()) for stage, source in programs.items()}
        facts = {"origin": origin, "stages": list(stages), "sources": sources, "time": time.time()}
        asked = {} if self._flow is None else {"ticket": ticket}
        self.tell({"event": "proposed", "node": node_id, **asked, **saved, **facts})

    def _changed(self, programs: Programs, parent: str | None) -> tuple[str, ...]:
        """The stages in which ``programs`` differ from their parent's."""
        if parent is None:
            return STAGES
        before = self.archive[parent].candidate.programs
        return tuple(stage for stage, source in programs.items() if source != before[stage])

    def _decline(self, node_id: str, attempt_number: int, vain: int, attempt: Attempt) -> None:
        """Remember an answer without programs. vain: such answers in a row that did not close
        another node at least."""
        self.tell_declined(node_id, attempt_number, attempt.proposal, attempt.move)
        if attempt.proposal.screened:
            self.archive = self.archive.left_out(attempt.proposal.screened)
            return
        self.archive = self.archive.refused(attempt.move, attempt.proposal.closed)
        if attempt.proposal.exhausted:
            self.stopped = attempt.proposal.rationale or "the proposer has nothing more to say"
            self.exhausted = not isinstance(self._proposer, Paying)  # whose cap may be reached
        elif vain >= MAX_DECLINED:
            self.exhausted = True
            self.stopped = (
                f"{MAX_DECLINED} proposals in a row came to nothing; the last: "
                f"{attempt.proposal.rationale}"
            )

    def tell_declined(
        self,
        node_id: str,
        attempt_number: int,
        proposal: Proposal,
        move: Move,
        ticket: int | None = None,
    ) -> None:
        """Put on record that nothing was proposed."""
        self.cost += proposal.cost if self._flow is not None else Cost()
        facts = {"node": node_id, "attempt": attempt_number, "time": time.time()}
        asked = {} if self._flow is None else {"ticket": ticket}
        saved = records.save_proposal(proposal, move)
        self.tell({"event": "declined", **asked, **saved, **facts})

    # ----------------------------------------------------------------------------------------------

    def evaluated(self, node_id: str) -> Evaluation:
        """The evaluation of a node, stored or new; a new one is stored before it is used."""
        evaluation = self.folder.load_evaluation(node_id)
        if evaluation is None or not self._is_ours(evaluation):
            self.announce({"event": "evaluating", "node": node_id})
            evaluation = private(self._evaluate(self.archive[node_id].candidate))
            self.folder.save_evaluation(node_id, evaluation)
        return evaluation

    def _is_ours(self, evaluation: Evaluation) -> bool:
        """Whether an evaluation on disk is about as many frames as this search has."""
        fitted = [len(video) for video in self.inputs.split.fit[:TOLD_CLIPS]]
        judged = [trial.horizon for trial in self.inputs.split.trials]
        told = (
            (evaluation.measured, fitted),
            (evaluation.rolled, fitted),
            (evaluation.predicted, judged),
            (evaluation.remeasured, judged),
        )
        return all([len(one) for one in found] in ([], frames) for found, frames in told)

    def _evaluate(self, candidate: Candidate) -> Evaluation:
        position = int(candidate.id)
        known = NodeArchive(self.archive.nodes[:position]).fingerprints()
        failure = duplicate(candidate.programs, known) or self._rules.check(candidate.programs)
        if failure is not None:
            return Evaluation("failed", failure=failure, complexity=complexity(candidate.programs))
        seed = node_seed(self.config.seed, candidate.id)

        def tell(step: Step) -> None:
            self.announce({"event": "step", "node": candidate.id, **asdict(step)})

        if self._shared is None:
            return self._evaluator.evaluate(candidate.programs, seed, tell)
        key = shared_key(
            self._decides | {"programs": dict(candidate.programs.items()), "seed": seed}
        )
        found = self._shared.evaluation(key, self.folder.store)
        if found is None:
            found = self._evaluator.evaluate(candidate.programs, seed, tell)
            self._shared.keep(key, found, self.folder.store)
        return found

    # ----------------------------------------------------------------------------------------------

    def _tell_node(self, node: Node) -> None:
        evaluation = node.evaluation.to_json()
        kept = (
            "status",
            "score",
            "losses",
            "failure",
            "params",
            "fit",
            "reasons",
            "frame_errors",
            "origins",
            "complexity",
            "leeway",
            "blobs",
            "timings",
        )
        seconds = self._clock.seconds()
        self.tell(
            {
                "event": "evaluated",
                "node": node.id,
                **{key: evaluation[key] for key in kept},
                "seconds": seconds,
            }
        )
        self.tell({"event": "diagnosed", "node": node.id, **records.save_diagnosis(node.diagnosis)})

    def tell(self, event: dict[str, Any]) -> None:
        backing.trim()
        if self._writer.write(event):
            self.announce(event)
            self._callbacks.take(event, self.archive)

    def announce(self, event: Mapping[str, Any]) -> None:
        if self._on_event is not None:
            self._on_event(event)

    @property
    def seconds(self) -> float:
        """Time spent on this run so far, over all its sessions."""
        return self._clock.seconds()


def _deciding(folder: RunFolder, config: SearchConfig) -> dict[str, Any]:
    """What decides an evaluation beside the candidate and its seed."""
    return {
        "task": next(folder.events("run"))["task"],
        "config": config.portable()["evaluation"],
        "sandbox": config.sandbox,
        "scoring": SCORING,
        "versions": {k: v for k, v in versions.known().items() if k != "platform"},
    }


class _Clock:
    """Seconds since a run began, not counting the time between sessions."""

    def __init__(self, before: float):
        self._before, self._began = before, time.monotonic()

    def seconds(self) -> float:
        return self._before + time.monotonic() - self._began


def node_seed(seed: int, node_id: str) -> int:
    """Seed of everything random in the evaluation of one node."""
    return int(np.random.SeedSequence(seed, spawn_key=(int(node_id), 1 << 20)).generate_state(1)[0])


def _refusals(folder: RunFolder) -> dict[tuple[str, int], dict[str, Any]]:
    return {(event["node"], event["attempt"]): event for event in folder.events("declined")}


def _seconds_so_far(folder: RunFolder) -> float:
    return max((event["seconds"] for event in folder.events("evaluated")), default=0.0)
