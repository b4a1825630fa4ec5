"""Which forces and contacts explain the motion of a structure: terms from evidence, best first."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from scipy.optimize import minimize

from agent.proposers.offline.alike import look_alike
from agent.proposers.offline.evidence import (
    Evidence,
    Explanation,
    Feature,
    Path,
    bearing,
    centre_of_mass,
    explain,
    kinks,
    noise_of,
    regress,
    segments,
    smooth,
)
from agent.proposers.offline.kinematics import gap, outline_at
from agent.proposers.offline.mechanism import Body, Mechanism, Term
from agent.proposers.offline.naming import causes
from agent.proposers.offline.pairs import crowd_options, pair_options
from agent.proposers.offline.priors import JUMP, THRESHOLDS, price
from agent.proposers.offline.rails import rail_options
from agent.proposers.offline.regression import curve_option
from agent.proposers.offline.shaped import shaped
from agent.proposers.offline.walls import Boundary, boundaries, unmet
from tools import timing
from tools.physics.multibody import Link, accelerations
from tools.types import Steps

LEVEL = 0.1
"""Sine of the slope up to which a line counts as level: nothing slides down along it."""

MASSES = (0.1, 0.3, 1.0, 3.0)
"""Mass ratios tried for the links of a tree; the lightest is preferred, because a light link leaves
the others alone."""

LIGHT = 8.0
"""Price in BIC of each step up in ``MASSES``."""

ENGINE = 28.0
"""Deviance by which an engine for all contacts is likelier than forces on bodies that are seen to
touch: what rests and rubs looks like any force."""

EXPECTED = 4.0
"""Deviance of leaving out contacts that the picture makes one expect."""

BOUNCY = 0.8
"""Share of the speed that a bounce gives back where none has been seen."""

HEIGHTS = 2.5
"""Gravity, in image heights per s^2, of a picture that shows about four metres: assumed where the
motion hardly tells."""


def any_sign(value: float) -> bool:
    return True


def positive(value: float) -> bool:
    return value > 0


@dataclass(frozen=True)
class Driven:
    """A structure with terms. bic: misfit and complexity of the explanation; why: in words."""

    mechanism: Mechanism
    bic: float
    why: str


def drive(structure: Mechanism, evidence: Evidence, alternatives: int = 4) -> list[Driven]:
    """The structure with the terms that explain its motion; then variants that explain it nearly as
    well."""
    turning = [b for b in structure.bodies if b.motion == "free" and b.turns]
    for body in turning:
        structure = structure.with_body(_balanced(body, evidence))
    free = [b for b in structure.bodies if b.motion == "free"]
    contacts, partners = contacts_of([b for b in free if not b.swells], evidence)
    contacts = (*contacts, *_side_by_side(structure, evidence))
    groups = [*_of_free(free, evidence, alternatives), *_of_others(structure, evidence)]
    choices = _of_one_kind(groups, free, evidence)
    found = [_assemble(structure, choice, contacts, evidence) for choice in choices]
    likeliest = min(range(len(found)), key=lambda k: found[k].bic)
    best = choices[likeliest]
    found.insert(0, found.pop(likeliest))
    for k, group in enumerate(groups):
        for option in group[1 : alternatives + 1]:
            chosen = [*best[:k], option, *best[k + 1 :]]
            found.append(_assemble(structure, chosen, contacts, evidence))
    alone = [groups[_place(free, k)][0][1] for k in range(len(free))]
    for chosen in _shared(free, best, alone, evidence)[:alternatives]:
        together = _assemble(structure, chosen, contacts, evidence)
        found.insert(0 if together.bic < found[0].bic else len(found), together)
    if partners:
        without = tuple(c for c in contacts if c not in partners)
        untouched = _assemble(structure, best, without, evidence)
        found.append(replace(untouched, bic=untouched.bic + EXPECTED))
    ranked = [found[0], *sorted(found[1:], key=lambda d: d.bic)]
    jointed = [term for terms, _, _ in best[_place(free, len(free)) :] for term in terms]
    engine = _engine(structure, jointed, found[0].bic, evidence)
    if engine is None:
        return ranked
    idle = len(free) == 1 and engine.bic >= ranked[0].bic  # it struck nothing that was seen
    return [ranked[0], engine, *ranked[1:]] if idle else [engine, *ranked]


def _engine(
    structure: Mechanism, jointed: Sequence[Term], bic: float, evidence: Evidence
) -> Driven | None:
    """The rigid-body engine for a structure, where it is called for: bodies that stand on a floor
    and tip over are not fixed to it. jointed: terms of the bodies on joints."""
    for body in structure.bodies:
        if "stands" in body.numbers:
            structure = structure.with_body(replace(body, motion="free", on=None))
    free = [b for b in structure.bodies if b.motion == "free"]
    pinned = _bearing(structure, free, evidence)
    names = [b.name for b in pinned]
    contacts, partners = contacts_of([b for b in free if not b.swells], evidence, names)
    moved = {b.name for b in (*free, *pinned)}
    left = [term for term in jointed if not moved & set(term.bodies)]
    sure = [c for c in contacts if c not in partners]
    resting = [*sure, *_tumbling(partners, evidence)]
    struck = [floor for b in pinned if (floor := _struck(b, evidence)) is not None]
    resting += [Term("wall", tuple(b.name for b in free), floor) for floor in struck]
    return touching(structure.plus(*left), resting, bic, evidence, pinned)


def _of_free(free: Sequence[Body], evidence: Evidence, alternatives: int) -> Iterator[list[Option]]:
    """Options of each free body, and of its turning (see ``_place``)."""
    for body in free:
        yield _free_options(body, evidence, alternatives)
        if body.turns:
            yield _turning_options(body, evidence)


def _of_others(structure: Mechanism, evidence: Evidence) -> Iterator[list[Option]]:
    """Options of radii that vary, and of whatever is on a joint and follows nothing."""
    yield from (_swelling_options(body, evidence) for body in structure.bodies if body.swells)
    yield from (rail_options(body, evidence) for body in structure.bodies if body.motion == "bead")
    leading = [b for b in structure.bodies if b.name not in structure.followers]
    for root in (b for b in leading if b.motion in ("prismatic", "revolute") and b.on is None):
        tree = _tree(root, leading)
        if "alike" in root.numbers:
            options: list[Option] = [((), 0.0, "")]
        elif len(tree) > 1:
            options = _linkage_options(tree, evidence)
        elif root.motion == "revolute":
            options = _pendulum_options(root, evidence, _swinging(leading, root))
        else:
            options = _slide_options(root, evidence)
        yield _hung(options, root, structure, evidence)


def _shared(
    free: Sequence[Body], best: Sequence[Option], alone: Sequence[float], evidence: Evidence
) -> list[list[Option]]:
    """The best options with some bodies' replaced by forces between them: the first of these has
    them, the others nothing of their own. alone: deviance of what each feels by itself."""
    pairs = [((i, j), option) for i, j, option in pair_options(free, alone, evidence)]
    found = []
    for members, option in [*crowd_options(free, alone, evidence), *pairs]:
        first, *others = (_place(free, k) for k in members)
        chosen = list(best)
        chosen[first] = option
        for k in others:
            chosen[k] = ((), 0.0, "")
        found.append(chosen)
    return found


def _tumbling(expected: Sequence[Term], evidence: Evidence) -> list[Term]:
    """Walls that are only expected, for what is no disk: how bouncy corners are, the engine's
    default says."""
    return [
        Term("wall", c.bodies, {k: v for k, v in c.numbers.items() if k != "e"})
        for c in expected
        if c.kind == "wall" and not all(_round(evidence.paths[name], evidence) for name in c.bodies)
    ]


RESISTANCES = ("drag", "quadratic_drag", "friction")

SAME = 1.05
"""Ratio of two coefficients up to which even bodies that look different feel one law."""

Option = tuple[tuple[Term, ...], float, str]
"""Terms of a group of bodies, their deviance, and why in words."""


def _of_one_kind(
    groups: Sequence[Sequence[Option]], free: Sequence[Body], evidence: Evidence
) -> list[list[Option]]:
    """Choices of one option from each group: the best of each, and those in which free bodies that
    look alike feel the same kinds of causes."""
    best = [group[0] for group in groups]
    places = [_place(free, k) for k, body in enumerate(free) if _twins(body, free, evidence)]

    def felt(option: Option) -> frozenset[str]:
        return frozenset(term.kind for term in option[0])

    found = [best]
    for common in sorted({felt(o) for place in places for o in groups[place]}, key=sorted):
        alike = [[o for o in groups[place] if felt(o) == common] for place in places]
        if all(alike):
            together = list(best)
            for place, options in zip(places, alike, strict=True):
                together[place] = min(options, key=lambda o: o[1])
            found.append(together)
    return found


def _coincidence(terms: Sequence[Term], structure: Mechanism, evidence: Evidence) -> float:
    """Deviance of bodies that look alike and are slowed by different causes, and, in footage, of
    free bodies in one picture that feel different fields."""
    free = [body.name for body in structure.bodies if body.motion == "free"]
    slowed, pulled = (
        {name: {t.kind for t in terms if name in t.bodies and t.kind in kinds} for name in free}
        for kinds in (RESISTANCES, ("gravity", "push"))
    )
    odd = sum(
        slowed[a] != slowed[b] and look_alike(evidence.paths[a], evidence.paths[b], evidence.filmed)
        for a, b in itertools.combinations(free, 2)
    )
    apart = any("push" in kinds for kinds in pulled.values()) and len(free) > 1
    apart = apart or len({frozenset(kinds) for kinds in pulled.values()}) > 1
    return THRESHOLDS.reach * (odd + (apart and evidence.filmed))


def _twins(body: Body, others: Sequence[Body], evidence: Evidence) -> bool:
    """Whether another free body looks like this one."""
    own = evidence.paths[body.name]
    return any(
        other is not body and look_alike(own, evidence.paths[other.name], evidence.filmed)
        for other in others
    )


def _place(free: Sequence[Body], k: int) -> int:
    """Where the options of free body k stand among all groups: bodies that turn have a second
    group."""
    return sum(1 + body.turns for body in free[:k])


def _tree(root: Body, bodies: Sequence[Body]) -> list[Body]:
    tree = [root]
    for body in tree:
        tree += [b for b in bodies if b.on == body.name and b.motion == "revolute"]
    return tree


def _assemble(
    structure: Mechanism, options, contacts: Sequence[Term], evidence: Evidence
) -> Driven:
    terms = _share([term for terms, _, _ in options for term in terms], structure, evidence)
    mechanism = structure.plus(*terms, *contacts)
    words = [why for _, _, why in options if why]
    words += [
        f"{' and '.join(c.bodies)}: "
        f"{'the velocity jumps at' if any(evidence.paths[name].kinks for name in c.bodies) else 'on its way to'} "
        f"a {'collision' if c.kind == 'collide' else c.kind}"
        for c in contacts
    ]
    bic = sum(bic for _, bic, _ in options) + _coincidence(terms, structure, evidence)
    return Driven(mechanism, bic, "; ".join(words) or "nothing moves")


def _share(terms: Sequence[Term], structure: Mechanism, evidence: Evidence) -> list[Term]:
    """One gravity for all free bodies whose constant accelerations agree; separate pushes where
    they do not."""
    terms = _one_swing(_one_law(terms, structure, evidence), structure, evidence)
    pulls = [
        t for t in terms if t.kind == "gravity" and structure.body(t.bodies[0]).motion == "free"
    ]
    others = [t for t in terms if t not in pulls]
    if len(pulls) < 2:
        return list(terms)
    vectors = np.array([[t.numbers.get("gx", 0.0), t.numbers.get("gy", 0.0)] for t in pulls])
    middle = np.median(vectors, axis=0)
    alike = np.hypot(*(vectors - middle).T) < 0.15 * np.hypot(*middle) + 5.0
    if alike.sum() < 2:
        return [*others, *(_as_push(t) for t in pulls)]
    keys = {k for t in pulls for k in t.numbers}
    numbers = {
        k: float(v)
        for k, v in zip(("gx", "gy"), middle, strict=True)
        if k in keys and abs(v) > 0.03 * np.hypot(*middle)
    }
    shared = Term(
        "gravity", tuple(t.bodies[0] for t, a in zip(pulls, alike, strict=True) if a), numbers
    )
    return [*others, shared, *(_as_push(t) for t, a in zip(pulls, alike, strict=True) if not a)]


def _one_law(terms: Sequence[Term], structure: Mechanism, evidence: Evidence) -> list[Term]:
    """One term for all free bodies of one kind that the same resistance slows by about as much, or
    that move too little to say."""

    def same(a: Term, b: Term) -> bool:
        if a.kind != b.kind or a.kind not in RESISTANCES:
            return False
        if not all(structure.body(t.bodies[0]).motion == "free" for t in (a, b)):
            return False
        one, other = (evidence.paths[t.bodies[0]] for t in (a, b))
        ratio = max(a.numbers["c"], b.numbers["c"]) / max(min(a.numbers["c"], b.numbers["c"]), 1e-9)
        return ratio < (2.0 if look_alike(one, other, evidence.filmed) else SAME)

    kept: list[Term] = []
    for term in terms:
        twin = next((t for t in kept if same(t, term)), None)
        if twin is None:
            kept.append(term)
        else:
            both = {"c": 0.5 * (twin.numbers["c"] + term.numbers["c"])}
            kept[kept.index(twin)] = Term(term.kind, (*twin.bodies, *term.bodies), both)
    slowed = {name for t in kept if t.kind in RESISTANCES for name in t.bodies}
    quiet = [
        body.name
        for body in structure.bodies
        if body.motion == "free" and body.name not in slowed and _barely(evidence.paths[body.name])
    ]
    return [_with_kin(term, quiet, structure, evidence) for term in kept]


def _one_swing(terms: Sequence[Term], structure: Mechanism, evidence: Evidence) -> list[Term]:
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
ARMS, AGREE = 0.05, 0.15
"""Logarithms of the ratios of two threads, and of what swings two bobs, up to which they are one."""


def _agree(a: Term, b: Term) -> bool:
    """Whether two causes of a swing are as strong."""
    rate = "k" if a.kind == "gravity" else "c"
    return all(rate in t.numbers for t in (a, b)) and (
        abs(math.log(max(a.numbers[rate], 1e-9) / max(b.numbers[rate], 1e-9))) < AGREE
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
        return alike and abs(math.log(self.arm / other.arm)) < ARMS


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
        if arm > FAR and _round(path, evidence):
            at = (pivot[0], pivot[1] + arm)
            yield Bob(body.name, host.name, at, arm, "alike" in host.numbers)


def _side_by_side(structure: Mechanism, evidence: Evidence) -> list[Term]:
    """Impacts of bobs: those that were seen, and those of bobs that would touch where they hang."""
    bobs = list(_bobs(structure, evidence))
    pairs = _collisions([b.name for b in bobs], evidence)
    for one, other in itertools.combinations(bobs, 2):
        a, b = evidence.paths[one.name], evidence.paths[other.name]
        apart = math.dist(one.place, other.place) - a.radius - b.radius
        if abs(apart) < TOUCHED and (one.name, other.name) not in pairs:
            pairs[one.name, other.name] = _by_area(a, b)
    heavy = {"by_size": 0.0, "ratio_sigma": 0.1}  # what hangs on a joint has a mass of its own
    return [
        Term("collide", pair, {**n, **({} if "measured" in n else heavy)})
        for pair, n in pairs.items()
    ]


def _with_kin(term: Term, quiet: Sequence[str], structure: Mechanism, evidence: Evidence) -> Term:
    """The resistance of a free body, on ``quiet`` bodies of its kind as well."""
    first = term.bodies[0]
    if term.kind not in RESISTANCES or structure.body(first).motion != "free":
        return term
    mover, paths = evidence.paths[first], evidence.paths
    kin = [name for name in quiet if look_alike(mover, paths[name], evidence.filmed)]
    return replace(term, bodies=(*term.bodies, *kin))


TELLING = 8
"""Frames for which a body must move to tell what slows it."""


def _barely(path: Path) -> bool:
    """Whether a body rests but for a few frames."""
    steps = np.hypot(*np.diff(path.xy, axis=0).T)
    return int((steps > max(0.3, 3.0 * path.sigma)).sum()) < TELLING


def _as_push(term: Term) -> Term:
    return Term("push", term.bodies, {"a" + k[1]: v for k, v in term.numbers.items()})


# --------------------------------------------------------------------------------------------------


def library(path: Path, evidence: Evidence, xy: np.ndarray, v: np.ndarray) -> list[Feature]:
    """Candidate accelerations of a free body along its smoothed path, per unit of their
    coefficient."""
    zero, one = np.zeros(len(xy)), np.ones(len(xy))
    speed = np.hypot(v[:, 0], v[:, 1])
    usual = max(float(np.nanmedian(speed)), 1e-6)
    trembles = 2.0 * path.sigma / timing.usual_step(evidence.dt)  # what rests rubs nowhere
    middle = np.nanmean(xy, axis=0)
    features: list[Feature] = [
        ("gx", np.stack([one, zero], 1), any_sign),
        ("gy", np.stack([zero, one], 1), any_sign),
        ("drag", -v, positive),
        ("quadratic_drag", -speed[:, None] * v, positive),
        ("lorentz_force", np.stack([v[:, 1], -v[:, 0]], 1), any_sign),
        ("friction", -v / np.maximum(speed, max(0.02 * usual, trembles))[:, None], positive),
    ]
    away = -(xy - middle)
    goes = [float(np.nanstd(series)) > 3 * path.floor for series in xy.T]
    springs: list[Feature] = [
        ("spring_x", np.stack([away[:, 0], zero], 1), positive),
        ("spring_y", np.stack([zero, away[:, 1]], 1), positive),
        ("spring", away, positive),
    ]
    features += [f for f, there in zip(springs, (*goes, all(goes)), strict=True) if there]
    if evidence.actions is not None and np.ptp(evidence.actions) > 0:
        features += [
            ("action_x", np.stack([evidence.actions, zero], 1), any_sign),
            ("action_y", np.stack([zero, evidence.actions], 1), any_sign),
        ]
    for name, centre in centres(path, evidence, xy).items():
        r = xy - centre
        distance = np.maximum(np.hypot(r[:, 0], r[:, 1]), 1.0)[:, None]
        features += [
            (f"attraction{power}@{name}", -r * distance ** (power - 1), any_sign)
            for power in (-2, -1)
        ]
    return features


def centres(path: Path, evidence: Evidence, xy: np.ndarray) -> dict[str, np.ndarray]:
    """Places that may attract: resting parts, and the point at which the accelerations aim."""
    found = {
        p.name: np.nanmean(p.xy, axis=0)
        for p in evidence.paths.values()
        if not p.moves and p.name != path.name
    }
    found |= {f"spot_{k + 1}": np.array(spot) for k, spot in enumerate(evidence.spots)}
    _, v = smooth(xy, evidence.dt, path.kinks, 9)
    _, a = smooth(v, evidence.dt, path.kinks, 7)
    size = np.hypot(a[:, 0], a[:, 1])
    good = np.isfinite(size) & np.isfinite(xy[:, 0]) & (size > 0.3 * np.nanmedian(size))
    if good.sum() >= 6 and np.nanmedian(size) > 0:
        normal = np.stack([-a[good, 1], a[good, 0]], 1) / size[good, None]
        if np.linalg.cond(normal) < 6:
            aim, *_ = np.linalg.lstsq(normal, (normal * xy[good]).sum(1), rcond=None)
            if not any(np.hypot(*(aim - c)) < 6 for c in found.values()) and np.hypot(
                *(aim - np.nanmean(xy, axis=0))
            ) < 3 * max(evidence.shape):
                found["focus"] = aim
    return found


def _balanced(body: Body, evidence: Evidence) -> Body:
    """The body with the place of its centre of mass, where that is not its drawn centre."""
    away = centre_of_mass(evidence.paths[body.name], evidence.dt)
    return (
        body
        if away is None
        else replace(body, numbers={**body.numbers, "com_x": away[0], "com_y": away[1]})
    )


def _flight(body: Body, evidence: Evidence) -> Path:
    """The path of a free body's centre of mass."""
    path = evidence.paths[body.name]
    if "com_x" not in body.numbers:
        return path
    c, s, x, y = (
        np.cos(path.angle),
        np.sin(path.angle),
        body.numbers["com_x"],
        body.numbers["com_y"],
    )
    return replace(path, xy=path.xy + np.stack([c * x - s * y, s * x + c * y], 1))


