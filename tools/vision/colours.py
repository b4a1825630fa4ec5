"""Colour words: which basic colour a measured colour is, and which colours a phrase names.

The eleven basic terms (Berlin and Kay 1969) plus cyan and beige, each by a few prototypes in sRGB;
nearness is the distance in CIELAB. Good enough to tell a black cart from a brown pole; not a
psychophysical model.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import cv2
import numpy as np

PROTOTYPES: dict[str, tuple[tuple[int, int, int], ...]] = {
    "black": ((0, 0, 0), (30, 30, 30)),
    "white": ((255, 255, 255), (240, 240, 240)),
    "grey": ((128, 128, 128), (80, 80, 80), (180, 180, 180)),
    "red": ((255, 0, 0), (200, 20, 30), (140, 10, 10), (230, 60, 60)),
    "green": ((0, 255, 0), (0, 128, 0), (60, 160, 70), (150, 220, 120), (40, 80, 40)),
    "blue": ((0, 0, 255), (0, 0, 140), (40, 90, 200), (130, 170, 230), (70, 130, 180)),
    "yellow": ((255, 255, 0), (230, 210, 40), (250, 240, 130)),
    "orange": ((255, 165, 0), (255, 120, 0), (240, 140, 50)),
    "brown": ((139, 69, 19), (101, 67, 33), (160, 82, 45), (202, 152, 101), (180, 120, 60)),
    "pink": ((255, 192, 203), (255, 105, 180), (230, 130, 160)),
    "purple": ((128, 0, 128), (148, 60, 200), (129, 132, 203), (180, 120, 200), (75, 0, 130)),
    "cyan": ((0, 255, 255), (0, 160, 170), (64, 224, 208)),
    "beige": ((245, 245, 220), (222, 200, 160), (210, 190, 150)),
}

SYNONYMS = {
    "gray": "grey",
    "silver": "grey",
    "golden": "yellow",
    "gold": "yellow",
    "violet": "purple",
    "magenta": "pink",
    "turquoise": "cyan",
    "teal": "cyan",
    "tan": "brown",
    "wooden": "brown",
    "crimson": "red",
    "scarlet": "red",
    "navy": "blue",
    "lime": "green",
    "dark": "black",
    "cream": "beige",
}

_NAMES = [name for name, colours in PROTOTYPES.items() for _ in colours]


def lab(rgb: np.ndarray | Sequence[float]) -> np.ndarray:
    """sRGB in [0, 255], (..., 3) -> CIELAB (..., 3), D65."""
    array = np.asarray(rgb, np.float32)
    return cv2.cvtColor(array.reshape(-1, 1, 3) / 255.0, cv2.COLOR_RGB2Lab).reshape(array.shape)


def colour_name(rgb: Sequence[float] | np.ndarray) -> str:
    """The basic term for a colour.

    >>> colour_name((202, 152, 101)), colour_name((3, 0, 5))
    ('brown', 'black')
    """
    return _NAMES[int(np.linalg.norm(_prototypes() - lab(rgb), axis=1).argmin())]


def colour_distance(rgb: Sequence[float] | np.ndarray, name: str) -> float:
    """CIELAB distance (about 2 is just noticeable) from a colour to the nearest prototype of a
    basic term."""
    return float(np.linalg.norm(lab(np.array(PROTOTYPES[name])) - lab(rgb), axis=1).min())


def colours_in(phrase: str) -> tuple[str, ...]:
    """Basic terms that a phrase names, in order.

    >>> colours_in("the dark-gray cart with a red wheel")
    ('black', 'grey', 'red')
    """
    words = re.findall(r"[a-z]+", phrase.lower())
    terms = (SYNONYMS.get(word, word) for word in words)
    return tuple(dict.fromkeys(term for term in terms if term in PROTOTYPES))


def _prototypes() -> np.ndarray:
    return lab(
        np.array([colour for colours in PROTOTYPES.values() for colour in colours], np.float32)
    )
