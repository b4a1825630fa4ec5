"""A force between bodies along the line that joins them, by any power of the distance: gravity,
charges."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from agent.proposers.offline.grammar.law import PairLaw
from agent.proposers.offline.grammar.quantity import Quantity, quantity, signed
from agent.proposers.offline.grammar.seeing import Seeing, Sight


@dataclass(frozen=True)
class PairForce(PairLaw):
    """Between every two of its bodies. strength: attraction in mass units times px^(1 - power)/s^2;
    negative repels. power: of the distance. by_mass: in proportion to both masses, as gravity
    is."""

    word = "pair force"
    says = "{on} attract or repel each other"
    strength: Quantity = quantity(
        "px^(1-p)/s^2",
        "attraction between {on}, times a power of the distance",
        signed(20, 1e-6),
        1.0,
    )
    power: float = -2.0
    by_mass: bool = False

    def pull(self, n: Any, a: Sight, b: Sight, see: Seeing) -> tuple[Any, Any]:
        dx, dy = see.let("dx", a.x - b.x), see.let("dy", a.y - b.y)
        square = dx * dx + dy * dy + 1e-9
        strength = n.strength * a.mass * b.mass if self.by_mass else n.strength
        pull = see.let("pull", strength * square ** ((self.power - 1.0) / 2.0))
        return -pull * dx, -pull * dy
