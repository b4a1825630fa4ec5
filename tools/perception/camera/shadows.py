"""What is no body: shadows and reflections that follow one, doubles, clutter that hardly moves."""

from __future__ import annotations

import numpy as np

from tools.perception.camera.bodies import Body, Shadow, Stage, ground_along, strength

_WEAKER = 0.85
"""Contrast of a shadow, at most, as a share of its body's."""
_TOGETHER = 6
"""Frames in which both must be seen."""
_GREY = 0.12
"""How far a shadow may darken the channels unlike each other."""
_BLACKEST = 0.25
"""Share of the light that a shadow leaves at least."""
_DOUBTFUL = 0.3
"""Share of the change from which a picture does not explain what it is taken of."""
_NEAR_BORDER = 1.5
"""Distance from the border, in halves of a thing's size, at which part of it may be out of view."""
_LEAVES = 2.0
"""The same distance, at which what is not seen next has left: it comes nearer in between."""
_MOSTLY_OUT = 0.5
"""Share of a clip for which what comes and goes must be out of view, in part at least, to be no
body: its course is not seen (the bag of marbles below a filmed mass on a spring)."""
_WAY, _ASTRAY, _STRAYS = 8.0, 0.7, 0.03
"""Pixels that pieces of one thing must have gone together, and, standard deviation of their
distance, by which they may stray from it: so many pixels, or that share of their way (a block that
slides by its own length: 0.8 on 80)."""
_BRIEF, _EDGE = 0.7, 1.25
"""Share of the frames of a body for which what lies on it is seen at most to be an edge of it, and
distance of its middle, in halves of the body's size (a disk that begins to roll leaves a crescent
at 1.15 where it stood)."""
_SEEN = 3
"""Frames in which what a person points at must be seen."""
_TOLD = 3.0
"""Contrast, in standard deviations of the noise, from which something is there."""
_CLUTTER = 0.12
"""Share of the strongest body's change below which what moves less than its own size is clutter."""


def sort_out(stage: Stage) -> None:
    """Leave the bodies of a stage, strongest first, with their shadows attached. What a person
    points at is a body, and comes first."""
    bodies = [
        body
        for body in stage.bodies
        if (_shows(body, stage) if body.name else _is_body(body) and not _reaches_in(body, stage))
    ]
    bodies = [
        b
        for k, b in enumerate(bodies)
        if b.name or not any(_same(b, other) for other in bodies[:k])
    ]
    bodies = [
        b for b in bodies if b.name or not any(_lets_go(b, o, stage) for o in bodies if o is not b)
    ]
    bodies = [b for b in bodies if b.name or not _visits(b, stage)] or bodies
    contrast = [strength(stage, body) for body in bodies]
    change = [c * b.area * float(b.seen.sum()) for b, c in zip(bodies, contrast, strict=True)]
    moving = [_span(b) > 2 * max(b.half) for b in bodies]
    kept = [
        k
        for k, body in enumerate(bodies)
        if body.name or change[k] > _CLUTTER * max(change) or moving[k]
    ]
    shadows: set[int] = set()
    for weak in sorted(kept, key=lambda k: contrast[k]):
        if bodies[weak].name:
            continue
        stronger = [k for k in kept if contrast[weak] < _WEAKER * contrast[k] and k not in shadows]
        for k in sorted(stronger, key=lambda k: -contrast[k]):
            if shadow := _shadow(stage, bodies[weak], bodies[k]):
                bodies[k].shadow = bodies[k].shadow or shadow
                shadows.add(weak)
                break
    stage.bodies = [bodies[k] for k in kept if k not in shadows]


def _shadow(stage: Stage, weak: Body, body: Body) -> Shadow | None:
    """A weaker body as the shadow of another, if it follows it and does nothing but darken."""
    place = _follows(weak, body)
    shade = None if place is None else _shade(stage, weak)
    return None if place is None or shade is None else Shadow(shade, place)


def joined(stage: Stage) -> None:
    """One body for those that look alike and are seen by turns: a thing that moves too fast to be
    followed."""
    kept: list[Body] = []
    for body in stage.bodies:
        for whole in kept:
            if not body.name and _alike(stage, whole, body) and _by_turns(whole, body):
                more = body.seen & ~whole.seen
                for name in ("poses", "left", "spread"):
                    getattr(whole, name)[more] = getattr(body, name)[more]
                break
        else:
            kept.append(body)
    stage.bodies = kept


