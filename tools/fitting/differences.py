"""Derivatives of residuals: finite differences that videos share, and secant updates between them.

Latents of different videos do not interact, so perturbing latent j of every video is one
evaluation.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tools.fitting.apart import learn, slopes_together
from tools.fitting.objective import Objective
from tools.fitting.problem import Point, Problem, Residuals

_STEP = 1e-6  # relative to the scale of a coordinate
_CENTRAL_STEP = 1e-5


@dataclass(frozen=True)
class Linearised:
    """Residuals and their derivatives at one point. values: per group (V, N); theta: (V, N, p);
    latents: (V, N, q); prior: (p,) residuals of the priors."""

    values: tuple[np.ndarray, ...]
    theta: tuple[np.ndarray, ...]
    latents: tuple[np.ndarray, ...]
    prior: np.ndarray


def linearise(
    objective: Objective, point: Point, residuals: Residuals | None = None, central: bool = False
) -> Linearised:
    """Finite differences at one point: forward (inwards at a bound), or central and wider, for
    error bars.

    Where a rollout is not finite the step goes the other way; where that is not finite either, the
    slope is 0.
    """
    problem = objective.problem
    residuals = objective.evaluate(point)[0] if residuals is None else residuals
    steps = _steps(problem, point, _CENTRAL_STEP if central else _STEP)
    slopes = _differences(objective, point, residuals, steps)
    if central:
        for one, other in zip(
            slopes, _differences(objective, point, residuals, -steps), strict=True
        ):
            one += other
            one /= 2.0
    p, parts = len(problem.free), [np.moveaxis(one, 0, -1) for one in slopes]
    return Linearised(
        tuple(part[0] for part in residuals.values),
        tuple(part[..., :p] for part in parts),
        tuple(part[..., p:] for part in parts),
        problem.prior(point.theta)[0],
    )


def without_latents(slopes: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """(..., V, N, p): what is left of columns of residuals when each video's latents, with
    ``slopes`` (V, N, q), make up for what they can."""
    return (
        columns - slopes @ (np.linalg.pinv(slopes, rcond=1e-10) @ columns)
        if slopes.shape[-1]
        else columns
    )


def secant(
    problem: Problem, line: Linearised, before: Point, after: Point, residuals: Residuals
) -> Linearised:
    """``line`` moved to ``after`` without further rollouts: the least change that explains the
    residuals found there.

    Every video gets its own rank-one update, coordinates in units of their scales. Source: Broyden
    (1965).
    """
    move = after.theta[0] - before.theta[0]
    theta, latents = [], []
    for group, r, new, jt, jl, a, b in zip(
        problem.groups,
        line.values,
        residuals.values,
        line.theta,
        line.latents,
        before.latents,
        after.latents,
        strict=True,
    ):
        shift = (b - a)[0]
        weighted, moved = move / problem.theta_scale**2, shift / group.latent_scale**2
        length = move @ weighted + (shift * moved).sum(1)
        surprise = (new[0] - r - jt @ move - np.einsum("vnq,vq->vn", jl, shift)) / np.maximum(
            length, 1e-300
        )[:, None]
        theta.append(jt + surprise[..., None] * weighted)
        latents.append(jl + surprise[..., None] * moved[:, None, :])
    return Linearised(
        tuple(part[0] for part in residuals.values),
        tuple(theta),
        tuple(latents),
        problem.prior(after.theta)[0],
    )


def _differences(
    objective: Objective, point: Point, at: Residuals, steps: np.ndarray
) -> list[np.ndarray]:
    """Per group (p + q, V, N): slopes of the residuals by theta, then by latents; a step that is
    not finite goes the other way, and has slope 0 where that is not finite either."""
    problem = objective.problem
    steps = _inwards(problem, point, steps)
    slopes, bad = _slopes(objective, point, at, steps)
    if bad.any():
        steps = _inwards(problem, point, np.where(bad > 0, -steps, steps))
        del slopes
        slopes, _ = _slopes(objective, point, at, steps)
    return slopes


def _slopes(
    objective: Objective, point: Point, at: Residuals, steps: np.ndarray
) -> tuple[list[np.ndarray], np.ndarray]:
    """As ``_differences``, for these steps; and for each step how many values are not finite."""
    p, groups = len(objective.problem.free), objective.problem.groups
    counts = [p + group.latent_scale.shape[1] for group in groups]
    slopes = [
        np.empty((count, *here.shape[1:])) for count, here in zip(counts, at.values, strict=True)
    ]
    bad = np.zeros(len(steps), int)
    together = _together(objective, point, at, steps[p:])
    tried = steps if together is None else steps[:p]
    for part, there, _ in objective.passes(_perturbed(objective.problem, point, tried)):
        bad[part] = there.bad_total
        taken = np.where(bad[part] > 0, np.inf, steps[part])
        for out, here, values in zip(slopes, at.values, there.values, strict=True):
            few = max(min(part.stop, len(out)) - part.start, 0)
            out[part] = (values[:few] - here) / taken[:few, None, None]
    if together is not None:
        for out, found in zip(slopes, together, strict=True):
            out[p:] = np.moveaxis(found[0], -1, 0)
        return slopes, bad
    for out, group in zip(slopes, groups, strict=True):
        out[p:] /= group.latent_scale.T[:, :, None]
    learn(objective.problem, tuple(np.moveaxis(out[p:], 0, -1)[None] for out in slopes))
    return slopes, bad


def _together(
    objective: Objective, point: Point, at: Residuals, steps: np.ndarray
) -> tuple[np.ndarray, ...] | None:
    """Slopes by latents that are moved together (see tools.fitting.apart), where the steps are one;
    None where each needs a rollout of its own."""
    if not len(steps) or np.ptp(steps) > 0:
        return None
    return slopes_together(objective, point, at, float(steps[0]))


def _steps(problem: Problem, point: Point, step: float) -> np.ndarray:
    """(p + most latents of a group,) steps of theta; for latents, in units of their own scale."""
    size = step * np.maximum(np.abs(point.theta[0]), problem.theta_scale)
    most = max((group.latent_scale.shape[1] for group in problem.groups), default=0)
    return np.concatenate([size, np.full(most, step)])


def _inwards(problem: Problem, point: Point, steps: np.ndarray) -> np.ndarray:
    """The steps, reversed where theta would leave its bounds."""
    theta, p = point.theta[0], len(problem.free)
    outside = (theta + steps[:p] > problem.high) | (theta + steps[:p] < problem.low)
    return np.concatenate([np.where(outside, -steps[:p], steps[:p]), steps[p:]])


def _perturbed(problem: Problem, point: Point, steps: np.ndarray) -> Point:
    """One point per coordinate: theta j shifted for all videos, then latent j shifted in every
    video at once."""
    p = len(problem.free)
    many = point.repeat(len(steps))
    many.theta[np.arange(p), np.arange(p)] += steps[:p]
    for group, latents in zip(problem.groups, many.latents, strict=True):
        for j in range(min(group.latent_scale.shape[1], len(steps) - p)):
            latents[p + j, :, j] += steps[p + j] * group.latent_scale[:, j]
    return many
