"""Changes of time: pictures that come again, and changes that all moving bodies share."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tools.judge import clock, lean, touch
from tools.judge.breaking import (
    HIDDEN,
    MERGED,
    RAGGED,
    Break,
    crossed,
    deep,
    grows,
    joined,
    partly,
    usual,
)
from tools.judge.echo import Echo, echoes
from tools.judge.eyes import Body, Sight
from tools.judge.innovation import FLAG, aside, foretold, grid, jitter, place_error
from tools.judge.naming import KINDS, Violation

_TOGETHER = 1  # frames by which breaks of two bodies may differ and be one


def of_time(
    sight: Sight,
    breaks: Sequence[Break],
    errors: dict[str, np.ndarray],
    told: frozenset[int] = frozenset(),
) -> list[Violation]:
    """The first moment at which time alone accounts for how everything that moves went on, and
    nothing that was met does: pictures that come again, or a change that all bodies share.
    told: frames at which something outside acts."""
    found = [*_again(sight, errors), *_evenly(sight, breaks, errors, told)]
    if not found:
        return []
    first = min(one.frame for one in found)
    return [next(one for one in found if one.frame <= first + _APART)]


_APART = 2  # frames around a moment that may seem to be it
_STARTS = 3.0  # standard errors by which it must move before, not to start from rest just now

_Known = tuple[Body, np.ndarray, np.ndarray, tuple[int, ...]]
"""A body, its places and their errors as `_measured` has them, and the frames of its `_hits`."""
_Moving = tuple[Body, np.ndarray, float, Sequence[int]]
"""The same at one moment: one error, and the frames before it."""
_RESTS = 0.1  # pixels within some frames up to which a body stands
_MOVES = 0.5  # pixels a frame from which on a body tells the time
_AGREED = 3.0  # mean squared misfit up to which a speed of time holds for a body


def _evenly(
    sight: Sight,
    breaks: Sequence[Break],
    errors: dict[str, np.ndarray],
    told: frozenset[int],
) -> list[Violation]:
    """The first moment from which on all moving bodies go along their ways at another speed of
    time."""
    bodies = [
        body
        for body in sight.bodies
        if body.name in errors and body.seen.sum() > 2 * _BODY
        if grows(body) or not partly(body)
    ]
    always = {body.name for body in bodies if _foreseen(body, errors[body.name])}
    known = [(body, *_measured(sight, body), _hits(breaks, body)) for body in bodies]
    turning = _turning(sight, bodies)
    length = len(sight.bodies[0].seen) if sight.bodies else 0
    tried = list[tuple[float, float, Body] | None]()
    for t in range(length):
        if told.intersection(range(t - _SPAN, t + _BODY)):
            tried.append(None)
            continue
        bent = _bent(sight, breaks, t)
        smooth = [row for row in known if row[0].name not in bent]
        smooth = [r for r in smooth if r[0].name in always or _foreseen_to(sight, r[0], t)]
        tried.append(_uneven(sight, [*smooth, *_freely(sight, turning, t)], t))
    gains = np.array([0.0 if one is None else one[0] for one in tried])
    for t, one in enumerate(tried):
        if one is not None and one[0] == gains[max(t - _SPAN, 0) : t + _SPAN + 1].max():
            gain, rate, body = one
            x, y = (float(v) for v in body.places[t - 1])
            says = f"{KINDS['speed']} from frame {t} on, {rate:.1f} times as fast as before"
            return [Violation("speed", "", t, (x, y), float(np.sqrt(2 * gain)), says)]
    return []


def _turning(sight: Sight, bodies: Sequence[Body]) -> list[_Known]:
    """Bodies that turn on the spot, with the way of their ends."""
    ways = [(body, lean.ends(sight, body)) for body in bodies]
    return [(body, way, lean.error(body, way), ()) for body, way in ways if way is not None]


def _freely(sight: Sight, turning: Sequence[_Known], t: int) -> list[_Known]:
    """Those that turn just before frame ``t`` with nothing near but what they turn on."""
    steps = [float(np.linalg.norm(row[1][t - 1] - row[1][t - 2])) for row in turning if t > 1]
    return [
        row
        for row, step in zip(turning, steps, strict=False)
        if step > _MOVES and not lean.met(sight, row[0], t)
    ]


def _foreseen(body: Body, error: np.ndarray) -> bool:
    """Whether a body is where it is foretold to within its radius: what now and then is another
    one, or one patch with it, is not, and tells no time."""
    known = error[np.isfinite(error)]
    return not len(known) or bool(np.median(known) < body.radius)


def _foreseen_to(sight: Sight, body: Body, t: int) -> bool:
    """The same up to frame ``t`` of what has a colour of its own: time that runs fast from then on
    takes it far from any forecast."""
    if sight.labels is None or t < _SPAN + _BODY:  # a camera picture tells no colours
        return False
    if any(touch.toned(body, one) for one in sight.bodies if one is not body):
        return False
    return _foreseen(body, foretold(body.way[:t], body.radius, frozenset()).error)


def _hits(breaks: Sequence[Break], body: Body) -> tuple[int, ...]:
    """Frames at which what it met, as far as that shows, turned a body."""
    return tuple(one.frame for one in breaks if one.body is body and one.explained)


def _bent(sight: Sight, breaks: Sequence[Break], t: int) -> frozenset[str]:
    """Names of the bodies that have no smooth way around the moment before frame ``t``: they broke
    before or jump soon (where they broke at ``t``, forecasts from there on go by few frames and
    break again), they or what is beside them are struck, the blow of others goes on
    through what they touch, or they turned back, as off a floor that no outline shows."""
    names, near = set[str](), range(t - _TOGETHER, t + _BODY)
    now = {one.body.name for one in breaks if 0 <= t - one.frame <= _TOGETHER}
    blows = [one for one in breaks if one.struck and one.frame in near]
    for one in breaks:
        before = one.frame in range(t - _SPAN, t - _TOGETHER)
        gone = not one.explained if one.how is None else one.how.kind == "jump"
        jumps = gone and one.frame in near[2:] and one.body.name not in now
        met = one.explained and one.frame in near and sight.labels is not None
        if before or jumps or (met and (blows or _turned(one))):
            names.add(one.body.name)
    for one in blows:
        names |= _through(sight, one)
    return frozenset(names)


def _through(sight: Sight, blow: Break) -> set[str]:
    """Names of the bodies through which a blow goes on: those beside the body, and beside what it
    turns or moves on the spot, as a plank; what falls on has its own blow."""
    first = touch.partners(sight, blow.body, blow.frame, blow.reach)
    reached, near = set(first), range(blow.frame - _BODY, blow.frame + _BODY)
    for body in sight.bodies:
        places = body.places[near[0] : near[-1] + 1]
        known = places[np.isfinite(places[:, 0])]
        if body.name in first and len(known) and _RESTS < np.ptp(known, axis=0).max() < _MOVES:
            reached |= touch.partners(sight, body, blow.frame, blow.reach)
    return reached - {blow.body.name}


def _turned(one: Break) -> bool:
    """Whether what moves in depth turned back: time at another speed goes on along the way."""
    steps = np.diff(one.body.places[one.frame - 2 : one.frame + 2], axis=0)
    return deep(one.body) and len(steps) == 3 and float(steps[0] @ steps[2]) < 0


_GRAIN, _GRAINS = 0.005, 1.5
"""Share of its area, and pixels besides, by which what touches something seems to change its size
though nothing hides it."""
_SPAN = 5  # frames around a change that it makes unlike a smooth curve
_BODY = 4  # frames of a body that can tell anything


def _measured(sight: Sight, body: Body) -> tuple[np.ndarray, np.ndarray]:
    """(T, 2) places, and (T,) their errors around each frame: larger where something comes to hide
    a part of the body."""
    sizes = usual(body)
    both = joined(sight, body)
    inside, areas = np.isfinite(body.whole) & ~both, np.where(both, np.nan, body.areas)
    whole = inside & (np.abs(body.areas / sizes - 1) < MERGED + RAGGED / sizes)
    places = np.where(whole[:, None], body.way, np.nan)
    hidden = np.zeros(len(places))
    for t in np.nonzero(body.seen)[0]:
        near = areas[max(t - _SPAN, 0) : t + _BODY]
        known = np.nonzero(np.isfinite(near))[0]
        if len(known) > _BODY:
            smooth = np.polyval(np.polyfit(known, near[known], 2), known)
            bent = float(np.abs(near[known] - smooth).max()) / sizes[t]
            hidden[t] = max(0.0, bent - HIDDEN - RAGGED / sizes[t])
            grain = bent - _GRAIN - _GRAINS / sizes[t]
            if grain > hidden[t] and sight.labels is not None and touch.beside(sight, body, int(t)):
                hidden[t] = grain
    off = 0.0 if body.circle is None else aside(places)
    least = max(grid(places, body.radius), off)
    usually = max(place_error(places, body.radius), off)
    error = np.array([_rough(places, t, least, usually) for t in range(len(places))])
    return places, np.hypot(error, hidden * body.radius)


def _rough(places: np.ndarray, t: int, least: float, usually: float) -> float:
    """Usual error of a place in the frames before frame ``t + 1`` and in those after it or the
    whole film, the larger one, as not each part of a film is as clear; but motion that is fast from
    then on is not smooth from frame to frame, so that what comes later counts up to a limit."""
    before = max(least, jitter(places[max(t + 1 - _SIDE, 0) : t + 1]))
    if t < _SIDE // 2:
        return max(before, usually)
    later = max(usually, jitter(places[t + 1 : t + 1 + _SIDE]))
    return max(before, min(later, max(_LATER * before, _BLUR)))


_SIDE = 16  # frames that tell an error
_LATER, _BLUR = 1.5, 0.05  # of the error before, and pixels, up to which a later one counts


def _uneven(sight: Sight, known: Sequence[_Known], t: int) -> tuple[float, float, Body] | None:
    """How much likelier another speed of time is from frame ``t`` on than none and than that bodies
    changed on their own, which speed, and the body that tells it best."""
    moving = [
        (body, places, float(error[t - 1]), [hit for hit in hits if hit < t])
        for body, places, error, hits in known
        if clock.shown(places, t)
        and np.linalg.norm(places[t - 1] - places[t - 2]) > _MOVES
        and clock.moved(places, t) > _STARTS * float(error[t - 1])
    ]
    free = [row for row in moving if not _met(sight, row[0], t)]
    found = _shared(sight, moving, t)
    return _shared(sight, free, t) if found is None and len(free) < len(moving) else found


def _met(sight: Sight, body: Body, t: int) -> bool:
    """Whether something was within a step of a body around frame ``t``, that may have struck it
    just when time changed."""
    if sight.labels is None:
        return False
    reach = 1.0 + float(np.linalg.norm(body.places[t] - body.places[t - 1]))
    return any(touch.beside(sight, body, k, reach) for k in range(t - 1, t + 2) if body.labels[k])


def _shared(sight: Sight, moving: Sequence[_Moving], t: int) -> tuple[float, float, Body] | None:
    """The same of these bodies."""
    told = clock.beats([row[1:] for row in moving], t)
    if not told:
        return None
    gains = np.sum([one.gains for one in told], axis=0) - clock.PRICE
    own = np.sum([one.own for one in told], axis=0) - _aside(moving, told, t)
    wrong = [one.misfits > _agreed(row, one, t) for row, one in zip(moving, told, strict=True)]
    gains[np.any(wrong, axis=0) | (own > gains)] = 0.0
    best = int(gains.argmax())
    if gains[best] < FLAG**2 / 2 + np.log(len(sight.bodies[0].seen)):  # tried at every frame
        return None
    rate, bodies = clock.RATES[best], [row[0] for row in moving]
    alone = sum(2 * np.log(np.hypot(*b.step) / row[2]) for b, row in zip(told, moving, strict=True))
    by_chance = gains[best] - own[best] + alone - 2 * clock.PRICE * len(told) < FLAG**2 / 2
    if (
        sight.labels is None
        and rate < 1
        and (by_chance or any(_beside(sight, b, t) for b in bodies))
    ):
        return None  # it met what no outline shows, which turned it, or what it pushes along
    for body, one in zip(bodies, told, strict=True):
        change, reach = (rate - 1) * one.step, 1.0 + max(rate, 1.0) * float(np.hypot(*one.step))
        if by_chance and (touch.doubled(sight, body, t) or _hit(sight, body, t, change, reach)):
            return None
    return float(gains[best]), rate, bodies[int(np.argmax([one.gains[best] for one in told]))]


def _aside(moving: Sequence[_Moving], told: Sequence[clock.Beat], t: int) -> float:
    """Nats by which changes of their own are less likely that would turn what goes round, but move
    nothing off its circle: by chance, one number of them is as small as an error."""
    rows = zip(moving, told, strict=True)
    off = [float(np.log(np.hypot(*o.step) / row[2])) for row, o in rows if _unrolled(row, t)]
    return sum(max(0.0, nats - clock.PRICE) for nats in off)


def _unrolled(row: _Moving, t: int) -> bool:
    """Whether a body is told by how far it, or its end, has gone round."""
    return bool((row[1][t - 1] != row[0].places[t - 1]).any())


def _agreed(row: _Moving, one: clock.Beat, t: int) -> float:
    """Mean squared misfit up to which a speed of time holds: that of an unrolled way goes with its
    steps too, as its circle is known no better."""
    wide = _ROUNDLY * float(np.hypot(*one.step)) / row[2]
    return max(_AGREED, wide**2) if _unrolled(row, t) else _AGREED


_ROUNDLY = 0.01  # of a step, by which a circle that is not quite true makes a way uneven


def _hit(sight: Sight, body: Body, t: int, change: np.ndarray, reach: float) -> bool:
    """Whether what the body met at frame ``t`` may have changed its velocity so."""
    if sight.labels is None:
        return False
    if body.circle is not None:
        return crossed(sight, body, t, reach)
    return touch.struck(sight, body, t, change, reach)


def _beside(sight: Sight, body: Body, t: int) -> bool:
    """Whether another body was within a radius and a step of touching one around frame ``t``: what
    slows a body at once and does not turn it moves on itself."""
    reach = body.radius + float(np.linalg.norm(body.places[t - 1] - body.places[t - 2]))
    for other in sight.bodies:
        apart = np.linalg.norm(other.places[t - 2 : t + 2] - body.places[t - 2 : t + 2], axis=1)
        if other is not body and not (apart > body.radius + other.radius + reach).all():
            return True
    return False


def _again(sight: Sight, errors: dict[str, np.ndarray]) -> list[Violation]:
    """The first moment from which on pictures come again, where things do not turn back or stop as
    they may."""
    if sight.apart is None:
        return []
    for one in echoes(sight.apart):
        t = one.frame
        if (gone := _gone(sight, one)) is not None:
            return [gone]
        told = [(body, way) for body in sight.bodies if (way := _abrupt(sight, body, errors, one))]
        if told:
            body, strength = max(told, key=lambda pair: pair[1])
            place = (float(body.places[t - 1, 0]), float(body.places[t - 1, 1]))
        elif _tells(sight, errors, t) or not _abruptly(np.diag(sight.apart, 1)[t - 3 : t - 1], one):
            continue
        else:
            place, strength = (sight.shape[1] / 2, sight.shape[0] / 2), 3 * FLAG
        return [Violation(one.kind, "", t, place, strength, f"{KINDS[one.kind]} at frame {t}")]
    return []


def _gone(sight: Sight, one: Echo) -> Violation | None:
    """That a body vanished just before pictures stand still to the end of the film, as they do
    where it was all that moved; None where others move just then, or none that moved is gone."""
    if sight.apart is None or one.kind != "freeze" or one.frame + one.held < len(sight.apart):
        return None
    t = one.frame - 1
    steps = [float(np.hypot(*(body.places[t] - body.places[t - 1]))) for body in sight.bodies]
    if any(step > _MOVES for step in steps):
        return None
    for body in sight.bodies:
        last = np.nonzero(body.seen[:t])[0][-_BODY:]
        if len(last) < _BODY or body.seen[t:].any() or last[-1] < t - _AWAY:
            continue
        if np.ptp(body.places[last], axis=0).max() > _MOVES:
            x, y = (float(v) for v in body.places[last[-1]])
            says = f"{body.name} {KINDS['vanishes']} at frame {t}, near ({x:.0f}, {y:.0f})"
            return Violation("vanishes", body.name, t, (x, y), 3 * FLAG, says)
    return None


_AWAY = 12  # frames for which what vanished may have been behind something before


def _tells(sight: Sight, errors: dict[str, np.ndarray], t: int) -> bool:
    """Whether bodies account for what moved just before frame ``t``: one that was followed, or one
    that was leaving the picture or going behind something."""
    height, width = sight.shape
    for body in sight.bodies:
        near = np.nonzero(body.seen[max(t - _SPAN, 0) : t])[0] + max(t - _SPAN, 0)
        if len(near) < 2 or np.ptp(body.places[near], axis=0).max() < _MOVES:
            continue
        x, y = body.places[near[-1]]
        outside = min(x, y, width - x, height - y) < 2 * body.radius
        shrinks = body.areas[near[-1]] < body.areas[near[0]] and not body.seen[t]
        if outside or shrinks or _clearly(body, errors, t):
            return True
    return False


def _clearly(body: Body, errors: dict[str, np.ndarray], t: int, least: float = FLAG / 2) -> bool:
    """Whether a body was followed up to frame ``t`` and went farther than ``least`` of its
    errors."""
    known = errors.get(body.name, np.array([np.nan]))
    if not np.isfinite(known).any() or not body.seen[t - 3 : t].all():
        return False
    step = float(np.linalg.norm(body.places[t - 1] - body.places[t - 2]))
    return step > least * float(np.nanmedian(known))


def _goes_on(body: Body, one: Echo) -> bool:
    """Whether a body goes on after a freeze as if the pictures that stood were not there: nothing
    that comes to rest does."""
    after = one.frame + one.held
    places = np.delete(body.way, np.arange(one.frame, after), axis=0)
    seam = foretold(places, body.radius, frozenset()).strength[one.frame : one.frame + 2]
    moved = np.linalg.norm(np.diff(body.places[after - 1 : after + 2], axis=0), axis=1)
    return len(seam) == 2 and bool((seam < FLAG).all() and moved.max() > _MOVES)


_NATURAL = {("freeze", False): 0.6, ("reversal", False): 0.5, ("reversal", True): 0.7}
"""Share of the step before that the last step has, at most, where things come to rest or turn back
on their own: 1/3 or 1/2 under a constant acceleration."""


def _abruptly(steps: np.ndarray, one: Echo) -> bool:
    """Whether what takes two such steps just before does not stop or turn back on its own."""
    return bool(steps[1] > _NATURAL[one.kind, one.half] * steps[0])


def _abrupt(sight: Sight, body: Body, errors: dict[str, np.ndarray], one: Echo) -> float:
    """How many standard errors a body was on its way when pictures came again; 0 where it turned or
    stopped as things do, or by what it met."""
    t = one.frame
    kink = 0.0 if one.held or not _clearly(body, errors, t, 0.0) else _kink(sight, body, t)
    if not (kink or _clearly(body, errors, t)):
        return 0.0
    error = float(np.nanmedian(errors[body.name]))
    steps = np.linalg.norm(np.diff(body.places[t - 3 : t], axis=0), axis=1)
    if one.held and _goes_on(body, one):
        return float(steps[1]) / error
    rests = one.held and t + one.held == len(body.seen) and touch.beside(sight, body, t - 1)
    if rests or not (kink or _abruptly(steps, one)):
        return 0.0
    strength = float(steps[1]) * (2.0 if one.kind == "reversal" else 1.0) / error
    strength = max(strength, kink)
    back = body.places[t - 2] - body.places[t - 1]
    if sight.labels is not None and touch.struck(sight, body, t - 1, back, 1.0 + float(steps[1])):
        return strength if not one.held and strength > _BY_CHANCE else 0.0
    return strength


def _kink(sight: Sight, body: Body, t: int) -> float:
    """By how many standard errors its way is not smooth at frame ``t``, as that of what turns back
    on its own is; 0 where it may be."""
    places, error = _measured(sight, body)
    nats = float(np.nan_to_num(clock.bent(places, float(error[t - 1]), t)))
    return float(np.sqrt(2 * nats)) if nats > FLAG**2 / 2 else 0.0


_BY_CHANCE = 10 * FLAG
"""Standard errors of a way there and back from which on a bounce does not by chance happen so near
to a picture, or amid two, that what comes after it looks like what came before."""
