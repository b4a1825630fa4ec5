"""Sub-pixel poses and sizes by analysis by synthesis: draw, compare, correct (Gauss-Newton with damping)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tools.perception.parts import Look

_STEPS = np.array([0.25, 0.25])
"""Half-width in pixels of the central differences for x and y; the angle's is scaled to move the outline as much."""


@dataclass(frozen=True)
class Fit:
    """x: the parameters found; error: root mean square residual in grey levels; spread: standard deviations of x."""

    x: np.ndarray
    error: float
    spread: np.ndarray


def gauss_newton(residual: Callable[[np.ndarray], np.ndarray], x: np.ndarray, steps: np.ndarray, iterations: int = 12,
                 clip: float = 60.0) -> Fit:
    """Minimise the sum of squared residuals, large ones damped (Huber weights at ``clip`` / 2), by Levenberg-Marquardt.

    residual: x -> (N,) grey levels, N fixed. steps: central-difference half-widths, also the largest sensible step / 8.
    """
    damping, current = 1e-3, residual(x)

    def cost_of(r):
        a, k = np.abs(r), clip / 2
        return float(np.sum(np.where(a <= k, a * a, k * (2 * a - k))))

    cost = cost_of(current)
    normal = np.eye(len(x))
    for _ in range(iterations):
        jacobian = np.stack([(residual(x + d) - residual(x - d)) / (2 * h) for h, d in zip(steps, np.diag(steps), strict=True)], 1)
        weight = np.minimum(1.0, (clip / 2) / np.maximum(np.abs(current), 1e-9))
        normal = jacobian.T @ (weight[:, None] * jacobian)
        gradient = jacobian.T @ (weight * current)
        scale = np.maximum(np.diag(normal), 1e-9)
        improved = False
        for _ in range(5):
            move = -np.linalg.solve(normal + damping * np.diag(scale), gradient)
            move = np.clip(move, -8 * steps, 8 * steps)
            trial = residual(x + move)
            trial_cost = cost_of(trial)
            if trial_cost < cost:
                x, current, improved = x + move, trial, True
                damping = max(damping / 5, 1e-6)
                break
            damping *= 6
        if not improved or np.all(np.abs(move) < 0.004 * steps):
            break
        if cost - trial_cost < 1e-7 * cost:
            cost = trial_cost
            break
        cost = trial_cost
    error = float(np.sqrt(np.mean(current**2))) if len(current) else np.inf
    variance = np.diag(np.linalg.pinv(normal + 1e-9 * np.eye(len(x)))) * max(error, 0.5) ** 2
    return Fit(x, error, np.sqrt(np.maximum(variance, 0)))


def crop(shape: tuple[int, int], x: float, y: float, reach: float) -> tuple[slice, slice] | None:
    """Image window (rows, columns) around a circle, or None outside the image."""
    x0, x1 = max(0, int(x - reach)), min(shape[1], int(x + reach) + 2)
    y0, y1 = max(0, int(y - reach)), min(shape[0], int(y + reach) + 2)
    return (slice(y0, y1), slice(x0, x1)) if x0 < x1 and y0 < y1 else None


def compose(look: Look, pose: np.ndarray, ground: np.ndarray, origin: tuple[int, int]) -> np.ndarray:
    """``ground`` (h, w, 3) float32, whose corner is image pixel ``origin`` = (x, y), with the look drawn over it."""
    picture = ground.copy()
    layer = look.cover(ground.shape[:2], np.asarray(pose, np.float64) - (origin[0], origin[1], 0.0))
    if layer is not None:
        x0, y0, alpha, colour = layer
        window = picture[y0 : y0 + alpha.shape[0], x0 : x0 + alpha.shape[1]]
        window += alpha[..., None] * (colour - window)
    return picture


def fit_pose(look: Look, pose: np.ndarray, frame: np.ndarray, ground: np.ndarray, weight: np.ndarray | None = None,
             margin: float = 4.0, turn: bool = True) -> Fit | None:
    """Refine ``pose`` (x, y, angle) of a look in ``frame`` over ``ground`` (both (H, W, 3)).

    weight: bool (H, W), False where something in front hides the part. turn: False keeps the angle. None when no pixel
    of the part is visible.
    """
    window = crop(frame.shape[:2], pose[0], pose[1], look.reach + margin)
    if window is None:
        return None
    keep = None if weight is None else weight[window].ravel()
    if keep is not None and keep.sum() < 6:
        return None
    target = frame[window].astype(np.float32)
    floor = ground[window].astype(np.float32)
    origin = (window[1].start, window[0].start)
    free = 3 if (turn and look.turns) else 2
    steps = np.append(_STEPS, 0.35 / max(look.reach, 2.0))[:free]

    def residual(x: np.ndarray) -> np.ndarray:
        full = np.array([x[0], x[1], x[2] if free == 3 else pose[2]])
        difference = (compose(look, full, floor, origin) - target).reshape(-1, 3)
        return (difference if keep is None else difference[keep]).ravel().astype(np.float64)

    fit = gauss_newton(residual, np.array(pose[:free], np.float64), steps)
    if free == 2:
        return Fit(np.append(fit.x, pose[2]), fit.error, np.append(fit.spread, np.inf))
    return fit


def own_error(look: Look, pose: np.ndarray, frame: np.ndarray, ground: np.ndarray, weight: np.ndarray | None = None) -> float:
    """Mean absolute colour error (grey levels) over the pixels that the part covers; inf when none is visible."""
    layer = look.cover(frame.shape[:2], pose)
    if layer is None:
        return np.inf
    x0, y0, alpha, colour = layer
    window = (slice(y0, y0 + alpha.shape[0]), slice(x0, x0 + alpha.shape[1]))
    share = alpha if weight is None else alpha * weight[window]
    if share.sum() < 2.0:
        return np.inf
    drawn = ground[window] + alpha[..., None] * (colour - ground[window])
    return float((np.abs(drawn - frame[window]).mean(-1) * share).sum() / share.sum())
