"""Finds out whether a program may be rolled out on arrays: written elementwise, it gives the same
numbers either way."""

from __future__ import annotations

import numpy as np

from tools.fitting.objective import Objective
from tools.fitting.problem import Point, Problem, stack

_AGREE = 1e-6  # relative difference of two rollouts that counts as the same program
# share of values that may be finite in one and not in the other (overflow comes a frame earlier or
# later)
_APART = 0.05
_VIDEOS = 3  # of each group, rolled out both ways
_SHIFT = 0.1  # of the scale of a latent: how far random points lie from the program's own start


def batched(problem: Problem, rng: np.random.Generator) -> bool:
    """Whether batch and one-by-one rollouts agree on a few videos, at the declared theta and random
    points of the box.

    Any exception in the batch means no: branches on values raise ValueError or TypeError there, and
    what a program raises on plain floats shows in the one-by-one rollout.
    """
    few = problem.only(_VIDEOS)
    points = stack([few.point(), *(_random_point(few, rng) for _ in range(2))])
    few.batched = False
    alone = few.predict(points)
    few.batched = True
    try:
        together = few.predict(points)
    except Exception:
        return False
    return all(
        _same(a, b, group.lengths) for a, b, group in zip(alone, together, few.groups, strict=True)
    )


def confirmed(objective: Objective) -> bool:
    """Whether the best point costs a few videos the same when they are rolled out one by one."""
    best = objective.best
    if best is None:
        return True
    few = objective.problem.only(_VIDEOS)
    point = Point(best.theta, tuple(part[:, :_VIDEOS] for part in best.latents))
    together = Objective(few, objective.loss, objective.meter).video_costs(few.residuals(point))
    few.batched = False
    alone = Objective(few, objective.loss, objective.meter).video_costs(few.residuals(point))
    return all(
        np.allclose(a, b, rtol=1e-3, atol=1e-6 * few.size)
        for a, b in zip(alone, together, strict=True)
    )


def _random_point(problem: Problem, rng: np.random.Generator) -> Point:
    point = problem.point(rng.uniform(problem.low, problem.high))
    parts = zip(point.latents, problem.groups, strict=True)
    return Point(
        point.theta,
        tuple(
            part + _SHIFT * group.latent_scale * rng.standard_normal(part.shape)
            for part, group in parts
        ),
    )


def _same(alone: np.ndarray, together: np.ndarray, lengths: np.ndarray) -> bool:
    for v, length in enumerate(lengths):
        a, b = alone[:, v, :length], together[:, v, :length]
        finite = np.isfinite(a) & np.isfinite(b)
        scale = np.abs(a[finite]).max(initial=1.0)
        if (np.abs(a - b)[finite] > _AGREE * scale).any() or (
            np.isfinite(a) != np.isfinite(b)
        ).mean() > _APART:
            return False
    return True
