"""Synthetic fitting problems with known answers: a dynamics program, its true parameters, and noisy
measured states."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import ModuleType, SimpleNamespace

import numpy as np

from tools.fitting import Measured, rollout
from tools.types import State, States

PIXELS_PER_UNIT = 25.6


@dataclass(frozen=True)
class Case:
    """One problem. program: module name in ``benchmarks.fitting_programs``. truth: theta that made
    the data. start: draws the true first state of a video. noise: measured columns and the standard
    deviation of their error; constant: columns that are measured without error. actions: draws
    (frames,) actions, or None. frames: per video. dt: seconds. latents: False leaves the program
    without latents, so that start states are what ``initial`` estimates from the first frames and
    theta alone is fitted, as the paper's authors do."""

    program: str
    truth: Mapping[str, float]
    start: Callable[[np.random.Generator], State]
    noise: Mapping[str, float]
    constant: tuple[str, ...] = ()
    actions: Callable[[np.random.Generator, int], np.ndarray] | None = None
    frames: int = 32
    dt: float = 0.1
    latents: bool = True

    @property
    def module(self) -> ModuleType | SimpleNamespace:
        """The program."""
        module = importlib.import_module(f"benchmarks.fitting_programs.{self.program}")
        return module if self.latents else SimpleNamespace(**{**vars(module), "LATENTS": ()})

    def data(self, videos: int, rng: np.random.Generator) -> list[Measured]:
        """``videos`` measured videos."""
        return [self._video(rng) for _ in range(videos)]

    def _video(self, rng: np.random.Generator) -> Measured:
        actions = None if self.actions is None else self.actions(rng, self.frames)
        table = rollout(self.module, self.truth, self.start(rng), self.frames - 1, self.dt, actions)
        columns = (*self.noise, *self.constant)
        spread = np.array([*self.noise.values(), *(0.0 for _ in self.constant)])
        values = np.stack([table.column(column) for column in columns], 1)
        return Measured(
            States(columns, values + spread * rng.standard_normal(values.shape)), self.dt, actions
        )


def _ball(rng: np.random.Generator) -> State:
    x, y = rng.uniform(20, 60), rng.uniform(60, 200)
    return {
        "ball": {
            "x": x,
            "y": y,
            "vx": rng.uniform(1, 4) * PIXELS_PER_UNIT,
            "vy": rng.uniform(-5, 5),
        }
    }


def _thrown(rng: np.random.Generator) -> State:
    return {
        "ball": {
            "x": rng.uniform(20, 60),
            "y": rng.uniform(150, 200),
            "vx": rng.uniform(20, 60),
            "vy": rng.uniform(-120, -60),
        }
    }


def _pair(rng: np.random.Generator) -> State:
    """Two balls that touch between a third and two thirds of the clip."""
    radii, speeds = (
        rng.uniform(0.5, 1.5, 2) * PIXELS_PER_UNIT,
        rng.uniform(1, 4, 2) * PIXELS_PER_UNIT,
    )
    wait, x = rng.uniform(0.9, 1.9), rng.uniform(20, 60)
    right = x + radii.sum() + speeds.sum() * wait
    return {
        "left": {"x": x, "vx": speeds[0], "radius": radii[0]},
        "right": {"x": right, "vx": -speeds[1], "radius": radii[1]},
    }


def _balanced(rng: np.random.Generator) -> State:
    return {
        "cart": {"x": rng.uniform(250, 350), "vx": rng.uniform(-10, 10)},
        "pole": {"angle": rng.uniform(-0.1, 0.1), "angular_velocity": rng.uniform(-0.2, 0.2)},
    }


def _pushes(rng: np.random.Generator, frames: int) -> np.ndarray:
    return rng.choice([-1.0, 1.0], frames)


def _swing(rng: np.random.Generator) -> State:
    angle = rng.uniform(0.4, 1.4) * rng.choice([-1, 1])
    bob = {"x": 128.0 + 100.0 * np.sin(angle), "y": 60.0 + 100.0 * np.cos(angle)}
    return {
        "pivot": {"x": 128.0, "y": 60.0},
        "arm": {"angle": angle, "angular_velocity": rng.uniform(-1, 1)},
        "bob": bob,
    }


def _dropped(rng: np.random.Generator) -> State:
    ball = {
        "x": rng.uniform(40, 80),
        "y": rng.uniform(60, 120),
        "vx": rng.uniform(80, 200),
        "vy": rng.uniform(-40, 40),
    }
    return {"ball": ball | {"spin": 0.0, "radius": 10.0}, "floor": {"y": 220.0}}


def _shot(rng: np.random.Generator) -> State:
    """Three disks, each in a third of the box of its own, that fly about."""
    state = {}
    for index, name in enumerate(("red", "green", "blue")):
        radius, heading = rng.uniform(12, 20), rng.uniform(0, 2 * np.pi)
        x, y, speed = (
            50.0 + 100.0 * index + rng.uniform(-20, 20),
            rng.uniform(30, 170),
            rng.uniform(100, 250),
        )
        state[name] = {
            "x": x,
            "y": y,
            "vx": speed * np.cos(heading),
            "vy": speed * np.sin(heading),
            "radius": radius,
        }
    return state


_COLLISION = Case(
    "collision",
    {"restitution": 0.9, "mass_power": 2.0, "drag": 0.1},
    _pair,
    {"left.x": 0.05, "right.x": 0.05},
    ("left.radius", "right.radius"),
)

CASES: Mapping[str, Case] = {
    "uniform": Case("uniform", {"drag": 0.3, "mass": 1.0}, _ball, {"ball.x": 0.05, "ball.y": 0.05}),
    "parabola": Case(
        "parabola", {"gravity": 64.0, "drag": 0.2}, _thrown, {"ball.x": 0.05, "ball.y": 0.05}
    ),
    "collision": _COLLISION,
    "collision, theta only": replace(_COLLISION, latents=False),
    "cartpole": Case(
        "cartpole",
        {"push": 900.0, "gravity": 980.0, "half_length": 50.0, "mass_share": 0.09},
        _balanced,
        {"cart.x": 0.1, "pole.angle": 0.002},
        actions=_pushes,
        dt=0.02,
    ),
    "pendulum": Case(
        "pendulum",
        {"gravity": 700.0, "length": 100.0, "drag": 0.2},
        _swing,
        {"bob.x": 0.1, "bob.y": 0.1},
        ("pivot.x", "pivot.y"),
    ),
    "bounce": Case(
        "bounce",
        {"gravity": 400.0, "elasticity": 0.8, "friction": 0.05},
        _dropped,
        {"ball.x": 0.1, "ball.y": 0.1},
        ("ball.radius", "floor.y"),
        dt=0.04,
    ),
    "disks": Case(
        "disks",
        {"restitution": 0.9, "restitution_disks": 0.95, "drag": 0.2, "floor": -200.0},
        _shot,
        {f"{name}.{axis}": 0.05 for name in ("red", "green", "blue") for axis in "xy"},
        ("red.radius", "green.radius", "blue.radius"),
        dt=0.04,
    ),
}
