"""What every baseline without a program of its own starts from: balls measured by the hand-written
perception, in world units.

The perception program is trusted here (it is ours), so it runs in this process.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchmarks.phyworld.world import INTERVAL, SIZE, WORLD, to_pixels, to_world
from benchmarks.programs.collision import perception
from tools.rendering import canvas, draw_disk, finish
from tools.types import Video

SCALE = (SIZE - 1) / WORLD
"""Pixels a world unit."""
_COLOURS = ((255, 0, 0), (0, 0, 255))


@dataclass(frozen=True)
class Balls:
    """One video. position: (T, n, 2), NaN where a ball is not wholly in view. radius: (n,). World
    units, y up."""

    position: np.ndarray
    radius: np.ndarray

    def start(self, gravity: float = 0.0) -> np.ndarray:
        """(n, 4) x, y, vx, vy at the first frame, through the first frames (at most 8) in which a
        ball is seen, given what gravity (along y) has done to it meanwhile."""
        return np.array(
            [_line(self.position[:, ball], gravity) for ball in range(len(self.radius))]
        )


def measure(video: Video) -> Balls:
    """Circle fits in every frame."""
    states, _ = perception.perceive(video.frames, None)
    balls = len(states.columns) // 3
    table = states.values.reshape(len(states), balls, 3)
    return Balls(to_world(table[..., :2]), table[0, :, 2] / SCALE)


def draw(position: np.ndarray, radius: np.ndarray) -> np.ndarray:
    """(T, 256, 256, 3) uint8 frames of (T, n, 2) world positions by this project's renderer."""
    pixels, frames = to_pixels(position), []
    for places in pixels:
        image = canvas(np.full((SIZE, SIZE, 3), 255, np.uint8))
        for (x, y), r, colour in zip(places, radius * SCALE, _COLOURS, strict=False):
            if np.isfinite(x + y):
                draw_disk(image, float(x), float(y), 0.9925 * r, colour, max(1.0, 0.015 * r))
        frames.append(finish(image))
    return np.stack(frames)


def _line(place: np.ndarray, gravity: float) -> list[float]:
    seen = np.flatnonzero(np.isfinite(place[:, 0]))[:8]
    t = seen * INTERVAL
    if len(seen) < 2:
        at = place[seen[0]] if len(seen) else np.zeros(2)
        return [float(at[0]), float(at[1]), 0.0, 0.0]
    fallen = np.array([0.0, gravity]) * t[:, None] ** 2 / 2
    (vx, x), (vy, y) = np.polyfit(t, place[seen] - fallen, 1).T
    return [float(x), float(y), float(vx), float(vy)]