def _free_options(
    body: Body, evidence: Evidence, limit: int
) -> list[tuple[tuple[Term, ...], float, str]]:
    path = _flight(body, evidence)
    xy, v = smooth(path.xy, evidence.dt, path.kinks)
    features = library(path, evidence, xy, v)
    where = {name: centre for name, centre in centres(path, evidence, xy).items()}
    special = shaped(path, evidence, xy, v, where)
    features += [each.feature for each in special.values()]
    explanations = _cautious(
        explain(path.xy, path.floor, evidence.dt, features, path.kinks, filmed=evidence.filmed)
    )
    middle = np.nanmean(xy, axis=0)
    span = float(np.nanmax(np.ptp(xy[np.isfinite(xy[:, 0])], axis=0)))
    options = []
    for e in explanations[: limit + 1]:
        terms = _free_terms(body.name, e, middle, span, where)
        terms += tuple(special[k].term(body.name, e.values[k]) for k in e.names if k in special)
        unsaid = set(e.names) - {*SAID, *special} - {k for k in e.names if k[:10] == "attraction"}
        if unsaid:
            raise ValueError(f"no term says {', '.join(sorted(unsaid))}, which moves {body.name}")
        options.append((terms, e.bic, _sentence(body.name, e)))
    regressed = curve_option(path, evidence.dt, explanations[0])
    return options if regressed is None else sorted([*options, regressed], key=lambda o: o[1])


