"""Drawings in which many things move at once."""

import itertools

import numpy as np

from tools.perception.clip import Clip
from tools.perception.discovery import flat_seeds, survey
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
