"""Bodies that run to and fro on a curved track: the curve is read off the path, gravity and drag off the motion along it."""

from __future__ import annotations

import math

import numpy as np

from agent.proposers.offline.evidence import Evidence, Feature, Path, explain, smooth
from agent.proposers.offline.mechanism import Body, Term

Option = tuple[tuple[Term, ...], float, str]

LONGEST = 8
"""Highest degree of a track's polynomial."""


def curve(path: Path) -> tuple[np.ndarray, float, float, float] | None:
    """Height of the track that a path goes over more than once: (coefficients of u from u^0 on, middle, half width, rms), with
    u = (x - middle) / half width; None when the path never comes back, or not the same way."""
    x, y = path.xy[path.seen].T
    if len(x) < 10 or np.ptp(x) < 20:
        return None
    turns = np.flatnonzero(np.diff(np.sign(np.diff(x))))
    again = max((min(abs(x[t] - x[0]), abs(x[t] - x[-1])) for t in turns + 1), default=0.0)
    if again < 0.25 * np.ptp(x):
        return None
    middle, half = float((x.max() + x.min()) / 2), float(np.ptp(x) / 2)
    u = (x - middle) / half
    limit = max(0.6, 3 * path.sigma)
    for degree in range(2, min(LONGEST, len(x) // 3) + 1):
        coefficients = np.polynomial.polynomial.polyfit(u, y, degree)
        rms = float(np.sqrt(np.mean((np.polynomial.polynomial.polyval(u, coefficients) - y) ** 2)))
        if rms < limit:
            return coefficients, middle, half, rms
    return None


def rail_numbers(path: Path) -> dict[str, float] | None:
    """The track of a body as numbers of a mechanism ("rail0", ..., "middle", "half", and the turn against the slope)."""
    found = curve(path)
    if found is None:
        return None
    coefficients, middle, half, rms = found
    if np.ptp(np.polynomial.polynomial.polyval(np.linspace(-1, 1, 50), coefficients)) < 6 * max(rms, 0.3):
        return None
    numbers = {f"rail{k}": float(c) for k, c in enumerate(coefficients)} | {"middle": middle, "half": half}
    if path.turns:
        slope, _ = slopes(numbers, path.xy[path.seen, 0])
        lean = path.angle[path.seen] - np.arctan(slope)
        if np.std(lean) > 0.12:
            return None
        numbers["lean"] = float(np.median(lean))
    return numbers


def slopes(numbers: dict[str, float], x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """dy/dx and d2y/dx2 of a track at x."""
    coefficients = np.array([numbers[f"rail{k}"] for k in range(sum(key.startswith("rail") for key in numbers))])
    u, half = (x - numbers["middle"]) / numbers["half"], numbers["half"]
    first, second = (np.polynomial.polynomial.polyder(coefficients, n) for n in (1, 2))
    return np.polynomial.polynomial.polyval(u, first) / half, np.polynomial.polynomial.polyval(u, second) / half**2


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
            options.append((tuple(terms), e.bic, f"{body.name} runs on a track ({', '.join(e.names)}): leaves {e.rms:.2f} px rms"))
    return sorted(options, key=lambda option: option[1] + 10 * len(option[0]) if math.isfinite(option[1]) else math.inf)
