"""The proposer that asks a vision-language model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np

import prompts
from agent.checking.detection_check import (
    Missing,
    ModelVerdict,
    check_detections,
    checked_before,
    checked_clip,
    parse_verdicts,
)
from agent.config import SearchConfig
from agent.core import affordances
from agent.core.affordances import Affordances
from agent.core.protocols import Archive, Cost, Finding, Move, Node, Proposal, ProposalRequest
from agent.core.screen import fingerprint, screen
from agent.models.client import Client, ClientConfig, Retry
from agent.models.errors import CapReached, ContextTooLong, ModelError, NoAnswer, RequestRefused
from agent.models.ledger import Caps, Ledger
from agent.models.messages import Form, Message, Reply, Request
from agent.models.prices import AS_OF, Price, price_of
from agent.models.recording import Exchange, Recording
from agent.prompting.compose import LEVELS, PROGRAMS, VERDICTS, Composer, subject
from agent.prompting.mask_questions import asker
from agent.prompting.reading.edits import applied
from agent.prompting.reply import Declined, ReplyError, Written, read_fields, read_programs
from agent.run.store import Store
from tools.errors import UsageError
from tools.types import STAGES, Failure, Programs, Task

if TYPE_CHECKING:
    from pydantic import SecretStr

    from tools.vision.check import Ask

INDEX = "exchanges.jsonl"
"""The recording's index in a run folder, beside its store."""

_ADVICE = {
    "Reply": "Mind the form of the answer: a rationale, then whole files in fenced blocks that "
    "name them.",
    "Duplicate": "These programs have been evaluated already. Write programs that do something "
    "else.",
    "AffordanceRule": "The rules of this scene are not up for change: find another way to say it.",
}
"""What is wrong with an answer that is not handed on when the second one has it too, and what to
say about it."""

_MEND = "Change what the message says, keep the rest."
"""For anything else that the screen finds: such programs are handed on, fail, and may be repaired
later."""


class LLMProposer:
    """Asks a model for programs, gives it one chance to mend an answer that cannot be used, and
    records everything.

    client: carries questions. composer: writes prompts. rules: affordance rules, checked before an
    answer is handed on. check: let the model check the detections of a program before refining it.
    """

    name = "llm"

    def __init__(
        self,
        client: Client,
        composer: Composer,
        rules: Affordances = Affordances(),  # noqa: B008
        check: bool = True,
    ):
        self.client, self.composer, self.rules, self.check = client, composer, rules, check

    def __repr__(self) -> str:
        return f"LLMProposer({self.client!r})"

    @property
    def ask(self) -> Ask | None:
        """The model's verdict on masks made for a program, None when it is not to check
        detections."""
        return asker(self.client.config, self.client.ask) if self.check else None

    @property
    def spent(self) -> Cost:
        """Everything paid in this run, over all its sessions."""
        return self.client.ledger.spent

    def propose(
        self, task: Task, archive: Archive, move: Move, rng: np.random.Generator
    ) -> Proposal:
        """Programs for ``move``, or why there are none. Raises WrongKey and Unreachable: the run
        stops there, nothing is lost, and it can be resumed."""
        turn = _Turn(self, task, archive, move, int(rng.integers(1 << 31)))
        try:
            return turn.answer()
        except CapReached as error:
            return turn.nothing(str(error), error.cost, exhausted=True)
        except (ContextTooLong, NoAnswer, RequestRefused) as error:
            return turn.nothing(str(error), error.cost)
        except (Declined, ReplyError) as error:
            return turn.nothing(str(error))

    def prepare(self, task: Task, questions: Sequence[ProposalRequest], workers: int) -> None:
        """Ask the first question of each of several proposals at once; the replies are recorded,
        and ``propose`` finds them. What cannot be asked now is left to ``propose``."""
        self.composer.appearance(subject(task)).pictures(LEVELS[0])
        with ThreadPoolExecutor(max(1, min(workers, len(questions)))) as pool:
            list(pool.map(lambda question: self._begin(task, question), questions))

    def _begin(self, task: Task, question: ProposalRequest) -> None:
        turn = _Turn(
            self, task, question.archive, question.move, int(question.rng.integers(1 << 31))
        )
        with suppress(ModelError):
            turn.begin()


