"""A clip solved once more, over a plate that was mended in a few places: what lies elsewhere is
taken over as it was found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tools.perception.background import differs
from tools.perception.clip import Clip
from tools.perception.layout import Layout
from tools.perception.linking import Chain
from tools.perception.parts import Appearance
from tools.perception.seeds import Seed

REACH = 10.0
"""Pixels beyond a part that a fit of its pose may look at: the furthest that a start may be off,
and its soft edge."""
SLIGHT = 0.1
"""Pixels by which a part may lie elsewhere, or be of another size, and its neighbours' poses stay:
what it covers of a pixel of theirs then changes by a tenth, less than noise in most pictures."""


@dataclass(frozen=True)
class Earlier:
    """How a clip was solved before. layout: what was found; seeds: from which, one a part."""

    layout: Layout
    seeds: Sequence[Seed]

    def untouched(self, clip: Clip, seeds: Sequence[Seed]) -> dict[int, int]:
        """Which of the seeds over another plate (numbers) are parts found before (numbers): of the
        same regions, and nowhere near a pixel at which the plates differ noticeably. None where the
        light is taken to be another one."""
        before = self.layout.clip
        if not np.array_equal(clip.light, before.light):
            return {}
        rows, columns = np.nonzero(differs(clip.plate, before.plate, clip.level))
        away = {k for k in range(len(self.seeds)) if not self._reaches(k, rows, columns)}
        found: dict[int, int] = {}
        for i, seed in enumerate(seeds):
            same = [k for k in sorted(away) if _same_seed(seed, self.seeds[k])]
            if same:
                found[i] = same[0]
                away.remove(same[0])
        return found

    def hides_elsewhere(self, front: np.ndarray) -> bool:
        """Whether other pixels of the plate hid parts before: bool (H, W), those that do now."""
        before = self.layout.front
        return before is None or not np.array_equal(front, before)

    def _reaches(self, k: int, rows: np.ndarray, columns: np.ndarray) -> bool:
        """Whether part k, or a region of it, comes near one of some pixels in any frame."""
        places = self.layout.poses[k][self.layout.seen(k), :2]
        radius = self.layout.appearances[k].bounding_radius
        boxes = np.array([region.box for region in self.seeds[k].chain.regions.values()])
        first = np.concatenate([places - radius, boxes[:, :2]]) - REACH
        last = np.concatenate([places + radius, boxes[:, 2:]]) + REACH
        pixels = np.stack([columns, rows], 1)
        inside = (first[:, None] <= pixels) & (pixels <= last[:, None])
        return bool(inside.all(-1).any())

    def undisturbed(self, layout: Layout, parts: frozenset[int]) -> frozenset[int]:
        """Those of some parts of a new layout that come near nothing that lies elsewhere, or looks
        different, than before."""
        new, old = layout, self.layout
        places = [*_unlike(new, old), *_unlike(old, new)]
        return frozenset(
            k for k in parts if not any(_meets(layout, k, path, radius) for path, radius in places)
        )


def _same_seed(a: Seed, b: Seed) -> bool:
    """Whether two seeds lead to the same first look and first poses over plates that are alike."""
    if a is b:
        return True
    if a.part is not b.part or a.look is not None or b.look is not None:
        return False
    if a.colour is None or b.colour is None:
        return a.colour is b.colour and _same_chain(a.chain, b.chain)
    return np.array_equal(a.colour, b.colour) and _same_chain(a.chain, b.chain)


def _same_chain(a: Chain, b: Chain) -> bool:
    """Whether two chains are of the same pixels in the same frames."""
    return a.regions.keys() == b.regions.keys() and all(
        region.box == b.regions[t].box and np.array_equal(region.mask, b.regions[t].mask)
        for t, region in a.regions.items()
    )


def _unlike(layout: Layout, other: Layout) -> list[tuple[np.ndarray, float]]:
    """Where parts of one layout are of which the other has no like: ((T, 2) places, NaN elsewhere;
    radius) a part that there is."""
    found = []
    for one, path in zip(layout.appearances, layout.poses, strict=True):
        matched = np.zeros(len(path), bool)
        for like, poses in zip(other.appearances, other.poses, strict=True):
            if _look_alike(one, like):
                away = np.abs(path - poses)  # NaN where either is not seen: no match
                turned = away[:, 2] * one.bounding_radius
                matched |= np.hypot(away[:, 0], away[:, 1]) + turned <= SLIGHT
        left = np.where(matched[:, None], np.nan, path[:, :2])
        if np.isfinite(left).any():
            found.append((left, one.bounding_radius))
    return found


def _look_alike(a: Appearance, b: Appearance) -> bool:
    """Whether two looks are the same to within what their neighbours notice."""
    if a is b:
        return True
    if a.shape != b.shape or a.shape not in ("disk", "box") or a.colour != b.colour:
        return False
    return bool(np.abs(np.subtract((*a.size, a.width), (*b.size, b.width))).max() <= SLIGHT)


def _meets(layout: Layout, k: int, path: np.ndarray, radius: float) -> bool:
    """Whether part k lies near a path (T, 2) of something of some radius in any frame."""
    away = layout.poses[k][:, :2] - path
    reach = layout.appearances[k].bounding_radius + radius + REACH
    return bool((np.hypot(away[:, 0], away[:, 1]) < reach).any())
