"""Many bodies at once, sizes that vary, and forces that are seldom seen."""

from __future__ import annotations

import math

import numpy as np

from benchmarks.gallery.contacts import COLLIDE, WALL
from benchmarks.gallery.drawing import Placed, box, disk, flat, polygon
from benchmarks.gallery.film import Body, Film, Mechanism, Stage, palette
from benchmarks.gallery.flight import GRAVITY, NOMINAL
from benchmarks.gallery.joints import HINGE
from benchmarks.gallery.simulate import integrate


def three_bodies(rng: np.random.Generator, frames: int) -> Film:
    """Three bodies attract each other by the inverse square: a pair and a third one about it."""
    ground, *colours = palette(rng, 3, dark=True)
    stage = Stage((300, 320), 1 / 40, frames, ground)
    mass = np.array([1.0, rng.uniform(0.6, 0.9), rng.uniform(0.2, 0.35)])
    apart, far, seconds = rng.uniform(52, 62), rng.uniform(125, 140), (NOMINAL - 1) / 40
    pair = mass[0] + mass[1]
    strength = (2 * math.pi / (0.75 * seconds)) ** 2 * apart**3 / pair
    turn = float(rng.choice([-1, 1]))
    spin, slow = (
        turn * math.sqrt(strength * pair / apart**3),
        turn * math.sqrt(strength * mass.sum() / far**3),
    )
    place = np.array([[-mass[1] / pair * apart, 0], [mass[0] / pair * apart, 0], [0.0, far]])
    speed = np.array([[0, place[0, 0] * spin], [0, place[1, 0] * spin], [-far * slow, 0.0]])
    place -= mass @ place / mass.sum()
    speed -= mass @ speed / mass.sum()

    def rates(_: float, s: np.ndarray) -> np.ndarray:
        p = s[:6].reshape(3, 2)
        force = np.zeros((3, 2))
        for i in range(3):
            for j in range(3):
                if i != j:
                    d = p[j] - p[i]
                    force[i] += strength * mass[j] * d / np.hypot(*d) ** 3
        return np.concatenate([s[6:], force.ravel()])

    s = integrate(rates, np.concatenate([place.ravel(), speed.ravel()]), stage.times)
    bodies = [
        Body(
            f"star_{k + 1}",
            disk(5 + 8 * mass[k], flat(c)),
            160 + s[:, 2 * k],
            145 + s[:, 2 * k + 1],
        )
        for k, c in enumerate(colours)
    ]
    mechanism = Mechanism("three bodies in orbit", (r"attract",))
    return stage.film(bodies, mechanism, {"strength": strength})


def break_shot(rng: np.random.Generator, frames: int) -> Film:
    """A cue ball breaks a rack of four on a table with cushions; cloth slows all of them."""
    table, rail = (40.0, 110.0, 70.0), (90.0, 55.0, 30.0)
    height, width, thick, radius = 200, 360, 12, 10.0
    scenery = (
        Placed(box(width + 2, height + 2, flat(rail)), width / 2, height / 2),
        Placed(
            box(width - 2 * thick, height - 2 * thick, flat(table)),
            width / 2 - 0.5, height / 2 - 0.5,
        ),
    )  # fmt: skip
    stage = Stage((height, width), 1 / 50, frames, table, scenery)
    row = 2 * radius * math.cos(math.pi / 6) + 0.6
    rack = np.array([[0, 0], [row, -radius - 0.4], [row, radius + 0.4], [2 * row, 0.0]])
    start = np.vstack([[80.0, 100 + rng.uniform(-4, 4)], rack + np.array([210.0, 100.0])])
    speed = np.zeros((5, 2))
    speed[0] = rng.uniform(520, 640), rng.uniform(-15, 15)
    walls = (thick - 0.5, width - thick - 0.5, thick - 0.5, height - thick - 0.5)
    path = _table(start, speed, radius, walls, rng.uniform(80, 130), 0.95, stage)
    paints = [(245.0, 245.0, 235.0), (225.0, 60.0, 50.0), (240.0, 200.0, 40.0)]
    paints += [(70.0, 80.0, 210.0), (40.0, 40.0, 40.0)]
    bodies = [
        Body(f"ball_{i + 1}", disk(radius, flat(paint)), *path[:, i].T)
        for i, paint in enumerate(paints)
    ]
    return stage.film(bodies, Mechanism("break shot", (COLLIDE, WALL, "friction")), {})


