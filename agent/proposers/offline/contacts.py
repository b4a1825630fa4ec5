"""Walls and collisions, read off velocity jumps and off what the picture shows."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np

from agent.proposers.offline.alike import look_alike
from agent.proposers.offline.evidence import Evidence, Feature, Path, regress
from agent.proposers.offline.flying import any_sign
from agent.proposers.offline.kinematics import gap
from agent.proposers.offline.mechanism import Body, Term
from agent.proposers.offline.walls import Boundary, boundaries, unmet
from tools import timing
from tools.types import Steps

BOUNCY = 0.8
"""Share of the speed that a bounce gives back where none has been seen."""


def contacts_of(
    bodies: Sequence[Body], evidence: Evidence, beside: Sequence[str] = ()
) -> tuple[tuple[Term, ...], tuple[Term, ...]]:
    """Walls and collisions read off the velocity jumps; and those contacts that are only expected,
    not seen. beside: others that may have caused a jump.

    A jump beside a drawn boundary is a bounce off it. Where one drawn boundary (or one border of
    the picture) turned a body back, the others are taken to do so too; a drawn floor under a body
    that falls needs no such example.
    """
    names = tuple(b.name for b in bodies)
    key = ("contacts", names, tuple(beside))
    return evidence.once(key, lambda: _contacts_of(names, evidence, beside))


def _contacts_of(
    names: Sequence[str], evidence: Evidence, beside: Sequence[str]
) -> tuple[tuple[Term, ...], tuple[Term, ...]]:
    sides = {name: boundaries(evidence.paths[name], evidence) for name in names}
    pairs = collisions(names, evidence)
    hit, kinds = _bounces(names, sides, evidence, beside)
    walls = _merge(hit)
    terms = [*_walls(walls, names, evidence), *(Term("collide", p, n) for p, n in pairs.items())]
    awaited = {
        name: [side for side in found if side.border in kinds and evidence.paths[name].kinks]
        or unmet(evidence.paths[name], found)
        for name, found in sides.items()
    }
    if _on_table([evidence.paths[name] for name in names], evidence):
        awaited = sides
    met = [side for found in awaited.values() for side in found if not _known(side, walls)]
    bouncy = [n["e"] for n in pairs.values() if "measured" in n] or [BOUNCY]
    likely = float(np.median([w["e"] for w in walls] or bouncy))
    expected = _walls(_merge([_like(side, likely) for side in met]), names, evidence)
    round_ = [name for name in names if is_round(evidence.paths[name], evidence)]
    untold = {"e": 0.95, "by_size": 1.0, **snug(evidence)}
    pending = [
        Term("collide", (a, b), dict(untold))
        for a, b in itertools.combinations(round_, 2)
        if (a, b) not in pairs and _may_meet(evidence.paths[a], evidence.paths[b])
    ]
    return (*terms, *expected, *pending), (*expected, *pending)


def without(contacts: Sequence[Term], some: Sequence[Term]) -> tuple[Term, ...]:
    """The contacts but for some of them; of many bodies there are many."""
    left_out: dict[tuple, list[Term]] = {}
    for term in some:
        left_out.setdefault((term.kind, term.bodies), []).append(term)
    return tuple(c for c in contacts if c not in left_out.get((c.kind, c.bodies), ()))


def struck(names: Sequence[str], evidence: Evidence) -> list[Term]:
    """Walls that velocity jumps alone tell of, wherever anything is drawn."""
    hit, _ = _bounces(names, {name: () for name in names}, evidence)
    return _walls(_merge(hit), names, evidence)


def _walls(walls: Sequence[dict], names: Sequence[str], evidence: Evidence) -> list[Term]:
    """Walls as terms, each for the bodies on its free side."""
    inside = [(w, _free_of(w, names, evidence)) for w in walls]
    return [Term("wall", bodies, w) for w, bodies in inside if bodies]


def collisions(names: Sequence[str], evidence: Evidence) -> dict[tuple[str, str], dict[str, float]]:
    """First impact of every two bodies whose velocities jump beside each other."""
    pairs: dict[tuple[str, str], dict[str, float]] = {}
    for name in names:
        path = evidence.paths[name]
        for t in path.kinks:
            partner = met_with(path, t, names, evidence)
            if partner is not None:
                first, second = sorted((name, partner), key=list(names).index)
                pairs.setdefault((first, second), _met(first, second, t, evidence))
    return pairs


def _met(first: str, second: str, t: int, evidence: Evidence) -> dict[str, float]:
    """What the impact of two bodies around frame t says."""
    a, b = evidence.paths[first], evidence.paths[second]
    impact = by_area(a, b) if _crowded(a, b, t, evidence) else _impact(a, b, t, evidence.dt)
    if evidence.filmed or not (a.circular and b.circular):
        impact |= {"by_size": 0.0, "margin": _margin(a, b, t)}
    if evidence.filmed:
        impact |= {"ratio": 1.0} if look_alike(a, b, filmed=True) else {}
    return impact


def _bounces(
    names: Sequence[str],
    sides: Mapping[str, Sequence[Boundary]],
    evidence: Evidence,
    beside: Sequence[str] = (),
) -> tuple[list[dict], set[bool]]:
    """(walls that turned bodies back, whether these were borders of the picture or drawn)."""
    hit: list[dict] = []
    kinds: set[bool] = set()
    for name in names:
        path = evidence.paths[name]
        near = (*names, *beside)
        for t in (t for t in path.kinks if met_with(path, t, near, evidence) is None):
            tried = [(side, _turned_back(path, t, evidence.dt, side)) for side in sides[name]]
            found = [(side, wall) for side, wall in tried if wall is not None]
            kinds |= {side.border for side, _ in found}
            alone = _wall(path, t, evidence.dt) if not found else None
            hit += [wall for _, wall in found] + ([alone] if alone is not None else [])
    return hit, kinds


def _known(side: Boundary, walls: Sequence[Mapping[str, float]]) -> bool:
    return any(
        side.normal[0] * w["nx"] + side.normal[1] * w["ny"] > 0.95
        and abs(side.offset - w["offset"]) < 14
        for w in walls
    )


def _like(side: Boundary, e: float) -> dict[str, float]:
    """A wall that nothing has touched yet, as bouncy as is likely."""
    return {
        "nx": float(side.normal[0]),
        "ny": float(side.normal[1]),
        "offset": side.offset,
        "e": e,
        "drawn": 1.0,
    }


TABLE = 3
"""Disks that move about together from which they are taken to lie on a table, or to fly in a box,
with the picture's borders for walls: otherwise all would be gone soon."""


