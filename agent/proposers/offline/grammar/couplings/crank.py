"""Crank and slider: a closed loop of a crank, a connecting rod and a slider, in closed form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from agent.proposers.offline.grammar.joint import Coupling, Joint
from agent.proposers.offline.grammar.quantity import Quantity, around, positive, quantity
from agent.proposers.offline.grammar.seeing import Seeing


@dataclass(frozen=True)
class CrankSlider(Coupling):
    """The follower's coordinate along its line for the angle of the crank (the leader). throw:
    distance of the crank's pin from its axle, rod: length of the connecting rod, px. heading: angle
    of the slider's line, rad. base: coordinate of the slider beside the axle. offset: px by which
    the line passes the axle. side: -1.0 where the slider is before the axle along its line."""

    word = "crank and slider"
    says = "{leader} drives {follower} by a connecting rod"
    relative = False
    throw: Quantity = quantity("px", "throw of the crank {leader}", positive(3.0, 10.0), 10.0)
    rod: Quantity = quantity(
        "px", "length of the rod between {leader} and {follower}", positive(3.0, 10.0), 30.0
    )
    heading: float = 0.0
    base: Quantity = quantity("px", "coordinate of {follower} beside the axle", around(300.0), 0.0)
    offset: Quantity = quantity("px", "way by which {follower} passes the axle", around(100.0), 0.0)
    side: float = 1.0

    def label(self) -> str:
        return self.leader

    def objection(self, follower: Joint, leader: Joint) -> str | None:
        return None if leader.turning else f"expected a crank that turns, got {leader.word}"

    def follow(self, n: Any, lead: Any, see: Seeing) -> Any:
        angle = lead - self.heading if self.heading else lead
        aside = see.let("aside", n.throw * see.sin(angle) - n.offset)
        along = see.let("along", see.sqrt(n.rod * n.rod - aside * aside))
        return n.base + n.throw * see.cos(angle) + (along if self.side > 0 else -along)


@dataclass(frozen=True)
class CrankRod(Coupling):
    """The angle of the connecting rod, which turns on the crank's pin. throw, rod, heading, offset,
    side: as those of CrankSlider. turn: its angle where it lies along the slider's line, rad; None:
    that of the line."""

    word = "connecting rod"
    says = "{follower} is the connecting rod of {leader}"
    relative = False
    throw: Quantity = quantity("px", "throw of the crank {leader}", positive(3.0, 10.0), 10.0)
    rod: Quantity = quantity("px", "length of {follower}", positive(3.0, 10.0), 30.0)
    heading: float = 0.0
    offset: Quantity = quantity(
        "px", "way by which the slider's line passes the axle", around(100.0), 0.0
    )
    side: float = 1.0
    turn: float | None = None

    def label(self) -> str:
        return self.leader

    def objection(self, follower: Joint, leader: Joint) -> str | None:
        both = follower.turning and leader.turning
        return None if both else f"expected two that turn, got {follower.word} and {leader.word}"

    def follow(self, n: Any, lead: Any, see: Seeing) -> Any:
        angle = lead - self.heading if self.heading else lead
        swing = see.arcsin((n.offset - n.throw * see.sin(angle)) / n.rod)
        turn = self.heading if self.turn is None else self.turn
        swing = swing if self.side > 0 else -swing
        return swing + turn if turn else swing
