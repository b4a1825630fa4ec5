"""Impacts, walls, friction, rolling and stacks."""

from __future__ import annotations

import math

import numpy as np

from benchmarks.gallery.drawing import Placed, box, disk, flat, halves, polygon
from benchmarks.gallery.film import Body, Film, Mechanism, Stage, palette
from benchmarks.gallery.flight import GRAVITY, NOMINAL
from benchmarks.gallery.simulate import Disks, Wall, fly, room

WALL = r"wall|floor|cushion|bounces off"
COLLIDE = r"collision|collide|bounce off each other|contact"
FORCE_FREE = ("constant field|pendul|hinge|revolute|spring|attract",)


def bouncing_ball(rng: np.random.Generator, frames: int) -> Film:
    """A ball bounces along a drawn floor, losing height."""
    ground, colour, earth = palette(rng, 2)
    height, width, floor = 240, 320, 205.0
    scenery = (Placed(box(2 * width, 2 * (height - floor), flat(earth)), width / 2, height + 0.0),)
    stage = Stage((height, width), 1 / 40, frames, ground, scenery)
    radius, seconds = rng.uniform(8, 14), (NOMINAL - 1) / 40
    fall, drop = rng.uniform(0.22, 0.3) * seconds, rng.uniform(120, 150)
    gravity, restitution = 2 * drop / fall**2, rng.uniform(0.7, 0.88)
    disks = Disks(
        np.array([[30.0, floor - radius - drop]]),
        np.array([[rng.uniform(200, 250) / seconds, 0.0]]),
        np.array([radius]),
        np.ones(1),
        (0.0, gravity),
        (Wall((0, -1), -floor),),
        wall_restitution=restitution,
    )
    path = fly(disks, stage.times)[:, 0]
    mechanism = Mechanism("ball bouncing on a floor", (GRAVITY, WALL))
    return stage.film(
        [Body("ball", disk(radius, flat(colour)), *path.T)],
        mechanism,
        {"gravity": gravity, "restitution": restitution},
    )


def ball_in_box(rng: np.random.Generator, frames: int) -> Film:
    """A ball between four drawn walls, no gravity."""
    ground, colour, wood = palette(rng, 2, dark=True)
    size, thick = 220, 14
    inner = size - 2 * thick
    scenery = (
        Placed(box(size + 2, size + 2, flat(wood)), size / 2, size / 2),
        Placed(box(inner, inner, flat(ground)), size / 2 - 0.5, size / 2 - 0.5),
    )
    stage = Stage((size, size), 1 / 60, frames, ground, scenery)
    radius, restitution = rng.uniform(9, 15), rng.uniform(0.85, 1.0)
    walls = room(thick - 0.5, thick - 0.5, size - thick - 0.5, size - thick - 0.5)
    speed, angle = (
        rng.uniform(700, 950),
        rng.uniform(0.5, 1.0) + rng.choice([0, 1, 2, 3]) * math.pi / 2,
    )
    disks = Disks(
        rng.uniform(80, 140, (1, 2)),
        speed * np.array([[math.cos(angle), math.sin(angle)]]),
        np.array([radius]),
        np.ones(1),
        walls=walls,
        wall_restitution=restitution,
    )
    path = fly(disks, stage.times)[:, 0]
    mechanism = Mechanism("ball between elastic walls", (WALL,), FORCE_FREE)
    return stage.film(
        [Body("ball", disk(radius, flat(colour)), *path.T)], mechanism, {"restitution": restitution}
    )


