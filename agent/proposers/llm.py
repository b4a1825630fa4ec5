"""The proposer that asks a vision-language model."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np

import prompts
from agent.checking.detection_check import (
    Missing,
    ModelVerdict,
    check_detections,
    checked_before,
    checked_clip,
    marked,
    parse_verdicts,
)
from agent.config import SearchConfig
from agent.core import affordances
from agent.core.affordances import Affordances
from agent.core.protocols import Archive, Brief, Cost, Finding, Known, Measure, Move, Node, Proposal
from agent.core.screen import fingerprint, screen
from agent.models.bandit import LIST_PRICE, Arm, choose
from agent.models.borrowed import Borrowed
from agent.models.client import Client, ClientConfig, Retry
from agent.models.errors import CapReached, ContextTooLong, NoAnswer, RequestRefused
from agent.models.ledger import Caps, Ledger
from agent.models.messages import Form, Message, Reply, Request
from agent.models.options import ModelOptions
from agent.models.prices import AS_OF, Price, price_of
from agent.models.recording import Exchange, Recording
from agent.prompting.briefs import briefed
from agent.prompting.compose import LEVELS, PROGRAMS, VERDICTS, Composer, subject
from agent.prompting.likeness import LIKE, Memory, distance, measures
from agent.prompting.mask_questions import asker
from agent.prompting.reading.edits import applied
from agent.prompting.reply import Declined, ReplyError, Written, read_fields, read_programs
from agent.run import library
from agent.run.store import Store
from tools.errors import UsageError
from tools.types import STAGES, Failure, Programs, Task

if TYPE_CHECKING:
    from pydantic import SecretStr

    from agent.run.shared import SharedStore
    from tools.vision.check import Ask

INDEX = "exchanges.jsonl"
"""The recording's index in a run folder, beside its store."""

_SHOWN = 2
"""Entries of a library that a draft is shown."""
_MEMORY = tuple(one.name for one in fields(Memory))
_ADVICE = {
    "Reply": "Mind the form of the answer: a rationale, then whole files in fenced blocks that "
    "name them.",
    "Duplicate": "These programs have been evaluated already. Write programs that do something "
    "else.",
    "AffordanceRule": "The rules of this scene are not up for change: find another way to say it.",
}
"""What to say about an answer that cannot be used, by what is wrong with it."""

_MEND = "Change what the message says, keep the rest."
"""The same for anything else that the screen finds."""


