"""The page of a mechanism: its equations of motion with impacts, parameters, what is conserved, and
how far all of it can be trusted. As plain text, as LaTeX, or as SymPy's own text that runs alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy

from agent.equations.integrate import Motion
from agent.equations.invariants import Invariant, invariants
from agent.equations.jet import Untold
from agent.equations.system import ACTION, Impact, System, symbol, told
from tools.types import FittedParam, States, rounded

FORMS = ("text", "latex", "sympy")
_LETTERS = {"angle": r"\theta", "gain": "I", "at": "x"}
_SHORT = {"gravity": "g", "restitution": "e", "stiffness": "k", "damping": "c", "drag": "c"}
_UNITS = {"angle": " rad", "depth": ""}
_SIMPLE = 60
"""Operations up to which an expression is simplified: beyond, it takes too long."""


@dataclass(frozen=True)
class Course:
    """What a program says of a clip: states (T, columns) at times (T,) seconds, the first ``seen``
    of them of frames seen; actions (T,) or None; dt: seconds a frame usually takes."""

    states: States
    times: np.ndarray
    seen: int
    dt: float
    actions: np.ndarray | None = None


@dataclass(frozen=True)
class Card:
    """params: θ in pixels; si: the same in a person's units (alike without a scale). apart: largest
    distance (px or rad) of the equations, integrated by SciPy alone, from the program; until: last
    second up to which that was compared; stopped: why not further. start: column -> its first
    value. scale: how long a pixel is, in words, "" where nobody said."""

    system: System
    params: tuple[FittedParam, ...]
    si: tuple[FittedParam, ...]
    invariants: tuple[Invariant, ...]
    apart: float
    until: float
    stopped: str
    limits: tuple[str, ...]
    start: Mapping[str, float]
    dt: float
    scale: str = ""

    def show(self, form: str) -> str:
        """As one of FORMS."""
        return {"text": as_text, "latex": as_latex, "sympy": as_sympy}[form](self)


def card(
    source: str,
    course: Course,
    params: Sequence[FittedParam],
    si: Sequence[FittedParam] = (),
    scale: str = "",
) -> Card:
    """The card of a dynamics program. Raises Untold where its equations cannot be told."""
    values = {param.name: param.value for param in params}
    system = told(source, course.states[0], values)
    motion = Motion(system, values, course.dt)
    start = np.array([course.states.column(c)[0] for c in system.columns])
    alone, stopped = _followed(motion, start, course)
    until = len(alone)
    apart = _apart(system, motion, alone, course)
    own = np.array([course.states.column(c)[:until] for c in system.columns]).T
    return Card(
        system,
        tuple(params),
        tuple(si or params),
        invariants(system, motion, own),
        apart,
        float(course.times[until - 1]),
        stopped,
        tuple(_limits(system, course)),
        dict(zip(system.columns, map(float, start), strict=True)),
        course.dt,
        scale,
    )


def _followed(motion: Motion, start: np.ndarray, course: Course) -> tuple[np.ndarray, str]:
    """The course by SciPy alone, as far as it goes, and why not further."""
    rows = [start]
    for k in range(len(course.times) - 1):
        actions = None if course.actions is None else course.actions[k : k + 2]
        try:
            rows.append(motion.follow(rows[-1], course.times[k : k + 2], actions)[-1])
        except Untold as stop:
            return np.array(rows), str(stop)
    return np.array(rows), ""


def _apart(system: System, motion: Motion, alone: np.ndarray, course: Course) -> float:
    """Largest difference of a place (px) or angle (rad) from the program's."""
    rates = {v for _, v in system.pairs}
    gaps = [0.0]
    for k, column in enumerate(system.columns):
        if column not in rates:
            gaps.append(
                float(np.abs(alone[:, k] - course.states.column(column)[: len(alone)]).max())
            )
    placed = np.array([motion.places(y) for y in alone])
    for k, column in enumerate(system.places):
        if column.rpartition(".")[2] in ("x", "y"):
            gap = placed[:, k] - course.states.column(column)[: len(alone)]
            gaps.append(float(np.abs(gap).max()))
    return max(gaps)


