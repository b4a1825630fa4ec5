"""Hinges, rods and springs."""

from __future__ import annotations

import math

import numpy as np

from benchmarks.gallery.drawing import Placed, box, disk, flat, shifted, union, waves
from benchmarks.gallery.film import Body, Film, Mechanism, Stage, palette
from benchmarks.gallery.flight import NOMINAL
from benchmarks.gallery.simulate import integrate

HINGE = r"pendul|hinge|revolute|pivot|swing"
OSCILLATE = r"\bspring|oscillat|harmonic|hooke|periodic"


def pendulum(rng: np.random.Generator, frames: int) -> Film:
    """Rod and bob on a drawn pivot, large swings."""
    ground, rod, bob, pin = palette(rng, 3)
    stage = Stage((260, 300), 1 / 30, frames, ground)
    length, period = rng.uniform(110, 150), rng.uniform(0.55, 0.8) * NOMINAL / 30
    ratio = (2 * math.pi / period) ** 2
    angle = _swing(
        ratio, rng.uniform(0.6, 1.1) * rng.choice([-1, 1]), rng.uniform(-1, 1), 0.0, stage.times
    )
    arm = union(
        box(5, length, flat(rod), (0, length / 2)),
        shifted(disk(rng.uniform(13, 19), flat(bob)), 0, length),
    )
    bodies = [
        Body("pendulum", arm, 150.0, 50.0, -angle),
        Body("pin", disk(7, flat(pin)), 150.0, 50.0),
    ]
    return stage.film(
        bodies, Mechanism("pendulum", (HINGE,)), {"gravity_over_length": ratio, "length": length}
    )


def pendulum_hidden_pivot(rng: np.random.Generator, frames: int) -> Film:
    """A textured block swings around a point above it where nothing is drawn, slightly damped."""
    ground, colour = palette(rng, 1, dark=True)
    stage = Stage((240, 320), 1 / 50, frames, ground)
    length, period = rng.uniform(130, 170), rng.uniform(0.5, 0.7) * NOMINAL / 50
    ratio, damping = (2 * math.pi / period) ** 2, rng.uniform(0.2, 0.6)
    angle = _swing(ratio, rng.uniform(0.5, 0.8) * rng.choice([-1, 1]), 0.0, damping, stage.times)
    block = box(34, 22, waves(colour, rng, 14, reach=22))
    body = Body("block", block, 160 + length * np.sin(angle), 30 + length * np.cos(angle), -angle)
    return stage.film(
        [body],
        Mechanism("pendulum, pivot not drawn", (HINGE,)),
        {"gravity_over_length": ratio, "damping": damping, "length": length},
    )


def double_pendulum(rng: np.random.Generator, frames: int) -> Film:
    """Two rods in a chain with bobs at their ends, moderate swings."""
    ground, first, second = palette(rng, 2)
    stage = Stage((300, 300), 1 / 40, frames, ground)
    l1, l2, ratio = rng.uniform(75, 95), rng.uniform(60, 80), rng.uniform(0.4, 1.0)
    gravity = rng.uniform(0.9, 1.3) * l1 * (2 * math.pi / (0.6 * NOMINAL / 40)) ** 2
    s = integrate(
        _chain(l1, l2, ratio, gravity),
        [rng.uniform(0.4, 0.8), rng.uniform(-0.3, 0.6), 0.0, 0.0],
        stage.times,
    )
    a, b = s[:, 0], s[:, 1]
    arms = [
        union(box(6, size, flat(c), (0, size / 2)), shifted(disk(r, flat(c)), 0, size))
        for size, c, r in ((l1, first, 10.0), (l2, second, 8 + 6 * ratio))
    ]
    bodies = [
        Body("upper", arms[0], 150.0, 80.0, -a),
        Body("lower", arms[1], 150 + l1 * np.sin(a), 80 + l1 * np.cos(a), -b),
    ]
    parameters = {"gravity": gravity, "length_1": l1, "length_2": l2, "mass_ratio": ratio}
    return stage.film(
        bodies,
        Mechanism(
            "double pendulum",
            (r"double|two.?link|(hinge|revolute|pendul)[\s\S]*(hinge|revolute|pendul)",),
        ),
        parameters,
    )


def spring(rng: np.random.Generator, frames: int) -> Film:
    """A block on a spring beside a wall, no damping."""
    ground, colour, wall, coil = palette(rng, 3)
    stage = Stage(
        (160, 320), 1 / 30, frames, ground, (Placed(box(24, 160, flat(wall)), 10.0, 80.0),)
    )
    omega = 2 * math.pi / (rng.uniform(0.4, 0.7) * NOMINAL / 30)
    x = rng.uniform(170, 190) + rng.uniform(50, 80) * np.cos(
        omega * stage.times + rng.uniform(0, 2 * math.pi)
    )
    side = rng.uniform(34, 46)
    block = Body(
        "block",
        union(box(300, 3, flat(coil), (-150 - side / 2 + 2, 0)), box(side, side, flat(colour))),
        x,
        90.0,
    )
    return stage.film(
        [block],
        Mechanism("mass on a spring", (OSCILLATE,), ("pendul",)),
        {"stiffness_over_mass": omega**2},
    )


