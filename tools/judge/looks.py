"""Bodies that appear, vanish, change size or colour, with nothing near that would explain it."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from tools.judge.eyes import Body, Sight
from tools.judge.innovation import FLAG
from tools.judge.naming import KINDS, Violation
from tools.judge.touch import alike, bared, beside, doubled, kin, returns

_BEFORE = 3  # frames on either side that are compared
_LARGE = 40.0  # pixels of a body that can be missed
_AREA, _COLOUR = 0.03, 3.0  # least standard errors: share of the area, grey levels
_LASTING = 8  # frames for which a line is seen that can be missed
_STEADY = 1.2  # of the areas of what loses and gains no piece
_RATIO = 1.5  # of the areas of one thing that does not change, at most
_CLEAR = 15.0
"""Standard errors that a body stands out by, there or not there."""


def changed(sight: Sight) -> list[Violation]:
    """All of them, one a body at most."""
    found = []
    for body in sight.bodies:
        if sight.labels is None or np.nanmedian(body.areas) < _LARGE:
            continue
        one = _comes(sight, body) or _goes(sight, body)
        one = one or _leaps(sight, body) or _differs(sight, body)
        if one is not None:
            found.append(one)
    for line in sight.lines:
        one = _leaps(sight, line) or _goes(sight, line, thin=True)
        if one is not None:
            found.append(one)
    return found


def _lasting(line: Body, t: int) -> bool:
    """Whether a line was there for long up to frame ``t``, large and of one size, so that it does
    not go by how it falls on the pixels."""
    gone = np.nonzero(~line.seen[: t + 1])[0]
    areas = line.areas[max(int(np.max(gone, initial=-1)) + 1, t + 1 - _LASTING) : t + 1]
    steady = bool(areas.min() >= _LARGE and areas.max() < _RATIO * areas.min())
    return len(areas) == _LASTING and steady


def _leaps(sight: Sight, line: Body, ratio: float = _RATIO) -> Violation | None:
    """The first frame in which a line, or a body of which a part is hidden, is far off its way,
    farther than a piece that it lost or gained could move its middle, and stays there. ratio: of
    its areas just before and then, at most."""
    if sight.labels is None or line.seen.sum() < _LASTING or np.nanmedian(line.areas) < _LARGE:
        return None
    for t in range(_BEFORE, len(line.seen) - 2):
        sides = line.areas[t - _BEFORE : t], line.areas[t : t + 3]
        if not all(side.max() < _STEADY * side.min() for side in sides):
            continue
        steps = np.diff(line.places[t - _BEFORE : t + 3], axis=0)
        gap = float(np.linalg.norm(steps[2] - steps[1]))
        others = [steps[1] - steps[0], steps[4] - steps[3], steps[0], steps[1], steps[3], steps[4]]
        usual = max(float(np.linalg.norm(step)) for step in others)
        long = max(_length(sight, line, k) for k in (t - 1, t))
        small, large = np.sort(line.areas[t - 1 : t + 1])
        piece = long / 2 * (1 - small / large)
        far = gap > 2 * usual + piece + _LEAP and large < ratio * small
        others = [one for one in sight.bodies if one.seen[:t].any()]  # no piece that came off now
        known = replace(sight, bodies=others)
        if far and not (_swapped(sight, line, t) or doubled(known, line, t)):
            return _violation("jump", line, t, t, gap / _LEAP * FLAG)
    return None


def _length(sight: Sight, line: Body, t: int) -> float:
    """Pixels across the window that holds it in frame ``t``."""
    assert sight.labels is not None, "lines are of drawings only"
    rows, columns = np.nonzero(sight.labels[t] == line.labels[t])
    return float(np.hypot(np.ptp(rows), np.ptp(columns)))


def _swapped(sight: Sight, line: Body, t: int) -> bool:
    """Whether another one was just before frame ``t`` where this one is then, or is then where
    this one was: which is which cannot be told."""
    here, there = line.places[t], line.places[t - 1]
    near = float(np.linalg.norm(here - there)) / 2
    return any(
        bool(np.linalg.norm(other.places[t - 1] - here) < near)
        or bool(np.linalg.norm(other.places[t] - there) < near)
        for other in (*sight.lines, *(one for one in sight.bodies if alike(line, one)))
        if other is not line
    )


_LEAP = 3.0  # pixels that a line may seem to jump by how it falls on the pixels


def _violation(kind: str, body: Body, t: int, at: int, strength: float) -> Violation:
    x, y = (float(v) for v in body.places[at])
    says = f"{body.name} {KINDS[kind]} at frame {t}, near ({x:.0f}, {y:.0f})"
    return Violation(kind, body.name, t, (x, y), strength, says)


def _comes(sight: Sight, body: Body) -> Violation | None:
    first = int(np.argmax(body.seen))
    if first < _BEFORE or not _followed(body, first):
        return None
    way = body.places[first] - body.places[first + 1]
    alone = not (doubled(sight, body, first) or kin(sight, body, first)) and bared(
        sight, body, first, first - 1, way
    )
    return _violation("appears", body, first, first, _CLEAR) if alone else None


def _goes(sight: Sight, body: Body, thin: bool = False) -> Violation | None:
    if body.flickers:
        return None
    seen = np.nonzero(body.seen)[0]
    ends = [t for t in seen if t + 3 < len(body.seen) and not body.seen[t + 1 : t + 4].any()]
    for t in ends:
        if t < 3 or not _followed(body, int(t) - 3) or _joined(sight, body, int(t)):
            continue
        if thin and not _lasting(body, int(t)):
            continue
        if bared(sight, body, int(t), int(t) + 1, body.places[t] - body.places[t - 1]):
            kind = "jump" if returns(sight, body, int(t) + 1) else "vanishes"
            return _violation(kind, body, int(t) + 1, int(t), _CLEAR)
    return None


def _followed(body: Body, first: int) -> bool:
    """Whether a body is the same thing in four frames from ``first`` on: it does not dwindle and
    lies where its velocity takes it, as chance patches of a picture do not."""
    areas, gaps = body.areas[first : first + 4], _bends(body, first, first + 4)
    stays = bool(areas.max() < _RATIO * areas[-1])
    return stays and len(gaps) == 2 and bool((gaps < 2 * body.radius).all())


def _bends(body: Body, first: int, end: int) -> np.ndarray:
    """(end - first - 2,) pixels by which a body is off where its last velocity takes it."""
    bends: np.ndarray = np.linalg.norm(np.diff(body.places[first:end], n=2, axis=0), axis=1)
    return bends


def _joined(sight: Sight, body: Body, t: int) -> bool:
    """Whether a body that is last seen in frame ``t`` has become a part of another one, which
    reaches where it was."""
    assert sight.labels is not None, "bodies of drawings only"
    own = (sight.labels[t] == body.labels[t]).astype(np.uint8)
    there = set(np.unique(sight.labels[t + 1][cv2.dilate(own, _BESIDE) > 0]).tolist())
    return any(
        float(np.diff(np.nan_to_num(other.areas[t : t + 2]))[0]) > body.areas[t] / 2
        and other.labels[t + 1] in there
        for other in (*sight.bodies, *sight.lines)
        if other is not body
    )


_BESIDE = np.ones((9, 9), np.uint8)  # pixels around a body and its soft edge


def _differs(sight: Sight, body: Body) -> Violation | None:
    """A lasting step of size or colour between two frames."""
    size = np.log(body.areas)[:, None]
    best = None
    for kind, values, floor in (("size", size, _AREA), ("colour", body.colours, _COLOUR)):
        steps = np.linalg.norm(np.diff(values, axis=0), axis=1)
        if not np.isfinite(steps).any():
            continue
        error = max(floor, 1.5 * float(np.nanmedian(steps)))
        for t in range(_BEFORE, len(values) - _BEFORE + 1):
            near = values[t - _BEFORE : t + _BEFORE]
            if not np.isfinite(near).all():
                continue
            before, after = near[:_BEFORE], near[_BEFORE:]
            step = float(np.linalg.norm(np.median(after, axis=0) - np.median(before, axis=0)))
            inside = max(float(np.ptp(part, axis=0).max()) for part in (before, after))
            strength = step / max(error, inside)
            middle = float(_bends(body, t - 2, t + 2).max())
            if strength > FLAG and middle < body.radius and (best is None or strength > best[0]):
                best = (strength, kind, t)
    if best is None or any(beside(sight, body, k, 2.0) for k in (best[2] - 1, best[2])):
        return None
    if doubled(sight, body, best[2]):
        return None
    return _violation(best[1], body, best[2], best[2], best[0])
