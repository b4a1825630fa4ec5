"""Names that a person would give: ``red_disk``, ``black_box_2``."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence

SHAPE_WORDS = {"disk": "disk", "box": "box", "polygon": "shape", "sprite": "thing"}


def colour_word(colour: Sequence[float]) -> str:
    """A plain word for an RGB colour in [0, 255].

    >>> colour_word((202, 152, 101)), colour_word((10, 10, 10)), colour_word((255, 0, 0))
    ('tan', 'black', 'red')
    """
    hue, lightness, saturation = colorsys.rgb_to_hls(*(min(max(c, 0), 255) / 255 for c in colour))
    if lightness < 0.12:
        return "black"
    if lightness > 0.93:
        return "white"
    if saturation < 0.15:
        return "dark_grey" if lightness < 0.35 else "grey" if lightness < 0.7 else "light_grey"
    degrees = 360 * hue
    if 15 <= degrees < 45:
        if lightness < 0.35:
            return "brown"
        return "orange" if saturation > 0.75 and lightness < 0.65 else "tan"
    for limit, word in (
        (15, "red"),
        (45, "orange"),
        (68, "yellow"),
        (165, "green"),
        (200, "cyan"),
        (255, "blue"),
        (290, "purple"),
        (340, "pink"),
        (361, "red"),
    ):
        if degrees < limit:
            return word
    return "red"


def causes(names: Sequence[str], none: str = "nothing") -> str:
    """Terms of an explanation as a person names them; ``none`` where there are none.

    >>> causes(["gy", "push@black_box"]), causes(["quadratic_drag", "attraction-2@red_disk"]), causes([])
    ('gravity and a push on black_box', 'quadratic drag and attraction (power -2) to red_disk', 'nothing')
    """
    return _and([_cause(name) for name in names]) or none


def _cause(name: str) -> str:
    kind, _, body = name.partition("@")
    if kind.startswith("attraction"):
        return f"attraction (power {kind.removeprefix('attraction')}) to {body}"
    words = {
        "gx": "a sideways field",
        "gy": "gravity",
        "push": "a push",
        "pull": "a steady pull",
        "spring_x": "a spring sideways",
        "spring_y": "a spring up and down",
        "spring_along": "a spring",
        "ends": "an effort that ends",
        "begins": "an effort that begins",
        "ends_x": "a force sideways that ends",
        "ends_y": "a force up or down that ends",
        "begins_x": "a force sideways that begins",
        "begins_y": "a force up or down that begins",
        "action": "the action",
        "down": "gravity",
        "up": "gravity upwards",
        "across": "gravity sideways",
    }.get(kind, kind.replace("_", " "))
    return f"{words} {'at' if kind == 'damping' else 'on'} {body}" if body else words


def _and(words: Sequence[str]) -> str:
    return f"{', '.join(words[:-1])} and {words[-1]}" if len(words) > 1 else "".join(words)


def unique(words: Sequence[str]) -> list[str]:
    """Number the words that occur more than once.

    >>> unique(["red_disk", "box", "red_disk"])
    ['red_disk_1', 'box', 'red_disk_2']
    """
    seen: dict[str, int] = {}
    names = []
    for word in words:
        if words.count(word) == 1:
            names.append(word)
        else:
            seen[word] = seen.get(word, 0) + 1
            names.append(f"{word}_{seen[word]}")
    return names
