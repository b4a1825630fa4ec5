"""Bodies that touch, tip and rest: when a rigid-body engine is called for, and what it needs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import cv2
import numpy as np

from agent.proposers.offline.alike import as_large
from agent.proposers.offline.contacts import TOUCHED, contacts_of, is_round, without
from agent.proposers.offline.evidence import (
    Evidence,
    Explanation,
    Feature,
    Path,
    kinks,
    line_of_travel,
    regress,
    segments,
    smooth,
)
from agent.proposers.offline.flying import any_sign
from agent.proposers.offline.kinematics import gap, outline_at
from agent.proposers.offline.mechanism import Body, Mechanism, Term
from agent.proposers.offline.obstacles import Thing, lain, obstacles_of, replaced, standing
from agent.proposers.offline.options import Driven, Option
from agent.proposers.offline.priors import THRESHOLDS, passed_through, proposed
from agent.proposers.offline.walls import boundaries, slides
from tools import timing

ENGINE = 28.0
"""Deviance by which an engine for all contacts is likelier than forces on bodies that are seen to
touch: what rests and rubs looks like any force."""


STANDS = 40.0
"""Deviance by which what is drawn and touched is likelier to hold disks up, or to turn them back,
than forces that would do the same, or a rail that goes on where it ends."""


def engine_of(
    structure: Mechanism,
    parts: Sequence[tuple[str, Option]],
    bic: float,
    evidence: Evidence,
) -> Driven | None:
    """The rigid-body engine for a structure, where it is called for: bodies that stand on a floor
    and tip over are not fixed to it. parts: what moves each body, or several on joints, by the
    name of the first. bic: deviance of all that; of a board, and of what lies on it, no more counts
    than one cause would leave: they move each other."""
    for body in structure.bodies:
        if "stands" in body.numbers:
            structure = structure.with_body(replace(body, motion="free", on=None))
    free = [b for b in structure.bodies if b.motion == "free"]
    pinned = _bearing(structure, free, evidence)
    names = [b.name for b in pinned]
    contacts, partners = contacts_of([b for b in free if not b.swells], evidence, names)
    moved = {b.name for b in (*free, *pinned)}
    left = [t for _, (terms, _, _) in parts for t in terms if not moved & set(t.bodies)]
    resting = [*without(contacts, partners), *_tumbling(partners, evidence)]
    struck = [floor for b in pinned if (floor := _struck(b, evidence)) is not None]
    resting += [Term("wall", tuple(b.name for b in free), floor) for floor in struck]
    laden = [(b.name, n) for b in free for n in names if _lies_on(b.name, n, evidence)]
    boards = {name for pair in laden for name in pair}
    bic -= sum(max(cost - THRESHOLDS.board, 0.0) for name, (_, cost, _) in parts if name in boards)
    bic += passed_through(len(_left_out(structure, pinned, evidence)))
    return touching(structure.plus(*left), resting, bic, evidence, pinned)


LEVEL = 0.5
"""Cosine of a board's tilt from which something can lie on it."""


def _lies_on(name: str, board: str, evidence: Evidence) -> bool:
    """Whether a body touches a board in most frames in which both are seen, from above."""
    a, b = evidence.paths[name], evidence.paths[board]
    times = np.flatnonzero(a.seen & b.seen)
    c, s = np.cos(b.angle[times]), np.sin(b.angle[times])
    x, y = (a.xy - b.xy)[times].T
    above = np.sign(c) * (c * y - s * x) < 0.0
    if not len(times) or np.median(np.abs(c)) < LEVEL or above.mean() < 0.5:
        return False
    return float(np.median([gap(a, b, int(t)) for t in times])) <= TOUCHED


def _left_out(structure: Mechanism, pinned: Sequence[Body], evidence: Evidence) -> list[str]:
    """Bodies on rails of their own, or on pivots beside a board's, that touch others in some frame:
    an engine knows nothing of them."""
    known = {*(b.name for b in pinned), *structure.followers}
    held = [
        b.name
        for b in structure.bodies
        if b.on is None and b.name not in known
        if b.motion == "prismatic" or (b.motion == "revolute" and pinned)
    ]
    movers = [path.name for path in evidence.movers]
    return [
        name
        for name in held
        if any(_touched(evidence, name, other) for other in movers if other != name)
    ]