def _cautious(explanations: list[Explanation], push: str = "gx") -> list[Explanation]:
    """Sideways braking that a constant push explains no better than dry friction is taken for
    friction.

    The two differ only once the body stops: friction leaves it at rest, a push would drive it back.
    """
    best = explanations[0]
    if best.names != (push,):
        return explanations
    rival = next(
        (
            e
            for e in explanations
            if e.names == ("friction",) and e.bic < best.bic + THRESHOLDS.reach
        ),
        None,
    )
    if rival is None:
        return explanations
    first = replace(rival, bic=min(rival.bic, best.bic - 1.0))
    return [first, *(e for e in explanations if e is not rival)]


def _sentence(name: str, e: Explanation) -> str:
    return f"{name}: {causes(e.names, 'constant velocity')} leaves {e.rms:.2f} px rms"


def _free_terms(
    name: str, e: Explanation, middle: np.ndarray, span: float, where: Mapping[str, np.ndarray]
) -> tuple[Term, ...]:
    values, terms = dict(e.values), []
    constant = {k: values[k] for k in ("gx", "gy") if k in values}
    springs = [k for k in ("spring", "spring_x", "spring_y") if k in values]
    for key in springs:
        k = max(values[key], 1e-6)
        numbers = {"k": k, "span": span}
        if key in ("spring", "spring_x"):
            numbers["x0"] = middle[0] + constant.pop("gx", 0.0) / k
        if key in ("spring", "spring_y"):
            numbers["y0"] = middle[1] + constant.pop("gy", 0.0) / k
        terms.append(Term("spring", (name,), numbers))
    if constant:
        terms.append(Term("gravity", (name,), constant))
    for key in ("drag", "quadratic_drag", "friction", "lorentz_force"):
        if key in values:
            terms.append(Term(key, (name,), {"c": values[key]}))
    pushes = {"a" + k[-1]: values[k] for k in ("action_x", "action_y") if k in values}
    if pushes:
        terms.append(Term("action", (name,), pushes))
    for key in values:
        if key.startswith("attraction"):
            power, _, place = key[len("attraction") :].partition("@")
            terms.append(
                Term(
                    "attraction",
                    (name,),
                    {
                        "k": values[key],
                        "power": float(power),
                        "x0": float(where[place][0]),
                        "y0": float(where[place][1]),
                    },
                )
            )
    return tuple(terms)


