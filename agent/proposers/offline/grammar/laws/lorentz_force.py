"""The Lorentz force: across the velocity, as on a charge in a magnetic field."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from agent.proposers.offline.grammar.law import BodyLaw, Kick
from agent.proposers.offline.grammar.quantity import Quantity, quantity, signed
from agent.proposers.offline.grammar.seeing import Seeing, Sight


@dataclass(frozen=True)
class LorentzForce(BodyLaw):
    """rate: cyclotron frequency, positive where the path turns anticlockwise on the screen."""

    word = "lorentz force"
    says = "a force across its velocity (as on a charge in a magnetic field) turns {on} aside"
    rate: Quantity = quantity(
        "1/s", "cyclotron frequency of {on}, anticlockwise", signed(10, 100), 1.0, base="cyclotron"
    )

    def acceleration(self, n: Any, body: Sight, see: Seeing) -> Kick:
        return n.rate * body.vy, -n.rate * body.vx, 0.0
