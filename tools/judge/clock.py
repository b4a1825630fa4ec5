"""Whether time went on evenly for one body: short pieces of its way, as one smooth curve passed
through at one speed of time or at two.

Nothing is foretold far ahead, so that it holds for motion that changes fast: the places on both
sides of a moment lie on one polynomial of the time that has passed on the body's own way. How well
they do is measured against how well earlier pieces did, taken at the same steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

RATES = (0.3, 0.33, 0.37, 0.41, 0.45, 0.5, 0.55, 0.6, 1.7, 1.8, 1.9, 2.0, 2.1, 2.3, 2.5, 2.75, 3.0,
         3.3, 3.6, 4.0)  # fmt: skip
"""Speeds of time that are tried; nearer to 1, motion that changes fast by itself looks the same."""
_BEFORE, _AFTER, _REACH = 5, 4, 6.5
"""Frames on either side of a moment, and how far after it the way may lie, in frames of before."""
_HOLE = 6  # frames before in which it may be hidden
_DEGREES = (2, 3, 4)
_ENOUGH = 1.5  # mean squared misfit of earlier pieces up to which a degree is enough
PRICE = 3.0  # nats of a free number
_SMOOTH = 0.1  # of a step, what an earlier piece may leave at most
_EARLIER, _PIECES = 10, 2
"""Pieces before, at most and at least, that tell how well it fits: the last ones in which nothing
struck the body, for before a bounce the way was as smooth."""


@dataclass(frozen=True)
class Beat:
    """Of one body at one moment, in nats, against time that goes on: gains (R,) of each of RATES,
    and own (R,), of the likeliest change of its own (place, velocity, pull) on the same places.
    misfits: (R,) mean squared misfit left, in what earlier pieces left. step: (2,) pixels a frame
    before."""

    gains: np.ndarray
    own: np.ndarray
    misfits: np.ndarray
    step: np.ndarray


def beats(bodies: Sequence[tuple[np.ndarray, float, Sequence[int]]], t: int) -> list[Beat]:
    """Of each body, with places (T, 2) that are `shown` around the moment between frames ``t - 1``
    and ``t``, the standard error of one and the frames at which it was struck; none where all of
    them went on evenly."""
    pieces = [_Piece(places, error, t, struck) for places, error, struck in bodies]
    return [piece.beat() for piece in pieces] if any(piece.bent > 0 for piece in pieces) else []


def shown(places: np.ndarray, t: int) -> bool:
    """Whether enough is seen around frame ``t``, but for some frames in which it was hidden."""
    near = np.isfinite(places[max(t - 2, 0) : t + 2]).all()
    return bool(near) and t <= len(places) - _AFTER and len(_known(places, t)) == _BEFORE


def moved(places: np.ndarray, t: int) -> float:
    """Pixels along one axis that it went in the first three of the frames that `shown` needs."""
    first = (t - 1 + _known(places, t)[:3]).astype(int)
    return float(np.ptp(places[first], axis=0).max())


def _known(places: np.ndarray, t: int) -> np.ndarray:
    """(k,) frames since ``t - 1``, up to 0, of the last places that were seen before ``t``."""
    first = max(t - _BEFORE - _HOLE, 0)
    frames: np.ndarray = np.nonzero(np.isfinite(places[first:t, 0]))[0][-_BEFORE:] + first - t + 1.0
    return frames


def bent(places: np.ndarray, error: float, t: int) -> float:
    """Nats by which a change of its own just before frame ``t`` is likelier than a smooth way; NaN
    where too little is seen. places: (T, 2), error: of one."""
    if not _BEFORE <= t <= len(places) - _AFTER or np.isnan(places[t - _BEFORE : t + _AFTER]).any():
        return np.nan
    return _Piece(places, error, t).bent


class _Piece:
    """The places around one moment."""

    def __init__(self, places: np.ndarray, error: float, t: int, struck: Sequence[int] = ()):
        self._places, self._error, self._t = places, error, t
        self._before = _known(places, t)
        self._struck = np.array(sorted(struck), int)
        seen = np.isfinite(places[t : t + _AFTER, 0])
        self._after = len(seen) if seen.all() else int(np.argmin(seen))
        step = float(np.linalg.norm(places[t - 1] - places[t - 2]))
        self._most = (_SMOOTH * step / error) ** 2
        self._degree = self._enough()
        lengths = {self._length(rate) for rate in RATES}
        self._even = {n: self._evenly(n) for n in lengths}

    def _enough(self) -> int:
        """The least degree of the polynomial that accounts for earlier pieces."""
        for reach in (int(_REACH), 2):  # shorter ones where nothing long was seen
            s = self._at(reach)
            left = [(self._usual(s, degree), degree) for degree in _DEGREES[:-1]]
            for usual, degree in left:
                if usual < _ENOUGH * 2 * (len(s) - degree - 1):
                    return degree
            if np.isfinite(left[0][0]):
                break
        return _DEGREES[-1]

    @property
    def bent(self) -> float:
        """Nats by which some change of its own says more than that it went on."""
        return max(on - own for on, own in self._even.values())

    def beat(self) -> Beat:
        """What each speed of time gains."""
        gains, own, misfits = np.array([self._told(rate) for rate in RATES]).T
        t, places = self._t, self._places
        return Beat(gains, own, misfits, places[t - 1] - places[t - 2])

    def _at(self, n: int) -> tuple[float, ...]:
        """Frames since the last one before, of the places before and of the next ``n``."""
        return tuple(np.concatenate([self._before, np.arange(1.0, n + 1)]).tolist())

    def _length(self, rate: float) -> int:
        return max(2, min(self._after, int(_REACH / rate)))

    def _evenly(self, n: int) -> tuple[float, float]:
        """Cost of going on, and of the best change of its own with its price."""
        j = self._at(n)
        own = min(self._cost(j, shape)[0] for shape in range(1, 1 + _SHAPES)) + 2 * PRICE
        return self._cost(j)[0], own

    def _told(self, rate: float) -> tuple[float, float, float]:
        """Gain, own gain and misfit of one speed of time; none of what changed while too few
        earlier pieces tell how well it fits."""
        n = self._length(rate)
        on, own = self._even[n]
        j = np.array(self._at(n))
        cost, misfit = self._cost(tuple(np.where(j > 0, rate * j, j)), known=True)
        if on > own and not np.isfinite(misfit):
            return 0.0, 0.0, 0.0
        return on - cost, on - own, misfit

    def _cost(
        self, s: tuple[float, ...], shape: int = 0, known: bool = False
    ) -> tuple[float, float]:
        """Negative log-likelihood of the places about a polynomial of ``s``, with one of the
        shapes of a change added, and their mean squared misfit, both in what earlier pieces left;
        what no hypothesis changes is left out. known: infinite where too few pieces tell."""
        degree, frames = self._degree, self._t - 1 + np.rint(self._at(len(s) - _BEFORE)).astype(int)
        free = 2 * max(len(s) - degree - 1 - (shape > 0), 1)
        left = _rest(s, shape, degree) @ self._places[frames] / self._error
        usual = self._usual(s, degree) / free
        if known and not np.isfinite(usual):
            return np.inf, np.inf
        wide = max(1.0, min(usual, self._most))
        squared = float((left**2).sum())
        return squared / (2 * wide) + free / 2 * float(np.log(wide)), squared / (free * wide)

    def _usual(self, s: tuple[float, ...], degree: int) -> float:
        """Squared misfit that is usually left of pieces that end before the moment, taken at the
        steps ``s`` of even time, to the nearest frame."""
        after = np.rint(s[_BEFORE:]).astype(int)
        steps = np.unique([*range(1 - _BEFORE, 1), *after])
        ends = np.arange(self._t - 1, steps[-1] - steps[0] - 1, -1)
        hits = np.searchsorted(self._struck, [ends - steps[-1] + steps[0], ends], side="right")
        ends = ends[hits[0] == hits[1]]
        if len(ends) < _PIECES or len(steps) <= degree + 1:
            return np.inf
        pieces = self._places[ends[:, None] - steps[-1] + steps]
        pieces = pieces[np.isfinite(pieces).all(axis=(1, 2))][:_EARLIER]
        left = _rest(tuple(steps.astype(float)), 0, degree) @ pieces / self._error
        known = (left**2).sum(axis=(1, 2))
        usual = float(np.median(known)) * len(s) / len(steps) if len(known) else np.inf
        whole = self._before[0] == 1 - _BEFORE or usual < _ENOUGH * 2 * (len(s) - degree - 1)
        return usual if whole else np.inf  # who knows how well a longer piece fits


_SHAPES = 5


@cache
def _rest(s: tuple[float, ...], shape: int, degree: int) -> np.ndarray:
    """(n, n) what is left of values at ``s`` about a polynomial and a change after 0: of place, of
    velocity there or half a frame aside, of the pull; 0: none."""
    t = np.array(s)
    shapes = (
        (t > 0).astype(float),
        np.maximum(t, 0.0),
        np.maximum(t + 0.5, 0.0),
        np.maximum(t - 0.5, 0.0),
        np.maximum(t, 0.0) ** 2,
    )
    base = np.vander(t / _BEFORE, degree + 1, increasing=True)
    if shape:
        base = np.column_stack([base, shapes[shape - 1]])
    rest: np.ndarray = np.eye(len(t)) - base @ np.linalg.pinv(base)
    return rest
