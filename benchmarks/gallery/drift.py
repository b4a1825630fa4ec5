"""Uniform motion, rotation and orbits, made hard by looks: textures, occlusion, late entry, equal
colours, or no law at all."""

from __future__ import annotations

import math

import numpy as np

from benchmarks.gallery.drawing import Placed, box, disk, flat, halves, polygon, waves
from benchmarks.gallery.film import Body, Film, Mechanism, Stage, palette
from benchmarks.gallery.flight import NOMINAL
from benchmarks.gallery.simulate import integrate

UNIFORM = r"uniform|constant velocity|straight|inertia|moves freely|slides along"
FORCE_FREE = (
    r"constant field|constant force|pendul|hinge|revolute|\bspring|attract|friction|quadratic",
)


def crossing_balls(rng: np.random.Generator, frames: int) -> Film:
    """Two balls of the same size and colour cross without touching (one passes in front of the
    other)."""
    ground, colour = palette(rng, 1)
    stage = Stage((220, 320), 1 / 30, frames, ground)
    t, seconds, radius = stage.times, (NOMINAL - 1) / 30, rng.uniform(10, 15)
    meet = rng.uniform(0.25, 0.35) * seconds
    ball = disk(radius, flat(colour))
    bodies = []
    for name, side in (("ball_1", 1), ("ball_2", -1)):
        vx, vy = (
            side * rng.uniform(150, 190) / seconds,
            rng.uniform(20, 60) * rng.choice([-1, 1]) / seconds,
        )
        bodies.append(
            Body(name, ball, 160 + vx * (t - meet), 110 + rng.uniform(-4, 4) + vy * (t - meet))
        )
    return stage.film(
        bodies,
        Mechanism(
            "two equal balls in uniform motion",
            (UNIFORM,),
            (*FORCE_FREE, "collision|bounce off each other"),
        ),
        {},
    )


def conveyor(rng: np.random.Generator, frames: int) -> Film:
    """Three textured boxes carried along at one speed, the last of them entering during the
    clip."""
    ground, *colours, belt = palette(rng, 4)
    height, width = 170, 360
    stage = Stage(
        (height, width),
        1 / 25,
        frames,
        ground,
        (Placed(box(2 * width, 24, flat(belt)), width / 2, 132.0),),
    )
    speed = rng.uniform(150, 190) / ((NOMINAL - 1) / 25)
    bodies = []
    for index, (colour, start) in enumerate(zip(colours, (150.0, 70.0, -45.0), strict=True)):
        w, h = rng.uniform(36, 50), rng.uniform(30, 60)
        bodies.append(
            Body(
                f"box_{index + 1}",
                box(w, h, waves(colour, rng, 18, reach=32)),
                start + rng.uniform(-6, 6) + speed * stage.times,
                120 - h / 2,
            )
        )
    return stage.film(
        bodies, Mechanism("uniform motion on a conveyor", (UNIFORM,), FORCE_FREE), {"speed": speed}
    )


def textured_on_texture(rng: np.random.Generator, frames: int) -> Film:
    """An irregular textured plate drifts and turns over a textured background."""
    ground, colour = palette(rng, 1)
    stage = Stage(
        (240, 300), 1 / 30, frames, ground, paint=waves((140.0, 140.0, 130.0), rng, 40, 30, 300, 2)
    )
    t, seconds = stage.times, (NOMINAL - 1) / 30
    angles = np.sort(rng.uniform(0, 2 * math.pi, 7)) * 0.6 + np.arange(7) * 2 * math.pi / 7 * 0.4
    corners = [
        (r * math.cos(a), r * math.sin(a))
        for a, r in zip(angles, rng.uniform(26, 42, 7), strict=True)
    ]
    spin = rng.uniform(1.5, 3.0) * rng.choice([-1, 1])
    plate = Body(
        "plate",
        polygon(corners, waves(colour, rng, 16, 70, 44)),
        70 + rng.uniform(140, 160) * t / seconds,
        90 + rng.uniform(30, 60) * t / seconds,
        spin * t,
    )
    return stage.film(
        [plate],
        Mechanism("drift with spin", (UNIFORM, r"rotat|spin|angular|turn")),
        {"angular_velocity": spin},
    )


def occlusion(rng: np.random.Generator, frames: int) -> Film:
    """A ball passes behind a post; the post is in front."""
    ground, colour, wood = palette(rng, 2)
    stage = Stage((180, 340), 1 / 40, frames, ground)
    t, seconds = stage.times, (NOMINAL - 1) / 40
    ball = Body(
        "ball",
        disk(rng.uniform(11, 16), flat(colour)),
        30 + rng.uniform(250, 280) * t / seconds,
        80 + rng.uniform(-30, 30) * t / seconds,
    )
    post = Body("post", box(rng.uniform(30, 44), 150, flat(wood)), rng.uniform(110, 135), 90.0)
    return stage.film(
        [ball, post], Mechanism("uniform motion behind a post", (UNIFORM,), FORCE_FREE), {}
    )


