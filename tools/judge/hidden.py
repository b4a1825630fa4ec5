"""Bodies that go behind something, or become one patch with their like: where they would be seen
again on their way and are not, and whether they come out at another speed of time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tools.judge import clock, touch
from tools.judge.breaking import HIDDEN, RAGGED, clear
from tools.judge.eyes import Body, Sight
from tools.judge.innovation import FLAG, place_error
from tools.judge.naming import KINDS, Violation

_WAY, _LEAST = 6, 4  # places before that tell the way, at most and at least
_AFTER = 4  # places after that tell it
_SURE = 0.15  # radii that the place of what is hidden may be uncertain by
_BARE = 0.3  # share of its outline at which the ground is seen that tells that it is not there
_OVERLAP = 0.9  # of the areas of two that are one patch, where one is before the other for sure
_PART = 0.15  # share of its area that counts as hidden
_FALLS, _EVEN = 0.1, 0.01
"""Share of its area that a patch loses over its way before and is no body, and by which the area
may grow from frame to frame meanwhile."""
_STEEP = 3.0  # standard errors from which on a way is bent
_STEPS = 1.0  # pixels a frame from which on a body tells the time
_CLEAR = 15.0  # standard errors that a body stands out by, there or not there


@dataclass(frozen=True)
class Gap:
    """Frames in which a body is not seen whole: those after ``last`` and before ``next``. places:
    (T, 2), NaN there. error: of one. frames: (k,) that tell the way before. path: (n, 2) polynomial
    in frames since ``last``, and doubt (n, n) its covariance."""

    body: Body
    last: int
    next: int
    places: np.ndarray
    error: float
    frames: np.ndarray
    path: np.ndarray
    doubt: np.ndarray

    def way(self, t: int) -> np.ndarray:
        """(2,) pixels from its place in frame ``last`` to that foretold for frame ``t``."""
        powers = float(t - self.last) ** np.arange(len(self.path))
        gone: np.ndarray = powers @ self.path - self.path[0]
        return gone

    def covered(self, t: int) -> bool:
        """Whether a part of it that counts is hidden in frame ``t``, or another added."""
        usual = float(np.nanmedian(self.body.areas[: self.last + 1]))
        return t > self.last and not abs(self.body.areas[t] / usual - 1) < _PART

    @property
    def returned(self) -> bool:
        """Whether it is seen again where it was foretold."""
        if self.next >= len(self.places):
            return False
        there = self.places[self.last] + self.way(self.next)
        return float(np.linalg.norm(self.places[self.next] - there)) < self.body.radius / 2

    def sure(self, t: int) -> bool:
        """Whether its place in frame ``t`` is foretold well."""
        powers = float(t - self.last) ** np.arange(len(self.path))
        return bool(self.error * np.sqrt(powers @ self.doubt @ powers) < _SURE * self.body.radius)


def gaps(sight: Sight, body: Body) -> list[Gap]:
    """All of them with a known way before."""
    places = clear(sight, body)
    known, found = np.isfinite(places[:, 0]), list[Gap]()
    part = HIDDEN + RAGGED / float(np.nanmedian(body.areas))  # that may be hidden at its ends
    error = float(np.hypot(place_error(places, body.radius), part * body.radius / 2))
    for last in np.nonzero(known[:-1] & ~known[1:])[0].tolist():
        first = max(last + 1 - _WAY, 0)
        first += int(np.max(np.nonzero(~known[first:last])[0], initial=-1)) + 1
        frames = np.arange(first, last + 1)
        if len(frames) < _WAY and found and found[-1].next == first and found[-1].returned:
            frames = np.concatenate([found[-1].frames, frames])[-_WAY:]
        if len(frames) < _LEAST or _dwindles(body.areas[frames]):
            continue
        later = np.nonzero(known[last + 1 :])[0]
        end = int(last + 1 + later[0]) if len(later) else len(known)
        path, doubt = _path(places[frames], frames - last, error)
        found.append(Gap(body, int(last), end, places, error, frames, path, doubt))
    return found


def _dwindles(areas: np.ndarray) -> bool:
    """Whether areas (k,) fall evenly, as of what is cut off by a line that moves and has no place
    of its own to be seen again at."""
    return bool(areas[-1] < (1 - _FALLS) * areas[0] and (np.diff(areas) < _EVEN * areas[0]).all())


def _path(places: np.ndarray, times: np.ndarray, error: float) -> tuple[np.ndarray, np.ndarray]:
    """Coefficients (n, 2) of a straight line, or of a parabola where places (k, 2) bend, in times
    (k,) since the last one, frames, and their covariance for places of error 1."""
    for degree in (1, 2):
        base = np.vander(times.astype(float), degree + 1, increasing=True)
        path = np.linalg.lstsq(base, places, rcond=None)[0]
        if np.abs(base @ path - places).max() < _STEEP * error:
            break
    return path, np.linalg.inv(base.T @ base)


def missing(sight: Sight) -> list[Violation]:
    """Bodies that would be seen on their way, which is bare: they vanished, or jumped where they
    are seen later; one a body at most."""
    if sight.labels is None:
        return []
    found = []
    for body in sight.bodies:
        for gap in [] if body.flickers else gaps(sight, body):
            if gap.returned:
                continue
            frames = range(gap.last + 1, min(gap.next + 1, len(body.seen)))
            t = next((t for t in frames if _absent(sight, gap, t)), None)
            if t is not None:
                kind = "jump" if touch.returns(sight, body, t) else "vanishes"
                x, y = (float(v) for v in body.places[gap.last] + gap.way(t))
                says = f"{body.name} {KINDS[kind]} at frame {t}, near ({x:.0f}, {y:.0f})"
                found.append(Violation(kind, body.name, t, (x, y), _CLEAR, says))
                break
    return found


def _absent(sight: Sight, gap: Gap, t: int) -> bool:
    """Whether the body is not in frame ``t`` where it was sure to be seen, though it was on its way
    just before, hidden in part or whole."""
    body = gap.body
    if not gap.sure(t) or _renamed(sight, gap, t) or _bare(sight, gap, t) < _BARE:
        return False
    met = _met(sight, gap, t)
    crossed = bool(met) and all(_across(gap, other, t) for other in met)
    unseen = len(body.seen) > t + 2 and not body.seen[t : t + 3].any()
    if not unseen and not (crossed and _nobody(sight, gap, t)):
        return False
    k = t - 1
    if k == gap.last and len(gap.frames) > gap.last - gap.frames[0]:
        return False  # what was seen whole all the time is told by its look
    if k > gap.last:
        under = np.array([_bare(sight, gap, j) <= _BARE / 2 for j in range(gap.last, t)])
        k = gap.last + int(np.max(np.nonzero(under)[0], initial=-1))  # slowly out of hiding
        if k <= gap.last or not gap.covered(k):
            return False
    if not body.seen[k] and touch.covered(sight, body, gap.last, k, gap.way(k)) < _PART:
        return False
    return crossed or not met or (k == gap.last and unseen)


def _nobody(sight: Sight, gap: Gap, t: int) -> bool:
    """Whether neither the body nor one that looks the same is on its way in three frames from
    ``t`` on: after they were one patch, which is which cannot be told."""
    if len(gap.body.seen) <= t + 2:
        return False
    ways = np.array([gap.places[gap.last] + gap.way(k) for k in range(t, t + 3)])
    same = [gap.body, *(one for one in sight.bodies if touch.alike(gap.body, one))]
    away = np.array([np.linalg.norm(one.places[t : t + 3] - ways, axis=1) for one in same])
    return not (away < gap.body.radius / 2).any()


def _met(sight: Sight, gap: Gap, t: int) -> list[Body]:
    """Bodies that look the same and came near it on its way up to frame ``t``."""
    twins = [other for other in sight.bodies if touch.alike(gap.body, other)]
    far = 2 * touch.SEAM + gap.body.radius
    return [other for other in twins if _nearest(gap, other, t) < far + other.radius]


def _bare(sight: Sight, gap: Gap, t: int) -> float:
    """Share of its outline, on its way, at which frame ``t`` shows the ground."""
    return touch.bare(sight, gap.body, gap.last, t, gap.way(t))


def _nearest(gap: Gap, other: Body, t: int) -> float:
    """Pixels between the body and another one when they were last seen apart, less what they came
    nearer since: least distance of the foretold place from the other one since ``last``."""
    frames = np.arange(gap.last, t + 1)
    there = np.array([gap.places[gap.last] + gap.way(int(k)) for k in frames])
    return float(np.nanmin(np.linalg.norm(there - other.places[frames], axis=1), initial=np.inf))


def _across(gap: Gap, other: Body, t: int) -> bool:
    """Whether the body was before or behind the other one, which looks the same, for sure before
    frame ``t``: both together covered less than they do apart. Never where the other one may be
    several."""
    if not touch.equal(gap.body, other):
        return False
    both = float(np.nanmedian(gap.body.areas) + np.nanmedian(other.areas))
    mine, its = (one.areas[gap.last + 1 : t] for one in (gap.body, other))
    seen = np.where(np.isnan(mine), its, np.where(np.isnan(its), mine, np.nan))
    return bool(np.isfinite(seen).any()) and bool(np.nanmin(seen) < _OVERLAP * both)


def _renamed(sight: Sight, gap: Gap, t: int) -> bool:
    """Whether something first seen in the gap may be the body, or a line on its way."""
    firsts = (int(np.argmax(other.seen)) for other in sight.bodies if other is not gap.body)
    if any(gap.last < first <= t + 1 for first in firsts):
        return True
    there, far = gap.places[gap.last] + gap.way(t), 2 * gap.body.radius
    lines = np.array([line.places[t] for line in sight.lines]).reshape(-1, 2)
    return bool((np.linalg.norm(lines - there, axis=1) < far).any())


def hurried(sight: Sight, told: frozenset[int]) -> list[Violation]:
    """The first moment in gaps from which on all bodies that came out of one go on along their ways
    at another speed of time. told: frames at which something outside acts."""
    if sight.labels is None:
        return []
    every = [gap for body in sight.bodies for gap in gaps(sight, body)]
    every = [gap for gap in every if np.linalg.norm(gap.path[1]) > _STEPS and _long(gap)]
    found = []
    for gap in every:
        same = [o for o in every if o.last < gap.next and gap.last < o.next]
        others = {other.name for o in same for other in _met(sight, o, o.next - 1)}
        one = None if others - {o.body.name for o in same} else _rate(same)
        if one is None or told.intersection(range(gap.last - _LEAST, gap.next + _AFTER)):
            continue
        gain, t, rate = one
        x, y = (float(v) for v in gap.places[gap.last])
        says = f"{KINDS['speed']} from frame {t} on, {rate:.1f} times as fast as before"
        found.append(Violation("speed", "", t, (x, y), float(np.sqrt(2 * gain)), says))
    return sorted(found, key=lambda one: one.frame)[:1]


def _long(gap: Gap) -> bool:
    """Whether it is hidden, not for long where its way is bent, and enough is seen after it."""
    if len(gap.path) > 2 and gap.next - gap.last > _WAY:
        return False
    if not any(map(gap.covered, range(gap.last + 1, gap.next))):
        return False
    after = gap.places[gap.next : gap.next + _AFTER, 0]
    return len(after) == _AFTER and bool(np.isfinite(after).all())


def _rate(same: Sequence[Gap]) -> tuple[float, int, float] | None:
    """Nats that one speed of time for all gaps gains over none, the first frame at it, and it; None
    where it gains too little, or bodies changed on their own."""
    firsts = range(max(g.last for g in same) + 1, min(g.next for g in same) + 1)
    tried = [
        (sum(_cost(gap, t, rate) for gap in same), t, rate) for t in firsts for rate in clock.RATES
    ]
    if not tried:
        return None
    cost, t, rate = min(tried)
    on = sum(_cost(gap, gap.next, 1.0) for gap in same)
    own = sum(min(_own(gap, k) for k in range(gap.last, gap.next)) for gap in same)
    free = 2 * _AFTER * len(same)
    gain = on - cost - 2 * clock.PRICE
    if gain < FLAG**2 / 2 + np.log(free) or cost + 2 * clock.PRICE > own or cost > free:
        return None
    return gain, t, rate


def _cost(gap: Gap, t: int, rate: float) -> float:
    """Half the squared misfit of the places after, in standard errors, where time goes at another
    speed from frame ``t`` on."""
    frames = np.arange(gap.next, gap.next + _AFTER)
    return _half(gap, frames, t - 1 + rate * (frames - t + 1.0) - gap.last, None)


def _own(gap: Gap, k: int) -> float:
    """The same where the place, or the velocity after frame ``k``, changed by itself, with its
    price."""
    frames = np.arange(gap.next, gap.next + _AFTER)
    jump, turn = np.ones(_AFTER), frames - float(k)
    own = min(_half(gap, frames, frames - float(gap.last), shape) for shape in (jump, turn))
    return own + 3 * clock.PRICE


def _half(gap: Gap, frames: np.ndarray, s: np.ndarray, shape: np.ndarray | None) -> float:
    """Half the squared misfit of places at times ``s`` since the last one before the gap, about the
    way before with any multiple of ``shape``."""
    base = np.vander(s, len(gap.path), increasing=True)
    noise = gap.error**2 * (base @ gap.doubt @ base.T + np.eye(len(s)))
    left = gap.places[frames] - base @ gap.path
    if shape is not None:
        towards = np.linalg.solve(noise, shape)
        left = left - np.outer(shape, towards @ left / (towards @ shape))
    return float((left * np.linalg.solve(noise, left)).sum()) / 2
