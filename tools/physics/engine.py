"""Rigid bodies that fall, collide, rub, roll, tip and stack, under any forces besides: pymunk
(Chipmunk2D) with accelerations from outside."""

from __future__ import annotations

import math
import threading
from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import pymunk
from pymunk import batch

from tools.physics.tree import Motion

_THICK = 200.0
"""Pixels that a wall reaches into what is behind it, so that nothing slips through."""
_LONG = 1e4
_MOTION = (
    batch.BodyFields.POSITION
    | batch.BodyFields.ANGLE
    | batch.BodyFields.VELOCITY
    | batch.BodyFields.ANGULAR_VELOCITY
)
_EFFORT = batch.BodyFields.FORCE | batch.BodyFields.TORQUE


class _Buffers(threading.local):
    """One pair a thread, reused: pymunk never frees what a buffer holds."""

    def __init__(self) -> None:
        self.read, self.written = batch.Buffer(), batch.Buffer()


_BUFFERS = _Buffers()

Steady = Mapping[str, tuple[float, float, float]]
"""Body -> acceleration (x, y, turn) that it would have if it touched nothing."""

Kicks = Callable[[Mapping[str, Motion], float], Steady]
"""(motions, seconds since the frame began) -> the same, where it changes within a frame."""


@dataclass(frozen=True)
class Solid:
    """A body of even density. outline: corners (pixels, from its centre) of a convex shape; ()
    means a disk whose "radius", or a box whose "width" and "height", are in its state. mass:
    relative to the others'; None: its area times ``density``. pin: a place of the picture about
    which it turns without friction, and hang: where that is in its own frame (pixels, from its
    centre)."""

    name: str
    outline: tuple[tuple[float, float], ...] = ()
    mass: float | None = None
    density: float = 1.0
    pin: tuple[float, float] | None = None
    hang: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True)
class Ground:
    """A straight wall or floor: the free side is where normal . (x, y) > offset (unit normal,
    pixels). restitution: of any body against it. friction: as a multiple of the bodies' own."""

    normal: tuple[float, float]
    offset: float
    restitution: float
    friction: float = 1.0


@dataclass(frozen=True)
class Obstacle:
    """Something that stands. corners: its outline (pixels), which goes around it once and need not
    be convex; radius: pixels that it reaches beyond that, so that a disk has one corner. margin:
    pixels that bodies keep from it; negative where they are drawn into it. restitution, friction:
    as those of a Ground."""

    corners: tuple[tuple[float, float], ...]
    restitution: float
    radius: float = 0.0
    margin: float = 0.0
    friction: float = 1.0


def jostle(
    state: Mapping[str, Mapping[str, float]],
    solids: Sequence[Solid],
    grounds: Sequence[Ground | Obstacle],
    restitution: float,
    friction: float,
    kicks: Kicks | Steady,
    dt: float,
    substeps: int = 12,
) -> dict[str, dict[str, float]]:
    """The solids ``dt`` seconds later: {name: its attributes in ``state``, with "x", "y" (px),
    "angle" (rad), "vx", "vy", "spin" moved on}. Those on a pin have no "vx" and "vy".

    kicks: what else acts, steady through the frame, or a function of how the bodies move.
    restitution: of two bodies. friction: Coulomb's coefficient of a body against a ground, and its
    square that of two bodies. A pure function of its arguments: the space is built anew, so that
    contacts keep no memory. Plain floats only."""
    space = pymunk.Space()
    own = math.sqrt(
        max(restitution, 1e-6)
    )  # pymunk multiplies the coefficients of the two shapes that touch
    for ground in grounds:
        for shape in _standing(space, ground):
            shape.elasticity, shape.friction = ground.restitution / own, ground.friction
            space.add(shape)
    bodies = {
        solid.name: _placed(space, solid, state[solid.name], own, friction) for solid in solids
    }
    _step(space, bodies, kicks, dt / substeps, substeps)
    return {
        solid.name: {**state[solid.name], **_read(bodies[solid.name], solid)} for solid in solids
    }


def _step(
    space: pymunk.Space,
    bodies: Mapping[str, pymunk.Body],
    kicks: Kicks | Steady,
    h: float,
    count: int,
) -> None:
    """Take the space on by so many steps of ``h`` seconds."""
    inertia = [(name, body.mass, body.moment) for name, body in bodies.items()]
    alike = None if callable(kicks) else _alike(kicks, bodies)
    if alike is not None:
        space.gravity = alike
    for k in range(count):
        if callable(kicks):
            _push(space, inertia, kicks(_motions(space, bodies), k * h))
        elif alike is None:
            _push(space, inertia, kicks)
        space.step(h)


_FREE = (0.0, 0.0, 0.0)


def _alike(kicks: Steady, names: Iterable[str]) -> tuple[float, float] | None:
    """The one acceleration of all bodies, as gravity gives it; None where they differ or turn."""
    found = {tuple(kicks.get(name, _FREE)) for name in names}
    (ax, ay, turn), *others = found or {_FREE}
    return None if others or turn != 0.0 else (ax, ay)


