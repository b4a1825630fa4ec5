"""What has been spent, what is about to be, and the caps. Safe to share between threads."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from agent.core.protocols import Cost
from agent.models.errors import CapReached
from agent.models.messages import Picture, Request
from agent.models.prices import Price

BYTES_PER_TOKEN = 2.5
"""Bytes of prompt for one token, on the low side (English and code run at 3.5 to 4.5), so that
estimates are high."""
SMALLEST_ANSWER = 2000
"""Tokens of answer below which a call is not worth making."""


@dataclass(frozen=True)
class Caps:
    """max_cost: US dollars, None for no cap. max_tokens: input and output together, None for no
    cap."""

    max_cost: float | None = None
    max_tokens: int | None = None


def estimate_tokens(request: Request) -> int:
    """Tokens that sending ``request`` may cost, estimated high: bytes of text, and 170 for each
    512-pixel tile of a picture."""
    text = sum(
        len(part.text.encode())
        for m in request.messages
        for part in m.parts
        if not isinstance(part, Picture)
    )
    tiles = sum(
        -(-picture.width // 512) * -(-picture.height // 512) for picture in request.pictures
    )
    return (
        int(text / BYTES_PER_TOKEN)
        + 170 * tiles
        + 85 * len(tuple(request.pictures))
        + 16 * len(request.messages)
    )


@dataclass(frozen=True)
class Reservation:
    """Room set aside for one call. output_tokens: how long the answer may be."""

    input_tokens: int
    output_tokens: int
    money: float


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
        self._spent = spent
        self._reserved: list[Reservation] = []
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"Ledger(spent={self.spent}, caps={self.caps})"

    @property
    def spent(self) -> Cost:
        """Everything settled so far."""
        with self._lock:
            return self._spent

    def cost(self, input_tokens: int, output_tokens: int) -> Cost:
        """One call's cost; money is None when the price is unknown."""
        money = None if self.price is None else self.price.of(input_tokens, output_tokens)
        return Cost(1, input_tokens, output_tokens, money)

    def reserve(self, input_tokens: int, output_tokens: int) -> Reservation:
        """Set room aside for a call with ``input_tokens`` and up to ``output_tokens`` of answer;
        the answer is shortened to what the caps leave. Raises CapReached when they leave less than
        a usable answer."""
        with self._lock:
            allowed = min(output_tokens, self._left(input_tokens))
            if allowed < min(output_tokens, SMALLEST_ANSWER):
                raise CapReached(self._explain(input_tokens))
            money = 0.0 if self.price is None else self.price.of(input_tokens, allowed)
            reservation = Reservation(input_tokens, allowed, money)
            self._reserved.append(reservation)
            return reservation

    def settle(self, reservation: Reservation, cost: Cost) -> None:
        """Replace a reservation by what the call really cost."""
        with self._lock:
            self._reserved.remove(reservation)
            self._spent = self._spent + cost

    def _left(self, input_tokens: int) -> int:
        """Tokens of answer that both caps still allow after ``input_tokens``."""
        left = 1 << 60
        if self.caps.max_tokens is not None:
            used = self._spent.input_tokens + self._spent.output_tokens
            used += sum(r.input_tokens + r.output_tokens for r in self._reserved)
            left = self.caps.max_tokens - used - input_tokens
        if self.caps.max_cost is not None and self.price is not None:
            money = (
                self.caps.max_cost
                - (self._spent.money or 0.0)
                - sum(r.money for r in self._reserved)
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
            caps.append(f"${self._spent.money or 0.0:.4f} of ${self.caps.max_cost:g}")
        if self.caps.max_tokens is not None:
            caps.append(
                f"{self._spent.input_tokens + self._spent.output_tokens} of "
                f"{self.caps.max_tokens} tokens"
            )
        spent = " and ".join(caps)
        return (
            f"cap reached: {spent} spent, and the next call (about {input_tokens} tokens of "
            "prompt) could pass it; raise the cap to go on"
        )