def _on_table(paths: Sequence[Path], evidence: Evidence) -> bool:
    """Whether several disks, all of them inside the picture all the time, meet and feel no common
    field."""
    height, width = evidence.shape
    if evidence.filmed or len(paths) < TABLE or not any(p.kinks for p in paths):
        return False
    bends = []
    for path in paths:
        margin = path.radius - 1.0
        low, high = path.xy[path.seen].min(0), path.xy[path.seen].max(0)
        inside = (low > margin).all() and (high < (width - 1 - margin, height - 1 - margin)).all()
        if path.appearance.shape != "disk" or not inside or path.seen.mean() < 0.9:
            return False
        bend = partial(_steady_bend, path, evidence.dt)
        bends.append(evidence.once(("bend", path.name), bend))
    common, usual = np.mean(bends, axis=0), float(np.mean(np.hypot(*np.transpose(bends))))
    return bool(np.hypot(*common) <= 0.5 * usual) or usual < 1.0


def _steady_bend(path: Path, dt: Steps) -> np.ndarray:
    """(2,) pixels by which a steady pull would move a body over the clip, from its path between
    jumps."""
    one, zero = np.ones(len(path.xy)), np.zeros(len(path.xy))
    fields: list[Feature] = [
        ("gx", np.stack([one, zero], 1), any_sign),
        ("gy", np.stack([zero, one], 1), any_sign),
    ]
    pull = regress(path.xy, path.floor, dt, fields, path.kinks).values
    whole = timing.elapsed(dt, len(path.xy) - 1)
    return np.array([pull.get("gx", 0.0), pull.get("gy", 0.0)]) * 0.5 * whole**2


def _turned_back(path: Path, t: int, dt: Steps, side: Boundary) -> dict[str, float] | None:
    """The bounce at frame t off a boundary, if the body touches it there and is turned back by
    it."""
    pair = _velocities(path, t, dt)
    if pair is None:
        return None
    normal = np.array(side.normal, float)
    before, after = (float(v @ normal) for v in pair)
    near = [k for k in (t - 1, t, t + 1) if 0 <= k < len(path.xy) and np.isfinite(path.xy[k, 0])]
    gap = min(float(path.xy[k] @ normal) for k in near) - side.offset - path.girth(side.normal)
    if (
        before >= 0
        or after <= 0.3 * before
        or not -3.0 < gap < max(3.0, -1.1 * before * timing.step_at(dt, t - 1))
    ):
        return None
    return {
        "nx": normal[0],
        "ny": normal[1],
        "offset": side.offset,
        "e": float(np.clip(-after / before, 0.05, 1.0)),
        "drawn": 1.0,
    }


def is_round(path: Path, evidence: Evidence) -> bool:
    """Whether a body meets others as a disk does; in footage whatever is compact is taken to, as
    its outline is not known so well."""
    return path.compact if evidence.filmed else path.circular


TOUCHED = 3.0
"""Pixels between two outlines up to which one lies on the other."""