class _Turn:
    """One proposal in the making: what was asked and answered so far, and what it cost."""

    def __init__(
        self, proposer: LLMProposer, task: Task, archive: Archive, move: Move, sample: int
    ):
        self._client, self._composer, self._rules, self._check = (
            proposer.client,
            proposer.composer,
            proposer.rules,
            proposer.check,
        )
        self._task, self._archive, self._move, self._sample = task, archive, move, sample
        self._parent: Node | None = None if move.parent is None else archive[move.parent]
        self._cost = Cost()
        self._exchanges: list[str] = []
        self._findings: tuple[Finding, ...] = ()

    def answer(self) -> Proposal:
        """The proposal. Raises ReplyError when even the second answer cannot be used."""
        conversation, exchange = self.begin()
        written, problem = self._read(exchange.answer, Written(""))
        if problem is not None:
            whole = not written.files or problem.kind == "Duplicate"
            again = self._composer.retry(
                conversation,
                _spoken(exchange.answer),
                problem.message,
                _ADVICE.get(problem.kind, _MEND),
                whole,
            )
            written, problem = self._read(self._ask(again, PROGRAMS, self._sample).answer, written)
        if problem is not None and problem.kind in _ADVICE:
            raise ReplyError(f"nothing usable in two answers: {problem.message}")
        programs = self._combined(written)
        return Proposal(
            programs,
            written.rationale or "(no rationale given)",
            self._changed(programs),
            self._cost,
            self._findings,
            tuple(self._exchanges),
        )

    def begin(self) -> tuple[tuple[Message, ...], Exchange]:
        """Check the parent's detections, then ask for programs: the conversation and its answer."""
        self._findings = self._checked()
        return self._ask_fitting()

    def nothing(self, why: str, lost: Cost = Cost(), exhausted: bool = False) -> Proposal:  # noqa: B008 - a frozen value
        """A proposal of no programs, with what was spent on it all the same."""
        return Proposal(
            None, why, (), self._cost + lost, self._findings, tuple(self._exchanges), exhausted
        )

    # ----------------------------------------------------------------------------------------------

    def _ask_fitting(self) -> tuple[tuple[Message, ...], Exchange]:
        """Ask with everything in the prompt; when that is too long for the model, with less and
        less."""
        last: ContextTooLong = ContextTooLong("no level of detail was tried")
        for level in range(len(LEVELS)):
            messages = self._composer.programs(
                self._task, self._archive, self._move, self._findings, level
            )
            try:
                return messages, self._ask(messages, PROGRAMS, self._sample)
            except ContextTooLong as error:
                last = error
        raise last

    def _ask(
        self, messages: tuple[Message, ...], form: Form, sample: int, counted: bool = True
    ) -> Exchange:
        exchange = self._client.ask(
            Request(
                self._client.config.model, messages, form, self._client.config.temperature, sample
            )
        )
        self._cost += exchange.cost if counted else Cost()
        self._exchanges += [exchange.request, exchange.reply]
        return exchange

    def _checked(self) -> tuple[Finding, ...]:
        """Findings on the parent's detections: measured ones, and the model's verdicts where it is
        asked for them."""
        if self._parent is None or self._move.kind != "refine":
            return ()
        evaluation = self._parent.evaluation
        clip = checked_clip(self._task, evaluation)
        if clip is None:
            return ()
        verdicts, missing = (
            self._verdicts(self._parent, clip[1].objects, self._composer.verdicts(*clip))
            if self._check
            else ((), ())
        )
        return check_detections(self._task, evaluation, verdicts, missing)

    def _verdicts(
        self, parent: Node, objects: Sequence[str], messages: tuple[Message, ...]
    ) -> tuple[tuple[ModelVerdict, ...], tuple[Missing, ...]]:
        """What the model says of the detections; nothing when it does not answer usably. The
        question is the same for all children of one perception, so that it is paid for once."""
        try:
            exchange = self._ask(
                messages,
                VERDICTS,
                0,
                counted=not checked_before(self._archive, parent, LLMProposer.name),
            )
            fields = read_fields(exchange.answer)
        except (ContextTooLong, NoAnswer, RequestRefused, ReplyError):
            return (), ()
        return parse_verdicts(_rows(fields, "verdicts"), objects), tuple(_missing(fields))

    # ----------------------------------------------------------------------------------------------

    def _read(self, reply: Reply, before: Written) -> tuple[Written, Failure | None]:
        """What is written now, on top of what was written ``before``, and what is wrong with it, if
        anything is. Raises Declined."""
        try:
            read = read_programs(reply)
        except Declined:
            raise
        except ReplyError as error:
            return before, Failure("screen", "Reply", str(error))
        changed, problems = applied(read.edits, self._sources(before))
        merged = {**before.files, **read.files, **changed}
        written = Written(read.rationale or before.rationale, merged)
        if problems:
            return written, Failure("screen", "Reply", "; ".join(problems[:4]))
        absent = [stage for stage in STAGES if self._parent is None and stage not in written.files]
        if absent:
            return written, Failure(
                "screen",
                "Reply",
                "a new model needs all three files; missing: "
                f"{', '.join(f'{stage}.py' for stage in absent)}",
            )
        programs = self._combined(written)
        return written, screen(programs) or self._rules.check(programs) or self._duplicate(programs)

    def _combined(self, written: Written) -> Programs:
        """The parent's files with the written ones in their place."""
        return Programs(**self._sources(written))

    def _sources(self, written: Written) -> dict[str, str]:
        """The parent's files with the written ones in their place."""
        before = {} if self._parent is None else dict(self._parent.candidate.programs.items())
        return {**before, **written.files}

    def _changed(self, programs: Programs) -> tuple[str, ...]:
        if self._parent is None:
            return STAGES
        return tuple(
            stage
            for stage, source in programs.items()
            if source != self._parent.candidate.programs[stage]
        )

    def _duplicate(self, programs: Programs) -> Failure | None:
        mark = fingerprint(programs)
        for node in self._archive.nodes:
            if fingerprint(node.candidate.programs) == mark:
                fate = (
                    node.evaluation.failure.message
                    if node.evaluation.failure
                    else f"it scored {node.score:.3f}"
                )
                return Failure(
                    "screen",
                    "Duplicate",
                    f"it is the same as program {node.id} ({fate}), but for comments and layout",
                )
        return None


