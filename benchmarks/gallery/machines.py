"""Machines and chains: coordinates that are bound to others, springs, a drive."""

from __future__ import annotations

import math

import numpy as np

from benchmarks.gallery.drawing import Placed, Shape, box, disk, flat, polygon, shifted, union
from benchmarks.gallery.film import Body, Film, Mechanism, Stage, palette
from benchmarks.gallery.flight import NOMINAL
from benchmarks.gallery.joints import HINGE, OSCILLATE
from benchmarks.gallery.simulate import integrate

BOUND = r"crank|connecting rod|gear|mesh|belt|rope|pulley|coupl"


def crank_slider(rng: np.random.Generator, frames: int) -> Film:
    """A crank turns steadily, or runs down; a rod drives a block along a rail."""
    ground, crank, rod, block, rail = palette(rng, 4)
    stage = Stage(
        (200, 340), 1 / 40, frames, ground, (Placed(box(400, 4, flat(rail)), 170.0, 124.0),)
    )
    throw, length = rng.uniform(28, 38), rng.uniform(95, 125)
    rate = rng.uniform(0.9, 1.6) * 2 * math.pi / (NOMINAL / 40) * rng.choice([-1, 1])
    drag = float(rng.choice([0.0, rng.uniform(0.4, 0.8)]))
    t = stage.times
    angle = rng.uniform(0, 6) + rate * (t if not drag else (1 - np.exp(-drag * t)) / drag)
    side = float(rng.choice([-1, 1]))
    axle = 90.0 if side > 0 else 250.0
    swing = np.arcsin(throw * np.sin(angle) / length)
    x = axle + throw * np.cos(angle) + side * length * np.cos(swing)
    pin = axle + throw * np.cos(angle), 100 + throw * np.sin(angle)
    middle = (pin[0] + x) / 2, (pin[1] + 100) / 2
    lean = np.arctan2(100 - pin[1], x - pin[0])
    bodies = [
        Body("rod", box(length, 6, flat(rod)), *middle, np.unwrap(lean)),
        Body("crank", box(2 * throw + 14, 12, flat(crank)), axle, 100.0, angle),
        Body("block", box(44, 32, flat(block)), x, 100.0),
    ]
    return stage.film(
        bodies, Mechanism("crank and slider", (BOUND,)), {"throw": throw, "length": length}
    )


def gears(rng: np.random.Generator, frames: int) -> Film:
    """Two toothed wheels mesh; a mark on each shows how it turns; they run down or are driven."""
    ground, first, second, spot = palette(rng, 3)
    stage = Stage((240, 320), 1 / 40, frames, ground)
    teeth = int(rng.integers(8, 11)), int(rng.integers(13, 18))
    pitch = 5.2
    radii = [pitch * n / 2 for n in teeth]
    rate, drag = rng.uniform(2.0, 4.5) * rng.choice([-1, 1]), rng.uniform(0.2, 0.9)
    t = stage.times
    a = rng.uniform(0, 6) + rate * (1 - np.exp(-drag * t)) / drag
    b = math.pi * (1 + 1 / teeth[1]) + a[0] * radii[0] / radii[1] - a * radii[0] / radii[1]
    middle = 160 - (radii[1] - radii[0]) / 2 - 10
    x = middle - radii[0] + radii[0] - 40, middle - 40 + sum(radii)
    bodies = []
    for name, n, r, c, at, angle in zip(
        ("pinion", "wheel"), teeth, radii, (first, second), x, (a, b), strict=True
    ):
        shape = union(_toothed(n, r, flat(c)), shifted(disk(0.22 * r, flat(spot)), 0.55 * r, 0))
        bodies.append(Body(name, shape, at, 120.0, angle))
    return stage.film(
        bodies, Mechanism("two gears", (BOUND,)), {"ratio": radii[0] / radii[1], "drag": drag}
    )


def _toothed(teeth: int, radius: float, paint) -> Shape:
    """A gear wheel of so many teeth."""
    corners = []
    for k in range(teeth):
        for part, reach in ((0.0, -2.5), (0.28, -2.5), (0.36, 2.3), (0.64, 2.3), (0.72, -2.5)):
            angle = 2 * math.pi * (k + part) / teeth
            r = radius + reach
            corners.append((r * math.cos(angle), r * math.sin(angle)))
    return polygon(corners, paint)