def _velocities(path: Path, t: int, dt: Steps) -> tuple[np.ndarray, np.ndarray] | None:
    """Velocity before and after a jump at frame t, extrapolated to it from up to four frames on
    each side; the frame of another jump counts where there are no two others."""
    sides = []
    cuts = sorted(k for k in path.kinks if k != t)
    first = max([k + 1 for k in cuts if k < t], default=0)
    last = min([k - 1 for k in cuts if k > t], default=len(path.xy) - 1)
    first, last = min(first, max(t - 2, 0)), max(last, min(t + 2, len(path.xy) - 1))
    for index in (np.arange(max(first, t - 4), t), np.arange(t + 1, min(last, t + 4) + 1)):
        index = index[np.isfinite(path.xy[index, 0])] if len(index) else index
        if len(index) < 2:
            return None
        u = timing.elapsed(dt, index, t)
        order = 2 if len(index) >= 4 else 1
        slope = [np.polynomial.polynomial.polyfit(u, path.xy[index, d], order)[1] for d in range(2)]
        sides.append(np.array(slope))
    return sides[0], sides[1]


RESTS = 6.0
"""Noise widths that four places of a body at rest lie apart, at most."""


def _wall(path: Path, t: int, dt: Steps) -> dict | None:
    pair = _velocities(path, t, dt)
    if pair is None or _rested(path, t):
        return None
    before, after = pair
    jump = after - before
    size = float(np.hypot(*jump))
    if size < 1e-9:
        return None
    normal = jump / size
    for axis in ((0.0, -1.0), (0.0, 1.0), (1.0, 0.0), (-1.0, 0.0)):
        if normal @ axis > math.cos(math.radians(20)):
            normal = np.array(axis)
    closing, leaving = float(before @ normal), float(after @ normal)
    if closing >= 0:
        return None
    near = [k for k in (t - 1, t, t + 1) if 0 <= k < len(path.xy) and np.isfinite(path.xy[k, 0])]
    depth = min(float(path.xy[k] @ normal) for k in near)
    a, b = float(path.xy[near[0]] @ normal), float(path.xy[near[-1]] @ normal)
    if leaving - closing > 1e-9 and len(near) == 3:
        span = timing.elapsed(dt, t + 1, t - 1)
        tau = np.clip((b - a - span * leaving) / (closing - leaving), 0, span)
        depth = min(depth, a + closing * tau)
    wall = {
        "nx": float(normal[0]),
        "ny": float(normal[1]),
        "offset": depth - path.girth(normal),
        "e": float(np.clip(-leaving / closing, 0.05, 1.0)),
    }
    tangent = np.array([-normal[1], normal[0]])
    rub = abs(float(jump @ tangent)) / max(abs(float(jump @ normal)), 1e-9)
    if rub > 0.08 and abs(before @ tangent) > 0.2 * abs(closing):
        wall["friction"] = min(rub, 1.0)
    return wall


def _rested(path: Path, t: int) -> bool:
    """Whether a body has not moved before frame t: what only trembles meets no wall."""
    before = path.xy[max(0, t - 4) : t]
    before = before[np.isfinite(before[:, 0])]
    return len(before) > 0 and float(np.hypot(*np.ptp(before, axis=0))) < RESTS * path.sigma


def _merge(walls: Sequence[dict]) -> list[dict]:
    """Impacts on the same line become one wall (median of their numbers)."""
    groups: list[list[dict]] = []
    for wall in walls:
        for group in groups:
            if (
                wall["nx"] * group[0]["nx"] + wall["ny"] * group[0]["ny"] > 0.95
                and abs(wall["offset"] - group[0]["offset"]) < 14
            ):
                group.append(wall)
                break
        else:
            groups.append([wall])
    merged = []
    for group in groups:
        keys = set.intersection(*(set(w) for w in group))
        merged.append(
            {
                k: float(np.median([w[k] for w in group]))
                for k in ("nx", "ny", "offset", "e", "friction", "drawn")
                if k in keys
            }
        )
    return merged


def _free_of(
    wall: Mapping[str, float], names: Sequence[str], evidence: Evidence
) -> tuple[str, ...]:
    """Bodies that never reach far behind the wall."""
    inside = []
    for name in names:
        path = evidence.paths[name]
        normal = wall["nx"], wall["ny"]
        reach = path.xy[path.seen] @ normal - path.girth(normal) - wall["offset"]
        if len(reach) and reach.min() > -6.0:
            inside.append(name)
    return tuple(inside)


def met_with(path: Path, t: int, names: Sequence[str], evidence: Evidence) -> str | None:
    """Another free body that is close at this frame and changes its velocity too."""
    if evidence.paths.get(path.name) is not path:
        return _met_with(path, t, names, evidence)
    key = ("met with", path.name, t, *names)
    return evidence.once(key, lambda: _met_with(path, t, names, evidence))


