"""What several clips say together that one alone does not: the plate behind all of them, and how
bodies come out of impacts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from agent.proposers.offline.evidence import Evidence, Path
from agent.proposers.offline.mechanism import Mechanism, Term
from tools import timing
from tools.types import Steps

PLAIN = 8.0
"""Grey levels by which a plate of one colour may stray from it (compression)."""
ELASTIC = 0.002
"""Restitution this close to 1 is taken to be 1."""
RESTING = 0.1
"""Closing speed, picture widths a second, up to which impacts are taken to give nothing back where
none so slow was seen. A guess that no clip of faster impacts can check: Box2D and its kin stop
impacts slower than one unit a second, and their scenes are some ten units wide."""
SIDE = 4
"""Frames needed before and after an impact to measure it."""


@dataclass(frozen=True)
class Impact:
    """Two bodies meet. closing: speed along the line of centres before, px/s. restitution: the
    share of it with which they part; sigma: its standard error."""

    closing: float
    restitution: float
    sigma: float


def across(mechanism: Mechanism, clips: Sequence[Evidence]) -> Mechanism:
    """A mechanism for clips other than the ones it was read from: places of one clip mean nothing
    in another; what all of them share is kept."""
    colours = [b.colour for b in mechanism.bodies]
    bodies = tuple(
        replace(b, near=b.near if colours.count(b.colour) > 1 else None, rests=False)
        for b in mechanism.bodies
    )
    terms = tuple(
        _informed(term, clips) if term.kind == "collide" else term for term in mechanism.terms
    )
    return replace(mechanism, bodies=bodies, terms=terms, plate=plain_plate(clips))


def plain_plate(clips: Sequence[Evidence]) -> tuple[float, float, float] | None:
    """The colour of the plate behind all clips, or None where it shows anything. A body that hardly
    moves hides the plate for the whole of a short clip; a plate that is known to be plain needs no
    uncovering."""
    plates = [clip.tracks.plate for clip in clips]
    if any(plate.shape != plates[0].shape for plate in plates) or any(
        clip.tracks.front.any() for clip in clips
    ):
        return None
    plate = np.median(np.stack(plates), axis=0)
    colour = np.median(plate, axis=(0, 1))
    red, green, blue = (float(c) for c in colour)
    return (red, green, blue) if np.abs(plate - colour).max() <= PLAIN else None


def _informed(term: Term, clips: Sequence[Evidence]) -> Term:
    """A collision with what the speeds before and after the impacts of all clips say. Speeds are
    measured from straight lines, so that a moment of contact that is a little off, which the fit
    would make up for by restitution, does not count."""
    a, b = term.bodies
    seen = [
        impact
        for clip in clips
        if a in clip.paths and b in clip.paths
        for impact in impacts(clip.paths[a], clip.paths[b], clip.dt)
    ]
    numbers = dict(term.numbers)
    if seen:
        e, sigma = _mean(seen)
        elastic = abs(e - 1.0) < max(ELASTIC, 3 * sigma)
        numbers |= {
            "e": 1.0 if elastic else float(np.clip(e, 0.0, 1.0)),
            "e_sigma": 1e-5 if elastic else max(sigma, 1e-3),
        }
    bouncing = [impact.closing for impact in seen if impact.restitution > 0.5]
    if bouncing:
        numbers["rest_speed"] = min(RESTING * clips[0].shape[1], 0.9 * min(bouncing))
    return replace(term, numbers=numbers)


def _mean(seen: Sequence[Impact]) -> tuple[float, float]:
    """Restitution over all impacts, each counted by how well it is known."""
    weights = np.array([impact.sigma**-2 for impact in seen])
    return float(weights @ [impact.restitution for impact in seen] / weights.sum()), float(
        weights.sum() ** -0.5
    )


def impacts(a: Path, b: Path, dt: Steps) -> Iterator[Impact]:
    """Impacts of two bodies between which they move straight relative to each other (any shared
    field drops out)."""
    shared = sorted(
        {t for t in a.kinks if any(abs(t - k) <= 1 for k in b.kinks)}
        | {t for t in b.kinks if any(abs(t - k) <= 1 for k in a.kinks)}
    )
    events = [g for g in np.split(shared, np.flatnonzero(np.diff(shared) > 2) + 1) if len(g)]
    bounds = [-1, *(t for t in sorted({*a.kinks, *b.kinks})), len(a.xy)]
    for event in events:
        first, last = int(event[0]), int(event[-1])
        start = max((t for t in bounds if t < first - 1), default=-1)
        stop = min((t for t in bounds if t > last + 1), default=len(a.xy))
        before, after = np.arange(start + 1, first), np.arange(last + 1, stop)
        measured = _straight(a, b, before, after, dt)
        if measured is not None:
            yield measured


def _straight(a: Path, b: Path, before: np.ndarray, after: np.ndarray, dt: Steps) -> Impact | None:
    offset = b.xy - a.xy
    before, after = (side[np.isfinite(offset[side, 0])] for side in (before, after))
    if min(len(before), len(after)) < SIDE:
        return None
    line = offset[before[-1]] + offset[after[0]]
    along = offset @ (line / max(np.hypot(*line), 1e-9))
    noise = float(np.hypot(a.sigma, b.sigma))
    slopes, errors = zip(
        *(_slope(timing.elapsed(dt, side), along[side], noise) for side in (before, after)),
        strict=True,
    )
    if not np.isfinite(errors).all() or slopes[0] > -5 * errors[0]:
        return None
    return Impact(
        -slopes[0],
        -slopes[1] / slopes[0],
        float(np.hypot(errors[1], errors[0] * slopes[1] / slopes[0]) / -slopes[0]),
    )


def _slope(t: np.ndarray, along: np.ndarray, noise: float) -> tuple[float, float]:
    """(slope, standard error) of a straight line; the error is infinite where the points leave the
    line."""
    (slope, _), residual, *_ = np.polyfit(t, along, 1, full=True)
    rms = float(np.sqrt(residual[0] / (len(t) - 2))) if len(residual) else 0.0
    error = max(rms, noise) / np.sqrt(np.square(t - t.mean()).sum())
    return float(slope), float(error) if rms < 4 * noise else np.inf