def _spoken(reply: Reply) -> str:
    return reply.text if reply.text.strip() else reply.arguments or ""


def _rows(fields: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    rows = fields.get(name)
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def _missing(fields: Mapping[str, Any]) -> Iterator[Missing]:
    for row in _rows(fields, "missing")[:8]:
        what = " ".join(str(row.get("what") or "").split())[:120]
        if what:
            yield Missing(what, _coordinate(row.get("x")), _coordinate(row.get("y")))


def _coordinate(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if abs(number) < 1e6 else None


# --------------------------------------------------------------------------------------------------


def connect(config: SearchConfig, store: Store, key: SecretStr | None) -> LLMProposer:
    """An LLM proposer for a run: checks the key (free) and reads what the run has recorded and
    spent so far.

    Raises UsageError (no model named, a cap without a price, WrongKey) and Unreachable.
    """
    from agent.models.endpoint import (
        Endpoint,
        EndpointConfig,
    )  # the client library takes a second to import

    options = config.model
    if not options.name:
        raise UsageError(
            "model: expected the name of a model for this proposer, got none; pass --model NAME"
        )
    recording = Recording(store, store.folder.parent / INDEX)
    client_config, ledger = settings(config), _ledger(config, recording)
    endpoint = Endpoint(
        EndpointConfig(
            options.name, options.base_url, key, options.timeout, options.stream, options.structure
        )
    )
    endpoint.check()
    return assemble(config, Client(client_config, recording, ledger, endpoint), store)


def settings(config: SearchConfig) -> ClientConfig:
    """How the client asks, from a run's configuration."""
    options = config.model
    note = (("prompts", prompts.version()), ("prices", AS_OF))
    return ClientConfig(
        options.name,
        options.temperature,
        options.max_output,
        Retry(options.attempts, options.pause),
        note,
    )


def assemble(config: SearchConfig, client: Client, store: Store) -> LLMProposer:
    """The proposer around a client."""
    rules = affordances.of(config.rules)
    return LLMProposer(client, Composer(config.hint, rules, store.get), rules, config.model.check)


def _ledger(config: SearchConfig, recording: Recording) -> Ledger:
    options = config.model
    price = Price(*options.price) if options.price else price_of(options.name)
    try:
        return Ledger(price, Caps(options.max_cost, options.max_tokens), recording.spent)
    except ValueError as error:
        raise UsageError(str(error)) from None
