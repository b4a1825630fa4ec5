"""How alike two scenes are, by what can be pointed at in them and how that moves."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from agent.checking.sighting import Sighting
from tools.types import States

SCALES = {
    "things": 2.0,
    "moving": 1.0,
    "turning": 1.0,
    "growing": 1.0,
    "reversals": 2.0,
    "kinks": 1.0,
    "bend": 0.5,
    "fall": 0.5,
}
"""Differences that count as much as each other."""
LIKE = 1.5
"""Distance up to which one scene says something about another."""
_TRAVEL = 0.02  # of the picture's longer side: what travels less stands still


@dataclass(frozen=True)
class Memory:
    """What a prompt shows of an entry of a library. distance: between the scenes."""

    name: str
    words: str
    score: float
    distance: float
    perception: str
    dynamics: str


def measures(seen: Sighting) -> dict[str, float]:
    """Of a scene: how many things there are, move, turn and grow; how often they turn back and
    leave their course at once; how far their courses bend, and whether downwards (both as the speed
    gained over the clip, as a share of the usual speed)."""
    table, side = seen.table(), max(seen.shape)
    paths = [_path(table, f"thing{one.label}") / side for one in seen.things]
    moving = [p for p in paths if len(p) > 3 and np.ptp(p, axis=0).max() > _TRAVEL]
    bends = [_bend(path) for path in moving]
    columns = " ".join(table.columns)
    return {
        "things": float(len(seen.things)),
        "moving": float(len(moving)),
        "turning": float(columns.count(".angle")),
        "growing": float(columns.count(".size")),
        "reversals": float(sum(_reversals(path) for path in moving)),
        "kinks": float(sum(_kinks(path) for path in moving)),
        "bend": float(np.median([abs(bend).max() for bend in bends])) if bends else 0.0,
        "fall": float(np.median([bend[1] for bend in bends])) if bends else 0.0,
    }


def distance(first: Mapping[str, float], second: Mapping[str, float]) -> float:
    """Between two scenes' measures, in units of SCALES; of those that both have."""
    shared = [name for name in SCALES if name in first and name in second]
    if not shared:
        return LIKE
    gaps = [(first[name] - second[name]) / SCALES[name] for name in shared]
    return math.sqrt(sum(gap**2 for gap in gaps) / len(gaps))


def _path(table: States, name: str) -> np.ndarray:
    path = np.column_stack([table.column(f"{name}.x"), table.column(f"{name}.y")])
    return path[np.isfinite(path).all(axis=1)]


def _bend(path: np.ndarray) -> np.ndarray:
    """(2,) change of velocity from the first to the last third, as a share of the usual speed."""
    steps, third = np.diff(path, axis=0), max(1, (len(path) - 1) // 3)
    usual = float(np.median(np.hypot(*steps.T))) + 1e-9
    change = (steps[-third:].mean(axis=0) - steps[:third].mean(axis=0)) / usual
    return np.clip(change, -3.0, 3.0)


def _reversals(path: np.ndarray) -> int:
    """Turns back along either axis that are longer than what counts as standing still."""
    count = 0
    for values in path.T:
        last, sign = values[0], 0.0
        for value in values[1:]:
            if abs(value - last) > _TRAVEL / 2:
                count += sign * (value - last) < 0
                sign, last = float(np.sign(value - last)), value
    return count


def _kinks(path: np.ndarray) -> int:
    """Frames at which the velocity changes by more than half, at once."""
    steps = np.diff(path, axis=0)
    jumps = np.hypot(*np.diff(steps, axis=0).T)
    speed = np.hypot(*steps.T)
    usual = float(np.median(speed)) + 1e-9
    return int((jumps > np.maximum(0.6 * usual, 5 * np.median(jumps) + 1e-9)).sum())
