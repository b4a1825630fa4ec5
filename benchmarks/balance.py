"""A controller tuned in an exported world, tried in the world it was filmed from: CartPole.

    run-agent --env gym:CartPole-v1 --seed 2 --context 30 --horizon 8 --budget 5 --out RUN
    run-agent export RUN --to gymnasium --out cartpole_world.py
    python -m benchmarks.balance cartpole_world.py

The controller is linear: push right where ``gains . (place, speed, lean, turning)`` is positive.
Its four gains are found by the cross-entropy method in the exported environment alone, many
episodes at once; then it plays gymnasium's CartPole-v1, whose observations are brought into the
picture's units by the scale of its drawing (125 pixels a metre, the middle at column 300).
"""

from __future__ import annotations

import argparse
import importlib.util
import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import gymnasium
import numpy as np

from benchmarks.environments.cartpole import SCALE

MIDDLE = 300.0
LEAN, REACH = math.radians(12.0), 2.4 * SCALE
"""Where CartPole-v1 ends an episode: 12 degrees, 2.4 metres."""
STEPS = 500
POPULATION, EPISODES, ELITE, ROUNDS = 48, 6, 8, 12


@dataclass(frozen=True)
class Columns:
    """Names of the four numbers that matter in the exported world. up: the pole's angle when it
    stands."""

    place: str
    speed: str
    angle: str
    turning: str
    up: float

    def seen(self, row: Mapping[str, Any]) -> np.ndarray:
        """(4, ...): place and speed in pixels, lean and turning in radians."""
        return np.stack(
            [
                np.asarray(row[self.place]) - MIDDLE,
                row[self.speed],
                np.asarray(row[self.angle]) - self.up,
                row[self.turning],
            ]
        )


def columns_of(world: ModuleType) -> Columns:
    """The sliding body is the one with a speed along x, the pole the one that turns."""
    names = world.Environment().columns
    cart = next(name.split(".")[0] for name in names if name.endswith(".vx"))
    pole, rate = next(
        name.split(".") for name in names if name.endswith((".spin", ".angular_velocity"))
    )
    angle = float(np.median([start[pole]["angle"] for start in world.STARTS]))
    up = min((-math.pi / 2, math.pi / 2, 0.0), key=lambda one: abs(one - angle))
    return Columns(f"{cart}.x", f"{cart}.vx", f"{pole}.angle", f"{pole}.{rate}", up)


def tuned(
    world: ModuleType, columns: Columns, rng: np.random.Generator
) -> tuple[np.ndarray, float]:
    """Gains (4,) and the share of steps that they stay up in the exported world."""

    def fallen(row: Mapping[str, Any]) -> Any:
        place, _, lean, _ = columns.seen(row)
        return (np.abs(place) > REACH) | (np.abs(lean) > LEAN)

    noise = {columns.speed: 20.0, columns.turning: 0.3}
    envs = world.VectorEnvironment(POPULATION * EPISODES, terminated=fallen, noise=noise)
    low, high = min(world.ACTIONS), max(world.ACTIONS)
    mean, spread = np.zeros(4), np.array([0.02, 0.02, 5.0, 2.0])
    for _ in range(ROUNDS):
        gains = mean + spread * rng.standard_normal((POPULATION, 4))
        gains[0] = mean
        scores = (
            _staying(envs, columns, np.repeat(gains, EPISODES, 0), (low, high), rng)
            .reshape(POPULATION, EPISODES)
            .mean(1)
        )
        best = gains[np.argsort(-scores, kind="stable")[:ELITE]]
        mean, spread = best.mean(0), best.std(0) + 1e-3 * np.abs(mean)
    scores = _staying(envs, columns, np.tile(mean, (POPULATION * EPISODES, 1)), (low, high), rng)
    return mean, float(scores.mean())


def _staying(
    envs: Any,
    columns: Columns,
    gains: np.ndarray,
    actions: tuple[float, float],
    rng: np.random.Generator,
) -> np.ndarray:
    """(N,) share of STEPS that each row of gains (N, 4) stays up, less a little for wandering
    off."""
    upright = {columns.place: MIDDLE, columns.angle: columns.up}
    observed, _ = envs.reset(seed=int(rng.integers(2**31)), options={"state": upright})
    up, total = np.ones(len(gains), bool), np.zeros(len(gains))
    for _ in range(STEPS):
        seen = columns.seen(dict(zip(envs.columns, observed.T, strict=True)))
        chosen = np.where(np.einsum("nk,kn->n", gains, seen) > 0, actions[1], actions[0])
        observed, _, ended, _, _ = envs.step(chosen)
        up &= ~ended
        total += up * (1.0 - 0.1 * np.abs(seen[0]) / REACH)
        if not up.any():
            break
    return total / STEPS


def real(gains: np.ndarray, episodes: int = 20) -> list[int]:
    """Steps that the controller keeps gymnasium's CartPole-v1 going, per episode (500 = to the
    end)."""
    env, lengths = gymnasium.make("CartPole-v1"), []
    scale = np.array([SCALE, SCALE, 1.0, 1.0])
    for seed in range(episodes):
        observation, _ = env.reset(seed=seed)
        length, over = 0, False
        while not over:
            observation, _, fallen, cut, _ = env.step(int(gains @ (scale * observation) > 0))
            length, over = length + 1, fallen or cut
        lengths.append(length)
    return lengths


def load(path: Path) -> ModuleType:
    """The exported file as a module."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None, f"{path} is a Python file"
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def main(arguments: list[str] | None = None) -> int:
    """Print gains and episode lengths; 0 when most of the real episodes last to the end."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("world", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(arguments)
    world = load(given.world)
    gains, share = tuned(world, columns_of(world), np.random.default_rng(given.seed))
    lengths = real(gains)
    whole = sum(length >= STEPS for length in lengths)
    print(
        f"gains {np.array2string(gains, precision=4)}; in the exported world: {share:.3f} of the "
        "most that can be had"
    )
    print(f"CartPole-v1: {whole} of {len(lengths)} episodes to the end; lengths {lengths}")
    return 0 if whole > len(lengths) / 2 else 1


if __name__ == "__main__":
    raise SystemExit(main())
