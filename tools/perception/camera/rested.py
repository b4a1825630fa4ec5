"""Bodies that rested until they were struck: they are seen late, and the plate shows them where
they were."""

from __future__ import annotations

import cv2
import numpy as np

from tools.perception.camera.bodies import Body, Stage
from tools.perception.likes import centred, like_at, region_at
from tools.perception.parts import Appearance

_STEPS = 3
"""Frames over which a body's first steps are measured."""
_RIM = 7
"""Pixels across by which what is cut out of a plate is widened: a rim, and a little of a shadow."""


def rested(stage: Stage) -> np.ndarray:
    """bool (H, W): where the plate shows the likeness of a body that begins late inside the
    picture, and comes from there."""
    plate = np.clip(np.rint(stage.plate), 0, 255).astype(np.uint8)
    hole = np.zeros(plate.shape[:2], np.uint8)
    for body in (body for body in stage.bodies if body.fixed is None and not body.sprite.blank):
        times = np.flatnonzero(body.seen)
        if len(times) < _STEPS or times[0] == 0:
            continue
        look = centred(Appearance("sprite", sprite=body.sprite.straight()))
        place = like_at(plate, stage.sigma, look, _before(body, times))
        region = None if place is None else region_at(plate.shape[:2], look, place)
        if region is not None:
            x0, y0, x1, y1 = region.box
            hole[y0:y1, x0:x1] |= region.mask.astype(np.uint8)
    return cv2.dilate(hole, np.ones((_RIM, _RIM), np.uint8)) > 0


def _before(body: Body, times: np.ndarray) -> np.ndarray:
    """(2,) where a body was one frame before it is first seen, if it came at its first speed."""
    first, later = times[0], times[_STEPS - 1]
    step = (body.poses[later, :2] - body.poses[first, :2]) / (later - first)
    return body.poses[first, :2] - step
