"""What a system conserves, found from its rates at random states: sums of velocities (momenta) and
energies, with how much they change along a course.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy

from agent.equations.integrate import Motion
from agent.equations.system import System, symbol

_SAMPLES = 24
_LONG = 60
"""Operations of a force above which no potential is looked for."""
_ALIKE = 1e-7
"""Share of the largest change up to which one counts as none: rates are computed with 1e-16."""


@dataclass(frozen=True)
class Invariant:
    """word: "momentum" or "energy". expression: in the symbols of the system. kept: whether its
    rate vanishes at every state tried, impacts apart. drift: largest change along the course, as a
    share of the largest kinetic part of it (0 for what stays put)."""

    word: str
    expression: sympy.Expr
    kept: bool
    drift: float


def invariants(system: System, motion: Motion, course: np.ndarray) -> tuple[Invariant, ...]:
    """course: (T, n) of the system's columns. What is driven from outside has none."""
    pairs = system.pairs
    if not pairs or system.acted or len(course) < 3:
        return ()
    index = {column: k for k, column in enumerate(system.columns)}
    places, speeds = [index[q] for q, _ in pairs], [index[v] for _, v in pairs]
    around = _states(course)
    rates = np.array([motion.rates(y, 0.0) for y in around])
    found = [*_momenta(system, motion, around, rates, speeds, course)]
    energy = _energy(system, motion, places, speeds, found)
    if energy is not None:
        found.append(_measured("energy", energy, system, motion, around, rates, course))
    return tuple(found)


def _states(course: np.ndarray) -> np.ndarray:
    """(n, columns) states about those of a course, in reach of it."""
    rng = np.random.default_rng(0)
    rows = course[rng.integers(len(course), size=_SAMPLES)]
    spread = 0.3 * (np.ptp(course, axis=0) + 1e-3 * (1.0 + np.abs(course).max(axis=0)))
    return np.asarray(rows + spread * rng.standard_normal(rows.shape))


def _momenta(
    system: System,
    motion: Motion,
    around: np.ndarray,
    rates: np.ndarray,
    speeds: list[int],
    course: np.ndarray,
) -> list[Invariant]:
    """Sums of velocities whose rate vanishes, and that no impact of two bodies changes."""
    rows = np.concatenate([rates[:, speeds], *_kicks(system, motion, around, speeds)])
    _, sizes, basis = np.linalg.svd(rows)
    null = basis[sizes <= _ALIKE * max(sizes.max(), 1e-12)]
    found = []
    for weights in _plain(null):
        names = [system.columns[k] for k in speeds]
        terms = [w * symbol(name) for w, name in zip(weights, names, strict=True) if w]
        if len(terms) > 1:
            expression = sympy.Add(*terms)
            found.append(_measured("momentum", expression, system, motion, around, rates, course))
    return found


def _kicks(
    system: System, motion: Motion, around: np.ndarray, speeds: list[int]
) -> list[np.ndarray]:
    """(n, velocities) changes by each impact of two bodies, at the states tried."""
    found = []
    for k, impact in enumerate(system.impacts):
        bodies = {column.partition(".")[0] for column in impact.changes}
        if len(bodies) > 1:
            found.append(np.array([(motion.jumped(y, k) - y)[speeds] for y in around]))
    return found


def _plain(null: np.ndarray) -> list[np.ndarray]:
    """The same space by vectors with as many zeros as can be (reduced row echelon form)."""
    if not len(null):
        return []
    rows, done = np.array(null), 0
    for column in range(rows.shape[1]):
        pivot = done + int(np.argmax(np.abs(rows[done:, column])))
        if abs(rows[pivot, column]) < 1e-6:
            continue
        rows[[done, pivot]] = rows[[pivot, done]]
        rows[done] /= rows[done, column]
        for other in range(len(rows)):
            if other != done:
                rows[other] -= rows[other, column] * rows[done]
        done += 1
        if done == len(rows):
            break
    return [np.where(np.abs(row) < 1e-6, 0.0, row) for row in rows]


def _energy(
    system: System,
    motion: Motion,
    places: list[int],
    speeds: list[int],
    momenta: Sequence[Invariant],
) -> sympy.Expr | None:
    """T + U, None where no potential is found: U is that of the forces on what stands still. Masses
    of bodies that nothing but impacts joins are those of their momenta."""
    q = [symbol(system.columns[k]) for k in places]
    v = [symbol(system.columns[k]) for k in speeds]
    still = dict.fromkeys(v, 0)
    if system.coupled:
        ((unknowns, (mass, force)),) = list(system.coupled.items())[:1]
        own = [system.rates[system.columns[k]] for k in speeds]
        if len(system.coupled) > 1 or own != list(unknowns):
            return None
        forces = [entry.subs(still) for entry in force]
        kinetic = (sympy.Matrix([v]) * mass * sympy.Matrix(v))[0, 0] / 2
    else:
        rates = [system.rates[system.columns[k]].subs(still) for k in speeds]
        known = [sum(abs(one.expression.coeff(s)) for one in momenta) or sympy.S.One for s in v]
        weights = _weights(rates, q, known, system, motion)
        if weights is None:
            return None
        forces = [w * rate for w, rate in zip(weights, rates, strict=True)]
        kinetic = sympy.Add(*(w * s**2 / 2 for w, s in zip(weights, v, strict=True)))
    potential = _potential(forces, q)
    return None if potential is None else kinetic + potential


