"""Clips and masks that the tests of learned perception share: drawn here, with known truth."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import pytest

GROUND, BLACK, BROWN, RED = (245, 245, 245), (12, 12, 12), (170, 110, 50), (205, 30, 30)


@dataclass(frozen=True)
class Clip:
    """frames: (T, H, W, 3) uint8. masks: name -> (T, H, W) bool, visible pixels."""

    frames: np.ndarray
    masks: dict[str, np.ndarray]


def drawn(count: int, shape: tuple[int, int], layers) -> Clip:
    """layers: (name, colour, t -> list of filled polygons (N, 2)), back to front, at whole
    pixels."""
    frames = np.full((count, *shape, 3), GROUND, np.uint8)
    masks = {name: np.zeros((count, *shape), bool) for name, _, _ in layers}
    for t in range(count):
        for name, colour, outline in layers:
            area = np.zeros(shape, np.uint8)
            cv2.fillPoly(area, [np.round(np.asarray(p)).astype(np.int32) for p in outline(t)], 1)
            for mask in masks.values():
                mask[t] &= area == 0
            masks[name][t] = area > 0
            frames[t][area > 0] = colour
    return Clip(frames, masks)


def rectangle(x: float, y: float, w: float, h: float) -> list[tuple[float, float]]:
    return [
        (x - w / 2, y - h / 2),
        (x + w / 2, y - h / 2),
        (x + w / 2, y + h / 2),
        (x - w / 2, y + h / 2),
    ]


@pytest.fixture(scope="session")
def cart_and_pole() -> Clip:
    """A black cart moves to the right, a brown pole stands on it."""
    return drawn(
        16,
        (96, 128),
        [
            ("cart", BLACK, lambda t: [rectangle(30 + 4 * t, 70, 28, 14)]),
            ("pole", BROWN, lambda t: [rectangle(30 + 4 * t, 40, 6, 48)]),
        ],
    )


@pytest.fixture(scope="session")
def hidden_ball() -> Clip:
    """A red ball passes behind a still black board that stands in the middle, and comes out
    again."""
    return drawn(
        30,
        (64, 160),
        [
            (
                "ball",
                RED,
                lambda t: [
                    [
                        (10 + 5 * t + 8 * np.cos(a), 32 + 8 * np.sin(a))
                        for a in np.linspace(0, 6.28, 40)
                    ]
                ],
            ),
            ("board", BLACK, lambda t: [rectangle(80, 32, 26, 60)]),
        ],
    )


@pytest.fixture(scope="session")
def late_ball() -> Clip:
    """A black cart from the start; a red ball that enters on the left after ten frames."""
    return drawn(
        24,
        (80, 120),
        [
            ("cart", BLACK, lambda t: [rectangle(95 - 2 * t, 60, 24, 12)]),
            (
                "ball",
                RED,
                lambda t: [
                    [
                        (-60 + 6 * t + 7 * np.cos(a), 24 + 7 * np.sin(a))
                        for a in np.linspace(0, 6.28, 40)
                    ]
                ],
            ),
        ],
    )