def _tumbling(expected: Sequence[Term], evidence: Evidence) -> list[Term]:
    """Walls that are only expected, for what is no disk and does not come sliding: how bouncy
    corners are, the engine's default says."""

    def tumbles(path: Path) -> bool:
        return not is_round(path, evidence) and not slides(path, evidence)

    return [
        Term("wall", c.bodies, {k: v for k, v in c.numbers.items() if k != "e"})
        for c in expected
        if c.kind == "wall" and any(tumbles(evidence.paths[name]) for name in c.bodies)
    ]


def _glances_off(body: Body, evidence: Evidence) -> bool:
    """Whether an impact is told by the jump of velocity alone: a disk does whose turning is not
    seen, or not seen well enough."""
    return is_round(evidence.paths[body.name], evidence) and (evidence.filmed or not body.turns)


def _bearing(structure: Mechanism, free: Sequence[Body], evidence: Evidence) -> list[Body]:
    """Bodies that turn on pivots of the picture, and on which free ones lie or come to lie (a
    see-saw, a flap)."""
    alone = [
        b
        for b in structure.bodies
        if b.motion == "revolute" and b.on is None and b.turns and b.name not in structure.followers
        if not any(o.on == b.name and o.motion != "weld" for o in structure.bodies)
    ]
    return [b for b in alone if any(_touched(evidence, b.name, other.name) for other in free)]


def _struck(body: Body, evidence: Evidence) -> dict[str, float] | None:
    """The floor that a body on a pivot strikes with its end: where that first came lowest, if it
    was stopped there at once, to rest or to rise; None if it was not."""
    path = evidence.paths[body.name]
    reach = path.appearance.bounding_radius
    ends = np.stack([np.cos(path.angle), np.sin(path.angle)], 1) * reach
    lowest = np.array([outline_at(path, t)[:, 1].max() if path.seen[t] else -math.inf
                       for t in range(len(path.xy))])  # fmt: skip
    noise = max(path.sigma_angle * reach, 0.05)
    deepest = int(np.argmax(lowest >= lowest.max() - 3.0 * noise))
    stops = kinks(ends, noise, evidence.dt)
    if not any(abs(t - deepest) <= 1 for t in stops) or _met_by(path, deepest, evidence):
        return None
    return {"nx": 0.0, "ny": -1.0, "offset": -float(lowest[deepest])}


def _met_by(path: Path, t: int, evidence: Evidence) -> bool:
    """Whether another mover comes to a body within two frames of frame t."""
    first, last = max(t - 3, 0), min(t + 2, len(path.xy) - 1)
    others = (o for o in evidence.movers if o is not path and o.seen[[first, last]].all())
    return any(gap(path, o, first) > TOUCHED >= gap(path, o, last) for o in others)


def _touched(evidence: Evidence, one: str, other: str) -> bool:
    """Whether two outlines touch in some frame."""

    def touch() -> bool:
        a, b = evidence.paths[one], evidence.paths[other]
        times = np.flatnonzero(a.seen & b.seen)
        reach = a.appearance.bounding_radius + b.appearance.bounding_radius + TOUCHED
        apart = np.hypot(*(a.xy[times] - b.xy[times]).T) > 2.0 * reach  # whatever their outlines
        return any(gap(a, b, int(t)) <= TOUCHED for t in times[~apart])

    return evidence.once(("touched", one, other), touch)


def _met(structure: Mechanism, contacts: Sequence[Term], evidence: Evidence) -> set[str]:
    """The bodies that collide, but for such as meet head on and part again, turn at a bounce, or
    are about to land."""
    return {
        name
        for c in contacts
        if (c.kind == "collide" and (not _head_on(c, evidence) or _laid(c, evidence)))
        or "e" not in c.numbers
        or any(structure.body(n).turns for n in c.bodies)
        for name in c.bodies
    }


def _head_on(impact: Term, evidence: Evidence) -> bool:
    """Whether two bodies that do not turn meet on the one line that both keep to."""
    a, b = (evidence.paths[name] for name in impact.bodies)
    if a.turns or b.turns or not (a.moves and b.moves):
        return False
    point, axis, off = line_of_travel(a)
    across = (b.xy[b.seen] - point) @ np.array([-axis[1], axis[0]])
    return off < ON_LINE and float(np.abs(across).max()) < ON_LINE


