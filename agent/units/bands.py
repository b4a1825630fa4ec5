"""Bands of the frames to come: between which values every pixel will lie.

Pixels of several draws of the model lie within quantiles; what no draw can know (noise, how well
bodies are drawn) widens them by as much as the last frames seen went beyond (split conformal
prediction: Vovk, Gammerman, Shafer 2005).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from agent.evaluation.doubts import DRAWN, Doubts
from tools import backing

_ROOM = 128 << 20
"""Bytes of frames that are drawn."""
_BACK = 3
"""Frames seen on which the bands are tried."""
_CHANGE = 12
"""Grey levels by which a pixel changes where something moves."""
COVER = 0.95


@dataclass(frozen=True)
class FrameBands:
    """first: number of the first frame to come. moments: (n,) numbers of those told of. low,
    middle, high: (n, H, W, 3) uint8, 95 % of what is possible. moves: (n, H, W) bool, where
    something may be that is elsewhere at other moments."""

    first: int
    moments: tuple[int, ...]
    low: np.ndarray
    middle: np.ndarray
    high: np.ndarray
    moves: np.ndarray

    def width(self, frame: int) -> np.ndarray | None:
        """(H, W) uint8: how far apart the band's ends are in the last frame drawn up to ``frame``;
        None before the first."""
        before = [k for k, moment in enumerate(self.moments) if moment <= frame]
        if not before:
            return None
        return (self.high[before[-1]] - self.low[before[-1]]).max(-1)

    def true(self, k: int, hidden: np.ndarray | None) -> np.ndarray | None:
        """The true (H, W, 3) picture of the ``k``-th moment; hidden: frames to come that are
        known."""
        at = self.moments[k] - self.first
        return hidden[at] if hidden is not None and at < len(hidden) else None

    def outside(self, k: int, truth: np.ndarray) -> np.ndarray:
        """(H, W, 3) bool: where the true picture of the ``k``-th moment leaves the band."""
        return (truth < self.low[k]) | (truth > self.high[k])

    def covered(self, hidden: np.ndarray | None) -> float | None:
        """Share of the values (of pixels and colours) where something may be that lie in the band;
        None where nothing is known or moves."""
        pairs = [(k, self.true(k, hidden)) for k in range(len(self.moments))]
        out = [self.outside(k, true)[self.moves[k]] for k, true in pairs if true is not None]
        values = np.concatenate(out) if out else np.zeros(0)
        return 1.0 - float(values.mean()) if values.size else None


def moments(seen: int, ahead: int, shape: tuple[int, int]) -> tuple[int, ...]:
    """Frames to draw, from the first frame seen on: the last few seen, and as many of those to come
    as there is room for, the last one among them."""
    back = range(max(seen - _BACK, 0), seen)
    count = max(_ROOM // (DRAWN * shape[0] * shape[1] * 3) - len(back), 1)
    step = -(-ahead // count)
    return (*back, *sorted(range(seen + ahead - 1, seen - 1, -step)))


def frame_bands(doubts: Doubts, seen: np.ndarray) -> FrameBands | None:
    """Of what was drawn for ``doubts``; seen: (T, H, W, 3). None where nothing was."""
    if not len(doubts.drawn):
        return None
    ends = ((1 - COVER) / 2, 0.5, (1 + COVER) / 2)
    told = [np.quantile(f, ends, axis=0, method="nearest") for f in doubts.drawn.swapaxes(0, 1)]
    middle = np.stack([one[1] for one in told])
    plate = backing.by_rows(_median, middle, range(len(middle))).astype(np.int16)
    moves = np.stack([_elsewhere(low, high, plate) for low, _, high in told])
    back = np.array(doubts.moments) < len(seen)
    beyond = [
        np.maximum(low.astype(np.int16) - true, true - high.astype(np.int16))[moves[k]]
        for k, (low, _, high) in enumerate(told)
        if back[k]
        for true in [seen[doubts.moments[k]].astype(np.int16)]
    ]
    left = np.concatenate(beyond) if beyond else np.zeros(0)
    more = max(int(np.quantile(left, COVER, method="higher")), 0) if left.size else 0
    wider = [np.where(where, more, 0)[..., None].astype(np.uint8) for where in moves]
    ahead = np.flatnonzero(~back)
    return FrameBands(
        len(seen),
        tuple(moment for moment in doubts.moments if moment >= len(seen)),
        np.stack([cv2.subtract(told[k][0], _three(wider[k])) for k in ahead]),
        middle[ahead],
        np.stack([cv2.add(told[k][2], _three(wider[k])) for k in ahead]),
        moves[ahead],
    )


def _median(few: np.ndarray) -> np.ndarray:
    return np.asarray(np.median(few, axis=0))


def _elsewhere(low: np.ndarray, high: np.ndarray, plate: np.ndarray) -> np.ndarray:
    """(H, W) bool: where a band (H, W, 3) leaves what is usually there."""
    gap = np.maximum(high.astype(np.int16) - plate, plate - low.astype(np.int16))
    return np.asarray((gap > _CHANGE).any(-1))


def _three(grey: np.ndarray) -> np.ndarray:
    return np.repeat(grey, 3, axis=2)
