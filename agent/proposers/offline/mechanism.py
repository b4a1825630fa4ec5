"""Hypotheses of the grammar as data: which bodies there are, how each may move, and which terms
drive them.

A mechanism is written at the foot of the dynamics program that was generated from it (one comment
line of JSON), so that any node of an archive can be edited again, in this process or after a
resume.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import Any

from tools.perception.links import Ends

MARK = "# grammar: "

MOTIONS = (
    "rest", "free", "prismatic", "revolute", "weld", "bead", "image", "receding",
)  # fmt: skip
"""How a body may move: the words of ``grammar.joints``."""

TERMS = (
    "gravity", "drag", "quadratic_drag", "friction", "lorentz_force", "spring", "attraction",
    "pair_force", "rail", "push", "action", "damping", "joint_spring", "wall", "collide",
    "contact", "obstacle", "stop", "curve", "turning", "frame", "drive", "switched", "swelling", "gear", "belt", "pulley",
    "crank", "connecting_rod",
)  # fmt: skip
"""Kinds of causes and couplings; ``write`` says which law or coupling each is."""

COUPLINGS = ("gear", "belt", "pulley", "crank", "connecting_rod")
"""Terms that bind the coordinate of the first of their bodies to that of the second."""


@dataclass(frozen=True)
class Body:
    """One object of the state. shape, colour, near: how perception finds it
    (tools.perception.Part). motion: one of MOTIONS; on: the body it hangs on or rides on (None: the
    picture). turns: its angle varies; swells: its radius does. numbers: geometry in pixels and
    radians that was measured (pivot, axis, offsets, half sizes). rests: it stands still at first. links: where springs, ropes and
    threads begin and end that are drawn from it (tools.perception.links.Ends)."""

    name: str
    shape: str
    colour: tuple[float, float, float] | None
    near: tuple[float, float] | None = None
    motion: str = "free"
    on: str | None = None
    turns: bool = False
    numbers: Mapping[str, float] = field(default_factory=dict)
    swells: bool = False
    links: tuple[Ends, ...] = ()
    rests: bool = False


@dataclass(frozen=True)
class Term:
    """One cause of motion. kind: one of TERMS; bodies: whom it acts on; numbers: first guesses of
    its parameters."""

    kind: str
    bodies: tuple[str, ...]
    numbers: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Mechanism:
    """A hypothesis. integrator: "rk4", "symplectic_euler" or "explicit_euler". drawing: "smooth",
    "whole pixels" or "film" (camera pictures: one sprite a body). order: body names from back to front. light: "steady", "white" (one gain changes
    over time) or "coloured" (one a channel). plate: the one colour of what lies behind, where it is
    known to be plain."""

    bodies: tuple[Body, ...]
    terms: tuple[Term, ...] = ()
    integrator: str = "rk4"
    drawing: str = "smooth"
    order: tuple[str, ...] = ()
    light: str = "steady"
    plate: tuple[float, float, float] | None = None

    def body(self, name: str) -> Body:
        """The body of that name (KeyError, with the names there are, without one)."""
        for body in self.bodies:
            if body.name == name:
                return body
        raise KeyError(f"no body {name!r} among {', '.join(b.name for b in self.bodies) or 'none'}")

    @property
    def followers(self) -> frozenset[str]:
        """Bodies whose coordinate follows another."""
        return frozenset(t.bodies[0] for t in self.terms if t.kind in COUPLINGS)

    @property
    def gains(self) -> tuple[str, ...]:
        """Attributes of the light that vary."""
        return {"steady": (), "white": ("gain",), "coloured": ("red", "green", "blue")}[self.light]

    def of(self, kind: str) -> tuple[Term, ...]:
        """All terms of a kind."""
        return self._kinds.get(kind, ())

    @cached_property
    def _kinds(self) -> dict[str, tuple[Term, ...]]:
        """Terms by kind, each in their order."""
        found: dict[str, tuple[Term, ...]] = {}
        for kind in dict.fromkeys(term.kind for term in self.terms):
            found[kind] = tuple(term for term in self.terms if term.kind == kind)
        return found

    def plus(self, *terms: Term) -> Mechanism:
        """With these terms added; a term of the same kind on the same bodies is replaced."""
        new = {(term.kind, term.bodies, _key(term)): term for term in (*self.terms, *terms)}
        return replace(self, terms=tuple(new.values()))

    def minus(self, kind: str, name: str | None = None) -> Mechanism:
        """Without the terms of a kind (that act on ``name``)."""
        return replace(
            self,
            terms=tuple(
                t
                for t in self.terms
                if t.kind != kind or (name is not None and name not in t.bodies)
            ),
        )

    def with_body(self, body: Body) -> Mechanism:
        """With one body replaced by name."""
        return replace(self, bodies=tuple(body if b.name == body.name else b for b in self.bodies))

    def dumps(self) -> str:
        """One line of JSON."""
        return json.dumps(asdict(self), sort_keys=True, separators=(",", ":"))


def _key(term: Term) -> tuple:
    """Walls with different normals, stops on different sides and obstacles at different places are
    different terms."""
    told = {"wall": ("nx", "ny"), "stop": ("side",), "obstacle": ("x0", "y0")}.get(term.kind, ())
    return tuple(sorted((k, round(v)) for k, v in term.numbers.items() if k in told))


def loads(text: str) -> Mechanism:
    """Inverse of Mechanism.dumps."""
    data: dict[str, Any] = json.loads(text)

    strange = {d["motion"] for d in data["bodies"]} - set(MOTIONS)
    strange |= {d["kind"] for d in data["terms"]} - set(TERMS)
    if strange:
        raise ValueError(f"expected motions and terms of this version, got {', '.join(strange)}")

    def body(d: dict[str, Any]) -> Body:
        pair = {k: tuple(d[k]) if d[k] is not None else None for k in ("colour", "near")}
        links = tuple(tuple(ends) for ends in d.get("links", ()))
        return Body(**{**d, **pair, "links": links})

    return Mechanism(
        tuple(body(d) for d in data["bodies"]),
        tuple(Term(d["kind"], tuple(d["bodies"]), d["numbers"]) for d in data["terms"]),
        data["integrator"],
        data["drawing"],
        tuple(data["order"]),
        data.get("light", "steady"),
        tuple(data["plate"]) if data.get("plate") else None,
    )


def axis_of(numbers: Mapping[str, float]) -> tuple[float, float]:
    """Direction of a line, along x or y of the picture where it is so but for noise."""
    x, y = numbers["axis_x"], numbers["axis_y"]
    if abs(y) < STRAIGHT:
        return (1.0, 0.0)
    if abs(x) < STRAIGHT:
        return (0.0, 1.0)
    return x / math.hypot(x, y), y / math.hypot(x, y)


STRAIGHT = 0.02
"""Slope up to which a line is one along x or y of the picture."""


def mechanism_of(source: str) -> Mechanism | None:
    """The mechanism noted in a dynamics program, or None if it was not written by this grammar."""
    for line in reversed(source.splitlines()):
        if line.startswith(MARK):
            try:
                return loads(line[len(MARK) :])
            except (ValueError, KeyError, TypeError):
                return None
    return None
