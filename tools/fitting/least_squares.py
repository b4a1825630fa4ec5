"""Bounded Levenberg-Marquardt that eliminates the latents of each video.

Latents of different videos do not interact, so the normal equations are an arrow: one small block per video beside the
block of theta. Eliminating the blocks (Schur complement) leaves a system of the size of theta, and the cost of a step
grows linearly with the number of videos. Finite differences of all videos share their rollouts: perturbing latent j of
every video is one evaluation. Several damping factors are tried in one batch where the program rolls out in batches.

Source: Marquardt (1963), scaled damping; Golub and Pereyra (1973) on separable problems; Triggs et al. (2000) section 6
on the elimination; robust losses by iteratively reweighted residuals.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tools.fitting.objective import Objective
from tools.fitting.problem import Point, Problem, Residuals, stack
from tools.fitting.robust import weights

STEP = 1e-6
"""Finite-difference step, relative to the scale of a coordinate."""

_TOLERANCE = 1e-7  # relative decrease of the cost that ends the iteration
_EXACT = 1e-12  # cost per residual below which nothing is left to explain
_DAMPINGS = (0.01, 1.0, 100.0)  # tried side by side in a batch, around the damping that worked last
_MAX_DAMPING = 1e12


@dataclass(frozen=True)
class Linearised:
    """Residuals and their derivatives at one point. values: per group (V, N); theta: (V, N, p); latents: (V, N, q);
    prior: (p,)."""

    values: tuple[np.ndarray, ...]
    theta: tuple[np.ndarray, ...]
    latents: tuple[np.ndarray, ...]
    prior: np.ndarray


@dataclass(frozen=True)
class Arrow:
    """Normal equations. a: per group (V, q, q); b: (V, q, p); g: (V, q); h: (p, p); gradient: (p,)."""

    a: tuple[np.ndarray, ...]
    b: tuple[np.ndarray, ...]
    g: tuple[np.ndarray, ...]
    h: np.ndarray
    gradient: np.ndarray


def solve(objective: Objective, start: Point, rng: np.random.Generator | None = None, iterations: int = 60) -> Point:
    """The local minimum that ``start`` leads to (the start itself when it is not finite); raises BudgetSpent."""
    problem, point, damping = objective.problem, start, 1e-3
    residuals, (cost,) = objective.evaluate(point)
    if residuals.bad[0]:
        return point
    for _ in range(iterations):
        arrow = normal_equations(objective, linearise(objective, point, residuals))
        trial, before = None, cost
        while trial is None and damping < _MAX_DAMPING:
            trial, damping = _try(objective, point, arrow, cost, damping)
        if trial is None:
            return point
        point, residuals, cost = trial
        if before - cost <= _TOLERANCE * before or cost <= _EXACT * problem.size:
            return point
    return point


def linearise(objective: Objective, point: Point, residuals: Residuals | None = None, step: float = STEP) -> Linearised:
    """Forward differences at one point (inwards at an upper bound; the other way where a rollout is not finite)."""
    problem = objective.problem
    residuals = objective.evaluate(point)[0] if residuals is None else residuals
    steps = _steps(problem, point, step)
    shifted, _ = objective.evaluate(_perturbed(problem, point, steps))
    if shifted.bad.any():
        steps = np.where(shifted.bad > 0, -steps, steps)
        shifted, _ = objective.evaluate(_perturbed(problem, point, steps))
    steps = np.where(shifted.bad > 0, np.inf, steps)
    return _differences(problem, point, residuals, shifted, steps)


def normal_equations(objective: Objective, line: Linearised) -> Arrow:
    """The arrow of the tangent quadratic, residuals reweighted by the loss."""
    problem, loss = objective.problem, objective.loss
    p = len(problem.free)
    h, gradient = np.diag(problem.prior_weight**2), problem.prior_weight * line.prior
    a, b, g = [], [], []
    for r, jt, jl in zip(line.values, line.theta, line.latents, strict=True):
        w = weights(r, loss)[..., None]
        a.append(np.swapaxes(jl, 1, 2) @ (w * jl))
        b.append(np.swapaxes(jl, 1, 2) @ (w * jt))
        g.append((np.swapaxes(jl, 1, 2) @ (w[..., 0] * r)[..., None])[..., 0])
        flat, weighted = jt.reshape(r.size, p), (w * jt).reshape(r.size, p)
        h, gradient = h + flat.T @ weighted, gradient + weighted.T @ r.ravel()
    return Arrow(tuple(a), tuple(b), tuple(g), h, gradient)


def _try(objective: Objective, point: Point, arrow: Arrow, cost: float, damping: float):
    """The best of a few damped steps, as (point, residuals, cost) or None, and the damping to go on with."""
    factors = [damping * factor for factor in _DAMPINGS] if objective.problem.batched else [damping]
    trials = stack([_stepped(objective.problem, point, arrow, factor) for factor in factors])
    residuals, costs = objective.evaluate(trials)
    best = int(np.argmin(costs))
    if not costs[best] < cost:
        return None, factors[-1] * (100.0 if len(factors) > 1 else 10.0)
    picked = Residuals(tuple(part[best : best + 1] for part in residuals.values), residuals.bad[best : best + 1])
    return (trials[best], picked, costs[best]), max(factors[best] * (1.0 if len(factors) > 1 else 0.1), 1e-12)


def _stepped(problem: Problem, point: Point, arrow: Arrow, damping: float) -> Point:
    """One damped step; parameters that a bound holds back stay, the others are solved for without them."""
    held = _held(problem, point.theta[0], arrow.gradient)
    for _ in range(len(held) + 1):
        theta, latents = _solve(arrow, damping, held)
        wanted = point.theta[0] + theta
        over = ~held & ((wanted < problem.low) & (point.theta[0] <= problem.low) | (wanted > problem.high) & (point.theta[0] >= problem.high))
        if not over.any():
            break
        held |= over
    clipped = np.clip(point.theta + theta, problem.low, problem.high)
    return Point(clipped, tuple(part + step for part, step in zip(point.latents, latents, strict=True)))


def _held(problem: Problem, theta: np.ndarray, gradient: np.ndarray) -> np.ndarray:
    """(p,) parameters at a bound that descent would push through it."""
    return (theta <= problem.low) & (gradient > 0) | (theta >= problem.high) & (gradient < 0)


def _solve(arrow: Arrow, damping: float, held: np.ndarray) -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
    """Steps of theta (p,) and latents (per group (V, q)) of the damped arrow, ``held`` parameters fixed."""
    free = np.flatnonzero(~held)
    schur, rhs = _damped(arrow.h, damping)[np.ix_(free, free)], -arrow.gradient[free]
    parts = []
    for a, b, g in zip(arrow.a, arrow.b, arrow.g, strict=True):
        solved = np.linalg.solve(_damped(a, damping), np.concatenate([b[:, :, free], g[..., None]], 2)) if a.size else np.zeros((*g.shape, len(free) + 1))
        schur = schur - np.einsum("vqi,vqj->ij", b[:, :, free], solved[..., :-1])
        rhs = rhs + np.einsum("vqi,vq->i", b[:, :, free], solved[..., -1])
        parts.append(solved)
    theta = np.zeros(len(held))
    theta[free] = np.linalg.lstsq(schur, rhs, rcond=1e-14)[0] if len(free) else 0.0
    return theta, tuple(-(part[..., -1] + part[..., :-1] @ theta[free]) for part in parts)


def _damped(matrix: np.ndarray, damping: float) -> np.ndarray:
    """matrix + damping * its diagonal, never singular: a row without information gets a unit diagonal."""
    diagonal = np.einsum("...ii->...i", matrix)
    tiny = 1e-14 * diagonal.max(-1, initial=0.0, keepdims=True)
    extra = np.where(diagonal > tiny, damping * diagonal, 1.0) + tiny
    return matrix + extra[..., None] * np.eye(matrix.shape[-1])


def _steps(problem: Problem, point: Point, step: float) -> np.ndarray:
    """(p + most latents of a group,) signed steps of theta; for latents the sign and factor of their own scale."""
    theta = point.theta[0]
    size = step * np.maximum(np.abs(theta), problem.theta_scale)
    signed = np.where(theta + size > problem.high, -size, size)
    return np.concatenate([signed, np.full(_most_latents(problem), step)])


def _most_latents(problem: Problem) -> int:
    return max((group.latent_scale.shape[1] for group in problem.groups), default=0)


def _perturbed(problem: Problem, point: Point, steps: np.ndarray) -> Point:
    """One point per coordinate: theta j shifted for all videos, then latent j shifted in every video at once."""
    p = len(problem.free)
    many = point.repeat(len(steps))
    many.theta[np.arange(p), np.arange(p)] += steps[:p]
    for group, latents in zip(problem.groups, many.latents, strict=True):
        for j in range(group.latent_scale.shape[1]):
            latents[p + j, :, j] += steps[p + j] * group.latent_scale[:, j]
    return many


def _differences(problem: Problem, point: Point, at: Residuals, shifted: Residuals, steps: np.ndarray) -> Linearised:
    p, theta, latents = len(problem.free), [], []
    for group, here, there in zip(problem.groups, at.values, shifted.values, strict=True):
        slopes = np.moveaxis((there - here) / steps[:, None, None], 0, -1)
        theta.append(slopes[..., :p])
        latents.append(slopes[..., p : p + group.latent_scale.shape[1]] / group.latent_scale[:, None, :])
    values = tuple(part[0] for part in at.values)
    return Linearised(values, tuple(theta), tuple(latents), problem.prior(point.theta)[0])
