"""Drawing with sub-pixel positions: anti-aliased primitives, sprites, compositing."""

from tools.rendering.bodies import draw_body
from tools.rendering.canvas import blend, canvas, finish, lit
from tools.rendering.grid import draw_grid_box, draw_grid_disk
from tools.rendering.links import draw_link
from tools.rendering.scene import draw_front, pose_of
from tools.rendering.shapes import (
    box_corners,
    disk_coverage,
    draw_disk,
    draw_polygon,
    draw_sprite,
    place,
    polygon_coverage,
    sprite_layer,
    visible,
)

__all__ = [
    "blend",
    "box_corners",
    "canvas",
    "disk_coverage",
    "draw_body",
    "draw_disk",
    "draw_front",
    "draw_grid_box",
    "draw_grid_disk",
    "draw_link",
    "draw_polygon",
    "draw_sprite",
    "finish",
    "lit",
    "place",
    "polygon_coverage",
    "pose_of",
    "sprite_layer",
    "visible",
]
