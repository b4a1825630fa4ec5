"""What moves a free body: the library of causes, regressed along its path."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from agent.proposers.offline.evidence import (
    Evidence,
    Explanation,
    Feature,
    Path,
    centre_of_mass,
    explain,
    noise_of,
    smooth,
)
from agent.proposers.offline.mechanism import Body, Term
from agent.proposers.offline.naming import causes
from agent.proposers.offline.options import Option
from agent.proposers.offline.priors import (
    DRIVEN_LOSS,
    FASTEST_FALL,
    GRAVITY,
    ON_TOP,
    RESISTANCES,
    THRESHOLDS,
    on_a_floor,
    proposed,
)
from agent.proposers.offline.regression import curve_option
from agent.proposers.offline.shaped import likeliest, shaped, switched_efforts, together
from agent.proposers.offline.walls import slides
from tools import timing

_AIR = "quadratic_drag"
_SWIFT = 0.6
"""Share of the fastest fall up to which what is filmed indoors goes (a drop of three metres)."""


def any_sign(value: float) -> bool:
    return True


def positive(value: float) -> bool:
    return value > 0


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
    tied = [ends for ends in evidence.links.get(path.name, ()) if not isinstance(ends[0], str)]
    found |= {f"link_{k + 1}": np.array(ends[:2]) for k, ends in enumerate(tied)}
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


def balanced(body: Body, evidence: Evidence) -> Body:
    """The body with the place of its centre of mass, where that is not its drawn centre: what is
    round has it there."""
    path = evidence.paths[body.name]
    round_ = path.compact if evidence.filmed else path.circular
    away = None if round_ else centre_of_mass(path, evidence.dt)
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


def free_options(body: Body, evidence: Evidence, limit: int) -> list[Option]:
    """What may move a free body: terms, their deviance and why, likeliest first; ``limit`` and one
    more at most, beside what follows from them."""
    key = ("free", repr(body), limit)
    return list(evidence.once(key, lambda: _free_options(body, evidence, limit)))


def _free_options(body: Body, evidence: Evidence, limit: int) -> list[Option]:
    path = _flight(body, evidence)
    xy, v = smooth(path.xy, evidence.dt, path.kinks)
    features = library(path, evidence, xy, v)
    where = {name: centre for name, centre in centres(path, evidence, xy).items()}
    special = shaped(path, evidence, xy, v, where)
    features += [each.feature for each in special.values()]
    explanations = cautious(_explained(path, evidence, features, special))
    timed = switched_efforts(path, path.xy, path.floor, evidence, features, explanations[0])
    if timed:
        special, features = special | timed, [*features, *(each.feature for each in timed.values())]
        more = _explained(path, evidence, features, special)
        explanations = cautious(likeliest([*explanations, *more]))
    middle = np.nanmean(xy, axis=0)
    span = float(np.nanmax(np.ptp(xy[np.isfinite(xy[:, 0])], axis=0)))
    options = []
    on_floor = slides(path, evidence)
    for e in explanations[: limit + 1]:
        terms = _free_terms(body.name, e, middle, span, where)
        terms += tuple(special[k].term(body.name, e.values[k]) for k in e.names if k in special)
        unsaid = set(e.names) - {*SAID, *special} - {k for k in e.names if k[:10] == "attraction"}
        if unsaid:
            raise ValueError(f"no term says {', '.join(sorted(unsaid))}, which moves {body.name}")
        terms, told = _damped(body.name, together(terms))
        floored = on_a_floor(e.names, evidence.filmed) if on_floor else 0.0
        options.append((terms, e.bic + floored, _sentence(body.name, e) + told))
        if evidence.filmed and _slows(path, evidence, features, e):
            likelier = 2.0 * ON_TOP["in air"].log_odds
            options.append(((*terms, _air(body.name, e)), e.bic - likelier, _through_air(body, e)))
    regressed = curve_option(path, evidence.dt, explanations[0])
    options += [] if regressed is None else [regressed]
    return sorted(options, key=lambda option: option[1])


def _explained(
    path: Path, evidence: Evidence, features: list[Feature], special: Mapping[str, object]
) -> list[Explanation]:
    """Explanations, likeliest first: a periodic force was found beside a spring, and is tried with
    it, for neither explains anything alone; nor does a spring whose anchor is nowhere near, which
    two steady fields say."""
    beside: list[tuple[str, ...]] = [("spring", "gx", "gy")]
    beside += [(f"spring_{name[-1]}", name) for name in special if name.startswith("drive_")]
    known = {name for name, *_ in features}
    found = {
        frozenset(e.names): e
        for must in ((), *(pair for pair in beside if pair[0] in known))
        for e in explain(
            path.xy, path.floor, evidence.dt, features, path.kinks, 4, must,
            filmed=evidence.filmed,
        )
        if all(ok(e.values[name]) for name, _, ok in features if name in must)
    }  # fmt: skip
    return sorted(found.values(), key=lambda e: e.bic)


def _slows(path: Path, evidence: Evidence, features: Sequence[Feature], e: Explanation) -> bool:
    """Whether something falls for no reason but its weight, and is seen to gain less and less."""
    if e.values.get("gy", 0.0) <= 0.0 or {*e.names} - {"gx", "gy"} or not proposed(_AIR):
        return False
    speeds = np.hypot(*smooth(path.xy, evidence.dt, path.kinks)[1].T)
    if np.nanmax(speeds) * GRAVITY / e.values["gy"] > _SWIFT * FASTEST_FALL:
        return False  # it would have to be faster than anybody throws: no fall
    must = (*e.names, _AIR)
    found = explain(path.xy, path.floor, evidence.dt, features, path.kinks, 0, must, filmed=True)
    return found[0].values.get(_AIR, 0.0) > 0.0


def _air(name: str, e: Explanation) -> Term:
    """The drag of the air on what falls with an acceleration of pixels that is that of gravity: its
    fastest fall tells how much, give or take all of it."""
    usual = (GRAVITY / FASTEST_FALL) ** 2 / e.values["gy"]
    return Term(_AIR, (name,), {"c": usual, "prior": usual})


def _through_air(body: Body, e: Explanation) -> str:
    return _sentence(body.name, e) + "; the air slows it, by how much is hardly told"


def _damped(name: str, terms: tuple[Term, ...]) -> tuple[tuple[Term, ...], str]:
    """What a periodic force drives is damped, by about as much as is usual, since what is seen
    hardly tells; and what is said of it."""
    drives = [term for term in terms if term.kind == "drive"]
    slowing = [term.kind for term in terms if term.kind in RESISTANCES]
    if not drives or slowing not in ([], ["drag"]):
        return terms, ""
    usual = DRIVEN_LOSS * drives[0].numbers["rate"]
    drag = Term("drag", (name,), {"c": usual, "prior": usual})
    rest = tuple(term for term in terms if term.kind != "drag")
    return (*rest, drag), "" if slowing else "; what is driven is damped"


def cautious(explanations: list[Explanation], push: str = "gx") -> list[Explanation]:
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
    values, terms = dict(e.values), list[Term]()
    constant: dict[str, float] = {k: values[k] for k in ("gx", "gy") if k in values}
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
    for kind in ("drag", "quadratic_drag", "friction", "lorentz_force"):
        if kind in values:
            terms.append(Term(kind, (name,), {"c": values[kind]}))
    pushes = {"a" + k[-1]: values[k] for k in ("action_x", "action_y") if k in values}
    if pushes:
        terms.append(Term("action", (name,), pushes))
    for pull in values:
        if pull.startswith("attraction"):
            power, _, place = pull[len("attraction") :].partition("@")
            terms.append(
                Term(
                    "attraction",
                    (name,),
                    {
                        "k": values[pull],
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


def swelling_options(body: Body, evidence: Evidence) -> list[tuple[tuple[Term, ...], float, str]]:
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


def turning_options(body: Body, evidence: Evidence) -> list[tuple[tuple[Term, ...], float, str]]:
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