ON_LINE = 1.0
"""Pixels by which places may lie beside the line on which two bodies meet."""

AT_REST = 0.3
"""Pixels that what lies may move in a step."""


def _laid(impact: Term, evidence: Evidence) -> bool:
    """Whether two bodies come to rest against each other."""
    a, b = (evidence.paths[name] for name in impact.bodies)
    both = a.seen & b.seen
    still = both[1:] & both[:-1]
    for path in (a, b):
        still[still] = np.hypot(*np.diff(path.xy, axis=0)[still].T) < AT_REST
    touching = [gap(a, b, int(t)) <= TOUCHED for t in np.flatnonzero(still)]
    return sum(touching) >= THRESHOLDS.laid


def touching(
    structure: Mechanism,
    contacts: Sequence[Term],
    bic: float,
    evidence: Evidence,
    pinned: Sequence[Body] = (),
) -> Driven | None:
    """All free bodies in one rigid-body engine, where bodies that are not plain disks collide, turn
    at a bounce or are about to land (walls without a measured "e"), or lie on something that turns
    on a pivot (``pinned``); else None. structure: with the terms of the bodies on joints.

    Gravity is read off the stretches between jumps in which a body flies.
    """
    free = [b for b in structure.bodies if b.motion == "free"]
    met = _met(structure, contacts, evidence)
    walls = [c for c in contacts if c.kind == "wall"]
    things = obstacles_of(free, walls, evidence) if free and proposed("obstacle") else []
    plain = not pinned and all(_glances_off(structure.body(name), evidence) for name in met)
    if plain and not things:
        return None
    if plain and all(_glances_off(body, evidence) for body in free):
        return _glancing(structure, contacts, things, bic, evidence)
    walls += _known_by_leaning(free, walls, evidence)
    bounces = _bounces(walls)
    impacts = [c.numbers["e"] for c in contacts if c.kind == "collide" and "measured" in c.numbers]
    e = float(np.median(bounces)) if bounces else 0.3
    numbers = {"e_wall": e, "e": float(np.median(impacts)) if impacts else e, "friction": 0.5}
    names = tuple(b.name for b in (*free, *pinned))
    pull = _falls(free, things, evidence, rolls=True)
    mechanism = structure.plus(
        *_pulls(names, pull),
        *_unique_walls(replaced(walls, things, evidence), names),
        *standing(names, things, bounces, evidence),
        Term("contact", names, numbers),
    )
    mechanism = _solid(mechanism, (*free, *pinned), contacts, evidence)
    sure = pull or things or any("measured" in c.numbers for c in contacts)
    likely = bic - ENGINE if sure else bic
    return Driven(mechanism, likely, f"{' and '.join(names)} touch: a rigid-body engine moves them")


def _solid(
    mechanism: Mechanism, bodies: Sequence[Body], contacts: Sequence[Term], evidence: Evidence
) -> Mechanism:
    """A mechanism with these bodies as the engine has them. Impacts tell the density of each beside
    that of what it was seen to strike, unless both are as large and as round (dominoes)."""
    struck = [c.bodies for c in contacts if c.kind == "collide" and "measured" in c.numbers]
    pairs = [(a, b) for a, b in struck if not as_large(evidence.paths[a], evidence.paths[b])]
    weighed = {second for _, second in pairs} - {first for first, _ in pairs[:1]}
    for body in bodies:
        made = _outlined(body, evidence.paths[body.name])
        if body.name in weighed:
            made = replace(made, numbers={**made.numbers, "density": 1.0})
        mechanism = mechanism.with_body(made)
    return mechanism


def _known_by_leaning(
    free: Sequence[Body], walls: Sequence[Term], evidence: Evidence
) -> list[Term]:
    """Further walls: drawn boundaries that bodies lean on."""
    return [
        Term("wall", (b.name,), w)
        for b in free
        for w in _leaned_on(evidence.paths[b.name], evidence)
        if not any(_known_wall(w, c.numbers) for c in walls)
    ]


def _bounces(walls: Sequence[Term]) -> list[float]:
    """Shares of the normal speed that walls were seen to give back."""
    return [c.numbers["e"] for c in walls if c.numbers.get("e", -1.0) >= 0]


