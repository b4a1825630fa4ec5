"""What bodies hang by: springs, ropes and threads that are drawn from a point of the picture, or
from another body."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from scipy.optimize import minimize_scalar

from agent.proposers.offline.evidence import Evidence, Path, line_of_travel
from agent.proposers.offline.priors import THRESHOLDS
from tools.perception.background import differs, threshold
from tools.perception.links import Covers, Ends, Link, link_of
from tools.types import Video


@dataclass(frozen=True)
class _Sight:
    """What tells where a body's link begins: a clip, what it says, and what its bodies cover."""

    evidence: Evidence
    video: Video
    covers: Covers

    def link(self, path: Path, anchor: Sequence[float], end: float) -> Link | None:
        """What joins a body and a point, up to ``end`` px from the body's place."""
        about = self.video.frames, self.evidence.tracks, path.name
        return link_of(*about, anchor, end, self.covers)


def with_links(evidence: Evidence, video: Video) -> Evidence:
    """The evidence with the springs, ropes and threads that are seen to tie bodies to points of the
    picture and to each other, without what was taken for bodies and is a piece of what ties them."""
    if evidence.filmed:
        return evidence
    found: dict[str, list[Ends]] = {}
    pieces, covers = set[str](), Covers(evidence.tracks)
    for path in evidence.movers:
        far = float(np.ptp(path.xy[path.seen], axis=0).max()) > GOES
        if path.moves and far and not path.turns and not path.waits:
            thin = [p for p in evidence.movers if _thinner(p, path) or _in_line(p, path)]
            loose = [a for a in evidence.spots if np.ptp(_away(path, a)) > STRETCHED]
            rods = [p for p in thin if any(_piece(p, path, a) for a in loose)]
            bare = _without(evidence, {p.name for p in thin if not _rod(p) or p in rods})
            sight = _Sight(bare, video, covers if bare is evidence else Covers(bare.tracks))
            for _, x, y, end in _sides(path, [*_about(path, sight), *_along(path, sight)]):
                found.setdefault(path.name, []).append((x, y, end))
                pieces |= {p.name for p in thin if _piece(p, path, (x, y))}
    for name, ends, own in _joining(evidence, video):
        found.setdefault(name, []).append(ends)
        pieces |= own
    left = {name: tuple(links) for name, links in found.items() if name not in pieces}
    return replace(_without(evidence, pieces), links=left)


def _sides(path: Path, tied: Sequence[Tied]) -> list[Tied]:
    """The best of these links, and the best of those to the other side of the body."""
    if not tied:
        return []
    middle, best = np.nanmean(path.xy, axis=0), min(tied)
    way = np.array(best[1:3]) - middle
    opposite = [one for one in tied if (np.array(one[1:3]) - middle) @ way < 0]
    return [best, min(opposite)] if opposite else [best]


def _rod(path: Path) -> bool:
    """Whether something straight turns: it may be a rod."""
    return path.turns and path.appearance.shape == "box"


def _piece(path: Path, body: Path, anchor: tuple[float, float]) -> bool:
    """Whether a path is a piece of what holds a body."""
    stretched = float(np.ptp(_away(body, anchor))) > STRETCHED
    held = stretched or not _rod(path) or _short(path, body, anchor)
    return held and _between(path, body, anchor)


def _away(path: Path, anchor: Sequence[float]) -> np.ndarray:
    """(N,) pixels from a point to a body, wherever it is seen."""
    away: np.ndarray = np.hypot(*(path.xy[path.seen] - anchor).T)
    return away


def _in_line(path: Path, body: Path) -> bool:
    """Whether something that is neither disk nor box keeps to the line along which a body goes, as
    a spring does."""
    if path is body or path.appearance.shape in ("disk", "box") or path.waits:
        return False
    point, axis, off = line_of_travel(body)
    across = (path.xy[path.seen] - point) @ np.array([-axis[1], axis[0]])
    return off < NEAR and float((np.abs(across) < body.radius).mean()) > MOSTLY


