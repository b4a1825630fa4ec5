"""A spring between bodies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from agent.proposers.offline.grammar.law import PairLaw
from agent.proposers.offline.grammar.quantity import Quantity, positive, quantity
from agent.proposers.offline.grammar.seeing import Seeing, Sight


@dataclass(frozen=True)
class PairSpring(PairLaw):
    """Between every two of its bodies. stiffness: force per px of stretch in mass units. length: at
    which it is slack. damping: force per closing speed; None: it has none."""

    word = "pair spring"
    says = "a spring joins {on}"
    stiffness: Quantity = quantity(
        "1/s^2", "force per pixel of the spring between {on}", positive(20, 10), 10.0
    )
    length: Quantity = quantity(
        "px", "length at which the spring between {on} is slack", positive(4, 10), 50.0
    )
    damping: Quantity | None = quantity(
        "1/s", "damping of the spring between {on}", positive(20, 10), None, base="spring_damping"
    )

    def pull(self, n: Any, a: Sight, b: Sight, see: Seeing) -> tuple[Any, Any]:
        dx, dy = see.let("dx", a.x - b.x), see.let("dy", a.y - b.y)
        far = see.let("far", see.sqrt(dx * dx + dy * dy + 1e-9))
        pull = n.stiffness * see.whole(1.0 - n.length / far)
        if self.damping is not None:
            opening = dx * see.whole(a.vx - b.vx) + dy * see.whole(a.vy - b.vy)
            pull = pull + n.damping * see.whole(opening) / (far * far)
        pull = see.let("pull", pull)
        return -pull * dx, -pull * dy
