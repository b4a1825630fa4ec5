"""The one place where laws are summed over bodies: for the oracle with numbers, for the printer
with symbols."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

from agent.proposers.offline.grammar.law import BodyLaw, JointLaw, Law, PairLaw
from agent.proposers.offline.grammar.mechanism import Mechanism
from agent.proposers.offline.grammar.seeing import Seeing, Sight

Within = Callable[[Law, tuple[str, ...]], Seeing]
"""What a law may use while it acts on these items."""


@dataclass
class Loads:
    """kicks: item -> [ax, ay, turn], accelerations that it would have if it were free. efforts:
    item -> acceleration of its joint's coordinate, were it alone on it. What nothing acts on is
    absent, or the number 0.0."""

    kicks: dict[str, list[Any]] = field(default_factory=dict)
    efforts: dict[str, Any] = field(default_factory=dict)

    def kick(self, key: str, *accelerations: Any) -> None:
        """Add accelerations of a body."""
        total = self.kicks.setdefault(key, [0.0, 0.0, 0.0])
        for k, acceleration in enumerate(accelerations):
            total[k] = _plus(total[k], acceleration)


def _plus(total: Any, summand: Any) -> Any:
    if isinstance(total, float) and total == 0.0:
        return summand
    return total if isinstance(summand, float) and summand == 0.0 else total + summand


def loads_on(
    mechanism: Mechanism, numbers: Mapping[int, Any], sights: Mapping[str, Sight], within: Within
) -> Loads:
    """What all laws do to the items in ``sights``. numbers: quantities of a law by its position in
    ``mechanism.laws``."""
    loads = Loads()
    for position, law in enumerate(mechanism.laws):
        keys = [key for key in law.on if key in sights]
        n = numbers[position]
        if isinstance(law, BodyLaw):
            for key in keys:
                loads.kick(key, *law.acceleration(n, sights[key], within(law, (key,))))
        elif isinstance(law, JointLaw):
            for key in keys:
                effort = law.effort(n, sights[key], within(law, (key,)))
                loads.efforts[key] = _plus(loads.efforts.get(key, 0.0), effort)
        elif isinstance(law, PairLaw):
            for one, other in combinations(keys, 2):
                a, b = sights[one], sights[other]
                fx, fy = law.pull(n, a, b, within(law, (one, other)))
                loads.kick(one, fx / a.mass, fy / a.mass)
                loads.kick(other, -fx / b.mass, -fy / b.mass)
    return loads