def welded(stage: Stage) -> None:
    """Without what keeps its distance to a stronger body while both travel: an edge of a thing that
    moves by less than its own size, and so is in the plate, or a piece of it."""
    kept: list[Body] = []
    for body in sorted(stage.bodies, key=lambda b: (not b.name, -_weight(stage, b))):
        if body.name or not any(_moves_with(body, o) or _edges(body, o) for o in kept):
            kept.append(body)
    stage.bodies = [b for b in stage.bodies if any(b is one for one in kept)]


def _edges(piece: Body, body: Body) -> bool:
    """Whether a small thing is seen for a part of the time that a body is, and always at its edge
    or on it: what that leaves behind where the plate was taken with it."""
    both = piece.seen & body.seen
    passing = both.sum() < _BRIEF * body.seen.sum() and both.sum() > 0.7 * piece.seen.sum()
    if body.fixed is not None or not passing or piece.area > 0.5 * body.area:
        return False
    rows, columns = np.nonzero(body.sprite.matte > 0.5)
    half = 0.5 * np.array([np.ptp(columns) + 1, np.ptp(rows) + 1])
    away = np.abs(piece.poses[both, :2] - body.poses[both, :2])
    return bool((away < _EDGE * half).all(1).mean() > 0.9)


def _weight(stage: Stage, body: Body) -> float:
    """How much a body changes its frames."""
    return strength(stage, body) * float(body.sprite.matte.sum()) * float(body.seen.sum())


def _moves_with(piece: Body, body: Body) -> bool:
    """Whether two touch, or lie before and behind each other, and neither leaves its place beside
    the other on their way."""
    both = piece.seen & body.seen
    if body.fixed is not None or both.sum() < 0.8 * piece.seen.sum():
        return False
    offset = piece.poses[both, :2] - body.poses[both, :2]
    reach = np.array(piece.half) + np.array(body.half)
    course = np.ptp(body.poses[both, :2], axis=0)
    way = float(np.hypot(*course))
    reach = reach * (1.0 + course / max(way, 1e-9))  # what is between them may be in the plate
    near = bool((np.abs(np.median(offset, axis=0)) < reach).all())
    return (
        near and way > _WAY and float(np.hypot(*offset.std(axis=0))) < max(_ASTRAY, _STRAYS * way)
    )


def _alike(stage: Stage, a: Body, b: Body) -> bool:
    areas = [float((body.sprite.matte > 0.5).sum()) for body in (a, b)]
    colours = [
        body.sprite.layers[body.sprite.matte > 0.5].mean(0)[:3]
        for body in (a, b)
        if (body.sprite.matte > 0.5).any()
    ]
    return (
        len(colours) == 2
        and max(areas) < 1.8 * min(areas)
        and float(np.abs(colours[0] - colours[1]).max()) < 30
    )


def _by_turns(a: Body, b: Body) -> bool:
    """Whether two are hardly ever seen in two places at once, and either alternate often or one
    goes on near where the other ended."""
    both = a.seen & b.seen
    apart = np.hypot(*(a.poses[both, :2] - b.poses[both, :2]).T) > min(*a.half, *b.half)
    if apart.sum() > 0.1 * b.seen.sum():
        return False
    owners = np.where(a.seen, 0, np.where(b.seen, 1, -1))
    times = np.flatnonzero(owners >= 0)
    changes = np.flatnonzero(np.diff(owners[times]) != 0)
    if len(changes) >= 4:
        return True
    step = max(float(np.nanmax(np.hypot(*np.diff(body.poses[:, :2], axis=0).T))) for body in (a, b))
    return len(changes) > 0 and all(
        _goes_on(a, b, times[k], times[k + 1], step) for k in changes.tolist()
    )


def _goes_on(a: Body, b: Body, before: int, after: int, step: float) -> bool:
    """Whether whichever is seen first after a change is near where the other was last seen."""
    poses = [body.poses[t, :2] for t in (before, after) for body in (a, b) if body.seen[t]]
    return float(np.hypot(*(poses[-1] - poses[0]))) < (after - before) * step + max(a.half)


def _shows(body: Body, stage: Stage) -> bool:
    """Whether there is anything where a person says that a body is."""
    there = body.seen.sum() >= _SEEN and body.sprite.matte.sum() > 4
    return body.fixed is not None or (there and strength(stage, body) > _TOLD * stage.sigma)


def _is_body(body: Body) -> bool:
    seen = body.seen
    return bool(
        seen.sum() >= _TOGETHER
        and np.nanmedian(body.left[seen]) < _DOUBTFUL
        and body.sprite.matte.sum() > 4
    )


