"""What stands in a drawing and is touched, as outlines: a ramp that ends, a table with an edge, a
peg. Straight sides that go on for as long as a body is there are walls (``walls``)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from agent.proposers.offline.evidence import Evidence, Path
from agent.proposers.offline.kinematics import outline_at
from agent.proposers.offline.mechanism import Body, Term
from agent.proposers.offline.walls import TOUCHING, Boundary, boundaries, ground_under
from tools.perception.anchoring import CIRCULAR
from tools.perception.background import threshold

MOST = 12
"""Things that stand, at most: more are a pattern."""

LEAST = 12
"""Pixels of a thing that stands, at least."""

DEEP = 4.0
"""Pixels by which a body may overlap a thing before it is seen to pass over it."""

OFTEN = 3
"""Frames in which a body lies on a thing, from which it is known to stand in its way."""

FINE = 4
"""Steps per pixel in which an outline is drawn."""

STRAIGHT = 1.5
"""Pixels by which a straight side may miss an outline: what is drawn without soft edges goes in
steps."""

SIDE = 6.0
"""Pixels from which a side is long enough to be laid through its outline by least squares."""

BEYOND = 200
"""Pixels by which what reaches the picture's border goes on behind it."""


@dataclass(frozen=True)
class Thing:
    """Something that stands. outline: (N, 2) corners, pixels; radius: pixels that it reaches beyond
    them (a disk has one corner). touches: body -> bool (T,), the frames in which it lies on the
    thing or jumps at it."""

    outline: np.ndarray
    radius: float
    touches: Mapping[str, np.ndarray]


def obstacles_of(bodies: Sequence[Body], walls: Sequence[Term], evidence: Evidence) -> list[Thing]:
    """What stands in these bodies' way and is no wall: if one of them touched such a thing, all that
    stands there; [] where camera or ground do not show it."""
    paths = [evidence.paths[b.name] for b in bodies]
    grounds = [ground_under(p, evidence) for p in paths if not p.waits]
    free = next((g for g in grounds if g is not None), None)
    if evidence.filmed or free is None:
        return []
    labels, count = _things(free)
    if not 0 < count <= MOST:
        return []
    met = {p.name: _touched(p, labels, count) for p in paths}
    passed = [k for k in range(count) if any(m[k].max(initial=0.0) > DEEP for m in met.values())]
    found = []
    for k in (k for k in range(count) if k not in passed):
        share = _covered(evidence, free, labels == k + 1)
        if share.max() > 0.5:
            touches = {p.name: _lies_on(p, met[p.name][k]) for p in paths}
            found.append(Thing(*_outline(share), touches))
    found = [t for t in found if not any(_leaves(evidence.paths[n], t) for n in t.touches)]
    ends = all(p.appearance.shape == "disk" for p in paths)
    needed = [t for t in found if _stands_in_the_way(t, walls, evidence, ends)]
    return found if needed and abs(_margin(found, evidence)) < DEEP else []


def _leaves(path: Path, thing: Thing) -> bool:
    """Whether a body that would lie on a thing goes to and fro across its outline without a jump: the
    plate may hold a trace of what moves with it."""
    lies = thing.touches[path.name] & path.seen
    for t in path.kinks:
        lies[max(t - 1, 0) : t + 2] = False
    speed = np.gradient(path.xy, axis=0)
    pace = np.hypot(*speed.T)
    counted = np.flatnonzero(lies & (pace > 1.0))
    if len(counted) < OFTEN:
        return False
    across = []
    for k in counted.tolist():
        way = path.xy[k] - _nearest(thing.outline, path.xy[k])
        across.append(abs(float(speed[k] @ way)) / max(float(np.hypot(*way)) * pace[k], 1e-9))
    return float(np.median(across)) > ACROSS


ACROSS = 0.5
"""Share of a body's speed that goes across what it lies on, from which it does not lie there."""


