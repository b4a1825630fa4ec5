"""Coordinates that are functions of others: gears, belts, ropes over pulleys, cranks.

Each mover that keeps to a line or turns about a point has one coordinate. Two of them, each scaled
by its noise, are stacked over time: where their matrix has one singular value above the noise, the
two have one degree of freedom between them, and the ratio is the direction of that value (total
least squares; Golub and Van Loan, SIAM J. Numer. Anal. 17, 1980). A crank is a function of another
shape and is fitted as such.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import least_squares

from agent.proposers.offline.belief import bandwidth, complexity, misfit
from agent.proposers.offline.evidence import Evidence, Path
from agent.proposers.offline.images import Cast, casts
from agent.proposers.offline.kinematics import Joint, Structure, carried, combined, joints_of
from agent.proposers.offline.kinematics import structures as uncoupled
from agent.proposers.offline.mechanism import Mechanism, Term, axis_of
from agent.proposers.offline.priors import JOINTS, THRESHOLDS, proposed

BENT = 5.0
"""Times its noise by which a coordinate must leave steady motion, so that it tells what it goes
with: two that move steadily go together by chance."""

RADII = 0.08
"""Share by which a ratio may miss that of two radii: rims are drawn, and where gears mesh is not."""

ALIKE, TOUCHING = 0.04, 1.5
"""Radians by which a thread's angle may stray from its bob's, and pixels off their line."""

WAY = 8.0
"""Times its noise that a coordinate must go at all."""

BURSTING = 3.0
"""Times its noise that a pair may leave in the mean and still be thought of as one."""


@dataclass(frozen=True)
class Axis:
    """One coordinate. series: (T,) px or rad; floor: noise in the same unit; line: (2,) unit
    vector of a slider; rim: radius of the wheel that turns (px), 0.0 where none is known."""

    path: Path
    joint: Joint
    series: np.ndarray
    floor: float
    rim: float = 0.0

    @property
    def slides(self) -> bool:
        """Whether it is a place along a line, not an angle."""
        return self.joint.motion == "prismatic"

    @property
    def bends(self) -> bool:
        """Whether it leaves steady motion by more than noise."""
        seen = np.isfinite(self.series)
        times = np.flatnonzero(seen)
        if len(times) < 5:
            return False
        steady = np.polynomial.Polynomial.fit(times, self.series[seen], 1)
        return float(np.std(self.series[seen] - steady(times))) > BENT * self.floor

    @property
    def middle(self) -> np.ndarray:
        """(2,) point of the picture about which it turns."""
        return np.array([self.joint.numbers["pivot_x"], self.joint.numbers["pivot_y"]])


@dataclass(frozen=True)
class Tie:
    """A coupling of two coordinates. kind: one of mechanism.COUPLINGS. cost: deviance of what it leaves, with
    its price and less what the follower's line costs on its own."""

    kind: str
    follower: Axis
    leader: Axis
    numbers: Mapping[str, float]
    cost: float
    why: str

    @property
    def term(self) -> Term:
        """As a term of a mechanism."""
        names = (self.follower.path.name, self.leader.path.name)
        return Term(self.kind, names, self.numbers)


def structures(evidence: Evidence) -> list[Structure]:
    """What ``kinematics`` finds, and the same movers with the coordinates that follow others bound
    to them, most plausible first. Shadows are no bodies in any of them."""
    cast = casts(evidence, {name: host for name, (host, _) in carried(evidence).items()})
    shadows = {one.name: one.host for one in cast if one.kind == "shadow"}
    choices = {n: j for n, j in joints_of(evidence, shadows).items() if n not in shadows}
    plain = [*_mirrored(cast, shadows, choices, evidence), *uncoupled(evidence, shadows)]
    hung = threads(choices, evidence)
    loose = {name: joints for name, joints in choices.items() if name not in hung}
    found = ties(loose, evidence)
    found = _with_rods(found, loose, evidence) if proposed("connecting_rod") else found
    fixed = {a.path.name: a.joint for tie in found for a in (tie.follower, tie.leader)}
    held = {n: [fixed[n]] if n in fixed else j for n, j in choices.items()}
    held |= {name: held[name][:1] for name in hung}
    bound = combined(held, evidence, shadows) if found or hung else []
    cost, terms = sum(tie.cost for tie in found), tuple(tie.term for tie in found)
    why = "".join(f"; {said}" for said in [t.why for t in found] + [h.why for h in hung.values()])
    coupled = [
        Structure(replace(_welded(s.mechanism, hung), terms=terms), s.cost + cost, s.why + why)
        for s in bound[:MOST]
    ]
    told = "".join(f"; {one.why}" for one in cast if one.kind == "shadow")
    return [replace(s, why=s.why + told) for s in (*coupled, *plain)]


