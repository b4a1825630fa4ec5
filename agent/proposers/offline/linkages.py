"""What drives sliders and trees of links."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from scipy.optimize import minimize

from agent.proposers.offline.contacts import BOUNCY
from agent.proposers.offline.evidence import (
    Evidence,
    Explanation,
    Feature,
    Path,
    bearing,
    explain,
    regress,
    smooth,
)
from agent.proposers.offline.flying import any_sign, cautious, positive
from agent.proposers.offline.mechanism import Body, Term
from agent.proposers.offline.naming import causes
from agent.proposers.offline.options import Option
from agent.proposers.offline.priors import ON_TOP, on_a_floor, proposed
from agent.proposers.offline.shaped import joint_explanations
from agent.proposers.offline.swinging import HEIGHTS, stops_of
from agent.proposers.offline.walls import boundaries, slides, unmet
from tools.physics.multibody import Link, accelerations

ACROSS = 0.98
"""Cosine of the angle between a slider's line and a boundary's normal from which it lies across."""
LEVEL = 0.1
"""Sine of the slope up to which a line counts as level: nothing slides down along it."""


MASSES = (0.1, 0.3, 1.0, 3.0)
"""Mass ratios tried for the links of a tree; the lightest is preferred, because a light link leaves
the others alone."""


LIGHT = 8.0
"""Price in BIC of each step up in ``MASSES``."""


SAID = {
    "pull": ("push", "a"), "drag": ("damping", "c"), "friction": ("friction", "c"),
    "action": ("action", "a"),
}  # fmt: skip
"""Features of what slides on a line, and the kind and the number of the term that says each."""


def slide_options(body: Body, evidence: Evidence) -> list[tuple[tuple[Term, ...], float, str]]:
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
    stops = tuple(stops_of(name, along, path.kinks)) if proposed("stop") else ()
    struck = f"; {name} strikes a stop" if stops else ""
    untold = [t for t in path.kinks if not (stops and stops_of(name, along, [t]))]
    jumps = len(stops) + len(untold)
    stops += tuple(_stops_ahead(body, path, evidence, stops)) if proposed("stop") else ()
    found, timed = joint_explanations(path, series, sigma, evidence, features)
    level = abs(body.numbers["axis_y"]) < LEVEL
    on_floor = slides(path, evidence)
    for e in (cautious(found, "pull") if level else found)[:4]:
        values, terms = dict(e.values), []
        if "spring_along" in values:
            k = values["spring_along"]
            rest = middle + values.pop("pull", 0.0) / k
            terms.append(Term("joint_spring", (name,), {"k": k, "rest": rest}))
        terms += [Term(SAID[k][0], (name,), {SAID[k][1]: values[k]}) for k in SAID if k in values]
        terms += [timed[key].term(name, values[key]) for key in e.names if key in timed]
        words = f"{name} slides: {causes(e.names, 'constant velocity')} leaves {e.rms:.2f} px rms"
        bic = e.bic - 2.0 * ON_TOP["jump"].log_odds * jumps
        bic += on_a_floor(e.names, evidence.filmed) if on_floor else 0.0
        options.append(((*terms, *stops), bic, words + struck))
    return options


def _stops_ahead(body: Body, path: Path, evidence: Evidence, met: Sequence[Term]) -> Iterator[Term]:
    """Drawn boundaries across the line of a slider on a floor that will turn it back."""
    axis = np.array([body.numbers["axis_x"], body.numbers["axis_y"]])
    along, _ = _coordinate(body, path, evidence)
    for side in unmet(path, boundaries(path, evidence)):
        normal = np.array(side.normal, float)
        way, towards = float(axis @ normal), -math.copysign(1.0, axis @ normal)
        if abs(way) < ACROSS or any(t.numbers["side"] == towards for t in met):
            continue
        room = path.xy @ normal - side.offset - path.girth(side.normal)
        place = float(np.nanmedian(along - room / way))
        yield Term("stop", (body.name,), {"side": towards, "place": place, "e": BOUNCY})


def linkage_options(
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
    best: list[Option] = []
    tree, masses = _weighed(tree, q, values, rates, sigma, cuts, evidence)
    for mass in masses:
        features, always = _linkage_features(tree, values, rates, mass, evidence)
        scaled = [(name, f / sigma, ok) for name, f, ok in features]
        for must, allowed in _driven_at(tree, scaled):
            found = explain(
                q / sigma,
                1.0,
                evidence.dt,
                allowed,
                cuts,
                limit=3,
                must=must,
                always=always / sigma,
            )
            best += [_option(tree, e, mass, evidence) for e in found[:3]]
    unique: dict[object, Option] = {}
    for option in sorted(best, key=lambda option: option[1]):
        key = tuple((t.kind, t.bodies, tuple(t.numbers), t.numbers.get("mass")) for t in option[0])
        unique.setdefault(key, option)
    return list(unique.values())[:6]


def _option(tree: Sequence[Body], e: Explanation, mass: float, evidence: Evidence) -> Option:
    """An explanation at a mass ratio as terms with their price: of ratios, the likelier ones are
    tried first; where masses were guessed, little residues of the guess look like causes."""
    step = MASSES.index(mass) if mass in MASSES and len(tree) > 1 else 0
    guessed = 20.0 * (len(e.names) - 1) if any("com_scale" in b.numbers for b in tree) else 0.0
    return (
        _linkage_terms(tree, e, mass, evidence),
        e.bic + guessed + LIGHT * step,
        f"{' and '.join(b.name for b in tree)}: {causes(e.names)}, at mass ratio {mass:.2g}",
    )


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

    def cost(x: np.ndarray) -> float:
        bodies, mass = _spread_by(x, tree, odd)
        features, always = _linkage_features(bodies, values, rates, mass, evidence)
        gravity = [(name, f / sigma, ok) for name, f, ok in features if name == "gy"]
        e = regress(q / sigma, 1.0, evidence.dt, gravity, cuts, always / sigma)
        return e.bic + _strange(x)

    start = np.concatenate([[-1.0], np.zeros(2 * len(odd))])
    found = minimize(
        cost,
        start,
        method="Nelder-Mead",
        options={"maxfev": 60 * len(start), "initial_simplex": _simplex(start)},
    )
    bodies, mass = _spread_by(found.x, tree, odd)
    return bodies, (mass,)


def _strange(x: np.ndarray) -> float:
    """Deviance by which numbers of ``_spread_by`` are unlikely before anything is seen: masses are
    spread nearly as drawn, and the outer body is the lighter one."""
    far = np.maximum(np.abs(x[1:]) - 1.0, 0.0)
    return 10.0 * float((far**2).sum()) + 2.0 * float((x[1:] ** 2).sum()) + float((x[0] + 1) ** 2)


def _spread_by(x: np.ndarray, tree: Sequence[Body], odd: Sequence[int]) -> tuple[list[Body], float]:
    """The tree with the masses of its ``odd`` bodies spread as x says, and the mass ratio: x[0] is
    its logarithm, then come, for each odd body, what is added to one as the factor of its centre of
    mass and of its radius of gyration."""
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
