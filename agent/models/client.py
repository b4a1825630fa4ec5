"""Asks a model: from the recording when the question was asked before, over the network when it may
be paid for."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from agent.core.protocols import Cost
from agent.models.borrowed import Borrowed
from agent.models.errors import CapReached, ModelError, NoAnswer, Unreachable
from agent.models.ledger import MARGIN, Gauge, Ledger, Size
from agent.models.messages import Reply, Request
from agent.models.options import LONGEST_ANSWER
from agent.models.recording import Exchange, Recording


class TryAgain(ModelError):
    """A passing failure. wait: seconds that the endpoint asked for, or None. sent: the prompt may
    have been charged although no usable answer came; it is then counted as our estimate of the
    prompt."""

    def __init__(self, message: str, wait: float | None = None, sent: bool = False):
        super().__init__(message)
        self.wait, self.sent = wait, sent


class Sender(Protocol):
    """What carries a request to a model (agent.models.endpoint.Endpoint is the real one). news:
    sentences to be said once; whoever says them takes them out."""

    news: list[str]

    def send(self, request: Request, output_tokens: int) -> Reply:
        """One call; raises TryAgain for passing failures and other ModelErrors for lasting ones."""
        ...


@dataclass(frozen=True)
class Retry:
    """attempts: calls for one question, at least 1. first: seconds before the second attempt,
    doubled each time, at most ``longest``; an endpoint's own Retry-After is honoured up to
    ``longest``."""

    attempts: int = 5
    first: float = 1.0
    longest: float = 60.0

    def pause(self, attempt: int, asked: float | None) -> float:
        """Seconds to wait after failed attempt number ``attempt`` (from 0).

        >>> [Retry().pause(n, None) for n in range(3)], Retry().pause(0, 7.0)
        ([1.0, 2.0, 4.0], 7.0)
        """
        return min(self.longest, max(self.first * 2**attempt, asked or 0.0))


@dataclass(frozen=True)
class ClientConfig:
    """model: name sent with each request and used for the price. temperature: None leaves it to the
    endpoint. max_output: tokens of one answer. note: JSON kept with each recorded reply (price,
    version of the prompts)."""

    model: str
    temperature: float | None = None
    max_output: int = 16_000
    retry: Retry = Retry()
    note: tuple[tuple[str, Any], ...] = ()


class Client:
    """One model, one recording, one ledger. Safe to share between threads.

    sleep, clock: seconds; given so that tests need not wait. borrowed: replies of other runs, None
    for none.
    """

    def __init__(
        self,
        config: ClientConfig,
        recording: Recording,
        ledger: Ledger,
        sender: Sender,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
        borrowed: Borrowed | None = None,
    ):
        self.borrowed = borrowed
        self.config, self.recording, self.ledger = config, recording, ledger
        self._sender, self._sleep, self._clock = sender, sleep, clock
        self._lock = threading.Lock()
        self._asking: dict[str, threading.Lock] = {}
        self._left = False
        self._gauge = Gauge()
        for size, tokens in recording.counts(config.model):
            self._gauge.learn(size, tokens)

    def __repr__(self) -> str:
        return f"Client({self.config.model!r}, {self._sender!r}, {self.ledger.spent})"

    def ask(self, request: Request) -> Exchange:
        """The reply to ``request``: recorded, or what another run was told, or paid for; recorded
        before it is returned.

        Raises CapReached before a call that could pass a cap, the lasting errors of the sender, and
        after the last retry Unreachable (the server fails) or NoAnswer (the server is there, its
        answers are not).
        """
        with self._lock:
            turn = self._asking.setdefault(request.digest, threading.Lock())
        with turn:  # whoever asks the same at the same time waits for the one answer
            known = self.recording.find(request) or self._borrow(request)
            return known or self._insist(request)

    def _borrow(self, request: Request) -> Exchange | None:
        """What another run was told, recorded as an answer that cost nothing."""
        reply = None if self.borrowed is None else self.borrowed.find(request)
        if reply is None:
            return None
        note = {**dict(self.config.note), "model": self.config.model, "borrowed": True}
        return self.recording.add(request, reply, Cost(), note)

    def news(self) -> list[str]:
        """What the endpoint was found not to take since the last look."""
        count = len(self._sender.news)
        told, self._sender.news[:count] = self._sender.news[:count], []
        return told

    def leave(self, reason: str) -> tuple[Cost, ...]:
        """Ask nothing more, count what is under way as paid for: what each call may have cost."""
        self._left = True
        costs = self.recording.give_up(reason)
        self.ledger.charge(sum(costs, Cost()))
        return costs

    def _insist(self, request: Request) -> Exchange:
        """Pay for an answer, waiting and trying again while failures are passing ones."""
        started, lost = self._clock(), Cost()
        failure = TryAgain("nothing")
        for attempt in range(self.config.retry.attempts):
            try:
                return self._pay(request, lost, started)
            except TryAgain as error:
                lost, failure = lost + error.cost, error
                if attempt + 1 < self.config.retry.attempts:
                    self._sleep(self.config.retry.pause(attempt, error.wait))
            except CapReached as error:
                error.cost = self._lose(request, lost, str(failure))
                raise
        self._lose(request, lost, str(failure))
        attempts = self.config.retry.attempts
        kind = NoAnswer if failure.sent else Unreachable
        raise kind(
            f"model {self.config.model!r}",
            "an answer",
            f"{failure} (attempts: {attempts})",
            "is the server up?",
            lost,
        )

    def _lose(self, request: Request, lost: Cost, reason: str) -> Cost:
        if lost.calls:
            self.recording.lose(request, lost, reason)
        return lost

    def _pay(self, request: Request, lost: Cost, started: float) -> Exchange:
        """One answer, recorded. One that was cut off at the limit is asked for again with twice the
        limit, as long as the caps allow."""
        limit = self.config.max_output
        reply, cost, granted = self._send(request, limit)
        while reply.finish == "length" and limit == granted < LONGEST_ANSWER:
            limit *= 2
            try:
                longer, more, granted = self._send(request, limit)
            except ModelError as error:
                lost += error.cost
                break
            lost, reply, cost = lost + cost, longer, more
        price = self.ledger.price
        note = {
            **dict(self.config.note),
            "model": self.config.model,
            "size": asdict(Size.of(request)),
            "counted": reply.input_tokens if reply.counted else 0,
            "seconds": round(self._clock() - started, 3),
            "price": None if price is None else asdict(price),
        }
        if self.borrowed is not None:
            self.borrowed.keep(request, reply)
        return self.recording.add(request, reply, lost + cost, note)

    def _send(self, request: Request, limit: int) -> tuple[Reply, Cost, int]:
        """Send once with at most ``limit`` tokens to answer in: the reply, what it cost, and the
        tokens that the caps left it. Raises what the sender raises."""
        if self._left:
            raise ModelError("the search is over, nothing more is asked")
        size = Size.of(request)
        estimate = self._gauge.estimate(size)
        reservation = self.ledger.reserve(int(MARGIN * estimate), limit)
        cost, reply = Cost(), None
        try:
            self.recording.sent(request, self.ledger.cost(estimate, 0))
            reply = self._sender.send(request, reservation.output_tokens)
            if reply.counted:
                self._gauge.learn(size, reply.input_tokens)
            cost = self.ledger.cost(
                reply.input_tokens if reply.counted else estimate, reply.output_tokens
            )
        except TryAgain as error:
            cost = error.cost = self.ledger.cost(estimate, 0) if error.sent else Cost()
            raise
        finally:
            self.ledger.settle(reservation, Cost() if self._left else cost)
            if reply is None and not self._left:
                self.recording.failed(request)
        if self._left:
            raise ModelError("the search ended before this answer came")
        return reply, cost, reservation.output_tokens
