"""Poses of many frames at once are those of each frame alone."""

from __future__ import annotations

import numpy as np
import pytest

from tools.perception.appearance import covered, shown_at
from tools.perception.batched import located_each, misfits, standing_out
from tools.perception.parts import Appearance
from tools.perception.pose import CONTRAST_PIXELS, located, misfit, view
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
    appearance = Appearance("disk", COLOUR, (RADIUS,))

    for one, start, seen in zip(
        located_each(appearance, starts, views, margin), starts, views, strict=True
    ):
        alone = located(appearance, start, seen, margin)
        assert (one is None) == (alone is None)
        if one is not None and alone is not None:
            assert np.allclose(one[0].x, alone[0].x, atol=1e-6)
            assert np.allclose(one[0].spread, alone[0].spread, rtol=1e-6)
            assert one[1] == pytest.approx(alone[1], rel=1e-6)


def test_misfit_and_contrast_of_many_frames_are_those_of_each() -> None:
    rng = np.random.default_rng(1)
    truth = rng.uniform((2.0, 2.0), (78.0, 58.0), (12, 2))
    frames = [picture(x, y, rng.uniform(4, 20), rng) for x, y in truth]
    poses = np.column_stack([truth + rng.normal(0, 1.0, truth.shape), np.zeros(12)])
    poses[3, 0], poses[7, :2] = -60.0, (-8.5, 30.0)  # nowhere, and hardly in the picture
    plate = np.full((60, 80, 3), GROUND, np.uint8)
    hidden = np.ones((60, 80), bool)
    hidden[:, 40:50] = False
    views = [view(frame, plate, hidden) for frame in frames]
    appearance = Appearance("disk", COLOUR, (RADIUS,))
    errors = misfits(appearance, poses, views)
    contrasts = standing_out(appearance, poses, views)
    for pose, seen, error, contrast in zip(poses, views, errors, contrasts, strict=True):
        assert error == pytest.approx(misfit(appearance, pose, seen), rel=1e-9)
        px, py = covered(appearance, pose, seen.shape, CONTRAST_PIXELS)
        ground = seen.ground(px, py)
        alpha, shown = shown_at(appearance, pose, px, py, ground)
        away = np.abs(shown - ground).mean(-1) * alpha
        assert contrast == pytest.approx(away.sum() / max(alpha.sum(), 1e-6), rel=1e-9)
    assert errors[3] == np.inf and contrasts[3] == 0.0
    nowhere = np.array([[-60.0, 0.0, 0.0]])
    assert located_each(appearance, nowhere, views[:1], 4.0) == [None]