SAID = ("gx", "gy", "spring", "spring_x", "spring_y", "drag", "quadratic_drag", "friction",
        "lorentz_force", "action_x", "action_y")  # fmt: skip
"""Features of a free body that become terms, beside centres that attract."""


def _swelling_options(body: Body, evidence: Evidence) -> list[tuple[tuple[Term, ...], float, str]]:
    """What drives the radius of a disk that grows or shrinks."""
    path = evidence.paths[body.name]
    assert path.radii is not None
    series = path.radii[:, None]
    floor = max(noise_of(path.radii, 0.02, evidence.dt), 0.02)
    _, rate = smooth(series, evidence.dt)
    features: list[Feature] = [("a", np.ones_like(series), any_sign), ("c", -rate, any_sign)]
    return [
        (
            (Term("swelling", (body.name,), dict(e.values)),) if e.names else (),
            e.bic,
            f"the radius of {body.name} changes "
            f"{'steadily' if not e.names else 'ever faster or more slowly'}",
        )
        for e in explain(series, floor, evidence.dt, features, limit=2)[:3]
    ]


def _turning_options(body: Body, evidence: Evidence) -> list[tuple[tuple[Term, ...], float, str]]:
    path = evidence.paths[body.name]
    angle = path.angle[:, None]
    _, spin = smooth(angle, evidence.dt, path.kinks)
    one = np.ones_like(angle)
    found = explain(
        angle,
        path.floor_angle,
        evidence.dt,
        [("a", one, any_sign), ("c", -spin, positive)],
        path.kinks,
        limit=1,
        filmed=evidence.filmed,
    )
    return [
        (
            (Term("turning", (body.name,), dict(e.values)),) if e.names else (),
            e.bic,
            f"{body.name} turns "
            f"{'steadily' if not e.names else 'with ' + ('torque' if 'a' in e.values else 'drag')}",
        )
        for e in found[:2]
    ]