@dataclass(frozen=True)
class Thread:
    """What holds a bob. host: the bob's name. middle: (x, y) that it hangs from."""

    host: str
    middle: tuple[float, float]
    why: str


def threads(choices: Mapping[str, Sequence[Joint]], evidence: Evidence) -> dict[str, Thread]:
    """Movers that lie along the way from a disk to the point it turns about, and go with it: one
    body with it."""
    found: dict[str, Thread] = {}
    for host, joints in ((evidence.paths[name], joints) for name, joints in choices.items()):
        joint = next((j for j in joints if j.motion == "revolute" and j.on is None), None)
        if joint is None or not host.circular:
            continue
        middle = (joint.numbers["pivot_x"], joint.numbers["pivot_y"])
        for name in choices:
            path = evidence.paths[name]
            if name not in found and not path.circular and _along(path, host, middle):
                found[name] = Thread(host.name, middle, f"{name} is what {host.name} hangs on")
    return found


def _along(path: Path, host: Path, middle: tuple[float, float]) -> bool:
    """Whether a mover stays between a point and a body that turns about it, on their line. Of a
    thread more and less may be seen, so that its middle may run along it."""
    both = path.seen & host.seen
    if both.sum() < 6:
        return False
    away, offset = host.xy[both] - middle, path.xy[both] - middle
    arm = np.hypot(*away.T)
    along = (offset * away).sum(1) / arm
    across = (offset[:, 1] * away[:, 0] - offset[:, 0] * away[:, 1]) / arm
    level = np.arctan2(away[:, 1], away[:, 0])
    turn = np.unwrap(2.0 * (path.angle[both] - level)) / 2.0 if path.turns else np.zeros(1)
    return bool(
        np.sqrt(np.mean(across**2)) < TOUCHING
        and along.std() < 2.0 * TOUCHING
        and 0.0 < along.mean() < arm.mean()
        and turn.std() < ALIKE
    )


def _welded(mechanism: Mechanism, hung: Mapping[str, Thread]) -> Mechanism:
    """A mechanism in which threads are fixed to their bobs, which can meet each other."""
    bodies = {body.name: body for body in mechanism.bodies}
    for name, one in hung.items():
        sizes = {k: v for k, v in bodies[name].numbers.items() if k in ("width", "height")}
        numbers = {**sizes, "about_x": one.middle[0], "about_y": one.middle[1]}
        bodies[name] = replace(bodies[name], motion="weld", on=one.host, numbers=numbers)
    return replace(mechanism, bodies=tuple(bodies.values()))


def _mirrored(
    cast: Sequence[Cast],
    shadows: Mapping[str, str],
    choices: Mapping[str, list[Joint]],
    evidence: Evidence,
) -> list[Structure]:
    """Structures in which mirror images are no bodies of their own."""
    found = [one for one in cast if one.kind == "image"]
    if not found:
        return []
    images = {one.name: one.host for one in found}
    rest = {name: joints for name, joints in choices.items() if name not in images}
    cost, why = sum(one.cost for one in found), "; ".join(one.why for one in found)
    return [
        replace(s, cost=s.cost + cost, why=f"{s.why}; {why}")
        for s in combined(rest, evidence, {**shadows, **images})[:MOST]
    ]


MOST = 3
"""Structures with couplings that are weighed: what else moves may be joined in several ways."""


