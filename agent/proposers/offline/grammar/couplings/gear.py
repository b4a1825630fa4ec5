"""Gears: two wheels whose teeth mesh."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from agent.proposers.offline.grammar.joint import Coupling
from agent.proposers.offline.grammar.quantity import Quantity, between, quantity
from agent.proposers.offline.grammar.seeing import Seeing


@dataclass(frozen=True)
class Gear(Coupling):
    """ratio: radius of the leader by that of the follower, which turns the other way."""

    word = "gear"
    says = "{follower} and {leader} are gears that mesh"
    ratio: Quantity = quantity(
        "1", "turns of {follower} for one of {leader}, the other way", between(0.02, 50.0), 1.0
    )

    def follow(self, n: Any, lead: Any, see: Seeing) -> Any:
        return -n.ratio * lead
