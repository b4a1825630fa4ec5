"""A number with an error and a unit, as a person types it: "0.04m", "9.81 m/s^2", "(62±0.5) cm"."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from functools import cache
from typing import Any

from tools.errors import UsageError

_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d{1,3})?"
_TYPED = re.compile(
    rf"\(?\s*(?P<value>{_NUMBER})\s*(?:(?:±|\+-|\+/-)\s*(?P<error>{_NUMBER})\s*)?\)?"
    r"\s*(?P<unit>[A-Za-zµ°%][A-Za-zµ°%0-9*/^ .\-]{0,40})?"
)
LARGEST = 1e12
"""Magnitude above which a typed number is taken for a slip."""


@dataclass(frozen=True)
class Quantity:
    """value and its standard error (0: taken as exact), both in the SI base units ``unit``.

    >>> parse("62 cm")
    Quantity(value=0.62, error=0.0, unit='m')
    """

    value: float
    error: float
    unit: str

    @property
    def relative(self) -> float:
        """Standard error as a share of the value; 0 for a value of 0."""
        return abs(self.error / self.value) if self.value else 0.0


def parse(text: str, what: str = "quantity") -> Quantity:
    """Read a quantity with a unit of length, time, or both. Raises UsageError.

    >>> parse("9.81±0.02 m/s^2")
    Quantity(value=9.81, error=0.02, unit='m/s^2')
    """
    match = _TYPED.fullmatch(text.strip())
    if match is None or not match["unit"]:
        raise UsageError(
            what,
            "a number with a unit, such as 0.04m, 9.81m/s^2 or (62±0.5)cm",
            f"{text[:60]!r}",
        )
    value, error = float(match["value"]), abs(float(match["error"] or 0.0))
    factor, unit = _to_base(match["unit"].strip(), what)
    if not (abs(value * factor) < LARGEST and error * factor < LARGEST):
        raise UsageError(what, f"a magnitude below {LARGEST:g}", f"{text[:60]!r}")
    return Quantity(_tidy(value * factor), _tidy(error * factor), unit)


def dimensions(unit: str) -> tuple[int, int]:
    """Powers of length and of time in a unit in SI base units, "m/s^2" -> (1, -2)."""
    powers = registry().parse_units(unit.replace("^", "**")).dimensionality
    return int(powers.get("[length]", 0)), int(powers.get("[time]", 0))


@cache
def registry() -> Any:
    """The unit registry; made when first needed, for it reads a file of definitions."""
    import pint

    return pint.UnitRegistry()


def _to_base(text: str, what: str) -> tuple[float, str]:
    """(factor, unit) of a unit in SI base units."""
    import pint

    try:
        unit = registry().parse_units(text.replace("^", "**"))
        factor = registry().Quantity(1.0, unit).to_base_units()
        powers = unit.dimensionality
    except (pint.PintError, ValueError, TypeError, ArithmeticError, AssertionError):
        powers = None
    if powers is None or set(powers) - {"[length]", "[time]"} or not _whole(powers):
        raise UsageError(
            what,
            "a unit of length and time, such as m, cm, mm, m/s or m/s^2",
            f"{text[:40]!r}",
        )
    return float(factor.magnitude), name_of(
        int(powers.get("[length]", 0)), int(powers.get("[time]", 0))
    )


def _whole(powers: Any) -> bool:
    return all(float(power).is_integer() and abs(power) <= 9 for power in powers.values())


def name_of(length: int, time: int) -> str:
    """The unit of these powers of metre and second.

    >>> name_of(1, -2), name_of(0, -1), name_of(0, 0)
    ('m/s^2', '1/s', '')
    """
    above = [_power(base, n) for base, n in (("m", length), ("s", time)) if n > 0]
    below = [_power(base, -n) for base, n in (("m", length), ("s", time)) if n < 0]
    if not below:
        return " ".join(above)
    return f"{' '.join(above) or '1'}/{'/'.join(below)}"


def _power(base: str, n: int) -> str:
    return base if n == 1 else f"{base}^{n}"


def _tidy(value: float) -> float:
    """Without the last digits that a change of units leaves."""
    return float(f"{value:.12g}") if math.isfinite(value) else value
