"""Symbols to first order in the length of a frame: ``value + rate * dt``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import sympy

from tools.errors import UsageError

LARGEST = 6000
"""Operations of one expression above which it is no equation that anybody reads."""
_POWER = 64


class Untold(UsageError):
    """Why a program's equations cannot be told."""


@dataclass(frozen=True, eq=False)
class Jet:
    """value, rate: expressions in the state's columns and the parameters."""

    value: sympy.Expr
    rate: sympy.Expr = sympy.S.Zero

    def __add__(self, other: Any) -> Jet:
        o = jet(other)
        return Jet(self.value + o.value, self.rate + o.rate)

    __radd__ = __add__

    def __neg__(self) -> Jet:
        return Jet(-self.value, -self.rate)

    def __pos__(self) -> Jet:
        return self

    def __sub__(self, other: Any) -> Jet:
        return self + (-jet(other))

    def __rsub__(self, other: Any) -> Jet:
        return jet(other) + (-self)

    def __mul__(self, other: Any) -> Jet:
        o = jet(other)
        return Jet(self.value * o.value, self.value * o.rate + self.rate * o.value)

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> Jet:
        o = jet(other)
        if o.value == 0:
            raise Untold(
                "equations",
                "steps that make sense for a short frame",
                "a division by something that vanishes with it",
                "write the law as a rate per second",
            )
        return Jet(self.value / o.value, (self.rate - self.value * o.rate / o.value) / o.value)

    def __rtruediv__(self, other: Any) -> Jet:
        return jet(other) / self

    def __pow__(self, other: Any) -> Jet:
        o = jet(other)
        if o.value.is_number and abs(float(o.value)) > _POWER:
            raise Untold("equations", f"powers up to {_POWER}", str(o.value))
        value = self.value**o.value
        rate = sympy.S.Zero
        if self.rate != 0:
            rate += o.value * self.value ** (o.value - 1) * self.rate
        if o.rate != 0:
            rate += value * sympy.log(self.value) * o.rate
        return Jet(value, rate)

    def __rpow__(self, other: Any) -> Jet:
        return jet(other) ** self

    def __abs__(self) -> Jet:
        return Jet(abs(self.value), sympy.sign(self.value) * self.rate)

    def __lt__(self, other: Any) -> Any:
        return condition(sympy.StrictLessThan, self, jet(other))

    def __le__(self, other: Any) -> Any:
        return condition(sympy.LessThan, self, jet(other))

    def __gt__(self, other: Any) -> Any:
        return condition(sympy.StrictGreaterThan, self, jet(other))

    def __ge__(self, other: Any) -> Any:
        return condition(sympy.GreaterThan, self, jet(other))

    def __bool__(self) -> bool:
        raise Untold("equations", "conditions that compare numbers", "a number of the state as one")

    @property
    def still(self) -> Jet:
        """Its value alone, as at the beginning of a frame."""
        return Jet(self.value)


@dataclass(frozen=True, eq=False)
class Row:
    """Numbers of alike bodies, one each: what is done to a row is done to every entry."""

    entries: tuple[Any, ...]

    def __len__(self) -> int:
        return len(self.entries)

    def __getitem__(self, k: int) -> Any:
        return self.entries[k]

    def __neg__(self) -> Row:
        return Row(tuple(-jet(entry) for entry in self.entries))


def each(function: Callable[..., Any], *given: Any) -> Any:
    """What a function makes of these, entry by entry where there are rows among them (also within
    tuples); a tuple of rows where it gives tuples.

    >>> each(lambda a, b: a + b, Row((1, 2)), 10).entries
    (11, 12)
    """
    rows = [part for one in given for part in (one if isinstance(one, tuple) else (one,))]
    lengths = {len(part) for part in rows if isinstance(part, Row)}
    if not lengths:
        return function(*given)
    if len(lengths) > 1:
        raise Untold("equations", "arrays of one length", "several")
    found = [function(*(_entry(one, k) for one in given)) for k in range(lengths.pop())]
    if not isinstance(found[0], tuple):
        return Row(tuple(found))
    return tuple(_joined(parts) for parts in zip(*found, strict=True))


def _entry(one: Any, k: int) -> Any:
    if isinstance(one, tuple):
        return tuple(_entry(part, k) for part in one)
    return one[k] if isinstance(one, Row) else one


def _joined(parts: tuple[Any, ...]) -> Any:
    """Entries as a row; tuples of them as a tuple of rows."""
    if isinstance(parts[0], tuple):
        return tuple(_joined(inner) for inner in zip(*parts, strict=True))
    return Row(parts)


@dataclass(frozen=True, eq=False)
class Condition:
    """Something that depends on the state: true here, false there."""

    when: Any  # a SymPy Boolean

    def __and__(self, other: Any) -> Any:
        return settled(sympy.And(self.when, _when(other)))

    __rand__ = __and__

    def __or__(self, other: Any) -> Any:
        return settled(sympy.Or(self.when, _when(other)))

    __ror__ = __or__

    def __invert__(self) -> Any:
        return settled(sympy.Not(self.when))


def _when(other: Any) -> Any:
    return other.when if isinstance(other, Condition) else sympy.true if other else sympy.false


