"""Collisions of disks: impacts in closed form, between every two of its bodies."""

from __future__ import annotations

from dataclasses import dataclass

from agent.proposers.offline.grammar.law import EventLaw
from agent.proposers.offline.grammar.quantity import Quantity, between, positive, quantity


@dataclass(frozen=True)
class Collision(EventLaw):
    """restitution: share of the closing speed that an impact gives back. rest_speed: closing speed
    up to which it gives nothing back; None: there is none. margin: how far outlines are apart when
    bodies touch, where they are not known so well; None: not at all."""

    word = "collision"
    says = "{on} bounce off each other"
    least = 2
    restitution: Quantity = quantity(
        "1",
        "share of the closing speed that a collision gives back",
        between(0.0, 1.0),
        0.95,
        base="restitution_disks",
    )
    rest_speed: Quantity | None = quantity(
        "px/s", "closing speed up to which a collision gives nothing back", positive(4.0, 1.0), None
    )
    margin: Quantity | None = quantity(
        "px",
        "distance between the outlines of {on} when they touch",
        lambda v: (v - 10.0, v + 10.0),
        None,
    )
