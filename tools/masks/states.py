"""Masks to states: the mask says where to look, the image says where the edge is.

Inside the mask, grown by a margin, the object's soft coverage is measured against the background as
in the classical route. Its moments start the pose; analysis by synthesis refines it: a look is
measured where the object is seen best and drawn against every frame, pixels that other objects
claim left out. A mask that is a few pixels too small, too large or displaced therefore hardly moves
the state. How little mask and image agree is carried into the noise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import cv2
import numpy as np

from tools.masks.soft import ImageEvidence, mask_colour, soften
from tools.perception.appearance_fit import fit_look, guess_look
from tools.perception.linking import Chain
from tools.perception.parts import Part, Track
from tools.perception.segmentation import Region
from tools.perception.tracking import follow
from tools.types import ContractError, States

ATTRIBUTES = ("x", "y", "angle", "length", "width", "area")

EXPLAINED = 0.1
"""Root mean square residual, as a share of the object's contrast, up to which a fitted shape counts
as the right one."""


@dataclass(frozen=True)
class MaskTrack:
    """An object through a clip, from masks.

    values: (T, 6) x, y, angle (of the longer axis, unwrapped), length and width (full, of the
    rectangle with the same second moments), area; NaN where it is not visible. deviation: (T,)
    standard deviation of x and y in pixels. agreement: (T,) IoU of mask and image evidence. colour:
    (3,) median colour. flat: whether that colour explains it.
    """

    name: str
    values: np.ndarray = field(repr=False)
    deviation: np.ndarray = field(repr=False)
    agreement: np.ndarray = field(repr=False)
    colour: np.ndarray
    flat: bool


def mask_states(
    frames: np.ndarray,
    masks: Mapping[str, np.ndarray],
    confidence: Mapping[str, np.ndarray] | None = None,
    plate: np.ndarray | None = None,
    attributes: tuple[str, ...] = ("x", "y", "angle"),
) -> States:
    """States from masks, sub-pixel, with noise: columns ``name.attribute`` for every mask.

    frames: (T, H, W, 3) uint8. masks: name -> (T, H, W) bool. confidence: name -> (T,) in [0, 1],
    raises the noise of what a tracker was unsure of. attributes: some of ATTRIBUTES. A frame
    without a mask gives NaN.
    """
    unknown = [a for a in attributes if a not in ATTRIBUTES]
    if unknown:
        raise ContractError(
            "mask_states attributes", "some of " + ", ".join(ATTRIBUTES), ", ".join(unknown)
        )
    measured = measure(ImageEvidence.of(frames, plate), masks)
    pick = [ATTRIBUTES.index(a) for a in attributes]
    columns = tuple(f"{name}.{a}" for name in measured for a in attributes)
    values = np.concatenate([m.values[:, pick] for m in measured.values()], axis=1)
    noise = [
        _column_noise(m, a, None if confidence is None else confidence[name])
        for name, m in measured.items()
        for a in attributes
    ]
    return States(columns, values, np.array(noise))


def _column_noise(measured: MaskTrack, attribute: str, confidence: np.ndarray | None) -> float:
    """Standard deviation of one column: that of the position, turned into the attribute's unit;
    doubled at confidence 0."""
    seen = np.isfinite(measured.values[:, 0])
    if not seen.any():
        return 1.0
    weight = 1.0 if confidence is None else 2.0 - np.clip(confidence[seen], 0, 1)
    position = float(np.sqrt(np.mean((measured.deviation[seen] * weight) ** 2)))
    length, width = np.nanmedian(measured.values[:, 3]), np.nanmedian(measured.values[:, 4])
    lever = max(np.sqrt(abs(length**2 - width**2) / 12), 1.0)
    scale = {"angle": 1.0 / lever, "length": 2.0, "width": 2.0, "area": 2.0 * (length + width)}.get(
        attribute, 1.0
    )
    return max(position * float(scale), 1e-6)


def measure(
    evidence: ImageEvidence, masks: Mapping[str, np.ndarray], refine: bool = True
) -> dict[str, MaskTrack]:
    """Every object through the clip. masks: name -> (T, H, W) bool. refine: False stops at the
    moments (fast)."""
    for name, mask in masks.items():
        if mask.shape != evidence.frames.shape[:3] or mask.dtype != bool:
            raise ContractError(
                f"masks[{name!r}]",
                f"bool array {evidence.frames.shape[:3]}",
                f"{mask.dtype} {mask.shape}",
            )
    rough = {name: _rough(evidence, masks, name, refine) for name in masks}
    tracks = _synthesised(
        evidence, {name: sighting for name, (_, sighting) in rough.items() if sighting is not None}
    )
    return {name: _joined(measured, tracks.get(name)) for name, (measured, _) in rough.items()}


@dataclass(frozen=True)
class _Sighting:
    """What analysis by synthesis starts from: the colour (None for a sprite), the shape, the
    regions by frame."""

    colour: np.ndarray | None
    shape: str
    chain: Chain


def _rough(
    evidence: ImageEvidence, masks: Mapping[str, np.ndarray], name: str, refine: bool
) -> tuple[MaskTrack, _Sighting | None]:
    """Poses by moments of the soft coverage near the masks, and (if it is wanted) where the
    refinement starts."""
    colour, flat = mask_colour(evidence.frames, masks[name])
    count = len(evidence.frames)
    values, deviation, agreement = (
        np.full((count, 6), np.nan),
        np.full(count, np.nan),
        np.zeros(count),
    )
    regions: dict[int, Region] = {}
    for t in np.flatnonzero(masks[name].any(axis=(1, 2))).tolist():
        soft = soften(
            evidence, t, masks[name][t], _others(masks, name, t), colour if flat else None
        )
        if soft.area >= 3.0:
            values[t], agreement[t], deviation[t] = (
                soft.pose(),
                soft.agreement,
                soft.deviation(evidence.noise),
            )
            if (region := soft.region()) is not None:
                regions[t] = region
    values[:, 2] = _unwrap_axis(values[:, 2])
    measured = MaskTrack(name, values, deviation, agreement, colour, flat)
    return measured, _sighting(
        evidence, regions, masks, name, colour if flat else None
    ) if refine else None


def _others(masks: Mapping[str, np.ndarray], name: str, t: int) -> np.ndarray:
    """(H, W) bool: pixels of frame t that other objects claim and this one does not."""
    claimed = [mask[t] for other, mask in masks.items() if other != name]
    return (
        np.any(claimed, axis=0) & ~masks[name][t]
        if claimed
        else np.zeros(masks[name].shape[1:], bool)
    )


# ------------------------------------------------------------------------------------------------ a


def _sighting(
    evidence: ImageEvidence,
    regions: Mapping[int, Region],
    masks: Mapping[str, np.ndarray],
    name: str,
    colour: np.ndarray | None,
) -> _Sighting | None:
    """The regions, and the shape that explains the largest of them away from the border."""
    if not regions:
        return None
    t = max(regions, key=lambda t: (not regions[t].edge, regions[t].area, -t))
    shape = (
        "sprite"
        if colour is None
        else _shape(evidence, t, regions[t], _others(masks, name, t), colour)
    )
    return _Sighting(colour, shape, Chain(dict(regions)))


def _shape(
    evidence: ImageEvidence, t: int, region: Region, others: np.ndarray, colour: np.ndarray
) -> str:
    """The simplest flat shape that, fitted to frame t, leaves hardly more than noise; "polygon"
    when none does."""
    free = ~cv2.dilate(others.astype(np.uint8), np.ones((5, 5), np.uint8)).astype(bool)
    errors = {}
    for kind in ("disk", "box"):
        appearance, pose = guess_look(region, ~free, tuple(float(c) for c in colour), kind)
        errors[kind] = fit_look(appearance, pose, evidence.frames[t], evidence.plate, free)[2]
    best = min(errors.values())
    x0, y0, x1, y1 = region.box
    contrast = float(
        np.linalg.norm(evidence.plate[y0:y1, x0:x1][region.mask] - colour, axis=1).mean()
    )
    if best > EXPLAINED * contrast + 2.0 * evidence.noise:
        return "polygon"
    return next(kind for kind, error in errors.items() if error <= 1.2 * best + 0.5)


def _rgb(colour: np.ndarray | None) -> tuple[float, float, float] | None:
    if colour is None:
        return None
    red, green, blue = (float(value) for value in colour)
    return red, green, blue


def _synthesised(evidence: ImageEvidence, sightings: Mapping[str, _Sighting]) -> dict[str, Track]:
    """Tracks of all objects together, drawn over each other in depth order."""
    if not sightings:
        return {}
    chains = [(s.colour, s.chain) for s in sightings.values()]
    parts = [Part(name, s.shape, _rgb(s.colour)) for name, s in sightings.items()]
    return {
        track.name: track
        for track in follow(evidence.frames, evidence.plate, evidence.noise, chains, parts).tracks
    }


def _joined(rough: MaskTrack, track: Track | None) -> MaskTrack:
    """The track's poses where it has some and they agree with the masks, else those by moments.

    Frames without a mask between two sightings are filled where the drawn object explains the
    picture.
    """
    if track is None:
        return rough
    away = np.hypot(*(track.poses[:, :2] - rough.values[:, :2]).T)
    use = track.seen & ~(away > max(track.appearance.bounding_radius, 4.0))
    values, deviation = rough.values.copy(), rough.deviation.copy()
    values[use] = _values_of(track, rough.values)[use]
    disagreement = np.where(np.isfinite(rough.deviation), rough.deviation, 0.0)[use]
    deviation[use] = np.hypot(float(np.mean(track.noise[:2])), 0.2 * disagreement)
    return replace(rough, values=values, deviation=deviation)


def _values_of(track: Track, rough: np.ndarray) -> np.ndarray:
    """(T, 6) as in ``MaskTrack`` from a track; sizes are the look's, the same in every frame."""
    count = len(track.poses)
    x, y, angle = track.poses.T
    if track.appearance.shape == "disk":
        diameter = 2 * track.appearance.size[0]
        return np.column_stack(
            [
                x,
                y,
                rough[:, 2],
                *np.full((3, count), [[diameter], [diameter], [np.pi * diameter**2 / 4]]),
            ]
        )
    if track.appearance.shape == "box":
        w, h = track.appearance.size
        return np.column_stack(
            [
                x,
                y,
                angle + (0.0 if w >= h else np.pi / 2),
                *np.full((3, count), [[max(w, h)], [min(w, h)], [w * h]]),
            ]
        )
    known = np.isfinite(rough[:, 2]) & np.isfinite(angle)
    turn = (
        0.5 * np.angle(np.exp(2j * (rough[known, 2] - angle[known])).mean()) if known.any() else 0.0
    )
    sizes = np.broadcast_to(np.nanmedian(rough[:, 3:], axis=0), (count, 3))
    return np.column_stack([x, y, angle + turn, sizes])


def _unwrap_axis(angle: np.ndarray) -> np.ndarray:
    """Continuous angle of an axis (period pi); NaN stays NaN."""
    known = np.isfinite(angle)
    out = angle.copy()
    out[known] = np.unwrap(angle[known], period=np.pi)
    return out
