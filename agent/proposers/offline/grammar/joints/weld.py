"""A weld: a body that is fixed to another one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from agent.proposers.offline.grammar.joint import Joint
from agent.proposers.offline.grammar.quantity import GrammarError
from agent.proposers.offline.grammar.seeing import Pose, Seeing, turned


@dataclass(frozen=True)
class Weld(Joint):
    """on: the host. x, y: its drawn centre in the host's frame, px, and turn: its angle against the
    host's, rad; None: perception measures where it sits, and the body takes no part in the
    dynamics. about: the point of the picture, px, that the host turns about where its picture shows
    no angle, so that perception reads that off its place."""

    word = "weld"
    says = "is fixed to another body"
    on: str = ""  # type: ignore[misc]
    x: float | None = None
    y: float | None = None
    turn: float = 0.0
    about: tuple[float, float] | None = None

    def __post_init__(self):
        if (self.x is None) != (self.y is None):
            raise GrammarError("weld", "x and y or neither", f"{self.x}, {self.y}")

    @property
    def known(self) -> bool:
        """Whether it has a place in the dynamics."""
        return self.x is not None and self.y is not None

    def sentence(self) -> str:
        return f"is fixed to {self.on}"

    def coordinates(self) -> tuple[str, ...]:
        return ()

    def pose(self, n: Any, host: Pose, q: tuple, see: Seeing) -> Pose:
        ox, oy = turned(see, (self.x or 0.0, self.y or 0.0), host[2])
        return host[0] + ox, host[1] + oy, host[2] + self.turn if self.turn else host[2]

    def link(self, n: Any) -> dict[str, Any]:
        at = (self.x or 0.0, self.y or 0.0)
        return {"joint": "weld", "at": at, "turn": self.turn, "com": (n.com_x, n.com_y)}
