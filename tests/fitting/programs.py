"""Small dynamics programs with known answers, and data for them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from types import SimpleNamespace

import numpy as np

from tools.fitting import Measured
from tools.physics import xp
from tools.types import Param, States

DT = 0.1


def program(
    step: Callable,
    params: Sequence[Param],
    latents: Sequence[str] = ("ball.x",),
    initial: Callable | None = None,
    smooth: bool = False,
):
    """A program; ``initial`` puts every latent at its first measurement, and velocities (``v*``) at
    the first difference."""

    def first(states: States, values: dict, dt: float) -> dict:
        return {
            "ball": {
                name.split(".")[1]: _first(states, name, dt) for name in latents or ("ball.x",)
            }
        }

    return SimpleNamespace(
        PARAMS=tuple(params),
        LATENTS=tuple(latents),
        initial=initial or first,
        step=step,
        DIFFERENTIABLE=smooth,
    )


def _first(states: States, name: str, dt: float) -> float:
    axis = name.split(".")[1]
    if axis.startswith("v"):
        track = states.column(f"ball.{axis[1:]}")
        return float((track[1] - track[0]) / dt)
    return float(states.column(name)[0])


def moved(velocity: Callable, params: Sequence[Param]):
    """A program whose ball moves by velocity(params) * dt each step."""
    return program(lambda s, p, a, dt: {"ball": {"x": s["ball"]["x"] + velocity(p) * dt}}, params)


def line(high: float = 100.0):
    """Uniform motion, its velocity a parameter."""
    return moved(lambda p: p["v"], (Param("v", 1.0, 0.0, high, "px/s"),))


def thrown():
    """A thrown ball, exact for constant acceleration: latents are position and velocity, gravity is
    theta."""

    def step(state, params, action, dt):
        ball, gravity = state["ball"], params["gravity"]
        return {
            "ball": {
                "x": ball["x"] + ball["vx"] * dt,
                "y": ball["y"] + ball["vy"] * dt + 0.5 * gravity * dt**2,
                "vx": ball["vx"],
                "vy": ball["vy"] + gravity * dt,
            }
        }

    return program(
        step,
        (Param("gravity", 10.0, 0.0, 500.0, "px/s^2"),),
        ("ball.x", "ball.y", "ball.vx", "ball.vy"),
        smooth=True,
    )


def swinging():
    """A pendulum seen by its angle, one semi-implicit Euler step a frame."""

    def step(state, params, action, dt):
        ball = state["ball"]
        rate = ball["vangle"] - dt * params["stiffness"] * xp.sin(ball["angle"])
        return {"ball": {"angle": ball["angle"] + dt * rate, "vangle": rate}}

    return program(
        step,
        (Param("stiffness", 3.0, 0.1, 50.0, "1/s^2"),),
        ("ball.angle", "ball.vangle"),
        smooth=True,
    )


def branching():
    """Uniform motion that a wall at x = 30 reverses, with branches on values: cannot be rolled out
    on arrays."""

    def step(state, params, action, dt):
        x, vx = state["ball"]["x"] + state["ball"]["vx"] * dt, state["ball"]["vx"]
        if x > 30.0:
            x, vx = 30.0 - params["restitution"] * (x - 30.0), -params["restitution"] * vx
        return {"ball": {"x": x, "vx": vx}}

    return program(step, (Param("restitution", 0.5, 0.0, 1.0),), ("ball.x", "ball.vx"))


def walk(
    values: Sequence[float] | np.ndarray,
    noise: float | None = None,
    column: str = "ball.x",
    dt: float = DT,
) -> Measured:
    """One video of one column."""
    table = np.asarray(values, float)[:, None]
    return Measured(States((column,), table, None if noise is None else np.array([noise])), dt)


def uniform_walk(
    rng: np.random.Generator, frames: int = 20, velocity: float = 7.0, noise: float = 0.05
) -> Measured:
    """A ball at constant velocity, with noise."""
    return walk(10.0 + velocity * DT * np.arange(frames) + noise * rng.standard_normal(frames))


def throws(
    rng: np.random.Generator,
    videos: int,
    gravity: float = 60.0,
    noise: float = 0.1,
    frames: int = 12,
    stated: bool = True,
) -> list[Measured]:
    """Thrown balls with noise."""
    out, t = [], DT * np.arange(frames)
    for _ in range(videos):
        x, y, vx, vy = (
            rng.uniform(10, 50),
            rng.uniform(50, 90),
            rng.uniform(10, 40),
            rng.uniform(-40, 0),
        )
        table = np.stack(
            [x + vx * t, y + vy * t + 0.5 * gravity * t**2], 1
        ) + noise * rng.standard_normal((frames, 2))
        out.append(
            Measured(States(("ball.x", "ball.y"), table, np.full(2, noise) if stated else None), DT)
        )
    return out


def swings(
    rng: np.random.Generator,
    videos: int,
    stiffness: float = 9.0,
    noise: float = 0.01,
    frames: int = 40,
) -> list[Measured]:
    """Pendulums with noise, angles wrapped into [-pi, pi)."""
    out = []
    for _ in range(videos):
        angle, rate, track = rng.uniform(0.3, 1.5), rng.uniform(-1, 1), []
        for _ in range(frames):
            track.append(angle)
            rate -= DT * stiffness * math.sin(angle)
            angle += DT * rate
        noisy = np.array(track) + noise * rng.standard_normal(frames)
        out.append(walk((noisy + np.pi) % (2 * np.pi) - np.pi, noise, "ball.angle"))
    return out
