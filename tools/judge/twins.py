"""Bodies that look the same and were one patch for a while: which is which afterwards is told by
where each was on its way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np

from tools.judge import touch
from tools.judge.eyes import Body, Sight
from tools.judge.hidden import Gap, gaps

_ALL = ("places", "areas", "colours", "labels", "cut")


def untangled(sight: Sight) -> Sight:
    """The same bodies, of which two that look the same go on as each other from where that takes
    more of them to where their ways before foretell."""
    if sight.labels is None:
        return sight
    bodies = list(sight.bodies)
    for i, k in combinations(range(len(bodies)), 2):
        if not touch.equal(bodies[i], bodies[k]):
            continue
        frame = 0
        while (after := _tangled(replace(sight, bodies=bodies), i, k, frame)) is not None:
            bodies[i], bodies[k] = _exchanged(bodies[i], bodies[k], after)
            frame = after
    return replace(sight, bodies=bodies)


def _tangled(sight: Sight, i: int, k: int, frame: int) -> int | None:
    """The first frame after ``frame`` from which on two bodies are to be exchanged."""
    pair = sight.bodies[i], sight.bodies[k]
    one, other = (gaps(sight, body) for body in pair)
    found = [
        first
        for a in one
        for b in other
        if a.last < b.next and b.last < a.next
        if (first := min(a.next, b.next)) > frame
        and first < len(a.places)
        and _exchange((a, b), pair)
    ]
    return min(found, default=None)


def _exchange(both: Sequence[Gap], pair: Sequence[Body]) -> bool:
    """Whether more of the two are where they were foretold when they are exchanged, as soon as both
    are seen again, or the one that is."""
    nexts = sorted(gap.next for gap in both)
    t = nexts[1] if nexts[1] < len(both[0].places) else nexts[0]
    ways = [gap.places[gap.last] + gap.way(t) for gap in both]
    there = [
        [np.linalg.norm(body.places[t] - way) < body.radius / 2 for way in ways] for body in pair
    ]
    return bool(there[0][1] + there[1][0] > there[0][0] + there[1][1])


def _exchanged(one: Body, other: Body, t: int) -> tuple[Body, Body]:
    """Each with what the other is from frame ``t`` on."""

    def joined(a: Body, b: Body) -> Body:
        places, areas, colours, labels, cut = (
            np.concatenate([getattr(a, part)[:t], getattr(b, part)[t:]]) for part in _ALL
        )
        return Body(a.name, places, areas, colours, labels, cut)

    return joined(one, other), joined(other, one)