# --------------------------------------------------------------------------------------------------


def contacts_of(
    bodies: Sequence[Body], evidence: Evidence, beside: Sequence[str] = ()
) -> tuple[tuple[Term, ...], tuple[Term, ...]]:
    """Walls and collisions read off the velocity jumps; and those contacts that are only expected,
    not seen. beside: others that may have caused a jump.

    A jump beside a drawn boundary is a bounce off it. Where one drawn boundary (or one border of
    the picture) turned a body back, the others are taken to do so too; a drawn floor under a body
    that falls needs no such example.
    """
    names = [b.name for b in bodies]
    sides = {name: boundaries(evidence.paths[name], evidence) for name in names}
    pairs = _collisions(names, evidence)
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
    round_ = [b.name for b in bodies if _round(evidence.paths[b.name], evidence)]
    pending = [
        Term("collide", (a, b), {"e": 0.95, "by_size": 1.0})
        for a, b in itertools.combinations(round_, 2)
        if (a, b) not in pairs and _may_meet(evidence.paths[a], evidence.paths[b])
    ]
    return (*terms, *expected, *pending), (*expected, *pending)


def _walls(walls: Sequence[dict], names: Sequence[str], evidence: Evidence) -> list[Term]:
    """Walls as terms, each for the bodies on its free side."""
    inside = [(w, _free_of(w, names, evidence)) for w in walls]
    return [Term("wall", bodies, w) for w, bodies in inside if bodies]


def _collisions(
    names: Sequence[str], evidence: Evidence
) -> dict[tuple[str, str], dict[str, float]]:
    """First impact of every two bodies whose velocities jump beside each other."""
    pairs: dict[tuple[str, str], dict[str, float]] = {}
    for name in names:
        path = evidence.paths[name]
        for t in path.kinks:
            partner = _partner(path, t, names, evidence)
            if partner is not None:
                first, second = sorted((name, partner), key=list(names).index)
                pairs.setdefault((first, second), _met(first, second, t, evidence))
    return pairs


def _met(first: str, second: str, t: int, evidence: Evidence) -> dict[str, float]:
    """What the impact of two bodies around frame t says."""
    a, b = evidence.paths[first], evidence.paths[second]
    impact = _by_area(a, b) if _crowded(a, b, t, evidence) else _impact(a, b, t, evidence.dt)
    if evidence.filmed:
        impact |= {"by_size": 0.0, "margin": _margin(a, b, t)}
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
        for t in (t for t in path.kinks if _partner(path, t, near, evidence) is None):
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
        bends.append(_steady_bend(path, evidence.dt))
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
    gap = min(float(path.xy[k] @ normal) for k in near) - side.offset - path.radius
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


def _round(path: Path, evidence: Evidence) -> bool:
    """Whether a body meets others as a disk does; in footage whatever is compact is taken to, as
    its outline is not known so well."""
    return path.compact if evidence.filmed else path.circular


def _glances_off(body: Body, evidence: Evidence) -> bool:
    """Whether an impact is told by the jump of velocity alone: a disk does whose turning is not
    seen, or not seen well enough."""
    return _round(evidence.paths[body.name], evidence) and (evidence.filmed or not body.turns)


def _bearing(structure: Mechanism, free: Sequence[Body], evidence: Evidence) -> list[Body]:
    """Bodies that turn on pivots of the picture, and on which free ones lie or come to lie (a
    see-saw, a flap)."""
    alone = [
        b
        for b in structure.bodies
        if b.motion == "revolute" and b.on is None and b.turns and b.name not in structure.followers
        if not any(o.on == b.name and o.motion != "weld" for o in structure.bodies)
    ]
    return [b for b in alone if any(_touched(evidence.paths, b.name, other.name) for other in free)]


def _struck(body: Body, evidence: Evidence) -> dict[str, float] | None:
    """The floor that a body on a pivot strikes with its end: where that came lowest, if it was
    stopped there at once; None if it was not."""
    path = evidence.paths[body.name]
    reach = path.appearance.bounding_radius
    ends = np.stack([np.cos(path.angle), np.sin(path.angle)], 1) * reach
    lowest = np.array([outline_at(path, t)[:, 1].max() if path.seen[t] else -math.inf
                       for t in range(len(path.xy))])  # fmt: skip
    deepest = int(lowest.argmax())
    stops = kinks(ends, max(path.sigma_angle * reach, 0.05), evidence.dt)
    if not any(abs(t - deepest) <= 1 for t in stops) or _met_by(path, deepest, evidence):
        return None
    return {"nx": 0.0, "ny": -1.0, "offset": -float(lowest[deepest])}


def _met_by(path: Path, t: int, evidence: Evidence) -> bool:
    """Whether another mover comes to a body within two frames of frame t."""
    first, last = max(t - 3, 0), min(t + 2, len(path.xy) - 1)
    others = (o for o in evidence.movers if o is not path and o.seen[[first, last]].all())
    return any(gap(path, o, first) > TOUCHED >= gap(path, o, last) for o in others)


TOUCHED = 3.0
"""Pixels between two outlines up to which one lies on the other."""


def _touched(paths: Mapping[str, Path], one: str, other: str) -> bool:
    """Whether two outlines touch in some frame."""
    a, b = paths[one], paths[other]
    return any(gap(a, b, int(t)) <= TOUCHED for t in np.flatnonzero(a.seen & b.seen))


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
    met = {
        name
        for c in contacts
        if c.kind == "collide"
        or "e" not in c.numbers
        or any(structure.body(n).turns for n in c.bodies)
        for name in c.bodies
    }
    if not pinned and all(_glances_off(structure.body(name), evidence) for name in met):
        return None
    walls = [c for c in contacts if c.kind == "wall"]
    walls += [
        Term("wall", (b.name,), w)
        for b in free
        for w in _leaned_on(evidence.paths[b.name], evidence)
        if not any(_known_wall(w, c.numbers) for c in walls)
    ]
    bounces = [c.numbers["e"] for c in walls if c.numbers.get("e", -1.0) >= 0]
    impacts = [c.numbers["e"] for c in contacts if c.kind == "collide" and "measured" in c.numbers]
    e = float(np.median(bounces)) if bounces else 0.3
    numbers = {"e_wall": e, "e": float(np.median(impacts)) if impacts else e, "friction": 0.5}
    names = tuple(b.name for b in (*free, *pinned))
    pull = _falls(free, evidence)
    terms = [Term("gravity", names, pull)] if pull else []
    mechanism = structure.plus(
        *terms, *_unique_walls(walls, names), Term("contact", names, numbers)
    )
    for body in (*free, *pinned):
        mechanism = mechanism.with_body(_outlined(body, evidence.paths[body.name]))
    likely = bic - ENGINE if pull or any("measured" in c.numbers for c in contacts) else bic
    return Driven(mechanism, likely, f"{' and '.join(names)} touch: a rigid-body engine moves them")


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


