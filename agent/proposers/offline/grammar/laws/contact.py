"""Contacts that last: what falls, rubs, rolls, tips and stacks is moved by a rigid-body engine."""

from __future__ import annotations

from dataclasses import dataclass

from agent.proposers.offline.grammar.law import EngineLaw
from agent.proposers.offline.grammar.quantity import Quantity, between, quantity


@dataclass(frozen=True)
class Contact(EngineLaw):
    """restitution: of two bodies that touch. friction: Coulomb's coefficient of every contact.
    Walls keep a restitution of their own."""

    word = "contact"
    says = "{on} collide, rub and rest on what they touch"
    restitution: Quantity = quantity(
        "1",
        "share of the closing speed that two bodies give back",
        between(0.0, 1.0),
        0.3,
        base="restitution_bodies",
    )
    friction: Quantity = quantity(
        "1", "Coulomb friction wherever bodies touch", between(0.0, 3.0), 0.5
    )
