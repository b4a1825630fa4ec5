"""Following regions from frame to frame: which region of each frame belongs to which object."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import linear_sum_assignment

from tools.perception.segmentation import Region

_NEVER = 1e6
_FREE = 0.25
"""A region stands free when less than this share of its rim borders on other things."""


@dataclass
class Chain:
    """One object's regions: frame index -> Region. merged: frames in which it shares a region with
    another object."""

    regions: dict[int, Region] = field(default_factory=dict)
    merged: set[int] = field(default_factory=set)

    @property
    def last(self) -> int:
        return max(self.regions)

    @property
    def area(self) -> float:
        """Usual area: a high quantile, because what lies in front or outside only makes it
        smaller."""
        return float(np.quantile([region.area for region in self.regions.values()], 0.75))

    @property
    def contact(self) -> float:
        """Usual share of the regions' rim that borders on something else."""
        return float(np.median([region.contact for region in self.regions.values()]))

    def predict(self, t: int) -> np.ndarray:
        """(2,) position at frame t, from the last two sightings at constant velocity (gaps shrink
        the confidence)."""
        times = sorted(self.regions)[-2:]
        now = self.regions[times[-1]]
        here = np.array([now.x, now.y])
        if len(times) < 2:
            return here
        before = self.regions[times[0]]
        speed = (here - (before.x, before.y)) / (times[-1] - times[0])
        return here + speed * min(t - times[-1], 8)

    def speed(self) -> float:
        """Pixels per frame between the last two sightings."""
        times = sorted(self.regions)[-2:]
        if len(times) < 2:
            return 0.0
        a, b = self.regions[times[0]], self.regions[times[1]]
        return float(np.hypot(b.x - a.x, b.y - a.y)) / (times[1] - times[0])


