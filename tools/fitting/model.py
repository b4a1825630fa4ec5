"""A dynamics program seen as arrays: rows of numbers in, rollouts out, one by one or many at once.

A state is a row whose columns follow a ``ColumnLayout``. ``roll`` advances one row with Python
floats; ``roll_batch`` advances many rows in one call of ``step`` per frame, with arrays in place of
floats, for programs written elementwise.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tools import timing
from tools.types import (
    ContractError,
    Param,
    State,
    States,
    Steps,
    as_names,
    flatten_state,
    unflatten_state,
)


@dataclass(frozen=True)
class ColumnLayout:
    """columns: of a state, in order. produced: those that ``step`` itself returns; it carries the
    others along."""

    columns: tuple[str, ...]
    produced: tuple[str, ...]

    @property
    def keys(self) -> tuple[tuple[str, str], ...]:
        pairs = (column.split(".") for column in self.columns)
        return tuple((name, attribute) for name, attribute in pairs)

    def indices(self, columns: Sequence[str]) -> np.ndarray:
        """(len(columns),) positions of ``columns``."""
        return np.array([self.columns.index(column) for column in columns], int)


class Model:
    """A program under the contract of docs/contract.md: PARAMS, initial, step and, optionally,
    LATENTS, DIFFERENTIABLE.

    Raises ContractError when a part is missing or of the wrong kind. Exceptions of the program
    itself pass through, except for arithmetic ones (division by zero, overflow, domain), which
    become NaN: bad numbers, not bad code.
    """

    def __init__(self, program: Any):
        self.program = program
        self.params = _checked_params(getattr(program, "PARAMS", ()))
        self.latents = _checked_latents(getattr(program, "LATENTS", ()))
        self.differentiable = bool(getattr(program, "DIFFERENTIABLE", False))
        for name in ("initial", "step"):
            if not callable(getattr(program, name, None)):
                raise ContractError(
                    f"dynamics.{name}",
                    "a function",
                    repr(getattr(program, name, None)),
                    f"define {name}",
                )

    def start(self, states: States, values: Mapping[str, float], dt: float) -> dict[str, float]:
        """``initial`` as a flat row by column; NaN (or arithmetic failure) where the program does
        not know."""
        try:
            state = self.program.initial(states, dict(values), dt)
        except ArithmeticError:
            return {}
        except ValueError as error:
            if not _is_domain_error(error):
                raise
            return {}
        return flatten_state(_real(state), "initial(states, params, dt)", allow_nan=True)

    def layout(
        self, row: Mapping[str, float], values: Mapping[str, float], dt: float
    ) -> ColumnLayout:
        """Columns of ``row`` and of one step from it."""
        after = self._advance(unflatten_state(row), dict(values), 0.0, dt)
        if after is None:
            return ColumnLayout(tuple(row), tuple(row))
        produced = tuple(
            flatten_state(_real(after), "step(state, params, action, dt)", allow_nan=True)
        )
        return ColumnLayout(tuple(dict.fromkeys([*row, *produced])), produced)

    def roll(
        self,
        layout: ColumnLayout,
        row: np.ndarray,
        values: Mapping[str, float],
        actions: np.ndarray,
        dt: Steps,
        steps: int,
        settle: bool = False,
    ) -> np.ndarray:
        """(steps + 1, columns) float64 from the start ``row``; NaN from the first frame whose
        arithmetic fails.

        dt: seconds of every step, or one number a step. settle: pass the start through a step of
        zero seconds first, which recomputes what follows from the rest of it.
        """
        keys, params, out = layout.keys, dict(values), np.full((steps + 1, len(row)), np.nan)
        current = row.tolist()
        if settle:
            after = self._advance(_nest(keys, current), params, 0.0, 0.0)
            current = current if after is None else _read(keys, after, current)
        out[0] = current
        for t in range(steps):
            after = self._advance(
                _nest(keys, current), params, float(actions[t]), timing.step_at(dt, t)
            )
            if after is None:
                break
            current = _read(keys, after, current)
            out[t + 1] = current
        return out

    def roll_batch(
        self,
        layout: ColumnLayout,
        rows: np.ndarray,
        values: Mapping[str, np.ndarray | float],
        actions: np.ndarray,
        dt: Steps,
        steps: int,
        settle: bool = False,
    ) -> np.ndarray:
        """(steps + 1, columns, B) from rows (columns, B), values name -> (B,), actions (steps, B)
        or (steps,) zeros."""
        keys, params = layout.keys, dict(values)
        out = np.empty((steps + 1, *rows.shape))
        out[0] = rows
        if settle:
            _read_batch(keys, self.program.step(_nest(keys, rows), params, 0.0, 0.0), rows, out[0])
        for t in range(steps):
            action = actions[t] if actions.ndim == 2 else float(actions[t])
            after = self.program.step(_nest(keys, out[t]), params, action, timing.step_at(dt, t))
            _read_batch(keys, after, out[t], out[t + 1])
        return out

    def next_row(
        self, layout: ColumnLayout, row: Any, values: Mapping[str, Any], action: Any, dt: float
    ) -> list[Any]:
        """One step on anything that indexes like a row (a traced array); nothing is converted."""
        after = self.program.step(_nest(layout.keys, list(row)), dict(values), action, dt)
        return [
            after.get(obj, {}).get(name, old)
            for (obj, name), old in zip(layout.keys, row, strict=True)
        ]

    def _advance(self, state: State, params: dict[str, float], action: float, dt: float) -> Any:
        try:
            return self.program.step(state, params, action, dt)
        except ArithmeticError:
            return None
        except ValueError as error:
            if not _is_domain_error(error):
                raise
            return None


def _checked_params(params: Any) -> tuple[Param, ...]:
    if not isinstance(params, Sequence) or not all(isinstance(param, Param) for param in params):
        raise ContractError("dynamics.PARAMS", "a tuple of tools.types.Param", repr(params)[:60])
    names = [param.name for param in params]
    if len(set(names)) != len(names):
        raise ContractError("dynamics.PARAMS", "different names", as_names(names))
    return tuple(params)


def _checked_latents(latents: Any) -> tuple[str, ...]:
    if (
        isinstance(latents, str)
        or not isinstance(latents, Sequence)
        or not all(isinstance(name, str) for name in latents)
    ):
        raise ContractError(
            "dynamics.LATENTS", "a tuple of column names such as 'ball.vx'", repr(latents)[:60]
        )
    return tuple(dict.fromkeys(latents))


def _is_domain_error(error: ValueError) -> bool:
    return str(error).startswith(("math domain error", "expected a "))


def _real(state: Any) -> Any:
    if not isinstance(state, Mapping):
        return state
    return {
        obj: _real_part(part) if isinstance(part, Mapping) else part for obj, part in state.items()
    }


def _real_part(part: Mapping[str, Any]) -> dict[str, Any]:
    return {name: math.nan if _is_bad_number(value) else value for name, value in part.items()}


def _is_bad_number(value: Any) -> bool:
    """Infinite, or complex (a root of a negative number)."""
    return isinstance(value, complex) or (
        isinstance(value, (float, np.floating)) and math.isinf(value)
    )


def _nest(keys: Sequence[tuple[str, str]], values: Iterable[Any]) -> dict[str, dict[str, Any]]:
    state: dict[str, dict[str, Any]] = {}
    for (obj, attribute), value in zip(keys, values, strict=True):
        part = state.get(obj)
        if part is None:
            part = state[obj] = {}
        part[attribute] = value
    return state


def _read(keys: Sequence[tuple[str, str]], state: Any, before: list[float]) -> list[float]:
    """The state as a row; an attribute that ``step`` leaves out keeps its value."""
    try:
        return [float(state[obj][name]) for obj, name in keys]
    except KeyError:
        return [
            float(state.get(obj, {}).get(name, old))
            for (obj, name), old in zip(keys, before, strict=True)
        ]
    except TypeError:
        return _read_odd(keys, state)


def _read_odd(keys: Sequence[tuple[str, str]], state: Any) -> list[float]:
    """A state with something else than floats in it: bad numbers are NaN, the rest an error."""
    flat = flatten_state(_real(state), "step(state, params, action, dt)", allow_nan=True)
    return [flat.get(f"{obj}.{name}", math.nan) for obj, name in keys]


def _read_batch(
    keys: Sequence[tuple[str, str]], state: Any, before: np.ndarray, out: np.ndarray
) -> None:
    for index, (obj, name) in enumerate(keys):
        part = state.get(obj)
        out[index] = before[index] if part is None or name not in part else part[name]
