"""Films that show again what they have shown: the same picture on, or the last pictures backwards.
Read off whole pictures, so that it does not matter what the bodies are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_STIRS = 24  # grey levels between its darkest and its brightest from which on a pixel moves
_MOST = 8_000  # pixels of either sort that are compared
_AGAIN = 4  # pictures that must be the same as before
_SAME = 0.03  # unlikeness of pictures that are the same, of that of one step
_LEAST = 2e4  # unlikeness of two pictures between which something moved: a few pixels of a rim


@dataclass(frozen=True)
class Echo:
    """kind: "freeze" or "reversal". frame: the first picture that shows what was shown. half: it
    turns between two pictures, not on one. held: pictures for which a freeze lasts."""

    kind: str
    frame: int
    half: bool = False
    held: int = 0


def unlike(frames: np.ndarray) -> np.ndarray:
    """(T, T) summed squared differences between pictures over what moves, less what noise makes:
    frames (T, H, W, 3) uint8."""
    span = frames.max(axis=0).astype(np.int16) - frames.min(axis=0)
    moves = span.max(axis=2) > _STIRS + np.median(span)
    apart = np.zeros((len(frames), len(frames)))
    if moves.any():
        apart = _apart(frames, moves)
        if not moves.all():
            apart -= _apart(frames, ~moves) * (moves.sum() / (~moves).sum())
    return np.maximum(apart, 0.0)


def _apart(frames: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    rows, columns = np.nonzero(chosen)
    every = -(-len(rows) // _MOST)
    part = frames[:, rows[::every], columns[::every]].reshape(len(frames), -1).astype(np.float32)
    part -= part.mean(axis=0)
    inner = (part @ part.T).astype(float)
    square = np.diag(inner)
    table: np.ndarray = np.maximum(square[:, None] + square - 2 * inner, 0.0) * every
    return table


def echoes(apart: np.ndarray) -> list[Echo]:
    """All moments from which on a moving film shows what it has shown, in order of time."""
    found = []
    for t in range(_AGAIN, len(apart) - _AGAIN + 1):
        steps = [float(apart[t - k, t - k - 1]) for k in (1, 2, 3)]
        if min(steps[0], sorted(steps)[1]) < _LEAST:  # one may be short where a swing turns
            continue
        k = np.arange(_AGAIN)
        still = apart[t:, t - 1] < _SAME * steps[0]
        if still[k].all():
            found.append(Echo("freeze", t, held=len(still) if still.all() else int(still.argmin())))
        elif (back := _turned(apart, t)) is not None:
            found.append(back)
    return found


def _turned(apart: np.ndarray, t: int) -> Echo | None:
    for half in (False, True):
        k = np.arange(int(half), _AGAIN)
        back = t - 2 + half - k
        if back.min() < 0:
            continue
        away = apart[t + k, t - 1]
        least = np.where(k == k[0], away, away.mean())  # later ones may be near it again
        if (apart[t + k, back] < _SAME * least).all() and away.all():
            return Echo("reversal", t, half)
    return None
