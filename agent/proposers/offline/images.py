"""Shadows and mirror images: movers whose place is an affine function of another mover's.

Light from afar casts every point of a plane of motion onto the ground by an affine map, and a plane
mirror maps it so, too (Hartley and Zisserman, Multiple View Geometry, 2004, section 2.4). Two bodies
that fly freely are related alike, whatever their colours, as long as nothing happens to either; so
the map counts where both leave a parabola. A course that does not may only be a shadow: of what only
darkens what lies behind it, on a ground along one axis of the picture, where it goes on along that
axis as its body does, whatever the height adds.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from agent.proposers.offline.belief import bandwidth, complexity, misfit
from agent.proposers.offline.evidence import Evidence, Path
from agent.proposers.offline.priors import JOINTS, proposed

BENT = 5.0
"""Times its noise by which a course must leave a parabola, so that it tells what it goes with."""

LEFT = 3.0
"""Times the noise that the map may leave in the mean."""

FEWEST = 10
"""Frames in which both must be seen."""

HUE = 0.06
"""Share by which the channels of a shadow may differ in what they leave of the light."""


@dataclass(frozen=True)
class Cast:
    """Body ``name`` is the image of ``host``. kind: "shadow" or "image". cost: deviance with its
    price."""

    kind: str
    name: str
    host: str
    cost: float
    why: str


def casts(evidence: Evidence, carriers: Mapping[str, str] = MappingProxyType({})) -> list[Cast]:
    """Images that the movers show, likeliest first, each body in one role. carriers: of bodies that
    ride, what carries them, which casts what they seem to, unless it is that itself."""
    bends = {path.name: _bends(path) for path in evidence.movers}
    dark = {path.name: darkens(path, evidence) for path in evidence.movers}
    pairs = (
        (path, host, bends[path.name] and bends[host.name])
        for path in evidence.movers
        for host in evidence.movers
        if path is not host and carriers.get(host.name, path.name) == path.name
        if not path.turns and (bends[path.name] or dark[path.name])
    )
    found = sorted(
        (
            one
            for path, host, bend in pairs
            for one in _cast(path, host, dark[path.name], bend)
            if proposed(one.kind)
        ),
        key=lambda one: one.cost,
    )
    kept: list[Cast] = []
    for one in found:
        names, hosts = {k.name for k in kept}, {k.host for k in kept}
        if one.name not in names | hosts and one.host not in names:
            kept.append(one)
    return kept


def _cast(path: Path, host: Path, dark: bool, bend: bool) -> Iterator[Cast]:
    both = path.seen & host.seen
    count = int(both.sum())
    if count < FEWEST:
        return
    place, floor = path.xy[both], math.hypot(path.floor, host.floor)
    design = np.column_stack([host.xy[both], np.ones(count)])
    map_, *_ = np.linalg.lstsq(design, place, rcond=None)
    linear = map_[:2]
    if (bend and (dark or _mirrored(linear) or _follows(linear))) or (dark and _along(linear)):
        left = (place - design @ map_).T / floor
        if float(np.sqrt(np.mean(left**2))) > LEFT:
            return
        bands = [bandwidth(series / floor, 1.0) for series in place.T]
        kind = "shadow" if dark else "image"
        cost = misfit(list(left), 1.0, bands) + complexity(6, count)
        words = "only darkens what lies behind it" if dark else "leaves its course when that does"
        yield Cast(
            kind,
            path.name,
            host.name,
            cost - 2.0 * JOINTS[kind].log_odds,
            f"{path.name} goes as {host.name} does and {words}, as its {kind}",
        )


def darkens(path: Path, evidence: Evidence) -> bool:
    """Whether a body looks like less light on what lies behind it: darker, alike in all
    channels."""
    colour = path.appearance.colour
    if colour is None or path.appearance.shape == "sprite":
        return False
    plate = evidence.tracks.plate
    high, wide = plate.shape[:2]
    at = np.rint(path.xy[path.seen]).astype(int)
    at = at[(at[:, 0] >= 0) & (at[:, 0] < wide) & (at[:, 1] >= 0) & (at[:, 1] < high)]
    if not len(at):
        return False
    behind = np.median(plate[at[:, 1], at[:, 0]].astype(float), axis=0)
    kept = np.asarray(colour, float) / np.maximum(behind, 1.0)
    return bool(behind.min() > 40 and kept.min() > 0.1 and kept.max() < 0.95 and np.ptp(kept) < HUE)


def _bends(path: Path) -> bool:
    """Whether a course is no parabola."""
    times = np.flatnonzero(path.seen)
    left = [
        series - np.polynomial.Polynomial.fit(times, series, 2)(times)
        for series in path.xy[path.seen].T
    ]
    return max(float(np.std(one)) for one in left) > BENT * path.floor


def _mirrored(linear: np.ndarray) -> bool:
    """Whether a linear map (2, 2) is a reflection across an upright or level line."""
    flat = np.abs(np.abs(linear) - np.eye(2)).max() < 0.05
    return bool(flat and linear[0, 0] * linear[1, 1] < 0)


def _follows(linear: np.ndarray) -> bool:
    """Whether one coordinate is that of the other body and the other stays."""
    rows = np.abs(linear.T)
    return any(abs(rows[k, k] - 1.0) < 0.05 and rows.sum() - rows[k, k] < 0.1 for k in (0, 1))


def _along(linear: np.ndarray) -> bool:
    """Whether one coordinate is that of the other body, and may lean with its other one, and the
    other stays: a place on a level or upright ground under light from afar."""
    rows = linear.T
    return any(abs(rows[k, k] - 1.0) < 0.05 and np.abs(rows[1 - k]).max() < 0.02 for k in (0, 1))
