"""Lettering that changes is no body; small things that move are."""

import cv2
import numpy as np
import pytest

from tools.perception.clip import Clip
from tools.perception.discovery import find_seeds
from tools.rendering import canvas, draw_disk, finish

FRAMES, SIZE, INK = 20, (240, 320), (20, 20, 20)
WORDS = ("low", "rising", "high", "falling")


def film(written, size, small=False):
    """A disk that passes below, and what ``written`` says in each frame; small: in place of that
    three dots that dance."""
    plate = np.full((*SIZE, 3), 250, np.uint8)
    plate[120::40] = plate[:, ::40] = 200

    def picture(t):
        image = canvas(plate)
        draw_disk(image, 40 + 11.0 * t, 170 - 3.0 * t, 12.0, (200, 60, 40))
        for k in range(3 if small else 0):
            turn = 1.1 * t + 2 * np.pi * k / 3
            draw_disk(image, 60 + 9 * np.cos(turn), 40 + 9 * np.sin(turn), 3.0, INK)
        frame = finish(image)
        if not small:
            where, font = (12, 40), cv2.FONT_HERSHEY_SIMPLEX
            cv2.putText(frame, written(t), where, font, size, INK, 1, cv2.LINE_AA)
        return frame

    return np.stack([picture(t) for t in range(FRAMES)])


LETTERING = {
    "clock": (lambda t: f"t = {t / 30:.2f} s", 0.5),
    "counter": (lambda t: f"{137 + 13 * t}", 0.4),
    "legend": (lambda t: WORDS[t // 3 % len(WORDS)], 0.5),
}


def places(seeds):
    return [np.mean([(r.x, r.y) for r in seed.chain.regions.values()], 0) for seed in seeds]


@pytest.mark.parametrize("name", LETTERING)
def test_lettering_that_changes_is_left_out(name):
    seeds = find_seeds(Clip.of(film(*LETTERING[name])))
    assert seeds and all(y > 70 for _, y in places(seeds))


def test_small_things_that_dance_in_one_place_are_kept():
    seeds = find_seeds(Clip.of(film(None, 0.0, small=True)))
    assert sum(y < 70 for _, y in places(seeds)) >= 3