def _limits(system: System, course: Course) -> Iterator[str]:
    """How far the equations are backed by what was seen."""
    seen = course.times[: course.seen]
    yield f"seen for {seen[-1] - seen[0]:.3g} s ({course.seen} frames); beyond, it is a forecast"
    for column, rate in system.pairs:
        place, speed = (course.states.column(c)[: course.seen] for c in (column, rate))
        unit = _UNITS.get(column.rpartition(".")[2], " px")
        yield (
            f"{column} was between {place.min():.4g} and {place.max():.4g}{unit}, at up to "
            f"{np.abs(speed).max():.4g}{unit}/s"
        )
    for name, share in system.steps:
        if name != "rk4":
            yield (
                f"the program steps by {name.replace('_', ' ')} of {share * course.dt:.4g} s: it "
                f"obeys them with velocity {'+' if name == 'symplectic_euler' else '-'} "
                f"{share * course.dt / 2:.3g} s * acceleration, and acceleration - "
                f"{share * course.dt / 2:.3g} s * its rate"
            )
    if system.impacts:
        yield "impacts take no time; what comes to rest or rubs for long is outside of them"
    if system.acted:
        yield "the action is a given function of time, constant during a frame"


# --------------------------------------------------------------------------------------------------


class _Words:
    """Symbols of a system as people write them. shape: "text" or "latex"."""

    def __init__(self, system: System, latex: bool):
        self.latex, self.system = latex, system
        bodies = {c.partition(".")[0] for c in (*system.columns, *system.places)}
        self.single = len(bodies) == 1
        moving = {v: q for q, v in system.pairs}
        self.names: dict[sympy.Symbol, str] = {}
        for column in (*system.columns, *system.places):
            self.names[symbol(column)] = self._of(moving.get(column, column), column in moving)
        for name in system.parameters:
            self.names[symbol(name)] = self._parameter(name)
        self.names[ACTION] = "u(t)" if latex else "action(t)"
        for unknowns in system.coupled:
            for unknown in unknowns:
                self.names[unknown] = self._unknown(unknown)

    def _of(self, column: str, rate: bool = False, order: int = 1) -> str:
        name, _, attribute = column.partition(".")
        if not self.latex:
            base = attribute if self.single else f"{attribute}_{name}"
            return base + ("'" * order if rate else "")
        letter = _LETTERS.get(
            attribute, attribute if len(attribute) == 1 else rf"\mathrm{{{attribute}}}"
        )
        dot = ("", r"\dot", r"\ddot")[order if rate else 0]
        letter = f"{dot}{{{letter}}}" if dot else letter
        return letter if self.single else f"{letter}_{{\\mathrm{{{_tex(name)}}}}}"

    def _parameter(self, name: str) -> str:
        if not self.latex:
            return name
        return _SHORT.get(name, rf"\mathrm{{{_tex(name)}}}")

    def _unknown(self, unknown: sympy.Symbol) -> str:
        column = next((c for c, rate in self.system.rates.items() if rate == unknown), None)
        place = next((q for q, v in self.system.pairs if v == column), None)
        return str(unknown) if place is None else self._of(place, True, 2)

    def second(self, column: str) -> str:
        """The second derivative of a coordinate."""
        return self._of(column, True, 2)

    def __call__(self, expression: Any) -> str:
        shown = _digits(expression)
        if self.latex:
            return str(sympy.latex(shown, symbol_names=self.names))
        put = {s: sympy.Symbol(name, real=True) for s, name in self.names.items()}
        return str(sympy.sstr(shown.xreplace(put)))


def _tex(name: str) -> str:
    return name.replace("_", r"\_")


def _digits(expression: Any) -> Any:
    """Numbers with five digits; whole ones as such."""

    def short(number: sympy.Float) -> Any:
        value = float(f"{float(number):.5g}")
        return (
            sympy.Integer(int(value))
            if value.is_integer() and abs(value) < 1e6
            else sympy.Float(value, 5)
        )

    return expression.replace(lambda e: isinstance(e, sympy.Float), short)


def _simple(expression: Any) -> Any:
    """Simplified, where that takes no longer than a person waits."""
    if sympy.count_ops(expression) > _SIMPLE:
        return expression
    return min((expression, sympy.simplify(expression)), key=sympy.count_ops)


