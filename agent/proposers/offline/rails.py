"""Bodies that run to and fro on a curved track: the curve is read off the path, gravity and drag
off the motion along it."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping

import cv2
import numpy as np
from scipy.optimize import least_squares

from agent.proposers.offline.evidence import Evidence, Feature, Path, explain, smooth
from agent.proposers.offline.mechanism import Body, Term
from agent.proposers.offline.naming import causes
from agent.proposers.offline.options import Option
from tools.perception.assemble import scatter
from tools.perception.background import largest

LONGEST = 8
"""Highest degree of a track's polynomial."""

ROUGH = 0.5
"""Pixels by which a path may stray from its track: drawings round, and small wiggles must not bend
the track."""

ALIGNED, BENDS = 0.08, 0.4
"""A body whose angle stays within ALIGNED radians (standard deviation) of the direction of its
path, while that bends by BENDS or more, runs on a track, also when it goes over it once only: a
free body has no reason to turn with its path."""


DRAWN = 20.0
"""Grey levels by which neighbouring pixels of the plate differ where a line or an edge is drawn."""

DRAWN_BENDS = 0.15
"""Radians by which a drawn line must bend to be a track of a body that goes over it once and does
not turn: along a straight one it might as well fall in a slanted field."""

THIN = 4
"""Pixels up to which two edges one over the other are those of one line."""

FARTHEST = 80
"""Pixels across its track that a body's centre may be from the line that it runs on."""


HIGHER = 0.5
"""Pixels by which the middle of an edge may be off the height that a body stands on (prior): on a
stretch of one slope its distance across and its height are the same thing."""


SWAY = 3
"""Pixels by which a body may be nearer to its line at one place than at another: a drawing puts it
upright on the slope, or a bit above."""


def rail_numbers(path: Path, plate: np.ndarray | None = None) -> dict[str, float] | None:
    """The track of a body as numbers of a mechanism: its height ("rail0", ..., coefficients of u^0,
    u^1, ...; "middle", "half": u = (x - middle) / half) and, for a body that turns, its angle
    against the track ("lean0", ..., coefficients of powers of the slope, which was seen from
    "gentle" to "steep"). None when nothing says that it is on a track: it neither comes back on its
    own path, nor turns with it, nor keeps to a curve that is drawn.

    plate: (H, W, 3) uint8 background. Where it shows the track, that is followed as far as it is
    drawn, and the body touches it with a "foot", so many pixels from its centre across the track.
    """
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
    drawn = None if plate is None else _drawn(plate, path, numbers)
    if not (aligned or _comes_back(x) or (drawn is not None and curved(drawn))):
        return None
    return _leaning(drawn or numbers, path) if path.turns else drawn or numbers


def _leaning(numbers: dict[str, float], path: Path) -> dict[str, float]:
    """A track with the angle that a body has against it, by the slope."""
    slope = slopes(numbers, foot_of(numbers, path.xy[path.seen, 0]))[0]
    lean = path.angle[path.seen] - np.arctan(slope)
    rough = max(path.sigma_angle, ROUGH / path.appearance.bounding_radius)
    seen = {"gentle": float(slope.min()), "steep": float(slope.max())}
    return numbers | seen | _polynomial("lean", slope, lean, rough, 0)


def off_rail(numbers: Mapping[str, float], path: Path) -> tuple[np.ndarray, ...]:
    """Pixels by which a path is off its track, and by which its rim is turned against it."""
    x, y = path.xy[path.seen].T
    at = foot_of(numbers, x)
    slope = slopes(numbers, at)[0]
    u = (at - numbers["middle"]) / numbers["half"]
    above = numbers.get("foot", 0.0) / np.sqrt(1 + slope**2)
    off = (polynomial(numbers, "rail", u) - above - y,)
    if "lean0" not in numbers:
        return off
    lean = np.polynomial.polynomial.polyval(slope, coefficients(numbers, "lean"))
    turned = path.angle[path.seen] - np.arctan(slope) - lean
    return (*off, turned * path.appearance.bounding_radius)


def foot_of(numbers: Mapping[str, float], x: np.ndarray) -> np.ndarray:
    """x of the point of the track that a body whose centre is at x touches."""
    foot = x
    for _ in range(4 if numbers.get("foot") else 0):
        foot = x - numbers["foot"] * _sine(slopes(numbers, foot)[0])
    return foot


def _sine(slope: np.ndarray) -> np.ndarray:
    return slope / np.sqrt(1 + slope**2)


# --------------------------------------------------------------------------------------------------


