"""Laws: causes of motion. A new one is a file in ``laws/`` with a class that has a ``word``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from agent.proposers.offline.grammar.owner import Owner
from agent.proposers.offline.grammar.quantity import GrammarError
from agent.proposers.offline.grammar.seeing import Seeing, Sight

Kick = tuple[Any, Any, Any]
"""Acceleration along x and y (px/s^2) and of turning (rad/s^2)."""


LONGEST = 60
"""Characters of the names of a law's bodies that stand in those of its parameters: the contract
bounds names at a hundred."""


@dataclass(frozen=True)
class Law(Owner):
    """on: whom it acts on: names of bodies, or "body.attribute" for a size or a gain that
    varies."""

    folder: ClassVar[str] = "laws"
    least: ClassVar[int] = 1
    on: tuple[str, ...]

    def __post_init__(self):
        if len(set(self.on)) < max(len(self.on), self.least):
            raise GrammarError(self.word, f"at least {self.least} different bodies", str(self.on))

    def subject(self) -> str:
        """The names of those it acts on; of many the first, and how many more."""
        names = [name.replace(".", "_") for name in self.on]
        if len("_".join(names)) <= LONGEST:
            return "_".join(names)
        return f"{names[0][:LONGEST]}_and_{len(names) - 1}_more"

    def words(self) -> dict[str, str]:
        """ "{on}": a, b and c."""
        *most, last = self.on
        return {"on": f"{', '.join(most)} and {last}" if most else last, "first": self.on[0]}


class BodyLaw(Law):
    """A law of one body at a time; on several bodies it has the same numbers."""

    @property
    def turns(self) -> bool:
        """Whether it turns bodies."""
        return getattr(self, "turn", None) is not None

    def acceleration(self, n: Any, body: Sight, see: Seeing) -> Kick:
        """What it alone would accelerate the free body by. n: its quantities by field. A scalar is
        seen as (x, 0)."""
        raise NotImplementedError


class PairLaw(Law):
    """A law between every two of its bodies: action is reaction."""

    least: ClassVar[int] = 2

    def pull(self, n: Any, a: Sight, b: Sight, see: Seeing) -> tuple[Any, Any]:
        """Force on ``a`` (mass units times px/s^2); ``b`` feels the opposite."""
        raise NotImplementedError


class JointLaw(Law):
    """A law at the joint of a body, between it and what carries it."""

    def effort(self, n: Any, body: Sight, see: Seeing) -> Any:
        """Acceleration of the joint's coordinate, were the body alone on it and its carrier held
        fast."""
        raise NotImplementedError


class EventLaw(Law):
    """A law that acts in moments: impacts. Rollout and printers know the two kinds: wall and
    collision."""


class EngineLaw(Law):
    """Contacts that last: a rigid-body engine moves these bodies, under all other laws."""
