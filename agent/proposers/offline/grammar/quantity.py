"""Quantities of a hypothesis: constants that were measured, and numbers that the fit is to find."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import MISSING, dataclass, field, fields
from typing import Any

from tools.types import MAX_ABS, ContractError


class GrammarError(ContractError):
    """A mechanism that cannot be: one line that says what, expected, got and the next step."""


@dataclass(frozen=True)
class Number:
    """A number that the fit is to find.

    value: first guess. prior: standard deviation of a Gaussian around it, None for a flat one. low,
    high: bounds, None for those that its kind declares. tie: numbers with the same tie are one
    parameter of that name; "" stands alone. unit of all: that of the field which holds it."""

    value: float
    prior: float | None = None
    low: float | None = None
    high: float | None = None
    tie: str = ""

    def __post_init__(self):
        for key in ("value", "prior", "low", "high"):
            given = getattr(self, key)
            if given is not None and not (math.isfinite(given) and abs(given) <= MAX_ABS):
                raise GrammarError(f"Number.{key}", f"a number up to {MAX_ABS:g}", repr(given))
        if self.prior is not None and self.prior <= 0:
            raise GrammarError("Number.prior", "a positive number or None", repr(self.prior))
        if self.tie and not self.tie.isidentifier():
            raise GrammarError("Number.tie", "an identifier", repr(self.tie))


Quantity = Number | float
"""A field of a law, a joint or a body: a Number is fitted, a float is a known constant."""

Bounds = Callable[[float], tuple[float, float]]
"""First guess -> (low, high)."""


def positive(times: float, least: float) -> Bounds:
    """From 0 to so many times the first guess, or ``least`` where that is more."""
    return lambda value: (0.0, max(times * value, least))


def signed(times: float, least: float) -> Bounds:
    """As far on both sides of zero."""

    def bounds(value: float) -> tuple[float, float]:
        reach = max(times * abs(value), least)
        return -reach, reach

    return bounds


def around(reach: float) -> Bounds:
    """As far on both sides of the first guess."""
    return lambda value: (value - reach, value + reach)


def between(low: float, high: float) -> Bounds:
    """Fixed bounds."""
    return lambda value: (low, high)


@dataclass(frozen=True)
class Kind:
    """What a field means. unit: of its number. about: a phrase; "{on}" and other fields of the
    owner may stand in it. base: name of its parameter, "" for that of the field."""

    unit: str
    about: str
    bounds: Bounds
    base: str = ""


def quantity(unit: str, about: str, bounds: Bounds, default: Any = MISSING, base: str = "") -> Any:
    """A dataclass field that holds a Quantity; ``default`` None makes it one that may be absent."""
    return field(default=default, metadata={"kind": Kind(unit, about, bounds, base)})


def value_of(given: Quantity) -> float:
    """First guess or constant."""
    return given.value if isinstance(given, Number) else float(given)


@dataclass(frozen=True)
class Declared:
    """A Number of an owner, not yet named. subject: what tells it from others of its kind; label:
    what its name begins with."""

    field: str
    number: Number
    kind: Kind
    about: str
    subject: str
    label: str = ""

    @property
    def base(self) -> str:
        """Name of the parameter where no other has it."""
        name = self.kind.base or self.field
        return f"{self.label}_{name}" if self.label else name

    @property
    def bounds(self) -> tuple[float, float]:
        """Bounds that hold the first guess, within those of the contract."""
        low, high = self.kind.bounds(self.number.value)
        low = low if self.number.low is None else self.number.low
        high = high if self.number.high is None else self.number.high
        return max(low, -MAX_ABS), min(high, MAX_ABS)


def quantities(owner: Any) -> Iterator[tuple[str, Kind, Quantity]]:
    """(field, kind, quantity) of every quantity that an owner holds; absent ones (None) are left
    out."""
    for each in fields(owner):
        given = getattr(owner, each.name)
        if "kind" in each.metadata and given is not None:
            yield each.name, each.metadata["kind"], given
