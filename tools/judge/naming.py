"""What kind of break it is: hypotheses about how a body went on, compared by what they leave."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

KINDS: Mapping[str, str] = {
    "jump": "jumps in place",
    "velocity": "changes velocity without contact",
    "gravity": "is pulled differently than before",
    "freeze": "time stops",
    "reversal": "time runs backwards",
    "speed": "time runs at another speed",
    "appears": "appears from nothing",
    "vanishes": "vanishes",
    "size": "changes size",
    "colour": "changes colour",
    "world": "leaves the way that the world model foretells",
}
"""Kinds of violation, and each in words."""

OF_TIME = ("freeze", "reversal", "speed")
"""Kinds that hold for everything that moves."""

_AFTER = 5  # frames after a break that tell its kind
_RATES = tuple(np.round(np.concatenate([np.arange(0.2, 0.86, 0.05), np.arange(1.2, 4.05, 0.1)]), 2))
_STILL = 3.0  # standard errors of a place a frame above which a body moves


@dataclass(frozen=True)
class Violation:
    """kind: of KINDS. body: its name, "" = everything that moves. frame: the first one that
    violates. place: (x, y) pixels there. strength: in standard errors. says: one sentence."""

    kind: str
    body: str
    frame: int
    place: tuple[float, float]
    strength: float
    says: str

    def to_json(self) -> dict[str, Any]:
        """JSON-ready dict."""
        return asdict(self)


@dataclass(frozen=True)
class Turn:
    """How one body went on at a break. misfits: kind -> mean squared misfit of the frames after, in
    the squared error that this kind leaves them. costs: kind -> the same as a negative
    log-likelihood with a price for free numbers. rate: of time, where that is the speed hypothesis.
    moving: it moved before. change: (2,) of velocity, pixels a frame. slowing: it would have come
    to rest within three frames."""

    misfits: Mapping[str, float]
    costs: Mapping[str, float]
    rate: float
    moving: bool
    change: np.ndarray
    slowing: bool

    @property
    def kind(self) -> str:
        """The likeliest of all."""
        return min(self.costs, key=lambda name: self.costs[name])


_PRICE = {
    "freeze": 0.0,
    "reversal": 0.0,
    "speed": 0.6,
    "jump": 1.2,
    "velocity": 1.2,
    "gravity": 1.5,
}
"""What a hypothesis with more free numbers must fit better."""


@dataclass(frozen=True)
class _Way:
    """The way of a body before a break, and the places after it. path: (n, 2) coefficients of a
    polynomial in frames since the last one before. sigma: standard error of a place. jerk: pixels a
    frame³ by which a polynomial goes wrong. j: (k,) frames since the last one before."""

    path: np.ndarray
    sigma: float
    jerk: float
    j: np.ndarray
    after: np.ndarray

    def along(self, times: np.ndarray) -> np.ndarray:
        """(k, 2) places on the way continued."""
        base: np.ndarray = np.vander(times, len(self.path), increasing=True)
        return base @ self.path

    def judged(self, model: np.ndarray, times: np.ndarray) -> tuple[float, float]:
        """Misfit and cost of ``model`` (k, 2), foretold ``times`` frames beyond what was seen."""
        wrong = self.jerk * np.abs(times) ** 3 / 6
        noise = self.sigma**2 * (1 + 0.25 * self.j**2) + wrong**2
        misfit = float((((self.after - model) ** 2).sum(axis=1) / noise / 2).mean())
        return misfit, misfit + float(np.log(noise / self.sigma**2).mean())

    def shaped(self, shape: np.ndarray) -> tuple[float, float, np.ndarray]:
        """The way with a multiple of ``shape`` (k,) added: misfit, cost, and that multiple."""
        gap, weight = self.after - self.along(self.j), 1 / (1 + self.j**2)
        size = (weight * shape) @ gap / ((weight * shape) @ shape)
        return *self.judged(self.along(self.j) + np.outer(shape, size), self.j), size


def turn(places: np.ndarray, t: int, first: int, grid: float) -> Turn | None:
    """How a body went on at frame ``t``: places (T, 2), of which those from ``first`` on belong to
    its way before. grid: standard error of one place, pixels. None where too little is seen."""
    seen = np.isfinite(places[:, 0])
    before = np.nonzero(seen[first:t])[0][-6:] + first
    after = np.nonzero(seen[t : t + _AFTER])[0] + t
    if len(before) < 3 or len(after) < 3:
        return None
    way = _way(places, before, after, t, grid)
    none = np.zeros(len(after))
    rates = [(*way.judged(way.along(r * way.j), r * way.j), r) for r in _RATES]
    speed = min(rates, key=lambda row: row[1])
    held = np.broadcast_to(places[before[-1]], way.after.shape)
    shapes = {"jump": np.ones(len(after)), "velocity": way.j, "gravity": way.j**2}
    shaped = {kind: way.shaped(shape) for kind, shape in shapes.items()}
    judged = {"freeze": way.judged(held, none), "speed": speed[:2]}
    judged |= {"reversal": _reversed(places, seen, t, way, after)}
    judged |= {kind: found[:2] for kind, found in shaped.items()}
    velocity = way.path[1]
    pull = 2 * way.path[2] if len(way.path) > 2 else np.zeros(2)
    return Turn(
        {kind: misfit for kind, (misfit, _) in judged.items()},
        {kind: cost + _PRICE[kind] for kind, (_, cost) in judged.items()},
        float(speed[2]),
        float(np.linalg.norm(velocity)) > _STILL * way.sigma,
        shaped["velocity"][2],
        bool(velocity @ pull < 0 and np.linalg.norm(velocity) < 3 * np.linalg.norm(pull)),
    )


def _way(places: np.ndarray, before: np.ndarray, after: np.ndarray, t: int, grid: float) -> _Way:
    degree = 2 if len(before) >= 4 else 1
    base = np.vander(before - (t - 1.0), degree + 1, increasing=True)
    path = np.linalg.lstsq(base, places[before], rcond=None)[0]
    third = np.diff(places[before], n=3, axis=0)
    jerk = float(np.sqrt((third**2).sum(axis=1).mean())) if len(third) else 0.0
    sigma = max(grid, _residual(base @ path - places[before], degree))
    return _Way(path, sigma, jerk, after - (t - 1.0), places[after])


def _residual(gaps: np.ndarray, degree: int) -> float:
    """Standard deviation of one coordinate about a fit."""
    free = len(gaps) - degree - 1
    return float(np.sqrt((gaps**2).sum() / (2 * free))) if free > 0 else 0.0


def _reversed(
    places: np.ndarray, seen: np.ndarray, t: int, way: _Way, after: np.ndarray
) -> tuple[float, float]:
    """Misfit and cost of the way back over the same places, turning on a frame or between two."""
    found = [(np.inf, np.inf)]
    for turn_at in (2 * (t - 1), 2 * t - 1):
        back = turn_at - after
        if back.min() >= 0 and seen[back].all():
            found.append(way.judged(places[back], np.zeros(len(back))))
    return min(found)