def ties(choices: Mapping[str, Sequence[Joint]], evidence: Evidence) -> list[Tie]:
    """Couplings that the movers' coordinates show, likeliest first, each body in at most one role:
    a leader follows nothing, and a follower has one leader."""
    axes = [
        a for name, found in choices.items() for a in _axes(evidence.paths[name], found, evidence)
    ]
    every = sorted(
        (
            tie
            for a in axes
            for b in axes
            if a.path is not b.path
            for tie in _between(a, b, evidence)
            if proposed(tie.kind)
        ),
        key=lambda tie: tie.cost,
    )
    kept: list[Tie] = []
    for tie in every:
        leads = {t.leader.path.name: t.leader for t in kept}
        follows = {t.follower.path.name for t in kept}
        own, lead = tie.follower.path.name, tie.leader.path.name
        alike = leads.get(lead, tie.leader) is tie.leader
        if own not in follows and own not in leads and lead not in follows and alike:
            kept.append(tie)
    return kept


def _axes(path: Path, joints: Sequence[Joint], evidence: Evidence) -> Iterator[Axis]:
    """Coordinates that a mover may have; what hangs as its like hardly moves, and tells of none."""
    if joints and "alike" in joints[0].numbers:
        return
    for motion in ("prismatic", "revolute"):
        joint = next((j for j in joints if j.motion == motion and j.on is None), None)
        if joint is None or joint.cost > min(j.cost for j in joints) + THRESHOLDS.hopeless:
            continue
        n = joint.numbers
        if motion == "prismatic":
            yield Axis(path, joint, path.xy @ np.array(axis_of(n)), path.floor)
        elif path.turns and not joint.point:
            yield Axis(path, joint, path.angle, path.floor_angle, _rim(path, joint, evidence))
        else:
            away = path.xy - (n["pivot_x"], n["pivot_y"])
            angle = np.full(len(away), np.nan)
            seen = np.isfinite(away[:, 0])
            angle[seen] = np.unwrap(np.arctan2(away[seen, 1], away[seen, 0]))
            noise = path.floor / max(float(np.nanmedian(np.hypot(*away.T))), 1.0)
            yield Axis(path, joint, angle, noise, _rim(path, joint, evidence))


def _rim(path: Path, joint: Joint, evidence: Evidence) -> float:
    """Radius of the round thing about the pivot of a body that turns: itself, or what it is a mark
    on."""
    pivot = (joint.numbers["pivot_x"], joint.numbers["pivot_y"])
    found = []
    for other in evidence.paths.values():
        middle = np.nanmedian(other.xy, axis=0)
        if math.dist(middle, pivot) < 0.15 * other.appearance.bounding_radius + 1.0:
            looks = other.appearance  # half the diagonal of a picture lies beyond its rim
            found.append(other.radius if looks.shape == "sprite" else looks.bounding_radius)
    return max(found, default=0.0)


def _between(follower: Axis, leader: Axis, evidence: Evidence) -> Iterator[Tie]:
    """Couplings of two coordinates, in this order."""
    both = np.isfinite(follower.series) & np.isfinite(leader.series)
    if both.sum() < 8 or min(_way(follower, both), _way(leader, both)) < WAY:
        return
    if not leader.slides and follower.slides:
        yield from _crank(follower, leader, both)
    if follower.slides and not leader.slides:
        return  # what slides leads: its place says where the wheel's mark is
    if follower.slides == leader.slides and follower.path.name < leader.path.name:
        return  # one order of two is enough
    ratio, left = _ratio(follower, leader, both)
    if float(np.sqrt(np.mean(left**2))) > BURSTING:
        return
    named = _named(follower, leader, ratio, evidence)
    if named is None:
        return
    kind, place, words = named
    bands = [max(bandwidth(a.series[both] / a.floor, 1.0) for a in (follower, leader))]
    said = misfit([left], 1.0, bands) + complexity(1, int(both.sum()))
    numbers = {"ratio": ratio} if kind != "pulley" else {}
    names = f"{follower.path.name} and {leader.path.name}"
    yield Tie(
        kind, follower, leader, numbers, _priced(said, place, follower, leader), f"{names} {words}"
    )


def _way(axis: Axis, both: np.ndarray) -> float:
    return float(np.ptp(axis.series[both])) / max(axis.floor, 1e-9)


