"""One-step edits of a mechanism, ordered by what the diagnosis of its node says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from agent.core.explained import SHORT, is_drawn, within_error
from agent.core.protocols import Node
from agent.proposers.offline.mechanism import Mechanism, Term
from agent.proposers.offline.plans import Plan
from agent.proposers.offline.priors import proposed
from tools.columns import is_angle
from tools.fitting.scaling import wrap

RESISTANCES = ("drag", "quadratic_drag", "friction", "damping")
"""Causes that slow things, by the stem of their parameter's name; 0 is none."""

INTEGRATORS = ("rk4", "explicit_euler", "symplectic_euler")


@dataclass(frozen=True)
class Edit:
    """A changed mechanism, the stages whose source changes, and the reason."""

    mechanism: Mechanism
    stages: tuple[str, ...]
    why: str


def edits(node: Node, mechanism: Mechanism, plan: Plan) -> Iterator[Edit]:
    """Edits of a node's mechanism, most promising first."""
    by_stage = {"dynamics": _dynamics, "rendering": _rendering, "perception": _rendering}
    guilty = node.diagnosis.guilty or "dynamics"
    for stage in dict.fromkeys((guilty, "dynamics", "rendering")):
        yield from by_stage[stage](node, mechanism, plan)


CLOSE = 0.1
"""Pixels (and fiftieths of a radian) by which a forecast may be off where measurements claim less
noise."""


ROUNDED = 0.05
"""Pixels that places scatter about their course, at least, where corners are drawn on whole pixels:
0.29 px a corner, less for what is the mean of several."""


RESISTING = {
    "free": ("drag", "quadratic_drag", "friction"),
    "revolute": ("damping",),
    "prismatic": ("damping",),
}
"""Resistances by the motion of a body."""


def _rendering(node: Node, mechanism: Mechanism, plan: Plan) -> Iterator[Edit]:
    if mechanism.drawing == "film" or is_drawn(node):
        return
    if mechanism.drawing == "whole pixels" or _scatter(node) >= ROUNDED:
        yield _redrawn(mechanism)


def _scatter(node: Node) -> float:
    """Most that measured places are off their course (pixels, root mean square)."""
    columns = node.evaluation.fit.get("columns", {})
    return max((rms or 0.0 for name, rms in columns.items() if not is_angle(name)), default=0.0)


def _redrawn(mechanism: Mechanism) -> Edit:
    other = "whole pixels" if mechanism.drawing == "smooth" else "smooth"
    why = (
        "parts may be drawn on the pixel grid"
        if other == "whole pixels"
        else "parts may be drawn between pixels"
    )
    return Edit(
        replace(mechanism, drawing=other),
        ("perception", "dynamics", "rendering"),
        f"The redrawn frames keep an error at the edges: {why}.",
    )


def variations(mechanism: Mechanism) -> list[Edit]:
    """Every edit of a mechanism that needs no evaluation to be thought of."""
    return [
        *([_redrawn(mechanism)] if mechanism.drawing != "film" else []),
        *_integrators(mechanism),
        *_spreads(mechanism),
        *_impacts(mechanism),
        *_resistances(mechanism),
    ]


def _dynamics(node: Node, mechanism: Mechanism, plan: Plan) -> Iterator[Edit]:
    if settled(node) or within_error(node):
        return
    good = node.score > 0.8
    if good:
        yield from _integrators(mechanism)
    else:
        yield from _spreads(mechanism)
    yield from _impacts(mechanism)
    for draft in plan.kin(mechanism):
        if draft.far and node.score >= SHORT:
            continue
        yield Edit(
            draft.mechanism,
            ("perception", "dynamics", "rendering"),
            f"The same bodies with other causes: {draft.causes}.",
        )
    yield from _resistances(mechanism)
    if not good:
        yield from _integrators(mechanism)


def is_void(node: Node) -> bool:
    """Whether the fit made nothing of a resistance that the program has: it is as good as the same
    program without."""
    return any(
        param.name.startswith(RESISTANCES) and param.value == param.low == 0.0
        for param in node.evaluation.params
    )