def atwood(rng: np.random.Generator, frames: int) -> Film:
    """Two masses hang on one rope over a wheel with a mark."""
    ground, wheel, mark, left, right, rope = palette(rng, 5)
    stage = Stage((280, 240), 1 / 40, frames, ground)
    radius, side = rng.uniform(26, 34), rng.choice([-1, 1])
    seconds = (NOMINAL - 1) / 40
    way = rng.uniform(95, 120)
    fall = side * 2 * way / seconds**2
    s = fall * stage.times**2 / 2
    top, low = 50.0, 50 + 60 + rng.uniform(0, 10)
    start = (low, low + way) if side > 0 else (low + way, low)
    y = start[0] + s, start[1] - s
    x = 120 - radius, 120 + radius
    turn = -s / radius  # the left rope goes down where the wheel turns against the clock
    bodies = []
    for name, at, height, colour, size in zip(
        ("left", "right"), x, y, (left, right), rng.uniform(26, 38, 2), strict=True
    ):
        shapes = [box(3, h - top, flat(rope), (0, -(h - top) / 2)) for h in height]
        bodies.append(Body(f"rope_{name}", shapes, at, height))
        bodies.append(Body(name, box(size, size, flat(colour)), at, height))
    spoked = union(disk(radius, flat(wheel)), shifted(disk(5, flat(mark)), 0.6 * radius, 0.0))
    bodies.append(Body("wheel", spoked, 120.0, top, turn))
    return stage.film(
        bodies, Mechanism("two masses on a rope over a pulley", (BOUND,)), {"acceleration": fall}
    )


def coupled_pendulums(rng: np.random.Generator, frames: int) -> Film:
    """Two pendulums of rods and bobs, joined by a spring that is not drawn."""
    ground, first, second, pin = palette(rng, 3)
    stage = Stage((260, 320), 1 / 30, frames, ground)
    length, ratio = rng.uniform(120, 145), (2 * math.pi / (0.55 * NOMINAL / 30)) ** 2
    stiff, apart = rng.uniform(0.15, 0.35) * ratio, 110.0

    def rates(_: float, s: np.ndarray) -> np.ndarray:
        ends = np.stack([s[:2] * 0 + [0.0, apart], [0.0, 0.0]], 1) + length * np.stack(
            [np.sin(s[:2]), np.cos(s[:2])], 1
        )
        d = ends[1] - ends[0]
        pull = stiff * (np.hypot(*d) - apart) * d / np.hypot(*d)
        along = np.stack([np.cos(s[:2]), -np.sin(s[:2])], 1)
        force = np.array([pull @ along[0], -pull @ along[1]])
        return np.concatenate([s[2:], -ratio * np.sin(s[:2]) + force / length])

    s = integrate(rates, [rng.uniform(0.35, 0.55), rng.uniform(-0.1, 0.1), 0.0, 0.0], stage.times)
    bodies = []
    for k, (name, colour) in enumerate((("left", first), ("right", second))):
        arm = union(
            box(4, length, flat(colour), (0, length / 2)),
            shifted(disk(14, flat(colour)), 0, length),
        )
        at = 160 + apart * (k - 0.5)
        bodies += [Body(name, arm, at, 50.0, -s[:, k])]
        bodies += [Body(f"pin_{name}", disk(5, flat(pin)), at, 50.0)]
    mechanism = Mechanism("two pendulums joined by a spring", (HINGE, OSCILLATE))
    return stage.film(bodies, mechanism, {"gravity_over_length": ratio, "stiffness": stiff})


def elastic_pendulum(rng: np.random.Generator, frames: int) -> Film:
    """A ball hangs on a spring from a drawn pin, and swings."""
    ground, colour, pin = palette(rng, 2)
    stage = Stage((300, 300), 1 / 40, frames, ground)
    omega = 2 * math.pi / (rng.uniform(0.4, 0.55) * NOMINAL / 40)
    rest, gravity = rng.uniform(80, 100), rng.uniform(550, 800)

    def rates(_: float, s: np.ndarray) -> np.ndarray:
        d = s[:2] - (150.0, 40.0)
        pull = -(omega**2) * (np.hypot(*d) - rest) * d / np.hypot(*d)
        return np.concatenate([s[2:], pull + np.array([0.0, gravity])])

    hang = rest + gravity / omega**2
    turn = rng.uniform(0.3, 0.5) * rng.choice([-1, 1])
    reach = hang * rng.uniform(0.85, 1.15)
    start = [150 + reach * math.sin(turn), 40 + reach * math.cos(turn), 0.0, 0.0]
    s = integrate(rates, start, stage.times)
    bodies = [
        Body("pin", disk(6, flat(pin)), 150.0, 40.0),
        Body("ball", disk(rng.uniform(11, 16), flat(colour)), s[:, 0], s[:, 1]),
    ]
    return stage.film(
        bodies,
        Mechanism("elastic pendulum", (r"\bspring",)),
        {"stiffness": omega**2, "rest_length": rest, "gravity": gravity},
    )


