"""Frames as a camera with a shutter takes them, from the states at their moments."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from tools.columns import is_angle
from tools.types import Shutter, State, flatten_state, unflatten_state

FINE = 0.5
"""Pixels that bodies may move from one moment drawn to the next."""
MOST = 16
"""Moments drawn for one frame, at most."""


def exposed(
    picture: Callable[[State], np.ndarray],
    states: Sequence[State],
    t: int,
    shutter: Shutter | None,
) -> np.ndarray:
    """Frame ``t`` of a film of ``states``, (H, W, 3) uint8: ``picture`` of the state of that
    moment, or with a shutter the mean of pictures of the moments in which each row is exposed.

    States between two frames lie on the straight line between them.
    """
    before, after = states[max(t - 1, 0)], states[min(t + 1, len(states) - 1)]
    if shutter is None or len(states) < 2:
        return picture(states[t])
    first, last = -shutter.open / 2, shutter.open / 2
    first, last = first + min(shutter.readout, 0.0), last + max(shutter.readout, 0.0)
    far = (last - first) * _way(before, after) / (2 if 0 < t < len(states) - 1 else 1)
    count = min(MOST, 1 + math.ceil(far / FINE))
    if count == 1:
        return picture(states[t])
    step = (last - first) / count
    moments = first + step * (np.arange(count) + 0.5)
    pictures = (picture(_between(states, t, moment)) for moment in moments.tolist())
    drawn = next(pictures)
    shares = _shares(moments, step, shutter, len(drawn))[..., None, None]
    total = drawn * shares[0]
    for drawn, share in zip(pictures, shares[1:], strict=True):
        total += drawn * share
    return np.clip(np.rint(total), 0, 255).astype(np.uint8)


def _shares(moments: np.ndarray, step: float, shutter: Shutter, rows: int) -> np.ndarray:
    """(moments, rows) float32: what the picture of each moment counts in each row."""
    read = shutter.readout * np.arange(rows) / rows
    half, since = max(shutter.open, step) / 2, moments[:, None] - step / 2
    within = np.minimum(since + step, read + half) - np.maximum(since, read - half)
    within = np.maximum(within, 0.0)
    return (within / within.sum(0)).astype(np.float32)


def _way(before: State, after: State) -> float:
    """The most that a place in the picture changes, in pixels."""
    one, other = (flatten_state(state, allow_nan=True) for state in (before, after))
    ways = [
        abs(other[c] - one[c]) for c in one if c in other and c.rpartition(".")[2] in ("x", "y")
    ]
    return max((way for way in ways if math.isfinite(way)), default=0.0)


def _between(states: Sequence[State], t: int, later: float) -> State:
    """The state so much later than that of frame ``t``, as a share of the time between frames."""
    side = 1 if later > 0 else -1
    if not 0 <= t + side < len(states):  # at an end as on the other side
        side = -side
    own, other = (flatten_state(states[k], allow_nan=True) for k in (t, t + side))
    moved = {c: own[c] + later * side * _change(c, own[c], other.get(c, own[c])) for c in own}
    return unflatten_state(moved)


def _change(column: str, value: float, other: float) -> float:
    change = other - value
    if not math.isfinite(change):
        return 0.0
    return math.remainder(change, 2 * math.pi) if is_angle(column) else change
