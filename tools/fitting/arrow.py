"""Normal equations of a fit: one block per video beside the block of theta, an arrow, solved by
elimination.

Eliminating the blocks of the videos (Schur complement) leaves a system of the size of theta, so a
step costs time in proportion to the number of videos. Source: Golub and Pereyra (1973) on separable
problems; Triggs et al. (2000), section 6, on elimination.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tools.fitting.blocks import blocks
from tools.fitting.differences import Linearised
from tools.fitting.problem import Point, Problem
from tools.fitting.robust import Loss


@dataclass(frozen=True)
class Arrow:
    """Gauss-Newton matrix and gradient. a: per group (V, q, q); b: (V, q, p); g: (V, q); h: (p, p);
    gradient: (p,)."""

    a: tuple[np.ndarray, ...]
    b: tuple[np.ndarray, ...]
    g: tuple[np.ndarray, ...]
    h: np.ndarray
    gradient: np.ndarray


@dataclass(frozen=True)
class Step:
    """A move of theta (p,) and latents (per group (V, q)). promise: the decrease of the cost that
    the tangent quadratic foretells."""

    theta: np.ndarray
    latents: tuple[np.ndarray, ...]
    promise: float

    def scaled(self, factor: float) -> Step:
        """The move times ``factor`` (its promise is no longer known)."""
        return Step(factor * self.theta, tuple(factor * move for move in self.latents), 0.0)

    def plus(self, other: Step) -> Step:
        """Both moves together."""
        return Step(
            self.theta + other.theta,
            tuple(a + b for a, b in zip(self.latents, other.latents, strict=True)),
            0.0,
        )

    def applied(self, problem: Problem, point: Point) -> Point:
        """The point moved, theta inside its bounds."""
        theta = np.clip(point.theta + self.theta, problem.low, problem.high)
        return Point(
            theta,
            tuple(part + move for part, move in zip(point.latents, self.latents, strict=True)),
        )


def normal_equations(problem: Problem, line: Linearised, loss: Loss) -> Arrow:
    """The arrow of the tangent quadratic, residuals reweighted by the loss."""
    p = len(problem.free)
    h, gradient = np.diag(problem.prior_weight**2), problem.prior_weight * line.prior
    a: list[np.ndarray] = []
    b: list[np.ndarray] = []
    g: list[np.ndarray] = []
    for values, theta, latents in zip(line.values, line.theta, line.latents, strict=True):
        parts = []
        for part in blocks(len(values), values.shape[1] * (p + latents.shape[2])):
            r, jt, jl = values[part], theta[part], latents[part]
            w = loss.weights(r)[..., None]
            across = np.swapaxes(jl, 1, 2)
            parts.append((across @ (w * jl), across @ (w * jt), across @ (w * r[..., None])))
            flat, weighted = jt.reshape(r.size, p), (w * jt).reshape(r.size, p)
            h, gradient = h + flat.T @ weighted, gradient + weighted.T @ r.ravel()
        for whole, pieces in zip((a, b, g), zip(*parts, strict=True), strict=True):
            whole.append(np.concatenate(pieces))
    return Arrow(tuple(a), tuple(b), tuple(part[..., 0] for part in g), h, gradient)


def projected(
    problem: Problem, line: Linearised, loss: Loss, arrow: Arrow, values: tuple[np.ndarray, ...]
) -> Arrow:
    """The same arrow with the gradient that other residual values, per group (V, N), would have (no
    priors)."""
    gradient, g = np.zeros(len(problem.free)), []
    for r, jt, jl, other in zip(line.values, line.theta, line.latents, values, strict=True):
        weighted = loss.weights(r) * other
        g.append(np.einsum("vnq,vn->vq", jl, weighted))
        gradient = gradient + np.einsum("vnp,vn->p", jt, weighted)
    return Arrow(arrow.a, arrow.b, tuple(g), arrow.h, gradient)


def damped_step(problem: Problem, arrow: Arrow, theta: np.ndarray, damping: float) -> Step:
    """The Levenberg-Marquardt step from theta (p,): parameters that it would push out of bounds go
    to the bound, and the others are solved for given that."""
    blocked = (theta <= problem.low) & (arrow.gradient > 0) | (theta >= problem.high) & (
        arrow.gradient < 0
    )
    fixed = np.where(blocked, 0.0, np.nan)
    for _ in range(len(theta) + 1):
        step = _solve(arrow, damping, fixed)
        wanted = theta + step.theta
        over = np.isnan(fixed) & ((wanted < problem.low) | (wanted > problem.high))
        if not over.any():
            break
        fixed = np.where(over, np.clip(wanted, problem.low, problem.high) - theta, fixed)
    return step


def _solve(arrow: Arrow, damping: float, fixed: np.ndarray) -> Step:
    """The damped step whose theta takes the values of ``fixed`` (p,) where that is not NaN."""
    free, theta = np.flatnonzero(np.isnan(fixed)), np.nan_to_num(fixed)
    h = _damped(arrow.h, damping)
    schur, rhs, parts = h[np.ix_(free, free)], -(arrow.gradient + h @ theta)[free], []
    for a, b, g in zip(arrow.a, arrow.b, arrow.g, strict=True):
        columns = np.concatenate([b[:, :, free], (g + b @ theta)[..., None]], 2)
        solved = np.linalg.solve(_damped(a, damping), columns)
        schur = schur - np.einsum("vqi,vqj->ij", b[:, :, free], solved[..., :-1])
        rhs = rhs + np.einsum("vqi,vq->i", b[:, :, free], solved[..., -1])
        parts.append(solved)
    if len(free):
        theta[free] = np.linalg.lstsq(schur, rhs, rcond=1e-14)[0]
    latents = tuple(-(part[..., -1] + part[..., :-1] @ theta[free]) for part in parts)
    promise = -0.5 * (
        arrow.gradient @ theta
        + sum(float((g * move).sum()) for g, move in zip(arrow.g, latents, strict=True))
    )
    return Step(theta, latents, promise)


def _damped(matrix: np.ndarray, damping: float) -> np.ndarray:
    """matrix + damping * its diagonal, never singular: a row without information gets a unit
    diagonal."""
    diagonal = np.einsum("...ii->...i", matrix)
    tiny = 1e-14 * diagonal.max(-1, initial=0.0, keepdims=True)
    extra = np.where(diagonal > tiny, damping * diagonal, 1.0) + tiny
    return matrix + extra[..., None] * np.eye(matrix.shape[-1])