def _drawn(plate: np.ndarray, path: Path, numbers: Mapping[str, float]) -> dict[str, float] | None:
    """The track as it is drawn on the plate, with the "foot" by which the body stands on it; None
    where no line goes with the body."""
    x, y = path.xy[path.seen].T
    edges = largest(cv2.absdiff(plate[1:], plate[:-1]))
    slope = slopes(numbers, x)[0]
    foot = _beside(edges, x, y, slope)
    if foot is None:
        return None
    along, down = x - foot * _sine(slope), y + foot / np.sqrt(1 + slope**2)
    line = _traced(edges, along, down)
    if len(line) < 10:
        return None
    low, high = line[:, 0].min(), line[:, 0].max()
    track = {"middle": float((low + high) / 2), "half": float((high - low) / 2)}
    u, rough = (line[:, 0] - track["middle"]) / track["half"], max(scatter(line[:, 1]), 0.25)
    track |= _polynomial("rail", u, line[:, 1], rough, 2, LONGEST + 2)
    return _stood_on(track, foot, path)


def _stood_on(track: Mapping[str, float], foot: float, path: Path) -> dict[str, float] | None:
    """A drawn track with the "foot" that brings a body from it to its path, and with the height
    that the drawn line is off by; None where no foot does."""
    x, y = path.xy[path.seen].T

    def gaps(stand: np.ndarray) -> np.ndarray:
        held = {**track, "foot": float(stand[0])}
        at = foot_of(held, x)
        return (
            polynomial(held, "rail", (at - held["middle"]) / held["half"])
            - stand[1]
            - stand[0] / np.sqrt(1 + slopes(held, at)[0] ** 2)
            - y
        )

    found = least_squares(
        lambda stand: np.append(gaps(stand) / max(path.sigma, 0.1), stand[1] / HIGHER), (foot, 0.0)
    )
    if not (
        np.isfinite(found.fun).all()
        and np.sqrt(np.mean(gaps(found.x) ** 2)) < max(0.6, 3 * path.sigma)
    ):
        return None
    return {**track, "foot": float(found.x[0]), "rail0": track["rail0"] - float(found.x[1])}


def curved(track: Mapping[str, float]) -> bool:
    """Whether a track, as far as it is drawn, bends so much that no steady field along it would do
    as well."""
    ends = track["middle"] + track["half"] * np.linspace(-0.95, 0.95, 20)
    return bool(np.ptp(np.arctan(slopes(track, ends)[0])) > DRAWN_BENDS)


def _beside(edges: np.ndarray, x: np.ndarray, y: np.ndarray, slope: np.ndarray) -> float | None:
    """Distance across its path at which an edge of the plate goes with a body best, None without
    one that always does."""
    sine, cosine = _sine(slope), 1 / np.sqrt(1 + slope**2)
    near: list[tuple[float, float]] = []
    for foot in sorted(range(-FARTHEST, FARTHEST + 1), key=abs):
        columns, rows = np.rint(x - foot * sine).astype(int), np.rint(y + foot * cosine).astype(int)
        inside = (
            (columns >= 0)
            & (columns < edges.shape[1])
            & (rows >= SWAY)
            & (rows < edges.shape[0] - SWAY)
        )
        if inside.mean() > 0.9:
            shown = [
                edges[rows[inside] + k, columns[inside]] > DRAWN for k in range(-SWAY, SWAY + 1)
            ]
            off = np.min(
                [
                    np.where(row, abs(k), 2 * SWAY)
                    for k, row in zip(range(-SWAY, SWAY + 1), shown, strict=True)
                ],
                axis=0,
            )
            near.append((float(off.mean()), float(foot)))
    best = min(near, key=lambda found: found[0], default=(math.inf, 0.0))
    return best[1] if best[0] < SWAY / 2 else None


