"""Bodies that run to and fro on a curved track: the curve is read off the path, gravity and drag off the motion along it."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping

import numpy as np

from agent.proposers.offline.evidence import Evidence, Feature, Path, explain, smooth
from agent.proposers.offline.mechanism import Body, Term
from agent.proposers.offline.naming import causes

Option = tuple[tuple[Term, ...], float, str]

LONGEST = 8
"""Highest degree of a track's polynomial."""

ROUGH = 0.5
"""Pixels by which a path may stray from its track: drawings round, and small wiggles must not bend the track."""

ALIGNED, BENDS = 0.08, 0.4
"""A body whose angle stays within ALIGNED radians (standard deviation) of the direction of its path, while that bends by BENDS or more, runs on
a track, also when it goes over it once only: a free body has no reason to turn with its path."""


def rail_numbers(path: Path) -> dict[str, float] | None:
    """The track of a body as numbers of a mechanism: its height ("rail0", ..., coefficients of u^0, u^1, ...; "middle", "half": u = (x - middle) / half)
    and, for a body that turns, its angle against the slope ("lean0", ..., likewise). None when nothing says that it is on a track: it neither comes
    back on its own path nor turns with it."""
    x, y = path.xy[path.seen].T
    if len(x) < 10 or np.ptp(x) < 20:
        return None
    numbers = {"middle": float((x.max() + x.min()) / 2), "half": float(np.ptp(x) / 2)}
    u = (x - numbers["middle"]) / numbers["half"]
    numbers |= _polynomial("rail", u, y, max(path.sigma, ROUGH), 2)
    height = polynomial(numbers, "rail", u)
    rms = float(np.sqrt(np.mean((height - y) ** 2)))
    if rms > max(0.6, 3 * path.sigma) or np.ptp(height) < 6 * max(rms, 0.3):
        return None
    aligned = False
    if path.turns:
        direction = np.arctan(slopes(numbers, x)[0])
        lean = path.angle[path.seen] - direction
        if np.std(lean) > 0.12:
            return None
        aligned = np.std(lean) < ALIGNED and np.ptp(direction) > BENDS
        numbers |= _polynomial("lean", u, lean, max(path.sigma_angle, ROUGH / path.look.reach), 0)
    return numbers if aligned or _comes_back(x) else None


def _comes_back(x: np.ndarray) -> bool:
    """Whether a good part of a path is gone over twice."""
    turns = np.flatnonzero(np.diff(np.sign(np.diff(x))))
    again = max((min(abs(x[t] - x[0]), abs(x[t] - x[-1])) for t in turns + 1), default=0.0)
    return bool(again >= 0.25 * np.ptp(x))


def _polynomial(name: str, u: np.ndarray, values: np.ndarray, sigma: float, least: int) -> dict[str, float]:
    """The likeliest polynomial of degree ``least`` or more through ``values``, as {name + power: coefficient}. More degrees have to pay for
    themselves (Bayesian information criterion)."""
    best = (math.inf, np.zeros(1))
    for degree in range(least, max(least, min(LONGEST, len(u) // 3)) + 1):
        coefficients = np.polynomial.polynomial.polyfit(u, values, degree)
        bic = float(((np.polynomial.polynomial.polyval(u, coefficients) - values) ** 2).sum()) / sigma**2 + degree * math.log(len(u))
        best = min(best, (bic, coefficients), key=lambda found: found[0])
    return {f"{name}{power}": float(c) for power, c in enumerate(best[1])}


def coefficients(numbers: Mapping[str, float], name: str) -> list[float]:
    """Coefficients of the polynomial ``name`` among the numbers of a body, from the power 0 on."""
    return [numbers[f"{name}{power}"] for power in itertools.takewhile(lambda power: f"{name}{power}" in numbers, itertools.count())]


def polynomial(numbers: Mapping[str, float], name: str, u: np.ndarray, derivative: int = 0) -> np.ndarray:
    """Value of the polynomial ``name``, or of a derivative by u."""
    return np.polynomial.polynomial.polyval(u, np.polynomial.polynomial.polyder(coefficients(numbers, name), derivative))


def slopes(numbers: Mapping[str, float], x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """dy/dx and d2y/dx2 of a track at x."""
    u, half = (x - numbers["middle"]) / numbers["half"], numbers["half"]
    return polynomial(numbers, "rail", u, 1) / half, polynomial(numbers, "rail", u, 2) / half**2


def rail_options(body: Body, evidence: Evidence) -> list[Option]:
    """Gravity along the track, exactly as a bead on a wire feels it, or in proportion to the slope; with or without drag."""
    path = evidence.paths[body.name]
    series = path.xy[:, :1]
    x, v = smooth(series, evidence.dt, path.kinks)
    slope, bend = slopes(dict(body.numbers), x[:, 0])
    wide = 1 + slope**2
    options = []
    for kind, pull, always in (("bead", slope / wide, -slope * bend * v[:, 0] ** 2 / wide), ("slope", slope, np.zeros(len(slope)))):
        features: list[Feature] = [("pull", pull[:, None], lambda value: value > 0), ("drag", -v, lambda value: value > 0)]
        if evidence.actions is not None and np.ptp(evidence.actions) > 0:
            features.append(("action", evidence.actions[:, None], lambda value: True))
        for e in explain(series, max(path.sigma, 0.05), evidence.dt, features, path.kinks, limit=2, must=("pull",), always=always[:, None])[:2]:
            terms = [Term("rail", (body.name,), {"g": e.values["pull"], kind: 1.0})]
            terms += [Term("drag", (body.name,), {"c": e.values["drag"]})] if "drag" in e.values else []
            terms += [Term("action", (body.name,), {"ax": e.values["action"]})] if "action" in e.values else []
            options.append((tuple(terms), e.bic, f"{body.name} runs on a track ({causes(e.names)}): leaves {e.rms:.2f} px rms"))
    return sorted(options, key=lambda option: option[1] + 10 * len(option[0]) if math.isfinite(option[1]) else math.inf)