def _outlined(body: Body, path: Path) -> Body:
    """Corners of a body that is neither disk nor box, for the engine ("u0", "v0", "u1", ...)."""
    if body.shape == "box" or path.circular:
        return body
    if body.shape == "polygon":
        points = np.asarray(path.appearance.outline)
    else:
        alpha = path.appearance.sprite[..., 3] > 0.5
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


def _falls(bodies: Sequence[Body], evidence: Evidence) -> dict[str, float]:
    """The constant acceleration of the stretch between jumps that shows one most clearly, of those
    in which the body touches no other if there are such; {} when none does."""
    best: tuple[bool, float, dict[str, float]] = (False, 0.0, {})
    for body in bodies:
        path = evidence.paths[body.name]
        one, zero = np.ones(len(path.xy)), np.zeros(len(path.xy))
        features = [
            ("gx", np.stack([one, zero], 1), any_sign),
            ("gy", np.stack([zero, one], 1), any_sign),
        ]
        for first, last in _flights(path, evidence):
            piece = np.full_like(path.xy, np.nan)
            piece[first:last] = path.xy[first:last]
            e = regress(piece, path.floor, evidence.dt, features, path.kinks)
            clear = {k: abs(v) / max(e.errors[k], 1e-9) for k, v in e.values.items()}
            alone = not _beside(path, first, last, evidence)
            most = max(clear.values())
            if e.rms < 4 * path.floor and most > 5.0 and (alone, most) > best[:2]:
                strongest = max(map(abs, e.values.values()))
                best = (
                    alone,
                    most,
                    {
                        k: v
                        for k, v in e.values.items()
                        if clear[k] > 5 and abs(v) > 0.05 * strongest
                    },
                )
    return best[2]


def _flights(path: Path, evidence: Evidence) -> list[tuple[int, int]]:
    """Stretches of at least five frames between jumps, and what of them comes before the body
    touches another."""
    found = []
    for first, last in segments(len(path.xy), path.kinks):
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


def _velocities(path: Path, t: int, dt: Steps) -> tuple[np.ndarray, np.ndarray] | None:
    """Velocity before and after a jump at frame t, extrapolated to it from up to four frames on
    each side."""
    sides = []
    cuts = sorted(k for k in path.kinks if k != t)
    first = max([k + 1 for k in cuts if k < t], default=0)
    last = min([k - 1 for k in cuts if k > t], default=len(path.xy) - 1)
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
        "offset": depth - path.radius,
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
        reach = path.xy[path.seen] @ (wall["nx"], wall["ny"]) - path.radius - wall["offset"]
        if len(reach) and reach.min() > -6.0:
            inside.append(name)
    return tuple(inside)


def _partner(path: Path, t: int, names: Sequence[str], evidence: Evidence) -> str | None:
    """Another free body that is close at this frame and changes its velocity too."""
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


def _by_area(a: Path, b: Path) -> dict[str, float]:
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
    numbers = _by_area(a, b)
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


def _may_meet(a: Path, b: Path) -> bool:
    """Two bodies that have not been seen to pass through each other."""
    both = a.seen & b.seen
    if not both.any():
        return False
    reach = a.radius + b.radius
    return bool(np.hypot(*(a.xy[both] - b.xy[both]).T).min() > 0.9 * reach)


# --------------------------------------------------------------------------------------------------


def heading(body: Body) -> float:
    """Direction from the hinge to the centre of a turning body in its own frame: along the axis of
    its shape where that is within error."""
    x, y = body.numbers["centre_x"], body.numbers["centre_y"]
    on_axis = abs(y) < max(body.numbers.get("spread", 2.0), 0.5)
    return math.atan2(0.0 if on_axis else y, x)


def _direction(body: Body, path: Path) -> np.ndarray:
    """(T, 1) direction from the hinge to the body's centre."""
    if body.turns:
        return (path.angle + heading(body))[:, None]
    return bearing(path.xy - (body.numbers["pivot_x"], body.numbers["pivot_y"]))[:, None]


def _swinging(bodies: Sequence[Body], root: Body) -> list[Body]:
    """Others that hang on pivots of the picture."""
    return [b for b in bodies if b.motion == "revolute" and b.on is None and b.name != root.name]


def _tied(
    body: Body, others: Sequence[Body], evidence: Evidence, turn: np.ndarray
) -> list[Feature]:
    """Springs, slack at the middle distance, between the drawn centres of two pendulums: what one
    of unit stiffness would turn this one by. turn: (T,) direction from its pivot."""
    own, found = evidence.paths[body.name].xy, []
    arm = math.hypot(body.numbers["centre_x"], body.numbers["centre_y"])
    for other in (o for o in others if arm > FAR and "alike" not in o.numbers):
        apart = evidence.paths[other.name].xy - own
        far = np.maximum(np.hypot(*apart.T), 1.0)
        pull = apart * (1.0 - np.nanmedian(far) / far)[:, None]
        turned = (pull[:, 1] * np.cos(turn) - pull[:, 0] * np.sin(turn)) / arm
        found.append((f"tied@{other.name}", turned[:, None], positive))
    return found


FAR = 5.0
"""Pixels from its pivot from which a body swings to and fro."""


