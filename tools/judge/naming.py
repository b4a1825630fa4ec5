"""What kind of break it is: hypotheses about how a body went on, compared by what they leave."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from tools.judge.innovation import FLAG

KINDS: Mapping[str, str] = {
    "jump": "jumps in place",
    "velocity": "changes velocity without contact",
    "turning": "turns on otherwise, without contact",
    "gravity": "is pulled differently than before",
    "freeze": "time stops",
    "reversal": "time runs backwards",
    "speed": "time runs at another speed",
    "appears": "appears from nothing",
    "vanishes": "vanishes",
    "size": "changes size",
    "colour": "changes colour",
    "passes": "passes through what turned things back before",
    "energy": "leaves a bounce faster than it came",
    "world": "leaves the way that the world model foretells",
}
"""Kinds of violation, and each in words."""

OF_TIME = ("freeze", "reversal", "speed")
"""Kinds that hold for everything that moves."""

_AFTER = 5  # frames after a break that tell its kind
_OF_NOISE = {3: 20.0, 4: 70.0}  # variance of an n-th difference of places of variance 1


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
    """How one body went on at a break. costs: kind -> negative log-likelihood of the frames after
    it with a price for free numbers. change: (2,) of velocity, pixels a frame."""

    costs: Mapping[str, float]
    change: np.ndarray

    @property
    def kind(self) -> str:
        """The likeliest change."""
        return min(self.costs, key=lambda kind: self.costs[kind])

    @property
    def surely_jumps(self) -> bool:
        """Whether no change of velocity accounts for it."""
        return self.kind == "jump" and self.costs["velocity"] > self.costs["jump"] + FLAG**2 / 2


_AMID = (0.25, 0.5, 0.75)  # of the time between two frames, when a velocity may have changed
_PRICE = {"jump": 6.0, "velocity": 6.0, "gravity": 7.5}
"""What a hypothesis with more free numbers must fit better."""


@dataclass(frozen=True)
class _Way:
    """The way of a body before a break, and the places after it. path: (n, 2) coefficients of a
    polynomial in frames since the last one before. doubt: (n, n) their covariance for places of
    error 1. sigma: (2,) standard errors of a place. jerk, snap: (2,) pixels a frame³ and a frame⁴
    by which a polynomial goes wrong. j: (k,) frames since the last one before."""

    path: np.ndarray
    doubt: np.ndarray
    sigma: np.ndarray
    jerk: np.ndarray
    snap: np.ndarray
    j: np.ndarray
    after: np.ndarray

    def on(self, shape: np.ndarray) -> tuple[float, np.ndarray]:
        """Cost of going on along the way with a free multiple of ``shape`` (k,) added, as likely
        beforehand as its own size, and that multiple (2,)."""
        base = np.vander(self.j, len(self.path), increasing=True)
        doubt = base @ self.doubt @ base.T + np.eye(len(self.j))
        gaps, cost, sizes = self.after - base @ self.path, 0.0, np.zeros(2)
        for k, sigma in enumerate(self.sigma):
            wrong = [self.jerk[k] * self.j**3 / 6, self.snap[k] * self.j**4 / 24]
            noise = sigma**2 * doubt + sum(np.outer(part, part) for part in wrong)
            towards = np.linalg.solve(noise, shape)
            sizes[k] = towards @ gaps[:, k] / (towards @ shape)
            noise = noise + np.outer(shape, shape) * sizes[k] ** 2
            squared = float(gaps[:, k] @ np.linalg.solve(noise, gaps[:, k]))
            cost += (squared + float(np.linalg.slogdet(noise / sigma**2)[1])) / 2
        return cost, sizes


def turn(places: np.ndarray, t: int, first: int, grid: float) -> Turn | None:
    """How a body went on at frame ``t``: places (T, 2), of which those from ``first`` on belong to
    its way before. grid: standard error of a coordinate of a place, pixels. None where too little
    is seen."""
    seen = np.isfinite(places[:, 0])
    before = np.nonzero(seen[first:t])[0][-6:] + first
    after = np.nonzero(seen[t : t + _AFTER])[0] + t
    if len(before) < 3 or len(after) < 3:
        return None
    after = after[: _unbroken(places[after], grid)]
    way = _way(places, before, after, t, grid)
    shapes = {"jump": np.ones(len(after)), "velocity": way.j, "gravity": way.j**2}
    shaped = {kind: way.on(shape) for kind, shape in shapes.items()}
    amid = [way.on(way.j - part) for part in _AMID]
    shaped["velocity"] = min([shaped["velocity"], *amid], key=lambda pair: pair[0])
    costs = {kind: cost + _PRICE[kind] for kind, (cost, _) in shaped.items()}
    return Turn(costs, shaped["velocity"][1])


def _unbroken(places: np.ndarray, grid: float) -> int:
    """How many of the places (k, 2) after a break come before the next one."""
    bends = np.linalg.norm(np.diff(places, n=3, axis=0), axis=1)
    broken = np.nonzero(bends > FLAG * np.sqrt(_OF_NOISE[3]) * grid)[0]
    return int(broken[0]) + 3 if len(broken) else len(places)


def _way(places: np.ndarray, before: np.ndarray, after: np.ndarray, t: int, grid: float) -> _Way:
    degree = 2 if len(before) >= 4 else 1
    base = np.vander(before - (t - 1.0), degree + 1, increasing=True)
    path = np.linalg.lstsq(base, places[before], rcond=None)[0]
    free = len(before) - degree - 1
    left = ((base @ path - places[before]) ** 2).sum(axis=0)
    sigma = np.maximum(grid, np.sqrt(left / free) if free > 0 else 0.0)
    jerk, snap = (_beyond(places[before], n, grid) for n in (3, 4))
    doubt = np.linalg.inv(base.T @ base)
    return _Way(path, doubt, sigma, jerk, snap, after - (t - 1.0), places[after])


def _beyond(places: np.ndarray, n: int, sigma: float) -> np.ndarray:
    """(2,) usual n-th difference of places (k, 2), less what errors ``sigma`` make."""
    if len(places) <= n:
        return np.zeros(2)
    squared = (np.diff(places, n=n, axis=0) ** 2).mean(axis=0)
    left: np.ndarray = np.sqrt(np.maximum(squared - _OF_NOISE[n] * sigma**2, 0.0))
    return left
