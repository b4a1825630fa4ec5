"""Shapes: how a body looks, is found and is drawn. A new one is a file in ``shapes/`` with a class
that has a ``word``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from agent.proposers.offline.grammar.owner import Owner

Drawn = tuple[tuple[str, ...], str]
"""Names from tools.rendering, and the statement that draws a pose ``p`` of ``name`` on
``image``."""


@dataclass(frozen=True)
class Shape(Owner):
    """colour: RGB in [0, 255], None for what has several. near: (x, y) px where it is first seen,
    None where its colour alone tells."""

    folder: ClassVar[str] = "shapes"
    looks: ClassVar[str]
    sizes: ClassVar[tuple[str, ...]] = ("radius",)
    """Attributes that perception reports where contacts ask how large it is; a radius of what is
    not round is half its smaller side."""
    turns: ClassVar[bool] = True
    """Whether it shows an angle."""
    look: ClassVar[str] = "colour"
    """Attribute of the scene without which it was found in no frame."""
    colour: tuple[float, float, float] | None = None
    near: tuple[float, float] | None = None

    def subject(self) -> str:
        """Parameters of shapes begin with the body's name."""
        return ""

    def description(self) -> str:
        """In words."""
        if self.colour is None:
            return self.looks
        return f"{self.looks} of colour {tuple(round(c) for c in self.colour)}"

    def solid(self) -> str:
        """Keywords of ``tools.physics.engine.Solid`` that say its outline; "" where its sizes
        do."""
        return ""

    def draw(self, name: str, whole: bool) -> Drawn:
        """How it is drawn; whole: on whole pixels."""
        raise NotImplementedError
