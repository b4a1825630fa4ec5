"""A shadow or a mirror image: what has no motion of its own and goes as another body does."""

from __future__ import annotations

from dataclasses import dataclass

from agent.proposers.offline.grammar.joints.weld import Weld
from agent.proposers.offline.grammar.quantity import GrammarError


@dataclass(frozen=True)
class Image(Weld):
    """on: the body that casts it. Perception measures the map from one to the other, affine in the
    picture; it takes no part in the dynamics."""

    word = "image"
    says = "goes where another body casts it"

    def __post_init__(self):
        if self.x is not None or self.y is not None:
            raise GrammarError("image", "no place of its own", f"{self.x}, {self.y}")

    def sentence(self) -> str:
        return f"goes where {self.on} casts it, as a shadow or mirror image"
