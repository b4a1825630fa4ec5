"""A rectangle of one colour."""

from __future__ import annotations

from dataclasses import dataclass

from agent.proposers.offline.grammar.quantity import Quantity, around, quantity
from agent.proposers.offline.grammar.shape import Drawn, Shape


@dataclass(frozen=True)
class Box(Shape):
    """width, height: between its corners, px, for a drawing on whole pixels; None: they are
    measured anew in each video. still: its pose (x, y, angle) where it does not vary, for such a
    drawing."""

    word = "box"
    looks = "a box"
    sizes = ("width", "height")
    width: Quantity | None = quantity(
        "px", "length of {on} between its corners", around(12.0), None
    )
    height: Quantity | None = quantity("px", "width of {on} between its corners", around(8.0), None)
    still: tuple[float, float, float] = (0.0, 0.0, 0.0)

    def draw(self, name: str, whole: bool) -> Drawn:
        if whole:
            return ("draw_grid_box",), "draw_grid_box(image, p)"
        corners = 'box_corners(p["x"], p["y"], p["angle"], p["width"], p["height"])'
        return ("box_corners", "draw_polygon"), (
            f'draw_polygon(image, {corners}, p["colour"], p["softness"])'
        )
