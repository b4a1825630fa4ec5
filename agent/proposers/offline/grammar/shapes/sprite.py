"""A piece of several colours, drawn as it was seen."""

from __future__ import annotations

from dataclasses import dataclass

from agent.proposers.offline.grammar.shape import Drawn, Shape


@dataclass(frozen=True)
class Sprite(Shape):
    """corners: as those of a polygon."""

    word = "sprite"
    looks = "a patterned piece"
    look = "cut"
    corners: tuple[tuple[float, float], ...] = ()

    def solid(self) -> str:
        points = ", ".join(f"({x:.1f}, {y:.1f})" for x, y in self.corners)
        return f"outline=({points})" if self.corners else ""

    def draw(self, name: str, whole: bool) -> Drawn:
        where = 'p["x"], p["y"], p["angle"], p["cut"]'
        return ("draw_sprite",), f'draw_sprite(image, scene.sprites["{name}"], {where})'
