"""Rollouts of a fitted program."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tools.fitting.model import Model
from tools.types import MAX_ABS, ContractError, State, States, flatten_state


def rollout(
    program: Any,
    values: Mapping[str, float],
    start: State,
    steps: int,
    dt: float,
    actions: Sequence[float] | np.ndarray | None = None,
) -> States:
    """States with values (steps + 1, columns), ``dt`` seconds apart, row 0 = ``start``; what is not
    finite (or absurdly large) is NaN.

    actions: at least ``steps`` numbers, entry t acts between row t and t + 1, or None for zeros.
    Raises ContractError for too few actions; what the program raises passes through.
    """
    given = np.zeros(steps) if actions is None else np.asarray(actions, np.float64)
    if len(given) < steps:
        raise ContractError(
            "rollout actions", f"at least {steps} numbers, one a step", str(len(given))
        )
    row = flatten_state(start, "rollout start", allow_nan=True)
    model = Model(program)
    with np.errstate(all="ignore"):
        layout = model.layout(row, values, dt)
        first = np.array([row.get(column, np.nan) for column in layout.columns])
        table = model.roll(layout, first, values, given, dt, steps)
    return States(layout.columns, np.where(np.abs(table) <= MAX_ABS, table, np.nan))