def _weights(
    rates: list[sympy.Expr],
    q: list[sympy.Symbol],
    known: list[sympy.Expr],
    system: System,
    motion: Motion,
) -> list[Any] | None:
    """Masses that make forces of the accelerations (w_i da_i/dq_j = w_j da_j/dq_i)."""
    slopes = sympy.Matrix(rates).jacobian(q)
    values = dict(zip(map(symbol, system.parameters), motion.values, strict=True))
    at = values | {s: 1.7 + 0.61 * k * k for k, s in enumerate(q)}
    try:
        numbers = np.array(slopes.subs(at).tolist(), float)
    except (TypeError, ValueError):
        return None
    weights: list[Any] = [None] * len(q)
    for first in range(len(q)):
        if weights[first] is not None:
            continue
        weights[first], queue = known[first], [first]
        for i in queue:
            for j in range(len(q)):
                if weights[j] is None and abs(numbers[i, j]) > 1e-12 and numbers[j, i]:
                    weights[j] = _neat_ratio(float(weights[i]) * numbers[i, j] / numbers[j, i])
                    queue.append(j)
    return weights if all(w > 0 for w in weights) else None


def _neat_ratio(value: float) -> Any:
    near = round(value, 6)
    return sympy.Integer(int(near)) if near == int(near) else sympy.Float(value)


def _potential(forces: list[sympy.Expr], q: list[sympy.Symbol]) -> sympy.Expr | None:
    """U with -dU/dq = force, None where no closed form is found by plain rules."""
    total = sympy.S.Zero
    for force, coordinate in zip(forces, q, strict=True):
        rest = -force - sympy.diff(total, coordinate)
        if _nothing(rest):
            continue
        if sympy.count_ops(rest) > _LONG:
            return None
        part = _integral(rest, coordinate)
        if part is None:
            return None
        total += part
    return total


def _integral(expression: sympy.Expr, x: sympy.Symbol) -> sympy.Expr | None:
    """Over x: of polynomials, sines of x, and functions R' R^p of squares of distances; None for
    anything else. SymPy's own rules may take minutes."""
    groups: dict[sympy.Expr, sympy.Expr] = {}
    for term in sympy.Add.make_args(sympy.expand_mul(expression)):
        plain, rest = sympy.S.One, sympy.S.One
        for factor in sympy.Mul.make_args(term):
            if factor.is_polynomial(x):
                plain *= factor
            else:
                rest *= factor
        groups[rest] = groups.get(rest, sympy.S.Zero) + plain
    parts = [_one_integral(sympy.expand(plain), rest, x) for rest, plain in groups.items()]
    return None if any(part is None for part in parts) else sympy.Add(*parts)


def _one_integral(plain: sympy.Expr, rest: sympy.Expr, x: sympy.Symbol) -> sympy.Expr | None:
    if rest == 1:
        powers = sympy.Poly(plain, x).terms()
        return sympy.Add(*(c * x ** (n + 1) / (n + 1) for (n,), c in powers))
    inner = rest.args[0] if rest.args else x
    slope = sympy.diff(inner, x)
    if isinstance(rest, (sympy.sin, sympy.cos)) and not slope.has(x) and not plain.has(x):
        own = -sympy.cos(inner) if isinstance(rest, sympy.sin) else sympy.sin(inner)
        return plain * own / slope
    if isinstance(rest, sympy.Pow) and not rest.exp.has(x) and slope != 0:
        share = sympy.cancel(plain / slope)
        if not share.has(x):
            power = rest.exp + 1
            return share * (sympy.log(inner) if power == 0 else inner**power / power)
    return None


def _nothing(expression: sympy.Expr) -> bool:
    """Whether it is 0 wherever it is tried: what is left of two forms of the same force."""
    if expression == 0:
        return True
    names = sorted(expression.free_symbols, key=str)
    rng = np.random.default_rng(1)
    terms = expression.args if expression.is_Add else (expression,)
    value = sympy.lambdify(names, [*terms], "numpy")
    rows = np.array([value(*rng.uniform(0.5, 2.0, len(names))) for _ in range(4)], float)
    return bool(np.all(np.abs(rows.sum(1)) <= 1e-9 * np.abs(rows).sum(1)))


def _measured(
    word: str,
    expression: sympy.Expr,
    system: System,
    motion: Motion,
    around: np.ndarray,
    rates: np.ndarray,
    course: np.ndarray,
) -> Invariant:
    """With what becomes of it: by its gradient times the rates, and along the course."""
    own = [symbol(column) for column in system.columns]
    values = dict(zip(map(symbol, system.parameters), motion.values, strict=True))
    numbers = expression.subs(values)
    value = sympy.lambdify(own, numbers, "numpy")
    slope = sympy.lambdify(own, [sympy.diff(numbers, s) for s in own], "numpy")
    parts = np.array([np.asarray(slope(*y), float) * r for y, r in zip(around, rates, strict=True)])
    kept = bool(np.all(np.abs(parts.sum(1)) <= 1e-6 * np.abs(parts).sum(1) + 1e-12))
    along = np.array([float(value(*y)) for y in course])
    size = _size(word, numbers, system, course)
    drift = float(np.ptp(along) / size) if size else 0.0
    return Invariant(word, expression, kept, drift)


def _size(word: str, numbers: sympy.Expr, system: System, course: np.ndarray) -> float:
    """What a change is compared with: the largest kinetic energy, the largest sum of all bodies'
    shares of a momentum in any direction."""
    own = [symbol(column) for column in system.columns]
    speeds = [symbol(v) for _, v in system.pairs]
    if word == "energy":
        moving = sympy.lambdify(own, numbers - numbers.subs(dict.fromkeys(speeds, 0)), "numpy")
        return max(abs(float(moving(*y))) for y in course)
    fastest = max(float(np.abs(course[:, own.index(v)]).max()) for v in speeds)
    return fastest * sum(abs(float(numbers.coeff(v))) for v in speeds)