def _nearest(outline: np.ndarray, place: np.ndarray) -> np.ndarray:
    """(2,) the point of a closed outline that is nearest to a place."""
    way = np.roll(outline, -1, axis=0) - outline
    square = np.maximum((way**2).sum(1), 1e-9)
    share = np.clip(((place - outline) * way).sum(1) / square, 0.0, 1.0)
    points = outline + share[:, None] * way
    nearest: np.ndarray = points[np.argmin(((points - place) ** 2).sum(1))]
    return nearest


def _things(free: np.ndarray) -> tuple[np.ndarray, int]:
    """int (H, W), 1 to n in what is no ground, and n."""
    solid = (~free).astype(np.uint8)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(solid, connectivity=8)
    kept = [k for k in range(1, count) if stats[k, cv2.CC_STAT_AREA] >= LEAST]
    renamed = np.zeros(count, np.int32)
    renamed[kept] = np.arange(1, len(kept) + 1)
    return renamed[labels], len(kept)


def _touched(path: Path, labels: np.ndarray, count: int) -> np.ndarray:
    """(count, T) pixels by which a body's outline overlaps each thing, negative where it is away;
    -inf where the body is not seen."""
    found = np.full((count, len(path.xy)), -math.inf)
    height, width = labels.shape
    outlines = {int(t): outline_at(path, int(t)) for t in np.flatnonzero(path.seen)}
    for k in range(count):
        inside = (labels == k + 1).astype(np.uint8)
        away = cv2.distanceTransform(1 - inside, cv2.DIST_L2, 5) - cv2.distanceTransform(
            inside, cv2.DIST_L2, 5
        )
        for t, points in outlines.items():
            shown = points[(points > -0.5).all(1) & (points < (width - 0.5, height - 0.5)).all(1)]
            if len(shown):
                x, y = np.rint(shown).astype(int).T
                found[k, t] = -float(away[y, x].min())
    return found


def _lies_on(path: Path, overlap: np.ndarray) -> np.ndarray:
    """bool (T,): the frames in which a body lies on a thing, and those at which it jumps beside
    it."""
    lies = overlap > -TOUCHING
    pace = float(np.nanmax(np.hypot(*np.diff(path.xy, axis=0).T), initial=0.0))
    for t in path.kinks:
        around = overlap[max(t - 1, 0) : t + 2]
        lies[t] |= bool((around > -TOUCHING - 0.5 * pace).any())
    return lies


def _stands_in_the_way(thing: Thing, walls: Sequence[Term], evidence: Evidence, ends: bool) -> bool:
    """Whether bodies lie on it, or bounce off it, in frames for which no wall accounts. ends: or
    where one goes towards its end."""
    for name, touches in thing.touches.items():
        path = evidence.paths[name]
        own = [w.numbers for w in walls if name in w.bodies and "drawn" in w.numbers]
        own += [_numbers(side) for side in boundaries(path, evidence)]
        own = [w for w in own if np.nanmin(_gap(path, w)) > -DEEP]
        if ends and touches.any():
            own = [w for w in own if not _ends_ahead(path, w, thing, evidence)]
        left = touches & ~np.any([_at_wall(path, w) for w in own], axis=0) if own else touches
        if left.sum() >= OFTEN or any(left[t] for t in path.kinks):
            return True
    return False


def _ends_ahead(path: Path, wall: Mapping[str, float], thing: Thing, evidence: Evidence) -> bool:
    """Whether a side of a thing that an upright or level wall stands for ends where a body goes
    to, before the picture does."""
    axis = 0 if abs(wall["ny"]) > abs(wall["nx"]) else 1
    last = path.xy[path.seen][-2:, axis]
    places, size = thing.outline[:, axis], evidence.shape[1 - axis]
    on = np.abs(thing.outline @ (wall["nx"], wall["ny"]) - wall["offset"]) < 2 * TOUCHING
    if thing.radius or len(last) < 2 or on.sum() < 2:
        return False
    if last[1] > last[0]:
        return bool(places[on].max() < size - 1 - path.radius)
    return bool(places[on].min() > path.radius)


