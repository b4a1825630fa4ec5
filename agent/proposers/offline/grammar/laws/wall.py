"""A straight wall or floor: bodies bounce off it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from agent.proposers.offline.grammar.law import EventLaw
from agent.proposers.offline.grammar.quantity import (
    GrammarError,
    Quantity,
    around,
    between,
    quantity,
)

NAMES: dict[tuple[float, float], str] = {
    (0, -1): "floor",
    (0, 1): "ceiling",
    (1, 0): "left_wall",
    (-1, 0): "right_wall",
}


@dataclass(frozen=True)
class Wall(EventLaw):
    """normal: unit vector to the free side. offset: the free side is where normal . (x, y) >
    offset, px. restitution: share of the normal speed that a bounce gives back. friction: Coulomb's
    coefficient at a bounce; None: it is smooth. A body touches it by its radius."""

    word = "wall"
    says = "{on} bounces off a wall: the {wall}"
    normal: tuple[float, float] = (0.0, -1.0)
    offset: Quantity = quantity("px", "place of the {wall} along its normal", around(60.0), 0.0)
    restitution: Quantity = quantity(
        "1",
        "share of the normal speed that a bounce off the {wall} gives back",
        between(0.0, 1.2),
        0.9,
    )
    friction: Quantity | None = quantity(
        "1", "Coulomb friction at a bounce off the {wall}", between(0.0, 1.5), None
    )

    def __post_init__(self):
        super().__post_init__()
        if abs(math.hypot(*self.normal) - 1.0) > 1e-4:
            raise GrammarError("wall.normal", "a unit vector", str(self.normal))

    def label(self) -> str:
        nx, ny = self.normal
        turned = f"wall_{round(math.degrees(math.atan2(ny, nx))) % 360}"
        return NAMES.get((round(nx, 1), round(ny, 1)), turned)

    def words(self) -> dict[str, str]:
        return {**super().words(), "wall": self.label().replace("_", " ")}


UPRIGHT = 0.9999
"""Component of a normal from which a wall counts as upright, or level."""


def across(normal: Sequence[float]) -> int | None:
    """Which axis a wall stands across: 0 (x) for an upright one, 1 (y) for a level one, None for
    one that slopes."""
    return next((axis for axis in (0, 1) if abs(normal[axis]) > UPRIGHT), None)
