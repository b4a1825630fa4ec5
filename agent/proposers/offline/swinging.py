"""What swings on a pivot: causes of one pendulum, and what pendulums side by side share."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from agent.proposers.offline.alike import look_alike
from agent.proposers.offline.contacts import TOUCHED, by_area, collisions, is_round, met_with, snug
from agent.proposers.offline.evidence import Evidence, Feature, Path, bearing, smooth
from agent.proposers.offline.flying import any_sign, positive
from agent.proposers.offline.mechanism import Body, Mechanism, Term
from agent.proposers.offline.naming import causes
from agent.proposers.offline.options import Option
from agent.proposers.offline.priors import THRESHOLDS, price, proposed
from agent.proposers.offline.shaped import joint_explanations

HEIGHTS = 2.5
"""Gravity, in image heights per s^2, of a picture that shows about four metres: assumed where the
motion hardly tells."""


def one_swing(terms: Sequence[Term], structure: Mechanism, evidence: Evidence) -> list[Term]:
    """One term for what swings bobs that look alike on threads as long, if they agree on it, or
    hang there and tell nothing of it."""
    bobs = {bob.swings: bob for bob in _bobs(structure, evidence)}

    def of_one_kind(a: Term, b: Bob) -> bool:
        one = bobs.get(a.bodies[0])
        return a.kind in SWINGING and one is not None and one.like(b, evidence)

    kept: list[Term] = []
    for term in terms:
        bob = bobs.get(term.bodies[0])
        twin = next((t for t in kept if bob is not None and t.kind == term.kind
                     and of_one_kind(t, bob) and _agree(t, term)), None)  # fmt: skip
        if twin is not None:
            kept[kept.index(twin)] = replace(twin, bodies=(*twin.bodies, *term.bodies))
        else:
            kept.append(term)
    for bob in (bob for bob in bobs.values() if bob.alike):
        given: set[str] = set()
        for k, term in enumerate(kept):
            if term.kind not in given and of_one_kind(term, bob):
                kept[k] = replace(term, bodies=(*term.bodies, bob.swings))
                given.add(term.kind)
    return kept


SWINGING = ("gravity", "damping", "friction")
"""Causes of a swing that bobs of one kind share."""


def _agree(a: Term, b: Term) -> bool:
    """Whether two causes of a swing are as strong."""
    rate = "k" if a.kind == "gravity" else "c"
    return all(rate in t.numbers for t in (a, b)) and (
        abs(math.log(max(a.numbers[rate], 1e-9) / max(b.numbers[rate], 1e-9))) < THRESHOLDS.rates
    )


@dataclass(frozen=True)
class Bob:
    """What hangs on a pivot of the picture. name: what is seen of it; swings: the body that has the
    coordinate, itself or the rod that it is fixed to. place: (2,) px where it hangs at rest. arm:
    px. alike: it is taken to hang as its like, and tells nothing of its own."""

    name: str
    swings: str
    place: tuple[float, float]
    arm: float
    alike: bool

    def like(self, other: Bob, evidence: Evidence) -> bool:
        """Whether two look alike and hang on threads as long."""
        paths = evidence.paths
        alike = look_alike(paths[self.name], paths[other.name], evidence.filmed)
        return alike and abs(math.log(self.arm / other.arm)) < THRESHOLDS.threads


def _bobs(structure: Mechanism, evidence: Evidence) -> Iterator[Bob]:
    """Disks that hang on a pivot of the picture each, by a thread or at the end of a rod."""
    hosts = {b.name: b for b in structure.bodies if b.motion == "revolute" and b.on is None}
    for body in structure.bodies:
        host = hosts.get(body.on or "") if body.motion == "weld" else hosts.get(body.name)
        if host is None or host.name in structure.followers or (host is body and body.turns):
            continue
        path = evidence.paths[body.name]
        pivot = (host.numbers["pivot_x"], host.numbers["pivot_y"])
        arm = float(np.nanmedian(np.hypot(*(path.xy - pivot).T)))
        if arm > FAR and is_round(path, evidence):
            at = (pivot[0], pivot[1] + arm)
            yield Bob(body.name, host.name, at, arm, "alike" in host.numbers)


def side_by_side(structure: Mechanism, evidence: Evidence) -> list[Term]:
    """Impacts of bobs: those that were seen, and those of bobs that would touch where they hang."""
    bobs = list(_bobs(structure, evidence))
    pairs, close = collisions([b.name for b in bobs], evidence), snug(evidence)
    for one, other in itertools.combinations(bobs, 2):
        a, b = evidence.paths[one.name], evidence.paths[other.name]
        apart = math.dist(one.place, other.place) - a.radius - b.radius
        if abs(apart) < TOUCHED and (one.name, other.name) not in pairs:
            pairs[one.name, other.name] = by_area(a, b) | close
    heavy = {"by_size": 0.0, "ratio_sigma": 0.1}  # what hangs on a joint has a mass of its own
    return [
        Term("collide", pair, {**n, **({} if "measured" in n else heavy)})
        for pair, n in pairs.items()
    ]


def struck_across(structure: Mechanism, evidence: Evidence) -> list[Term]:
    """Impacts that were seen of bodies on joints with such as move freely, or on joints of another
    kind."""
    able = [b for b in structure.bodies if b.motion in HIT and b.on is None and not b.swells]
    if all(b.motion == "free" for b in able):
        return []
    kinds = {b.name: b.motion for b in able}
    return [
        Term("collide", pair, n | {"by_size": 0.0})
        for pair, n in collisions(list(kinds), evidence).items()
        if kinds[pair[0]] != kinds[pair[1]]
    ]


HIT = ("free", "prismatic", "revolute")
"""Motions of bodies that others may strike."""


def heading(body: Body) -> float:
    """Direction from the hinge to the centre of a turning body in its own frame: along the axis of
    its shape where that is within error."""
    x, y = body.numbers["centre_x"], body.numbers["centre_y"]
    on_axis = abs(y) < max(body.numbers.get("spread", 2.0), 0.5)
    return math.atan2(0.0 if on_axis else y, x)


def _direction(body: Body, path: Path) -> np.ndarray:
    """(T, 1) direction from the hinge to the body's centre: by its angle or by its place, whichever
    tells it better."""
    if body.turns and path.floor_angle <= _off(body, path):
        return (path.angle + heading(body))[:, None]
    return bearing(path.xy - (body.numbers["pivot_x"], body.numbers["pivot_y"]))[:, None]


def _off(body: Body, path: Path) -> float:
    """Radians by which the place of a body's centre misses its direction from the hinge."""
    arm = math.hypot(body.numbers["centre_x"], body.numbers["centre_y"])
    return path.floor / max(arm, 1.0)


