"""The last resort: an acceleration that is a sparse sum of products of place and velocity."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from agent.proposers.offline.grammar.law import BodyLaw, Kick
from agent.proposers.offline.grammar.owner import Resolve
from agent.proposers.offline.grammar.quantity import (
    Declared,
    GrammarError,
    Kind,
    Number,
    Quantity,
    signed,
)
from agent.proposers.offline.grammar.seeing import Seeing, Sight

FACTORS = ("u", "w", "p", "q")
"""Place from the middle in half spans (u, w) and velocity in typical speeds (p, q)."""


@dataclass(frozen=True)
class Polynomial(BodyLaw):
    """x, y: products such as "u*u*p" (or "1") and their coefficients (px/s^2), for the two
    directions. middle (px), scale (px), rate (px/s): what place and velocity are measured from and
    in."""

    word = "polynomial"
    says = "an acceleration that depends on place and speed drives {on}"
    middle: tuple[float, float] = (0.0, 0.0)
    scale: float = 1.0
    rate: float = 1.0
    x: tuple[tuple[str, Quantity], ...] = ()
    y: tuple[tuple[str, Quantity], ...] = ()

    def __post_init__(self):
        super().__post_init__()
        for product, _ in (*self.x, *self.y):
            if product != "1" and not set(product.split("*")) <= set(FACTORS):
                listed = ", ".join(FACTORS)
                raise GrammarError("polynomial", f"products of {listed}", repr(product))
        if self.scale <= 0 or self.rate <= 0:
            raise GrammarError("polynomial: expected a positive scale and rate")

    def _coefficients(self) -> list[tuple[str, str, str, Quantity]]:
        pairs = [("x", *entry) for entry in self.x] + [("y", *entry) for entry in self.y]
        return [(f"a{a}_{p.replace('*', '')}", a, p, c) for a, p, c in pairs]

    def declared(self, name: str = "") -> list[Declared]:
        found = []
        for base, axis, product, c in self._coefficients():
            if isinstance(c, Number):
                kind = Kind("px/s^2", f"coefficient of {product} in {axis}''", signed(10, 100))
                found.append(Declared(base, c, kind, kind.about, self.subject()))
        return found

    def resolved(self, resolve: Resolve) -> SimpleNamespace:
        return SimpleNamespace(**{base: resolve(base, c) for base, _, _, c in self._coefficients()})

    def acceleration(self, n: Any, body: Sight, see: Seeing) -> Kick:
        used = {
            factor for _, _, product, _ in self._coefficients() for factor in product.split("*")
        }
        shapes = {
            "u": lambda: (body.x - self.middle[0]) / self.scale,
            "w": lambda: (body.y - self.middle[1]) / self.scale,
            "p": lambda: body.vx / self.rate,
            "q": lambda: body.vy / self.rate,
        }
        factors = {name: see.let(name, shape()) for name, shape in shapes.items() if name in used}
        totals = {"x": 0.0, "y": 0.0}
        for base, axis, product, _ in self._coefficients():
            term = getattr(n, base)
            for factor in () if product == "1" else product.split("*"):
                term = term * factors[factor]
            totals[axis] = totals[axis] + term
        return totals["x"], totals["y"], 0.0
