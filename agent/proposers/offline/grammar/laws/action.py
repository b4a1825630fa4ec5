"""The action that an agent takes drives a body."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from agent.proposers.offline.grammar.law import BodyLaw, Kick
from agent.proposers.offline.grammar.quantity import Quantity, quantity, signed
from agent.proposers.offline.grammar.seeing import Seeing, Sight


@dataclass(frozen=True)
class Action(BodyLaw):
    """x, y: acceleration to the right and downwards per unit of action; turn: angular acceleration;
    None: there is none."""

    word = "action"
    says = "the action drives {on}"
    x: Quantity | None = quantity(
        "px/s^2",
        "acceleration of {on} to the right per unit of action",
        signed(10, 100),
        None,
        base="gain_x",
    )
    y: Quantity | None = quantity(
        "px/s^2",
        "acceleration of {on} downwards per unit of action",
        signed(10, 100),
        None,
        base="gain_y",
    )
    turn: Quantity | None = quantity(
        "rad/s^2",
        "angular acceleration of {on} per unit of action",
        signed(10, 100),
        None,
        base="gain_turn",
    )

    def acceleration(self, n: Any, body: Sight, see: Seeing) -> Kick:
        return n.x * see.action, n.y * see.action, n.turn * see.action
