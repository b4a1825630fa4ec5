"""Which blobs of different frames are one thing: linked by how they move, then by what they look
like."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import linear_sum_assignment

from tools.perception.camera.change import Blob, Changes

_FORGET = 6
"""Frames after which a thing that is not seen is given up."""
_SIZE, _TINT, _SHADE = 1.7, 30.0, 0.5
"""Ratio of areas, difference of colours, and of what is shadow, up to which blobs look alike."""
_JUST_NOW, _MERGED = 2, 1.5
"""Frames since things were seen that may have run together, and how much larger than the largest of
them the blob is in which they have."""
_MOSTLY = 0.75
"""Share of the frames that must show a thing once for its look to tell it."""


@dataclass
class Trail:
    """One thing over time: frame -> blob."""

    blobs: dict[int, Blob] = field(default_factory=dict)

    @property
    def times(self) -> np.ndarray:
        return np.array(sorted(self.blobs))

    def series(self, name: str) -> np.ndarray:
        """An attribute over ``times``."""
        return np.array([getattr(self.blobs[t], name) for t in self.times])

    @property
    def places(self) -> np.ndarray:
        """(n, 2) centres over ``times``."""
        return np.stack([self.series("x"), self.series("y")], 1)

    @property
    def energy(self) -> float:
        return float(self.series("energy").sum())

    def ahead(self, t: int) -> np.ndarray:
        """Where it should be at frame t, at the speed of its last two sightings."""
        times = self.times[-2:]
        last = np.array([self.blobs[times[-1]].x, self.blobs[times[-1]].y])
        if len(times) < 2 or times[1] - times[0] > 3:
            return last
        before = np.array([self.blobs[times[0]].x, self.blobs[times[0]].y])
        return last + (last - before) * (t - times[1]) / (times[1] - times[0])


def linked(found: Changes) -> list[Trail]:
    """Trails through the blobs of all frames, strongest first."""
    trails: list[Trail] = []
    for t, seen in enumerate(found.blobs):
        live = [trail for trail in trails if t - max(trail.blobs) <= _FORGET]
        blobs = [blob for blob in seen if not _of_several(blob, live, t)]
        taken = set()
        if live and blobs:
            cost = np.array([[_cost(trail, blob, t) for blob in blobs] for trail in live])
            for row, column in zip(*linear_sum_assignment(cost), strict=True):
                if cost[row, column] < 1.0:
                    live[row].blobs[t] = blobs[column]
                    taken.add(column)
        trails += [Trail({t: blob}) for k, blob in enumerate(blobs) if k not in taken]
    return sorted(_with_distinct(trails, found), key=lambda trail: -trail.energy)


def _of_several(blob: Blob, live: list[Trail], t: int) -> bool:
    """Whether several things that were seen just now are in one blob, larger than each: it tells
    the place of none."""
    x0, y0, x1, y1 = blob.box
    ahead = [(trail, trail.ahead(t)) for trail in live if t - max(trail.blobs) <= _JUST_NOW]
    inside = [trail for trail, (x, y) in ahead if x0 <= x < x1 and y0 <= y < y1]
    areas = [trail.blobs[max(trail.blobs)].area for trail in inside]
    return len(areas) > 1 and blob.area > _MERGED * max(areas)


def _with_distinct(trails: list[Trail], found: Changes) -> list[Trail]:
    """The same, but for a thing that one look tells in most frames and that goes too far between
    them to be linked by place: it gets a trail of its own."""
    one = _distinct(found)
    held = [sum(one.blobs.get(t) is blob for t, blob in each.blobs.items()) for each in trails]
    if 2 * max(held, default=0) >= len(one.blobs):
        return trails
    for each in trails:
        each.blobs = {t: blob for t, blob in each.blobs.items() if one.blobs.get(t) is not blob}
    return [one, *(each for each in trails if each.blobs)]


def _distinct(found: Changes) -> Trail:
    """Blobs that look as the strongest of most frames do, wherever they are; an empty trail where
    two of them show up at once, or none in many frames."""
    strongest = [max(blobs, key=lambda blob: blob.energy) for blobs in found.blobs if blobs]
    if not strongest:
        return Trail()
    area = float(np.median([blob.area for blob in strongest]))
    colour = np.median([blob.colour for blob in strongest], axis=0)
    dark = float(np.median([blob.dark for blob in strongest]))
    alike = [
        [
            blob
            for blob in blobs
            if area / _SIZE < blob.area < _SIZE * area
            and float(np.abs(blob.colour - colour).max()) < _TINT
            and abs(blob.dark - dark) < _SHADE
        ]
        for blobs in found.blobs
    ]
    counts = np.array([len(some) for some in alike])
    if (counts == 1).mean() < _MOSTLY or (counts > 1).mean() > 1 - _MOSTLY:
        return Trail()
    return Trail({t: some[0] for t, some in enumerate(alike) if len(some) == 1})


def _cost(trail: Trail, blob: Blob, t: int) -> float:
    """Below 1 for a blob that may continue a trail: distance from where it should be, change of
    size and colour."""
    last = trail.blobs[max(trail.blobs)]
    gap = t - max(trail.blobs)
    ahead = trail.ahead(t)
    step = float(np.hypot(*(ahead - (last.x, last.y))))
    size = 0.5 * max(last.box[2] - last.box[0], last.box[3] - last.box[1])
    reach = (
        (size + 8.0) * (1 + 0.5 * (gap - 1)) + 0.7 * step
        if len(trail.blobs) > 1
        else 3.0 * size + 20.0
    )
    away = min(
        float(np.hypot(blob.x - ahead[0], blob.y - ahead[1])),
        1.5 * float(np.hypot(blob.x - last.x, blob.y - last.y)),
    )
    grown = abs(np.log(blob.area / last.area))
    tint = float(np.abs(blob.colour - last.colour).max()) / 255.0
    return away / reach + 0.15 * grown + 0.5 * tint


def rejoined(trails: list[Trail]) -> list[Trail]:
    """Trails of one thing that moves too fast to be linked by place: many pieces that look alike,
    one at a time."""
    kept: list[Trail] = []
    for trail in trails:
        for whole in kept:
            pieces = _alike(whole, trail)
            if pieces:
                whole.blobs.update(
                    {t: blob for t, blob in trail.blobs.items() if t not in whole.blobs}
                )
                break
        else:
            kept.append(Trail(dict(trail.blobs)))
    grown = [whole for whole in kept if len(whole.blobs) > 1]
    return sorted(grown, key=lambda trail: -trail.energy)


def _alike(whole: Trail, piece: Trail) -> bool:
    both = len(whole.blobs.keys() & piece.blobs.keys())
    if both > 0.1 * len(piece.blobs) or not _interleaved(whole, piece):
        return False
    areas = [float(np.median(trail.series("area"))) for trail in (whole, piece)]
    colours = [np.median(trail.series("colour"), axis=0) for trail in (whole, piece)]
    return max(areas) < 2.5 * min(areas) and float(np.abs(colours[0] - colours[1]).max()) < 40


def like(one: Trail, other: Trail) -> bool:
    """Whether two things look alike: as large, of one colour."""
    areas = [float(np.median(trail.series("area"))) for trail in (one, other)]
    tints = [np.median(trail.series("colour"), axis=0) for trail in (one, other)]
    return max(areas) < _SIZE * min(areas) and float(np.abs(tints[0] - tints[1]).max()) < _TINT


def _interleaved(whole: Trail, piece: Trail) -> bool:
    """Whether the times of two trails alternate: what was lost and what came later do not."""
    merged = sorted(
        [(t, 0) for t in whole.blobs] + [(t, 1) for t in piece.blobs if t not in whole.blobs]
    )
    owners = np.array([owner for _, owner in merged])
    return int((np.diff(owners) != 0).sum()) >= 3
