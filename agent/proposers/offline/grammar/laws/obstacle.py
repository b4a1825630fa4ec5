"""A thing that stands: bodies meet its outline, rest on it and roll off its ends."""

from __future__ import annotations

from dataclasses import dataclass

from agent.proposers.offline.grammar.law import EventLaw
from agent.proposers.offline.grammar.quantity import GrammarError, Quantity, between, quantity


@dataclass(frozen=True)
class Obstacle(EventLaw):
    """corners: its outline (x, y), px, which goes around it once; it need not be convex. radius: px
    that it reaches beyond them: a disk has one corner. restitution: share of the normal speed that a bounce gives back. margin: px that
    bodies keep from it, negative where they are drawn into it. Free disks meet it smoothly, all
    else in the engine."""

    word = "obstacle"
    says = "{on} cannot pass what stands there"
    corners: tuple[tuple[float, float], ...] = ((0.0, 100.0), (60.0, 100.0), (60.0, 110.0))
    radius: float = 0.0
    restitution: Quantity = quantity(
        "1",
        "share of the normal speed that a bounce off what stands gives back",
        between(0.0, 1.0),
        0.5,
        base="restitution_obstacle",
    )

    margin: Quantity | None = quantity(
        "px",
        "gap that {on} keep to what stands",
        between(-10.0, 10.0),
        None,
        base="margin_obstacle",
    )

    def __post_init__(self):
        super().__post_init__()
        if not self.corners or self.radius < 0.0:
            got = f"{len(self.corners)} and {self.radius}"
            raise GrammarError("obstacle", "a corner or more and no negative radius", got)
