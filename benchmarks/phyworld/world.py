"""The physics and the drawing of the original, in closed steps: Box2D's rules for one or two
equal-height balls.

Time advances by 0.01 s, symplectic Euler; every tenth step is stored *after* it was taken, so
stored frame k shows t = 0.01 + 0.1 k. Two balls touch when their centres are no farther apart than
the sum of radii at the start of a step. Box2D then applies restitution only when they close faster
than 1.0; slower ones go on with their common velocity, and an overlap beyond 0.005 is taken back by
a fifth of the excess each step.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

WORLD = 10.0
DT = 0.01
STRIDE = 10
FRAMES = 32
INTERVAL = DT * STRIDE
SIZE = 256
GRAVITY = {"uniform": 0.0, "collision": 0.0, "parabola": -2.5}
SCENARIOS = tuple(GRAVITY)
COLOURS = ((255, 0, 0), (0, 0, 255))

THRESHOLD = 1.0
"""Closing speed up to which Box2D treats an impact as perfectly inelastic."""
SLOP, BAUMGARTE = 0.005, 0.2


@dataclass(frozen=True)
class Rules:
    """What a counterfactual may change. gravity: world units per s^2, along y. restitution: of
    impacts faster than the threshold. density: per ball, relative; mass = density * pi * radius^2.
    threshold: see THRESHOLD."""

    gravity: float = 0.0
    restitution: float = 1.0
    density: tuple[float, ...] = (1.0, 1.0)
    threshold: float = THRESHOLD


@dataclass(frozen=True)
class Start:
    """Where balls begin. position, velocity: (n, 2) world units, at t = 0. radius: (n,)."""

    position: np.ndarray
    velocity: np.ndarray
    radius: np.ndarray


def simulate(start: Start, rules: Rules, frames: int = FRAMES) -> np.ndarray:
    """(frames, n, 2) float64 positions of the stored frames."""
    x, v = np.array(start.position, np.float64), np.array(start.velocity, np.float64)
    mass = np.asarray(rules.density[: len(x)]) * np.pi * np.asarray(start.radius) ** 2
    reach, stored = float(np.sum(start.radius)), []
    for step in range(frames * STRIDE):
        touching = len(x) == 2 and x[1, 0] - x[0, 0] <= reach
        if touching:
            _impact(v, mass, rules)
        v[:, 1] += rules.gravity * DT
        x += v * DT
        if touching:
            _push_apart(x, mass, reach)
        if step % STRIDE == 0:
            stored.append(x.copy())
    return np.array(stored)


def _impact(v: np.ndarray, mass: np.ndarray, rules: Rules) -> None:
    """Velocities after contact along x, in place; balls that already separate are left alone."""
    closing = v[0, 0] - v[1, 0]
    if closing <= 0:
        return
    bounce = rules.restitution if closing > rules.threshold else 0.0
    common = float(mass @ v[:, 0] / mass.sum())
    v[:, 0] = common - bounce * (v[:, 0] - common)


def _push_apart(x: np.ndarray, mass: np.ndarray, reach: float) -> None:
    """One pass of Box2D's position solver along x, in place."""
    overlap = reach - (x[1, 0] - x[0, 0])
    if overlap > SLOP:
        shift = BAUMGARTE * (overlap - SLOP) / (1.0 / mass).sum()
        x[:, 0] += shift / mass * np.array([-1.0, 1.0])


def draw(
    positions: np.ndarray, radius: Sequence[float] | np.ndarray, size: int = SIZE
) -> np.ndarray:
    """(T, size, size, 3) uint8 frames of (T, n, 2) world positions; the first ball red, the second
    blue and over it.

    Pixel i lies at i / (size - 1) of the world; row 0 is y = 10. alpha = clip((R^2 - d^2) / (0.03
    R^2), 0, 1), colours truncated to bytes.
    """
    axis = np.linspace(0.0, WORLD, size)
    frames = np.full((len(positions), size, size, 3), 255, np.uint8)
    canvas = np.full((size, size, 3), 255.0)
    for frame, places in zip(frames, positions, strict=True):
        windows = [
            (_span(axis[::-1], y, r), _span(axis, x, r))
            for (x, y), r in zip(places, radius, strict=True)
        ]
        for (rows, columns), (x, y), r, colour in zip(
            windows, places, radius, COLOURS, strict=False
        ):
            dx2, dy2 = (axis[columns] - x) ** 2, (axis[::-1][rows] - y) ** 2
            alpha = np.clip((r * r - dy2[:, None] - dx2[None, :]) / (0.03 * r * r), 0.0, 1.0)[
                ..., None
            ]
            canvas[rows, columns] = (1.0 - alpha) * canvas[rows, columns] + alpha * np.asarray(
                colour, np.float64
            )
        for window in windows:
            frame[window] = canvas[window].astype(np.uint8)
        for window in windows:
            canvas[window] = 255.0
    return frames


def _span(axis: np.ndarray, at: float, r: float) -> slice:
    """The pixels of a row or column that a ball may colour."""
    near = np.flatnonzero(np.abs(axis - at) <= r)
    return slice(near[0], near[-1] + 1) if len(near) else slice(0, 0)


def to_pixels(positions: np.ndarray, size: int = SIZE) -> np.ndarray:
    """World positions (..., 2) -> pixels (x right, y down) of the drawing."""
    scale = (size - 1) / WORLD
    return np.stack([positions[..., 0] * scale, (WORLD - positions[..., 1]) * scale], axis=-1)


def to_world(pixels: np.ndarray, size: int = SIZE) -> np.ndarray:
    """Inverse of :func:`to_pixels`."""
    scale = WORLD / (size - 1)
    return np.stack([pixels[..., 0] * scale, WORLD - pixels[..., 1] * scale], axis=-1)