def _push(space: pymunk.Space, inertia: Sequence[tuple[str, float, float]], kicks: Steady) -> None:
    """Set the forces of one step: the engine forgets them after it. inertia: name, mass and moment
    of each body, in the space's order."""
    efforts = array("d")
    for name, mass, moment in inertia:
        ax, ay, turn = kicks.get(name, _FREE)
        efforts.extend((mass * ax, mass * ay, moment * turn))
    _BUFFERS.written.set_float_buf(efforts)
    batch.set_space_bodies(space, _EFFORT, _BUFFERS.written)


def _standing(space: pymunk.Space, ground: Ground | Obstacle) -> Sequence[pymunk.Shape]:
    if isinstance(ground, Ground):
        return [_half_plane(space, ground)]
    if len(ground.corners) == 1:
        reach = max(ground.radius + ground.margin, 0.0)
        return [pymunk.Circle(space.static_body, reach, ground.corners[0])]
    return _sides(space, _grown(ground.corners, ground.margin), ground.radius)


def _half_plane(space: pymunk.Space, ground: Ground) -> pymunk.Segment:
    (nx, ny), depth = ground.normal, ground.offset - _THICK
    middle = (nx * depth, ny * depth)
    one, other = ((middle[0] + k * _LONG * ny, middle[1] - k * _LONG * nx) for k in (-1.0, 1.0))
    return pymunk.Segment(space.static_body, one, other, _THICK)


def _grown(corners: Sequence[tuple[float, float]], margin: float) -> Sequence[tuple[float, float]]:
    """An outline whose sides are moved outwards by ``margin``."""
    around = list(zip(corners, (*corners[1:], corners[0]), strict=True))
    area = sum(x0 * y1 - x1 * y0 for (x0, y0), (x1, y1) in around)
    out = margin if area >= 0.0 else -margin
    sides = [(x1 - x0, y1 - y0, math.dist((x0, y0), (x1, y1))) for (x0, y0), (x1, y1) in around]
    normals = [(dy / (length or 1.0), -dx / (length or 1.0)) for dx, dy, length in sides]
    grown = []
    for k, (x, y) in enumerate(corners):
        (ax, ay), (bx, by) = normals[k - 1], normals[k]
        reach = out / max(1.0 + ax * bx + ay * by, 0.1)
        grown.append((x + reach * (ax + bx), y + reach * (ay + by)))
    return grown


def _sides(
    space: pymunk.Space, corners: Sequence[tuple[float, float]], radius: float
) -> list[pymunk.Segment]:
    """The sides of an outline; each knows the next ones, so that nothing catches on a seam."""
    count = len(corners)
    sides = []
    for k, (one, other) in enumerate(zip(corners, (*corners[1:], corners[0]), strict=True)):
        side = pymunk.Segment(space.static_body, one, other, radius)
        side.set_neighbors(corners[k - 1], corners[(k + 2) % count])
        sides.append(side)
    return sides


def _placed(
    space: pymunk.Space, solid: Solid, part: Mapping[str, float], elasticity: float, friction: float
) -> pymunk.Body:
    body = pymunk.Body()
    shape = _shape(body, solid, part)
    shape.elasticity, shape.friction = elasticity, friction
    if solid.mass is None:
        shape.density = solid.density
    else:
        shape.mass = solid.mass
    space.add(body, shape)
    body.angle, body.angular_velocity = part.get("angle", 0.0), part.get("spin", 0.0)
    if solid.pin is None:
        body.position, body.velocity = (part["x"], part["y"]), (part["vx"], part["vy"])
    else:
        x, y = _on_pin(solid, body.angle)
        (px, py), spin = solid.pin, body.angular_velocity
        body.position, body.velocity = (x, y), (spin * (py - y), spin * (x - px))
        space.add(pymunk.PivotJoint(space.static_body, body, solid.pin, solid.hang))
    return body


def _on_pin(solid: Solid, angle: float) -> tuple[float, float]:
    """Where the centre of a solid on a pin is."""
    assert solid.pin is not None
    (px, py), (u, v), c, s = solid.pin, solid.hang, math.cos(angle), math.sin(angle)
    return px - c * u + s * v, py - s * u - c * v


def _shape(body: pymunk.Body, solid: Solid, part: Mapping[str, float]) -> pymunk.Shape:
    if solid.outline:
        return pymunk.Poly(body, solid.outline)
    return (
        pymunk.Poly.create_box(body, (part["width"], part["height"]))
        if "width" in part
        else pymunk.Circle(body, part["radius"])
    )


def _motions(space: pymunk.Space, names: Iterable[str]) -> dict[str, Motion]:
    """How the bodies move, which are in the space in that order."""
    read = _BUFFERS.read
    read.clear()
    batch.get_space_bodies(space, _MOTION, read)
    values = memoryview(read.float_buf()).cast("d").tolist()
    return {name: Motion(*values[6 * k : 6 * k + 6]) for k, name in enumerate(names)}


def _read(body: pymunk.Body, solid: Solid) -> dict[str, float]:
    (x, y), (vx, vy) = body.position, body.velocity
    if solid.pin is not None:
        x, y = _on_pin(solid, body.angle)
        return {"x": x, "y": y, "angle": body.angle, "spin": body.angular_velocity}
    return {"x": x, "y": y, "angle": body.angle, "vx": vx, "vy": vy, "spin": body.angular_velocity}
