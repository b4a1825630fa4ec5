"""Sums of products of symbols: enough algebra for equations of motion to come out as a textbook has
them.

A formula that is written for numbers (see ``grammar.seeing``) runs on ``Expr`` as well and leaves
an expression that is simplified (like terms, sin^2 + cos^2 = 1, common factors of a quotient),
differentiated, and printed as Python."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Union

PARAMETER, FUNCTION, STATE, ACTION = 0, 1, 2, 3
"""Order of factors in print."""


@dataclass(frozen=True, eq=False)
class Atom:
    """A factor: a symbol, a function of an expression, or a sum in brackets. text: as printed.
    rank: place among factors. slope: its derivative by a symbol (text); None where it has none."""

    text: str
    rank: int
    slope: Callable[[str], Expr] | None = None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Atom) and self.text == other.text

    def __hash__(self) -> int:
        return hash(self.text)


Monomial = tuple[tuple[Atom, float], ...]
Number = Union["Expr", float, int]


@dataclass(frozen=True, eq=False)
class Expr:
    """terms: monomial (factors and powers, in order) -> coefficient, none of which is 0."""

    terms: Mapping[Monomial, float]

    def __add__(self, other: Number) -> Expr:
        total = dict(self.terms)
        for monomial, c in of(other).terms.items():
            total[monomial] = total.get(monomial, 0.0) + c
        scale = max(map(abs, (*self.terms.values(), *of(other).terms.values())), default=0.0)
        return _pythagoras(_sum(total, scale))

    def __neg__(self) -> Expr:
        return Expr({monomial: -c for monomial, c in self.terms.items()})

    def __sub__(self, other: Number) -> Expr:
        return self + (-of(other))

    def __radd__(self, other: Number) -> Expr:
        return of(other) + self

    def __rsub__(self, other: Number) -> Expr:
        return of(other) - self

    def __mul__(self, other: Number) -> Expr:
        total: dict[Monomial, float] = {}
        for one, a in self.terms.items():
            for two, b in of(other).terms.items():
                monomial = _times(one, two)
                total[monomial] = total.get(monomial, 0.0) + a * b
        return _pythagoras(_sum(total, max(map(abs, total.values()), default=0.0)))

    __rmul__ = __mul__

    def __truediv__(self, other: Number) -> Expr:
        return _quotient(self, of(other))

    def __rtruediv__(self, other: Number) -> Expr:
        return of(other) / self

    def __pow__(self, power: float) -> Expr:
        if power == int(power) and power >= 0 and (len(self.terms) == 1 or power <= 2):
            result = of(1.0)
            for _ in range(int(power)):
                result = result * self
            return result
        if len(self.terms) == 1 and power == int(power):
            return _inverse(self**-power)
        return Expr({((group(self), float(power)),): 1.0})

    def __str__(self) -> str:
        return "".join(_printed(self)) or "0.0"

    def __repr__(self) -> str:
        return f"Expr({self})"

    @property
    def constant(self) -> float | None:
        """The number that it is, None if it holds symbols."""
        return 0.0 if not self.terms else self.terms.get(()) if len(self.terms) == 1 else None

    def atoms(self) -> set[Atom]:
        """Its factors."""
        return {atom for monomial in self.terms for atom, _ in monomial}


def of(value: Number) -> Expr:
    """A number as an expression."""
    if isinstance(value, Expr):
        return value
    return Expr({(): float(value)} if value != 0.0 else {})


def symbol(text: str, rank: int = STATE) -> Expr:
    """A name."""
    return _alone(Atom(text, rank, lambda by: of(1.0 if by == text else 0.0)))


def known(text: str, value: Expr, rank: int = STATE) -> Expr:
    """A name for an expression."""
    return _alone(Atom(text, rank, lambda by: derivative(value, by)))


def applied(text: str, argument: Expr, slope: Callable[[], Expr], rank: int = FUNCTION) -> Expr:
    """A function's value, printed as ``text``, with its slope at its argument."""
    return _alone(Atom(text, rank, lambda by: slope() * derivative(argument, by)))


def _alone(atom: Atom) -> Expr:
    return Expr({((atom, 1.0),): 1.0})


def group(inner: Expr) -> Atom:
    """A sum in brackets."""
    single = len(inner.terms) == 1 and next(iter(inner.terms.items()))
    if single and single[1] == 1.0 and len(single[0]) == 1 and single[0][0][1] == 1.0:
        return single[0][0][0]
    rank = max((atom.rank for atom in inner.atoms()), default=PARAMETER)
    return Atom(f"({inner})", rank, lambda by: derivative(inner, by))


def bracketed(inner: Expr) -> Expr:
    """An expression as one factor."""
    return _alone(group(inner)) if len(inner.terms) > 1 else inner


def derivative(value: Number, by: str) -> Expr:
    """By a symbol."""
    total = of(0.0)
    for monomial, c in of(value).terms.items():
        for k, (atom, power) in enumerate(monomial):
            slope = of(0.0) if atom.slope is None else atom.slope(by)
            if slope.terms:
                rest = _sorted(
                    [
                        *monomial[:k],
                        *([(atom, power - 1.0)] if power != 1.0 else []),
                        *monomial[k + 1 :],
                    ]
                )
                total = total + Expr({rest: c * power}) * slope
    return total


