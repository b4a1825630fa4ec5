"""What bodies hang by: springs, ropes and threads that are drawn from a point of the picture."""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from scipy.optimize import minimize_scalar

from agent.proposers.offline.evidence import Evidence, Path, line_of_travel
from tools.perception.links import Covers, Link, link_of
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
    """The evidence with the points of the picture to which bodies are seen to be tied, without what
    was taken for bodies and is a piece of what ties them."""
    if evidence.filmed:
        return evidence
    found, pieces, covers = {}, set[str](), Covers(evidence.tracks)
    for path in evidence.movers:
        far = float(np.ptp(path.xy[path.seen], axis=0).max()) > GOES
        if path.moves and far and not path.turns and not path.waits:
            thin = [p for p in evidence.movers if _thinner(p, path)]
            bare = _without(evidence, {p.name for p in thin if not p.turns})
            same = bare is evidence
            sight = _Sight(bare, video, covers if same else Covers(bare.tracks))
            tied = [*_about(path, sight), *_along(path, sight)]
            if tied:
                found[path.name] = min(tied)[1:]
                anchor = found[path.name][:2]
                pieces |= {
                    p.name
                    for p in thin
                    if (not p.turns or _short(p, path, anchor)) and _between(p, path, anchor)
                }
    left = {name: link for name, link in found.items() if name not in pieces}
    return replace(_without(evidence, pieces), links=left)


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