def late_entry(rng: np.random.Generator, frames: int) -> Film:
    """One ball crosses; another enters from the side after a third of the part that is seen."""
    ground, first, second = palette(rng, 2, dark=True)
    stage = Stage((220, 300), 1 / 30, frames, ground)
    t, seconds = stage.times, (NOMINAL - 1) / 30
    radius = rng.uniform(9, 15, 2)
    enters = rng.uniform(0.12, 0.2) * seconds
    one = Body(
        "ball_1",
        disk(radius[0], flat(first)),
        40 + rng.uniform(180, 210) * t / seconds,
        60 + rng.uniform(-20, 20) * t / seconds,
    )
    speed = rng.uniform(230, 270) / seconds
    two = Body(
        "ball_2",
        disk(radius[1], flat(second)),
        300 + radius[1] - speed * (t - enters),
        160 + rng.uniform(-30, 10) * t / seconds,
    )
    return stage.film(
        [one, two], Mechanism("uniform motion, one object late", (UNIFORM,), FORCE_FREE), {}
    )


def rotating_bar(rng: np.random.Generator, frames: int) -> Film:
    """A two-coloured bar turns at constant speed about a point off its centre."""
    ground, first, second = palette(rng, 2)
    stage = Stage((240, 240), 1 / 30, frames, ground)
    spin = rng.uniform(1.1, 1.8) * 2 * math.pi / (NOMINAL / 30) * rng.choice([-1, 1])
    length, shift = rng.uniform(110, 140), rng.uniform(10, 25)
    bar = box(length, rng.uniform(12, 20), halves(first, second), (shift, 0.0))
    body = Body("bar", bar, 120.0, 120.0, rng.uniform(-3, 3) + spin * stage.times)
    return stage.film(
        [body],
        Mechanism(
            "rotation at constant speed",
            (r"rotat|spin|angular|hinge|revolute|turn",),
            ("constant field",),
        ),
        {"angular_velocity": spin},
    )


def orbit(rng: np.random.Generator, frames: int) -> Film:
    """A planet on an ellipse around a drawn star: inverse-square attraction."""
    ground, planet, star = palette(rng, 2, dark=True)
    stage = Stage((260, 300), 1 / 30, frames, ground)
    period, size = rng.uniform(1.0, 1.3) * NOMINAL / 30, rng.uniform(78, 92)
    strength, eccentricity = (2 * math.pi / period) ** 2 * size**3, rng.uniform(0.15, 0.35)
    far, phase = size * (1 + eccentricity), rng.uniform(0, 2 * math.pi)
    speed = math.sqrt(strength * (2 / far - 1 / size)) * rng.choice([-1, 1])
    out, along = (
        np.array([math.cos(phase), math.sin(phase)]),
        np.array([-math.sin(phase), math.cos(phase)]),
    )

    def rates(_: float, s: np.ndarray) -> np.ndarray:
        return np.concatenate([s[2:], -strength * s[:2] / np.hypot(*s[:2]) ** 3])

    s = integrate(rates, np.concatenate([far * out, speed * along]), stage.times)
    bodies = [
        Body("star", disk(14, flat(star)), 150.0, 130.0),
        Body("planet", disk(rng.uniform(6, 10), flat(planet)), 150 + s[:, 0], 130 + s[:, 1]),
    ]
    return stage.film(
        bodies,
        Mechanism(
            "orbit under a central force", (r"central|orbit|attract|inverse.square|gravitat",)
        ),
        {"strength": strength},
    )


def jumping_dot(rng: np.random.Generator, frames: int) -> Film:
    """No law that a grammar holds: a dot jumps by two logistic maps every few frames, beside a ball
    in uniform motion."""
    ground, first, second = palette(rng, 2)
    stage = Stage((220, 300), 1 / 30, frames, ground)
    a, b = rng.uniform(0.2, 0.8, 2)
    x, y = np.empty(frames), np.empty(frames)
    for t in range(frames):
        if t % 3 == 0:
            a, b = 3.97 * a * (1 - a), 3.93 * b * (1 - b)
        x[t], y[t] = 30 + 240 * a, 20 + 110 * b
    ball = Body(
        "ball",
        disk(12, flat(first)),
        30 + rng.uniform(200, 230) * stage.times / ((NOMINAL - 1) / 30),
        180.0,
    )
    return stage.film(
        [ball, Body("dot", disk(9, flat(second)), x, y)],
        Mechanism("unexplained jumps", (r"unexplain|not explained|no law|residual",)),
        {},
    )
