"""Broken forecasts of one body, and whether what it met accounts for them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from tools.judge import touch
from tools.judge.circle import gone_round
from tools.judge.eyes import Body, Sight
from tools.judge.innovation import FLAG, Foretold, foretold, place_error
from tools.judge.naming import Turn, turn

HIDDEN, MERGED, RAGGED = 0.02, 0.15, 4.0
"""Share by which the area differs where something hides a part, or two bodies look like one, and
pixels by which it may differ besides."""
_CUT = 3.0  # pixels of area that the border of the picture cuts off at least
_CAME = 5  # frames for which it must have been seen, at most
_STANDS = 0.02  # pixels a frame
_NUDGED, _LAY = 2.0, 1.0
"""Pixels by which a thing seems to move that lay still, within so many for some frames, when others
come to its edge."""
_AROUND = 3  # frames on either side that tell the size of a body that moves in depth
_MOSTLY = 0.8  # share of the frames in which a body is seen that may not be a part of another
_APART = 4  # frames before in which bodies alike must have been seen apart
_RIM = 1.5  # radii by which what is added to a body's outline, or taken off it, lies off its middle
_EVEN = 0.2  # of the change of its logarithm, what the size of such a body changes a frame at most
_DEEPER = 1.12  # ratio of the quartiles of the area of a body that moves in depth


@dataclass(frozen=True)
class Break:
    """A broken forecast of one body. how: how it went on, None where too little is seen.
    explained: by what it touches. struck: by what it met just then. reach: pixels within which it
    may have met something."""

    body: Body
    frame: int
    strength: float
    how: Turn | None
    explained: bool
    struck: bool
    reach: float


def breaks(sight: Sight, body: Body, told: frozenset[int]) -> tuple[list[Break], Foretold]:
    """Every break of a body's forecasts; after each, forecasts begin anew."""
    places = clear(sight, body)
    way = places if body.circle is None else body.circle.unrolled(places)
    restarts, found = set(told), list[Break]()
    error = place_error(way, body.radius)
    while True:
        forecast = _rolled(body, way, foretold(way, body.radius, frozenset(restarts)))
        late = max((one.frame for one in found), default=-1)
        broken = np.nonzero(np.nan_to_num(forecast.strength) >= FLAG)[0]
        ahead = [int(t) for t in broken if t > late]
        if not ahead or len(found) > len(places) // 3:
            return found, forecast
        t = ahead[0]
        first = max((r for r in restarts if r <= t - 1), default=0)
        how = turn(way, t, first, error)
        if how is not None and body.circle is not None:
            how = replace(how, change=body.circle.turned(way[t], how.change))
        recent = first > 0 and t - first <= forecast.count + 1
        since = range(first if recent else _begun(forecast, t) - 1, t + 1)
        outside = bool(told.intersection(since))
        hidden = not np.isfinite(places[t - 1, 0])
        pushed = outside or _explained(sight, body, since, how, forecast, hidden)
        struck = outside or (pushed and (recent or _struck(sight, body, t, how, forecast)))
        found.append(
            Break(
                body, t, float(forecast.strength[t]), how, pushed, struck, _reach(body, t, forecast)
            )
        )
        restarts.add(t)


def _rolled(body: Body, way: np.ndarray, told: Foretold) -> Foretold:
    """What was foretold of an unrolled way (T, 2), as it lies in the picture."""
    if body.circle is None:
        return told
    before = np.vstack([way[:1], way[:-1]])
    velocity = np.nan_to_num(body.circle.turned(before, told.velocity))
    return replace(told, ahead=body.circle.rolled(told.ahead), velocity=velocity)


def rounded(body: Body) -> Body:
    """The body, with the circle that it goes round where its way unrolled is foretold by far
    better than its places."""
    circle = gone_round(body.places, place_error(body.places, body.radius))
    if circle is None:
        return body
    errors = [
        foretold(way, body.radius, frozenset()).error
        for way in (body.places, circle.unrolled(body.places))
    ]
    straight, unrolled = (float(np.nanmedian(e)) if np.isfinite(e).any() else 0.0 for e in errors)
    return replace(body, circle=circle) if unrolled < _BY_FAR * straight else body


_BY_FAR = 0.5
"""Of the error of a forecast of places, that of an unrolled way: by less, a polynomial is as
good."""


