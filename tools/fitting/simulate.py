"""Rollouts of a fitted program."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tools import timing
from tools.fitting.model import Model
from tools.types import (
    MAX_ABS,
    ContractError,
    State,
    States,
    Steps,
    flatten_state,
    unflatten_state,
)


def rollout(
    program: Any,
    values: Mapping[str, float],
    start: State,
    steps: int,
    dt: Steps,
    actions: Sequence[float] | np.ndarray | None = None,
) -> States:
    """States with values (steps + 1, columns), ``dt`` seconds apart, row 0 = ``start``; what is not
    finite (or absurdly large) is NaN.

    dt: seconds of every step, or at least ``steps`` of them. actions: at least ``steps`` numbers,
    entry t acts between row t and t + 1, or None for zeros. Raises ContractError for too few of
    them; what the program raises passes through.
    """
    given = _actions(steps, dt, actions)
    row = flatten_state(start, "rollout start", allow_nan=True)
    model = Model(program)
    with np.errstate(all="ignore"):
        layout = model.layout(row, values, timing.usual_step(dt))
        first = np.array([row.get(column, np.nan) for column in layout.columns])
        table = model.roll(layout, first, values, given, dt, steps)
    return States(layout.columns, _known(table))


def rollouts(
    program: Any,
    variants: Sequence[tuple[Mapping[str, float], Mapping[str, float]]],
    steps: int,
    dt: Steps,
    actions: Sequence[float] | np.ndarray | None = None,
) -> np.ndarray:
    """(variants, steps + 1, columns): ``rollout`` of several (values, start row by column), which
    have the same columns. Together, on arrays, where the program is written elementwise: then the
    first and the last are as they are alone."""

    def alone(k: int) -> np.ndarray:
        values, row = variants[k]
        return rollout(program, values, unflatten_state(dict(row)), steps, dt, actions).values

    first, last = alone(0), alone(-1)
    try:
        table = _together(program, variants, steps, dt, _actions(steps, dt, actions))
    except Exception:  # branches on values raise there; what the program raises, raises alone too
        table = None
    if table is not None and all(map(_same, (table[0], table[-1]), (first, last))):
        return table
    return np.stack([alone(k) for k in range(len(variants))])


def _together(
    program: Any,
    variants: Sequence[tuple[Mapping[str, float], Mapping[str, float]]],
    steps: int,
    dt: Steps,
    actions: np.ndarray,
) -> np.ndarray:
    model = Model(program)
    values = {name: np.array([theta[name] for theta, _ in variants]) for name in variants[0][0]}
    with np.errstate(all="ignore"):
        layout = model.layout(variants[0][1], variants[0][0], timing.usual_step(dt))
        rows = np.array([[row.get(c, np.nan) for _, row in variants] for c in layout.columns])
        table = model.roll_batch(layout, rows, values, actions, dt, steps)
    return _known(np.moveaxis(table, -1, 0))


def _same(a: np.ndarray, b: np.ndarray) -> bool:
    return a.shape == b.shape and np.allclose(a, b, rtol=1e-9, atol=1e-9, equal_nan=True)


def _known(table: np.ndarray) -> np.ndarray:
    """NaN in place of what is not finite, or absurdly large."""
    known: np.ndarray = np.where(np.abs(table) <= MAX_ABS, table, np.nan)
    return known


def _actions(steps: int, dt: Steps, actions: Sequence[float] | np.ndarray | None) -> np.ndarray:
    """(steps,) or more; ContractError where these or the steps' lengths are too few."""
    given = np.zeros(steps) if actions is None else np.asarray(actions, np.float64)
    if len(given) < steps:
        raise ContractError(
            "rollout actions", f"at least {steps} numbers, one a step", str(len(given))
        )
    if isinstance(dt, np.ndarray) and len(dt) < steps:
        raise ContractError("rollout dt", f"at least {steps} numbers, one a step", str(len(dt)))
    return given
