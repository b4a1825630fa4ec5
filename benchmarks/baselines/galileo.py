"""Galileo (Wu et al. 2015): a generic physics engine, its parameters inferred by Markov-chain Monte
Carlo from tracks.

The engine is pymunk, so nothing of the generator's own engine is used. Inferred, shared by all
videos: restitution, the power of the radius that mass grows with, linear damping, gravity along y.
First states are measured, as in the original. emcee's affine-invariant ensemble samples the
posterior; the prediction uses its mean.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pymunk

from benchmarks.baselines.measured import Balls
from benchmarks.phyworld.world import FRAMES, INTERVAL

NAMES = ("restitution", "mass_power", "damping", "gravity")
LOW, HIGH = np.array([0.0, 0.0, 0.0, -10.0]), np.array([1.0, 4.0, 1.0, 10.0])
SUBSTEPS = 10
WALKERS = 10
SCHEDULE = ((1.0, 40), (0.3, 30), (0.1, 30), (0.04, 30), (0.02, 60))
"""(standard deviation of a position in the likelihood, steps): tempered from far to twice the
measurement's own error."""
PRIOR_DRAWS = 100
"""Draws from the prior, the best of which the walkers begin at."""


def infer(videos: Sequence[Balls], seed: int) -> dict[str, float]:
    """Posterior mean of the engine's parameters given the tracks of training videos. Raises
    ImportError without emcee."""
    import emcee

    free = [0, 1, 2, 3] if len(videos[0].radius) > 1 else [2, 3]
    rng = np.random.default_rng(seed)
    draws = LOW[free] + rng.uniform(0.0, 1.0, (PRIOR_DRAWS, len(free))) * (HIGH - LOW)[free]
    walkers = draws[
        np.argsort([-_posterior(draw, SCHEDULE[0][0], free, videos) for draw in draws])[:WALKERS]
    ]
    for sigma, steps in SCHEDULE:
        moves = [(emcee.moves.DEMove(), 0.7), (emcee.moves.StretchMove(), 0.3)]
        sampler = emcee.EnsembleSampler(
            WALKERS, len(free), _posterior, args=(sigma, free, videos), moves=moves
        )
        sampler.random_state = np.random.RandomState(seed).get_state()
        sampler.run_mcmc(walkers, steps)
        chain, weight = (
            part(discard=steps // 2, flat=True)
            for part in (sampler.get_chain, sampler.get_log_prob)
        )
        best = chain[np.argsort(-weight)[: len(chain) // 3]]
        walkers = best.mean(axis=0) + (best.std(axis=0) + 1e-6) * rng.normal(
            size=(WALKERS, len(free))
        )
        walkers = np.clip(walkers, LOW[free] + 1e-9, HIGH[free] - 1e-9)
    mean = chain.mean(axis=0)
    return dict(zip(NAMES, _full(mean, free).tolist(), strict=True))


def simulate(
    parameters: dict[str, float], start: np.ndarray, radius: np.ndarray, frames: int = FRAMES
) -> np.ndarray:
    """(frames, n, 2) positions of the engine from (n, 4) first states."""
    space = pymunk.Space()
    space.gravity = (0.0, parameters["gravity"])
    space.damping = float(np.exp(-parameters["damping"]))
    space.iterations = 15
    bodies = [_ball(space, state, r, parameters) for state, r in zip(start, radius, strict=True)]
    path = np.empty((frames, len(bodies), 2))
    for frame in range(frames):
        path[frame] = [body.position for body in bodies]
        for _ in range(SUBSTEPS):
            space.step(INTERVAL / SUBSTEPS)
    return path


def _ball(
    space: pymunk.Space, state: np.ndarray, radius: float, parameters: dict[str, float]
) -> pymunk.Body:
    mass = float(radius) ** parameters["mass_power"]
    body = pymunk.Body(mass, pymunk.moment_for_circle(mass, 0.0, float(radius)))
    body.position, body.velocity = tuple(state[:2]), tuple(state[2:])
    shape = pymunk.Circle(body, float(radius))
    shape.elasticity, shape.friction = float(np.sqrt(parameters["restitution"])), 0.0
    space.add(body, shape)
    return body


def _posterior(
    values: np.ndarray, sigma: float, free: Sequence[int], videos: Sequence[Balls]
) -> float:
    """Log posterior: flat prior in the box, Gaussian error of every measured position, far misses
    bounded."""
    full = _full(values, free)
    if (full < LOW).any() or (full > HIGH).any():
        return -np.inf
    parameters = dict(zip(NAMES, full.tolist(), strict=True))
    total = 0.0
    for balls in videos:
        gaps = (
            simulate(
                parameters, balls.start(parameters["gravity"]), balls.radius, len(balls.position)
            )
            - balls.position
        )
        total -= float(np.minimum(np.square(gaps[np.isfinite(gaps)] / sigma), 1e6).sum()) / 2
    return total


def _full(values: np.ndarray, free: Sequence[int]) -> np.ndarray:
    full = np.array([1.0, 2.0, 0.0, 0.0])
    full[list(free)] = values
    return full
