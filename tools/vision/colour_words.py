"""Detector without a network: "the black cart" is the moving thing that is black. The fallback, and
the default.

It understands colour words only (see ``colours``), needs a still camera, and finds what the clip
shows to be foreground.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from tools.masks.area import bridged
from tools.perception.background import background, pixel_noise
from tools.perception.segmentation import coverage, foreground, palette, regions
from tools.types import check_frames
from tools.vision.colours import colour_distance, colours_in
from tools.vision.roles import Detection

NEAR = 45.0
"""CIELAB distance to a colour word at which a region's score has dropped to 0."""

ALIKE = 45.0
"""Grey levels within which a still pixel has an object's colour."""


class ColourWords:
    """Regions of the foreground whose flat colour is the one that the phrase names, largest and
    nearest first.

    score: 1 - distance to the colour word / NEAR, times the share that the region has of all pixels
    of its colour. smallest: pixels; smaller regions are ignored.
    """

    identity = "colour-words-1"

    def __init__(self, smallest: int = 12):
        self.smallest = smallest

    def detect(
        self, frames: np.ndarray, at: Sequence[int], words: Mapping[str, str]
    ) -> tuple[tuple[Detection, ...], ...]:
        """Detections with masks; a phrase without a colour word finds nothing."""
        check_frames(frames)
        noise = pixel_noise(frames)
        plate = background(frames, noise)
        colours = [colour for colour, _ in palette(frames, plate, noise)]
        return tuple(self._in_frame(frames[t], plate, noise, colours, words) for t in at)

    def _in_frame(
        self,
        frame: np.ndarray,
        plate: np.ndarray,
        noise: float,
        colours: list[np.ndarray],
        words: Mapping[str, str],
    ) -> tuple[Detection, ...]:
        moving = foreground(frame, plate, noise)
        found = []
        for name, phrase in words.items():
            for colour in colours:
                likeness = _likeness(colour, phrase)
                if likeness > 0:
                    found += self._regions(
                        frame, plate, noise, moving, colour, name, phrase, likeness
                    )
        return tuple(sorted(found, key=lambda d: -d.score))

    def _regions(
        self, frame, plate, noise, moving, colour, name, phrase, likeness
    ) -> list[Detection]:
        alike = np.abs(frame.astype(np.float32) - colour).max(-1) <= ALIKE
        mask = bridged(moving & (coverage(frame, plate, colour, noise) > 0.5), alike & ~moving)
        total = max(int(mask.sum()), 1)
        found = []
        for region in regions(mask, self.smallest):
            x0, y0, x1, y1 = region.box
            whole = np.zeros(mask.shape, bool)
            whole[y0:y1, x0:x1] = region.mask
            found.append(
                Detection(
                    name,
                    phrase,
                    (float(x0), float(y0), float(x1), float(y1)),
                    likeness * region.area / total,
                    whole,
                )
            )
        return found


def _likeness(colour: np.ndarray, phrase: str) -> float:
    """1 for the colour that the phrase names, 0 for others or for a phrase without a colour."""
    distances = [colour_distance(colour, term) for term in colours_in(phrase)]
    return max(0.0, 1.0 - min(distances) / NEAR) if distances else 0.0