def _glancing(
    structure: Mechanism,
    contacts: Sequence[Term],
    things: Sequence[Thing],
    bic: float,
    evidence: Evidence,
) -> Driven:
    """Disks that do not show how they turn, and what stands in their way."""
    free = [b for b in structure.bodies if b.motion == "free"]
    names = tuple(b.name for b in free)
    walls = [c for c in contacts if c.kind == "wall"]
    others = [c for c in contacts if c.kind != "wall"]
    pull = _falls(free, things, evidence)
    mechanism = structure.plus(
        *_pulls(names, pull),
        *replaced(walls, things, evidence),
        *standing(names, things, _bounces(walls), evidence),
        *others,
    )
    return Driven(mechanism, bic - STANDS, f"{' and '.join(names)} cannot pass what stands")


def _unique_walls(walls: Sequence[Term], names: tuple[str, ...]) -> list[Term]:
    kept: list[Term] = []
    for wall in walls:
        if not any(_known_wall(wall.numbers, k.numbers) for k in kept):
            kept.append(Term("wall", names, wall.numbers))
    return kept


def _known_wall(a: Mapping[str, float], b: Mapping[str, float]) -> bool:
    return a["nx"] * b["nx"] + a["ny"] * b["ny"] > 0.95 and abs(a["offset"] - b["offset"]) < 14


def _leaned_on(path: Path, evidence: Evidence) -> list[dict[str, float]]:
    """Drawn boundaries that a body touches in several frames."""
    found = []
    for side in boundaries(path, evidence):
        normal = np.array(side.normal, float)
        reach = [(outline_at(path, int(t)) @ normal).min() for t in np.flatnonzero(path.seen)]
        if not side.border and (np.abs(np.array(reach) - side.offset) < 1.0).sum() >= 3:
            found.append(
                {
                    "nx": float(side.normal[0]),
                    "ny": float(side.normal[1]),
                    "offset": side.offset,
                    "drawn": 1.0,
                }
            )
    return found


ROUND = 32
"""Corners of what rolls as a disk does and is drawn as a polygon."""


def _outlined(body: Body, path: Path) -> Body:
    """A body of even density, with corners if it is neither disk nor box, for the engine ("u0",
    "v0", "u1", ...). Where it stands it may have to settle, as it is measured a little off."""
    even = {k: v for k, v in body.numbers.items() if k not in ("com_x", "com_y")}
    body = replace(body, numbers=even, rests=False)
    if body.shape in ("box", "disk") or (path.circular and body.shape == "sprite"):
        return body
    if path.circular:
        reach = np.hypot(*path.appearance.corners.T).max()
        turns = np.arange(ROUND) * (2.0 * math.pi / ROUND)
        points = reach * np.stack([np.cos(turns), np.sin(turns)], 1)
    elif body.shape == "polygon":
        points = np.asarray(path.appearance.outline)
    else:
        alpha = path.appearance.picture[..., 3] > 0.5
        ys, xs = np.nonzero(alpha)
        c, s = math.cos(path.appearance.cut[2]), math.sin(path.appearance.cut[2])
        points = (
            np.stack([xs, ys], 1) - (np.array(alpha.shape[::-1]) - 1) / 2 + path.appearance.cut[:2]
        ) @ np.array([[c, s], [-s, c]])
    hull = cv2.convexHull(points.astype(np.float32))[:, 0]
    hull = cv2.approxPolyDP(hull[:, None], 0.5, True)[:, 0]
    return replace(
        body,
        numbers={
            **body.numbers,
            **{
                f"{axis}{k}": float(p[i]) for k, p in enumerate(hull) for i, axis in enumerate("uv")
            },
        },
    )


def _steadily(piece: np.ndarray, path: Path, evidence: Evidence) -> Explanation:
    """What moves a body along a piece of its way, of a steady field ("gx", "gy": px/s^2) and drag
    ("drag": 1/s); a field alone unless drag is clearly the better cause."""
    one, zero = np.ones(len(piece)), np.zeros(len(piece))
    fields: list[Feature] = [
        ("gx", np.stack([one, zero], 1), any_sign),
        ("gy", np.stack([zero, one], 1), any_sign),
    ]
    drag: Feature = ("drag", -smooth(piece, evidence.dt)[1], lambda value: value > 0)
    plain = regress(piece, path.floor, evidence.dt, fields, path.kinks)
    slowed = regress(piece, path.floor, evidence.dt, [drag], path.kinks)
    likelier = slowed.bic < plain.bic and slowed.values["drag"] > 0
    return slowed if likelier else plain