def _priced(said: float, place: str, *axes: Axis) -> float:
    """With the price of the coupling, and without that of lines, and of touching beside a pivot,
    that it explains."""
    lines = sum(2.0 * JOINTS["slide"].log_odds for axis in axes if axis.slides)
    past = [axis for axis in axes if axis.joint.place == "hinge past a mover"]
    excess = 2.0 * (JOINTS["hinge"].log_odds - JOINTS["hinge past a mover"].log_odds)
    meshing = len(past) * excess if place == "gear" else 0.0
    return said + lines - meshing - 2.0 * JOINTS[place].log_odds


def _ratio(follower: Axis, leader: Axis, both: np.ndarray) -> tuple[float, np.ndarray]:
    """(way of the follower for one of the leader, (N,) what is left in units of noise)."""
    scaled = np.stack([a.series[both] / max(a.floor, 1e-9) for a in (follower, leader)], 1)
    scaled = scaled - scaled.mean(0)
    _, _, directions = np.linalg.svd(scaled, full_matrices=False)
    own, lead = directions[0]
    across = scaled @ directions[1]
    if abs(lead) < 1e-9:
        return math.inf, across + 1e9
    return float(own / lead * follower.floor / leader.floor), across


def _named(
    follower: Axis, leader: Axis, ratio: float, evidence: Evidence
) -> tuple[str, str, str] | None:
    """(kind of the coupling, its prior, words) for a ratio; None where nothing but chance speaks
    for it."""
    if follower.slides and leader.slides:
        upright = all(abs(axis_of(a.joint.numbers)[1]) > 0.9 for a in (follower, leader))
        if abs(ratio + 1.0) < 0.04 and upright:
            return "pulley", "pulley", "go up and down against each other, as on one rope"
        bent = follower.bends and leader.bends
        return ("belt", "ratio", f"move as one, {ratio:.2f} to 1") if bent else None
    rims = [axis.rim for axis in (follower, leader) if not axis.slides]
    if not follower.slides and not leader.slides:
        if min(rims) > 0 and abs(abs(ratio) * rims[0] / rims[1] - 1.0) < RADII:
            gap = math.dist(follower.middle, leader.middle) - sum(rims)
            if ratio < 0 and abs(gap) < 0.15 * sum(rims):
                return "gear", "gear", "turn as gears that mesh"
            if ratio > 0 and gap > 0:
                return "belt", "belt", "turn together, as on a belt"
    elif rims[0] > 0 and abs(abs(ratio) * rims[0] - 1.0) < RADII:
        return "belt", "rack", "go together as a rope on a wheel"
    bent = follower.bends and leader.bends
    return ("belt", "ratio", f"turn as one, {ratio:.2f} to 1") if bent else None


def _crank(follower: Axis, leader: Axis, both: np.ndarray) -> Iterator[Tie]:
    """A slider that is pushed by a rod from the pin of a wheel or a crank."""
    lead, own = leader.series[both], follower.series[both]
    if np.ptp(lead) < 1.0:
        return
    dx, dy = axis_of(follower.joint.numbers)
    half = np.ptp(own) / 2
    axle = float(leader.middle @ (dx, dy))
    side = math.copysign(1.0, float(np.mean(own)) - axle)
    fits = [
        least_squares(
            lambda x: (_slid(lead, x, side) - own) / follower.floor,
            [half, 3.0 * half, axle, phase],
            x_scale="jac",
            max_nfev=60,
        )
        for phase in np.linspace(-math.pi, math.pi, 6, endpoint=False)
    ]
    best = min(fits, key=lambda fit: float(fit.cost))
    throw, rod, base, phase = best.x
    phase += math.pi if throw < 0 else 0.0  # the same crank, said the other way
    throw, rod = abs(throw), abs(rod)
    if rod < 1.05 * throw or float(np.mean(best.fun**2)) > BURSTING**2:
        return
    said = misfit([best.fun], 1.0, [bandwidth(own / follower.floor, 1.0)])
    said += complexity(4, int(both.sum()))
    numbers = {
        "throw": float(throw), "rod": float(rod), "base": float(base),
        "heading": math.remainder(-phase, math.tau), "side": side,
    }  # fmt: skip
    why = f"{leader.path.name} drives {follower.path.name} by a rod, as a crank"
    yield Tie("crank", follower, leader, numbers, _priced(said, "crank", follower), why)


