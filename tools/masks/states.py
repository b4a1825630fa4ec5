"""Masks to states: the mask says where to look, the image says where the edge is.

Inside the mask, grown by a margin, the object's soft coverage is measured against the background as in the classical
route. Its moments start the pose; analysis by synthesis refines it: a look is measured where the object is seen best and
drawn against every frame, pixels that other objects claim left out. A mask that is a few pixels too small, too large or
displaced therefore hardly moves the state. How little mask and image agree is carried into the noise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import cv2
import numpy as np

from tools.masks.area import core, mask_box
from tools.perception.background import background, pixel_noise, sample
from tools.perception.linking import Chain
from tools.perception.looks import fit_look, guess_look
from tools.perception.parts import Part, Track
from tools.perception.segmentation import Region, coverage, foreground, moments
from tools.perception.tracking import follow
from tools.types import ContractError, States, check_frames

ATTRIBUTES = ("x", "y", "angle", "length", "width", "area")
FLAT = 24.0
"""Spread of an object's colours (grey levels, median absolute deviation) up to which it counts as flat-coloured."""

EXPLAINED = 9.0
"""Root mean square residual (grey levels, beyond noise) up to which a fitted shape counts as the right one."""


@dataclass(frozen=True)
class Measured:
    """An object through a clip, from masks.

    values: (T, 6) x, y, angle (of the longer axis, unwrapped), length and width (full, of the rectangle with the same
    second moments), area; NaN where it is not visible. deviation: (T,) standard deviation of x and y in pixels.
    agreement: (T,) IoU of mask and image evidence. colour: (3,) median colour. flat: whether that colour explains it.
    """

    name: str
    values: np.ndarray = field(repr=False)
    deviation: np.ndarray = field(repr=False)
    agreement: np.ndarray = field(repr=False)
    colour: np.ndarray
    flat: bool


@dataclass(frozen=True)
class Evidence:
    """What the image says, shared by all objects of a clip: frames, plate (H, W, 3) uint8, pixel noise in grey levels."""

    frames: np.ndarray = field(repr=False)
    plate: np.ndarray = field(repr=False)
    noise: float

    @classmethod
    def of(cls, frames: np.ndarray, plate: np.ndarray | None = None) -> Evidence:
        """Measure noise and plate; pass ``plate`` when it is known better."""
        noise = pixel_noise(check_frames(frames))
        return cls(frames, background(frames, noise) if plate is None else plate, noise)


def mask_states(frames: np.ndarray, masks: Mapping[str, np.ndarray], confidence: Mapping[str, np.ndarray] | None = None,
                plate: np.ndarray | None = None, attributes: tuple[str, ...] = ("x", "y", "angle")) -> States:
    """States from masks, sub-pixel, with noise: columns ``name.attribute`` for every mask.

    frames: (T, H, W, 3) uint8. masks: name -> (T, H, W) bool. confidence: name -> (T,) in [0, 1], raises the noise of
    what a tracker was unsure of. attributes: some of ATTRIBUTES. A frame without a mask gives NaN.
    """
    unknown = [a for a in attributes if a not in ATTRIBUTES]
    if unknown:
        raise ContractError("mask_states attributes", "some of " + ", ".join(ATTRIBUTES), ", ".join(unknown))
    measured = measure(Evidence.of(frames, plate), masks)
    pick = [ATTRIBUTES.index(a) for a in attributes]
    columns = tuple(f"{name}.{a}" for name in measured for a in attributes)
    values = np.concatenate([m.values[:, pick] for m in measured.values()], axis=1)
    noise = [_column_noise(m, a, None if confidence is None else confidence[name]) for name, m in measured.items() for a in attributes]
    return States(columns, values, np.array(noise))


def _column_noise(measured: Measured, attribute: str, confidence: np.ndarray | None) -> float:
    """Standard deviation of one column: that of the position, turned into the attribute's unit; doubled at confidence 0."""
    seen = np.isfinite(measured.values[:, 0])
    if not seen.any():
        return 1.0
    weight = 1.0 if confidence is None else 2.0 - np.clip(confidence[seen], 0, 1)
    position = float(np.sqrt(np.mean((measured.deviation[seen] * weight) ** 2)))
    length, width = np.nanmedian(measured.values[:, 3]), np.nanmedian(measured.values[:, 4])
    lever = max(np.sqrt(abs(length**2 - width**2) / 12), 1.0)
    scale = {"angle": 1.0 / lever, "length": 2.0, "width": 2.0, "area": 2.0 * (length + width)}.get(attribute, 1.0)
    return max(position * float(scale), 1e-6)


def measure(evidence: Evidence, masks: Mapping[str, np.ndarray], refine: bool = True) -> dict[str, Measured]:
    """Every object through the clip. masks: name -> (T, H, W) bool. refine: False stops at the moments (fast)."""
    for name, mask in masks.items():
        if mask.shape != evidence.frames.shape[:3] or mask.dtype != bool:
            raise ContractError(f"masks[{name!r}]", f"bool array {evidence.frames.shape[:3]}", f"{mask.dtype} {mask.shape}")
    rough = {name: _rough(evidence, masks, name, refine) for name in masks}
    tracks = _synthesised(evidence, {name: sighting for name, (_, sighting) in rough.items() if sighting is not None})
    return {name: _joined(measured, tracks.get(name)) for name, (measured, _) in rough.items()}


