"""Which bodies there are and how they are joined: hypotheses from evidence, best first."""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

import cv2
import numpy as np
from scipy.optimize import minimize

from agent.proposers.offline.alike import look_alike
from agent.proposers.offline.belief import bandwidth, complexity, misfit
from agent.proposers.offline.evidence import (
    Evidence,
    Feature,
    Path,
    Pivot,
    bearing,
    line_of_travel,
    pivot,
    regress,
    smooth,
)
from agent.proposers.offline.mechanism import Body, Mechanism
from agent.proposers.offline.perspective import view_of
from agent.proposers.offline.priors import JOINTS, THRESHOLDS, proposed
from agent.proposers.offline.rails import curved, off_rail, rail_numbers
from agent.proposers.offline.walls import boundaries
from tools.perception.background import differs
from tools.perception.parts import Appearance
from tools.types import Steps


@dataclass(frozen=True)
class Structure:
    """Bodies with their motions, no forces yet. cost: deviance of the joints alone, with their
    price. why: in words."""

    mechanism: Mechanism
    cost: float
    why: str


def structures(
    evidence: Evidence, images: Mapping[str, str] = MappingProxyType({})
) -> list[Structure]:
    """Alternative joint structures, most plausible first (always at least one: everything free).
    images: see ``combined``."""
    found = combined(joints_of(evidence, images), evidence, images)
    free = (s for s in found[MOST:] if all(b.motion in LOOSE for b in s.mechanism.bodies))
    return [*found[:MOST], *itertools.islice(free, 1)]


MOST = 12
"""Structures that are looked at closely, beside the one in which everything is free."""

LOOSE = ("free", "rest", "weld", "image")

CARRY_NOTHING = ("free", "bead", "receding")


def joints_of(
    evidence: Evidence, images: Mapping[str, str] = MappingProxyType({})
) -> dict[str, list[Joint]]:
    """Possible joints of every mover that does not ride on another, likeliest first. images: see
    ``combined``."""
    key = ("joints", *sorted(images.items()))
    return dict(evidence.once(key, lambda: _joints_of(evidence, images)))


def _joints_of(evidence: Evidence, images: Mapping[str, str]) -> dict[str, list[Joint]]:
    riders = _passengers(evidence, images)
    movers = [p for p in evidence.movers if p.name not in riders]
    found = {p.name: _joints(p, movers, evidence) for p in movers}
    bobs = list(_bobs(found, riders, evidence))
    return {p.name: _hung_alike(p, found[p.name], bobs, evidence) for p in movers}


def combined(
    choices: Mapping[str, list[Joint]],
    evidence: Evidence,
    images: Mapping[str, str] = MappingProxyType({}),
) -> list[Structure]:
    """Consistent combinations of the movers' joints, most plausible first. images: shadows and
    mirror images -> what casts them."""
    base = {path.name: _body(path, evidence) for path in evidence.paths.values()}
    riders = _passengers(evidence, images)
    for name, (host, _) in riders.items():
        base[name] = replace(base[name], motion="weld", on=host)
    for name, host in images.items():
        base[name] = replace(base[name], motion="image", on=host)
    movers = [p for p in evidence.movers if p.name not in {*riders, *images}]
    unbound = {p.name: _unbound(p, evidence.dt) for p in movers}
    order = tuple(track.name for track in evidence.tracks.tracks)
    return [
        Structure(
            Mechanism(tuple(_joined(base, chosen).values()), order=order),
            sum(joint.cost for joint in chosen.values()),
            "; ".join(joint.why for joint in chosen.values()),
        )
        for chosen in _combinations(movers, choices, unbound)
    ]


LISTED = 200
"""Structures that are told apart at most."""


def _joined(base: Mapping[str, Body], chosen: Mapping[str, Joint]) -> dict[str, Body]:
    """Bodies with the joints that were chosen for them."""
    bodies = dict(base)
    for name, joint in chosen.items():
        bodies[name] = replace(
            base[name],
            motion=joint.motion,
            on=joint.on,
            turns=base[name].turns and not joint.point,
            numbers={**base[name].numbers, **joint.numbers},
            swells=base[name].swells and joint.motion != "receding",
        )
    return bodies


def _passengers(evidence: Evidence, images: Mapping[str, str]) -> dict[str, tuple[str, float]]:
    """What rides on a body: nothing is carried by its shadow."""
    return {n: on for n, on in carried(evidence).items() if on[0] not in images}