def link(frames: list[list[Region]], shape: tuple[int, int], smallest: float = 0.2) -> list[Chain]:
    """Regions per frame -> chains, in order of first sighting.

    Assignment by predicted position (Hungarian); the gate grows with size, speed and the time not
    seen. A region much smaller than the largest (``smallest``) starts no chain unless it stands
    free; fragments next to a chain that has been split by something in front are merged into it; a
    region in which several objects meet belongs to none of them; chains seen in fewer than three
    frames (and an eighth) are dropped.
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
            elif (
                region.area >= smallest * top
                or region.contact < _FREE
                or (region.edge and region.area >= 0.25 * smallest * top)
            ):
                chains.append(Chain({t: region}))
        _part_ways(chains, t)
    chains = _joined(chains)
    needed = min(3, len(frames))
    kept = [
        c
        for c in chains
        if len(c.regions) >= max(needed, 0.12 * len(frames))
        and (c.area >= 0.5 * smallest * top or c.contact < _FREE)
    ]
    return sorted(kept, key=lambda chain: (min(chain.regions), -chain.area))


def _joined(chains: list[Chain]) -> list[Chain]:
    """Chains that end and begin again where their motion leads, behind something, become one."""
    left = sorted(chains, key=lambda chain: min(chain.regions))
    out: list[Chain] = []
    for chain in left:
        fits = [
            (away, k) for k, earlier in enumerate(out) if (away := _gap(earlier, chain)) is not None
        ]
        if fits:
            _, k = min(fits)
            out[k].regions.update(chain.regions)
            out[k].merged |= chain.merged
        else:
            out.append(chain)
    return out


def _gap(earlier: Chain, later: Chain) -> float | None:
    """Distance in pixels between where the earlier chain leads and where the later begins; None
    when they do not fit."""
    if (
        max(earlier.regions) >= min(later.regions)
        or not 0.6 < later.area / earlier.area < 1.6
        or len(a := _whole_sightings(earlier)) < 3
        or len(b := _whole_sightings(later)) < 3
    ):
        return None
    a, b = a[-5:], b[:5]
    line = [
        np.polynomial.polynomial.polyfit([t for t, _ in points], [p for _, p in points], 1)
        for points in (a, b)
    ]
    middle = 0.5 * (a[-1][0] + b[0][0])
    away = float(np.hypot(*(line[0][0] + line[0][1] * middle - line[1][0] - line[1][1] * middle)))
    speed = 0.5 * (np.hypot(*line[0][1]) + np.hypot(*line[1][1]))
    return away if away < np.sqrt(earlier.area) + 0.25 * speed * (b[0][0] - a[-1][0]) else None


def _whole_sightings(chain: Chain) -> list[tuple[int, tuple[float, float]]]:
    """(t, (x, y)) of regions that show nearly all of the object."""
    least = 0.8 * chain.area
    return [(t, (r.x, r.y)) for t, r in sorted(chain.regions.items()) if r.area > least]


def _assign(chains: list[Chain], found: list[Region], t: int, shape: tuple[int, int]) -> set[int]:
    """Give regions to chains in place; returns the indices of regions that are spoken for."""
    if not chains or not found:
        return set()
    cost = np.stack([_costs(chain, found, t, shape) for chain in chains])
    taken = set()
    for i, k in zip(*linear_sum_assignment(cost), strict=True):
        if cost[i, k] < _NEVER:
            chains[i].regions[t] = found[k]
            taken.add(int(k))
    return taken


def _costs(chain: Chain, found: list[Region], t: int, shape: tuple[int, int]) -> np.ndarray:
    """(n,) what it costs to give each region of frame t to a chain."""
    gap, usual = t - chain.last, chain.area
    where, size = chain.predict(t), np.sqrt(usual)
    gate = (
        1.5 * size
        + 2.0 * chain.speed() * min(gap, 3)
        + (0.08 * max(shape) if len(chain.regions) < 2 else 0.0)
        + 2.0 * size * min(gap - 1, 4)
    )
    x, y, area = np.array([(region.x, region.y, region.area) for region in found]).T
    distance, ratio = np.hypot(x - where[0], y - where[1]), area / usual
    cost = distance + np.abs(np.log(ratio)) * 0.3 * size
    return np.where((distance <= gate) & (ratio > 0.08), cost, _NEVER)


def _part_ways(chains: list[Chain], t: int) -> None:
    """Take regions of frame t away from chains where they plainly hold another chain's object
    too."""
    lost = [
        c
        for c in chains
        if t not in c.regions and len(c.regions) >= 2 and (t - c.last <= 12 or t - 1 in c.merged)
    ]
    for chain in [c for c in chains if lost and t in c.regions and len(c.regions) >= 3]:
        region = chain.regions[t]
        usual = float(
            np.median(
                [r.area for f, r in chain.regions.items() if f != t and not r.edge] or [np.inf]
            )
        )
        before = t - 1 in chain.merged
        guests = [
            c
            for c in lost
            if (before and t - 1 in c.merged)
            or _within(c.predict(t), region.box, 0.5 * np.sqrt(c.area))
        ]
        if guests and region.area > 1.08 * usual:
            del chain.regions[t]
            for member in (chain, *guests):
                member.merged.add(t)


def _within(point: np.ndarray, box: tuple[int, int, int, int], margin: float) -> bool:
    return (
        box[0] - margin <= point[0] <= box[2] + margin
        and box[1] - margin <= point[1] <= box[3] + margin
    )


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
        if (
            own.area + region.area <= 1.15 * chain.area
            and max(wide, high) <= 1.25 * extent + 3
            and np.hypot(own.x - region.x, own.y - region.y) < max(2 * reach, 0.8 * extent)
        ):
            return chain
    return None


def _union(a: Region, b: Region) -> Region:
    x0, y0 = min(a.box[0], b.box[0]), min(a.box[1], b.box[1])
    x1, y1 = max(a.box[2], b.box[2]), max(a.box[3], b.box[3])
    mask = np.zeros((y1 - y0, x1 - x0), bool)
    for r in (a, b):
        mask[r.box[1] - y0 : r.box[3] - y0, r.box[0] - x0 : r.box[2] - x0] |= r.mask
    area = a.area + b.area
    return Region(
        (a.x * a.area + b.x * b.area) / area,
        (a.y * a.area + b.y * b.area) / area,
        area,
        (x0, y0, x1, y1),
        a.edge or b.edge,
        mask,
    )