@dataclass(frozen=True)
class _Sighting:
    """What analysis by synthesis starts from: the colour (None for a sprite), the shape, the regions by frame."""

    colour: np.ndarray | None
    shape: str
    chain: Chain


def _rough(evidence: Evidence, masks: Mapping[str, np.ndarray], name: str, refine: bool) -> tuple[Measured, _Sighting | None]:
    """Poses by moments of the soft coverage near the masks, and (if it is wanted) where the refinement starts."""
    colour, flat = mask_colour(evidence.frames, masks[name])
    count = len(evidence.frames)
    values, deviation, agreement = np.full((count, 6), np.nan), np.full(count, np.nan), np.zeros(count)
    softs: dict[int, np.ndarray] = {}
    for t in np.flatnonzero(masks[name].any(axis=(1, 2))):
        mask = masks[name][t]
        soft = soft_mask(evidence, t, mask, _others(masks, name, t), colour if flat else None)
        if soft.sum() >= 3.0:
            softs[int(t)], values[t] = soft, _pose(soft)
            agreement[t] = _agreement(mask, soft)
            deviation[t] = _deviation(soft, mask, agreement[t], evidence, colour)
    values[:, 2] = _unwrap_axis(values[:, 2])
    measured = Measured(name, values, deviation, agreement, colour, flat)
    return measured, _sighting(evidence, softs, masks, name, colour if flat else None) if refine else None


def _others(masks: Mapping[str, np.ndarray], name: str, t: int) -> np.ndarray:
    """(H, W) bool: pixels of frame t that other objects claim and this one does not."""
    claimed = [mask[t] for other, mask in masks.items() if other != name]
    return np.any(claimed, axis=0) & ~masks[name][t] if claimed else np.zeros(masks[name].shape[1:], bool)


# ------------------------------------------------------------------------------------------------ analysis by synthesis


def _sighting(evidence: Evidence, softs: Mapping[int, np.ndarray], masks: Mapping[str, np.ndarray], name: str,
              colour: np.ndarray | None) -> _Sighting | None:
    """Regions of the soft coverage, and the shape that explains the largest of them away from the border."""
    found = {t: region for t, soft in softs.items() if (region := _region(soft > 0.5)) is not None}
    if not found:
        return None
    t = max(found, key=lambda t: (not found[t].edge, found[t].area, -t))
    shape = "sprite" if colour is None else _shape(evidence, t, found[t], _others(masks, name, t), colour)
    return _Sighting(colour, shape, Chain(found))


def _shape(evidence: Evidence, t: int, region: Region, others: np.ndarray, colour: np.ndarray) -> str:
    """The simplest flat shape that, fitted to frame t, leaves hardly more than noise; "polygon" when none does."""
    free = ~cv2.dilate(others.astype(np.uint8), np.ones((5, 5), np.uint8)).astype(bool)
    errors = {}
    for kind in ("disk", "box"):
        look, pose = guess_look(region, ~free, tuple(float(c) for c in colour), kind)
        errors[kind] = fit_look(look, pose, evidence.frames[t], evidence.plate, free)[2]
    best = min(errors.values())
    if best > EXPLAINED + 2.0 * evidence.noise:
        return "polygon"
    return next(kind for kind, error in errors.items() if error <= 1.2 * best + 0.5)


def _region(mask: np.ndarray) -> Region | None:
    """All pieces of a mask as one region; None below 5 pixels."""
    box = mask_box(mask)
    if box is None or mask.sum() < 5:
        return None
    x0, y0, x1, y1 = (int(v) for v in box)
    _, x, y, _, _ = moments(mask.astype(np.float64))
    edge = x0 == 0 or y0 == 0 or x1 == mask.shape[1] or y1 == mask.shape[0]
    return Region(x, y, float(mask.sum()), (x0, y0, x1, y1), edge, mask[y0:y1, x0:x1])


def _synthesised(evidence: Evidence, sightings: Mapping[str, _Sighting]) -> dict[str, Track]:
    """Tracks of all objects together, drawn over each other in depth order."""
    if not sightings:
        return {}
    chains = [(s.colour, s.chain) for s in sightings.values()]
    parts = [Part(name, s.shape, None if s.colour is None else tuple(float(c) for c in s.colour)) for name, s in sightings.items()]
    return {track.name: track for track in follow(evidence.frames, evidence.plate, evidence.noise, chains, parts).tracks}


def _joined(rough: Measured, track: Track | None) -> Measured:
    """The track's poses where it has some and they agree with the masks, else those by moments.

    Frames without a mask between two sightings are filled where the drawn object explains the picture.
    """
    if track is None:
        return rough
    away = np.hypot(*(track.poses[:, :2] - rough.values[:, :2]).T)
    use = track.seen & ~(away > max(track.look.reach, 4.0))
    values, deviation = rough.values.copy(), rough.deviation.copy()
    values[use] = _values_of(track, rough.values)[use]
    disagreement = np.where(np.isfinite(rough.deviation), rough.deviation, 0.0)[use]
    deviation[use] = np.hypot(float(np.mean(track.noise[:2])), 0.2 * disagreement)
    return replace(rough, values=values, deviation=deviation)


