"""Latents that touch different measurements, moved together: bodies that do not meet have start
states of which each tells in its own columns only, so that a few rollouts say what one for each
would (Curtis, Powell and Reid 1974, doi:10.1093/imamat/13.1.117).

Which latents touch which columns is seen in slopes that were found one by one. It may change where
bodies meet after all; so what a common move of all latents does is foretold from the slopes, and
compared with a rollout.
"""

from __future__ import annotations

import numpy as np

from tools.fitting.objective import Objective
from tools.fitting.problem import Point, Problem, Residuals

FEWEST = 24
"""Latents of a group from which moving them together is worth a rollout that checks it."""
_WORTH = 0.4
"""Share of the rollouts that may be left over at most."""
_AGREES = 1e-3
"""Share of a foretold change by which it may be missed: slopes are those of a finite step."""
_ROUNDED = 1e-11
"""The same as a share of the residuals, which are rounded."""


def learn(problem: Problem, slopes: tuple[np.ndarray, ...]) -> None:
    """Note which columns latents touch, from slopes per group (K, V, N, q) found one by one."""
    for g, (group, found) in enumerate(zip(problem.groups, slopes, strict=True)):
        if found.shape[-1] >= FEWEST and found.size:
            columns = group.target.shape[-1]
            touched = (found != 0).any((0, 1)).reshape(-1, columns, found.shape[-1]).any(0)
            problem.touched[g] = touched | problem.touched.get(g, False)


def slopes_together(
    objective: Objective, points: Point, residuals: Residuals, step: float
) -> tuple[np.ndarray, ...] | None:
    """Per group (K, V, N, q): forward differences of residuals by latents, a ``step`` of their
    scales; None where they have to be found one by one. They count as the evaluations that they
    stand for, so that a budget leads as far."""
    problem = objective.problem
    sets = _sets(problem)
    if sets is None:
        return None
    trials = [_shifted(problem, points, moved, step) for moved in sets]
    signs = [_signs(group.latent_scale.shape[1]) for group in problem.groups]
    trials.append(_shifted(problem, points, signs, step))
    *seen, checked = objective.each(trials)
    if any(one.bad_total.any() for one in (*seen, checked)):
        return None
    out = tuple(
        _spread(g, problem, residuals, seen, [moved[g] for moved in sets], step)
        for g in range(len(problem.groups))
    )
    for found, here, there, group, sign in zip(
        out, residuals.values, checked.values, problem.groups, signs, strict=True
    ):
        foretold = np.einsum("kvnj,vj->kvn", found, step * group.latent_scale * sign)
        missed = np.abs(there - here - foretold)
        if (missed > _AGREES * np.abs(foretold).max(-1, initial=0.0, keepdims=True)
                + _ROUNDED * (1.0 + np.abs(here))).any():  # fmt: skip
            return None
    spared = max(group.latent_scale.shape[1] for group in problem.groups) - len(trials)
    objective.meter.count(problem.share * len(points) * spared, 0.0)
    return out


def _sets(problem: Problem) -> list[list[np.ndarray]] | None:
    """Per set and group (q,), which latents are moved at once: no two touch one column. None where
    that is not known, or saves little."""
    known = [problem.touched.get(g) for g in range(len(problem.groups))]
    counts = [group.latent_scale.shape[1] for group in problem.groups]
    if not known or any(touched is None for touched in known):
        return None
    coloured = [_coloured(touched) for touched in known if touched is not None]
    most = max(int(colours.max()) + 1 for colours in coloured)
    if most + 1 > _WORTH * max(counts):
        return None
    return [[(colours == k).astype(float) for colours in coloured] for k in range(most)]


def _coloured(touched: np.ndarray) -> np.ndarray:
    """(q,) number of the set of each latent, of touched (columns, q): the first in which none
    touches its columns."""
    unions: list[np.ndarray] = []
    colours = np.zeros(touched.shape[1], int)
    for j, own in enumerate(touched.T):
        free = (k for k, union in enumerate(unions) if not (union & own).any())
        colours[j] = k = next(free, len(unions))
        if k == len(unions):
            unions.append(own.copy())
        unions[k] |= own
    return colours


def _signs(count: int) -> np.ndarray:
    return np.random.default_rng(0).choice([-1.0, 1.0], count)


def _shifted(problem: Problem, points: Point, moved: list[np.ndarray], step: float) -> Point:
    """The points with latents moved by ``step`` scales times ``moved`` (q,), per group."""
    latents = [
        part + step * group.latent_scale * by
        for part, group, by in zip(points.latents, problem.groups, moved, strict=True)
    ]
    return Point(points.theta, tuple(latents))


def _spread(
    g: int,
    problem: Problem,
    residuals: Residuals,
    seen: list[Residuals],
    sets: list[np.ndarray],
    step: float,
) -> np.ndarray:
    """(K, V, N, q) slopes of a group: each column's change belongs to the one latent that was moved
    and touches it."""
    group, here, touched = problem.groups[g], residuals.values[g], problem.touched[g]
    out = np.zeros((*here.shape, touched.shape[1]))
    rows = np.tile(touched, (here.shape[2] // touched.shape[0], 1))
    for there, moved in zip(seen, sets, strict=True):
        gap = there.values[g] - here
        for j in np.flatnonzero(moved):
            own = rows[:, j]
            out[:, :, own, j] = gap[:, :, own] / (step * group.latent_scale[:, j])[:, None]
    return out
