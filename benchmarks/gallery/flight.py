"""Free flight: gravity in any direction, and drag."""

from __future__ import annotations

import math

import numpy as np

from benchmarks.gallery.drawing import disk, flat, halves
from benchmarks.gallery.film import Body, Film, Mechanism, Stage, palette
from benchmarks.gallery.simulate import integrate

NOMINAL = 60
"""Frames that the speeds of every scene are chosen for."""

GRAVITY = r"gravit|constant field|constant acceleration|parabol|constant force"


def thrown_ball(rng: np.random.Generator, frames: int) -> Film:
    """A ball thrown up and across, falling back."""
    ground, colour = palette(rng, 1)
    dt, (height, width) = float(rng.choice([1 / 30, 1 / 50, 1 / 60])), (240, 320)
    radius, seconds = rng.uniform(7, 14), (NOMINAL - 1) * dt
    apex, rise = rng.uniform(0.48, 0.55) * seconds, rng.uniform(0.55, 0.75) * height
    gravity = 2 * rise / apex**2
    speed = rng.uniform(0.6, 0.8) * width / seconds
    stage = Stage((height, width), dt, frames, ground)
    t = stage.times
    y = height - 25 - gravity * apex * t + gravity * t**2 / 2
    ball = Body("ball", disk(radius, flat(colour)), 30 + speed * t, y)
    return stage.film(
        [ball],
        Mechanism("projectile under gravity", (GRAVITY,), ("spring", "hinge|revolute")),
        {"gravity": gravity},
    )


def sideways_fall(rng: np.random.Generator, frames: int) -> Film:
    """The same in another direction: two balls on a dark picture pulled sideways or upwards by the
    same field."""
    ground, first, second = palette(rng, 2, dark=True)
    stage = Stage((200, 260), 1 / 25, frames, ground)
    t, seconds = stage.times, (NOMINAL - 1) / 25
    pull = rng.uniform(90, 130) * 2 / seconds**2
    direction = rng.choice([0.0, math.pi, -math.pi / 2]) + rng.uniform(-0.25, 0.25)
    gx, gy = pull * math.cos(direction), pull * math.sin(direction)
    bodies = []
    for name, colour, row in (("ball_1", first, 65.0), ("ball_2", second, 135.0)):
        x0, y0 = 130 - gx * seconds**2 / 4 + rng.uniform(-12, 12), row - gy * seconds**2 / 4
        vx, vy = rng.uniform(-12, 12, 2) / seconds
        bodies.append(
            Body(
                name,
                disk(rng.uniform(6, 11), flat(colour)),
                x0 + vx * t + gx * t**2 / 2,
                y0 + vy * t + gy * t**2 / 2,
            )
        )
    mechanism = Mechanism(
        "uniform field in another direction", (GRAVITY,), ("spring", "hinge|revolute")
    )
    return stage.film(bodies, mechanism, {"gravity_x": gx, "gravity_y": gy})


def drag_fall(rng: np.random.Generator, frames: int) -> Film:
    """A ball falls with linear drag towards its terminal speed."""
    ground, colour = palette(rng, 1)
    stage = Stage((300, 200), 1 / 30, frames, ground)
    seconds = (NOMINAL - 1) / 30
    rate = rng.uniform(1.5, 3.0) / seconds * 2
    terminal = 235 / (seconds - (1 - math.exp(-rate * seconds)) / rate)
    t = stage.times
    fade = (1 - np.exp(-rate * t)) / rate
    sideways = rng.uniform(60, 90) * rate * rng.choice([-1, 1])
    ball = Body(
        "ball",
        disk(rng.uniform(8, 14), flat(colour)),
        100 - np.sign(sideways) * 45 + sideways * fade,
        30 + terminal * (t - fade),
    )
    return stage.film(
        [ball],
        Mechanism("fall with linear drag", (GRAVITY, "drag|damp|resist")),
        {"gravity": terminal * rate, "drag": rate},
    )


def quadratic_drag(rng: np.random.Generator, frames: int) -> Film:
    """A fast ball slowed by the square of its speed, falling."""
    ground, colour = palette(rng, 1, dark=bool(rng.integers(2)))
    stage = Stage((240, 360), 1 / 40, frames, ground)
    seconds = (NOMINAL - 1) / 40
    drag, gravity = rng.uniform(0.006, 0.012), rng.uniform(200, 260) / seconds**2 * 2
    speed, angle = rng.uniform(650, 800) / seconds, rng.uniform(0.7, 0.95)

    def rates(_: float, s: np.ndarray) -> np.ndarray:
        size = math.hypot(s[2], s[3])
        return np.array([s[2], s[3], -drag * size * s[2], gravity - drag * size * s[3]])

    s = integrate(rates, [25, 200, speed * math.cos(angle), -speed * math.sin(angle)], stage.times)
    ball = Body("ball", disk(rng.uniform(6, 10), flat(colour)), s[:, 0], s[:, 1])
    mechanism = Mechanism("projectile with quadratic drag", (GRAVITY, "drag|damp|resist"))
    return stage.film([ball], mechanism, {"gravity": gravity, "drag_quadratic": drag})


def fading_light(rng: np.random.Generator, frames: int) -> Film:
    """A spinning two-coloured ball in free fall while the light goes down by a fifth."""
    ground, first, second = palette(rng, 2)
    stage = Stage((240, 300), 1 / 30, frames, ground, gain=1.0 - 0.2 * np.arange(frames) / NOMINAL)
    t, seconds = stage.times, (NOMINAL - 1) / 30
    gravity, spin = 2 * 170 / seconds**2, rng.uniform(2.0, 4.0) * rng.choice([-1, 1])
    ball = Body(
        "ball",
        disk(rng.uniform(14, 20), halves(first, second)),
        40 + 210 * t / seconds,
        35 + gravity * t**2 / 2,
        spin * t,
    )
    mechanism = Mechanism("spinning projectile, light fading", (GRAVITY, r"rotat|spin|angular"))
    return stage.film([ball], mechanism, {"gravity": gravity, "angular_velocity": spin})
