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
_THIRD = 20.0  # variance of a third difference of places of variance 1
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
    log-likelihood of all these frames with a price for free numbers; "on" = as before. rates: (R,)
    that cost for time at each of _RATES. moving: it moved before. velocity: (2,) before, pixels a
    frame. change: (2,) of velocity. slowing: it would have come to rest within three frames."""

    misfits: Mapping[str, float]
    costs: Mapping[str, float]
    rates: np.ndarray
    moving: bool
    velocity: np.ndarray
    change: np.ndarray
    slowing: bool

    @property
    def kind(self) -> str:
        """The likeliest of all changes."""
        return min((name for name in self.costs if name != "on"), key=lambda k: self.costs[k])

    @property
    def own(self) -> float:
        """Cost of the likeliest change that is no change of time, or of none."""
        return min(cost for name, cost in self.costs.items() if name not in OF_TIME)

    @property
    def freed(self) -> float:
        """What its own change costs less where a contact accounts for another velocity."""
        return max(0.0, self.own - self.costs["velocity"] + _PRICE["velocity"])


_PRICE = {
    "on": 0.0,
    "freeze": 0.0,
    "reversal": 0.0,
    "speed": 3.0,
    "jump": 6.0,
    "velocity": 6.0,
    "gravity": 7.5,
}
"""What a hypothesis with more free numbers must fit better."""


@dataclass(frozen=True)
class _Way:
    """The way of a body before a break, and the places after it. path: (n, 2) coefficients of a
    polynomial in frames since the last one before. doubt: (n, n) their covariance, pixels². sigma:
    standard error of a place. jerk: pixels a frame³ by which a polynomial goes wrong. j: (k,)
    frames since the last one before."""

    path: np.ndarray
    doubt: np.ndarray
    sigma: float
    jerk: float
    j: np.ndarray
    after: np.ndarray

    def on(self, rate: float, shape: np.ndarray | None = None) -> tuple[float, float, np.ndarray]:
        """Misfit and cost of going on along the way at ``rate`` times the speed of time, with a
        free multiple of ``shape`` (k,) added, and that multiple (2,)."""
        base = np.vander(rate * self.j, len(self.path), increasing=True)
        wrong = self.jerk * (rate * self.j) ** 3 / 6
        noise = base @ self.doubt @ base.T + np.outer(wrong, wrong)
        return self.judged(base @ self.path, noise, shape)

    def judged(
        self, model: np.ndarray, noise: np.ndarray, shape: np.ndarray | None = None
    ) -> tuple[float, float, np.ndarray]:
        """The same of places (k, 2) foretold with covariance ``noise`` (k, k), beside that of the
        places themselves. Cost: negative log-likelihood, a free multiple being as likely beforehand
        as its own size."""
        gap, size = self.after - model, np.zeros(2)
        noise = noise + self.sigma**2 * np.eye(len(gap))
        if shape is not None:
            towards = np.linalg.solve(noise, shape)
            size = towards @ gap / (towards @ shape)
            noise = noise + np.outer(shape, shape) * float(size @ size) / 2
        squared = float((gap * np.linalg.solve(noise, gap)).sum())
        spread = float(np.linalg.slogdet(noise / self.sigma**2)[1])
        return squared / (2 * len(gap)), squared / 2 + spread, size


def turn(places: np.ndarray, t: int, first: int, grid: float) -> Turn | None:
    """How a body went on at frame ``t``: places (T, 2), of which those from ``first`` on belong to
    its way before. grid: standard error of one place, pixels. None where too little is seen."""
    seen = np.isfinite(places[:, 0])
    before = np.nonzero(seen[first:t])[0][-6:] + first
    after = np.nonzero(seen[t : t + _AFTER])[0] + t
    if len(before) < 3 or len(after) < 3:
        return None
    way = _way(places, before, after, t, grid)
    rates = [way.on(rate) for rate in _RATES]
    speed = min(rates, key=lambda row: row[1])
    held = np.broadcast_to(places[before[-1]], way.after.shape)
    shapes = {"jump": np.ones(len(after)), "velocity": way.j, "gravity": way.j**2}
    shaped = {kind: way.on(1.0, shape) for kind, shape in shapes.items()}
    same = np.full((len(after), len(after)), way.sigma**2)
    judged = {"on": way.on(1.0)[:2], "freeze": way.judged(held, same)[:2], "speed": speed[:2]}
    judged |= {"reversal": _reversed(places, seen, t, way, after)}
    judged |= {kind: found[:2] for kind, found in shaped.items()}
    velocity = way.path[1]
    pull = 2 * way.path[2] if len(way.path) > 2 else np.zeros(2)
    return Turn(
        {kind: misfit for kind, (misfit, _) in judged.items()},
        {kind: cost + _PRICE[kind] for kind, (_, cost) in judged.items()},
        np.array([cost for _, cost, _ in rates]) + _PRICE["speed"],
        float(np.linalg.norm(velocity)) > _STILL * way.sigma,
        velocity,
        shaped["velocity"][2],
        bool(velocity @ pull < 0 and np.linalg.norm(velocity) < 3 * np.linalg.norm(pull)),
    )


def _way(places: np.ndarray, before: np.ndarray, after: np.ndarray, t: int, grid: float) -> _Way:
    degree = 2 if len(before) >= 4 else 1
    base = np.vander(before - (t - 1.0), degree + 1, increasing=True)
    path = np.linalg.lstsq(base, places[before], rcond=None)[0]
    sigma = max(grid, _residual(base @ path - places[before], degree))
    third = np.diff(places[before], n=3, axis=0)
    jerk = max(float((third**2).mean()) - _THIRD * sigma**2, 0.0) if len(third) else 0.0
    doubt = sigma**2 * np.linalg.inv(base.T @ base)
    return _Way(path, doubt, sigma, float(np.sqrt(jerk)), after - (t - 1.0), places[after])


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
            found.append(way.judged(places[back], way.sigma**2 * np.eye(len(back)))[:2])
    return min(found)
