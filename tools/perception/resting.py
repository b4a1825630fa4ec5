"""Declared cut-outs that rest all the time: told by their likes that move, and kept apart from the
plate that shows them."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from tools.perception.background import differs, fill
from tools.perception.clip import Clip
from tools.perception.following import first_look
from tools.perception.likes import at_rest, region_at
from tools.perception.linking import Chain
from tools.perception.matching import begins_away
from tools.perception.parts import Part
from tools.perception.seeds import Seed
from tools.perception.segmentation import Region


def resting_likes(clip: Clip, seeds: Sequence[Seed], parts: Sequence[Part]) -> list[Seed]:
    """Seeds of declared cut-outs that rest all the time and are therefore on the plate: parts whose
    ``near`` shows a likeness of a cut-out that moves, and that no seed is of which begins there;
    each with the frames that show it."""
    cut_outs = [(seed, seed.part) for seed in seeds if seed.part and seed.part.shape == "sprite"]
    there = [seed for seed, part in cut_outs if not begins_away(part, seed.chain)]
    wanted = [part for part in parts if part.shape == "sprite" and part.near is not None]
    wanted = [part for part in wanted if not any(part is seed.part for seed in there)]
    if not there or not wanted:
        return []
    known = [first_look(clip, seed)[0] for seed in there]
    found = []
    for part in wanted:
        resting = at_rest(clip.plate, clip.noise, known, part.near or (0.0, 0.0))
        region = resting and region_at(clip.shape, *resting[:2])
        if resting and region and (times := _shown(clip, region)):
            chain = Chain(dict.fromkeys(times, region))
            found.append(Seed(None, chain, part, resting[:2]))
    return found


def without_pieces(plate: np.ndarray, seeds: Sequence[Seed]) -> np.ndarray:
    """A plate (H, W, 3) with what lies behind resting cut-outs, filled in from around them."""
    return fill(plate, _pieces(plate.shape[:2], seeds))


def with_pieces(plate: np.ndarray, shown: np.ndarray, seeds: Sequence[Seed]) -> np.ndarray:
    """A plate with resting cut-outs as another one shows them."""
    return np.where(_pieces(plate.shape[:2], seeds)[..., None], shown, plate)


def _pieces(shape: tuple[int, int], seeds: Sequence[Seed]) -> np.ndarray:
    """bool (H, W): what resting cut-outs cover, and their soft edges."""
    covered = np.zeros(shape, np.uint8)
    for seed in seeds:
        region = seed.chain.regions[min(seed.chain.regions)]
        x0, y0, x1, y1 = region.box
        covered[y0:y1, x0:x1] |= region.mask.astype(np.uint8)
    return cv2.dilate(covered, np.ones((5, 5), np.uint8)) > 0


def _shown(clip: Clip, region: Region) -> list[int]:
    """Frames that show a region as the plate does, but for a fifth of it."""
    x0, y0, x1, y1 = region.box
    plate = clip.plate[y0:y1, x0:x1]
    return [
        t
        for t in range(len(clip))
        if differs(clip.frame(t)[y0:y1, x0:x1], plate, clip.level)[region.mask].mean() < 0.2
    ]
