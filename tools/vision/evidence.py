"""What can be measured about masks without asking anybody: colour, shape, motion, overlap,
reconstruction.

Pure functions from frames and masks to numbers; ``check`` turns them into verdicts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import combinations
from typing import Any

import cv2
import numpy as np

from tools.masks.area import core, mask_iou
from tools.masks.soft import ImageEvidence
from tools.masks.states import MaskTrack, measure
from tools.perception.segmentation import foreground, regions
from tools.vision.colours import colour_distance, colour_name, colours_in, lab

APART = 12.0
"""CIELAB distance from which two objects can be told apart by colour."""


@dataclass(frozen=True)
class ObjectEvidence:
    """Measured facts about one object's masks through a clip.

    words: the phrase it was asked for by. frames_seen: frames with a mask. colour: median RGB;
    colour_name: its basic term; named: the terms in ``words``; colour_error: CIELAB distance to the
    nearest of them, None when there are none. elongation: length / width. fill: area / (length x
    width), 1 for a rectangle, pi / 4 for an ellipse of the same moments' rectangle. agreement:
    median IoU of mask and image. idle: share of masked pixels that show plain background. twin: the
    object whose mask coincides with this one's in most frames, and their IoU. swapped: other object
    -> frames in which this mask shows that object. missing: frames without a mask although the
    image shows the object. jumps: frames in which it moves by far more than usual.
    """

    name: str
    words: str
    frames: int
    frames_seen: int
    colour: tuple[float, float, float] = (0.0, 0.0, 0.0)
    colour_name: str = ""
    named: tuple[str, ...] = ()
    colour_error: float | None = None
    elongation: float = 1.0
    fill: float = 0.0
    agreement: float = 0.0
    idle: float = 0.0
    twin: tuple[str, float] = ("", 0.0)
    swapped: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    missing: tuple[int, ...] = ()
    jumps: tuple[int, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """JSON-ready, numbers rounded."""
        data = asdict(self)
        for key in ("colour_error", "elongation", "fill", "agreement", "idle"):
            data[key] = None if data[key] is None else round(float(data[key]), 3)
        return data | {
            "colour": [round(v) for v in self.colour],
            "named": list(self.named),
            "twin": [self.twin[0], round(self.twin[1], 3)],
            "swapped": {k: list(v) for k, v in self.swapped.items()},
            "missing": list(self.missing),
            "jumps": list(self.jumps),
        }


@dataclass(frozen=True)
class ClipEvidence:
    """Evidence for all objects of a clip. unexplained: (T,) share of the moving pixels that no mask
    covers."""

    objects: Mapping[str, ObjectEvidence]
    unexplained: np.ndarray = field(repr=False)

    def to_json(self) -> dict[str, Any]:
        return {
            "objects": {name: e.to_json() for name, e in self.objects.items()},
            "unexplained": round(float(self.unexplained.mean()), 4),
        }


def gather(
    frames: np.ndarray,
    masks: Mapping[str, np.ndarray],
    words: Mapping[str, str],
    plate: np.ndarray | None = None,
) -> ClipEvidence:
    """All evidence. frames: (T, H, W, 3) uint8. masks: name -> (T, H, W) bool. words: name ->
    phrase."""
    evidence = ImageEvidence.of(frames, plate)
    moving = np.stack([foreground(frame, evidence.plate, evidence.noise) for frame in frames])
    measured = measure(evidence, masks, refine=False)
    swaps = swapped(frames, masks, measured)
    objects = {
        name: _one(evidence, moving, masks, measured, name, words.get(name, ""), swaps)
        for name in masks
    }
    return ClipEvidence(objects, _unexplained(moving, masks))


def _one(
    evidence: ImageEvidence,
    moving: np.ndarray,
    masks: Mapping[str, np.ndarray],
    measured: Mapping[str, MaskTrack],
    name: str,
    words: str,
    swaps: Mapping[tuple[str, str], tuple[int, ...]],
) -> ObjectEvidence:
    own, mask = measured[name], masks[name]
    seen = mask.any(axis=(1, 2))
    if not seen.any():
        return ObjectEvidence(name, words, len(mask), 0, named=colours_in(words))
    named = colours_in(words)
    length, width, area = (
        float(np.nanmedian(own.values[:, k])) if np.isfinite(own.values[:, k]).any() else 1.0
        for k in (3, 4, 5)
    )
    red, green, blue = (float(v) for v in own.colour)
    mine = {(b if a == name else a): at for (a, b), at in swaps.items() if name in (a, b) and at}
    return ObjectEvidence(
        name,
        words,
        len(mask),
        int(seen.sum()),
        colour=(red, green, blue),
        colour_name=colour_name(own.colour),
        named=named,
        colour_error=min((colour_distance(own.colour, term) for term in named), default=None),
        elongation=length / max(width, 1e-6),
        fill=area / max(length * width, 1e-6),
        agreement=float(np.median(own.agreement[seen])),
        idle=float(1.0 - moving[mask].mean()),
        twin=_twin(masks, name),
        swapped=mine,
        missing=_missing(evidence, moving, masks, own),
        jumps=_jumps(own.values),
    )


def _unexplained(moving: np.ndarray, masks: Mapping[str, np.ndarray]) -> np.ndarray:
    covered = np.any(list(masks.values()), axis=0) if masks else np.zeros_like(moving)
    rest = [
        m & ~cv2.dilate(c.astype(np.uint8), np.ones((5, 5), np.uint8)).astype(bool)
        for m, c in zip(moving, covered, strict=True)
    ]
    return np.array([r.sum() / max(m.sum(), 1) for r, m in zip(rest, moving, strict=True)])


def _twin(masks: Mapping[str, np.ndarray], name: str) -> tuple[str, float]:
    """The other object whose masks coincide most, and the median IoU over the frames in which this
    one has a mask."""
    seen = np.flatnonzero(masks[name].any(axis=(1, 2)))
    scores = {
        other: float(np.median([mask_iou(masks[name][t], m[t]) for t in seen]))
        for other, m in masks.items()
        if other != name
    }
    best = max(scores, key=scores.__getitem__, default="")
    return (best, scores[best]) if best and scores[best] > 0.2 else ("", 0.0)


def _missing(
    evidence: ImageEvidence, moving: np.ndarray, masks: Mapping[str, np.ndarray], own: MaskTrack
) -> tuple[int, ...]:
    """Frames without a mask in which pixels that nobody claims have the object's colour, and are
    enough to be it."""
    empty = np.flatnonzero(~masks[own.name].any(axis=(1, 2)))
    area = np.nanmedian(own.values[:, 5]) if np.isfinite(own.values[:, 5]).any() else np.inf
    found = []
    for t in empty:
        free = moving[t].copy()
        for mask in masks.values():
            free &= ~mask[t]
        if own.flat:
            free &= np.abs(evidence.frames[t].astype(np.float32) - own.colour).max(-1) <= 45.0
        if any(region.area >= 0.3 * area for region in regions(free)):
            found.append(int(t))
    return tuple(found)


def _jumps(values: np.ndarray, factor: float = 8.0, least: float = 4.0) -> tuple[int, ...]:
    """Frames t at which the second difference of the position is far above its median (and above
    ``least`` pixels).

    values: (T, 6) as in ``geometry.Measured``. Frames in which part of the object is hidden do not
    count.
    """
    whole = values[:, 5] > 0.85 * np.nanmedian(values[:, 5])
    bend = np.linalg.norm(
        np.diff(np.where(whole[:, None], values[:, :2], np.nan), 2, axis=0), axis=1
    )
    if not np.isfinite(bend).any():
        return ()
    limit = max(least, factor * float(np.nanmedian(bend)))
    return tuple(int(t) + 1 for t in np.flatnonzero(np.nan_to_num(bend) > limit))


# --------------------------------------------------------------------------------------------------


def swapped(
    frames: np.ndarray, masks: Mapping[str, np.ndarray], measured: Mapping[str, MaskTrack]
) -> dict[tuple[str, str], tuple[int, ...]]:
    """Pair of names -> frames in which their masks are exchanged.

    By colour where the two differ in colour, else by motion relative to the first frame in which
    both are seen.
    """
    found = {}
    for a, b in combinations(masks, 2):
        both = np.flatnonzero(masks[a].any(axis=(1, 2)) & masks[b].any(axis=(1, 2)))
        if len(both):
            by_colour = _colour_swaps(frames, masks[a], masks[b], both)
            found[a, b] = (
                _motion_swaps(measured[a].values[:, :2], measured[b].values[:, :2], both)
                if by_colour is None
                else by_colour
            )
    return found


def _colour_swaps(
    frames: np.ndarray, a: np.ndarray, b: np.ndarray, both: np.ndarray
) -> tuple[int, ...] | None:
    """Frames in which each mask's colour is that of the other object; None when colour cannot tell.

    Two groups of colours are found over both objects' frames (two means); the rarer assignment is
    the swapped one.
    """
    first, second = (
        lab(np.array([np.median(frames[t][core(m[t])], axis=0) for t in both])) for m in (a, b)
    )
    centres = _two_means(np.concatenate([first, second]))
    if np.linalg.norm(centres[0] - centres[1]) < APART:
        return None
    label = [
        np.linalg.norm(colours[:, None] - centres, axis=2).argmin(axis=1)
        for colours in (first, second)
    ]
    differ = label[0] != label[1]
    usual = round(float(np.mean(label[0][differ]))) if differ.any() else 0
    return tuple(int(t) for t in both[differ & (label[0] != usual)])


def _two_means(points: np.ndarray, rounds: int = 10) -> np.ndarray:
    """(2, D) centres of two groups of points (N, D), started at the two points that are farthest
    from the mean."""
    start = np.linalg.norm(points - points.mean(axis=0), axis=1).argmax()
    centres = np.stack(
        [points[start], points[np.linalg.norm(points - points[start], axis=1).argmax()]]
    )
    for _ in range(rounds):
        label = np.linalg.norm(points[:, None] - centres, axis=2).argmin(axis=1)
        centres = np.stack(
            [points[label == k].mean(axis=0) if (label == k).any() else centres[k] for k in (0, 1)]
        )
    return centres


def _motion_swaps(a: np.ndarray, b: np.ndarray, both: np.ndarray) -> tuple[int, ...]:
    """Frames in which following the other mask is smoother, by constant velocity from the two
    frames before."""
    mine: list[np.ndarray] = []
    other: list[np.ndarray] = []
    paths = (mine, other)
    exchanged: list[int] = []
    for t in both:
        if not (np.isfinite(a[t]).all() and np.isfinite(b[t]).all()):
            continue
        keep, swap = _step_cost(paths, a[t], b[t]), _step_cost(paths, b[t], a[t])
        if swap < 0.5 * keep and keep > 4.0:
            exchanged.append(int(t))
            mine.append(b[t])
            other.append(a[t])
        else:
            mine.append(a[t])
            other.append(b[t])
    return tuple(exchanged)


def _step_cost(paths: Sequence[Sequence[np.ndarray]], x: np.ndarray, y: np.ndarray) -> float:
    """Pixels between where two paths are expected to go on and where they would."""
    if not paths[0]:
        return 0.0
    expected = [path[-1] + (path[-1] - path[-2] if len(path) > 1 else 0.0) for path in paths]
    return float(np.linalg.norm(expected[0] - x) + np.linalg.norm(expected[1] - y))
