"""Where walls may stand: straight boundaries of the ground that a body moves over, drawn ones and
the picture's own border."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from agent.proposers.offline.evidence import Evidence, Path
from tools.perception.background import differs, threshold

DIRECTIONS = ((0, -1), (0, 1), (1, 0), (-1, 0))
"""Normals of walls that are looked for, pointing to the free side: floor, ceiling, left wall, right
wall."""

BLURRED = 6
"""Pixels over which an edge may go from the ground's colour to the wall's."""

STRAIGHT = 0.7
"""Share of the lines across a boundary that must agree on its place."""

FALL = 2.0
"""Pixels by which a steady pull must bend a path before the drawn boundary that it pulls to is
taken for a floor."""


VARIES, ROUGH = 4.0, 80.0
"""Times its mean difference from the median by which a ground's colours may differ from it, and the
most levels by which it may."""


@dataclass(frozen=True)
class Boundary:
    """normal . (x, y) = offset, free side along the normal (pixels). border: it is the picture's
    own edge, else it is drawn."""

    normal: tuple[int, int]
    offset: float
    border: bool


def boundaries(path: Path, evidence: Evidence) -> list[Boundary]:
    """Straight, level or upright boundaries of the ground under a path, at most one a direction; []
    where the ground is no plain colour, and for a body at rest, which is itself part of the plate."""
    if evidence.paths.get(path.name) is not path:
        return _boundaries(path, evidence)
    return evidence.once(("boundaries", path.name), lambda: _boundaries(path, evidence))


def _boundaries(path: Path, evidence: Evidence) -> list[Boundary]:
    free = None if path.waits else ground_under(path, evidence)
    if free is None:
        return []
    found = [_boundary(free, path, normal, evidence.tracks.plate) for normal in DIRECTIONS]
    return [boundary for boundary in found if boundary is not None]


def unmet(path: Path, sides: Sequence[Boundary]) -> list[Boundary]:
    """Drawn boundaries that will turn a body back, though none has been touched yet: the one to
    which a steady pull draws it, as a floor under a ball that was thrown, what stands in the way of
    a body that keeps to another one, as to a floor, or all of them where the body is fenced in on
    every side."""
    drawn = [side for side in sides if not side.border and _clear(path, side)]
    if len(drawn) == len(DIRECTIONS):
        return drawn
    times = np.flatnonzero(path.seen).astype(float)
    if len(times) < 6:
        return []
    way = path.xy[path.seen][-1] - path.xy[path.seen][0]
    if any(_kept_to(path, side) for side in sides):
        return [side for side in drawn if -(way @ side.normal) > path.radius]
    bend = np.polyfit(times, path.xy[path.seen], 2)[0] * (np.ptp(times) / 2) ** 2
    return [
        side
        for side in drawn
        if -(bend @ side.normal) > max(FALL, 10 * path.sigma)
        and -(bend @ side.normal) > 0.95 * np.hypot(*bend)
    ]


def _clear(path: Path, side: Boundary) -> bool:
    """Whether a body has always been on the free side."""
    away = path.xy[path.seen] @ np.array(side.normal, float) - side.offset
    return bool((away - path.girth(side.normal)).min() > -1.0)


def slides(path: Path, evidence: Evidence) -> bool:
    """Whether a body that does not turn keeps to a drawn boundary, as to a floor."""
    return not path.turns and any(_kept_to(path, side) for side in boundaries(path, evidence))


def _kept_to(path: Path, side: Boundary) -> bool:
    """Whether a body touches a drawn boundary all the time."""
    if side.border:
        return False
    away = path.xy[path.seen] @ np.array(side.normal, float) - side.offset
    return bool(np.abs(away - path.girth(side.normal)).max() < TOUCHING)


TOUCHING = 2.0
"""Pixels between a body and a boundary up to which one lies on the other."""


def ground_under(path: Path, evidence: Evidence) -> np.ndarray | None:
    """bool (H, W): the connected part of the plate in the colour that the path runs over, give or
    take what the ground of a drawing varies by."""
    plate, level = evidence.tracks.plate, threshold(evidence.tracks.noise)
    h, w = plate.shape[:2]
    places = np.rint(path.xy[path.seen]).astype(int)
    places = places[(places >= 0).all(1) & (places < (w, h)).all(1)]
    if len(places) < 3:
        return None
    under = plate[places[:, 1], places[:, 0]].astype(np.int16)
    colour = np.median(under, axis=0)
    varies = 0.0 if evidence.filmed else VARIES * float(np.abs(under - colour).max(1).mean())
    textured = level < varies <= ROUGH
    level = varies if textured else level
    over = np.abs(under - colour).max(1) <= level
    if over.mean() < 0.9:
        return None
    key = ("ground", *colour.tolist(), level, textured)
    labels = evidence.once(key, lambda: _grounds(evidence, colour, level, textured))
    x, y = places[over][len(places[over]) // 2]
    return labels == labels[y, x]


def _grounds(evidence: Evidence, colour: np.ndarray, level: float, textured: bool) -> np.ndarray:
    """int (H, W): connected parts of the plate in a colour, bodies at rest counted in."""
    alike: np.ndarray = (~differs(evidence.tracks.plate, colour, level)).astype(np.uint8)
    if textured:
        alike = cv2.medianBlur(alike, 5)
    alike |= _waiting(evidence)
    labels: np.ndarray = cv2.connectedComponents(alike, connectivity=4)[1]
    return labels


def _waiting(evidence: Evidence) -> np.ndarray:
    """uint8 (H, W): 1 where the plate shows bodies at rest and their edges, which are no walls."""
    height, width = evidence.shape
    mask = np.zeros((height, width), np.uint8)
    for path in (p for p in evidence.paths.values() if p.waits):
        pose = np.array([*path.xy[path.seen][0], path.angle[path.seen][0]])
        layer = path.appearance.cover((height, width), pose)
        if layer is not None:
            x, y, alpha, _ = layer
            mask[y : y + len(alpha), x : x + alpha.shape[1]] |= (alpha > 0).astype(np.uint8)
    return cv2.dilate(mask, np.ones((5, 5), np.uint8))


def _boundary(
    free: np.ndarray, path: Path, normal: Sequence[int], plate: np.ndarray
) -> Boundary | None:
    """The boundary met by going against ``normal`` from every place that the body sweeps."""
    along = 0 if normal[0] else 1  # axis of the normal
    lines = free if along == 0 else free.T  # one row per line across the boundary
    lines = lines if normal[along] < 0 else lines[:, ::-1]
    xy = path.xy[path.seen]
    beside = path.girth(normal[::-1])
    low, high = xy[:, 1 - along].min() - beside, xy[:, 1 - along].max() + beside
    rows = np.arange(max(0, int(np.ceil(low))), min(len(lines) - 1, int(np.floor(high))) + 1)
    if len(rows) < 3:
        return None
    size = lines.shape[1]
    middle = float(np.median(xy[:, along]))
    start = int(np.clip(round(middle if normal[along] < 0 else size - 1 - middle), 0, size - 1))
    ends = np.array([_end(lines[row], start) for row in rows])
    known = ends >= 0
    if known.mean() < STRAIGHT:
        return None
    place = float(np.median(ends[known]))
    if (np.abs(ends - place) <= 1.5).mean() < STRAIGHT:
        return None
    if place < size:
        place += _uncovered(plate, rows, int(place), along, normal[along] < 0)
    edge = place - 0.5 if normal[along] < 0 else size - 0.5 - place
    return Boundary((int(normal[0]), int(normal[1])), edge * normal[along], place >= size)


def _uncovered(
    plate: np.ndarray, rows: np.ndarray, place: int, along: int, forwards: bool
) -> float:
    """Pixels from ``place`` on that still belong to the ground, from their colours between that and
    the wall's: half a pixel of a sharp edge that a pixel straddles, more of one that is blurred or
    compressed."""
    lines = plate if along == 0 else plate.transpose(1, 0, 2)
    lines = (lines if forwards else lines[:, ::-1])[rows].astype(np.float64)
    if place < 1:
        return 0.0
    before = np.median(lines[:, place - 1], axis=0)
    profile = np.median(lines[:, place : place + BLURRED], axis=0) - before
    size = np.linalg.norm(profile, axis=1)
    top = int(np.argmax(size > 0.95 * size.max()))  # behind a thin wall the ground may come again
    share = profile[: top + 1] @ profile[top] / max(float(profile[top] @ profile[top]), 1.0)
    return float(np.clip(1.0 - share, 0.0, 1.0).sum())


def _end(line: np.ndarray, start: int) -> int:
    """Number of the first pixel from ``start`` on that is not free; the length of the line if there
    is none; -1 if not even the start is free."""
    if not line[start]:
        return -1
    blocked = np.flatnonzero(~line[start:])
    return start + int(blocked[0]) if len(blocked) else len(line)