def _slid(lead: np.ndarray, x: np.ndarray, side: float) -> np.ndarray:
    """Place of the slider for angles of the crank; x: throw, rod, base, phase."""
    throw, rod, base, phase = x
    across = throw * np.sin(lead + phase)
    return (
        base + throw * np.cos(lead + phase) + side * np.sqrt(np.maximum(rod**2 - across**2, 1e-6))
    )


def _on_pin(joints: Sequence[Joint], crank: Tie) -> Joint | None:
    """The joint by which a rod hangs on a crank's pin: as found there, or as follows from that by
    which it hangs on the slider, where the crank hides its other end."""
    lead, own = crank.leader.path.name, crank.follower.path.name
    found = {j.on: j for j in reversed(joints) if j.motion == "revolute"}
    if lead in found or own not in found:
        return found.get(lead)
    n, joint = crank.numbers, found[own]
    centre = np.array([joint.numbers["centre_x"], joint.numbers["centre_y"]])
    centre -= n["rod"] * centre / max(float(np.hypot(*centre)), 1e-9)
    places = {
        "pivot_x": n["throw"] * math.cos(n["heading"]),
        "pivot_y": -n["throw"] * math.sin(n["heading"]),
        "centre_x": float(centre[0]),
        "centre_y": float(centre[1]),
    }
    return replace(joint, on=lead, numbers={**joint.numbers, **places})


def _with_rods(
    found: Sequence[Tie], choices: Mapping[str, Sequence[Joint]], evidence: Evidence
) -> list[Tie]:
    """The same couplings with connecting rods that are drawn: what hangs on a crank's pin and
    points to the slider. How it leans tells its length, which the slider's way alone hardly does.
    """
    taken = {a.path.name for tie in found for a in (tie.follower, tie.leader)}
    told: list[Tie] = []
    for crank in found:
        rods = [
            rod
            for name, joints in choices.items()
            if crank.kind == "crank" and name not in taken
            if (joint := _on_pin(joints, crank)) is not None
            if (rod := _rod(crank, evidence.paths[name], joint)) is not None
        ]
        if rods:
            known = {k: rods[0].numbers[k] for k in crank.numbers}
            crank = replace(crank, numbers=known)
        told += [crank, *rods]
    return told


def _rod(crank: Tie, path: Path, joint: Joint) -> Tie | None:
    """The rod between crank and slider that a body is, if it leans as that would."""
    n, side = crank.numbers, crank.numbers["side"]
    angles, aside = path.angle, np.sin(crank.leader.series - n["heading"])
    seen = np.flatnonzero(np.isfinite(angles) & np.isfinite(aside))
    if not path.turns or len(seen) < 8:
        return None

    def left(x: np.ndarray) -> np.ndarray:
        swing = -side * np.arcsin(np.clip(x[0] * aside[seen], -1.0, 1.0))
        return np.asarray((angles[seen] - swing - x[1]) / path.floor_angle)

    share = n["throw"] / n["rod"]
    turn = float(np.median(angles[seen] + side * np.arcsin(np.clip(share * aside[seen], -1, 1))))
    fit = least_squares(left, [share, turn], x_scale="jac")
    rod = n["throw"] / max(float(fit.x[0]), 1e-9)
    if abs(math.log(rod / n["rod"])) > LEANS or np.mean(fit.fun**2) > (2 * BURSTING) ** 2:
        return None
    base = n["base"] - side * (rod - n["rod"])
    numbers = {**n, "rod": rod, "base": base, "turn": float(fit.x[1])}
    cost = misfit([fit.fun], 1.0, [4]) - 2.0 * JOINTS["crank"].log_odds
    axis = Axis(path, joint, path.angle, path.floor_angle)
    return Tie("connecting_rod", axis, crank.leader, numbers, cost, f"{path.name} is its rod")


LEANS = 0.2
"""Logarithm of the ratio up to which a rod's length as it leans may differ from that by which the
slider goes."""