def _met_with(path: Path, t: int, names: Sequence[str], evidence: Evidence) -> str | None:
    best = None
    for name in names:
        other = evidence.paths[name]
        shown = None if other is path else _both_shown(path, other, t)
        if shown is None:
            continue
        apart = gap(other, path, shown)
        speed = max(
            np.nanmax(np.hypot(*np.diff(p.xy[max(0, t - 2) : t + 3], axis=0).T))
            for p in (path, other)
        )
        jumps = any(abs(k - t) <= 1 for k in other.kinks)
        if apart < 2.5 + (speed if jumps else 0.4 * speed) and (best is None or apart < best[0]):
            best = (apart, name)
    return None if best is None else best[1]


def by_area(a: Path, b: Path) -> dict[str, float]:
    """An impact of which only the sizes of the bodies are known."""
    return {"e": 0.95, "by_size": 1.0, "ratio": (b.radius / a.radius) ** 2}


def _crowded(a: Path, b: Path, t: int, evidence: Evidence) -> bool:
    """Whether a third body takes part in an impact: then the two velocities do not tell masses."""
    around = range(max(t - 1, 0), min(t + 2, len(a.xy)))

    def touches(other: Path) -> bool:
        shown = [(one, k) for one in (a, b) for k in around if one.seen[k] and other.seen[k]]
        return any(gap(other, one, k) <= TOUCHED + _pace(one, t) for one, k in shown)

    return any(
        other is not a
        and other is not b
        and any(abs(k - t) <= 1 for k in other.kinks)
        and touches(other)
        for other in evidence.movers
    )


def _pace(path: Path, t: int) -> float:
    """Pixels a frame around frame t, where it is slowest."""
    steps = np.hypot(*np.diff(path.xy[max(0, t - 2) : t + 3], axis=0).T)
    return float(np.nanmin(steps, initial=np.inf)) if np.isfinite(steps).any() else 0.0


def _both_shown(a: Path, b: Path, t: int) -> int | None:
    """The frame nearest to t that shows both bodies, one away at most."""
    times = (k for k in (t, t - 1, t + 1) if 0 <= k < len(a.xy))
    return next((k for k in times if a.seen[k] and b.seen[k]), None)


def _impact(a: Path, b: Path, t: int, dt: Steps) -> dict[str, float]:
    """Restitution and mass ratio of b to a from the velocities around an impact."""
    first, second = (
        _velocities(
            p,
            min(p.kinks, key=lambda k: abs(k - t))
            if p.kinks and min(abs(k - t) for k in p.kinks) <= 1
            else t,
            dt,
        )
        for p in (a, b)
    )
    numbers = by_area(a, b)
    area = numbers["ratio"]
    shown = _both_shown(a, b, t)
    if first is None or second is None or shown is None:
        return numbers
    line = b.xy[shown] - a.xy[shown]
    line = line / max(np.hypot(*line), 1e-9)
    (a0, a1), (b0, b1) = [[float(v @ line) for v in pair] for pair in (first, second)]
    if a0 - b0 > 1e-6:
        numbers |= {"e": float(np.clip((b1 - a1) / (a0 - b0), 0.0, 1.0)), "measured": 1.0}
    if abs(b1 - b0) > 1e-6 and (a1 - a0) / (b1 - b0) < 0:
        ratio = -(a1 - a0) / (b1 - b0)
        numbers["ratio"] = float(np.clip(ratio, 0.05, 20.0))
        if abs(math.log(ratio / area)) > 0.35:
            numbers["by_size"] = 0.0
    return numbers


def _margin(a: Path, b: Path, t: int) -> float:
    """Pixels by which the outlines of two bodies are apart (negative: overlap) when they meet around
    frame t."""
    near = (b.xy - a.xy)[max(t - 2, 0) : t + 3]
    return float(np.nanmin(np.hypot(*near.T))) - a.radius - b.radius


def snug(evidence: Evidence) -> dict[str, float]:
    """By how much outlines overlap where bodies touch, pixels (negative), as those show that lie at
    rest side by side: what is drawn reaches a little farther than what touches. {} where none do."""
    resting = [p for p in evidence.movers if p.waits and is_round(p, evidence)]
    gaps = [
        math.dist(a.xy[0], b.xy[0]) - a.radius - b.radius
        for a, b in itertools.combinations(resting, 2)
    ]
    least = min(gaps, default=0.0)
    return {"snug": round(least, 2)} if -TOUCHED < least < 0.0 else {}


def _may_meet(a: Path, b: Path) -> bool:
    """Two bodies that have not been seen to pass through each other."""
    both = a.seen & b.seen
    if not both.any():
        return False
    reach = a.radius + b.radius
    return bool(np.hypot(*(a.xy[both] - b.xy[both]).T).min() > 0.9 * reach)
