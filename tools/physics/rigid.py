"""Rigid bodies that fall, collide, rub, roll, tip and stack, by pymunk (Chipmunk2D)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pymunk

_THICK = 200.0
"""Pixels that a wall reaches into what is behind it, so that nothing slips through."""
_LONG = 1e4


@dataclass(frozen=True)
class Solid:
    """A body of even density. outline: corners (pixels, from its centre) of a convex shape; ()
    means a disk whose "radius", or a box whose "width" and "height", are in its state. density:
    relative to the others."""

    name: str
    outline: tuple[tuple[float, float], ...] = ()
    density: float = 1.0


@dataclass(frozen=True)
class Ground:
    """A straight wall or floor: the free side is where normal . (x, y) > offset (unit normal,
    pixels)."""

    normal: tuple[float, float]
    offset: float


def tumble(
    state: Mapping[str, Mapping[str, float]],
    solids: Sequence[Solid],
    grounds: Sequence[Ground],
    gravity: tuple[float, float],
    restitution: tuple[float, float],
    friction: float,
    dt: float,
    substeps: int = 12,
) -> dict[str, dict[str, float]]:
    """The solids ``dt`` seconds later: {name: its attributes in ``state``, with "x", "y" (px),
    "angle" (rad), "vx", "vy", "spin" moved on}.

    restitution: of a body against a ground, and of two bodies. friction: Coulomb's coefficient of
    every contact. A pure function of its arguments: the space is built anew, so that contacts keep
    no memory. Plain floats only.
    """
    space = pymunk.Space()
    space.gravity = gravity
    own = math.sqrt(
        max(restitution[1], 1e-6)
    )  # pymunk multiplies the coefficients of the two shapes that touch
    for ground in grounds:
        shape = _half_plane(space, ground)
        shape.elasticity, shape.friction = restitution[0] / own, 1.0
        space.add(shape)
    bodies = {
        solid.name: _placed(space, solid, state[solid.name], own, friction) for solid in solids
    }
    for _ in range(substeps):
        space.step(dt / substeps)
    return {name: {**state[name], **_read(body)} for name, body in bodies.items()}


def _half_plane(space: pymunk.Space, ground: Ground) -> pymunk.Segment:
    (nx, ny), depth = ground.normal, ground.offset - _THICK
    middle = (nx * depth, ny * depth)
    return pymunk.Segment(
        space.static_body,
        (middle[0] - _LONG * ny, middle[1] + _LONG * nx),
        (middle[0] + _LONG * ny, middle[1] - _LONG * nx),
        _THICK,
    )


def _placed(
    space: pymunk.Space, solid: Solid, part: Mapping[str, float], elasticity: float, friction: float
) -> pymunk.Body:
    body = pymunk.Body()
    shape = _shape(body, solid, part)
    shape.density, shape.elasticity, shape.friction = solid.density, elasticity, friction
    space.add(body, shape)
    body.position, body.angle = (part["x"], part["y"]), part.get("angle", 0.0)
    body.velocity, body.angular_velocity = (part["vx"], part["vy"]), part.get("spin", 0.0)
    return body


def _shape(body: pymunk.Body, solid: Solid, part: Mapping[str, float]) -> pymunk.Shape:
    if solid.outline:
        return pymunk.Poly(body, solid.outline)
    return (
        pymunk.Poly.create_box(body, (part["width"], part["height"]))
        if "width" in part
        else pymunk.Circle(body, part["radius"])
    )


def _read(body: pymunk.Body) -> dict[str, float]:
    (x, y), (vx, vy) = body.position, body.velocity
    return {"x": x, "y": y, "angle": body.angle, "vx": vx, "vy": vy, "spin": body.angular_velocity}