def _table(start, speed, radius, walls, friction, restitution, stage: Stage) -> np.ndarray:
    """(frames, n, 2) equal disks that rub, bounce off cushions and collide, in fine steps."""
    p, v, rows, steps = start.copy(), speed.copy(), [], 120
    h = stage.dt / steps
    left, right, top, bottom = walls
    low, high = np.array([left, top]) + radius, np.array([right, bottom]) - radius
    for _ in range(stage.frames):
        rows.append(p.copy())
        for _ in range(steps):
            size = np.hypot(*v.T)[:, None]
            v = v * np.maximum(1 - friction * h / np.maximum(size, 1e-9), 0.0)
            p = p + h * v
            out = ((p < low) & (v < 0)) | ((p > high) & (v > 0))
            v = np.where(out, -0.9 * v, v)
            for i in range(len(p)):
                for j in range(i + 1, len(p)):
                    d, w = p[j] - p[i], v[j] - v[i]
                    if d @ d < 4 * radius**2 and d @ w < 0:
                        jump = (1 + restitution) / 2 * (w @ d) / (d @ d) * d
                        v[i], v[j] = v[i] + jump, v[j] - jump
    return np.array(rows)


def newtons_cradle(rng: np.random.Generator, frames: int) -> Film:
    """Balls hang side by side on threads from a beam; the first is let go."""
    ground, colour, thread, beam = palette(rng, 3)
    count, radius, length = int(rng.integers(3, 6)), rng.uniform(13, 16), rng.uniform(130, 150)
    stage = Stage(
        (260, 340), 1 / 40, frames, ground, (Placed(box(300, 10, flat(beam)), 170.0, 34.0),)
    )
    ratio = (2 * math.pi / (0.5 * NOMINAL / 40)) ** 2
    angle, spin = np.zeros(count), np.zeros(count)
    angle[0] = -rng.uniform(0.5, 0.8)
    pivots = 170 + 2.02 * radius * (np.arange(count) - (count - 1) / 2)
    rows, steps = [], 200
    h = stage.dt / steps
    for _ in range(frames):
        rows.append(angle.copy())
        for _ in range(steps):
            spin = spin - h * ratio * np.sin(angle)
            angle = angle + h * spin
            for _ in range(count):
                x = pivots + length * np.sin(angle)
                for k in range(count - 1):
                    if x[k + 1] - x[k] < 2 * radius and spin[k] > spin[k + 1]:
                        spin[k], spin[k + 1] = (
                            0.01 * spin[k] + 0.99 * spin[k + 1],
                            0.99 * spin[k] + 0.01 * spin[k + 1],
                        )
    s = np.array(rows)
    bodies = []
    for k in range(count):
        line = box(2, length, flat(thread), (0, length / 2))
        bodies.append(Body(f"thread_{k + 1}", line, float(pivots[k]), 38.0, -s[:, k]))
        at = pivots[k] + length * np.sin(s[:, k]), 38 + length * np.cos(s[:, k])
        bodies.append(Body(f"ball_{k + 1}", disk(radius, flat(colour)), *at))
    mechanism = Mechanism("Newton's cradle", (HINGE, COLLIDE))
    return stage.film(bodies, mechanism, {"gravity_over_length": ratio})