def _numbers(side: Boundary) -> dict[str, float]:
    nx, ny = map(float, side.normal)
    return {"nx": nx, "ny": ny, "offset": side.offset}


def _gap(path: Path, wall: Mapping[str, float]) -> np.ndarray:
    """(T,) pixels between a body and a wall."""
    normal = np.array([wall["nx"], wall["ny"]])
    if path.appearance.shape == "disk":
        gap: np.ndarray = path.xy @ normal - path.radius - wall["offset"]
        return gap
    nearest = [(outline_at(path, t) @ normal).min() for t in range(len(path.xy))]
    return np.array(nearest) - wall["offset"]


def _at_wall(path: Path, wall: Mapping[str, float]) -> np.ndarray:
    """bool (T,): frames in which a body is at a wall."""
    gap = _gap(path, wall)
    near = np.abs(gap) < 2 * TOUCHING
    for t in path.kinks:
        near[t] |= bool(
            np.nanmin(np.abs(gap[max(t - 1, 0) : t + 2]), initial=np.inf) < 4 * TOUCHING
        )
    return near


def replaced(walls: Sequence[Term], things: Sequence[Thing], evidence: Evidence) -> list[Term]:
    """The walls that are no sides of these things."""

    def beside(wall: Term) -> bool:
        return any(
            (thing.touches[name] & _at_wall(evidence.paths[name], wall.numbers)).any()
            for thing in things
            for name in wall.bodies
            if name in thing.touches
        )

    return [wall for wall in walls if not beside(wall)]


def standing(
    names: tuple[str, ...], things: Sequence[Thing], bounces: Sequence[float], evidence: Evidence
) -> list[Term]:
    """The terms of what stands. bounces: shares of the normal speed that were seen to be given
    back."""
    known = {"e": float(np.median(bounces))} if bounces else {"e": 0.3, "e_spread": 0.3}
    numbers = {**known, "margin": _margin(things, evidence)}
    return [Term("obstacle", names, _corners(thing) | numbers) for thing in things]


def lain(name: str, things: Sequence[Thing], evidence: Evidence) -> np.ndarray:
    """bool (T,): frames in which a body lies on something that stands."""
    touches = [thing.touches[name] for thing in things if name in thing.touches]
    return np.any([np.zeros(len(evidence.paths[name].xy), bool), *touches], axis=0)


def _corners(thing: Thing) -> dict[str, float]:
    places = {
        f"{axis}{k}": round(float(place[i]), 1)
        for k, place in enumerate(thing.outline)
        for i, axis in enumerate("xy")
    }
    return {"radius": thing.radius, **places}


def _margin(things: Sequence[Thing], evidence: Evidence) -> float:
    """Pixels between what is round and what it lies on; negative where one is drawn into the
    other."""
    gaps: list[float] = []
    for thing in things:
        outline = thing.outline.astype(np.float32)[:, None]
        for path in (evidence.paths[n] for n in thing.touches if evidence.paths[n].circular):
            lies = np.flatnonzero(thing.touches[path.name] & path.seen)
            places = [tuple(map(float, path.xy[t])) for t in lies if t not in path.kinks]
            reach = path.radius + thing.radius
            own = [-cv2.pointPolygonTest(outline, at, True) - reach for at in places]
            gaps += own if len(own) >= OFTEN else []
    return round(float(np.median(gaps)), 2) if gaps else 0.0


def _outline(share: np.ndarray) -> tuple[np.ndarray, float]:
    """(N, 2) corners of a thing and how far it reaches beyond them, from how much of each pixel it
    covers; what reaches the picture's border goes on behind it."""
    line = _edge(share)
    middle = (line.max(0) + line.min(0)) / 2
    radii = np.hypot(*(line - middle).T)
    if radii.std() <= max(CIRCULAR * radii.mean(), 0.25):
        return middle[None], round(float(radii.mean()), 2)
    return _cornered(line), 0.0


