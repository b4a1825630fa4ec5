"""Tables of states of many clips on their way to a child: numbers in one array, not as text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tools.types import States

NAME = "tracks"
"""Of the input that holds the numbers."""


def packed(tables: Sequence[States | None]) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Payload and inputs: ``tables`` (per clip [index into ``columns``, frames], None where there
    is no table) and one float64 array, of each clip the noise (NaN for none), then the frames."""
    columns = list(dict.fromkeys(one.columns for one in tables if one is not None))
    told = [None if one is None else [columns.index(one.columns), len(one)] for one in tables]
    rows = [row for one in tables if one is not None for row in (_noise(one), one.values.ravel())]
    payload = {"tables": told, "columns": [list(names) for names in columns]}
    return payload, {NAME: np.concatenate(rows)} if rows else {}


def unpacked(payload: Mapping[str, Any], inputs: Mapping[str, np.ndarray]) -> list[States | None]:
    """Inverse of :func:`packed`."""
    found: list[States | None] = []
    numbers, at = inputs.get(NAME, np.zeros(0)), 0
    for one in payload["tables"]:
        if one is None:
            found.append(None)
            continue
        columns = tuple(payload["columns"][one[0]])
        stop = at + (one[1] + 1) * len(columns)
        rows = numbers[at:stop].reshape(one[1] + 1, len(columns))
        noise = None if np.isnan(rows[0]).any() else rows[0].copy()
        found.append(States(columns, rows[1:], noise))
        at = stop
    return found


def _noise(table: States) -> np.ndarray:
    return np.full(len(table.columns), np.nan) if table.noise is None else table.noise