def dominoes(rng: np.random.Generator, frames: int) -> Film:
    """Six dominoes; the first is pushed over (pymunk, 40 steps a frame)."""
    ground, *colours, earth = palette(rng, 7)
    height, width, floor = 220, 340, 180.0
    scenery = (Placed(box(2 * width, 2 * (height - floor), flat(earth)), width / 2, height + 0.0),)
    stage = Stage((height, width), 1 / 40, frames, ground, scenery)
    tall, thick, gap = rng.uniform(58, 70), 10.0, rng.uniform(30, 36)
    places = [(60 + k * gap, floor - tall / 2, 0.0) for k in range(6)]
    poses = _tumbled([(thick, tall)] * 6, places, {0: rng.uniform(2.2, 2.8)}, floor, 320.0, stage)
    bodies = [
        Body(f"domino_{k + 1}", box(thick, tall, flat(c)), *poses[:, k].T)
        for k, c in enumerate(colours)
    ]
    return stage.film(bodies, Mechanism("six dominoes", (COLLIDE + "|" + WALL,)), {})


def see_saw(rng: np.random.Generator, frames: int) -> Film:
    """A box falls on one end of a plank that turns on a pivot and throws another up."""
    ground, plank, first, second, stand = palette(rng, 4)
    stage = Stage(
        (260, 320), 1 / 40, frames, ground,
        (Placed(polygon([(-16, 40), (16, 40), (0, 0)], flat(stand)), 160.0, 182.0),),
    )  # fmt: skip
    side = float(rng.choice([-1, 1]))
    sizes = [(210.0, 8.0), (30.0, 30.0), (22.0, 22.0)]
    lean = -side * 0.22  # the light box lies on the low end
    low = np.array([160.0, 182.0]) - side * 85 * np.array([math.cos(lean), math.sin(lean)])
    up = np.array([math.sin(lean), -math.cos(lean)])
    places = [
        (160.0, 182.0, lean),
        (160 + side * rng.uniform(70, 88), rng.uniform(40, 70), 0.0),
        (*(low + 15.2 * up), lean),
    ]
    poses = _tumbled(sizes, places, {}, 222.0, 420.0, stage, pivot=0)
    bodies = [
        Body(name, box(*sizes[k], flat(c)), *poses[:, k].T)
        for k, (name, c) in enumerate((("plank", plank), ("heavy", first), ("light", second)))
    ]
    return stage.film(bodies, Mechanism("see-saw", (HINGE, COLLIDE + "|" + WALL)), {})


def _tumbled(sizes, places, spins, floor, gravity, stage: Stage, pivot: int | None = None):
    """(frames, n, 3) x, y, angle of boxes in pymunk; pivot: the one that turns about its middle."""
    import pymunk

    space = pymunk.Space()
    space.gravity = (0, gravity)
    ground = pymunk.Segment(space.static_body, (-1000, floor + 20), (2000, floor + 20), 20)
    ground.friction, ground.elasticity = 0.7, 0.3
    space.add(ground)
    bodies = []
    for k, ((w, h), (x, y, angle)) in enumerate(zip(sizes, places, strict=True)):
        body = pymunk.Body(w * h, pymunk.moment_for_box(w * h, (w, h)))
        body.position, body.angle, body.angular_velocity = (x, y), angle, spins.get(k, 0.0)
        if spins.get(k):  # it tips over its lower corner
            body.velocity = (spins[k] * h / 2, 0.0)
        shape = pymunk.Poly.create_box(body, (w, h))
        shape.friction, shape.elasticity = 0.5, 0.2
        space.add(body, shape)
        if pivot == k:
            space.add(pymunk.PivotJoint(space.static_body, body, (x, y)))
        bodies.append(body)
    rows = []
    for _ in range(stage.frames):
        rows.append([(b.position.x, b.position.y, b.angle) for b in bodies])
        for _ in range(40):
            space.step(stage.dt / 40)
    return np.array(rows)


def charged_with_drag(rng: np.random.Generator, frames: int) -> Film:
    """A charge spirals in a magnetic field across the picture, slowed by drag."""
    ground, colour = palette(rng, 1, dark=True)
    stage = Stage((280, 300), 1 / 40, frames, ground)
    swerve = rng.uniform(3.0, 5.0) * rng.choice([-1, 1])
    drag, speed = rng.uniform(0.35, 0.7), rng.uniform(300, 380)

    def rates(_: float, s: np.ndarray) -> np.ndarray:
        return np.array([s[2], s[3], -drag * s[2] - swerve * s[3], -drag * s[3] + swerve * s[2]])

    heading = rng.uniform(0, 6.28)
    v = speed * np.array([math.cos(heading), math.sin(heading)])
    aside = np.array([-v[1], v[0]]) / swerve
    s = integrate(rates, [*(np.array([150.0, 140.0]) - aside), *v], stage.times)
    mechanism = Mechanism("charge in a magnetic field, with drag", ("magnetic|Lorentz", "drag"))
    ball = Body("charge", disk(rng.uniform(7, 11), flat(colour)), s[:, 0], s[:, 1])
    return stage.film([ball], mechanism, {"cyclotron": swerve, "drag": drag})


