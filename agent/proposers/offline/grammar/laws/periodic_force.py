"""A force that comes and goes with a period."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from agent.proposers.offline.grammar.law import BodyLaw, Kick
from agent.proposers.offline.grammar.quantity import Quantity, around, positive, quantity, signed
from agent.proposers.offline.grammar.seeing import Seeing, Sight


@dataclass(frozen=True)
class PeriodicForce(BodyLaw):
    """x, y: amplitude of the acceleration; None: there is none. rate: angular frequency. phase: at
    the first frame."""

    word = "periodic force"
    says = "a periodic force drives {on}"
    x: Quantity | None = quantity(
        "px/s^2",
        "amplitude of the periodic force on {on} to the right",
        signed(10, 100),
        None,
        base="drive_x",
    )
    y: Quantity | None = quantity(
        "px/s^2",
        "amplitude of the periodic force on {on} downwards",
        signed(10, 100),
        None,
        base="drive_y",
    )
    rate: Quantity = quantity(
        "rad/s",
        "angular frequency of the periodic force on {on}",
        positive(5, 10),
        5.0,
        base="drive_rate",
    )
    phase: Quantity = quantity(
        "rad",
        "phase of the periodic force on {on} at the first frame",
        around(7.0),
        0.0,
        base="drive_phase",
    )

    def acceleration(self, n: Any, body: Sight, see: Seeing) -> Kick:
        swing = see.let("swing", see.sin(n.rate * see.time + n.phase))
        return n.x * swing, n.y * swing, 0.0
