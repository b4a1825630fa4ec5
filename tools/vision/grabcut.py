"""Segmenter without a network: GrabCut (Rother et al. 2004, in OpenCV) from boxes, region growing
from points."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from tools.perception.background import dominant_colour
from tools.perception.segmentation import coverage, palette, regions
from tools.types import check_frames
from tools.vision.roles import Prompt, Segment


class GrabCutSegmenter:
    """Boxes and points by colour statistics. tolerance: grey levels that a region grown from a
    point may differ by."""

    identity = "grabcut-1"

    def __init__(self, iterations: int = 3, tolerance: int = 24):
        self.iterations, self.tolerance = iterations, tolerance

    def segment(self, frame: np.ndarray, prompts: Sequence[Prompt]) -> tuple[Segment, ...]:
        """One segment per prompt; score: share of the mask inside its box, or 0 when nothing was
        found."""
        check_frames(frame[None], "frame")
        return tuple(self._one(frame, prompt) for prompt in prompts)

    def _one(self, frame: np.ndarray, prompt: Prompt) -> Segment:
        mask = np.zeros(frame.shape[:2], bool)
        for (x, y), label in zip(prompt.points, prompt.labels, strict=True):
            if label == 1:
                mask |= self._grow(frame, x, y)
        if prompt.box is not None:
            inside = self._cut(frame, prompt)
            mask = (mask & _box_mask(frame, prompt.box)) if mask.any() else inside
        for (x, y), label in zip(prompt.points, prompt.labels, strict=True):
            if label == 0:
                mask &= ~self._grow(frame, x, y)
        return Segment(mask, 1.0 if mask.any() else 0.0)

    def _grow(self, frame: np.ndarray, x: float, y: float) -> np.ndarray:
        """Connected pixels of nearly the colour at (x, y)."""
        h, w = frame.shape[:2]
        at = (int(np.clip(round(x), 0, w - 1)), int(np.clip(round(y), 0, h - 1)))
        filled = np.zeros((h + 2, w + 2), np.uint8)
        level = (self.tolerance,) * 3
        cv2.floodFill(
            frame.copy(),
            filled,
            at,
            0,
            level,
            level,
            8 | cv2.FLOODFILL_MASK_ONLY | cv2.FLOODFILL_FIXED_RANGE | (1 << 8),
        )
        return filled[1:-1, 1:-1].astype(bool)

    def _cut(self, frame: np.ndarray, prompt: Prompt) -> np.ndarray:
        assert prompt.box is not None, "only a prompt with a box is cut"
        labels = np.where(_box_mask(frame, prompt.box), cv2.GC_PR_FGD, cv2.GC_BGD).astype(np.uint8)
        if not (labels == cv2.GC_PR_FGD).any() or not (labels == cv2.GC_BGD).any():
            return labels == cv2.GC_PR_FGD
        cv2.grabCut(
            np.ascontiguousarray(frame[..., ::-1]),
            labels,
            (0, 0, 0, 0),
            np.zeros((1, 65)),
            np.zeros((1, 65)),
            self.iterations,
            cv2.GC_INIT_WITH_MASK,
        )
        return (labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD)

    def everything(self, frame: np.ndarray) -> tuple[Segment, ...]:
        """Connected regions of each flat colour against the dominant one; score: share of the
        largest region's area."""
        ground, _ = dominant_colour(frame[None])
        plate = np.broadcast_to(ground.astype(np.uint8), frame.shape).copy()
        found = []
        for colour, _ in palette(frame[None], plate):
            found += [
                _whole(region, frame)
                for region in regions(coverage(frame, plate, colour) > 0.5, 12)
            ]
        found.sort(key=lambda mask: -int(mask.sum()))
        largest = max((int(mask.sum()) for mask in found), default=1)
        return tuple(Segment(mask, float(mask.sum()) / largest) for mask in found)


def _whole(region, frame: np.ndarray) -> np.ndarray:
    mask = np.zeros(frame.shape[:2], bool)
    x0, y0, x1, y1 = region.box
    mask[y0:y1, x0:x1] = region.mask
    return mask


def _box_mask(frame: np.ndarray, box: tuple[float, float, float, float]) -> np.ndarray:
    mask = np.zeros(frame.shape[:2], bool)
    x0, y0, x1, y1 = (round(v) for v in box)
    mask[max(y0, 0) : y1, max(x0, 0) : x1] = True
    return mask
