"""VideoTracker without a network: colour, place and motion. The default, and the fallback of the
learned trackers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from tools.masks.area import bridged
from tools.perception.background import background, pixel_noise
from tools.perception.segmentation import foreground, regions
from tools.types import check_frames
from tools.vision.roles import MaskTracks, Progress, Seed, check_seeds, empty_tracks, silent

COLOURS = 4
"""Colours that describe one object at most."""

GATE = 0.5
"""How far, as a share of its own size, an object may be from where it is expected; grows while it
is lost."""


@dataclass(frozen=True)
class _Object:
    """What is known of an object: colours (n, 3), area in pixels, last mask and centre, velocity in
    pixels a frame, frames since it was last seen."""

    name: str
    colours: np.ndarray
    area: float
    mask: np.ndarray
    centre: np.ndarray
    velocity: np.ndarray
    lost: int = 0

    @property
    def size(self) -> float:
        return float(np.sqrt(self.area))


class ClassicalTracker:
    """Follows seeded objects by colour and expected place on a still background.

    Foreground pixels go to the object whose colours and expected place explain them best; the
    connected region nearest to the expected place is the object. While an object is hidden its gate
    grows, so that it is found again on re-entry. reach: grey levels within which a pixel has an
    object's colour.
    """

    identity = "classical-1"

    def __init__(self, reach: float = 45.0):
        self.bounding_radius = reach

    def track(
        self, frames: np.ndarray, seeds: Sequence[Seed], progress: Progress = silent
    ) -> MaskTracks:
        """See :class:`tools.vision.roles.VideoTracker`; confidence is the share of the object's
        usual area that is seen."""
        check_frames(frames)
        by_frame = check_seeds(seeds, frames)
        masks, confidence = empty_tracks(list(dict.fromkeys(seed.name for seed in seeds)), frames)
        noise = pixel_noise(frames)
        plate = background(frames, noise)
        objects: dict[str, _Object] = {}
        for t in range(min(by_frame), len(frames)):
            found = self._follow(
                frames[t], foreground(frames[t], plate, noise), list(objects.values())
            )
            found |= {seed.name: seed.mask for seed in by_frame.get(t, ())}
            for seed in by_frame.get(t, ()):
                objects[seed.name] = _begin(seed, frames[t])
            for name, mask in found.items():
                objects[name] = _update(objects[name], mask)
                masks[name][t] = mask
                confidence[name][t] = min(1.0, mask.sum() / objects[name].area)
            progress("classical tracker", t + 1, len(frames))
        return MaskTracks(masks, confidence)

    def _follow(
        self, frame: np.ndarray, moving: np.ndarray, objects: list[_Object]
    ) -> dict[str, np.ndarray]:
        """Name -> mask (maybe empty) in this frame."""
        if not objects:
            return {}
        cost = np.stack([self._cost(frame, obj) for obj in objects])
        owner = cost.argmin(axis=0)
        near = cost.min(axis=0) < 1.0
        own = {obj.name: near & (owner == k) for k, obj in enumerate(objects)}
        return {
            obj.name: _nearest_region(bridged(own[obj.name] & moving, own[obj.name] & ~moving), obj)
            for obj in objects
        }

    def _cost(self, frame: np.ndarray, obj: _Object) -> np.ndarray:
        """(H, W): below 1 where colour and place fit; place decides among objects of one colour."""
        colour = (
            np.stack([np.abs(frame.astype(np.float32) - c).max(-1) for c in obj.colours]).min(
                axis=0
            )
            / self.bounding_radius
        )
        place = _distance(obj) / (obj.size * (GATE + 0.5 * obj.lost) + 2.0)
        return np.where((colour < 1.0) & (place < 1.0), 0.5 * colour + 0.5 * place, np.inf)


def _begin(seed: Seed, frame: np.ndarray) -> _Object:
    """Describe an object by its seed: the colours of the mask's inside."""
    inside = cv2.erode(seed.mask.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool)
    pixels = frame[inside if inside.sum() >= 9 else seed.mask].astype(np.float32)
    return _Object(
        seed.name,
        _colours(pixels),
        float(seed.mask.sum()),
        seed.mask,
        _centre(seed.mask),
        np.zeros(2),
    )


def _colours(pixels: np.ndarray) -> np.ndarray:
    """(n, 3) colours that cover most of the pixels (N, 3): the densest 32-level bin, again and
    again."""
    found: list[np.ndarray] = []
    rest = pixels
    while len(found) < COLOURS and len(rest) >= max(1, 0.08 * len(pixels)):
        codes = (rest // 32).astype(np.int32) @ np.array([64, 8, 1])
        centre = np.median(rest[codes == np.bincount(codes).argmax()], axis=0)
        found.append(centre)
        rest = rest[np.abs(rest - centre).max(1) > 40]
    return np.array(found)


def _update(obj: _Object, mask: np.ndarray) -> _Object:
    """After a frame: place and velocity from the mask; while hidden the object coasts."""
    if not mask.any():
        moved = obj.centre + obj.velocity
        return replace(obj, mask=_shifted(obj.mask, obj.velocity), centre=moved, lost=obj.lost + 1)
    centre = _centre(mask)
    whole = mask.sum() > 0.7 * obj.area
    velocity = (centre - obj.centre) / (obj.lost + 1) if whole else obj.velocity
    return replace(
        obj,
        mask=mask,
        centre=centre,
        velocity=velocity,
        area=max(obj.area, float(mask.sum())),
        lost=0,
    )


def _distance(obj: _Object) -> np.ndarray:
    """(H, W) pixels to the mask where it is expected now (anywhere, once it has left the image)."""
    expected = _shifted(obj.mask, obj.velocity)
    if not expected.any():
        h, w = obj.mask.shape
        ys, xs = np.mgrid[:h, :w]
        return np.hypot(
            xs - np.clip(obj.centre[0], 0, w - 1), ys - np.clip(obj.centre[1], 0, h - 1)
        ).astype(np.float32)
    return cv2.distanceTransform((~expected).astype(np.uint8), cv2.DIST_L2, 5)


def _nearest_region(mask: np.ndarray, obj: _Object) -> np.ndarray:
    """The region of ``mask`` that is best by size and nearness to the expected place, with the
    other pieces of the object where something in front cuts it into several; an empty mask when
    there is none."""
    expected = obj.centre + obj.velocity
    found = regions(mask, max(4.0, 0.02 * obj.area))
    whole = np.zeros(mask.shape, bool)
    if not found:
        return whole
    far = obj.size * (1 + obj.lost)
    best = max(
        found,
        key=lambda r: (
            r.area / obj.area - 0.5 * np.hypot(r.x - expected[0], r.y - expected[1]) / far
        ),
    )
    near = cv2.dilate(
        _shifted(obj.mask, obj.velocity).astype(np.uint8), np.ones((5, 5), np.uint8)
    ).astype(bool)
    for region in found:
        x0, y0, x1, y1 = region.box
        if region is best or near[y0:y1, x0:x1][region.mask].mean() > 0.6:
            whole[y0:y1, x0:x1] |= region.mask
    return whole


def _centre(mask: np.ndarray) -> np.ndarray:
    ys, xs = np.nonzero(mask)
    return np.array([xs.mean(), ys.mean()])


def _shifted(mask: np.ndarray, by: np.ndarray) -> np.ndarray:
    dx, dy = (round(float(v)) for v in by)
    matrix = np.array([[1, 0, dx], [0, 1, dy]], np.float32)
    return cv2.warpAffine(
        mask.astype(np.uint8), matrix, mask.shape[::-1], flags=cv2.INTER_NEAREST
    ).astype(bool)
