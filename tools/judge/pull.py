"""A constant acceleration that changes in free flight: too gentle for one forecast to break, plain
over some frames."""

from __future__ import annotations

import numpy as np

from tools.judge.breaking import clear
from tools.judge.eyes import Body, Sight
from tools.judge.innovation import FLAG
from tools.judge.naming import KINDS, Violation
from tools.judge.touch import beside

_SIDE = 4  # frames on either side at least
_GAP = 2  # frames between two places, at most
_LEAST = 16  # frames of a flight that can tell: two parabolas fit any shorter piece of a swing
_SURER = 1.4  # of the usual standard errors: every frame was tried as the moment
_BETTER = 0.3  # squared misfit left, of that of a smooth change with one number more
_GRAINS = 2.5  # standard errors of a place that two constant accelerations may leave
_SHARE = 0.2  # of the larger acceleration that the change must be


def changed(sight: Sight, body: Body, starts: list[int], grid: float) -> Violation | None:
    """The clearest change within the flights that begin at ``starts`` (breaks and the first
    frame), where nothing hides a part of the body; grid: standard error of a place, pixels."""
    if sight.labels is None:
        return None
    places = clear(sight, body)
    known = np.isfinite(places[:, 0])
    ends = [*starts[1:], len(known)]
    best: Violation | None = None
    for first, end in zip(starts, ends, strict=True):
        frames = _moving(places, np.nonzero(known[first:end])[0] + first, grid)
        if len(frames) < _LEAST or np.diff(frames).max() > _GAP:
            continue
        found = _in_flight(sight, body, places, frames, grid)
        if found is not None and (best is None or found.strength > best.strength):
            best = found
    return best


def _moving(places: np.ndarray, frames: np.ndarray, grid: float) -> np.ndarray:
    """Those of the frames (n,) before the body has come to rest: what stays where it stopped is
    not pulled differently, but braked until it stood."""
    if not len(frames):
        return frames
    away = np.linalg.norm(places[frames] - np.median(places[frames[-_SIDE:]], axis=0), axis=1)
    return frames[: int(np.max(np.nonzero(away > FLAG * grid)[0], initial=-1)) + 1]


def _in_flight(
    sight: Sight, body: Body, way: np.ndarray, frames: np.ndarray, grid: float
) -> Violation | None:
    places, tau = way[frames], frames - frames[0].astype(float)
    smooth = _left(np.vander(tau / tau[-1], 5, increasing=True), places)[0]
    tried = []
    for k in range(_SIDE, len(frames) - _SIDE):
        bent = np.maximum(tau - tau[k], 0.0) ** 2
        base = np.column_stack([np.ones_like(tau), tau, tau**2, bent])
        left, c, error = _left(base, places)
        tried.append((left, k, c, error))
    left, k, c, error = min(tried, key=lambda row: row[0])
    free = 2 * len(frames) - 8
    sigma = max(float(np.sqrt(left / free)), grid)
    change, before = 2 * c[3], 2 * c[2]
    strength = float(np.linalg.norm(c[3]) / (sigma * error))
    larger = max(float(np.linalg.norm(before)), float(np.linalg.norm(before + change)))
    if (
        strength < _SURER * FLAG
        or sigma > _GRAINS * grid
        or left > _BETTER * smooth
        or float(np.linalg.norm(change)) < _SHARE * larger
    ):
        return None
    t = int(frames[k]) + 1
    near = range(max(t - 3, 0), min(t + 4, len(body.seen)))
    if any(beside(sight, body, k) for k in near if body.seen[k]):
        return None
    x, y = (float(v) for v in body.places[t])
    says = f"{body.name} {KINDS['gravity']} from frame {t} on, near ({x:.0f}, {y:.0f})"
    return Violation("gravity", body.name, t, (x, y), strength, says)


def _left(base: np.ndarray, places: np.ndarray) -> tuple[float, np.ndarray, float]:
    """Squared misfit, coefficients, and standard error of the last one for places of error 1."""
    c = np.linalg.lstsq(base, places, rcond=None)[0]
    gap = places - base @ c
    return float((gap**2).sum()), c, float(np.sqrt(np.linalg.pinv(base.T @ base)[-1, -1]))