def _traced(edges: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """(N, 2) points of the edge that goes through (x, y), followed both ways as far as it is
    drawn."""
    order = np.argsort(x)
    line: dict[int, float] = {}
    for column in range(math.ceil(x.min()), math.floor(x.max()) + 1):
        if (
            row := _edge(edges, column, float(np.interp(column, x[order], y[order])), SWAY + 1.0)
        ) is not None:
            line[column] = row
    for step in (-1, 1):
        column = (min if step < 0 else max)(line, default=0)
        missed = 0
        while len(line) > 10 and 0 <= column + step < edges.shape[1] and missed < 8:
            column += step
            back = np.array(
                [(c, line[c]) for c in range(column - step, column - 20 * step, -step) if c in line]
            )
            bend, start = (
                np.polyfit(back[:, 0] - column, back[:, 1], 1) if len(back) > 4 else (0.0, math.nan)
            )
            row = (
                _edge(edges, column, start, 2.0 + abs(bend) + missed)
                if math.isfinite(start)
                else None
            )
            missed = missed + 1 if row is None else 0
            if row is not None:
                line[column] = row
    return np.array(sorted(line.items()), np.float64).reshape(-1, 2)


def _edge(edges: np.ndarray, column: int, row: float, reach: float) -> float | None:
    """Row of the edge (or of the middle of the thin line) nearest to ``row`` in a column, between
    pixels; None when there is none within ``reach``."""
    if not 0 <= column < edges.shape[1]:
        return None
    found = np.flatnonzero(edges[:, column] > DRAWN)
    runs = np.split(found, np.flatnonzero(np.diff(found) > THIN) + 1) if len(found) else []
    rows = [float(np.average(run, weights=edges[run, column])) + 0.5 for run in runs]
    best = min(rows, key=lambda other: abs(other - row), default=math.inf)
    return best if abs(best - row) <= reach else None


def _comes_back(x: np.ndarray) -> bool:
    """Whether a good part of a path is gone over twice."""
    turns = np.flatnonzero(np.diff(np.sign(np.diff(x))))
    again = max((min(abs(x[t] - x[0]), abs(x[t] - x[-1])) for t in turns + 1), default=0.0)
    return bool(again >= 0.25 * np.ptp(x))


def _polynomial(
    name: str, u: np.ndarray, values: np.ndarray, sigma: float, least: int, most: int = LONGEST
) -> dict[str, float]:
    """The likeliest polynomial of degree ``least`` or more through ``values``, as {name + power:
    coefficient}. More degrees have to pay for themselves (Bayesian information criterion)."""
    best = (math.inf, np.zeros(1))
    for degree in range(least, max(least, min(most, len(u) // 3)) + 1):
        coefficients, (_, rank, *_) = np.polynomial.polynomial.polyfit(u, values, degree, full=True)
        if rank <= degree and degree > least:
            break  # the places are too few or too close to tell more
        bic = float(
            ((np.polynomial.polynomial.polyval(u, coefficients) - values) ** 2).sum()
        ) / sigma**2 + degree * math.log(len(u))
        best = min(best, (bic, coefficients), key=lambda found: found[0])
    return {f"{name}{power}": float(c) for power, c in enumerate(best[1])}


def coefficients(numbers: Mapping[str, float], name: str) -> list[float]:
    """Coefficients of the polynomial ``name`` among the numbers of a body, from the power 0 on."""
    return [
        numbers[f"{name}{power}"]
        for power in itertools.takewhile(
            lambda power: f"{name}{power}" in numbers, itertools.count()
        )
    ]


def polynomial(
    numbers: Mapping[str, float], name: str, u: np.ndarray, derivative: int = 0
) -> np.ndarray:
    """Value of the polynomial ``name``, or of a derivative by u."""
    return np.polynomial.polynomial.polyval(
        u, np.polynomial.polynomial.polyder(coefficients(numbers, name), derivative)
    )


def slopes(numbers: Mapping[str, float], x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """dy/dx and d2y/dx2 of a track at x."""
    u, half = (x - numbers["middle"]) / numbers["half"], numbers["half"]
    return polynomial(numbers, "rail", u, 1) / half, polynomial(numbers, "rail", u, 2) / half**2


def _rail_terms(name: str, kind: str, values: Mapping[str, float]) -> tuple[Term, ...]:
    """The pull along a track, with drag and what actions do where they were found."""
    terms = [Term("rail", (name,), {"g": values["pull"], kind: 1.0})]
    if "drag" in values:
        terms.append(Term("drag", (name,), {"c": values["drag"]}))
    if "action" in values:
        terms.append(Term("action", (name,), {"ax": values["action"]}))
    return tuple(terms)


def rail_options(body: Body, evidence: Evidence) -> list[Option]:
    """Gravity along the track, exactly as a bead on a wire feels it, or in proportion to the slope;
    with or without drag."""
    path = evidence.paths[body.name]
    series = foot_of(body.numbers, path.xy[:, :1])
    x, v = smooth(series, evidence.dt, path.kinks)
    slope, bend = slopes(dict(body.numbers), x[:, 0])
    wide = 1 + slope**2
    options = []
    for kind, pull, always in (
        ("bead", slope / wide, -slope * bend * v[:, 0] ** 2 / wide),
        ("slope", slope, np.zeros(len(slope))),
    ):
        features: list[Feature] = [
            ("pull", pull[:, None], lambda value: value > 0),
            ("drag", -v, lambda value: value > 0),
        ]
        if evidence.actions is not None and np.ptp(evidence.actions) > 0:
            features.append(("action", evidence.actions[:, None], lambda value: True))
        for e in explain(
            series,
            max(path.sigma, 0.05),
            evidence.dt,
            features,
            path.kinks,
            limit=2,
            must=("pull",),
            always=always[:, None],
        )[:2]:
            why = f"{body.name} runs on a track ({causes(e.names)}): leaves {e.rms:.2f} px rms"
            options.append((_rail_terms(body.name, kind, e.values), e.bic, why))
    return sorted(
        options,
        key=lambda option: (
            option[1] + 10 * len(option[0]) if math.isfinite(option[1]) else math.inf
        ),
    )
