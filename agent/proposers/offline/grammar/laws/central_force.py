"""A centre that attracts (or repels) by any power of the distance; a fixed spring of some length is
one as well."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from agent.proposers.offline.grammar.law import BodyLaw, Kick
from agent.proposers.offline.grammar.quantity import Quantity, around, quantity, signed
from agent.proposers.offline.grammar.seeing import Seeing, Sight


@dataclass(frozen=True)
class CentralForce(BodyLaw):
    """strength: attraction, px^(1 - power)/s^2; negative repels. power: of the distance, -2 for a
    planet. x, y: the centre. length: distance at which it does nothing, for an elastic thread or a
    spring (then power is 1). slack: nearer than that it does nothing either, as an elastic rope."""

    word = "central force"
    says = "a centre attracts {on}"
    strength: Quantity = quantity(
        "px^(1-p)/s^2", "attraction of {on}, times a power of the distance", signed(20, 1e-6), 1.0
    )
    power: float = -2.0
    x: Quantity = quantity("px", "centre that attracts {on}", around(400.0), 0.0, base="centre_x")
    y: Quantity = quantity("px", "centre that attracts {on}", around(400.0), 0.0, base="centre_y")
    length: Quantity | None = quantity(
        "px", "distance from the centre at which {on} feels nothing", around(400.0), None
    )

    slack: bool = False

    def sentence(self) -> str:
        name = self.words()["on"]
        if self.length is None:
            return self.says.format(on=name)
        what = "an elastic rope" if self.slack else "a spring"
        return f"{what} joins {name} to a fixed place"

    def acceleration(self, n: Any, body: Sight, see: Seeing) -> Kick:
        dx, dy = see.let("dx", body.x - n.x), see.let("dy", body.y - n.y)
        square = dx * dx + dy * dy + 1e-6
        if self.length is None:
            pull = see.let("pull", n.strength * square ** ((self.power - 1.0) / 2.0))
        else:
            stretched = 1.0 - n.length / see.sqrt(square)
            stretched = see.clip(stretched, 0.0, 1.0) if self.slack else see.whole(stretched)
            pull = see.let("pull", n.strength * stretched)
        return -pull * dx, -pull * dy, 0.0
