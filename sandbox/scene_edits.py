"""Other looks for the objects of a scene: colours, lengths, sprites. Pure; runs in the locked
child."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np

from tools.types import ContractError, Scene

SIZES = ("width", "height", "radius", "half_x", "half_y", "outline")
"""Constants of an object that are lengths of its drawing: what ``size`` multiplies."""


def altered(scene: Scene, edits: Sequence[Sequence[Any]]) -> Scene:
    """``scene`` with other looks. edits: [object, attribute, operator, number or list]; the
    attribute "size" stands for every length in SIZES and for the sprite, and is 1 before."""
    constants, sprites = (
        {name: dict(part) for name, part in scene.constants.items()},
        dict(scene.sprites),
    )
    for name, attribute, operator, number in edits:
        part = constants.setdefault(name, {})
        if attribute in part:
            part[attribute] = changed(part[attribute], operator, number)
        elif attribute == "size":
            factor = changed(1.0, operator, number)
            part |= {key: changed(part[key], "*=", factor) for key in SIZES if key in part}
            if name in sprites:
                sprites[name] = resized(sprites[name], factor)
        else:
            raise ContractError(
                f"scene.constants[{name!r}]", "one of " + ", ".join(part), repr(attribute)
            )
    return Scene(scene.background, sprites, constants, scene.order, scene.shutter)


def changed(value: Any, operator: str, number: Any) -> Any:
    """``value`` (a number, or numbers in lists) after "=", "*=" or "+=" ``number`` (one for all, or
    a list of one each)."""
    if isinstance(value, (list, tuple)):
        each = number if isinstance(number, (list, tuple)) else [number] * len(value)
        return [changed(one, operator, by) for one, by in zip(value, each, strict=True)]
    return {"=": number, "*=": value * number, "+=": value + number}[operator]


def resized(sprite: np.ndarray, factor: float) -> np.ndarray:
    """An RGBA sprite (h, w, 4) enlarged or reduced; its centre stays its centre."""
    if not 0.02 <= factor <= 50.0:
        raise ContractError("size of a sprite", "a factor from 0.02 to 50", repr(factor))
    height, width = (max(1, round(side * factor)) for side in sprite.shape[:2])
    premultiplied = np.dstack([sprite[..., :3] * sprite[..., 3:], sprite[..., 3]])
    large = cv2.resize(
        premultiplied,
        (width, height),
        interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR,
    )
    alpha = np.clip(large[..., 3:], 0, 1)
    return np.dstack([np.clip(large[..., :3] / np.maximum(alpha, 1e-6), 0, 1), alpha])
