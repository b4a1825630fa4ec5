"""Rollouts of a fitted program."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tools import timing
from tools.fitting.model import Model
from tools.types import MAX_ABS, ContractError, State, States, Steps, flatten_state


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
    given = np.zeros(steps) if actions is None else np.asarray(actions, np.float64)
    if len(given) < steps:
        raise ContractError(
            "rollout actions", f"at least {steps} numbers, one a step", str(len(given))
        )
    if isinstance(dt, np.ndarray) and len(dt) < steps:
        raise ContractError("rollout dt", f"at least {steps} numbers, one a step", str(len(dt)))
    row = flatten_state(start, "rollout start", allow_nan=True)
    model = Model(program)
    with np.errstate(all="ignore"):
        layout = model.layout(row, values, timing.usual_step(dt))
        first = np.array([row.get(column, np.nan) for column in layout.columns])
        table = model.roll(layout, first, values, given, dt, steps)
    return States(layout.columns, np.where(np.abs(table) <= MAX_ABS, table, np.nan))