def settled(when: Any) -> Any:
    """A plain bool where the condition no longer depends on anything."""
    if when in (sympy.true, sympy.false):
        return bool(when)
    return Condition(when)


def condition(relation: Callable[..., Any], a: Jet, b: Jet) -> Any:
    """A comparison at the beginning of a frame."""
    gap = a.value - b.value
    if gap == 0 and (a.rate != 0 or b.rate != 0):
        raise Untold(
            "equations",
            "conditions on the state",
            "one on the length of the frame",
            "test where things are, or use the contacts of tools.physics",
        )
    return settled(relation(gap, 0))


def jet(number: Any) -> Jet:
    """A number, or what is a jet already. Whole numbers are kept exact.

    >>> jet(2.0).value, jet(0.25).value
    (2, 0.25)
    """
    if isinstance(number, Jet):
        return number
    if isinstance(number, sympy.Expr):
        return Jet(number)
    if isinstance(number, (bool, int, float)) or hasattr(number, "__float__"):
        real = float(number)
        whole = real.is_integer() and abs(real) < 1e6
        return Jet(sympy.Integer(int(real)) if whole else sympy.Float(real))
    raise Untold("equations", "a number", type(number).__name__)


def checked(number: Any) -> Any:
    """The same; raises Untold where it has grown beyond what can be read."""
    for entry in number.entries if isinstance(number, Row) else ():
        checked(entry)
    if isinstance(number, Jet) and sympy.count_ops([number.value, number.rate]) > LARGEST:
        raise Untold(
            "equations",
            f"at most {LARGEST} operations in one expression",
            "more: this step is no equation that can be read",
        )
    return number


def _applied(function: Callable[[Any], Any]) -> Callable[[Any], Jet]:
    """A SymPy function of one argument on jets."""
    x = sympy.Symbol("x", real=True)
    slope = sympy.diff(function(x), x)

    def apply(number: Any) -> Jet:
        j = jet(number)
        rate = sympy.S.Zero if j.rate == 0 else slope.subs(x, j.value) * j.rate
        return Jet(function(j.value), rate)

    return apply


def where(when: Any, a: Any, b: Any) -> Any:
    """``a`` or ``b``; both as pieces where the condition depends on the state."""
    if isinstance(when, bool) or not isinstance(when, Condition):
        return a if when else b
    one, other = jet(a), jet(b)
    pieces = lambda p, q: p if p == q else sympy.Piecewise((p, when.when), (q, True))  # noqa: E731
    return Jet(pieces(one.value, other.value), pieces(one.rate, other.rate))


class Namespace:
    """What ``xp``, ``np`` and ``math`` offer to a step, on jets."""

    pi = sympy.pi
    e = sympy.E
    sin, cos, tan = (staticmethod(_applied(f)) for f in (sympy.sin, sympy.cos, sympy.tan))
    arcsin, arccos, arctan = (
        staticmethod(_applied(f)) for f in (sympy.asin, sympy.acos, sympy.atan)
    )
    asin, acos, atan = arcsin, arccos, arctan
    sinh, cosh, tanh = (staticmethod(_applied(f)) for f in (sympy.sinh, sympy.cosh, sympy.tanh))
    exp, log, sqrt = (staticmethod(_applied(f)) for f in (sympy.exp, sympy.log, sympy.sqrt))
    sign = staticmethod(lambda x: Jet(sympy.sign(jet(x).value)))
    copysign = staticmethod(lambda x, y: abs(jet(x)) * Jet(sympy.sign(jet(y).value)))
    abs = absolute = fabs = staticmethod(lambda x: abs(jet(x)))
    square = staticmethod(lambda x: jet(x) * jet(x))
    power = pow = staticmethod(lambda x, y: jet(x) ** jet(y))
    hypot = staticmethod(lambda x, y: Namespace.sqrt(jet(x) * jet(x) + jet(y) * jet(y)))
    float64 = asarray = staticmethod(lambda x: x)
    zeros_like = staticmethod(lambda x: 0.0)
    ones_like = staticmethod(lambda x: 1.0)
    where = staticmethod(where)
    array = stack = staticmethod(lambda rows: Row(tuple(rows)))

    @staticmethod
    def minimum(a: Any, b: Any) -> Any:
        return where(jet(a) < jet(b), a, b)

    @staticmethod
    def maximum(a: Any, b: Any) -> Any:
        return where(jet(a) > jet(b), a, b)

    @staticmethod
    def clip(x: Any, low: Any, high: Any) -> Any:
        return where(jet(x) < jet(low), low, where(jet(x) > jet(high), high, x))

    @staticmethod
    def arctan2(y: Any, x: Any) -> Jet:
        a, b = jet(y), jet(x)
        square = a.value**2 + b.value**2
        rate = (b.value * a.rate - a.value * b.rate) / square if (a.rate, b.rate) != (0, 0) else 0
        return Jet(sympy.atan2(a.value, b.value), sympy.sympify(rate))

    atan2 = arctan2
    degrees = staticmethod(lambda x: jet(x) * (180 / sympy.pi))
    radians = staticmethod(lambda x: jet(x) * (sympy.pi / 180))


XP = Namespace()
