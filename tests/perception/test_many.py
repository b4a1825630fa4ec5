"""Drawings in which many things move at once."""

import itertools

import numpy as np
import pytest

from tools.perception.clip import Clip
from tools.perception.discovery import flat_seeds, survey
from tools.perception.segmentation import regions
from tools.rendering import canvas, draw_disk, finish


def test_each_of_many_bodies_has_a_colour_of_its_own():
    side, cell = 6, 30
    colours = list(itertools.product((70, 130, 190, 250), repeat=3))[: side * side]
    frames = []
    for t in range(6):
        image = canvas(np.full((side * cell, side * cell, 3), 20, np.uint8))
        for k, colour in enumerate(colours):
            row, column = divmod(k, side)
            draw_disk(image, cell * column + 10.0 + 2 * t, cell * row + 15.0, 6.0, colour)
        frames.append(finish(image))
    clip = Clip.of(np.stack(frames))
    sprites, inks = survey(clip)
    assert not sprites and len(inks) == len(colours)
    assert len(flat_seeds(clip, inks, sprites)) == len(colours)


def test_regions_do_not_depend_on_how_much_lies_around_them():
    rng = np.random.default_rng(0)
    mask = rng.random((40, 50)) > 0.7
    inside, around = regions(mask), regions(np.pad(mask, ((7, 30), (11, 60))))
    assert len(inside) == len(around) > 5 and not regions(np.zeros((9, 9), bool))
    for a, b in zip(inside, around, strict=True):
        assert b.box == tuple(np.add(a.box, (11, 7, 11, 7))) and b.area == a.area
        assert (b.x, b.y) == pytest.approx((a.x + 11, a.y + 7), rel=1e-12)
        np.testing.assert_array_equal(a.mask, b.mask)