def two_balls(rng: np.random.Generator, frames: int) -> Film:
    """Two balls of different sizes meet off centre."""
    ground, first, second = palette(rng, 2)
    stage = Stage((220, 340), 1 / 50, frames, ground)
    radius = rng.uniform(10, 20, 2)
    seconds, meet = (NOMINAL - 1) / 50, rng.uniform(0.3, 0.38)
    speeds = rng.uniform(0.7, 1.0, 2) * 180 / seconds
    side = rng.uniform(0.15, 0.45) * radius.sum() * rng.choice([-1, 1])
    gap = math.sqrt(radius.sum() ** 2 - side**2) + speeds.sum() * meet * seconds
    centre = 170 - (speeds[0] - speeds[1]) * meet * seconds / 2
    position = np.array([[centre - gap / 2, 110 - side / 2], [centre + gap / 2, 110 + side / 2]])
    restitution = rng.uniform(0.75, 1.0)
    path = fly(
        Disks(
            position,
            np.array([[speeds[0], 0.0], [-speeds[1], 0.0]]),
            radius,
            radius**2,
            restitution=restitution,
        ),
        stage.times,
    )
    bodies = [
        Body(f"ball_{i + 1}", disk(radius[i], flat(c)), *path[:, i].T)
        for i, c in enumerate((first, second))
    ]
    parameters = {"restitution": restitution, "mass_ratio": float((radius[1] / radius[0]) ** 2)}
    return stage.film(
        bodies, Mechanism("collision of two balls", (COLLIDE,), FORCE_FREE), parameters
    )


def billiards(rng: np.random.Generator, frames: int) -> Film:
    """Four equal balls on a table with cushions; one is shot at the others."""
    table, rail = (40.0, 110.0, 70.0), (90.0, 55.0, 30.0)
    height, width, thick, radius = 200, 340, 12, 11.0
    scenery = (
        Placed(box(width + 2, height + 2, flat(rail)), width / 2, height / 2),
        Placed(
            box(width - 2 * thick, height - 2 * thick, flat(table)),
            width / 2 - 0.5,
            height / 2 - 0.5,
        ),
    )
    stage = Stage((height, width), 1 / 60, frames, table, scenery)
    walls = room(thick - 0.5, thick - 0.5, width - thick - 0.5, height - thick - 0.5)
    position = np.array(
        [[70.0, 100.0], [190.0, 96.0], [236.0, 66.0], [240.0, 138.0]]
    ) + rng.uniform(-5, 5, (4, 2))
    velocity = np.zeros((4, 2))
    velocity[0] = rng.uniform(520, 640), rng.uniform(-30, 30)
    path = fly(
        Disks(
            position,
            velocity,
            np.full(4, radius),
            np.ones(4),
            walls=walls,
            restitution=0.96,
            wall_restitution=0.9,
        ),
        stage.times,
    )
    paints = [(245.0, 245.0, 235.0), (225.0, 60.0, 50.0), (240.0, 200.0, 40.0), (70.0, 80.0, 210.0)]
    bodies = [
        Body(f"ball_{i + 1}", disk(radius, flat(paint)), *path[:, i].T)
        for i, paint in enumerate(paints)
    ]
    return stage.film(
        bodies,
        Mechanism("billiards", (COLLIDE, WALL), FORCE_FREE),
        {"restitution": 0.96, "wall_restitution": 0.9},
    )


def sliding_box(rng: np.random.Generator, frames: int) -> Film:
    """A box slides over a floor and stops by dry friction, after the part that is seen."""
    ground, colour, earth = palette(rng, 2)
    height, width, floor = 180, 360, 140.0
    scenery = (Placed(box(2 * width, 2 * (height - floor), flat(earth)), width / 2, height + 0.0),)
    stage = Stage((height, width), 1 / 30, frames, ground, scenery)
    side, tall = rng.uniform(28, 44), rng.uniform(22, 34)
    stop, way = rng.uniform(0.65, 0.8) * (NOMINAL - 1) / 30, rng.uniform(210, 250)
    friction = 2 * way / stop**2
    t = np.minimum(stage.times, stop)
    x = 40 + friction * (stop * t - t**2 / 2)
    mechanism = Mechanism("sliding with dry friction", (r"friction",))
    return stage.film(
        [Body("box", box(side, tall, flat(colour)), x, floor - tall / 2)],
        mechanism,
        {"friction": friction},
    )