def _joining(evidence: Evidence, video: Video) -> Iterator[tuple[str, Ends, set[str]]]:
    """What is drawn stretched between two bodies: (body, where it begins and ends, names of what
    was taken for bodies and is a piece of it)."""
    movers = [p for p in evidence.movers if p.moves and not p.waits]
    for a, b in itertools.combinations([p for p in movers if _stout(p)], 2):
        both = a.seen & b.seen
        apart = np.hypot(*(a.xy[both] - b.xy[both]).T)
        if both.sum() < 8 or np.ptp(apart) < STRETCHED or apart.min() < a.radius + b.radius + GAP:
            continue
        own = {p.name for p in movers if p not in (a, b) and _amid(p, a, b)}
        bare = _without(evidence, own)
        if not _drawn_between(a, b, bare, video):
            continue
        found = [
            (link.left, start)
            for start in (a.radius, 0.0)
            if (link := link_of(video.frames, bare.tracks, b.name, (a.name, start), b.radius))
            if link.certain
        ]
        if found:
            yield b.name, (a.name, min(found)[1], b.radius), own


def _stout(path: Path) -> bool:
    """Whether it is as wide as it is long, more or less: springs are not tied to springs."""
    size = path.appearance.size
    box = path.appearance.shape == "box" and max(size) < THRESHOLDS.rod * min(size)
    return box or path.compact


def _amid(path: Path, a: Path, b: Path) -> bool:
    """Whether something that is no disk keeps to the line between two bodies."""
    both = path.seen & a.seen & b.seen
    if path.appearance.shape == "disk" or not both.any():
        return False
    way = b.xy[both] - a.xy[both]
    far = np.maximum(np.hypot(*way.T), 1.0)
    own = path.xy[both] - a.xy[both]
    along = (own * way).sum(1) / far**2
    across = np.abs(own[:, 0] * way[:, 1] - own[:, 1] * way[:, 0]) / far
    amid = (across < min(a.radius, b.radius)) & (along > 0) & (along < 1)
    return float(amid.mean()) > MOSTLY


def _drawn_between(a: Path, b: Path, evidence: Evidence, video: Video) -> bool:
    """Whether something other than the plate is seen all along the line between two bodies."""
    times = np.flatnonzero(a.seen & b.seen)
    times = times[np.unique(np.linspace(0, len(times) - 1, LOOKED).astype(int))]
    level, plate = threshold(evidence.tracks.noise), evidence.tracks.plate
    shown = []
    for t in times:
        way = b.xy[t] - a.xy[t]
        far = float(np.hypot(*way))
        along, side = way / far, np.array([-way[1], way[0]]) / far
        u = np.linspace(a.radius + 3.0, far - b.radius - 3.0, 12)
        places = a.xy[t] + u[:, None, None] * along + np.arange(-WIDE, WIDE + 1)[:, None] * side
        x, y = np.rint(places).astype(int).transpose(2, 0, 1)
        x, y = np.clip(x, 0, plate.shape[1] - 1), np.clip(y, 0, plate.shape[0] - 1)
        shown.append(differs(video.frames[t][y, x], plate[y, x], level).any(1).mean())
    return float(np.median(shown)) > MOSTLY


def _thinner(path: Path, body: Path) -> bool:
    """Whether a box is so thin that it may be a piece of what holds a body."""
    return path.appearance.shape == "box" and path.radius < THIN * body.radius


def _short(path: Path, body: Path, anchor: tuple[float, float]) -> bool:
    """Whether something is much shorter than what holds a body: a coil of a spring, and no rod."""
    far = float(np.nanmedian(np.hypot(*(body.xy - anchor).T)))
    return 2.0 * path.appearance.bounding_radius < SHORT * far


def _between(path: Path, body: Path, anchor: tuple[float, float]) -> bool:
    """Whether a path keeps to the line through a point and a body, on the point's side of it."""
    both = path.seen & body.seen
    way = body.xy[both] - anchor
    far = np.maximum(np.hypot(*way.T), 1.0)
    along, own = way / far[:, None], path.xy[both] - anchor
    u = (own * along).sum(1)
    w = own[:, 1] * along[:, 0] - own[:, 0] * along[:, 1]
    inside = (np.abs(w) < body.radius) & (u < far)
    return bool(both.any()) and float(inside.mean()) > MOSTLY


