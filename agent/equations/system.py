"""A mechanism as data: rates, impacts and places, in symbols named as the state's columns are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sympy

from agent.equations.jet import Jet, Untold, jet
from agent.equations.meanings import Meeting, Recorder
from agent.equations.tracing import Reading
from tools.types import State

ACTION = sympy.Symbol("action", real=True)
TINY = 1e-5
"""Numbers added to something else below which they only keep programs from dividing by zero."""
_READINGS = 48
"""Questions on the state that a step may ask."""

Coupled = Mapping[tuple[sympy.Symbol, ...], tuple[sympy.Matrix, sympy.Matrix]]


@dataclass(frozen=True)
class Impact:
    """What happens at once. word: what is met. when: a SymPy Boolean; gap, closing: of a contact,
    None for any other condition. changes: column -> its value after it."""

    word: str
    when: Any
    gap: sympy.Expr | None
    closing: sympy.Expr | None
    changes: Mapping[str, sympy.Expr]


@dataclass(frozen=True)
class System:
    """columns: those that have a law, in the state's order. rates: per second, of each. coupled:
    M a = h of the unknown accelerations in ``rates``. places: columns that follow from the others.
    constants: columns that stay as they are. steps: (integrator, share of a frame)."""

    columns: tuple[str, ...]
    rates: Mapping[str, sympy.Expr]
    coupled: Coupled
    places: Mapping[str, sympy.Expr]
    constants: Mapping[str, float]
    impacts: tuple[Impact, ...]
    parameters: tuple[str, ...]
    steps: tuple[tuple[str, float], ...]

    @property
    def pairs(self) -> tuple[tuple[str, str], ...]:
        """(coordinate, its velocity) of all that obey a law of second order."""
        names = {symbol(column): column for column in self.columns}
        return tuple(
            (column, names[rate])
            for column in self.columns
            if (rate := self.rates[column]) in names and names[rate] != column
        )

    @property
    def acted(self) -> bool:
        """Whether an action from outside drives it."""
        return any(ACTION in rate.free_symbols for rate in self.rates.values()) or any(
            ACTION in (m.free_symbols | h.free_symbols) for m, h in self.coupled.values()
        )


def symbol(name: str) -> sympy.Symbol:
    """The symbol of a column or a parameter."""
    return sympy.Symbol(name, real=True)


def told(source: str, start: State, values: Mapping[str, float]) -> System:
    """The equations of a dynamics program. start: a state of it; values: θ. Raises Untold with the
    reason where there are none to tell."""
    state = {
        (name, attribute): symbol(f"{name}.{attribute}")
        for name, entries in start.items()
        for attribute in entries
    }
    plain, recorder = _read(source, start, values, None)
    if len(recorder.meetings) > _READINGS:
        raise Untold("equations", f"at most {_READINGS} conditions on the state", "more")
    others = [_read(source, start, values, k) for k in range(len(recorder.meetings))]
    own = {f"{n}.{a}": s for (n, a), s in state.items()}
    rates = {c: _tidy(plain[c].rate) for c in own}
    changes = [
        {c: _tidy(other[c].value) for c in own if other[c].value != plain[c].value}
        for other, _ in others
    ]
    rates = _pieces(rates, own, recorder, others, changes)
    places = {c: _tidy(plain[c].value) for c in own if plain[c].value != own[c]}
    moved = {c for each in changes for c in each} | {
        s.name for c, rate in rates.items() if c not in places for s in rate.free_symbols
    }
    still = {c for c in own if c not in places and rates[c] == 0}
    constants = {
        c: float(_at(start, c)) for c in still if c not in moved or not _velocity(c, rates)
    }
    constants = {c: v for c, v in constants.items() if not any(c in each for each in changes)}
    put = {own[c]: jet(v).value for c, v in constants.items()}
    columns = tuple(c for c in own if c not in places and c not in constants)
    return System(
        columns,
        {c: rates[c].subs(put) for c in columns},
        {u: (m.subs(put), h.subs(put)) for u, (m, h) in recorder.coupled.items()},
        {c: e.subs(put) for c, e in places.items()},
        constants,
        _impacts(recorder, changes, columns, put),
        tuple(values),
        tuple(sorted(recorder.integrators)),
    )


def _read(
    source: str, start: State, values: Mapping[str, float], hit: int | None
) -> tuple[dict[str, Jet], Recorder]:
    """The columns after a vanishing frame in which one meeting happens, or none."""
    recorder = Recorder(hit)
    reading = Reading(source, recorder, values)
    state = {n: {a: Jet(symbol(f"{n}.{a}")) for a in entries} for n, entries in start.items()}
    params = {name: Jet(symbol(name)) for name in values}
    after = reading.step(state, params, Jet(ACTION), Jet(sympy.S.Zero, sympy.S.One))
    try:
        found = {f"{n}.{a}": jet(after[n][a]) for n, entries in start.items() for a in entries}
    except (KeyError, TypeError):
        raise Untold("equations: expected a step that returns every column of the state") from None
    return found, recorder


def _pieces(
    rates: dict[str, sympy.Expr],
    own: Mapping[str, sympy.Symbol],
    recorder: Recorder,
    others: Sequence[tuple[dict[str, Jet], Recorder]],
    changes: Sequence[Mapping[str, sympy.Expr]],
) -> dict[str, sympy.Expr]:
    """Rates with another piece where a condition changes nothing at once, but the law."""
    for k, (other, _) in enumerate(others):
        meeting = recorder.meetings[k]
        if changes[k] or isinstance(meeting, Meeting):
            continue
        for c in own:
            rate = _tidy(other[c].rate)
            if rate != rates[c]:
                rates[c] = sympy.Piecewise((rate, meeting), (rates[c], True))
    return rates


def _impacts(
    recorder: Recorder,
    changes: Sequence[Mapping[str, sympy.Expr]],
    columns: Sequence[str],
    put: Mapping[sympy.Symbol, sympy.Expr],
) -> tuple[Impact, ...]:
    """One of each kind: substeps meet the same contact again and again."""
    found: dict[Any, Impact] = {}
    for meeting, each in zip(recorder.meetings, changes, strict=True):
        if not each:
            continue
        changed = {c: e.subs(put) for c, e in each.items() if c in columns}
        if isinstance(meeting, Meeting):
            gap, closing = _tidy(meeting.gap).subs(put), _tidy(meeting.closing).subs(put)
            when = sympy.And(gap <= 0, closing > 0)
            impact = Impact(meeting.word, when, gap, closing, changed)
        else:
            impact = Impact("a condition", meeting.subs(put), None, None, changed)
        found.setdefault((impact.when, tuple(changed.items())), impact)
    return tuple(found.values())


def _velocity(column: str, rates: Mapping[str, sympy.Expr]) -> bool:
    """Whether it is the rate of another column."""
    return symbol(column) in rates.values()


def _at(start: State, column: str) -> float:
    name, _, attribute = column.partition(".")
    return start[name][attribute]


def _tidy(expression: Any) -> sympy.Expr:
    """Without the tiny numbers that keep programs from dividing by zero."""
    expression = sympy.sympify(expression)

    def kept(add: sympy.Add) -> sympy.Expr:
        return sympy.Add(*(a for a in add.args if not (a.is_number and abs(a) < TINY)))

    return expression.replace(lambda e: e.is_Add, kept)
