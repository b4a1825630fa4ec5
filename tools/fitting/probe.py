"""Finds out whether a program may be rolled out on arrays: written elementwise, it gives the same numbers either way."""

from __future__ import annotations

import numpy as np

from tools.fitting.objective import Objective
from tools.fitting.problem import Point, Problem, stack

_AGREE = 1e-6  # relative difference of two rollouts that counts as the same program


def batched(problem: Problem, rng: np.random.Generator) -> bool:
    """Whether batch and one-by-one rollouts agree at the declared theta and a few random points of the box.

    Any exception in the batch means no: branches on values raise ValueError or TypeError there, and what a program
    raises on plain floats shows in the one-by-one rollout. Leaves ``problem.batched`` as found.
    """
    points = stack([problem.point(), *(_random_point(problem, rng) for _ in range(2))])
    alone = problem.predict(points)
    try:
        problem.batched = True
        with np.errstate(all="ignore"):
            together = problem.predict(points)
    except Exception:
        return False
    finally:
        problem.batched = False
    return all(_same(a, b, group.lengths) for a, b, group in zip(alone, together, problem.groups, strict=True))


def confirmed(objective: Objective) -> bool:
    """Whether the best point costs the same when it is rolled out one by one; leaves ``problem.batched`` as found."""
    problem, best = objective.problem, objective.best
    if best is None:
        return True
    try:
        problem.batched = False
        residuals = problem.residuals(best)
    finally:
        problem.batched = True
    alone = float(sum(part.sum() for part in objective.video_costs(residuals)))
    return alone <= objective.best_cost * (1.0 + 1e-3) + 1e-6 * problem.size


def _random_point(problem: Problem, rng: np.random.Generator) -> Point:
    point = problem.point(rng.uniform(problem.low, problem.high))
    shift = tuple(0.1 * rng.standard_normal(part.shape) * group.latent_scale for part, group in zip(point.latents, problem.groups, strict=True))
    return Point(point.theta, tuple(part + step for part, step in zip(point.latents, shift, strict=True)))


def _same(alone: np.ndarray, together: np.ndarray, lengths: np.ndarray) -> bool:
    for v, length in enumerate(lengths):
        a, b = alone[:, v, :length], together[:, v, :length]
        finite = np.isfinite(a) & np.isfinite(b)
        scale = np.abs(a[finite]).max(initial=1.0)
        if (np.abs(a - b)[finite] > _AGREE * scale).any() or (np.isfinite(a) != np.isfinite(b)).mean() > 0.05:
            return False
    return True
