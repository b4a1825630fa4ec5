"""The nouns of learned perception and one Protocol per role: Segmenter, Detector, VideoTracker.

Pixel centres lie at integer coordinates, as everywhere in ``tools``. Boxes are (x0, y0, x1, y1)
pixels, float, with x1 and y1 exclusive. Masks are bool (H, W).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from tools.masks.area import Box
from tools.types import ContractError, check_name

Progress = Callable[[str, int, int], None]
"""Called as ``progress(what, done, total)``; ``silent`` by default."""


def silent(what: str, done: int, total: int) -> None:
    """Report nothing."""


@dataclass(frozen=True)
class Prompt:
    """Where an object is: a box, points, or both. labels: per point 1 (on the object) or 0 (not on
    it)."""

    box: Box | None = None
    points: tuple[tuple[float, float], ...] = ()
    labels: tuple[int, ...] = ()

    def __post_init__(self):
        if self.box is None and not self.points:
            raise ContractError("Prompt", "a box or at least one point", "neither")
        if len(self.labels) != len(self.points) or any(
            label not in (0, 1) for label in self.labels
        ):
            raise ContractError(
                "Prompt.labels",
                "one 0 or 1 for each point",
                f"{self.labels} for {len(self.points)} points",
            )
        if self.box is not None and not (self.box[0] < self.box[2] and self.box[1] < self.box[3]):
            raise ContractError(
                "Prompt.box", "(x0, y0, x1, y1) with x0 < x1 and y0 < y1", str(self.box)
            )


@dataclass(frozen=True)
class Segment:
    """A mask (H, W) bool and the model's own estimate of its quality in [0, 1]."""

    mask: np.ndarray = field(repr=False)
    score: float


@dataclass(frozen=True)
class Detection:
    """An object found by words in one frame. score: in [0, 1]. mask: (H, W) bool when the detector
    has one itself."""

    name: str
    words: str
    box: Box
    score: float
    mask: np.ndarray | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Seed:
    """Where tracking of an object starts (or is corrected): its mask (H, W) bool in frame
    ``frame``."""

    name: str
    frame: int
    mask: np.ndarray = field(repr=False)

    def __post_init__(self):
        check_name(self.name, "Seed.name")
        if self.mask.dtype != bool or self.mask.ndim != 2 or not self.mask.any():
            raise ContractError(
                f"Seed {self.name}",
                "a bool mask (H, W) with at least one pixel",
                f"{self.mask.dtype} {self.mask.shape}",
            )


@dataclass(frozen=True)
class MaskTracks:
    """Masks of objects through a clip.

    masks: name -> (T, H, W) bool, all False where the object is not visible; no pixel belongs to
    two objects. confidence: name -> (T,) in [0, 1], 0 where the object is not visible.
    """

    masks: Mapping[str, np.ndarray] = field(repr=False)
    confidence: Mapping[str, np.ndarray] = field(repr=False)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.masks)

    def seen(self, name: str) -> np.ndarray:
        """(T,) bool: frames in which ``name`` has a mask."""
        return np.asarray(self.masks[name].any(axis=(1, 2)))


class Segmenter(Protocol):
    """Masks from boxes and points. ``identity`` names model and weights; it is part of cache
    keys."""

    identity: str

    def segment(self, frame: np.ndarray, prompts: Sequence[Prompt]) -> tuple[Segment, ...]:
        """One segment per prompt, in order. frame: (H, W, 3) uint8."""
        ...

    def everything(self, frame: np.ndarray) -> tuple[Segment, ...]:
        """Segments of whatever stands out in the frame, best first."""
        ...


class Detector(Protocol):
    """Objects from words."""

    identity: str

    def detect(
        self, frames: np.ndarray, at: Sequence[int], words: Mapping[str, str]
    ) -> tuple[tuple[Detection, ...], ...]:
        """For each frame index in ``at`` every candidate, best first; several per name are
        possible, none = "not found".

        frames: (T, H, W, 3) uint8, the whole clip (a detector may use it to tell what moves).
        words: name -> phrase.
        """
        ...


class VideoTracker(Protocol):
    """Masks through time from masks in single frames."""

    identity: str

    def track(
        self, frames: np.ndarray, seeds: Sequence[Seed], progress: Progress = silent
    ) -> MaskTracks:
        """Follow every seeded object forwards from its first seed; later seeds of a name correct
        the track.

        frames: (T, H, W, 3) uint8. Frames before the first seed of a name stay empty (see
        ``pipeline.both_ways``).
        """
        ...


def empty_tracks(
    names: Sequence[str], frames: np.ndarray
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """All-False masks and zero confidence for a tracker to fill in."""
    shape = frames.shape[:3]
    return {n: np.zeros(shape, bool) for n in names}, {n: np.zeros(len(frames)) for n in names}


def check_seeds(seeds: Sequence[Seed], frames: np.ndarray) -> dict[int, list[Seed]]:
    """Seeds by frame; raises ContractError on none, a frame outside the clip, or a mask of another
    size."""
    if not seeds:
        raise ContractError("seeds", "at least one", "none", "detect something first")
    by_frame: dict[int, list[Seed]] = {}
    for seed in seeds:
        if not 0 <= seed.frame < len(frames):
            raise ContractError(
                f"Seed {seed.name}.frame", f"0 to {len(frames) - 1}", str(seed.frame)
            )
        if seed.mask.shape != frames.shape[1:3]:
            raise ContractError(
                f"Seed {seed.name}.mask", f"shape {frames.shape[1:3]}", str(seed.mask.shape)
            )
        by_frame.setdefault(seed.frame, []).append(seed)
    return by_frame


def impose(
    seeds: Sequence[Seed], masks: Mapping[str, np.ndarray], confidence: Mapping[str, np.ndarray]
) -> None:
    """Make the masks of the seeds' frames the seeds themselves, at full confidence; networks only
    come near them."""
    for seed in seeds:
        for name, mask in masks.items():
            mask[seed.frame] = seed.mask if name == seed.name else mask[seed.frame] & ~seed.mask
        confidence[seed.name][seed.frame] = 1.0


def box_iou(a: Box, b: Box) -> float:
    """Intersection over union of two boxes."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    inter = max(width, 0.0) * max(height, 0.0)
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - inter
    return inter / union if union > 0 else 0.0


def suppress(boxes: Sequence[Box], scores: Sequence[float], overlap: float) -> list[int]:
    """Indices kept by greedy non-maximum suppression, best score first (ties: lower index)."""
    kept: list[int] = []
    for i in sorted(range(len(boxes)), key=lambda i: (-scores[i], i)):
        if all(box_iou(boxes[i], boxes[j]) <= overlap for j in kept):
            kept.append(i)
    return kept
