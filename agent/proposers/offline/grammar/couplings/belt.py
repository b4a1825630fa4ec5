"""A belt or a rope wound on a wheel: one coordinate goes with another in a fixed ratio."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from agent.proposers.offline.grammar.joint import Coupling
from agent.proposers.offline.grammar.quantity import Quantity, between, quantity
from agent.proposers.offline.grammar.seeing import Seeing


@dataclass(frozen=True)
class Belt(Coupling):
    """ratio: how far the follower goes (px, or rad of a wheel) for each px or rad of the leader;
    negative where it goes against it."""

    word = "belt"
    says = "{follower} goes with {leader} on a belt or a rope"
    ratio: Quantity = quantity(
        "1", "way of {follower} for each of {leader}", between(-200.0, 200.0), 1.0
    )

    def follow(self, n: Any, lead: Any, see: Seeing) -> Any:
        return n.ratio * lead