def hanging_beside(bodies: Sequence[Body], root: Body) -> list[Body]:
    """Others that hang on pivots of the picture."""
    return [b for b in bodies if b.motion == "revolute" and b.on is None and b.name != root.name]


def _tied(
    body: Body, others: Sequence[Body], evidence: Evidence, turn: np.ndarray
) -> list[Feature]:
    """Springs, slack at the middle distance, between the drawn centres of two pendulums: what one
    of unit stiffness would turn this one by. turn: (T,) direction from its pivot."""
    own, found = evidence.paths[body.name].xy, list[Feature]()
    arm = math.hypot(body.numbers["centre_x"], body.numbers["centre_y"])
    for other in (o for o in others if arm > FAR and "alike" not in o.numbers):
        apart = evidence.paths[other.name].xy - own
        if not np.isfinite(apart).all(axis=1).any():
            continue  # never seen together
        far = np.maximum(np.hypot(*apart.T), 1.0)
        pull = apart * (1.0 - np.nanmedian(far) / far)[:, None]
        turned = (pull[:, 1] * np.cos(turn) - pull[:, 0] * np.sin(turn)) / arm
        found.append((f"tied@{other.name}", turned[:, None], positive))
    return found


FAR = 5.0
"""Pixels from its pivot from which a body swings to and fro."""


def pendulum_options(body: Body, evidence: Evidence, others: Sequence[Body] = ()) -> list[Option]:
    path, name = evidence.paths[body.name], body.name
    series = _direction(body, path)
    offset = heading(body) if body.turns else 0.0
    length = math.hypot(body.numbers["centre_x"], body.numbers["centre_y"])
    sigma = _off(body, path)
    sigma = min(sigma, path.floor_angle) if body.turns else sigma
    values, spin = smooth(series, evidence.dt, path.kinks)
    features: list[Feature] = [
        ("down", np.cos(values), positive),
        ("up", -np.cos(values), positive),
        ("across", np.sin(values), any_sign),
        ("damping", -spin, positive),
        ("friction", -np.sign(spin), positive),
        ("torque", np.ones_like(values), any_sign),
        ("coil", np.nanmean(values) - values, positive),
        *_tied(body, others, evidence, values[:, 0]),
    ]
    if evidence.actions is not None and np.ptp(evidence.actions) > 0:
        features.append(("action", evidence.actions[:, None], any_sign))
    beside = [other.name for other in others]
    alone = [t for t in path.kinks if met_with(path, t, beside, evidence) is None]
    stops = tuple(stops_of(name, series[:, 0] - offset, alone)) if proposed("stop") else ()
    struck = f"; {name} strikes a wall" if stops else ""
    options = []
    filmed = evidence.filmed
    found, timed = joint_explanations(path, series, sigma, evidence, features)
    for e in found[:5]:
        named = tuple(key for key in e.names if key != "across" or not _straight(e.values))
        middle = float(np.nanmean(values)) - offset
        terms = (*_weight(name, e.values, offset), *_at_pivot(name, e.values, middle))
        terms += tuple(timed[key].term(name, e.values[key]) for key in e.names if key in timed)
        terms += (*_ties(name, e.values, evidence), *stops)
        words = f"{name} swings: {causes(named, 'nothing')} leaves {e.rms * length:.2f} px rms"
        bic = e.bic - price(e.names, filmed) + price(named, filmed)
        options.append((terms, bic, words + struck))
    return sorted(options, key=lambda option: option[1])