def _values_of(track: Track, rough: np.ndarray) -> np.ndarray:
    """(T, 6) as in ``Measured`` from a track; sizes are the look's, the same in every frame."""
    count = len(track.poses)
    x, y, angle = track.poses.T
    if track.look.shape == "disk":
        diameter = 2 * track.look.size[0]
        return np.column_stack([x, y, rough[:, 2], *np.full((3, count), [[diameter], [diameter], [np.pi * diameter**2 / 4]])])
    if track.look.shape == "box":
        w, h = track.look.size
        return np.column_stack([x, y, angle + (0.0 if w >= h else np.pi / 2), *np.full((3, count), [[max(w, h)], [min(w, h)], [w * h]])])
    known = np.isfinite(rough[:, 2]) & np.isfinite(angle)
    turn = 0.5 * np.angle(np.exp(2j * (rough[known, 2] - angle[known])).mean()) if known.any() else 0.0
    sizes = np.broadcast_to(np.nanmedian(rough[:, 3:], axis=0), (count, 3))
    return np.column_stack([x, y, angle + turn, sizes])


# ----------------------------------------------------------------------------------------------------------- coverage


def mask_colour(frames: np.ndarray, masks: np.ndarray) -> tuple[np.ndarray, bool]:
    """Median colour (3,) of what masks (T, H, W) cover, away from their edges, and whether it is one flat colour."""
    pixels = [frames[t][core(masks[t])] for t in sample(np.flatnonzero(masks.any(axis=(1, 2))), 32)]
    if not pixels:
        return np.zeros(3), False
    stack = np.concatenate(pixels).astype(np.float64)
    colour = np.median(stack, axis=0)
    return colour, bool(np.median(np.abs(stack - colour).max(1)) <= FLAT)


def soft_mask(evidence: Evidence, t: int, mask: np.ndarray, others: np.ndarray, colour: np.ndarray | None) -> np.ndarray:
    """Coverage (H, W) float in [0, 1] of an object near its mask, from the image.

    others: pixels that other objects claim. colour: the object's flat colour, or None: then every pixel that differs from the plate counts, as far as the mask
    reaches. The margin by which the mask is grown follows its size, so that small objects are not lost in it.
    """
    frame = evidence.frames[t]
    margin = int(np.clip(round(0.2 * np.sqrt(mask.sum())), 2, 8))
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * margin + 1, 2 * margin + 1))
    region = cv2.dilate(mask.astype(np.uint8), kernel).astype(bool) & ~others
    if colour is None:
        return (mask & (foreground(frame, evidence.plate, evidence.noise) | core(mask))).astype(np.float64)
    soft = coverage(frame, evidence.plate, colour, evidence.noise).astype(np.float64) * region
    return soft if soft.sum() >= 0.25 * mask.sum() else mask.astype(np.float64)


def _pose(soft: np.ndarray) -> np.ndarray:
    """x, y, angle, length, width, area by moments of the coverage."""
    area, x, y, angle, elongation = moments(soft)
    ys, xs = np.arange(soft.shape[0]), np.arange(soft.shape[1])
    spread = (soft.sum(0) @ (xs - x) ** 2 + soft.sum(1) @ (ys - y) ** 2) / area
    minor = spread / (1 + elongation**2)
    return np.array([x, y, angle, np.sqrt(12 * minor) * elongation, np.sqrt(12 * minor), area])


def _agreement(mask: np.ndarray, soft: np.ndarray) -> float:
    image = soft > 0.5
    union = np.count_nonzero(mask | image)
    return np.count_nonzero(mask & image) / union if union else 0.0


def _deviation(soft: np.ndarray, mask: np.ndarray, agreement: float, evidence: Evidence, colour: np.ndarray) -> float:
    """Standard deviation of the centroid in pixels.

    Pixel noise: each of n pixels carries noise / contrast of coverage with lever r. Disagreement of mask and image: were
    the share 1 - IoU of the area missing on one side, the centroid would move by (1 - IoU) r / 2; a tenth of it counts,
    because the image decides and the mask only limits where it is asked.
    """
    area = float(soft.sum())
    radius = np.sqrt(area / np.pi)
    contrast = max(float(np.abs(evidence.plate[mask].astype(np.float64) - colour).max(-1).mean()), 1.0)
    random = max(evidence.noise, 0.3) / contrast * radius * np.sqrt(np.pi) / 2 / np.sqrt(area)
    return float(np.hypot(random, 0.05 * (1 - agreement) * radius))


def _unwrap_axis(angle: np.ndarray) -> np.ndarray:
    """Continuous angle of an axis (period pi); NaN stays NaN."""
    known = np.isfinite(angle)
    out = angle.copy()
    out[known] = np.unwrap(angle[known], period=np.pi)
    return out
