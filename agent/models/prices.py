"""What models cost. A model that is not in the table has no price: its cost is unknown (None),
never 0."""

from __future__ import annotations

from dataclasses import dataclass

AS_OF = "2025-08"
"""When the table was last looked over; it is saved with every run beside the price that was used.
"""


@dataclass(frozen=True)
class Price:
    """US dollars for a million tokens."""

    input: float
    output: float

    def of(self, input_tokens: int, output_tokens: int) -> float:
        """Money for one call.

        >>> Price(2.5, 10.0).of(1000, 100)
        0.0035
        """
        return (input_tokens * self.input + output_tokens * self.output) / 1e6


TABLE = {
    "gpt-5": Price(1.25, 10.0),
    "gpt-5-mini": Price(0.25, 2.0),
    "gpt-5-nano": Price(0.05, 0.4),
    "gpt-4.1": Price(2.0, 8.0),
    "gpt-4.1-mini": Price(0.4, 1.6),
    "gpt-4.1-nano": Price(0.1, 0.4),
    "gpt-4o": Price(2.5, 10.0),
    "gpt-4o-mini": Price(0.15, 0.6),
    "o3": Price(2.0, 8.0),
    "o4-mini": Price(1.1, 4.4),
}
"""List prices of hosted models, without discounts for cached input or batches: what is charged can
only be less."""


def price_of(model: str) -> Price | None:
    """Price by model name; a dated snapshot ("gpt-4o-2024-08-06") and a provider's prefix
    ("openai/gpt-4o") count as the model itself. None when unknown.

    >>> price_of("openai/gpt-4o-2024-08-06") == TABLE["gpt-4o"], price_of("my-own-model")
    (True, None)
    """
    name = model.rsplit("/", 1)[-1].lower()
    return TABLE.get(name) or TABLE.get(_undated(name))


def _undated(name: str) -> str:
    stem, *date = name.rsplit("-", 3)
    return stem if len(date) == 3 and "".join(date).isdigit() else name


def parse_price(text: str) -> Price:
    """``"2.5,10"`` (dollars a million input tokens, output tokens) -> Price; raises ValueError with
    one line."""
    try:
        price = Price(*(float(number) for number in text.split(",")))
    except (TypeError, ValueError):
        raise ValueError(
            f"price: expected INPUT,OUTPUT in dollars a million tokens, got {text!r}; for example "
            "2.5,10"
        ) from None
    if not (0 <= price.input < 1e6 and 0 <= price.output < 1e6):
        raise ValueError(f"price: expected two numbers from 0 up, got {text!r}; for example 2.5,10")
    return price
