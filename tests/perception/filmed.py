"""Small camera scenes with known truth: shaded things, noise that grows with the signal, shadows,
hands."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

SHAPE = (120, 160)
Paint = Callable[[np.ndarray, int], None]
"""Draws on a float32 picture (H, W, 3) what is there in frame t."""


@dataclass(frozen=True)
class Film:
    """frames: (T, H, W, 3) uint8. ground: (H, W, 3) what lies behind. xy: (T, 2) places of the
    ball."""

    frames: np.ndarray
    ground: np.ndarray
    xy: np.ndarray


def wall(rng: np.random.Generator) -> np.ndarray:
    """A wall with soft light from one side and a little plaster."""
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]].astype(np.float32)
    light = 1.0 - 0.35 * np.hypot(x / SHAPE[1] - 0.3, y / SHAPE[0] - 0.2)
    plaster = cv2.GaussianBlur(rng.normal(0, 1, SHAPE).astype(np.float32), (0, 0), 2.0)
    shade = light * (1 + 0.08 * plaster)
    return shade[..., None] * np.array([188.0, 172.0, 150.0], np.float32)


def ball(
    picture: np.ndarray, x: float, y: float, radius: float = 8.0, colour=(190, 50, 40)
) -> None:
    """A ball lit from the upper left, anti-aliased."""
    ys, xs = np.mgrid[: SHAPE[0], : SHAPE[1]].astype(np.float32)
    away = np.hypot(xs - x, ys - y)
    matte = np.clip(radius + 0.5 - away, 0, 1)[..., None]
    lit = 0.55 + 0.6 * np.exp(-((xs - x + 3) ** 2 + (ys - y + 3) ** 2) / radius**2)
    picture += matte * (lit[..., None] * np.array(colour, np.float32) - picture)


def shadow(
    picture: np.ndarray, x: float, y: float, radius: float = 9.0, share: float = 0.3
) -> None:
    """A soft shadow: the same share of all colours."""
    ys, xs = np.mgrid[: SHAPE[0], : SHAPE[1]].astype(np.float32)
    picture *= 1 - share * np.clip((radius - np.hypot(xs - x, ys - y)) / 4 + 0.5, 0, 1)[..., None]


def shot(rng: np.random.Generator, ground: np.ndarray, xy: np.ndarray, paint: Paint) -> Film:
    """Expose one picture per place: what ``paint`` draws on the ground, with photon and read-out
    noise."""
    frames = []
    for t in range(len(xy)):
        picture = ground.copy()
        paint(picture, t)
        noisy = picture + rng.normal(size=picture.shape) * np.sqrt(1.0 + 0.02 * picture)
        frames.append(np.clip(np.rint(noisy), 0, 255).astype(np.uint8))
    return Film(np.stack(frames), ground, xy)


def thrown(frames: int = 24) -> np.ndarray:
    """(T, 2) places of a ball that is thrown across the picture."""
    t = np.arange(frames, dtype=float)
    return np.stack([20 + 5.0 * t, 70 - 5.5 * t + 0.24 * t * t], 1)