def _begun(forecast: Foretold, t: int) -> int:
    """The frame in which a break that shows in frame ``t`` may have begun: from there on forecasts
    were off too."""
    least = max(t - forecast.count, 2)
    while t > least and np.nan_to_num(forecast.strength[t - 1]) > FLAG / 2:
        t -= 1
    return t


def clear(sight: Sight, body: Body) -> np.ndarray:
    """Places, without those where something hides a part of the body."""
    places = body.places.copy()
    if sight.labels is None:
        return places
    sizes, least = usual(body), 0.0 if grows(body) else _CUT
    both = joined(sight, body)
    for t in np.nonzero(body.seen)[0]:
        other = abs(body.areas[t] / sizes[t] - 1)
        if (
            both[t]
            or other > MERGED + RAGGED / sizes[t]
            or (other >= least / sizes[t] and touch.at_border(sight, body, int(t)))
            or (other > HIDDEN + RAGGED / sizes[t] and touch.beside(sight, body, int(t)))
        ):
            places[t] = np.nan
    return places


def joined(sight: Sight, body: Body) -> np.ndarray:
    """(T,) bool, the patch is the body and another one of its look, which was seen before and is
    not: its size differs."""
    sizes = usual(body)
    other = np.abs(body.areas / sizes - 1) > HIDDEN + RAGGED / sizes
    lost = np.zeros(len(other), bool)
    for one in sight.bodies:
        if other.any() and touch.alike(body, one):
            lost |= np.maximum.accumulate(one.seen) & ~one.seen
    both: np.ndarray = other & lost
    return both


def usual(body: Body) -> np.ndarray:
    """(T,) pixels of its area when nothing hides a part; of one that moves in depth, the usual one
    of the frames around each."""
    if not grows(body):
        return np.full(len(body.areas), np.nanmedian(body.areas))
    around = np.pad(body.areas, _AROUND, constant_values=np.nan)
    windows = np.lib.stride_tricks.sliding_window_view(around, 2 * _AROUND + 1)
    sizes = np.full(len(body.areas), np.nan)
    sizes[body.seen] = np.nanmedian(windows[body.seen], axis=1)
    return sizes


def deep(body: Body) -> bool:
    """Whether it moves in depth: its size changes over the film."""
    return _varies(body.whole)


def partly(body: Body) -> bool:
    """Whether it moves in depth, or is seen in part for long, so that its places are not steady."""
    return _varies(body.areas)


def _varies(areas: np.ndarray) -> bool:
    small, large = np.nanquantile(areas, [0.25, 0.75])
    return bool(large > _DEEPER * small)


def grows(body: Body) -> bool:
    """Whether it moves in depth for sure: its size changes evenly, as it does not where others
    join it now and then."""
    small, large = np.nanquantile(body.whole, [0.25, 0.75])
    steps = np.abs(np.diff(np.log(body.whole)))
    known = steps[np.isfinite(steps)]
    evenly = len(known) and float(np.quantile(known, 0.9)) < _EVEN * float(np.log(large / small))
    return bool(evenly) and deep(body)


def _explained(
    sight: Sight, body: Body, since: range, how: Turn | None, forecast: Foretold, hidden: bool
) -> bool:
    """Whether what the body met in the frames that the broken forecast comes from, of which the
    last one broke it, accounts for its change of velocity; a jump needs more. What comes nearer or
    goes away meets a floor that no outline shows. hidden: something hid a part of it just before,
    so that its way is not known well."""
    if sight.labels is None or (deep(body) and not grows(body)):
        return True
    t = since[-1]
    reach, gap = _reach(body, t, forecast), body.places[t] - forecast.ahead[t]
    change = gap if how is None else how.change
    since_when = max(t - min(forecast.count + 2, _CAME), 0)
    if not body.seen[since_when:t].all():  # who knows which it is, and how it began
        return True
    if _unsure(sight, body, t, float(np.linalg.norm(gap)), reach):
        return True
    if how is not None and how.surely_jumps and not hidden and np.linalg.norm(gap) > _NUDGED:
        return False
    onward = float(np.linalg.norm(np.diff(body.places[t : t + 2], axis=0)))
    jumps = how is not None and how.kind == "jump"
    if jumps or (how is None and not hidden and len(body.seen) > t + 1 and body.seen[t + 1]):
        came = float(np.linalg.norm(forecast.velocity[t]))
        reach = 1.0 + max(came, float(np.nan_to_num(onward)))
        if float(np.linalg.norm(gap)) > 2 * reach:
            return False
    if hidden or deep(body):
        return True
    if body.circle is not None:
        return crossed(sight, body, t, reach)
    if len(since) > 2:  # the way before is too short to tell what changed
        return any(touch.beside(sight, body, k, reach) for k in since if body.seen[k])
    return touch.explains(sight, body, since, change, reach)