class LLMProposer:
    """Asks a model for programs, gives it one chance to mend an answer that cannot be used, and
    records everything.

    client: carries questions. composer: writes prompts. rules: affordance rules, checked before an
    answer is handed on. check: let the model check the detections of a program before refining it.
    in_flight: questions at the same time. notes: what is to be told before it is asked anything.
    others: further models to choose among, on the same recording and account. library: folder of
    programs that worked on other scenes, "" for none.
    """

    name = "llm"

    def __init__(
        self,
        client: Client,
        composer: Composer,
        rules: Affordances = Affordances(),  # noqa: B008
        check: bool = True,
        in_flight: int = 1,
        notes: Sequence[str] = (),
        others: Sequence[Client] = (),
        library: str = "",
    ):
        self.client, self.composer, self.rules, self.check = client, composer, rules, check
        self.notes, self._in_flight, self.library = tuple(notes), in_flight, library
        self.measure: Measure | None = None
        self.clients = {one.config.model: one for one in (client, *others)}
        self._charged: set[str] = set()
        self._lock = threading.Lock()

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

    # ---------------------------------------------------------------- as one who is waited for

    @property
    def in_flight(self) -> int:
        """Questions at the same time, at most."""
        return self._in_flight

    @property
    def asked(self) -> str:
        """The models' names."""
        return " or ".join(self.clients)

    @property
    def distant(self) -> LLMProposer:
        """Itself."""
        return self

    @property
    def near(self) -> None:
        """Nobody proposes meanwhile."""
        return None

    def begin(self, known: Known) -> Sequence[Mapping[str, Any]]:
        """Take in what is known before the first question, and look into the library for scenes
        like this one."""
        self.composer.observed, self.measure = known.observed, known.measure
        if known.remembered is not None:
            memories = [Memory(**{k: e[k] for k in _MEMORY}) for e in known.remembered]
        else:
            memories = self._recalled(known.task)
        self.composer.memories = tuple(memories)
        return [asdict(memory) for memory in memories]

    def _recalled(self, task: Task) -> list[Memory]:
        """The entries of the library that are good for the likest scenes."""
        if not self.library:
            return []
        here = measures(self.composer.appearance(subject(task)).sighting)
        entries = [(distance(here, entry.scene), entry) for entry in library.read(self.library)]
        like = sorted((far, e.name, e) for far, e in entries if far <= LIKE)[:_SHOWN]
        return [
            Memory(
                name, e.words, e.score, round(far, 3), e.programs.perception, e.programs.dynamics
            )
            for far, name, e in like
        ]

    def briefed(self, move: Move, archive: Archive, others: Sequence[Move]) -> Move:
        """``move`` with what sets it apart from those in flight."""
        move = briefed(move, others, self.client.config.temperature)
        if len(self.clients) == 1:
            return move
        arms = [self._arm(model, archive) for model in self.clients]
        prices = [sum(_rates(client)) for client in self.clients.values()]
        flying = {one.brief.model for one in others if one.brief}
        model = choose(arms, move.kind == "repair", prices, flying)
        return replace(move, brief=replace(move.brief or Brief(), model=model))

    def _arm(self, model: str, archive: Archive) -> Arm:
        """What a model has brought and cost so far."""
        answers, gain, best = 0, 0.0, 0.0
        for node in archive.nodes:
            if node.evaluation.status == "pending":
                continue
            if node.candidate.origin == f"{self.name}:{model}":
                answers, gain = answers + 1, gain + max(0.0, node.score - best)
            best = max(best, node.score)
        cost = self.client.recording.spent_by(model)
        tokens = cost.input_tokens + cost.output_tokens
        return Arm(model, answers, gain, tokens * LIST_PRICE if cost.money is None else cost.money)

    def charge(self, exchange: Exchange) -> Cost:
        """What an exchange cost, the first time; nothing to others in flight that share it."""
        with self._lock:
            first = exchange.request not in self._charged
            self._charged.add(exchange.request)
        return exchange.cost if first else Cost()

    def news(self) -> Sequence[str]:
        """What endpoints were found not to take since the last look."""
        return [line for client in self.clients.values() for line in client.news()]

    def leave(self) -> None:
        """Ask nothing more; what is in flight counts as paid for."""
        for client in self.clients.values():
            client.leave("the search ended before the answer came")


class _Turn:
    """One proposal in the making: what was asked and answered so far, and what it cost."""

    def __init__(
        self, proposer: LLMProposer, task: Task, archive: Archive, move: Move, sample: int
    ):
        self._measure = proposer.measure
        self._composer, self._rules, self._check = (
            proposer.composer,
            proposer.rules,
            proposer.check,
        )
        self._checker, self._charge = proposer.client, proposer.charge
        named = move.brief.model if move.brief else ""
        self._client = proposer.clients.get(named, proposer.client)
        several = len(proposer.clients) > 1
        self._origin = f"{LLMProposer.name}:{self._client.config.model}" if several else ""
        self._task, self._archive, self._move, self._sample = task, archive, move, sample
        warmth = move.brief.temperature if move.brief else None
        self._temperature = self._client.config.temperature if warmth is None else warmth
        self._parent: Node | None = None if move.parent is None else archive[move.parent]
        self._cost = Cost()
        self._exchanges: list[str] = []
        self._findings: tuple[Finding, ...] = ()

    def answer(self) -> Proposal:
        """The proposal. Raises ReplyError when even the second answer cannot be used."""
        conversation, exchange = self._looked(*self.begin())
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
        if problem is not None:  # it costs no evaluation
            raise ReplyError(f"nothing usable in two answers: {problem.message}")
        programs = self._combined(written)
        return Proposal(
            programs,
            written.rationale or "(no rationale given)",
            self._changed(programs),
            self._cost,
            self._findings,
            tuple(self._exchanges),
            origin=self._origin,
        )

    def _looked(
        self, conversation: tuple[Message, ...], exchange: Exchange
    ) -> tuple[tuple[Message, ...], Exchange]:
        """Where the model first wants to see what a perception program measures, it is shown that,
        once, and asked again."""
        try:
            wanted = read_programs(exchange.answer).measure
        except ReplyError:
            return conversation, exchange
        if not wanted or self._measure is None:
            return conversation, exchange
        found, video = self._measure(wanted), subject(self._task)
        again = self._composer.measured(conversation, _spoken(exchange.answer), found, video.steps)
        return again, self._ask(again, PROGRAMS, self._sample)

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

    def _ask(self, messages: tuple[Message, ...], form: Form, sample: int) -> Exchange:
        exchange = self._client.ask(
            Request(self._client.config.model, messages, form, self._temperature, sample)
        )
        self._cost += exchange.cost
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
            if self._check and marked(clip[1])
            else ((), ())
        )
        return check_detections(self._task, evaluation, verdicts, missing)

    def _verdicts(
        self, parent: Node, objects: Sequence[str], messages: tuple[Message, ...]
    ) -> tuple[tuple[ModelVerdict, ...], tuple[Missing, ...]]:
        """What the model says of the detections; nothing when it does not answer usably. The
        question is the same for all children of one perception, whatever else sets them apart, so
        that it is paid for once."""
        config = self._checker.config
        question = Request(config.model, messages, VERDICTS, config.temperature, 0)
        try:
            exchange = self._checker.ask(question)
            if not checked_before(self._archive, parent, LLMProposer.name):
                self._cost += self._charge(exchange)
            self._exchanges += [exchange.request, exchange.reply]
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
            if read.measure:
                raise ReplyError(
                    "expected programs now, got another perception program to be measured"
                )
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


