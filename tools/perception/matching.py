"""From declared parts to the pieces of a clip that they name."""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
from scipy.optimize import linear_sum_assignment

from tools.perception.appearance_fit import mask_guess
from tools.perception.background import differs, dominant_colour, fill, threshold, within
from tools.perception.clip import Clip
from tools.perception.discovery import flat_seeds, survey
from tools.perception.linking import Chain
from tools.perception.parts import Part
from tools.perception.seeds import PLAIN, Ink, Seed, smallest, whole_chains
from tools.perception.segmentation import Region, regions

_LARGEST = 0.1
"""Share of the picture above which a piece of the plate is no resting part."""
_LIKE = 0.6
"""Disagreeing pixels per pixel of outline up to which a piece has a shape."""
_PLAINLY = 0.4
"""Share of the plate in one colour from which that is its ground."""
_AS_LARGE = 0.5
"""Area of a piece, as a share of the largest one's, from which it may be the only part of a
colour."""


def declared_seeds(clip: Clip, parts: Sequence[Part], others: bool = False) -> list[Seed]:
    """One seed per declared part that is found. others: and one, without a part, per further piece
    of a declared colour."""
    wanted = [part for part in parts if part.colour is None]
    pairs = _match(wanted, survey(clip)[0]) if wanted else []
    if len(pairs) < len(wanted) or any(_elsewhere(part, chain) for part, chain in pairs):
        # these frames alone would not make a picture of it; it was declared as one
        whole = _match(wanted, whole_chains(clip))
        strays = [sum(_elsewhere(*pair) for pair in found) for found in (pairs, whole)]
        if len(whole) > len(pairs) or strays[1] < strays[0]:
            pairs = whole
    seeds = [Seed(None, chain, part) for part, chain in pairs]
    sprites = [seed.chain for seed in seeds]
    inks: list[Ink] = []
    for part in parts:
        if part.colour is not None and not any(
            np.allclose(part.colour, ink.colour, atol=2) for ink in inks
        ):
            inks.append(Ink(np.asarray(part.colour, np.float64)))
    pieces = flat_seeds(clip, inks, sprites)
    for ink in inks:
        mine = [
            p for p in parts if p.colour is not None and np.allclose(p.colour, ink.colour, atol=2)
        ]
        chains = [seed.chain for seed in pieces if seed.colour is ink.colour]
        pairs = _match(mine, chains)
        seeds += [Seed(ink.colour, chain, part) for part, chain in pairs]
        if others:
            taken = [chain for _, chain in pairs]
            left = [chain for chain in chains if not any(chain is one for one in taken)]
            seeds += [Seed(ink.colour, chain) for chain in left]
    return seeds


def cleared(clip: Clip, parts: Sequence[Part]) -> np.ndarray:
    """The plate (H, W, 3) without the given parts, which rest all through the clip and are
    therefore taken for background: where one piece of the plate has a part's colour and shape, or
    stands out of a plain ground where a cut-out is first seen, it is filled from around. The plate
    itself when there is none."""
    hole = np.zeros(clip.shape, bool)
    for place in (part.near for part in parts if part.colour is None):
        if place is not None:
            hole |= _standing_out(clip, place)
    for part in (part for part in parts if part.colour is not None):
        colour = np.asarray(part.colour, np.float32)
        alike = within(clip.plate, colour, PLAIN + 3 * clip.noise)
        pieces = [
            r
            for r in regions(alike & ~hole, smallest(clip))
            if not r.edge and r.area < _LARGEST * alike.size and _has_shape(r, part.shape)
        ]
        if pieces:
            near = part.near
            piece = (
                max(pieces, key=lambda r: r.area)
                if near is None
                else min(pieces, key=lambda r: math.dist((r.x, r.y), near))
            )
            x0, y0, x1, y1 = piece.box
            hole[y0:y1, x0:x1] |= piece.mask
    return (
        fill(clip.plate, cv2.dilate(hole.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0)
        if hole.any()
        else clip.plate
    )


def _standing_out(clip: Clip, place: tuple[float, float]) -> np.ndarray:
    """bool (H, W): the piece of the plate in other colours than a plain ground's that holds a
    place; nothing where the ground is not plain or the piece is large."""
    ground, share = dominant_colour(clip.plate[None])
    height, width = clip.shape
    x, y = (round(value) for value in place)
    nothing = np.zeros(clip.shape, bool)
    if share < _PLAINLY or not (0 <= x < width and 0 <= y < height):
        return nothing
    other = differs(clip.plate, ground, threshold(clip.noise))
    around = cv2.morphologyEx(other.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
    _, labels = cv2.connectedComponents(around, connectivity=8)
    piece = labels == labels[y, x]
    small = labels[y, x] != 0 and piece.sum() < _LARGEST * piece.size
    edge = piece[[0, -1]].any() or piece[:, [0, -1]].any()
    return piece if small and not edge else nothing


def _has_shape(region: Region, shape: str) -> bool:
    nothing = np.zeros((region.box[3] + 4, region.box[2] + 4), bool)
    found = mask_guess(region, nothing, (0.0, 0.0, 0.0), shape)
    return found is not None and found[2] < _LIKE


def _match(parts: Sequence[Part], chains: Sequence[Chain]) -> list[tuple[Part, Chain]]:
    """Pair declared parts with chains: nearest first sightings where all say where they are, else
    largest."""
    places = [part.near for part in parts if part.near is not None]
    if len(parts) > 1 and chains and len(places) == len(parts):
        away = np.array([[_away(chain, place) for chain in chains] for place in places])
        return [(parts[i], chains[j]) for i, j in zip(*linear_sum_assignment(away), strict=True)]
    left, pairs = list(chains), []
    for part in parts:
        if not left:
            break
        largest = max(left, key=lambda chain: chain.area)
        near = part.near
        if near is None:
            chosen = largest
        else:  # a single part is none of the specks of its colour
            least = 0.0 if len(parts) > 1 else _AS_LARGE * largest.area
            worth = [chain for chain in left if chain.area >= least]
            chosen = worth[int(np.argmin([_away(chain, near) for chain in worth]))]
        pairs.append((part, chosen))
        left = [chain for chain in left if chain is not chosen]
    return pairs


def _elsewhere(part: Part, chain: Chain) -> bool:
    """Whether a chain that is seen from the beginning on begins where the part does not."""
    return min(chain.regions) == 0 and begins_away(part, chain)


def begins_away(part: Part, chain: Chain) -> bool:
    """Whether a chain is first seen elsewhere than its part is said to be."""
    if part.near is None:
        return False
    x0, y0, x1, y1 = chain.regions[min(chain.regions)].box
    return _away(chain, part.near) > max(math.hypot(x1 - x0, y1 - y0), 12.0)


def _away(chain: Chain, place: tuple[float, float]) -> float:
    """Pixels from a place to where a chain is first seen."""
    first = chain.regions[min(chain.regions)]
    return math.dist((first.x, first.y), place)
