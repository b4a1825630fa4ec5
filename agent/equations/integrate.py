"""The printed equations on their own: SciPy integrates them, impacts are its events. Nothing of the
program or of ``tools.physics`` takes part."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import sympy
from scipy.integrate import solve_ivp

from agent.equations.jet import Untold
from agent.equations.system import ACTION, Impact, System, symbol

RTOL, ATOL = 1e-9, 1e-9
_MOST = 40
"""Impacts of one frame above which something comes to rest."""
_SHARE = 0.02
"""Of a step: half the width of a difference."""

Field = Callable[[np.ndarray, float], np.ndarray]


class Motion:
    """A system with the values of its parameters. dt: seconds a frame usually takes."""

    def __init__(self, system: System, values: Mapping[str, float], dt: float):
        self.system = system
        self.values = [float(values[name]) for name in system.parameters]
        own = [symbol(column) for column in system.columns]
        self._inputs = [*own, *map(symbol, system.parameters), ACTION]
        self._unknown = [u for unknowns in system.coupled for u in unknowns]
        self._rates = self._function(
            [system.rates[c] for c in system.columns], [*self._inputs, *self._unknown]
        )
        self._linear = [self._function([m, h], self._inputs) for m, h in system.coupled.values()]
        self._places = self._function(list(system.places.values()), self._inputs)
        self._surfaces = [self._surface(impact) for impact in system.impacts]
        self._jumps = [
            (
                self._function([i.when], self._inputs),
                [system.columns.index(c) for c in i.changes],
                self._function(list(i.changes.values()), self._inputs),
            )
            for i in system.impacts
        ]
        self._corrected = [(name, share * dt) for name, share in system.steps if name != "rk4"]
        index = {c: k for k, c in enumerate(system.columns)}
        self._pairs = [(index[q], index[v]) for q, v in system.pairs]

    def _function(self, expressions: Sequence[Any], inputs: Sequence[sympy.Symbol]) -> Any:
        return sympy.lambdify(list(inputs), expressions, modules="numpy", cse=True)

    def _surface(self, impact: Impact) -> Any:
        """A function that falls through zero where the impact happens."""
        gap = -margin(impact.when) if impact.gap is None else impact.gap
        return self._function([gap], self._inputs)

    # ----------------------------------------------------------------------------------------------

    def rates(self, y: np.ndarray, action: float) -> np.ndarray:
        """(n,) of the columns' rates; corrected for the length h of its steps, to h^2, where the
        program takes Euler's: the equation that such steps obey (Hairer, Lubich, Wanner, "Geometric
        Numerical Integration", 2006, IX.1)."""
        found = self._bare(y, action)
        for name, h in self._corrected:
            found = self._modified(y, action, name, h)
        return found

    def _modified(self, y: np.ndarray, action: float, name: str, h: float) -> np.ndarray:
        """f + h f2 + h^2 f3 for steps y + h f + h^2 d2: f2 = d2 - f'f / 2, f3 = -(f'f2 + f2'f) / 2
        - (f'f)'f / 6. Derivatives along a direction are central differences a fiftieth of a step
        wide."""
        wide = _SHARE * h

        def along(function: Any, at: np.ndarray, way: np.ndarray) -> np.ndarray:
            ahead, behind = function(at + wide * way), function(at - wide * way)
            return np.asarray((ahead - behind) / (2.0 * wide))

        def f(at: np.ndarray) -> np.ndarray:
            return self._bare(at, action)

        def g(at: np.ndarray) -> np.ndarray:
            return along(f, at, f(at))

        def f2(at: np.ndarray) -> np.ndarray:
            second = np.zeros_like(at)
            if name == "symplectic_euler":
                rates = f(at)
                for q, v in self._pairs:
                    second[q] = rates[v]
            return second - g(at) / 2.0

        first, turn = f(y), f2(y)
        # f2 is larger than f by 1 / seconds: along it, as far as a step goes
        third = -(along(f, y, h * turn) / h + along(f2, y, first)) / 2.0 - along(g, y, first) / 6.0
        return first + h * turn + h * h * third

    def _bare(self, y: np.ndarray, action: float) -> np.ndarray:
        inputs = [*y, *self.values, action]
        unknown: list[float] = []
        for linear in self._linear:
            mass, force = linear(*inputs)
            unknown += np.linalg.solve(
                np.asarray(mass, float), np.asarray(force, float).ravel()
            ).tolist()
        return np.array(self._rates(*inputs, *unknown), float)

    def follow(
        self, start: np.ndarray, times: np.ndarray, actions: np.ndarray | None = None
    ) -> np.ndarray:
        """(T, n) of the columns at ``times`` (T,), from ``start`` (n,) at the first. actions: (T,)
        what acts from each on. Raises Untold where impacts pile up."""
        rows, y = [np.array(start, float)], np.array(start, float)
        for k in range(len(times) - 1):
            action = 0.0 if actions is None else float(actions[k])
            y = self._frame(y, float(times[k]), float(times[k + 1]), action)
            rows.append(y)
        return np.array(rows)

    def before(self, start: np.ndarray, seconds: float) -> np.ndarray:
        """(n,) of the columns ``seconds`` before ``start`` (n,), no impact between. Raises
        Untold."""
        solved = solve_ivp(
            lambda _, y: self.rates(y, 0.0),
            (0.0, -seconds),
            np.array(start, float),
            method="DOP853",
            rtol=RTOL,
            atol=ATOL,
        )
        if not solved.success:
            raise Untold(f"equations: SciPy could not integrate them {seconds:.3g} s back")
        return np.asarray(solved.y[:, -1])

    def places(self, y: np.ndarray, action: float = 0.0) -> np.ndarray:
        """(m,) of the columns that follow from the others."""
        return np.array(self._places(*y, *self.values, action), float)

    def jumped(self, y: np.ndarray, number: int, action: float = 0.0) -> np.ndarray:
        """``y`` (n,) after the impact of that number in the system, wherever it is."""
        _, places, jump = self._jumps[number]
        after = y.copy()
        after[places] = jump(*y, *self.values, action)
        return after

    def _frame(self, y: np.ndarray, t: float, end: float, action: float) -> np.ndarray:
        count = 0
        y = self._struck(y, action, None)
        while t < end:
            events = self._events(action)
            solved = solve_ivp(
                lambda _, y: self.rates(y, action),
                (t, end),
                y,
                method="DOP853",
                rtol=RTOL,
                atol=ATOL,
                events=events or None,
            )
            if not solved.success:
                raise Untold(f"equations: SciPy could not integrate them beyond {t:.3g} s")
            t, y = float(solved.t[-1]), solved.y[:, -1]
            if solved.status == 1:
                count += 1
                if count > _MOST:
                    raise Untold(
                        "equations",
                        "impacts that are apart",
                        f"more than {_MOST} in the frame at {t:.3g} s: something comes to "
                        "rest there, and what rests is not in these equations",
                    )
                hit = next(k for k, at in enumerate(solved.t_events) if len(at))
                y = self._struck(y, action, hit)
        return y

    def _events(self, action: float) -> list[Any]:
        """One function for each impact, which ends the integration."""

        def event(surface: Any) -> Any:
            def crossing(_: float, y: np.ndarray) -> float:
                return float(surface(*y, *self.values, action)[0])

            crossing.terminal = True  # type: ignore[attr-defined]
            crossing.direction = -1.0  # type: ignore[attr-defined]
            return crossing

        return [event(surface) for surface in self._surfaces]

    def _struck(self, y: np.ndarray, action: float, number: int | None) -> np.ndarray:
        """``y`` after what happens there: the impact of that number, whose surface was reached, or
        (None) whatever holds already at the beginning of a frame."""
        for k, (when, _, _) in enumerate(self._jumps):
            if number is not None and k != number:
                continue
            if number == k or bool(when(*y, *self.values, action)[0]):
                y = self.jumped(y, k, action)
        return y


def margin(when: Any) -> sympy.Expr:
    """A function that is positive where a condition holds and negative where it does not.

    >>> y, v = sympy.symbols("y v", real=True)
    >>> margin((y > 3) & (v > 0))
    Min(v, y - 3)
    """
    if isinstance(when, sympy.And):
        return sympy.Min(*map(margin, when.args))
    if isinstance(when, sympy.Or):
        return sympy.Max(*map(margin, when.args))
    if isinstance(when, sympy.Not):
        return -margin(when.args[0])
    if isinstance(when, (sympy.StrictGreaterThan, sympy.GreaterThan)):
        return when.lhs - when.rhs
    if isinstance(when, (sympy.StrictLessThan, sympy.LessThan)):
        return when.rhs - when.lhs
    raise Untold("equations", "conditions that compare", "one that asks for equality")