def _pendulum_options(body: Body, evidence: Evidence, others: Sequence[Body] = ()) -> list[Option]:
    path, name = evidence.paths[body.name], body.name
    series = _direction(body, path)
    offset = heading(body) if body.turns else 0.0
    length = math.hypot(body.numbers["centre_x"], body.numbers["centre_y"])
    sigma = path.floor_angle if body.turns else path.floor / max(length, 1.0)
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
    alone = [t for t in path.kinks if _partner(path, t, beside, evidence) is None]
    stops = tuple(_stops(name, series[:, 0] - offset, alone))
    struck = f"; {name} strikes a wall" if stops else ""
    options = []
    filmed = evidence.filmed
    for e in explain(series, sigma, evidence.dt, features, path.kinks, 3, filmed=filmed)[:5]:
        named = tuple(key for key in e.names if key != "across" or not _straight(e.values))
        middle = float(np.nanmean(values)) - offset
        terms = (*_weight(name, e.values, offset), *_at_pivot(name, e.values, middle))
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


def _stops(name: str, angle: np.ndarray, jumps: Sequence[int]) -> list[Term]:
    """Where a swing is turned back at once: the angle farthest out around each jump, one stop a
    side."""
    hits: dict[float, list[tuple[float, float]]] = {}
    for t in jumps:
        before, after = angle[max(t - 3, 0) : t], angle[t + 1 : t + 4]
        if min(np.isfinite(before).sum(), np.isfinite(after).sum()) < 2:
            continue
        came, left = (float(np.nanmean(np.diff(part))) for part in (before, after))
        if came * left >= 0:
            continue
        side = math.copysign(1.0, came)
        farthest = side * float(np.nanmax(side * angle[max(t - 1, 0) : t + 2]))
        hits.setdefault(side, []).append((farthest, min(abs(left / came), 1.0)))
    return [
        Term("stop", (name,), {"side": side, "angle": float(at), "e": float(e)})
        for side, found in hits.items()
        for at, e in [np.median(found, axis=0)]
    ]