def three_links(rng: np.random.Generator, frames: int) -> Film:
    """A chain of three rods hangs from a point and swings."""
    ground, *colours = palette(rng, 3)
    stage = Stage((320, 320), 1 / 40, frames, ground)
    sizes = rng.uniform(62, 80, 3)
    gravity = rng.uniform(0.9, 1.2) * sizes[0] * (2 * math.pi / (0.6 * NOMINAL / 40)) ** 2
    angles = rng.uniform(0.2, 0.6, 3) * rng.choice([-1, 1])
    s = integrate(_links(sizes, gravity), [*angles, 0.0, 0.0, 0.0], stage.times)
    bodies, x, y = [], np.full(frames, 160.0), np.full(frames, 60.0)
    for k, (name, colour) in enumerate(zip(("upper", "middle", "lower"), colours, strict=True)):
        dx, dy = sizes[k] * np.sin(s[:, k]), sizes[k] * np.cos(s[:, k])
        shape = box(8 - k, sizes[k], flat(colour))
        bodies.append(Body(name, shape, x + dx / 2, y + dy / 2, -s[:, k]))
        x, y = x + dx, y + dy
    mechanism = Mechanism("chain of three links", (rf"(?s)({HINGE}).*({HINGE}).*({HINGE})",))
    return stage.film(bodies, mechanism, {"gravity": gravity})


def _links(sizes: np.ndarray, gravity: float):
    """Rates of a chain of even rods (masses by length), state (angles from down, their rates)."""
    mass, n = sizes, len(sizes)

    def rates(_: float, s: np.ndarray) -> np.ndarray:
        a, w = s[:n], s[n:]
        matrix, force = np.zeros((n, n)), np.zeros(n)
        for k in range(n):  # the centre of rod k: whole rods before it, half of its own
            lever = np.where(np.arange(n) < k, sizes, 0.0) + np.where(
                np.arange(n) == k, sizes / 2, 0
            )
            jx, jy = lever * np.cos(a), -lever * np.sin(a)
            bx, by = -(lever * np.sin(a)) @ w**2, -(lever * np.cos(a)) @ w**2
            matrix += mass[k] * (np.outer(jx, jx) + np.outer(jy, jy))
            matrix[k, k] += mass[k] * sizes[k] ** 2 / 12
            force += mass[k] * (jy * gravity - jx * bx - jy * by)
        return np.concatenate([w, np.linalg.solve(matrix, force)])

    return rates


def forced_oscillator(rng: np.random.Generator, frames: int) -> Film:
    """A block on a spring, damped, under a force that is periodic in time."""
    ground, colour, wall = palette(rng, 2)
    stage = Stage(
        (140, 340), 1 / 40, frames, ground, (Placed(box(20, 140, flat(wall)), 8.0, 70.0),)
    )
    omega = 2 * math.pi / (rng.uniform(0.4, 0.6) * NOMINAL / 40)
    drive, damping = omega * rng.uniform(1.5, 2.2), rng.uniform(0.3, 0.8)
    size, phase = omega**2 * rng.uniform(50, 80), rng.uniform(0, 6)

    def rates(t: float, s: np.ndarray) -> np.ndarray:
        force = size * math.sin(drive * t + phase)
        return np.array([s[1], -(omega**2) * s[0] - damping * s[1] + force])

    s = integrate(rates, [rng.uniform(30, 50), 0.0], stage.times)
    block = Body("block", box(40, 34, flat(colour)), 180 + s[:, 0], 80.0)
    mechanism = Mechanism("forced oscillator", (OSCILLATE, r"periodic (force|in time)|forc"))
    return stage.film([block], mechanism, {"stiffness": omega**2, "drive": drive})


def zigzag_spring(rng: np.random.Generator, frames: int) -> Film:
    """A block on a spring that is drawn as a zigzag between a ceiling and the block."""
    ground, colour, coil, beam = palette(rng, 3)
    stage = Stage(
        (300, 200), 1 / 40, frames, ground, (Placed(box(160, 16, flat(beam)), 100.0, 14.0),)
    )
    omega = 2 * math.pi / (rng.uniform(0.35, 0.5) * NOMINAL / 40)
    damping = float(rng.choice([0.0, rng.uniform(0.3, 0.7)]))
    wave, reach = math.sqrt(omega**2 - damping**2 / 4), rng.uniform(40, 58)
    t = stage.times
    y = 165 + reach * np.exp(-damping * t / 2) * np.cos(wave * t + rng.uniform(0, 6))
    side, turns = rng.uniform(34, 44), int(rng.integers(5, 8))
    shapes = [_zigzag(22.0, float(h) - side / 2, turns, flat(coil)) for h in y]
    bodies = [
        Body("coil", shapes, 100.0, 0.0),
        Body("block", box(side, side, flat(colour)), 100.0, y),
    ]
    mechanism = Mechanism("mass on a drawn spring", (OSCILLATE,), ("pendul",))
    return stage.film(bodies, mechanism, {"stiffness_over_mass": omega**2, "damping": damping})


def _zigzag(top: float, bottom: float, turns: int, paint) -> Shape:
    """A zigzag line of a constant width from top to bottom, about x = 0."""
    count = 2 * turns + 2
    heights = np.linspace(top, bottom, count)
    sides = np.array([0.0, *[12.0 * (-1) ** k for k in range(count - 2)], 0.0])
    thick = 1.6
    left = [(float(s - thick), float(h)) for s, h in zip(sides, heights, strict=True)]
    right = [(float(s + thick), float(h)) for s, h in zip(sides, heights, strict=True)]
    return polygon([*left, *reversed(right)], paint)