def crossed(sight: Sight, body: Body, t: int, reach: float) -> bool:
    """Whether another body may have come onto the circle that a body goes round, just before frame
    ``t``: what stands there, or turns with it, it would have met in every turn. reach: pixels
    within which it may be."""
    assert body.circle is not None, "only of what goes round"
    names = touch.partners(sight, body, t, reach)
    for other in (one for one in sight.bodies if one.name in names):
        if other.circle is not None:
            apart = np.linalg.norm(other.circle.middle - body.circle.middle)
            if apart < _ONE_AXLE * body.circle.radius:
                continue
        near = other.places[max(t - _AROUND, 0) : t + _AROUND]
        known = near[np.isfinite(near[:, 0])]
        if len(known) > 1 and np.ptp(known, axis=0).max() > _LAY:
            return True
    return False


_ONE_AXLE = 0.1  # radii between the middles of two circles up to which they may be one axle


def _unsure(sight: Sight, body: Body, t: int, gap: float, reach: float) -> bool:
    """Whether a gap of so many pixels at frame ``t`` may be none: the body stood, seemed to move as
    another came to its edge, changed its outline, or was taken for another."""
    last = np.linalg.norm(np.diff(body.places[t - 2 : t + 1], axis=0), axis=1)
    if len(last) == 2 and last.max() < _STANDS:  # nothing broke just now
        return True
    lay = np.ptp(body.places[max(t - 5, 0) : t], axis=0).max() < _LAY
    if lay and gap < _NUDGED and (_back(body, t, gap) or touch.beside(sight, body, t, reach)):
        return True
    if gap < _RIM * body.radius * abs(body.areas[t] / body.areas[t - 1] - 1):
        return True
    return touch.doubled(sight, body, t) and not _nobodys(sight, body, t)


def _nobodys(sight: Sight, body: Body, t: int) -> bool:
    """Whether a body is in frame ``t`` where neither itself nor one that looks the same was on its
    way to, since all of them were last seen whole: it is none of them."""
    same = [one for one in sight.bodies if one is body or touch.toned(body, one)]
    several = any(one is not body and not touch.equal(body, one) for one in same)
    if several or any(one.seen.mean() < _MOSTLY for one in same):  # one may be a part of another
        return False
    whole = np.ones(len(body.seen), bool)
    for one in same:
        usual_area = float(np.nanmedian(one.areas))
        whole &= np.abs(one.areas / usual_area - 1) < MERGED + RAGGED / usual_area  # and seen
    before = np.nonzero(whole[max(t - _APART, 1) : t] & whole[max(t - _APART, 1) - 1 : t - 1])[0]
    if not whole[t : t + 2].all() or not len(before):
        return False
    last = max(t - _APART, 1) + int(before[-1])
    steps = [one.places[last] - one.places[last - 1] for one in same]
    turned = (t - last - 1) * 2 * max(float(np.linalg.norm(step)) for step in steps)
    ways = [one.places[last] + (t - last) * s for one, s in zip(same, steps, strict=True)]
    far = body.radius + turned  # they may have met while they were one patch
    return all(float(np.linalg.norm(body.places[t] - way)) > far for way in ways)


def _back(body: Body, t: int, gap: float) -> bool:
    """Whether a body that lay still seems to be off its place by a gap for one frame only."""
    away = np.linalg.norm(body.places[t + 1 : t + 2] - body.places[t - 1], axis=1)
    return bool((away < gap / 2).any())


def _reach(body: Body, t: int, forecast: Foretold) -> float:
    """Pixels within which a body may have met something between two frames: its way there, or from
    there on, as bodies part about as fast as they meet."""
    steps = np.linalg.norm(np.diff(body.places[t - 1 : t + 2], axis=0), axis=1)
    return 1.0 + max(float(np.linalg.norm(forecast.velocity[t])), *np.nan_to_num(steps).tolist())


def _struck(sight: Sight, body: Body, t: int, how: Turn | None, forecast: Foretold) -> bool:
    """Whether it met something just then that accounts for its change of velocity."""
    change = body.places[t] - forecast.ahead[t] if how is None else how.change
    return touch.struck(sight, body, t, change, _reach(body, t, forecast))
