"""Which forces and contacts explain the motion of a structure: terms from evidence, best first."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from agent.proposers.offline.alike import look_alike
from agent.proposers.offline.contacts import contacts_of, without
from agent.proposers.offline.evidence import Evidence, Path
from agent.proposers.offline.flying import balanced, free_options, swelling_options, turning_options
from agent.proposers.offline.linkages import linkage_options, slide_options
from agent.proposers.offline.mechanism import Body, Mechanism, Term
from agent.proposers.offline.options import Driven, Option
from agent.proposers.offline.pairs import crowd_options, pair_options
from agent.proposers.offline.priors import THRESHOLDS, proposed
from agent.proposers.offline.rails import rail_options
from agent.proposers.offline.receding import bounds_of, receding_options
from agent.proposers.offline.resting import engine_of
from agent.proposers.offline.swinging import (
    hanging_beside,
    on_a_rope,
    one_swing,
    pendulum_options,
    side_by_side,
    struck_across,
)

EXPECTED = 4.0
"""Deviance of leaving out contacts that the picture makes one expect."""


def drive(structure: Mechanism, evidence: Evidence, alternatives: int = 4) -> list[Driven]:
    """The structure with the terms that explain its motion; then variants that explain it nearly as
    well."""
    turning = [b for b in structure.bodies if b.motion == "free" and b.turns]
    for body in turning:
        structure = structure.with_body(balanced(body, evidence))
    free = [b for b in structure.bodies if b.motion == "free"]
    contacts, partners = contacts_of([b for b in free if not b.swells], evidence)
    away = [b for b in structure.bodies if b.motion == "receding"]
    across = (*side_by_side(structure, evidence), *struck_across(structure, evidence))
    contacts = (*contacts, *across, *bounds_of(away, evidence))
    contacts = tuple(term for term in contacts if proposed(term.kind))
    groups = [*_of_free(free, evidence, alternatives), *_of_others(structure, evidence)]
    groups += [receding_options(body, evidence, alternatives) for body in away]
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
    shared = _shared(free, best, alone, evidence) if proposed("pair_force") else []
    for chosen in shared[:alternatives]:
        together = _assemble(structure, chosen, contacts, evidence)
        found.insert(0 if together.bic < found[0].bic else len(found), together)
    if partners:
        untouched = _assemble(structure, best, without(contacts, partners), evidence)
        found.append(replace(untouched, bic=untouched.bic + EXPECTED))
    ranked = [found[0], *sorted(found[1:], key=lambda d: d.bic)]
    engine = engine_of(structure, _by_body(free, best), found[0].bic, evidence)
    if engine is None or not proposed("contact"):
        return ranked
    idle = len(free) == 1 and engine.bic >= ranked[0].bic  # it struck nothing that was seen
    return [ranked[0], engine, *ranked[1:]] if idle else [engine, *ranked]


def _of_free(free: Sequence[Body], evidence: Evidence, alternatives: int) -> Iterator[list[Option]]:
    """Options of each free body, and of its turning (see ``_place``)."""
    for body in free:
        yield free_options(body, evidence, alternatives)
        if body.turns:
            yield turning_options(body, evidence)


def _of_others(structure: Mechanism, evidence: Evidence) -> Iterator[list[Option]]:
    """Options of radii that vary, and of whatever is on a joint and follows nothing."""
    yield from (swelling_options(body, evidence) for body in structure.bodies if body.swells)
    yield from (rail_options(body, evidence) for body in structure.bodies if body.motion == "bead")
    leading = [b for b in structure.bodies if b.name not in structure.followers]
    for root in (b for b in leading if b.motion in ("prismatic", "revolute") and b.on is None):
        tree = _tree(root, leading)
        if "alike" in root.numbers:
            options: list[Option] = [((), 0.0, "")]
        elif len(tree) > 1:
            options = linkage_options(tree, evidence)
        elif root.motion == "revolute":
            options = pendulum_options(root, evidence, hanging_beside(leading, root))
        else:
            options = slide_options(root, evidence)
        yield on_a_rope(options, root, structure, evidence)


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


RESISTANCES = ("drag", "quadratic_drag", "friction")


SAME = 1.05
"""Ratio of two coefficients up to which even bodies that look different feel one law."""


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


def _by_body(free: Sequence[Body], best: Sequence[Option]) -> list[tuple[str, Option]]:
    """The options that move each free body, and those of bodies on joints, by the name of the first
    that they act on ("" for none)."""
    names = [body.name for body in free for _ in range(1 + body.turns)]
    jointed = [terms[0].bodies[0] if terms else "" for terms, _, _ in best[len(names) :]]
    return list(zip([*names, *jointed], best, strict=True))


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
    terms = one_swing(_one_law(terms, structure, evidence), structure, evidence)
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