def _straight(values: Mapping[str, float]) -> bool:
    """Whether a pendulum hangs straight down but for what a camera held askew explains."""
    return abs(values.get("across", math.inf)) < THRESHOLDS.tilt * values.get("down", 0.0)


def _weight(name: str, values: Mapping[str, float], offset: float) -> list[Term]:
    """The field that swings a pendulum."""
    if not {"down", "across", "up"} & set(values):
        return []
    down = values.get("down", 0.0) - values.get("up", 0.0)
    across = values.get("across", 0.0)
    k, rest = math.hypot(down, across), math.atan2(down, -across)
    straight = {"straight": 1.0} if "across" not in values or _straight(values) else {}
    return [Term("gravity", (name,), {"k": k, "rest": rest - offset, **straight})]


def _at_pivot(name: str, values: Mapping[str, float], middle: float) -> list[Term]:
    """What acts at the pivot itself. middle: mean coordinate."""
    left, terms = dict(values), []
    if "coil" in left:
        rest = middle + left.pop("torque", 0.0) / left["coil"]
        terms.append(Term("joint_spring", (name,), {"k": left["coil"], "rest": rest}))
    kinds = {
        "damping": ("damping", "c"), "friction": ("friction", "c"),
        "torque": ("push", "a"), "action": ("action", "a"),
    }  # fmt: skip
    terms += [
        Term(kind, (name,), {key: left[feature]})
        for feature, (kind, key) in kinds.items()
        if feature in left
    ]
    return terms


def _ties(name: str, values: Mapping[str, float], evidence: Evidence) -> list[Term]:
    """Springs to other pendulums."""
    found = []
    for key in (key for key in values if key.startswith("tied@")):
        pair = tuple(sorted((name, key[5:])))
        far = np.hypot(*(evidence.paths[pair[0]].xy - evidence.paths[pair[1]].xy).T)
        numbers = {"k": values[key], "length": float(np.nanmedian(far))}
        found.append(Term("pair_force", pair, numbers))
    return found


def stops_of(name: str, course: np.ndarray, jumps: Sequence[int]) -> list[Term]:
    """Where a body on a joint is turned back at once: its coordinate (T,) farthest out around each
    jump, one stop a side."""
    hits: dict[float, list[tuple[float, float]]] = {}
    for t in jumps:
        before, after = course[max(t - 3, 0) : t], course[t + 1 : t + 4]
        if min(np.isfinite(before).sum(), np.isfinite(after).sum()) < 2:
            continue
        came, left = (float(np.nanmean(np.diff(part))) for part in (before, after))
        if came * left >= 0:
            continue
        side = math.copysign(1.0, came)
        farthest = side * float(np.nanmax(side * course[max(t - 1, 0) : t + 2]))
        hits.setdefault(side, []).append((farthest, min(abs(left / came), 1.0)))
    return [
        Term("stop", (name,), {"side": side, "place": float(at), "e": float(e)})
        for side, found in hits.items()
        for at, e in [np.median(found, axis=0)]
    ]


def on_a_rope(
    options: list[Option], root: Body, structure: Mechanism, evidence: Evidence
) -> list[Option]:
    """Options of a body that hangs on a rope with another: what drives the two is their weight."""
    rope = next((t for t in structure.of("pulley") if t.bodies[1] == root.name), None)
    if rope is None:
        return options
    field = HEIGHTS * evidence.shape[0]
    hung = []
    for terms, cost, why in options:
        pull = sum(t.numbers["a"] for t in terms if t.kind == "push")
        gy = max(field, 2.0 * abs(pull))
        mass = (gy - pull) / (gy + pull)  # of the follower, by that of the leader
        weight = Term("gravity", rope.bodies, {"gy": gy, "prior": 0.5 * field, "mass": mass})
        others = tuple(t for t in terms if t.kind != "push")
        hung.append(((weight, *others), cost, f"{why}, by the weight of both"))
    return hung