def _without(evidence: Evidence, names: Set[str]) -> Evidence:
    """The evidence without some bodies."""
    if not names:
        return evidence
    paths = {name: path for name, path in evidence.paths.items() if name not in names}
    tracks = tuple(t for t in evidence.tracks.tracks if t.name not in names)
    return replace(evidence, paths=paths, tracks=replace(evidence.tracks, tracks=tracks))


STRETCHED, GAP = 4.0, 10.0
"""Pixels by which the distance of two bodies must vary, and that must lie between them, for what is
drawn there to be stretched."""
LOOKED, WIDE = 6, 7
"""Frames that tell whether something is drawn between two bodies, and pixels to either side of the
line at which it is looked for."""
SHORT = 0.25
"""Length of a piece that turns as a share of what holds a body: a longer one is a rod."""
THIN, MOSTLY = 0.3, 0.9
"""Of a body's radius, half the width of a piece of what holds it; share of the frames in which that
must lie between the two."""

Tied = tuple[float, float, float, float]
"""What a link leaves unexplained, (x, y) of its point, and where it ends at the body."""


def _about(path: Path, sight: _Sight) -> Iterator[Tied]:
    """Links to what a body goes round, and to small things that stand alone."""
    circle = path.orbit
    round_ = [] if circle is None or circle.rms > NEAR else [circle.other]
    for anchor in (*round_, *sight.evidence.spots):
        yield from _tied(path, sight, anchor, (0.0, path.radius))


def _along(path: Path, sight: _Sight) -> Iterator[Tied]:
    """Links along the straight line that a body keeps to: the point from which what is seen there
    is stretched most evenly, and the farthest of those: a rope that is alike all along shows none,
    and the body may go on."""
    point, axis, off = line_of_travel(path)
    if off > NEAR:
        return
    along = (path.xy[path.seen] - point) @ axis
    size, shape = path.appearance.size, path.appearance.shape
    half = float(np.abs(axis) @ size) / 2 if shape == "box" and not path.turns else path.radius
    for end, side in ((along.min(), -1.0), (along.max(), 1.0)):

        def at(beyond: float, end: float = end, side: float = side) -> tuple[float, float]:
            x, y = point + (end + side * (half + beyond)) * axis
            return float(x), float(y)

        @cache
        def link(beyond: float) -> Link | None:
            return sight.link(path, at(beyond), half)

        def left(beyond: float) -> float:
            found = link(beyond)
            return 1.0 if found is None else found.left

        places = np.arange(BEYOND, max(sight.evidence.shape), STEP)
        inside = [b for b in places if _shown(at(b), sight.evidence)]
        if not any(_begins(link(b)) for b in inside[:FIRST]):
            continue
        best = min(inside, key=left)
        bounds = (max(best - STEP, 1.0), best + STEP)
        exact = minimize_scalar(left, bounds=bounds, method="bounded", options={"maxiter": 12})
        farthest = min((*inside, float(exact.x)), key=lambda b: (round(left(b), 2), -b))
        yield from _tied(path, sight, at(farthest), (half, 0.0))


def _begins(link: Link | None) -> bool:
    """Whether something is drawn from the body on that a link would explain."""
    return link is not None and link.traced and link.left < 1.0


def _shown(place: tuple[float, float], evidence: Evidence) -> bool:
    height, width = evidence.shape
    return 0 <= place[0] < width and 0 <= place[1] < height


def _tied(path: Path, sight: _Sight, anchor: Sequence[float], ends: Sequence[float]) -> list[Tied]:
    """Links to a point, by where they end at the body."""
    found = ((sight.link(path, anchor, end), end) for end in ends)
    return [
        (link.left, float(anchor[0]), float(anchor[1]), end)
        for link, end in found
        if link is not None and link.certain
    ]


NEAR = 1.0
"""Pixels by which a path may leave a circle whose middle is where a thread begins, or a line along
which a rope goes."""
GOES = 12.0
"""Pixels that a body must go to show that something is stretched."""
BEYOND, STEP, FIRST = 6.0, 8.0, 3
"""Pixels beyond the end of its way at which a body's link is looked for first, and from there on;
how many places must show none that there is none."""