def _rates(client: Client) -> tuple[float, float]:
    """Dollars a token, for ordering models: input, output."""
    price = client.ledger.price
    return (LIST_PRICE * 1e6,) * 2 if price is None else (price.input, price.output)


def connect(
    config: SearchConfig,
    store: Store,
    key: SecretStr | None,
    shared: SharedStore | None = None,
) -> LLMProposer:
    """An LLM proposer for a run: checks the key (free) and reads what the run has recorded and
    spent so far. shared: where replies to other runs are.

    Raises UsageError (no model named, a cap without a price, WrongKey) and Unreachable.
    """
    from agent.models.endpoint import (
        Endpoint,
        EndpointConfig,
    )  # the client library takes a second to import

    options = config.model
    if not options.name:
        raise UsageError(
            "model", "the name of a model for this proposer", "none", "pass --model NAME"
        )
    recording = Recording(store, store.folder.parent / INDEX)
    first = _ledger(config, recording)
    clients: list[Client] = []
    for name in dict.fromkeys((options.name, *options.others)):
        endpoint = Endpoint(
            EndpointConfig(
                name, options.base_url, key, options.timeout, options.stream, options.structure
            )
        )
        if not clients:
            endpoint.check()
        ledger = first if name == options.name else _priced(first, options, name)
        mine = replace(settings(config), model=name)
        borrowed = None if shared is None else Borrowed(shared, endpoint.address, mine.max_output)
        clients.append(Client(mine, recording, ledger, endpoint, borrowed=borrowed))
    notes = _abandoned(clients[0], recording)
    return assemble(config, clients, store, notes)


def _abandoned(client: Client, recording: Recording) -> list[str]:
    """What to say of calls that an earlier session sent and did not live to see answered; they
    count as paid for from here on."""
    costs = recording.give_up("the session ended before the answer came")
    client.ledger.charge(sum(costs, Cost()))
    if not costs:
        return []
    whole = sum(costs, Cost())
    money = "" if whole.money is None else f", ${whole.money:.4f}"
    return [
        f"{len(costs)} call{'s' * (len(costs) > 1)} to {client.config.model} went out and "
        "came to no recorded answer; counted as paid for (about "
        f"{whole.input_tokens} tokens of prompt{money}) and asked again"
    ]


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


def assemble(
    config: SearchConfig, clients: Sequence[Client], store: Store, notes: Sequence[str] = ()
) -> LLMProposer:
    """The proposer around its clients. notes: what is to be told first."""
    rules = affordances.of(config.rules)
    composer = Composer(config.hint, rules, store.get)
    in_flight = config.model.at_once
    return LLMProposer(
        clients[0],
        composer,
        rules,
        config.model.check,
        in_flight,
        notes,
        clients[1:],
        config.model.memory,
    )


def _ledger(config: SearchConfig, recording: Recording) -> Ledger:
    options = config.model
    caps = Caps(options.max_cost, options.max_tokens)
    try:
        return Ledger(_price(options, options.name), caps, recording.spent)
    except ValueError as error:
        raise UsageError(str(error)) from None


def _priced(ledger: Ledger, options: ModelOptions, name: str) -> Ledger:
    try:
        return ledger.of(_price(options, name))
    except ValueError as error:
        raise UsageError(f"{name}: {error}") from None


def _price(options: ModelOptions, name: str) -> Price | None:
    """What a model costs: as it was said, else as the table has it."""
    said = next((Price(i, o) for model, i, o in options.prices if model == name), None)
    if said is None and options.price and name == options.name:
        return Price(*options.price)
    return said or price_of(name)
