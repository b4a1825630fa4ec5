"""Numbers as text: tables with a head, a count of what is left out, and a tail."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from tools import timing
from tools.columns import unit_of
from tools.types import FittedParam, States, Steps

MAX_COLUMNS = 14


def elided(lines: Sequence[str], limit: int) -> list[str]:
    """``lines``, or the first and last of them around ``... N more ...``, ``limit`` lines in all.

    >>> elided(["a", "b", "c", "d", "e"], 3)
    ['a', '... 3 more ...', 'e']
    """
    if len(lines) <= limit:
        return list(lines)
    head = max(1, math.ceil((limit - 1) / 2))
    tail = max(0, limit - 1 - head)
    return [
        *lines[:head],
        f"... {len(lines) - head - tail} more ...",
        *(lines[len(lines) - tail :] if tail else []),
    ]


def state_table(states: States, dt: Steps, rows: int, times: Sequence[int] | None = None) -> str:
    """A fenced table of ``states``: frame, time in seconds, one column each with its unit; "-"
    where nothing is seen.

    times: frame number of each row (0, 1, ... when None). At most ``rows`` rows and MAX_COLUMNS
    columns.
    """
    shown = states.columns[:MAX_COLUMNS]
    times = range(len(states)) if times is None else times
    header = ["frame", "t [s]", *(f"{name}{_unit(name)}" for name in shown)]
    body = [
        [
            str(t),
            f"{timing.elapsed(dt, t):.3f}",
            *(number(states.values[k, c]) for c in range(len(shown))),
        ]
        for k, t in enumerate(times)
    ]
    return _fence(_aligned(header, body, rows)) + _left_out(states.columns[MAX_COLUMNS:])


def comparison_table(measured: States, rolled: States, dt: Steps, rows: int, first: int = 0) -> str:
    """Measured and rolled-out values side by side, for the columns that both have, those that
    differ most first."""
    shared = [name for name in rolled.columns if name in measured.columns]
    worst = {name: _gap(measured.column(name), rolled.column(name)) for name in shared}
    shown = sorted(shared, key=lambda name: (-worst[name], shared.index(name)))[: MAX_COLUMNS // 3]
    header = ["frame", "t [s]"]
    for name in shown:
        header += [f"{name}{_unit(name)}", "model", "gap"]
    body = []
    for t in range(min(len(measured), len(rolled))):
        row = [str(first + t), f"{timing.elapsed(dt, first + t):.3f}"]
        for name in shown:
            true, model = measured.column(name)[t], rolled.column(name)[t]
            row += [number(true), number(model), number(model - true)]
        body.append(row)
    return (
        _fence(_aligned(header, body, rows))
        if shown
        else "(no column is both measured and rolled out)"
    )


def param_table(params: Sequence[FittedParam]) -> str:
    """Fitted θ: value, error, bounds, unit, what the fit says of it."""
    header = ["parameter", "value", "+-", "low", "high", "unit", "remark"]
    body = [
        [
            p.name,
            number(p.value),
            "-" if p.error is None else number(p.error),
            number(p.low),
            number(p.high),
            p.unit or "-",
            p.note or "-",
        ]
        for p in params
    ]
    return _fence(_aligned(header, body, len(body) + 1)) if body else "(no parameters)"


def number(value: float) -> str:
    """Five significant digits at most, without an exponent where that is short.

    >>> [number(v) for v in (1.0, 0.000123456, 123456.7, float("nan"))]
    ['1', '0.00012346', '1.2346e+05', '-']
    """
    return f"{value:.5g}" if math.isfinite(value) else "-"


def _gap(a: np.ndarray, b: np.ndarray) -> float:
    gap = np.abs(a[: len(b)] - b[: len(a)])
    return float(np.nanmax(gap)) if np.isfinite(gap).any() else 0.0


def _unit(column: str) -> str:
    unit = unit_of(column)
    return f" [{unit}]" if unit else ""


def _aligned(header: list[str], body: list[list[str]], rows: int) -> list[str]:
    widths = [max(len(row[c]) for row in [header, *body]) for c in range(len(header))]
    lines = [
        "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True))
        for row in [header, *body]
    ]
    return [lines[0], *elided(lines[1:], rows)]


def _fence(lines: Sequence[str]) -> str:
    return "\n".join(["```", *lines, "```"])


def _left_out(columns: Sequence[str]) -> str:
    return f"\n({len(columns)} more columns: {', '.join(columns)})" if columns else ""