def laws(system: System, words: Any) -> Iterator[tuple[str, str]]:
    """(left side, right side) of the equations of motion."""
    rates = dict(system.pairs)
    placed = {v for v in rates.values()}
    unknown = {u for unknowns in system.coupled for u in unknowns}
    for column in system.columns:
        rate = system.rates[column]
        if column in rates and system.rates[rates[column]] not in unknown:
            yield words.second(column), words(_simple(system.rates[rates[column]]))
        elif column not in rates and column not in placed and rate not in unknown:
            yield words._of(column, True, 1), words(_simple(rate))
    for unknowns, (mass, force) in system.coupled.items():
        for k in range(len(unknowns)):
            left = sympy.Add(*(_simple(mass[k, j]) * u for j, u in enumerate(unknowns)))
            yield words(left), words(_simple(force[k]))


def places(system: System, words: Any) -> Iterator[tuple[str, str]]:
    """(name, expression) of what follows from the coordinates."""
    for column, expression in system.places.items():
        yield words._of(column), words(_simple(expression))


def _impact(impact: Impact, words: Any, equal: str) -> tuple[str, list[str]]:
    """When, and what changes."""
    put: dict[Any, Any] = {}
    head = words(impact.when)
    if impact.gap is not None and impact.closing is not None:
        closing = sympy.Symbol("closing", positive=True)
        put = {impact.closing: closing}
        words.names[closing] = "w" if words.latex else "closing"
        meets = f"{words(_simple(impact.gap))} {equal} 0"
        head = f"{meets}, {words.names[closing]} {equal} {words(_simple(impact.closing))} > 0"
    changed = []
    for column, after in impact.changes.items():
        after = _simple(after)
        shorter = _simple(after.subs(put)) if sympy.count_ops(after) > 12 else after
        arrow = r"\to" if words.latex else "->"
        changed.append(f"{words(symbol(column))} {arrow} {words(shorter)}")
    return head, changed


def _amounts(params: Sequence[FittedParam]) -> Iterator[tuple[str, str]]:
    for param in params:
        note = f" ({param.note})" if param.note else ""
        yield param.name, f"{param.shown.removesuffix(' 1')}{note}"


def as_text(shown: Card) -> str:
    """For a terminal."""
    words = _Words(shown.system, latex=False)
    lines = ["equations of motion (px, rad, s; ' is d/dt)", ""]
    lines += [f"  {left} = {right}" for left, right in laws(shown.system, words)]
    for impact in shown.system.impacts:
        head, changed = _impact(impact, words, "=")
        lines += ["", f"  when it meets {impact.word}: {head}", *(f"    {c}" for c in changed)]
    if shown.system.places:
        lines += ["", "places"]
        lines += [f"  {left} = {right}" for left, right in places(shown.system, words)]
    lines += ["", "parameters"]
    both = dict(_amounts(shown.si)) if shown.scale else {}
    for name, amount in _amounts(shown.params):
        metres = f" = {both[name]}" if both.get(name, amount) != amount else ""
        lines.append(f"  {name} = {amount}{metres}")
    if shown.scale:
        lines += [f"  ({shown.scale})"]
    if shown.invariants:
        lines += ["", "conserved"]
        lines += [
            f"  {_kept(one, shown.system)}: {words(one.expression)}" for one in shown.invariants
        ]
    lines += ["", "valid", *(f"  {limit}" for limit in (*shown.limits, _checked(shown)))]
    return "\n".join(lines)


def _kept(one: Invariant, system: System) -> str:
    changed = f"changes by {100 * one.drift:.2g} % of its kinetic part over the clip"
    when = " between impacts" if system.impacts and one.word == "energy" else ""
    return f"{one.word}{when if one.kept else ', not conserved'} ({changed})"


def _checked(shown: Card) -> str:
    said = (
        f"SciPy, from these equations alone, stays within {shown.apart:.2g} px or rad of the "
        f"program for {shown.until:.3g} s"
    )
    return f"{said}; then: {shown.stopped}" if shown.stopped else said


