"""A flat shape of one colour with any outline."""

from __future__ import annotations

from dataclasses import dataclass

from agent.proposers.offline.grammar.shape import Drawn, Shape


@dataclass(frozen=True)
class Polygon(Shape):
    """corners: of its convex hull, px from its centre at angle 0; contacts need them."""

    word = "polygon"
    looks = "a flat shape"
    corners: tuple[tuple[float, float], ...] = ()

    def solid(self) -> str:
        points = ", ".join(f"({x:.1f}, {y:.1f})" for x, y in self.corners)
        return f"outline=({points})" if self.corners else ""

    def draw(self, name: str, whole: bool) -> Drawn:
        outline = 'place(p["outline"], p["x"], p["y"], p["angle"])'
        return ("place", "draw_polygon"), (
            f'draw_polygon(image, {outline}, p["colour"], p["softness"])'
        )
