"""CartPole under the paper's protocol: a constant push to the left, the pole turning clockwise, 10
frames seen, 10 predicted.

The videos are gymnasium's own CartPole-v1 frames, 600 x 400, 0.02 s apart. The cart starts in the
middle. Drawn from the seed, uniformly: cart velocity in [-0.5, 0.5] m/s, pole angle in [0, 0.1]
rad, angular velocity in [0, 0.5] rad/s, clockwise. The paper does not state its ranges; these make
repeating the last seen frame cost about 21.7 dB and 0.0097. The film goes on when gymnasium would
call the episode over. Nothing is trained (zero-shot) and the push is not told.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.environments.clips import Clips, Request
from benchmarks.recorder import Recording, opened, record
from tools.types import States, Video

TAU = 0.02
SCALE = 125.0
"""Pixels per metre in gymnasium's drawing (600 px for 4.8 m)."""
PIVOT_Y = 291.5
"""Image row of the hinge."""
COLUMNS = ("cart.x", "cart.vx", "pole.angle", "pole.angular_velocity")


@dataclass(frozen=True)
class Physics:
    """What gymnasium's simulator knows. push: newton, negative to the left. length: half the pole,
    metres. Masses in kg, gravity in m/s^2."""

    push: float = -10.0
    length: float = 0.5
    mass_pole: float = 0.1
    mass_cart: float = 1.0
    gravity: float = 9.8


def draw_start(seed: int) -> np.ndarray:
    """(4,) float64: cart position, cart velocity, pole angle, angular velocity (metres, radians,
    seconds; clockwise > 0)."""
    rng = np.random.default_rng([seed, 0xCA27])
    return np.array([0.0, rng.uniform(-0.5, 0.5), rng.uniform(0.0, 0.1), rng.uniform(0.0, 0.5)])


def film(start: np.ndarray, frames: int, physics: Physics = Physics()) -> Recording:
    """Gymnasium's own simulation and drawing of ``frames`` frames from a (4,) state, under any
    physics."""
    with opened("CartPole-v1") as env:
        return record(env, [0] * frames, seed=0, place=lambda env: _place(env, start, physics))


def to_pixels(states: np.ndarray) -> States:
    """(T, 4) states of the simulator -> the columns COLUMNS in pixels and seconds of the image."""
    scale = np.array([SCALE, SCALE, 1.0, 1.0])
    return States(COLUMNS, states * scale + np.array([300.0, 0.0, 0.0, 0.0]))


def make(request: Request) -> Clips:
    """One episode, or ``options.test`` of them; ``options.train`` adds episodes seen whole (none by
    default)."""
    request.refuse("data", "level")
    context, horizon = request.lengths(10, 10)
    trains, tests = request.options.train or 0, request.options.test or 1
    seeds = [request.seed] + [
        int(s)
        for s in np.random.default_rng([request.seed, 1]).integers(0, 2**62, trains + tests - 1)
    ]
    films = [film(draw_start(seed), context + horizon) for seed in seeds]
    videos = tuple(
        Video(item.frames, TAU, name=f"cartpole {seed}")
        for item, seed in zip(films, seeds, strict=True)
    )
    return Clips(videos[:tests], context, horizon, videos[tests:], _truth(films[:tests]))


def _place(env: Any, start: np.ndarray, physics: Physics) -> None:
    env.state = np.array(start, np.float64)
    env.steps_beyond_terminated = 1
    env.force_mag = -physics.push
    env.gravity, env.length = physics.gravity, physics.length
    env.masspole, env.masscart = physics.mass_pole, physics.mass_cart
    env.total_mass = env.masspole + env.masscart
    env.polemass_length = env.masspole * env.length


def _truth(films: list[Recording]) -> dict[str, Any]:
    physics = Physics()
    parameters = {
        "push": physics.push,
        "length": physics.length,
        "gravity": physics.gravity,
        "mass_ratio": physics.mass_pole / physics.mass_cart,
    }
    return {
        "mechanism": "cart with a hinged pole under a constant force",
        "parameters": parameters,
        "states": tuple(to_pixels(item.states) for item in films),
        "simulator_states": tuple(item.states for item in films),
    }