def _body(path: Path, evidence: Evidence) -> Body:
    appearance = path.appearance
    twins = [
        p
        for p in evidence.paths.values()
        if p.appearance.colour is not None
        and appearance.shape != "sprite"
        and p.appearance.shape != "sprite"
        and max(abs(a - b) for a, b in zip(p.appearance.colour, appearance.colour, strict=True))
        < 25
    ]
    crowded = len(twins) > 1 or (appearance.shape == "sprite" and len(evidence.paths) > 1)
    crowded = crowded or _in_plate(appearance, evidence.tracks.plate)
    first = path.xy[path.seen][0]
    still = {
        f"still_{a}": float(np.median(v[path.seen]))
        for a, v in (("x", path.xy[:, 0]), ("y", path.xy[:, 1]), ("angle", path.angle))
    }
    sizes = (
        {"width": appearance.size[0], "height": appearance.size[1], **still}
        if appearance.shape == "box"
        else {}
    )
    return Body(
        path.name,
        appearance.shape,
        appearance.colour if _of_one_colour(appearance) and not evidence.filmed else None,
        (float(first[0]), float(first[1])) if crowded else None,
        "free" if path.moves or path.turns else "rest",
        None,
        path.turns,
        sizes,
        path.radii is not None,
        evidence.links.get(path.name, ()),
        path.rests_at_first and not evidence.filmed,
    )


def _of_one_colour(appearance: Appearance) -> bool:
    """Whether a body is flat, or a cut-out of one colour but for marks on it that leave it in one
    piece and do not reach out of it (as wheels do of a car): it is found by that."""
    if appearance.shape != "sprite" or appearance.sprite is None:
        return True
    solid = appearance.sprite[..., 3] > 0.5
    off = np.abs(255.0 * appearance.sprite[..., :3] - np.asarray(appearance.colour)).max(-1)
    own = (solid & (off < 20)).astype(np.uint8)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(own, connectivity=8)
    areas = stats[1:, cv2.CC_STAT_AREA]
    if areas.max(initial=0) <= FLAT * solid.sum():
        return False
    piece = np.argwhere(labels == 1 + areas.argmax())[:, ::-1].astype(np.int32)
    hull = cv2.convexHull(piece)
    within = cv2.drawContours(np.zeros_like(own), [hull], -1, 1, cv2.FILLED)
    within = cv2.dilate(within, np.ones((3, 3), np.uint8))
    return int((solid & (within == 0)).sum()) <= REACHING * solid.sum()


FLAT, REACHING = 0.7, 0.05
"""Share of a cut-out that has its colour, from which it is of one colour with marks, and up to which
these may lie beside it."""


def _in_plate(appearance: Appearance, plate: np.ndarray) -> bool:
    """Whether what stands still shows as much of a flat shape's colour as half of it."""
    if appearance.shape not in ("disk", "box") or appearance.colour is None:
        return False
    other = differs(plate, np.rint(appearance.colour), 24)
    return int(other.size - other.sum()) > 0.5 * appearance.area


SHORT_ARC = 0.8
"""Radians below which an arc gone through once says little about its centre."""


def _tolerance(*paths: Path) -> float:
    """Largest rms distance in pixels that measurement noise explains."""
    return max(
        0.35,
        2.5 * math.hypot(*[p.floor for p in paths]),
        *(1.5 * p.floor_angle * p.appearance.bounding_radius for p in paths),
    )


def _thinkable(*paths: Path) -> float:
    """Rms distance in pixels up to which a joint is thought of at all."""
    ways = [float(np.hypot(*np.ptp(p.xy[p.seen], axis=0))) for p in paths]
    return max(_tolerance(*paths), *(THRESHOLDS.astray * way for way in ways))