def _hung(
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


def _slide_options(body: Body, evidence: Evidence) -> list[tuple[tuple[Term, ...], float, str]]:
    """What drives one body along its line: a steady pull (an incline), drag, a spring, the action."""
    path, name = evidence.paths[body.name], body.name
    along, sigma = _coordinate(body, path, evidence)
    series = along[:, None]
    s, v = smooth(series, evidence.dt, path.kinks)
    middle = float(np.nanmean(s))
    features: list[Feature] = [
        ("pull", np.ones_like(s), any_sign),
        ("drag", -v, positive),
        ("friction", -np.sign(v), positive),
        ("spring_along", middle - s, positive),
    ]
    if evidence.actions is not None and np.ptp(evidence.actions) > 0:
        features.append(("action", evidence.actions[:, None], any_sign))
    options = []
    found = explain(series, sigma, evidence.dt, features, path.kinks, 3, filmed=evidence.filmed)
    level = abs(body.numbers["axis_y"]) < LEVEL
    for e in (_cautious(found, "pull") if level else found)[:4]:
        values, terms = dict(e.values), []
        if "spring_along" in values:
            k = values["spring_along"]
            rest = middle + values.pop("pull", 0.0) / k
            terms.append(Term("joint_spring", (name,), {"k": k, "rest": rest}))
        terms += [Term("push", (name,), {"a": values["pull"]})] if "pull" in values else []
        terms += [Term("damping", (name,), {"c": values["drag"]})] if "drag" in values else []
        rub = values.get("friction")
        terms += [Term("friction", (name,), {"c": rub})] if rub else []
        terms += [Term("action", (name,), {"a": values["action"]})] if "action" in values else []
        words = f"{name} slides: {causes(e.names, 'constant velocity')} leaves {e.rms:.2f} px rms"
        options.append((tuple(terms), e.bic - 2.0 * JUMP.log_odds * len(path.kinks), words))
    return options


# --------------------------------------------------------------------------------------------------


def _linkage_options(
    tree: Sequence[Body], evidence: Evidence
) -> list[tuple[tuple[Term, ...], float, str]]:
    """Gravity, pushes and damping of a multi-body tree: its equations of motion are linear in all
    of these."""
    paths = [evidence.paths[b.name] for b in tree]
    series, sigmas = zip(
        *(_coordinate(b, p, evidence) for b, p in zip(tree, paths, strict=True)), strict=True
    )
    q = np.stack(series, 1)
    cuts = sorted({k for p in paths for k in p.kinks})
    values, rates = smooth(q, evidence.dt, cuts)
    sigma = np.array(sigmas)
    best: list[tuple[tuple[Term, ...], float, str]] = []
    tree, masses = _weighed(tree, q, values, rates, sigma, cuts, evidence)
    for mass in masses:
        features, always = _linkage_features(tree, values, rates, mass, evidence)
        scaled = [(name, f / sigma, ok) for name, f, ok in features]
        for e in [
            e
            for must, allowed in _driven_at(tree, scaled)
            for e in explain(
                q / sigma,
                1.0,
                evidence.dt,
                allowed,
                cuts,
                limit=3,
                must=must,
                always=always / sigma,
            )[:3]
        ]:
            terms = _linkage_terms(tree, e, mass, evidence)
            step = MASSES.index(mass) if mass in MASSES and len(tree) > 1 else 0
            guessed = (
                20.0 * (len(e.names) - 1) if any("com_scale" in b.numbers for b in tree) else 0.0
            )  # little residues of guessed masses
            best.append(
                (
                    terms,
                    e.bic + guessed + LIGHT * step,
                    f"{' and '.join(b.name for b in tree)}: {causes(e.names)}, at mass ratio "
                    f"{mass:.2g}",
                )
            )
    best.sort(key=lambda option: option[1])
    unique, seen = [], set()
    for option in best:
        key = tuple((t.kind, t.bodies, tuple(t.numbers), t.numbers.get("mass")) for t in option[0])
        if key not in seen:
            seen.add(key)
            unique.append(option)
    return unique[:6]


def _driven_at(
    tree: Sequence[Body], features: list[Feature]
) -> list[tuple[tuple[str, ...], list[Feature]]]:
    """(terms that are taken, terms to choose from), per hypothesis about which one body told
    actions drive, with a constant share."""
    if not any(name.startswith("action@") for name, *_ in features):
        return [(("gy",), features)]
    found = []
    for body in tree:
        own = (f"action@{body.name}", f"push@{body.name}")
        found.append(
            (
                ("gy", *own),
                [f for f in features if not f[0].startswith(("action@", "push@")) or f[0] in own],
            )
        )
    return [*found, (("gy",), [f for f in features if not f[0].startswith("action@")])]


def _weighed(
    tree: Sequence[Body],
    q: np.ndarray,
    values: np.ndarray,
    rates: np.ndarray,
    sigma: np.ndarray,
    cuts: Sequence[int],
    evidence: Evidence,
) -> tuple[Sequence[Body], Sequence[float]]:
    """The tree with first guesses of how its masses are spread, and the mass ratios worth trying.

    A drawn box is taken for what it looks like. How heavy the pieces of any other shape are is not
    seen (a rod with a bob): their centre of mass ("reach", relative to the drawn centre), radius of
    gyration and mass ratio are those with which gravity alone explains the motion best.
    """
    odd = [
        k
        for k, body in enumerate(tree)
        if body.motion == "revolute" and body.shape not in ("box", "disk")
    ]
    if not odd or len(tree) < 2:
        return tree, MASSES if len(tree) > 1 else (1.0,)

    def spread(x: np.ndarray) -> tuple[list[Body], float]:
        bodies = list(tree)
        for n, k in enumerate(odd):
            numbers = tree[k].numbers
            bodies[k] = replace(
                tree[k],
                numbers={
                    **numbers,
                    "com_scale": float(np.clip(1 + x[1 + 2 * n], 0.3, 2.4)),
                    "gyration": numbers["gyration"] * float(np.clip(1 + x[2 + 2 * n], 0.0, 2.5)),
                },
            )
        return bodies, float(np.clip(math.exp(x[0]), 0.02, 10.0))

    def cost(x: np.ndarray) -> float:
        bodies, mass = spread(x)
        features, always = _linkage_features(bodies, values, rates, mass, evidence)
        e = regress(
            q / sigma,
            1.0,
            evidence.dt,
            [(name, f / sigma, ok) for name, f, ok in features if name == "gy"],
            cuts,
            always / sigma,
        )
        return (
            e.bic
            + 10.0 * float((np.maximum(np.abs(x[1:]) - 1.0, 0.0) ** 2).sum())
            + 2.0 * float((x[1:] ** 2).sum())
            + float((x[0] + 1.0) ** 2)
        )

    start = np.concatenate([[-1.0], np.zeros(2 * len(odd))])
    found = minimize(
        cost,
        start,
        method="Nelder-Mead",
        options={"maxfev": 60 * len(start), "initial_simplex": _simplex(start)},
    )
    bodies, mass = spread(found.x)
    return bodies, (mass,)


def _simplex(start: np.ndarray) -> np.ndarray:
    return np.concatenate(
        [
            start[None],
            start
            + np.diag(
                np.where(np.arange(len(start)) == 0, 1.0, -0.5 + (np.arange(len(start)) % 2))
            ),
        ]
    )


def _coordinate(body: Body, path: Path, evidence: Evidence) -> tuple[np.ndarray, float]:
    n = body.numbers
    if body.motion == "prismatic":
        return (path.xy[:, 0] - n["at_x"]) * n["axis_x"] + (path.xy[:, 1] - n["at_y"]) * n[
            "axis_y"
        ], path.floor
    if body.turns:
        return path.angle, path.floor_angle
    host = evidence.paths[body.on].xy if body.on else np.array([n["pivot_x"], n["pivot_y"]])
    return bearing(path.xy - host), path.floor / max(n["centre_x"], 1.0)


def links_of(tree: Sequence[Body], mass: float) -> list[Link]:
    """The tree as tools.physics.multibody sees it, with one mass ratio for all links but the
    first."""
    links = []
    for k, b in enumerate(tree):
        n = b.numbers
        m = 1.0 if k == 0 else mass
        if b.motion == "prismatic":
            links.append(
                Link(
                    b.name,
                    "slide",
                    at=(n["at_x"], n["at_y"]),
                    axis=(n["axis_x"], n["axis_y"]),
                    mass=m,
                )
            )
        else:
            on = b.on if k else None
            links.append(
                Link(
                    b.name,
                    "hinge",
                    on=on,
                    at=(n["pivot_x"], n["pivot_y"]),
                    com=(
                        n["centre_x"] * n.get("com_scale", 1.0),
                        n["centre_y"] * n.get("com_scale", 1.0),
                    ),
                    mass=m,
                    inertia=m * n["gyration"] ** 2,
                )
            )
    return links


def _linkage_features(
    tree: Sequence[Body], q: np.ndarray, v: np.ndarray, mass: float, evidence: Evidence
) -> tuple[list[Feature], np.ndarray]:
    links = links_of(tree, mass)
    coordinates, rates = tuple(q.T), tuple(v.T)

    def motion(gravity=(0.0, 0.0), efforts=None) -> np.ndarray:
        out = accelerations(links, coordinates, rates, gravity, efforts)
        return np.stack([np.broadcast_to(np.asarray(a, float), q.shape[:1]) for a in out], 1)

    base = motion()
    features: list[Feature] = [
        ("gy", motion((0.0, 1.0)) - base, any_sign),
        ("across", motion((1.0, 0.0)) - base, any_sign),
    ]
    for k, body in enumerate(tree):
        name = body.name
        features.append((f"push@{name}", motion(efforts={name: 1.0}) - base, any_sign))
        rate = rates[k] - (
            rates[[b.name for b in tree].index(body.on)]
            if body.on
            and body.on in [b.name for b in tree]
            and tree[[b.name for b in tree].index(body.on)].motion == "revolute"
            else 0.0
        )
        features.append((f"damping@{name}", motion(efforts={name: -rate}) - base, positive))
        if evidence.actions is not None and np.ptp(evidence.actions) > 0:
            features.append(
                (f"action@{name}", motion(efforts={name: evidence.actions}) - base, any_sign)
            )
    return features, base


def _linkage_terms(
    tree: Sequence[Body], e: Explanation, mass: float, evidence: Evidence
) -> tuple[Term, ...]:
    v, names = e.values, tuple(b.name for b in tree)
    gravity = {key: v[k] for key, k in (("gx", "across"), ("gy", "gy")) if k in v}
    if (
        abs(v["gy"]) < 4 * e.errors["gy"]
    ):  # hardly seen: fall back on a picture a few metres high, give or take half
        gravity |= {"gy": HEIGHTS * evidence.shape[0], "prior": 0.5 * HEIGHTS * evidence.shape[0]}
    weights = {
        f"{key}@{b.name}": b.numbers[key]
        for b in tree
        for key in ("com_scale", "gyration")
        if "com_scale" in b.numbers
    }
    terms = [Term("gravity", names, {**gravity, "mass": mass, **weights})]
    for key, value in v.items():
        kind, _, name = key.partition("@")
        if kind in ("push", "action"):
            terms.append(Term(kind, (name,), {"a": value}))
        elif kind == "damping":
            terms.append(Term("damping", (name,), {"c": value}))
    return tuple(terms)