def _sorted(factors: list[tuple[Atom, float]]) -> Monomial:
    return tuple(sorted(factors, key=lambda factor: (factor[0].rank, factor[0].text)))


def _times(one: Monomial, two: Monomial) -> Monomial:
    powers: dict[Atom, float] = dict(one)
    for atom, power in two:
        powers[atom] = powers.get(atom, 0.0) + power
    return _sorted([(atom, power) for atom, power in powers.items() if power != 0.0])


def _sum(terms: Mapping[Monomial, float], scale: float) -> Expr:
    """Without what cancelled but for rounding."""
    return Expr({monomial: c for monomial, c in terms.items() if abs(c) > 1e-14 * scale})


def _pythagoras(value: Expr) -> Expr:
    """With c sin(u)^2 + c cos(u)^2 put together wherever they stand beside the same factors."""
    terms = dict(value.terms)
    for monomial in list(terms):
        for atom, power in monomial:
            if monomial in terms and power == 2.0 and atom.text.startswith("xp.sin("):
                _joined(terms, monomial, atom)
    return (
        value
        if len(terms) == len(value.terms)
        else _sum(terms, max(map(abs, terms.values()), default=0.0))
    )


def _joined(terms: dict[Monomial, float], monomial: Monomial, sine: Atom) -> None:
    """Put a term with a squared sine together with that of the cosine, as far as they go."""
    rest = tuple(factor for factor in monomial if factor[0] != sine)
    cosine = Atom("xp.cos(" + sine.text[len("xp.sin(") :], sine.rank)
    partner = _times(rest, ((cosine, 2.0),))
    if math.isclose(terms.get(partner, math.nan), terms[monomial], rel_tol=1e-12):
        terms[rest] = terms.get(rest, 0.0) + terms.pop(monomial)
        del terms[partner]


def _inverse(value: Expr) -> Expr:
    (monomial, c), *rest = value.terms.items()
    if rest:
        raise ValueError("expected one product")
    return Expr({_sorted([(atom, -power) for atom, power in monomial]): 1.0 / c})


def _factored(value: Expr) -> tuple[Expr, Expr]:
    """(product, sum) whose product it is; the sum's first coefficient is 1."""
    monomials = list(value.terms)
    common = [(atom, min(dict(m).get(atom, 0.0) for m in monomials)) for atom, _ in monomials[0]]
    factor = Expr(
        {_sorted([(a, p) for a, p in common if p != 0.0]): next(iter(value.terms.values()))}
    )
    inverse = next(iter(_inverse(factor).terms.items()))
    return factor, Expr({_times(m, inverse[0]): c * inverse[1] for m, c in value.terms.items()})


def _quotient(above: Expr, below: Expr) -> Expr:
    if not above.terms:
        return above
    if len(below.terms) == 1:
        return above * _inverse(below)
    factor, rest = _factored(below)
    up, inner = _factored(above)
    if len(inner.terms) == len(rest.terms) and _same(inner, rest):
        return up * _inverse(factor)
    return above * _inverse(factor) * Expr({((group(rest), -1.0),): 1.0})


def _same(one: Expr, two: Expr) -> bool:
    return all(
        math.isclose(two.terms.get(m, math.nan), c, rel_tol=1e-12) for m, c in one.terms.items()
    )


# ------------------------------------------------------------------------------------------------------------ print


def literal(value: float, digits: int = 9) -> str:
    """A short number: so many significant digits, always with a point or exponent.

    >>> literal(1234.5), literal(3.0), literal(-0.0), literal(2e-7)
    ('1234.5', '3.0', '0.0', '2e-07')
    """
    text = f"{value + 0.0:.{digits}g}"
    return text if any(c in text for c in ".en") else text + ".0"


def _printed(value: Expr) -> Iterator[str]:
    for k, (monomial, c) in enumerate(value.terms.items()):
        sign = "-" if c < 0 else "+"
        yield (f" {sign} " if k else "-" if c < 0 else "") + _product(monomial, abs(c))


def _product(monomial: Monomial, c: float) -> str:
    above = [_multiplied(atom, power) for atom, power in monomial if power > 0]
    below = [_power(atom, -power) for atom, power in monomial if power < 0]
    if c != 1.0 or not above:
        above.insert(0, literal(c))
    early = sum(1 for atom, power in monomial if power > 0 and atom.rank == PARAMETER) + (c != 1.0)
    cut = (
        early
        if below and early and all(a.rank == PARAMETER for a, p in monomial if p < 0)
        else len(above)
    )
    text = " * ".join(above[:cut]) + "".join(f" / {factor}" for factor in below)
    return " * ".join([text, *above[cut:]])


def _multiplied(atom: Atom, power: float) -> str:
    """A power above the line; cubes of names as products, which arrays do faster."""
    return (
        " * ".join([atom.text] * 3)
        if power == 3.0 and atom.text.isidentifier()
        else _power(atom, power)
    )


def _power(atom: Atom, power: float) -> str:
    if power == 1.0:
        return atom.text
    if power == 0.5:
        return f"xp.sqrt({atom.text.removeprefix('(').removesuffix(')') if atom.text.startswith('(') else atom.text})"
    return f"{atom.text} ** {int(power) if power == int(power) else literal(power)}"
