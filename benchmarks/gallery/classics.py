"""Gymnasium's classic control environments under scripted actions, started away from rest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.gallery.film import Film, Mechanism
from benchmarks.gallery.joints import HINGE
from benchmarks.recorder import frame_time, opened, record
from tools.types import States


@dataclass(frozen=True)
class Classic:
    """One environment. start: rng -> initial simulator state. script: (rng, frames) -> actions as
    numbers. columns: names of the simulator's state. wrap: number -> the action that the
    environment takes."""

    env_id: str
    start: Callable[[np.random.Generator], np.ndarray]
    script: Callable[[np.random.Generator, int], np.ndarray]
    columns: tuple[str, ...]
    mechanism: Mechanism
    wrap: Callable[[float], Any] = int


def shoot(classic: Classic, rng: np.random.Generator, frames: int) -> Film:
    """Film one environment; the actions are told."""
    start, actions = classic.start(rng), classic.script(rng, frames)
    with opened(classic.env_id) as env:
        recording = record(
            env, [classic.wrap(a) for a in actions], seed=0, place=lambda env: _place(env, start)
        )
        dt = frame_time(env)
    states = States(classic.columns, recording.states)
    return Film(recording.frames, dt, classic.mechanism, {}, states, actions)


def gym_pendulum(rng: np.random.Generator, frames: int) -> Film:
    """Pendulum-v1 swinging freely (its torque is told and is zero)."""
    return shoot(
        Classic(
            "Pendulum-v1",
            lambda r: np.array([np.pi + r.uniform(0.8, 1.6), r.uniform(-1, 1)]),
            lambda r, n: np.zeros(n),
            ("rod.angle", "rod.angular_velocity"),
            Mechanism("pendulum", (HINGE,)),
            _torque,
        ),
        rng,
        frames,
    )


def gym_pendulum_driven(rng: np.random.Generator, frames: int) -> Film:
    """Pendulum-v1 under torques that change every 12 frames; the drawing shows an arrow for the
    torque."""
    return shoot(
        Classic(
            "Pendulum-v1",
            lambda r: np.array([np.pi + r.uniform(-0.5, 0.5), 0.0]),
            lambda r, n: _held(r, n, 12, [-2.0, 2.0]),
            ("rod.angle", "rod.angular_velocity"),
            Mechanism("pendulum with a torque", (HINGE, "torque|action|drive")),
            _torque,
        ),
        rng,
        frames,
    )


def gym_acrobot(rng: np.random.Generator, frames: int) -> Film:
    """Acrobot-v1, two links, no torque."""
    return shoot(
        Classic(
            "Acrobot-v1",
            lambda r: np.array([r.uniform(0.5, 0.9), r.uniform(-0.4, 0.4), 0.0, 0.0]),
            lambda r, n: np.ones(n),
            ("upper.angle", "lower.angle", "upper.angular_velocity", "lower.angular_velocity"),
            Mechanism(
                "double pendulum",
                (r"double|two.?link|(hinge|revolute|pendul)[\s\S]*(hinge|revolute|pendul)",),
            ),
        ),
        rng,
        frames,
    )


def gym_mountain_car(rng: np.random.Generator, frames: int) -> Film:
    """MountainCar-v0 rolling in its valley, no push."""
    return shoot(
        Classic(
            "MountainCar-v0",
            lambda r: np.array([r.uniform(-1.0, -0.85), 0.0]),
            lambda r, n: np.ones(n),
            ("car.position", "car.velocity"),
            Mechanism(
                "car in a valley",
                (
                    r"oscillat|harmonic|periodic|spring|valley|track|pendul"
                    r"|hinge|revolute|depends on place",
                ),
            ),
        ),
        rng,
        frames,
    )


def gym_cartpole(rng: np.random.Generator, frames: int) -> Film:
    """CartPole-v1, the push changing side every 8 frames; the actions are told."""
    return shoot(
        Classic(
            "CartPole-v1",
            lambda r: np.array(
                [0.0, r.uniform(-0.3, 0.3), r.uniform(-0.1, 0.1), r.uniform(-0.3, 0.3)]
            ),
            lambda r, n: _held(r, n, 8, [0.0, 1.0]),
            ("cart.position", "cart.velocity", "pole.angle", "pole.angular_velocity"),
            Mechanism("cart with a hinged pole under told pushes", (HINGE, "action|push|force")),
        ),
        rng,
        frames,
    )


def _torque(action: float) -> np.ndarray:
    return np.array([action], np.float32)


def _place(env: Any, start: np.ndarray) -> None:
    env.state = start


def _held(rng: np.random.Generator, frames: int, hold: int, values: list[float]) -> np.ndarray:
    """(frames,) actions that take turns, each held for ``hold`` frames, the first drawn from the
    seed."""
    first = int(rng.integers(len(values)))
    return np.array([values[(t // hold + first) % len(values)] for t in range(frames)])
