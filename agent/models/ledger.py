"""What has been spent, what is about to be, and the caps. Safe to share between threads."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import nnls

from agent.core.protocols import Cost
from agent.models.errors import CapReached
from agent.models.messages import Picture, Request
from agent.models.prices import Price

BYTES_PER_TOKEN = 2.5
"""Bytes of prompt for one token before an endpoint has counted any, on the low side (English and
code run at 3.5 to 4.5), so that estimates are high."""
USUAL_BYTES = 3.8
MARGIN = 1.2
"""Factor by which a cap takes an estimate for higher than it is."""
SMALLEST_ANSWER = 2000
"""Tokens of answer below which a call is not worth making."""


@dataclass(frozen=True)
class Caps:
    """max_cost: US dollars, None for no cap. max_tokens: input and output together, None for no
    cap."""

    max_cost: float | None = None
    max_tokens: int | None = None


@dataclass(frozen=True)
class Size:
    """Of a request. text: bytes. pictures: tokens that 170 for each 512-pixel tile, and 85 for each
    picture, would make."""

    text: int
    pictures: int

    @classmethod
    def of(cls, request: Request) -> Size:
        """What will be sent."""
        texts = (
            part.text for m in request.messages for part in m.parts if not isinstance(part, Picture)
        )
        tiles = sum(-(-one.width // 512) * -(-one.height // 512) for one in request.pictures)
        count = sum(1 for _ in request.pictures)
        return cls(sum(len(text.encode()) for text in texts), 170 * tiles + 85 * count)


def estimate_tokens(request: Request) -> int:
    """Tokens that sending ``request`` may cost while nothing is known of the model: high."""
    return Gauge().estimate(Size.of(request))


class Gauge:
    """Tells the tokens of a prompt from its size; learns from what an endpoint counts, so that from
    the second call on it is near (weighted least squares for tokens a byte and for what a
    picture's tokens count, held by what is usual)."""

    def __init__(self) -> None:
        self._seen: list[tuple[Size, int]] = []

    def learn(self, size: Size, tokens: int) -> None:
        """What the endpoint counted for a prompt of ``size``."""
        if tokens > 0 and (size.text or size.pictures):
            self._seen.append((size, tokens))

    def estimate(self, size: Size) -> int:
        """Tokens of a prompt."""
        if not self._seen:
            return int(size.text / BYTES_PER_TOKEN) + size.pictures
        a, b = self._factors()
        return int(max(a * size.text / USUAL_BYTES + b * size.pictures, 1.0))

    def _factors(self) -> tuple[float, float]:
        """By which the usual tokens of text and of pictures are multiplied, from 0 up."""
        rows = [
            (size.text / USUAL_BYTES / tokens, size.pictures / tokens)
            for size, tokens in self._seen[-20:]
        ]
        a = np.vstack([rows, _HELD * np.eye(2)])
        found = nnls(a, np.concatenate([np.ones(len(rows)), [_HELD, _HELD]]))[0]
        return float(found[0]), float(found[1])


_HELD = 0.05


@dataclass(frozen=True)
class Reservation:
    """Room set aside for one call. output_tokens: how long the answer may be."""

    input_tokens: int
    output_tokens: int
    money: float


@dataclass
class _Book:
    """What several ledgers share."""

    spent: Cost
    reserved: list[Reservation] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)


class Ledger:
    """Counts what is spent and lets no call begin that could pass a cap.

    price: of the model, None when unknown. spent: what earlier calls of this run have cost. A cap
    in dollars needs a price: without one a ValueError says so before anything is spent.
    """

    def __init__(self, price: Price | None, caps: Caps = Caps(), spent: Cost = Cost()):  # noqa: B008 - frozen values
        if caps.max_cost is not None and price is None:
            raise ValueError(
                "max-cost: expected a model with a known price, got none for this model; "
                "pass --price INPUT,OUTPUT (dollars a million tokens) or cap with --max-tokens"
            )
        self.price, self.caps = price, caps
        self._book = _Book(spent)

    def of(self, price: Price | None) -> Ledger:
        """The same account for a model of another price. Raises as the constructor does."""
        other = Ledger(price, self.caps)
        other._book = self._book
        return other

    def __repr__(self) -> str:
        return f"Ledger(spent={self.spent}, caps={self.caps})"

    @property
    def spent(self) -> Cost:
        """Everything settled so far."""
        with self._book.lock:
            return self._book.spent

    def charge(self, cost: Cost) -> None:
        """Add what was paid outside of any reservation."""
        with self._book.lock:
            self._book.spent = self._book.spent + cost

    def cost(self, input_tokens: int, output_tokens: int) -> Cost:
        """One call's cost; money is None when the price is unknown."""
        money = None if self.price is None else self.price.of(input_tokens, output_tokens)
        return Cost(1, input_tokens, output_tokens, money)

    def reserve(self, input_tokens: int, output_tokens: int) -> Reservation:
        """Set room aside for a call with at most ``input_tokens`` and up to ``output_tokens`` of
        answer; the answer is shortened to what the caps leave. Raises CapReached when they leave
        less than a usable answer."""
        with self._book.lock:
            allowed = min(output_tokens, self._left(input_tokens))
            if allowed < min(output_tokens, SMALLEST_ANSWER):
                raise CapReached(self._explain(input_tokens))
            money = 0.0 if self.price is None else self.price.of(input_tokens, allowed)
            reservation = Reservation(input_tokens, allowed, money)
            self._book.reserved.append(reservation)
            return reservation

    def settle(self, reservation: Reservation, cost: Cost) -> None:
        """Replace a reservation by what the call really cost."""
        with self._book.lock:
            self._book.reserved.remove(reservation)
            self._book.spent = self._book.spent + cost

    def _left(self, input_tokens: int) -> int:
        """Tokens of answer that both caps still allow after ``input_tokens``."""
        left = 1 << 60
        if self.caps.max_tokens is not None:
            used = self._book.spent.input_tokens + self._book.spent.output_tokens
            used += sum(r.input_tokens + r.output_tokens for r in self._book.reserved)
            left = self.caps.max_tokens - used - input_tokens
        if self.caps.max_cost is not None and self.price is not None:
            money = (
                self.caps.max_cost
                - (self._book.spent.money or 0.0)
                - sum(r.money for r in self._book.reserved)
            )
            money -= self.price.of(input_tokens, 0)
            affordable = (
                money / self.price.output * 1e6
                if self.price.output
                else (1 << 60 if money >= 0 else -1)
            )
            left = min(left, int(affordable))
        return left

    def _explain(self, input_tokens: int) -> str:
        caps = []
        if self.caps.max_cost is not None:
            caps.append(f"${self._book.spent.money or 0.0:.4f} of ${self.caps.max_cost:g}")
        if self.caps.max_tokens is not None:
            caps.append(
                f"{self._book.spent.input_tokens + self._book.spent.output_tokens} of "
                f"{self.caps.max_tokens} tokens"
            )
        spent = " and ".join(caps)
        return (
            f"cap reached: {spent} spent, and the next call (about {input_tokens} tokens of "
            "prompt) could pass it; raise the cap to go on"
        )
