"""New latents for single videos: a contact at the wrong time is a local minimum of its own video
alone."""

from __future__ import annotations

import numpy as np

from tools.fitting import least_squares
from tools.fitting.objective import Objective
from tools.fitting.outliers import EXPLAINED
from tools.fitting.problem import Point
from tools.fitting.projection import pick_by_video, project

_VARIANTS = 12  # sets of latents tried for every video
_SPREAD = (0.02, 0.1, 0.4)  # of the scale of a latent; variants take them in turn


def promises(objective: Objective) -> bool:
    """Whether some videos are explained at the best point and others are not, so that their latents
    may be at fault."""
    problem, best = objective.problem, objective.best
    if best is None or not any(part.size for part in best.latents):
        return False
    ratios = [
        2.0 * costs[0] / np.maximum((group.weight > 0).sum((1, 2)), 1)
        for group, costs in zip(
            problem.groups, objective.video_costs(problem.residuals(best)), strict=True
        )
    ]
    worst = np.concatenate(ratios) > EXPLAINED
    return bool(worst.any() and not worst.all())


def descend(objective: Objective, point: Point, rng: np.random.Generator) -> Point:
    """Refit every video's latents from several sets with theta held, keep each video's best, then
    fit everything."""
    own = objective.problem.point(point.theta[0])
    variants = [point.latents, own.latents]
    variants += [
        _moved(objective, own, _SPREAD[index % len(_SPREAD)], rng) for index in range(_VARIANTS - 2)
    ]
    many = Point(
        np.repeat(point.theta, len(variants), 0),
        tuple(np.concatenate(parts) for parts in zip(*variants, strict=True)),
    )
    return least_squares.descend(objective, pick_by_video(objective, project(objective, many, 6)))


def _moved(
    objective: Objective, point: Point, spread: float, rng: np.random.Generator
) -> tuple[np.ndarray, ...]:
    return tuple(
        part + spread * group.latent_scale * rng.standard_normal(part.shape)
        for part, group in zip(point.latents, objective.problem.groups, strict=True)
    )
