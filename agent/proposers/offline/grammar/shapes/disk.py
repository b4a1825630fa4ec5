"""A disk of one colour."""

from __future__ import annotations

from dataclasses import dataclass

from agent.proposers.offline.grammar.shape import Drawn, Shape


@dataclass(frozen=True)
class Disk(Shape):
    """Its radius is measured."""

    word = "disk"
    looks = "a disk"
    turns = False

    def draw(self, name: str, whole: bool) -> Drawn:
        if whole:
            return ("draw_grid_disk",), f'draw_grid_disk(image, p, scene.sprites.get("{name}"))'
        where = 'p["x"], p["y"], p["radius"], p["colour"], p["softness"]'
        return ("draw_disk",), f"draw_disk(image, {where})"
