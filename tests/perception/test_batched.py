"""Poses of many frames at once are those of each frame alone."""

from __future__ import annotations

import numpy as np
import pytest

from tools.perception.batched import located_each
from tools.perception.parts import Appearance
from tools.perception.pose import located, view
from tools.rendering import canvas, draw_disk, finish

COLOUR, RADIUS, GROUND = (220, 60, 60), 9.0, (30, 40, 60)


def picture(x: float, y: float, beside: float, noise: np.random.Generator) -> np.ndarray:
    image = canvas(np.full((60, 80, 3), GROUND, np.uint8))
    draw_disk(image, x, y, RADIUS, COLOUR)
    draw_disk(image, x + beside, y + 6.0, 4.0, (70, 200, 90))
    return np.clip(finish(image) + noise.normal(0, 4.0, (60, 80, 3)), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("margin", [1.5, 4.0])
def test_many_frames_at_once_give_each_frames_own_fit(margin: float) -> None:
    rng = np.random.default_rng(0)
    truth = rng.uniform((4.0, 12.0), (76.0, 48.0), (12, 2))  # some cut by the border
    frames = [picture(x, y, rng.uniform(4, 20), rng) for x, y in truth]
    starts = np.column_stack([truth + rng.normal(0, 1.5, truth.shape), np.zeros(12)])
    starts[5, 0] = -60.0  # nowhere in the picture
    plate = np.full((60, 80, 3), GROUND, np.uint8)
    views = [view(frame, plate) for frame in frames]
    appearance = Appearance("disk", (RADIUS,), COLOUR)

    for one, start, seen in zip(
        located_each(appearance, starts, views, margin), starts, views, strict=True
    ):
        alone = located(appearance, start, seen, margin)
        assert (one is None) == (alone is None)
        if one is not None and alone is not None:
            assert np.allclose(one[0].x, alone[0].x, atol=1e-6)
            assert np.allclose(one[0].spread, alone[0].spread, rtol=1e-6)
            assert one[1] == pytest.approx(alone[1], rel=1e-6)