def turning_disk(rng: np.random.Generator, frames: int) -> Film:
    """A ball crosses a disk that turns, seen from above by one who turns with it."""
    ground, plate, colour, mark = palette(rng, 3)
    scenery = (
        Placed(disk(140, flat(plate)), 150.0, 150.0),
        Placed(disk(5, flat(mark)), 150.0, 150.0),
    )
    stage = Stage((300, 300), 1 / 40, frames, ground, scenery)
    seconds = (NOMINAL - 1) / 40
    turn = rng.uniform(2.0, 3.2) / seconds * rng.choice([-1, 1])
    heading, aside = rng.uniform(0, 6.28), rng.uniform(15, 35)
    t = stage.times / seconds
    along = 115 * (2 * t - 1)
    x = along * math.cos(heading) - aside * math.sin(heading)
    y = along * math.sin(heading) + aside * math.cos(heading)
    c, s = np.cos(turn * stage.times), np.sin(turn * stage.times)
    ball = Body("ball", disk(9, flat(colour)), 150 + c * x + s * y, 150 - s * x + c * y)
    mechanism = Mechanism("free motion in a turning frame", (r"frame.*turns|coriolis|centrifug",))
    return stage.film([ball], mechanism, {"turn": turn})


def growing_disk(rng: np.random.Generator, frames: int) -> Film:
    """A disk drifts and grows, ever more slowly or ever faster."""
    ground, colour = palette(rng, 1)
    stage = Stage((240, 320), 1 / 40, frames, ground)
    t, seconds = stage.times, (NOMINAL - 1) / 40
    first, gain = rng.uniform(10, 16), rng.uniform(18, 30)
    bend = rng.uniform(-0.5, 0.5)
    radius = first + gain * ((1 - bend) * t / seconds + bend * (t / seconds) ** 2)
    x = 110 + rng.uniform(50, 90) * t / seconds
    ball = Body(
        "disk", [disk(float(r), flat(colour)) for r in radius], x, 120.0, None, {"radius": radius}
    )
    return stage.film([ball], Mechanism("growing disk", ("radius",)), {})


def bouncing_away(rng: np.random.Generator, frames: int) -> Film:
    """A ball bounces along a floor away from the camera: it gets smaller as it goes."""
    ground, colour, earth = palette(rng, 2)
    height, width, horizon, focal = 260, 340, 60.0, 300.0
    scenery = (
        Placed(box(2 * width, 2 * (height - horizon), flat(earth)), width / 2, height + 0.0),
    )
    stage = Stage((height, width), 1 / 40, frames, ground, scenery)
    t = stage.times
    depth = 300 + rng.uniform(170, 240) * t
    gravity, bounce, size = 900.0, rng.uniform(0.75, 0.88), rng.uniform(18, 24)
    y, v, rows = 110.0, 0.0, []
    for _ in range(frames):
        rows.append(y)
        for _ in range(200):
            v, y = v - gravity * stage.dt / 200, y + v * stage.dt / 200
            if y < size and v < 0:
                v = -bounce * v
    eye = 150.0
    radius = size * focal / depth
    ball = Body(
        "ball", [disk(float(r), flat(colour)) for r in radius],
        width / 2 + rng.uniform(-60, 60) * focal / depth,
        horizon + (eye - np.array(rows)) * focal / depth, None, {"radius": radius},
    )  # fmt: skip
    mechanism = Mechanism("ball bouncing away in depth", (GRAVITY, WALL, "radius"))
    return stage.film([ball], mechanism, {"restitution": bounce})