def _reaches_in(body: Body, stage: Stage) -> bool:
    """Whether all of a body is hardly ever in view: an arm, a person, what stands beside it."""
    return bool((_margins(body, stage) < _NEAR_BORDER).mean() > 0.7)


def _visits(body: Body, stage: Stage) -> bool:
    """Whether a thing leaves the picture and comes back, and is wholly in view for less than half
    of the clip: what hangs on a body, and dips into the picture with it."""
    seen = np.flatnonzero(body.seen)
    gaps = np.flatnonzero(~body.seen)
    margins = _margins(body, stage)
    out = seen[margins < _NEAR_BORDER]
    nearest = np.abs(gaps[:, None] - seen).argmin(1)
    left = gaps[margins[nearest] < _LEAVES]
    returns = ((left > seen[0]) & (left < seen[-1])).any()
    return bool(returns and len(out) + len(left) > _MOSTLY_OUT * len(body.poses))


def _margins(body: Body, stage: Stage) -> np.ndarray:
    """(n,) distance from the border in each frame that shows the body, in halves of its size."""
    x, y = body.poses[body.seen, :2].T
    h, w = stage.plate.shape[:2]
    rows, columns = np.nonzero(body.sprite.matte > 0.5)
    half = 0.5 * np.array([np.ptp(columns) + 1, np.ptp(rows) + 1])
    return np.minimum(np.minimum(x, w - 1 - x) / half[0], np.minimum(y, h - 1 - y) / half[1])


def _lets_go(hand: Body, body: Body, stage: Stage) -> bool:
    """Whether a thing touches a body where that is first seen, and then leaves the picture, which
    the body does not."""
    start = int(np.flatnonzero(body.seen)[0])
    end = int(np.flatnonzero(hand.seen)[-1])
    if start > len(stage.frames) // 2 or not hand.seen[start] or end < start + 2:
        return False
    apart = np.abs(hand.poses[start, :2] - body.poses[start, :2])
    touches = bool((apart < np.array(hand.half) + np.array(body.half)).all())
    leaves = _margins(hand, stage)[-1] < _NEAR_BORDER and end < len(stage.frames) - 1
    return touches and leaves and bool(_margins(body, stage).min() > _NEAR_BORDER)


def _span(body: Body) -> float:
    return float(np.ptp(body.poses[body.seen, :2], axis=0).max())


def _same(body: Body, other: Body) -> bool:
    """Whether a body is mostly where another one is."""
    both = body.seen & other.seen
    away = np.hypot(*(body.poses[both, :2] - other.poses[both, :2]).T)
    return bool((away < 0.5 * max(other.sprite.reach, 2.0)).sum() > 0.5 * body.seen.sum())


def _follows(weak: Body, body: Body) -> np.ndarray | None:
    """(2, 3) map from the places of a body to those of what follows it; None where none fits."""
    both = weak.seen & body.seen
    if both.sum() < _TOGETHER or both.sum() < 0.5 * weak.seen.sum():
        return None
    theirs, own = body.poses[both, :2], weak.poses[both, :2]
    middle = theirs.mean(0)
    offset = own - theirs
    design = np.column_stack([theirs - middle, np.ones(len(theirs))])
    pull = np.diag([0.3 * len(theirs), 0.3 * len(theirs), 0.0])
    solution = np.linalg.solve(design.T @ design + pull, design.T @ offset)
    rest = np.hypot(*(design @ solution - offset).T)
    if np.median(rest) > max(1.0, 0.05 * min(_span(body), _span(weak)), 0.15 * max(weak.half)):
        return None
    linear = np.eye(2) + solution[:2].T
    return np.column_stack([linear, solution[2] + middle - linear @ middle])


def _shade(stage: Stage, body: Body) -> np.ndarray | None:
    """(h, w) share of light that is taken, if a body does nothing else; else None."""
    ground = np.maximum(ground_along(stage, body), 1.0)
    matte = body.sprite.matte
    taken = matte[..., None] - body.sprite.layers[..., :3] / ground
    weight = matte > 0.3
    if not weight.any():
        return None
    usual = taken[weight].mean(0)
    if (
        usual.min() < 0.01
        or usual.max() > 1 - _BLACKEST
        or np.ptp(usual) > _GREY + 0.3 * usual.mean()
    ):
        return None
    return np.clip(taken.mean(-1), 0.0, 1.0).astype(np.float32)
