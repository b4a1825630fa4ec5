"""Two bodies on one line that springs tie to each other, and one or both to the picture."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from agent.proposers.offline.evidence import (
    Explanation,
    Feature,
    Path,
    line_of_travel,
    regress,
    smooth,
)
from agent.proposers.offline.mechanism import Term
from agent.proposers.offline.options import Option
from tools.types import Steps

ASIDE = 1.0
"""Pixels by which places may lie beside the line that two bodies share."""

CLEAR = 3.0
"""Standard errors from which a stiffness is one."""


def chain_options(a: Path, b: Path, dt: Steps) -> list[Option]:
    """Explanations of two paths together by springs along their line: at both ends or at one of
    them, and between the two."""
    both = a.seen & b.seen
    point, axis, off = line_of_travel(a)
    if off > ASIDE or line_of_travel(b)[2] > ASIDE:
        return []
    across = np.array([-axis[1], axis[0]])
    if np.abs((b.xy[both] - point) @ across).max() > ASIDE:
        return []
    u = np.stack([np.where(both, (p.xy - point) @ axis, np.nan) for p in (a, b)], 1)
    sigma = math.hypot(a.floor, b.floor) / math.sqrt(2.0)
    cuts = sorted({*a.kinks, *b.kinks})
    options = []
    for tied in (("a", "b"), ("a",), ("b",)):
        for damped in (False, True):
            e = regress(u, sigma, dt, _features(u, dt, tied, damped, cuts), cuts)
            terms = _terms(a, b, e, point, axis)
            if terms is not None:
                why = f"springs tie {a.name} and {b.name} to each other and to the picture"
                options.append((terms, e.bic, f"{why}: leaves {e.rms:.2f} px rms"))
    return sorted(options, key=lambda option: option[1])


def _features(
    u: np.ndarray, dt: Steps, tied: tuple[str, ...], damped: bool, cuts: Sequence[int]
) -> list[Feature]:
    """Accelerations (T, 2) along the line: of what is tied to the picture, of the spring between,
    and steady ones, which tell where springs are at rest."""
    first, second, none = u[:, 0], u[:, 1], np.zeros(len(u))
    one = np.ones(len(u))
    found: list[Feature] = [
        ("spring@ab", np.stack([second - first, none], 1), bool),
        ("spring@ba", np.stack([none, first - second], 1), bool),
        ("gx@a", np.stack([one, none], 1), bool),
        ("gx@b", np.stack([none, one], 1), bool),
    ]
    if "a" in tied:
        found.append(("spring@a", np.stack([-first, none], 1), bool))
    if "b" in tied:
        found.append(("spring@b", np.stack([none, -second], 1), bool))
    if damped:
        found.append(("drag", -smooth(u, dt, cuts)[1], bool))
    return found


def _terms(
    a: Path, b: Path, e: Explanation, point: np.ndarray, axis: np.ndarray
) -> tuple[Term, ...] | None:
    """Springs between where both are at rest; None where one pushes, or is not clear."""
    v = e.values
    springs = [name for name in v if name.startswith("spring")]
    if any(v[name] < CLEAR * e.errors[name] or v[name] <= 0 for name in springs):
        return None
    if v.get("drag", 1.0) <= 0:
        return None
    pull = np.array([[v["spring@ab"], -v["spring@ab"]], [-v["spring@ba"], v["spring@ba"]]])
    pull += np.diag([v.get("spring@a", 0.0), v.get("spring@b", 0.0)])
    rest = np.linalg.solve(pull, [v["gx@a"], v["gx@b"]])
    force = {
        "k": v["spring@ab"],
        "length": float(abs(rest[1] - rest[0])),
        "ratio": v["spring@ba"] / v["spring@ab"],
        "on_a_line": 1.0,
    }
    terms = [Term("pair_force", (a.name, b.name), force)]
    for name, key, at in ((a.name, "spring@a", rest[0]), (b.name, "spring@b", rest[1])):
        if key in v:
            x, y = (float(value) for value in point + at * axis)
            terms.append(Term("spring", (name,), {"k": v[key], "x0": x, "y0": y, "span": 50.0}))
    if "drag" in v:
        terms.append(Term("drag", (a.name, b.name), {"c": v["drag"]}))
    return tuple(terms)