def _pulls(names: tuple[str, ...], pull: Mapping[str, float]) -> list[Term]:
    """The terms of what ``_falls`` found."""
    field = {k: v for k, v in pull.items() if k != "drag"}
    terms = [Term("gravity", names, field)] if field else []
    return [*terms, Term("drag", names, {"c": pull["drag"]})] if "drag" in pull else terms


def _falls(
    bodies: Sequence[Body], things: Sequence[Thing], evidence: Evidence, rolls: bool = False
) -> dict[str, float]:
    """The constant acceleration of the stretch between jumps that shows one most clearly, of those
    in which the body touches no other if there are such; where none does, what pulls a body along
    the slope that it lies on; {} without one. rolls: what is round does."""
    lies = {b.name: lain(b.name, things, evidence) for b in bodies}
    best: tuple[bool, float, dict[str, float]] = (False, 0.0, {})
    for body in bodies:
        path = evidence.paths[body.name]
        for first, last in _flights(path, lies[body.name], evidence):
            piece = np.full_like(path.xy, np.nan)
            piece[first:last] = path.xy[first:last]
            e = _steadily(piece, path, evidence)
            clear = {k: abs(v) / max(e.errors[k], 1e-9) for k, v in e.values.items()}
            alone = not _beside(path, first, last, evidence)
            most = max(clear.values(), default=0.0)
            if e.rms < 4 * path.floor and most > 5.0 and (alone, most) > best[:2]:
                strongest = max((abs(v) for k, v in e.values.items() if k[0] == "g"), default=0.0)
                told = {k: v for k, v in e.values.items() if clear[k] > 5}
                weak = {k for k, v in told.items() if k[0] == "g" and abs(v) <= 0.05 * strongest}
                best = (alone, most, {k: v for k, v in told.items() if k not in weak})
    return best[2] or _down_a_slope(bodies, lies, evidence, rolls)


STEEP = 0.1
"""Sine of a slope from which what slides down it tells how strong the pull is."""


def _down_a_slope(
    bodies: Sequence[Body], lies: Mapping[str, np.ndarray], evidence: Evidence, rolls: bool
) -> dict[str, float]:
    """The pull straight down that would take a body down the slope on which it lies longest, as
    {"gy": px/s^2}; {} where none slides. A solid disk that rolls falls two thirds as fast as one
    that slides."""
    best: tuple[int, dict[str, float]] = (4, {})
    for body in bodies:
        path = evidence.paths[body.name]
        for first, last in segments(len(path.xy), path.kinks):
            on = [t for t in range(first, last) if lies[body.name][t] and path.seen[t]]
            if len(on) <= best[0]:
                continue
            u = timing.elapsed(evidence.dt, np.array(on), on[0])
            bend, speed, _ = np.polyfit(u, path.xy[on], 2)
            along = (speed + bend * u[-1]) / max(float(np.hypot(*(speed + bend * u[-1]))), 1e-9)
            pull = 2.0 * float(bend @ along) * (1.5 if rolls and path.circular else 1.0)
            if abs(along[1]) > STEEP and pull * along[1] > 0:
                best = (len(on), {"gy": pull / float(along[1])})
    return best[1]


def _flights(path: Path, lies: np.ndarray, evidence: Evidence) -> list[tuple[int, int]]:
    """Stretches of at least five frames between jumps, and what of them comes before the body
    touches another, in which it lies on nothing."""
    found = []
    grounded = [*path.kinks, *np.flatnonzero(lies).tolist()]
    for first, last in segments(len(path.xy), grounded):
        touched = next((t for t in range(first, last) if _beside(path, t, t + 1, evidence)), last)
        found += [(first, end) for end in dict.fromkeys((touched, last)) if end - first >= 5]
    return found


def _beside(path: Path, first: int, last: int, evidence: Evidence) -> bool:
    """Whether a body touches another mover in some of these frames."""
    return any(
        gap(other, path, t) <= TOUCHED
        for other in evidence.movers
        if other is not path
        for t in range(first, last)
        if path.seen[t] and other.seen[t]
    )
