"""What the image says near a mask: the object's soft coverage, its moments, and how well mask and
image agree."""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np

from tools.masks.area import core, mask_box
from tools.perception.background import background, pixel_noise, sample
from tools.perception.segmentation import Region, coverage, foreground, moments
from tools.types import check_frames

FLAT = 24.0
"""Spread of an object's colours (grey levels, median absolute deviation) up to which it counts as
flat-coloured."""


@dataclass(frozen=True)
class ImageEvidence:
    """What the image says, shared by all objects of a clip: frames, plate (H, W, 3) uint8, pixel
    noise in grey levels."""

    frames: np.ndarray = field(repr=False)
    plate: np.ndarray = field(repr=False)
    noise: float

    @classmethod
    def of(cls, frames: np.ndarray, plate: np.ndarray | None = None) -> ImageEvidence:
        """Measure noise and plate; pass ``plate`` when it is known better."""
        noise = pixel_noise(check_frames(frames))
        return cls(frames, background(frames, noise) if plate is None else plate, noise)


@dataclass(frozen=True)
class Soft:
    """An object in one frame, in a window whose corner is image pixel (x0, y0). cover: (h, w) float
    in [0, 1], from the image. mask: (h, w) bool, as given. contrast: mean difference of object and
    plate, grey levels. inside: the window does not touch the border."""

    cover: np.ndarray = field(repr=False)
    mask: np.ndarray = field(repr=False)
    x0: int
    y0: int
    contrast: float
    inside: bool

    @property
    def area(self) -> float:
        return float(self.cover.sum())

    @property
    def agreement(self) -> float:
        """Intersection over union of the mask and what the image shows."""
        image = self.cover > 0.5
        union = np.count_nonzero(self.mask | image)
        return np.count_nonzero(self.mask & image) / union if union else 0.0

    def pose(self) -> np.ndarray:
        """(6,) x, y, angle, length, width, area by moments of the coverage; sizes of the rectangle
        with the same moments."""
        area, x, y, angle, elongation = moments(self.cover)
        ys, xs = np.arange(self.cover.shape[0]), np.arange(self.cover.shape[1])
        spread = (self.cover.sum(0) @ (xs - x) ** 2 + self.cover.sum(1) @ (ys - y) ** 2) / area
        width = np.sqrt(12 * spread / (1 + elongation**2))
        return np.array([x + self.x0, y + self.y0, angle, width * elongation, width, area])

    def deviation(self, noise: float) -> float:
        """Standard deviation of the centroid in pixels.

        Pixel noise: each of n pixels carries noise / contrast of coverage with lever r.
        Disagreement of mask and image: were the share 1 - IoU of the area missing on one side, the
        centroid would move by (1 - IoU) r / 2; a tenth of it counts, because the image decides and
        the mask only limits where it is asked.
        """
        radius = np.sqrt(self.area / np.pi)
        random = (
            max(noise, 0.3)
            / max(self.contrast, 1.0)
            * radius
            * np.sqrt(np.pi)
            / 2
            / np.sqrt(self.area)
        )
        return float(np.hypot(random, 0.05 * (1 - self.agreement) * radius))

    def region(self) -> Region | None:
        """The pixels that are at least half covered, all pieces as one region; None below 5
        pixels."""
        mask = self.cover > 0.5
        box = mask_box(mask)
        if box is None or mask.sum() < 5:
            return None
        left, top, right, bottom = (int(v) for v in box)
        _, x, y, _, _ = moments(mask.astype(np.float64))
        box = (left + self.x0, top + self.y0, right + self.x0, bottom + self.y0)
        return Region(
            x + self.x0,
            y + self.y0,
            float(mask.sum()),
            box,
            not self.inside,
            mask[top:bottom, left:right],
        )


def mask_colour(frames: np.ndarray, masks: np.ndarray) -> tuple[np.ndarray, bool]:
    """Median colour (3,) of what masks (T, H, W) cover, away from their edges, and whether it is
    one flat colour."""
    pixels = [frames[t][core(masks[t])] for t in sample(np.flatnonzero(masks.any(axis=(1, 2))), 32)]
    if not pixels:
        return np.zeros(3), False
    stack = np.concatenate(pixels).astype(np.float64)
    colour = np.median(stack, axis=0)
    return colour, bool(np.median(np.abs(stack - colour).max(1)) <= FLAT)


def soften(
    evidence: ImageEvidence, t: int, mask: np.ndarray, others: np.ndarray, colour: np.ndarray | None
) -> Soft:
    """Coverage of an object near its mask (H, W) in frame ``t``.

    others: (H, W) bool, pixels that other objects claim. colour: the object's flat colour, or None:
    then the pixels of the mask that differ from the plate. The margin by which the mask is grown
    follows its size, so that a small object is not lost in it. Where the image shows hardly any of
    the colour, the mask is taken as it is.
    """
    margin = int(np.clip(round(0.2 * np.sqrt(mask.sum())), 2, 8))
    window, inside = _window(mask, margin)
    frame, plate, own = evidence.frames[t][window], evidence.plate[window], mask[window]
    solid = colour if colour is not None else np.median(frame[own], axis=0)
    contrast = float(np.abs(plate[own].astype(np.float64) - solid).max(-1).mean())
    if colour is None:
        cover = (own & (foreground(frame, plate, evidence.noise) | core(own))).astype(np.float64)
    else:
        kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * margin + 1, 2 * margin + 1))
        near = cv2.dilate(own.astype(np.uint8), kernel).astype(bool) & ~others[window]
        cover = coverage(frame, plate, colour, evidence.noise).astype(np.float64) * near
    if cover.sum() < 0.25 * own.sum():
        cover = own.astype(np.float64)
    return Soft(cover, own, window[1].start, window[0].start, contrast, inside)


def _window(mask: np.ndarray, margin: int) -> tuple[tuple[slice, slice], bool]:
    """Rows and columns around a mask with a margin, and whether the mask keeps clear of the image
    border."""
    h, w = mask.shape
    box = mask_box(mask)
    assert box is not None, "an empty mask has no surroundings"
    x0, y0, x1, y1 = (int(v) for v in box)
    rows, columns = (
        slice(max(0, y0 - margin - 1), min(h, y1 + margin + 1)),
        slice(max(0, x0 - margin - 1), min(w, x1 + margin + 1)),
    )
    return (rows, columns), x0 > 0 and y0 > 0 and x1 < w and y1 < h