def near(a: Path, b: Path, slack: float = 3.0) -> bool:
    """Whether two looks touch or overlap in (almost) every frame that shows both."""
    both = a.seen & b.seen
    if not both.any():
        return False
    times = np.flatnonzero(both)[:: max(1, int(both.sum()) // 12)]
    reach = a.appearance.bounding_radius + b.appearance.bounding_radius + slack
    apart = np.hypot(*(a.xy[times] - b.xy[times]).T) > 2.0 * reach
    if apart.sum() >= len(times) - int(0.9 * (len(times) - 1)):
        return False  # whatever their outlines, in too many frames
    gaps = [gap(a, b, t) for t in times]
    return float(np.quantile(gaps, 0.9)) <= slack


def gap(a: Path, b: Path, t: int) -> float:
    """Distance between the two outlines at frame t, roughly (0 when they overlap)."""
    points = outline_at(b, t)
    inside = _distance(a, t, points)
    other = _distance(b, t, outline_at(a, t))
    return max(0.0, float(min(inside.min(), other.min())))


def outline_at(path: Path, t: int) -> np.ndarray:
    """(N, 2) points of a body's outline in the picture at frame t, and its middle."""
    appearance, (x, y), angle = path.appearance, path.xy[t], path.angle[t]
    if appearance.shape == "box":
        w, h = appearance.size[0] / 2, appearance.size[1] / 2
        u = np.linspace(-1, 1, 9)
        local = np.concatenate(
            [
                np.stack([u * w, 0 * u - h], 1),
                np.stack([u * w, 0 * u + h], 1),
                np.stack([0 * u - w, u * h], 1),
                np.stack([0 * u + w, u * h], 1),
                [[0, 0]],
            ]
        )
    elif appearance.shape == "polygon":
        local = np.vstack([appearance.corners, [[0, 0]]])
    elif path.outline is not None:
        local = np.vstack([path.outline, [[0, 0]]])
    else:
        a = np.linspace(0, 2 * math.pi, 16, endpoint=False)
        reach = (
            appearance.size[0] if appearance.shape == "disk" else appearance.bounding_radius * 0.7
        )
        local = np.vstack([np.stack([np.cos(a), np.sin(a)], 1) * reach, [[0, 0]]])
    c, s = math.cos(angle), math.sin(angle)
    return local @ np.array([[c, s], [-s, c]]) + (x, y)


def _distance(path: Path, t: int, points: np.ndarray) -> np.ndarray:
    """Signed distance of points to the look, roughly."""
    c, s = math.cos(path.angle[t]), math.sin(path.angle[t])
    local = (points - path.xy[t]) @ np.array([[c, -s], [s, c]])
    if path.appearance.shape == "box":
        return np.max(
            np.abs(local) - (path.appearance.size[0] / 2, path.appearance.size[1] / 2), axis=1
        )
    if path.appearance.shape == "sprite" and path.outline is not None:
        outline = path.outline.astype(np.float32)[:, None]
        return np.array([-cv2.pointPolygonTest(outline, (x, y), True) for x, y in local.tolist()])
    reach = (
        path.appearance.size[0]
        if path.appearance.shape == "disk"
        else path.appearance.bounding_radius * 0.7
    )
    return np.hypot(local[:, 0], local[:, 1]) - reach


# --------------------------------------------------------------------------------------------------


def carried(evidence: Evidence) -> dict[str, tuple[str, float]]:
    """Movers that keep their place on another mover that they touch: name -> (host, rms in
    pixels)."""
    return evidence.once(("riders",), lambda: _riders_of(evidence))


def _riders_of(evidence: Evidence) -> dict[str, tuple[str, float]]:
    movers = evidence.movers
    riders: dict[str, tuple[str, float]] = {}
    for path in sorted(movers, key=lambda p: p.appearance.bounding_radius):
        hosts = []
        for host in movers:
            if (
                host is path
                or host.name in riders
                or (path.waits and host.waits)  # rest tells of no bond
                or (
                    host.appearance.bounding_radius < path.appearance.bounding_radius
                    and host.appearance.shape == "disk"
                )
            ):
                continue
            if riders.get(host.name, ("",))[0] == path.name or _threaded(path, host, evidence):
                continue
            rms = _wanders(path, host)
            if (
                rms is not None
                and rms <= _tolerance(path, host)
                and (near(path, host) or _carried(path, host))
            ):
                hosts.append((rms + (0.15 if host.turns else 0.0), host.name, rms))
        if hosts and not any(h == path.name for h, _ in riders.values()):
            _, name, rms = min(hosts)
            riders[path.name] = (name, rms)
    return riders


def _threaded(path: Path, host: Path, evidence: Evidence) -> bool:
    """Whether a body strikes another and hangs on a thread, or is one of several alike that hang
    side by side, and the other its thread, or what it only hangs beside: they meet, and impacts are
    of bodies with a coordinate of their own."""
    size = host.appearance.size
    rod = (
        host.appearance.shape == "box"
        and max(size) > THRESHOLDS.rod * min(size) < THRESHOLDS.rod * path.radius
    )
    alike = look_alike(path, host, evidence.filmed)
    if rod and not evidence.filmed and _strikes(path, host, evidence):
        return True
    if not (rod or alike):
        return False
    like = [p for p in evidence.movers if look_alike(p, path, evidence.filmed)]
    hung = [c for p in like if (c := p.orbit) is not None and c.rms < _tolerance(p)]
    beside = any(
        abs(a.own[0] / b.own[0] - 1.0) < 0.05 and math.dist(a.other, b.other) > 2.0 * path.radius
        for a, b in itertools.combinations(hung, 2)
    )
    own = path.orbit
    arm = max((c.own[0] for c in hung), default=0.0)
    still = float(np.ptp(path.xy[path.seen], axis=0).max()) < THRESHOLDS.hardly * arm
    return beside and (still or (own is not None and own.rms < _tolerance(path)))


def _strikes(path: Path, host: Path, evidence: Evidence) -> bool:
    """Whether a body jumps beside another than its host that jumps at the same time."""

    def meets(other: Path, t: int) -> bool:
        both = [k for k in (t - 1, t, t + 1) if 0 <= k < len(path.xy)]
        both = [k for k in both if path.seen[k] and other.seen[k]]
        jumps = any(abs(k - t) <= 1 for k in other.kinks)
        return jumps and min((gap(path, other, k) for k in both), default=math.inf) < STRIKING

    others = [o for o in evidence.movers if o is not path and o is not host]
    return any(meets(other, t) for t in path.kinks for other in others)


STRIKING = 4.0
"""Pixels between two outlines, in the frame of a jump or beside it, up to which one struck the
other."""


def _carried(path: Path, host: Path) -> bool:
    """Whether a body goes round with another that turns so far that no chance would keep its place
    (as a mark on a wheel whose spoke is another part)."""
    both = path.seen & host.seen
    arm = float(np.median(np.hypot(*(path.xy[both] - host.xy[both]).T)))
    return host.turns and float(np.ptp(host.angle[both])) * arm > TURNED * _tolerance(path, host)


TURNED = 30.0
"""Tolerances that a place on a turning body must go round before it is taken to be carried."""


def _wanders(path: Path, host: Path) -> float | None:
    """How far a path strays (rms, px) from a fixed place in the host's frame; None if too short or
    turning differs."""
    both = path.seen & host.seen
    if both.sum() < 3:
        return None
    angle = host.angle[both] if host.turns else np.zeros(both.sum())
    if path.turns or (host.turns and path.appearance.turns):
        slip = np.ptp(path.angle[both] - angle) * path.appearance.bounding_radius
        if slip > 1.5 + 5 * path.sigma_angle * path.appearance.bounding_radius:
            return None
    offset = path.xy[both] - host.xy[both]
    c, s = np.cos(angle), np.sin(angle)
    local = np.stack([c * offset[:, 0] + s * offset[:, 1], -s * offset[:, 0] + c * offset[:, 1]], 1)
    return float(np.sqrt(np.mean((local - local.mean(0)) ** 2)))


# --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Joint:
    """One way for a body to move. cost: deviance (belief) of what it says about places, with its
    price. point: its angle tells nothing and is left out. place: the word in ``JOINTS`` for where a
    hinge is."""

    motion: str
    on: str | None
    numbers: Mapping[str, float]
    cost: float
    why: str
    point: bool = False
    place: str = ""


def _joints(path: Path, movers: list[Path], evidence: Evidence) -> list[Joint]:
    """Possible joints of one body, free motion included, likeliest first."""
    touching = [
        m for m in movers if m is not path and (near(m, path) or _pinned(m, path, evidence))
    ]
    rests = [p for p in evidence.paths.values() if not p.moves and not p.turns and near(p, path)]
    found = [_free(path, touching, rests)]
    tips = False
    if (view := view_of(path, evidence)) is not None and not evidence.filmed:
        why = f"{path.name} moves in depth, and its place and its radius go by one distance"
        cost = view.cost - 2.0 * JOINTS["receding"].log_odds
        found.append(Joint("receding", None, view.numbers, cost, why))
    if path.turns and path.seen.sum() >= 4:
        place = "hinge on a fixture" if rests else "hinge past a mover" if touching else "hinge"
        joint = pivot(path)
        tips = joint is not None and _tips(path, joint, evidence)
        place = "hinge where it stands" if tips else place
        found += _hinge(path, None, joint, place, evidence)
        for other in touching:
            found += _hinge(path, other, pivot(path, other), "hinge on a mover", evidence)
    if path.moves and (not path.turns or path.appearance.shape in ("disk", "sprite")):
        found += _orbit(path, rests, evidence)
        for other in movers:
            if other is not path and not other.turns and path.appearance.shape == "disk":
                link = _rod(path, other)
                found += [] if link is None else [link]
    guided = path.moves and not tips and proposed("rail")
    tracks = _track(path, found, evidence) if guided else []
    if path.moves and not path.turns:
        drawn = any("foot" in joint.numbers for joint in tracks)
        if drawn and not evidence.filmed and abs(line_of_travel(path)[1][0]) > LEANS:
            found[0] = _free(path, touching, rests, "free along a line that is drawn")
        found.append(_slide(path, "slide on a line that is drawn" if drawn else "slide"))
        if line_of_travel(path)[2] <= _tolerance(path):
            tracks = [joint for joint in tracks if curved(joint.numbers)]  # the rest are straight
    elif path.moves and np.isfinite(path.angle[path.seen]).sum() > 3:
        found += _roll(path)
    found += tracks
    return sorted(found, key=lambda j: j.cost)[:CHOICES]


CHOICES = 4
"""Joints of one body that are combined with those of the others."""


def _cost(
    place: str, rest: Sequence[np.ndarray], floor: float, parameters: int, path: Path
) -> float:
    """Deviance of a joint: what it leaves of the places it speaks about, its parameters, its
    price."""
    band = max(bandwidth(series[path.seen], floor) for series in path.xy.T)
    blows = np.searchsorted(np.flatnonzero(path.seen), path.kinks)  # an error may differ after one
    runs = [run for series in rest for run in np.split(series, blows) if len(run)]
    bands = [min(band, max(THRESHOLDS.modes, len(run) // 3)) for run in runs]
    said = misfit(runs, floor, bands) + complexity(parameters, len(rest[0]))
    return said - 2.0 * JOINTS[place].log_odds


LEANS = 0.1
"""Part along the level of a line's direction, above which what goes along it does not just fall."""


def _free(path: Path, touching: Sequence[Path], rests: Sequence[Path], place: str = "") -> Joint:
    place = place or (
        "free on the spot"
        if path.turns and _on_the_spot(path)
        else "free though touching"
        if touching
        else "free on a fixture"
        if rests
        else "free"
    )
    return Joint(
        "free",
        None,
        {},
        -2.0 * JOINTS[place].log_odds,
        f"{path.name} is taken to move on its own",
    )


SPOT = 0.1
"""Share of its radius by which the middle of a body that turns in place may seem to move."""


def _on_the_spot(path: Path) -> bool:
    return not path.moves or float(np.ptp(path.xy[path.seen], axis=0).max()) < SPOT * path.radius


def _unbound(path: Path, dt: Steps) -> float:
    """Deviance of a path by a steady pull alone: what speaks against free motion before its causes
    have been looked for."""
    one, zero = np.ones(len(path.xy)), np.zeros(len(path.xy))
    fields: list[Feature] = [
        ("gx", np.stack([one, zero], 1), bool),
        ("gy", np.stack([zero, one], 1), bool),
    ]
    return regress(path.xy, path.floor, dt, fields, path.kinks).bic


def _orbit(path: Path, rests: Sequence[Path], evidence: Evidence) -> list[Joint]:
    """A circle about a point of the picture, and about the point below which it would hang."""
    circle = path.orbit
    if circle is None or circle.rms > _thinkable(path):
        return []
    place = "orbit on a fixture" if rests else "orbit"
    found = [_about(path, circle, place)]
    if evidence.filmed and circle.spread > OFF_CIRCLE * circle.own[0]:
        hung = _hung(path, circle, evidence.dt)
        if hung.rms <= 1.5 * _thinkable(path):
            found.append(_about(path, hung, place))
    return found


def _hung_alike(
    path: Path, joints: list[Joint], bobs: Sequence[tuple[Path, Joint]], evidence: Evidence
) -> list[Joint]:
    """The joints of a body that hardly moves, and first that of its like that swings beside it, if
    it is where it would hang on such a thread: its own place tells nothing of how it is held."""
    place, extent = np.nanmedian(path.xy, axis=0), float(np.ptp(path.xy[path.seen], axis=0).max())
    for host, joint in bobs:
        pivot = np.array([joint.numbers["pivot_x"], joint.numbers["pivot_y"]])
        arm = float(np.nanmedian(np.hypot(*(host.xy - pivot).T)))
        low = pivot[1] + arm - place[1]
        if host is path or extent > THRESHOLDS.hardly * arm or abs(low) > THRESHOLDS.astray * arm:
            continue
        if not look_alike(path, host, evidence.filmed):
            continue
        off = np.hypot(*(path.xy[path.seen] - (place[0], place[1] - arm)).T) - arm
        numbers = {
            "pivot_x": float(place[0]), "pivot_y": float(place[1] - arm), "centre_x": arm,
            "centre_y": 0.0, "spread": 0.3, "gyration": path.radius / math.sqrt(2), "alike": 1.0,
        }  # fmt: skip
        cost = _cost("hung as its like", [off], path.floor, 1, path)
        hung = Joint("revolute", None, numbers, cost, f"{path.name} hangs as {host.name} does")
        return sorted([hung, *joints], key=lambda j: j.cost)[:CHOICES]
    return joints


def _bobs(
    choices: Mapping[str, list[Joint]], riders: Mapping[str, tuple[str, float]], evidence: Evidence
) -> Iterator[tuple[Path, Joint]]:
    """Bodies that may swing about a point of the picture, on a thread or at the end of a rod, with
    the joint about that point."""
    carried = [(evidence.paths[name], host) for name, (host, _) in riders.items()]
    own = [(evidence.paths[name], name) for name in choices if not evidence.paths[name].turns]
    for path, name in (*own, *carried):
        joints = choices.get(name, [])
        likely = min((j.cost for j in joints), default=0.0) + THRESHOLDS.hopeless
        for joint in joints:
            if joint.motion == "revolute" and joint.on is None and joint.cost < likely:
                yield path, joint


OFF_CIRCLE = 0.01
"""Uncertainty of a circle's centre, as a share of its radius, from which gravity has a say in where
it is."""


def _about(path: Path, circle: Pivot, place: str) -> Joint:
    """A circle as a joint. A body that turns may turn with its thread; else its own angle is left
    unexplained."""
    cost = _cost(place, circle.rest, path.floor, 3, path) + _one_way(path, circle)
    (arm, _), (x, y) = circle.own, circle.other
    lean, point, words = 0.0, path.turns, ""
    if path.turns:
        told = path.seen & np.isfinite(path.angle)
        angle, away = path.angle[told], path.xy[told] - (x, y)
        bearing = np.unwrap(np.arctan2(away[:, 1], away[:, 0]))
        share, _ = np.polyfit(bearing, angle, 1)  # light that stays holds a picture back
        floor = math.hypot(path.floor_angle, THRESHOLDS.outline / path.appearance.bounding_radius)
        own, with_thread = (
            misfit([one - one.mean()], floor, [len(one) // 3]) + complexity(k, len(one))
            for k, one in enumerate((angle, angle - share * bearing))
        )
        if with_thread < own and FOLLOWS[0] < share < FOLLOWS[1]:
            words = " and turns with its thread"
            if abs(share - 1.0) < TRULY:
                lean, point = float(np.median(bearing - angle)), False
            own = with_thread
        cost += own
    numbers = {
        "pivot_x": x,
        "pivot_y": y,
        "centre_x": arm * math.cos(lean),
        "centre_y": arm * math.sin(lean),
        "spread": max(circle.spread, 0.3),
        "gyration": path.radius / math.sqrt(2),
    }
    why = f"{path.name} keeps {arm:.0f} px from ({x:.0f}, {y:.0f}){words}"
    return Joint("revolute", None, numbers, cost, why, point=point)


FOLLOWS, TRULY = (0.15, 1.6), 0.25
"""Shares of a thread's turn that the picture of a bob shows which turns with it (shading stays where
the light is, so that a small mark on a large ball shows little), and by how much less or more than
the whole its angle is off, and no measure of it."""


def _hung(path: Path, circle: Pivot, dt: Steps) -> Pivot:
    """The centre about which a path is nearly a circle and the motion that of a pendulum that hangs
    straight down: a short arc alone tells little of its centre, least of all through a lens."""

    def around(centre: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        offset = path.xy - centre
        return offset, np.hypot(*offset[path.seen].T)

    def cost(centre: np.ndarray) -> float:
        offset, radii = around(centre)
        series = bearing(offset)[:, None]
        values, spin = smooth(series, dt, path.kinks)
        features: list[Feature] = [("down", np.cos(values), bool), ("damping", -spin, bool)]
        swing = regress(series, path.floor / max(radii.mean(), 1.0), dt, features, path.kinks)
        off = _cost("orbit", [radii - radii.mean()], path.floor, 3, path)
        return off + (swing.bic if swing.values.get("down", 0.0) > 0 else 1e6)

    start, step = np.array(circle.other), max(circle.spread, 0.1 * circle.own[0])
    simplex = start + step * np.array([[0.0, 0.0], [1.0, 0.0], [0.0, -1.0]])
    found = minimize(
        cost, start, method="Nelder-Mead", options={"maxfev": 60, "initial_simplex": simplex}
    )
    _, radii = around(found.x)
    rest = radii - radii.mean()
    return replace(
        circle,
        own=(float(radii.mean()), 0.0),
        other=(float(found.x[0]), float(found.x[1])),
        rms=float(rest.std()),
        rest=(rest,),
    )


def _slide(path: Path, place: str) -> Joint:
    """A straight line. place: a name of JOINTS."""
    point, axis, _ = line_of_travel(path)
    across = (path.xy[path.seen] - point) @ np.array([-axis[1], axis[0]])
    numbers = {"at_x": point[0], "at_y": point[1], "axis_x": axis[0], "axis_y": axis[1]}
    return Joint(
        "prismatic",
        None,
        {key: float(value) for key, value in numbers.items()},
        _cost(place, [across], path.floor, 2, path),
        f"{path.name} keeps to a straight line" + (" that is drawn" if "drawn" in place else ""),
    )


def _roll(path: Path) -> list[Joint]:
    """A straight line along which a round body turns as far as it goes."""
    point, axis, _ = line_of_travel(path)
    way, angle = path.xy[path.seen] - point, path.angle[path.seen]
    along, across = way @ axis, way @ np.array([-axis[1], axis[0]])
    told = np.isfinite(angle)
    rate, lean = np.polyfit(along[told], angle[told], 1)
    turned = np.where(told, angle - (lean + rate * along), 0.0)
    reach = path.radius
    if np.ptp(along) < reach or not 1 / ROLLS < abs(rate) * reach < ROLLS:
        return []
    if max(across.std(), turned.std() * reach) > _thinkable(path):
        return []
    numbers = {"at_x": point[0], "at_y": point[1], "axis_x": axis[0], "axis_y": axis[1]}
    numbers |= {"roll": 1 / abs(rate), "lean": lean, "side": math.copysign(1.0, rate)}
    floor = math.hypot(path.floor, path.floor_angle * reach)
    cost = _cost("roll", [across, turned * reach], floor, 4, path)
    return [
        Joint(
            "prismatic",
            None,
            {key: float(value) for key, value in numbers.items()},
            cost,
            f"{path.name} rolls along a straight line",
        )
    ]


ROLLS = 2.2
"""Factor by which the radius that a body rolls on may differ from that of its outline."""


def _track(path: Path, found: Sequence[Joint], evidence: Evidence) -> list[Joint]:
    """A curve that is drawn, gone over more than once, or turned along with."""
    pinned = any(j.motion == "revolute" and j.on is None and j.cost < PINNED for j in found)
    rail = None if pinned else rail_numbers(path, evidence.tracks.plate)  # a round track is a hinge
    straight = line_of_travel(path)[2] <= _tolerance(path)
    if rail is None or (straight and "foot" not in rail):
        return []
    bent = "foot" in rail and not (straight and evidence.filmed)  # footage is full of edges
    place = "track that is drawn" if bent else "track"
    words = (
        "runs on the track that is drawn"
        if "foot" in rail
        else "turns with its path, as on a track"
        if "lean0" in rail
        else "goes over one curve more than once"
    )
    read_off = 1 if "foot" in rail else len(rail)  # a line that is drawn says its own shape
    floor = math.hypot(path.floor, THRESHOLDS.outline)
    cost = _cost(place, off_rail(rail, path), floor, read_off, path)
    return [Joint("bead", None, rail, cost, f"{path.name} {words}")]


PINNED = 100.0
"""Deviance up to which a circle through a path leaves no room for a track."""


def _one_way(path: Path, circle: Pivot) -> float:
    """Charge on a circle of which a short arc was seen, one way only: any bend looks like that."""
    away = path.xy[path.seen] - np.array(circle.other)
    directions = np.unwrap(np.arctan2(away[:, 1], away[:, 0]))
    arc = float(np.ptp(directions))
    return (
        40.0 * max(0.0, 1.0 - arc / SHORT_ARC)
        if np.abs(np.diff(directions)).sum() < 1.2 * arc
        else 0.0
    )


def _pinned(a: Path, b: Path, evidence: Evidence) -> bool:
    """Whether a small disk lies on both bodies and hides the place where they meet."""
    pins = (
        p
        for p in evidence.paths.values()
        if p.appearance.shape == "disk"
        and p is not a
        and p is not b
        and p.appearance.bounding_radius
        < 0.5 * min(a.appearance.bounding_radius, b.appearance.bounding_radius)
    )
    return any(near(pin, a) and near(pin, b) for pin in pins)


def _tips(path: Path, joint: Pivot, evidence: Evidence) -> bool:
    """Whether a point of the picture about which a body turns is a corner with which it stands on a
    drawn floor."""
    if path.appearance.shape not in ("box", "polygon"):
        return False
    reach = math.hypot(*joint.own)
    at_end = 0.7 < reach / max(path.appearance.bounding_radius, 1.0) < 1.3
    floors = (s for s in boundaries(path, evidence) if not s.border and s.normal == (0, -1))
    return at_end and any(abs(-joint.other[1] - s.offset) < STANDS for s in floors)


STANDS = 4.0
"""Pixels from the floor up to which a corner stands on it."""


def _gyration(appearance: Appearance) -> float:
    """Radius of gyration in pixels: exact for a box, a guess for any other shape."""
    if appearance.shape == "box":
        return math.sqrt((appearance.size[0] ** 2 + appearance.size[1] ** 2) / 12)
    return 0.6 * appearance.bounding_radius


def _hinge(
    path: Path, other: Path | None, joint: Pivot | None, place: str, evidence: Evidence
) -> list[Joint]:
    """A point that two bodies, or a body and the picture, share."""
    bodies = [path, *([other] if other else [])]
    if joint is None or joint.rms > 2.0 * _thinkable(*bodies):
        return []
    if not all(map(math.isfinite, (*joint.own, *joint.other))):
        return []
    floor = math.hypot(
        THRESHOLDS.outline,
        *(p.floor for p in bodies),
        *(p.floor_angle * p.appearance.bounding_radius for p in bodies if p.turns),
    )
    cost = _cost(place, joint.rest, floor, 4, path) + AWAY * _astray(path, other, joint)
    numbers = {
        "pivot_x": float(joint.other[0]),
        "pivot_y": float(joint.other[1]),
        "centre_x": -float(joint.own[0]),
        "centre_y": -float(joint.own[1]),
        "spread": float(min(max(joint.spread, 0.3), 20.0)),
        "gyration": _gyration(path.appearance),
    }
    if place == "hinge where it stands":
        numbers["stands"] = 1.0
    if other is not None:
        numbers |= _axle(path, other, joint, evidence)
    where = "a fixed point" if other is None else other.name
    return [
        Joint(
            "revolute",
            other.name if other else None,
            numbers,
            cost,
            f"one point of {path.name} stays on {where} (off by {joint.rms:.2f} px rms)",
            place=place,
        )
    ]


AWAY = 12.0
"""Deviance for each of a body's own sizes by which a hinge lies outside of it, and for one at the
middle of a body, where nothing tells it from turning freely."""


def _astray(path: Path, other: Path | None, joint: Pivot) -> float:
    """How oddly a hinge lies in its bodies: 0 at their ends."""
    reach = math.hypot(*joint.own)
    away = 0.0
    for body, place in ((path, joint.own), (other, joint.other)):
        if body is not None:
            size = body.appearance.bounding_radius
            away += max(0.0, math.hypot(*place) - 1.15 * size) / size
    middle = (
        1.0 - min(1.0, reach / (0.5 * path.appearance.bounding_radius))
        if path.appearance.shape != "disk" and path.moves
        else 0.0
    )
    swing = float(np.ptp(path.angle[path.seen]))
    return min(away, 4.0) * min(1.0, 1.0 / max(joint.spread, 0.3)) + middle * (
        1.0 if swing < 1.0 else 0.2
    )


def _axle(path: Path, other: Path, joint: Pivot, evidence: Evidence) -> dict[str, float]:
    """If a small disk sits where the hinge may be, the hinge is its centre."""
    for disk in evidence.paths.values():
        if (
            disk.appearance.shape != "disk"
            or disk is path
            or disk is other
            or disk.appearance.bounding_radius > 0.5 * path.appearance.bounding_radius
        ):
            continue
        on_path, on_other = _place(disk, path), _place(disk, other)
        if (
            on_path is None
            or on_other is None
            or math.dist(on_path, joint.own) > 3 * joint.spread + 4
        ):
            continue
        return {
            "pivot_x": on_other[0],
            "pivot_y": on_other[1],
            "centre_x": -on_path[0],
            "centre_y": -on_path[1],
            "spread": 0.6,
        }
    return {}


def _place(path: Path, host: Path) -> tuple[float, float] | None:
    """Median place of one body in another's frame if it stays there, else None."""
    both = path.seen & host.seen
    strays = _wanders(replace(path, turns=False), host)
    if strays is None or strays > 2 * _tolerance(path, host):
        return None
    angle = host.angle[both] if host.turns else np.zeros(both.sum())
    offset = path.xy[both] - host.xy[both]
    c, s = np.cos(angle), np.sin(angle)
    return float(np.median(c * offset[:, 0] + s * offset[:, 1])), float(
        np.median(-s * offset[:, 0] + c * offset[:, 1])
    )


def _rod(path: Path, other: Path) -> Joint | None:
    """An undrawn rod: constant distance between the centres of two bodies that both move
    differently."""
    both = path.seen & other.seen
    if both.sum() < 6:
        return None
    offset = path.xy[both] - other.xy[both]
    distance = np.hypot(offset[:, 0], offset[:, 1])
    turn = np.ptp(np.unwrap(np.arctan2(offset[:, 1], offset[:, 0])))
    if distance.std() > _thinkable(path, other) or turn < 0.15 or distance.mean() < 1:
        return None
    floor = math.hypot(path.floor, other.floor, THRESHOLDS.outline)
    band = [bandwidth(distance, floor), max(bandwidth(v, floor) for v in offset.T)]
    cost = misfit([distance - distance.mean()], floor, [max(band)])
    return Joint(
        "revolute",
        other.name,
        {
            "pivot_x": 0.0,
            "pivot_y": 0.0,
            "centre_x": float(distance.mean()),
            "centre_y": 0.0,
            "spread": 0.5,
            "gyration": path.radius / math.sqrt(2),
            "mass": (path.radius / other.radius) ** 2,
        },
        cost + complexity(1, len(distance)) - 2.0 * JOINTS["rod"].log_odds,
        f"{path.name} keeps {distance.mean():.0f} px from {other.name}",
    )


def _combinations(
    movers: Sequence[Path], choices: Mapping[str, list[Joint]], unbound: Mapping[str, float]
) -> Iterator[dict[str, Joint]]:
    """Consistent choices of one joint for each mover (no cycles; sliders only where something hangs
    on them), most plausible first, and the plainest of those in which nothing carries another. Of
    those that begin alike the likeliest is looked at first, and what begins inconsistently goes no
    further. unbound: what it costs that a mover is free, beside its joint."""
    names = [path.name for path in movers]

    def cost(name: str, joint: Joint) -> float:
        return joint.cost + (unbound[name] if joint.motion == "free" else 0.0)

    costs = [[cost(name, joint) for joint in choices[name]] for name in names]
    rest = [sum(min(of) for of in costs[k:]) for k in range(len(names) + 1)]
    heap: list[tuple[float, tuple[int, ...]]] = [(rest[0], ())]
    listed, loose = 0, False
    for _ in range(TRIED):
        if not heap or listed == LISTED:
            break
        _, taken = heapq.heappop(heap)
        chosen = {name: choices[name][k] for name, k in zip(names, taken, strict=False)}
        if not _sound(chosen, names):
            continue
        if len(taken) == len(names):
            loose |= all(joint.motion in LOOSE for joint in chosen.values())
            listed += 1
            yield chosen
            continue
        so_far = sum(costs[i][k] for i, k in enumerate(taken))
        for k, more in enumerate(costs[len(taken)]):
            heapq.heappush(heap, (so_far + more + rest[len(taken) + 1], (*taken, k)))
    if not loose:
        plain = {n: [j for j in choices[n] if j.motion in LOOSE and j.on is None] for n in names}
        if all(plain.values()):
            yield {name: min(plain[name], key=lambda joint: joint.cost) for name in names}


TRIED = 4000
"""Beginnings of combinations that are looked at: seventeen specks of a noisy picture, each of which
may hang on each other one, have more than could be walked through (Atwood's machine with noise)."""


def _sound(chosen: Mapping[str, Joint], movers: Collection[str]) -> bool:
    """Whether no choice so far hangs on itself, or on what carries nothing; what hangs on a mover
    without a joint yet may come right."""
    for name, joint in chosen.items():
        seen, here = {name}, joint.on
        while here is not None and here in chosen:
            if here in seen or chosen[here].motion in CARRY_NOTHING:
                return False
            seen.add(here)
            here = chosen[here].on
        if here is not None and here not in movers:
            return False
    return True