def as_latex(shown: Card) -> str:
    """A fragment for a paper (amsmath)."""
    words = _Words(shown.system, latex=True)
    lines = [r"\begin{align*}"]
    lines += [rf"  {left} &= {right} \\" for left, right in laws(shown.system, words)]
    lines += [rf"  {left} &= {right} \\" for left, right in places(shown.system, words)]
    lines += [r"\end{align*}"]
    for impact in shown.system.impacts:
        head, changed = _impact(impact, words, "=")
        lines += [rf"Impact with {impact.word}, when ${head}$:", r"\begin{align*}"]
        lines += [
            f"  {c.replace(chr(92) + 'to', '&' + chr(92) + 'to', 1)} {chr(92) * 2}" for c in changed
        ]
        lines += [r"\end{align*}"]
    lines += [r"\begin{tabular}{ll}"]
    for param in shown.si:
        value, error = rounded(param.value, param.error)
        amount = rf"{value} \pm {error}" if error else value
        unit = rf"\;\mathrm{{{param.unit}}}" if param.unit not in ("", "1") else ""
        lines += [rf"  ${words._parameter(param.name)}$ & ${amount}{unit}$ \\"]
    lines += [r"\end{tabular}"]
    for one in shown.invariants:
        said = _kept(one, shown.system).replace("%", r"\%").capitalize()
        lines += [f"{said}: ${words(one.expression)}$."]
    notes = [*shown.limits, _checked(shown)]
    lines += [f"% {note}" for note in notes]
    return "\n".join(lines)


def as_sympy(shown: Card) -> str:
    """Python that needs SymPy alone and holds the system in first-order form: ``rates``,
    ``coupled`` (M a = h), ``places``, ``impacts`` (gap, closing, changes), ``values``,
    ``start``, ``steps`` (integrator, seconds)."""
    system = shown.system
    unknowns = [u for each in system.coupled for u in each]
    every = [*map(symbol, (*system.columns, *system.places, *system.parameters)), *unknowns]
    every += [ACTION] if system.acted else []
    code = {s: sympy.Symbol(_identifier(s.name), real=True) for s in every}

    def said(expression: Any) -> str:
        return str(sympy.sstr(expression.xreplace(code), full_prec=True))

    def table(entries: Mapping[str, Any]) -> str:
        rows = [f"    {_identifier(c)}: {said(e)}," for c, e in entries.items()]
        return "{\n" + "\n".join(rows) + "\n}" if rows else "{}"

    lines = ['"""Equations of motion in pixels, radians and seconds (SymPy)."""', ""]
    lines += ["from sympy import *", ""]
    names = sorted({s.name for s in code.values()})
    lines += [f"{name} = Symbol({name!r}, real=True)" for name in names]
    lines += ["", f"rates = {table(system.rates)}", ""]
    lines += ["# linear systems M a = h of the accelerations that stand in the rates: (a, M, h)"]
    rows = [
        f"    ({said(sympy.Matrix(list(u)).T)}, {said(m)}, {said(h)}),"
        for u, (m, h) in system.coupled.items()
    ]
    lines += ["coupled = [", *rows, "]", "", f"places = {table(system.places)}", ""]
    lines += ["# (gap, closing speed, what changes at once), or (condition, None, what changes)"]
    lines += ["impacts = ["]
    for impact in system.impacts:
        head = impact.when if impact.gap is None else impact.gap
        closing = "None" if impact.closing is None else said(impact.closing)
        lines += [f"    ({said(head)}, {closing}, {table(impact.changes)}),"]
    lines += ["]", ""]
    lines += [f"values = {table({p.name: sympy.Float(p.value) for p in shown.params})}", ""]
    lines += [f"start = {table({c: sympy.Float(v) for c, v in shown.start.items()})}", ""]
    lines += [f"steps = {[(name, share * shown.dt) for name, share in system.steps]!r}"]
    lines += [f"# {note}" for note in (*shown.limits, _checked(shown))]
    return "\n".join(lines)


def _identifier(name: str) -> str:
    """A column or a parameter as a Python name that SymPy does not use itself.

    >>> _identifier("ball.vx"), _identifier("gamma")
    ('ball_vx', 'gamma_')
    """
    plain = name.replace(".", "_")
    return f"{plain}_" if hasattr(sympy, plain) else plain