def settled(node: Node) -> bool:
    """Whether everything is forecast where it is then measured, as well as that can be told, so
    that no other cause would do better: what is still wrong with the frames is how they are drawn.
    """
    gaps = []
    for predicted, measured in zip(
        node.evaluation.predicted, node.evaluation.remeasured, strict=False
    ):
        for k, column in enumerate(measured.columns):
            if column in predicted.columns:
                gap = predicted.column(column) - measured.values[:, k]
                gap = (wrap(gap) if is_angle(column) else gap)[np.isfinite(gap)]
                noise = 0.0 if measured.noise is None else float(measured.noise[k])
                least = CLOSE / 50 if is_angle(column) else CLOSE
                gaps.append(
                    float(np.sqrt(np.mean(gap**2))) / max(2 * noise, least) if len(gap) else 0.0
                )
    return bool(gaps) and max(gaps) < 1.0


def _integrators(mechanism: Mechanism) -> Iterator[Edit]:
    if mechanism.drawing == "film":  # nature does not step
        return
    if mechanism.integrator == "rk4" and any(
        t.kind not in ("wall", "collide") for t in mechanism.terms
    ):
        for name in INTEGRATORS:
            if name != mechanism.integrator:
                yield Edit(
                    replace(mechanism, integrator=name),
                    ("dynamics",),
                    "What is left drifts smoothly: the clip may come from a simulator that steps "
                    f"by {name.replace('_', ' ')}.",
                )


def _spreads(mechanism: Mechanism) -> Iterator[Edit]:
    """Boxes on hinges whose mass is not spread as evenly as they are drawn."""
    for term in mechanism.of("gravity"):
        rods = [
            b
            for name in term.bodies
            if (b := mechanism.body(name)).motion == "revolute"
            and b.shape == "box"
            and f"gyration@{name}" not in term.numbers
        ]
        if rods and len(term.bodies) > 1:
            spread = {
                f"{key}@{b.name}": value
                for b in rods
                for key, value in (("com_scale", 1.0), ("gyration", b.numbers["gyration"]))
            }
            heavier = replace(term, numbers={**term.numbers, **spread})
            yield Edit(
                replace(
                    mechanism, terms=tuple(heavier if t is term else t for t in mechanism.terms)
                ),
                ("dynamics",),
                f"The mass of {' and '.join(b.name for b in rods)} may not be spread as evenly as "
                "it is drawn.",
            )


def _impacts(mechanism: Mechanism) -> Iterator[Edit]:
    """Disks that were seen to strike each other, and whose masses may not go by their areas, nor
    their outlines be just what meets: a rim is drawn on both sides of where a body ends."""
    struck = [t for t in mechanism.of("collide") if {"measured", "by_size"} <= t.numbers.keys()]
    if struck and all(t.numbers["by_size"] for t in struck):
        own = {"by_size": 0.0, "margin": 0.0}
        free = {id(t): replace(t, numbers={**t.numbers, **own}) for t in struck}
        names = sorted({name for t in struck for name in t.bodies})
        yield Edit(
            replace(mechanism, terms=tuple(free.get(id(t), t) for t in mechanism.terms)),
            ("dynamics",),
            f"The masses of {' and '.join(names)} may not go by their areas, and what meets may "
            "not be their outlines.",
        )


def _resistances(mechanism: Mechanism) -> Iterator[Edit]:
    """Add a small resistance to whatever has none, leave out what little there is, or put another
    kind in its place."""
    for body in mechanism.bodies:
        if body.name in mechanism.followers:
            continue
        kinds = [k for k in RESISTING.get(body.motion, ()) if proposed(k)]
        there = [k for k in kinds if any(body.name in t.bodies for t in mechanism.of(k))]
        missing = [k for k in kinds if k not in there]
        for kind in there:
            without = mechanism.minus(kind, body.name)
            why = f"{_words(kind)} on {body.name} may not be needed."
            yield Edit(without, ("dynamics",), why)
            for other in missing:
                why = f"{_words(other)} may slow {body.name} in place of {_words(kind)}."
                yield Edit(without.plus(_slight(other, body.name)), ("dynamics",), why)
        for kind in missing:
            why = f"{_words(kind)} on {body.name} would slow it over time."
            yield Edit(mechanism.plus(_slight(kind, body.name)), ("dynamics",), why)


def _slight(kind: str, name: str) -> Term:
    """A small resistance to begin a fit with."""
    guess = {"drag": 0.1, "quadratic_drag": 1e-4, "friction": 10.0, "damping": 0.1}[kind]
    return Term(kind, (name,), {"c": guess})


def _words(kind: str) -> str:
    return kind.replace("_", " ")
