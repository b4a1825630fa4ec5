"""Latents refitted video by video with theta held: the inner half of a separable problem, for many
points at once.

Every (point, video) pair is a small least-squares problem of its own, so all of them take their
damped Gauss-Newton steps in the same batch, each with its own damping and its own acceptance.
"""

from __future__ import annotations

import numpy as np

from tools.fitting.apart import learn, slopes_together
from tools.fitting.blocks import blocks
from tools.fitting.objective import Objective
from tools.fitting.problem import Point, Residuals, stack

_TOLERANCE = 1e-6  # relative gain of a video that keeps the iteration going
_STEP = 1e-6  # finite-difference step, in units of the latent's scale


def project(objective: Objective, points: Point, iterations: int = 4) -> Point:
    """The points with latents improved (never worse) at their own theta; raises BudgetSpent."""
    if not any(part.size for part in points.latents):
        return points
    residuals, _ = objective.evaluate(points)
    costs = objective.video_costs(residuals)
    dampings = tuple(np.full(part.shape, 1e-3) for part in costs)
    for _ in range(iterations):
        trial = _all_stepped(objective, points, residuals, dampings)
        found, _ = objective.evaluate(trial)
        found_costs = objective.video_costs(found)
        better = [new < old for new, old in zip(found_costs, costs, strict=True)]
        gains = [
            np.where(won, old - new, 0.0) > _TOLERANCE * old
            for won, new, old in zip(better, found_costs, costs, strict=True)
        ]
        dampings = tuple(
            np.where(won, 0.1, 10.0) * d for won, d in zip(better, dampings, strict=True)
        )
        points, residuals = _merge(points, residuals, trial, found, better)
        costs = objective.video_costs(residuals)
        if not any(gain.any() for gain in gains):
            break
    return points


def pick_by_video(objective: Objective, points: Point) -> Point:
    """One point out of several with the same theta: each video takes the latents that suit it
    best."""
    latents = []
    for part, costs in zip(points.latents, objective.costs_by_video(points), strict=True):
        best = np.argmin(costs, 0)
        latents.append(part[best, np.arange(part.shape[1])][None])
    return Point(points.theta[:1], tuple(latents))


def slopes(objective: Objective, points: Point, residuals: Residuals) -> tuple[np.ndarray, ...]:
    """Per group (K, V, N, q): forward differences of residuals with respect to latents."""
    together = slopes_together(objective, points, residuals, _STEP)
    if together is not None:
        return together
    count = max(group.latent_scale.shape[1] for group in objective.problem.groups)
    out = [
        np.zeros((*values.shape, group.latent_scale.shape[1]))
        for values, group in zip(residuals.values, objective.problem.groups, strict=True)
    ]
    trials = [_shifted(objective, points, j) for j in range(count)]
    for j, shifted in enumerate(objective.each(trials)):
        for g, group in enumerate(objective.problem.groups):
            if j < group.latent_scale.shape[1]:
                gap = (shifted.values[g] - residuals.values[g]) / (
                    _STEP * group.latent_scale[:, j]
                )[:, None]
                out[g][..., j] = np.where(shifted.bad[g][..., None] > 0, 0.0, gap)
    learn(objective.problem, tuple(out))
    return tuple(out)


def _shifted(objective: Objective, points: Point, j: int) -> Point:
    latents = [part.copy() for part in points.latents]
    for part, group in zip(latents, objective.problem.groups, strict=True):
        if j < group.latent_scale.shape[1]:
            part[:, :, j] += _STEP * group.latent_scale[:, j]
    return Point(points.theta, tuple(latents))


def _all_stepped(
    objective: Objective, points: Point, residuals: Residuals, dampings: tuple[np.ndarray, ...]
) -> Point:
    """Every point's next step, a block of the points at a time."""
    size = sum(
        values[0].size * latents.shape[2]
        for values, latents in zip(residuals.values, points.latents, strict=True)
    )
    return stack(
        [
            _stepped(objective, points[part], residuals[part], tuple(d[part] for d in dampings))
            for part in blocks(len(points), size)
        ]
    )


def _stepped(
    objective: Objective, points: Point, residuals: Residuals, dampings: tuple[np.ndarray, ...]
) -> Point:
    latents = []
    for part, r, jac, damping in zip(
        points.latents,
        residuals.values,
        slopes(objective, points, residuals),
        dampings,
        strict=True,
    ):
        weighted = objective.loss.weights(r)[..., None] * jac
        normal, gradient = (
            np.swapaxes(jac, 2, 3) @ weighted,
            np.einsum("kvni,kvn->kvi", weighted, r),
        )
        diagonal = np.einsum("kvii->kvi", normal)
        extra = np.where(diagonal > 0, damping[..., None] * diagonal, 1.0) + 1e-14 * diagonal.max(
            -1, initial=0.0, keepdims=True
        )
        step = np.linalg.solve(
            normal + extra[..., None] * np.eye(normal.shape[-1]), gradient[..., None]
        )[..., 0]
        latents.append(part - step)
    return Point(points.theta, tuple(latents))


def _merge(
    points: Point, residuals: Residuals, trial: Point, found: Residuals, better: list[np.ndarray]
) -> tuple[Point, Residuals]:
    def choose(new, old):
        return tuple(
            np.where(won.reshape(won.shape + (1,) * (b.ndim - 2)), a, b)
            for won, a, b in zip(better, new, old, strict=True)
        )

    merged = Residuals(choose(found.values, residuals.values), choose(found.bad, residuals.bad))
    return Point(points.theta, choose(trial.latents, points.latents)), merged