def damped_spring(rng: np.random.Generator, frames: int) -> Film:
    """A ball bobs up and down and settles."""
    ground, colour = palette(rng, 1, dark=True)
    stage = Stage((280, 180), 1 / 60, frames, ground)
    omega = 2 * math.pi / (rng.uniform(0.3, 0.45) * NOMINAL / 60)
    damping = 2 * rng.uniform(0.06, 0.14) * omega
    wave = math.sqrt(omega**2 - damping**2 / 4)
    y = 140 + rng.uniform(75, 100) * np.exp(-damping * stage.times / 2) * np.cos(
        wave * stage.times + rng.uniform(-0.5, 0.5)
    )
    ball = Body("ball", disk(rng.uniform(11, 18), flat(colour)), 90.0, y)
    return stage.film(
        [ball],
        Mechanism("damped spring", (OSCILLATE, "damp|drag|slow")),
        {"stiffness_over_mass": omega**2, "damping": damping},
    )


def spring_pair(rng: np.random.Generator, frames: int) -> Film:
    """Two balls joined by a spring that is not drawn, drifting and turning about each other."""
    ground, first, second = palette(rng, 2)
    stage = Stage((260, 320), 1 / 40, frames, ground)
    radius = rng.uniform(9, 16, 2)
    mass, rest, omega = (
        radius**2 / (radius**2).sum(),
        rng.uniform(70, 90),
        2 * math.pi / (0.45 * NOMINAL / 40),
    )
    stiffness = omega**2 * mass[0] * mass[1]
    drift, apart = rng.uniform(40, 60) * 40 / NOMINAL, rest * rng.uniform(1.25, 1.45)

    def rates(_: float, s: np.ndarray) -> np.ndarray:
        d = s[2:4] - s[0:2]
        pull = stiffness * (np.hypot(*d) - rest) * d / np.hypot(*d)
        return np.concatenate([s[4:8], pull / mass[0], -pull / mass[1]])

    turn = rng.uniform(0.8, 1.5) * rng.choice([-1, 1]) * apart
    start = [
        130 - mass[1] * apart,
        130,
        130 + mass[0] * apart,
        130,
        drift,
        -mass[1] * turn,
        drift,
        mass[0] * turn,
    ]
    s = integrate(rates, start, stage.times)
    bodies = [
        Body(f"ball_{i + 1}", disk(radius[i], flat(c)), s[:, 2 * i], s[:, 2 * i + 1])
        for i, c in enumerate((first, second))
    ]
    parameters = {
        "stiffness": omega**2,
        "rest_length": rest,
        "mass_ratio": float(mass[1] / mass[0]),
    }
    return stage.film(
        bodies,
        Mechanism("two balls joined by a spring", (OSCILLATE + r"|attract or repel|pull_",)),
        parameters,
    )


def cart_pole(rng: np.random.Generator, frames: int) -> Film:
    """A cart with a pole of other looks and numbers than gymnasium's, pushed by a constant force,
    falling from upright."""
    ground, cart_colour, pole_colour, rail = palette(rng, 3, dark=bool(rng.integers(2)))
    height, width, track = 240, 360, 170.0
    stage = Stage(
        (height, width),
        1 / 40,
        frames,
        ground,
        (Placed(box(2 * width, 4, flat(rail)), width / 2, track + 14),),
    )
    half, ratio = rng.uniform(45, 60), rng.uniform(0.1, 0.5)
    gravity, side = rng.uniform(160, 240), rng.choice([-1, 1])
    push = side * rng.uniform(30, 70)
    start = [
        width / 2 - side * 70,
        0.0,
        -side * rng.uniform(0.05, 0.15),
        -side * rng.uniform(0.1, 0.4),
    ]
    s = integrate(_cart(half, ratio, gravity, push), start, stage.times)
    cart = Body("cart", box(rng.uniform(52, 70), 26, flat(cart_colour)), s[:, 0], track)
    pole = Body("pole", box(9, 2 * half, flat(pole_colour), (0, -half)), s[:, 0], track, s[:, 2])
    parameters = {"gravity": gravity, "length": half, "mass_ratio": ratio, "push": push}
    return stage.film(
        [cart, pole],
        Mechanism(
            "cart with a hinged pole under a constant force",
            (HINGE, r"cart|slides along|prismatic|rail|track|carriage"),
        ),
        parameters,
    )


def _swing(
    ratio: float, angle: float, speed: float, damping: float, times: np.ndarray
) -> np.ndarray:
    """(T,) angle of a pendulum from straight down: a'' = -ratio sin(a) - damping a'."""
    return integrate(
        lambda _, s: np.array([s[1], -ratio * math.sin(s[0]) - damping * s[1]]),
        [angle, speed],
        times,
    )[:, 0]


def _chain(l1: float, l2: float, ratio: float, gravity: float):
    """Rates of a double pendulum of point masses (lower mass / upper mass = ratio), state (a, b,
    a', b'), from straight down."""

    def rates(_: float, s: np.ndarray) -> np.ndarray:
        a, b, da, db = s
        c, d = math.cos(a - b), math.sin(a - b)
        matrix = np.array([[(1 + ratio) * l1, ratio * l2 * c], [l1 * c, l2]])
        force = np.array(
            [
                -ratio * l2 * db**2 * d - (1 + ratio) * gravity * math.sin(a),
                l1 * da**2 * d - gravity * math.sin(b),
            ]
        )
        return np.array([da, db, *np.linalg.solve(matrix, force)])

    return rates


def _cart(half: float, ratio: float, gravity: float, push: float):
    """Rates of a cart with a uniform pole of half length ``half``; state (x, x', a, a'), a from
    upright, clockwise."""

    def rates(_: float, s: np.ndarray) -> np.ndarray:
        _, v, a, w = s
        matrix = np.array(
            [[1 + ratio, ratio * half * math.cos(a)], [half * math.cos(a), 4 / 3 * half**2]]
        )
        force = np.array([push + ratio * half * w**2 * math.sin(a), gravity * half * math.sin(a)])
        dv, dw = np.linalg.solve(matrix, force)
        return np.array([v, dv, w, dw])

    return rates
