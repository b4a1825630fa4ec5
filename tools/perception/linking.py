"""Following regions from frame to frame: which region of each frame belongs to which object."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import linear_sum_assignment

from tools.perception.segmentation import Region


@dataclass
class Chain:
    """One object's regions: frame index -> Region."""

    regions: dict[int, Region] = field(default_factory=dict)

    @property
    def last(self) -> int:
        return max(self.regions)

    @property
    def area(self) -> float:
        return float(np.quantile([region.area for region in self.regions.values()], 0.75))

    def predict(self, t: int) -> np.ndarray:
        """(2,) position at frame t, from the last two sightings at constant velocity (gaps shrink the confidence)."""
        times = sorted(self.regions)[-2:]
        now = self.regions[times[-1]]
        here = np.array([now.x, now.y])
        if len(times) < 2:
            return here
        before = self.regions[times[0]]
        speed = (here - (before.x, before.y)) / (times[-1] - times[0])
        return here + speed * min(t - times[-1], 8)

    def speed(self) -> float:
        times = sorted(self.regions)[-2:]
        if len(times) < 2:
            return 0.0
        a, b = self.regions[times[0]], self.regions[times[1]]
        return float(np.hypot(b.x - a.x, b.y - a.y)) / (times[1] - times[0])


def link(frames: list[list[Region]], shape: tuple[int, int], smallest: float = 0.2) -> list[Chain]:
    """Regions per frame -> chains, longest first.

    Assignment by predicted position (Hungarian); the gate grows with size, speed and the time not seen. A region much
    smaller than the largest of its frame (``smallest``) starts no chain; fragments next to a chain that has been
    split by something in front are merged into it; chains seen in fewer than three frames (and a fifth) are dropped.
    """
    chains: list[Chain] = []
    top = max((region.area for frame in frames for region in frame), default=0.0)
    for t, found in enumerate(frames):
        taken = _assign(chains, found, t, shape)
        for k, region in enumerate(found):
            if k in taken:
                continue
            host = _owner(chains, region, t)
            if host is not None:
                host.regions[t] = _union(host.regions[t], region)
            elif region.area >= smallest * top or (region.edge and region.area >= 0.25 * smallest * top):
                chains.append(Chain({t: region}))
    needed = min(3, len(frames))
    kept = [c for c in chains if len(c.regions) >= max(needed, 0.12 * len(frames)) and c.area >= 0.5 * smallest * top]
    return sorted(kept, key=lambda chain: (min(chain.regions), -chain.area))


def _assign(chains: list[Chain], found: list[Region], t: int, shape: tuple[int, int]) -> set[int]:
    if not chains or not found:
        return set()
    cost = np.zeros((len(chains), len(found)))
    for i, chain in enumerate(chains):
        gap = t - chain.last
        where, size = chain.predict(t), np.sqrt(chain.area)
        gate = 1.5 * size + 2.0 * chain.speed() * min(gap, 3) + (0.08 * max(shape) if len(chain.regions) < 2 else 0.0) + 2.0 * size * min(gap - 1, 4)
        for k, region in enumerate(found):
            distance = np.hypot(region.x - where[0], region.y - where[1])
            ratio = region.area / chain.area
            mismatch = abs(np.log(ratio)) * 0.3 * size
            cost[i, k] = distance + mismatch if distance <= gate and ratio > 0.08 else 1e6
    taken = set()
    for i, k in zip(*linear_sum_assignment(cost), strict=True):
        if cost[i, k] < 1e6:
            chains[i].regions[t] = found[k]
            taken.add(k)
    return taken


def _owner(chains: list[Chain], region: Region, t: int) -> Chain | None:
    """The chain whose region of this frame is incomplete and would be whole with this fragment."""
    for chain in chains:
        own = chain.regions.get(t)
        if own is None or len(chain.regions) < 2:
            continue
        reach = 0.75 * np.sqrt(chain.area) + 2
        wide = max(own.box[2], region.box[2]) - min(own.box[0], region.box[0])
        high = max(own.box[3], region.box[3]) - min(own.box[1], region.box[1])
        before = [r for f, r in chain.regions.items() if f < t][-1]
        extent = max(before.box[2] - before.box[0], before.box[3] - before.box[1])
        if own.area + region.area <= 1.15 * chain.area and max(wide, high) <= 1.25 * extent + 3 and np.hypot(own.x - region.x, own.y - region.y) < 2 * reach:
            return chain
    return None


def _union(a: Region, b: Region) -> Region:
    x0, y0 = min(a.box[0], b.box[0]), min(a.box[1], b.box[1])
    x1, y1 = max(a.box[2], b.box[2]), max(a.box[3], b.box[3])
    mask = np.zeros((y1 - y0, x1 - x0), bool)
    for r in (a, b):
        mask[r.box[1] - y0 : r.box[3] - y0, r.box[0] - x0 : r.box[2] - x0] |= r.mask
    area = a.area + b.area
    return Region((a.x * a.area + b.x * b.area) / area, (a.y * a.area + b.y * b.area) / area, area, (x0, y0, x1, y1), a.edge or b.edge, mask)