def rolling_ball(rng: np.random.Generator, frames: int) -> Film:
    """A two-coloured ball rolls down an incline without slipping."""
    ground, first, second, earth = palette(rng, 3)
    height, width, slope = 260, 340, rng.uniform(0.2, 0.4)
    down, up = (
        np.array([math.cos(slope), math.sin(slope)]),
        np.array([math.sin(slope), -math.cos(slope)]),
    )
    top = np.array([20.0, 90.0])
    corner = (width + 5.0, float(top[1] + (width + 5 - top[0]) * math.tan(slope)))
    hill = polygon(
        [
            (-5.0, float(top[1] - 25 * math.tan(slope))),
            corner,
            (width + 5.0, height + 40.0),
            (-5.0, height + 40.0),
        ],
        flat(earth),
    )
    stage = Stage((height, width), 1 / 30, frames, ground, (Placed(hill, 0.0, 0.0),))
    radius = rng.uniform(14, 20)
    acceleration = 2 * rng.uniform(225, 260) / ((NOMINAL - 1) / 30) ** 2
    way = acceleration * stage.times**2 / 2
    place = top + 15 * down + radius * up + way[:, None] * down
    x, y = place.T
    mechanism = Mechanism(
        "rolling down an incline", (GRAVITY + "|roll|inclin|slides along", "turn|rotat|roll|spin")
    )
    return stage.film(
        [Body("ball", disk(radius, halves(first, second)), x, y, 0.4 + way / radius)],
        mechanism,
        {"acceleration": acceleration, "slope": slope},
    )


def falling_stack(rng: np.random.Generator, frames: int) -> Film:
    """Three boxes dropped one on the other from small heights come to rest as a stack (pymunk, 40
    steps a frame)."""
    ground, *colours, earth = palette(rng, 4)
    height, width, floor = 260, 240, 220.0
    scenery = (Placed(box(2 * width, 2 * (height - floor), flat(earth)), width / 2, height + 0.0),)
    stage = Stage((height, width), 1 / 40, frames, ground, scenery)
    sizes = np.column_stack([rng.uniform(46, 70, 3), rng.uniform(28, 38, 3)])
    gaps = np.array([rng.uniform(18, 24), rng.uniform(28, 36), rng.uniform(38, 48)])
    gravity, restitution = rng.uniform(230, 300), 0.2
    poses = _drop(sizes, 120 + rng.uniform(-7, 7, 3), floor, gaps, gravity, restitution, stage)
    bodies = [
        Body(f"box_{i + 1}", box(sizes[i, 0], sizes[i, 1], flat(c)), *poses[:, i].T)
        for i, c in enumerate(colours)
    ]
    return stage.film(
        bodies,
        Mechanism("boxes falling into a stack", (GRAVITY, WALL + "|" + COLLIDE + "|stack")),
        {"gravity": gravity, "restitution": restitution},
    )


def _drop(
    sizes: np.ndarray,
    xs: np.ndarray,
    floor: float,
    gaps: np.ndarray,
    gravity: float,
    restitution: float,
    stage: Stage,
) -> np.ndarray:
    """(frames, 3, 3) x, y, angle of boxes let go above the floor with ``gaps`` of air between
    them."""
    import pymunk

    space = pymunk.Space()
    space.gravity = (0, gravity)
    ground = pymunk.Segment(space.static_body, (-1000, floor + 20), (2000, floor + 20), 20)
    ground.friction, ground.elasticity = 0.8, 1.0
    space.add(ground)
    bodies, top = [], floor
    for (w, h), x, gap in zip(sizes, xs, gaps, strict=True):
        body = pymunk.Body(w * h, pymunk.moment_for_box(w * h, (w, h)))
        body.position = (x, top - gap - h / 2)
        top = body.position.y - h / 2
        shape = pymunk.Poly.create_box(body, (w, h))
        shape.friction, shape.elasticity = 0.8, restitution
        space.add(body, shape)
        bodies.append(body)
    rows = []
    for _ in range(stage.frames):
        rows.append([(b.position.x, b.position.y, b.angle) for b in bodies])
        for _ in range(40):
            space.step(stage.dt / 40)
    return np.array(rows)