def _cornered(line: np.ndarray) -> np.ndarray:
    """(N, 2) corners of a closed line (T, 2) of many places: where the sides meet that lie best
    between them."""
    rough = cv2.approxPolyDP(line.astype(np.float32)[:, None], STRAIGHT, True)[:, 0]
    at = sorted({int(np.argmin(((line - corner) ** 2).sum(1))) for corner in rough})
    apart = [np.hypot(*(line[k] - line[at[j - 1]])) >= CHAMFER for j, k in enumerate(at)]
    at = [k for k, far in zip(at, apart, strict=True) if far] if sum(apart) > 2 else at
    sides = [_side(line, one, other) for one, other in zip(at, (*at[1:], at[0]), strict=True)]
    corners = []
    for k, place in enumerate(line[at]):
        (a, u), (b, v) = sides[k - 1], sides[k]
        cross = u[0] * v[1] - u[1] * v[0]
        met = place
        if abs(cross) > BENT:
            gap = b - a
            met = a + (gap[0] * v[1] - gap[1] * v[0]) / cross * u
        corners.append(met if np.hypot(*(met - place)) < CHAMFER else place)
    return np.array(corners)


CHAMFER = 4.0
"""Pixels between two corners up to which they are one that was drawn softly."""

BENT = 0.15
"""Sine of the angle between two sides from which they tell where they meet."""


def _side(line: np.ndarray, one: int, other: int) -> tuple[np.ndarray, np.ndarray]:
    """(a point, unit direction) of the side from one place of a closed line to another: through
    what lies between them, where that is long enough."""
    course = np.roll(line, -one, axis=0)[: (other - one) % len(line) + 1]
    chord = course[-1] - course[0]
    length = max(float(np.hypot(*chord)), 1e-9)
    inner = course[len(course) // 8 : -(len(course) // 8) or None]
    if length < SIDE or len(inner) < 3:
        return course[0], chord / length
    middle = inner.mean(0)
    _, _, v = np.linalg.svd(inner - middle, full_matrices=False)
    return middle, v[0]


def _covered(evidence: Evidence, free: np.ndarray, thing: np.ndarray) -> np.ndarray:
    """(H, W): how much of each pixel a thing covers."""
    plate = evidence.tracks.plate.astype(np.float32)
    ground = np.median(plate[free], axis=0)
    core = cv2.erode(thing.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    own = np.median(plate[core if core.any() else thing], axis=0) - ground
    share = np.clip((plate - ground) @ own / max(float(own @ own), 1.0), 0.0, 1.0)
    share[cv2.dilate(thing.astype(np.uint8), np.ones((3, 3), np.uint8)) == 0] = 0.0
    share[np.abs(plate - ground).max(-1) <= threshold(evidence.tracks.noise)] = 0.0
    return share


def _edge(share: np.ndarray) -> np.ndarray:
    """(N, 2) places around what is covered by half, in steps of a quarter of a pixel; what reaches
    the picture's border goes on behind it."""
    wide = cv2.copyMakeBorder(share, BEYOND, BEYOND, BEYOND, BEYOND, cv2.BORDER_REPLICATE)
    ys, xs = np.nonzero(wide)
    x, y, right, low = max(xs.min() - 1, 0), max(ys.min() - 1, 0), xs.max() + 2, ys.max() + 2
    fine = cv2.resize(wide[y:low, x:right], None, fx=FINE, fy=FINE, interpolation=cv2.INTER_LINEAR)
    solid = np.pad((fine > 0.5).astype(np.uint8), 1)
    lines, _ = cv2.findContours(solid, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    line = max(lines, key=cv2.contourArea)[:, 0]
    return (line - 0.5) / FINE - 0.5 + np.array([x, y]) - BEYOND
