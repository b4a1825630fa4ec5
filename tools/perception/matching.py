"""From declared parts to the pieces of a clip that they name."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from tools.perception.clip import Clip
from tools.perception.discovery import flat_seeds, survey
from tools.perception.linking import Chain
from tools.perception.parts import Part
from tools.perception.seeds import Ink, Seed


def declared_seeds(clip: Clip, parts: Sequence[Part]) -> list[Seed]:
    """One seed per declared part that is found."""
    wanted = [part for part in parts if part.colour is None]
    sprites = survey(clip)[0] if wanted else []
    inks: list[Ink] = []
    for part in parts:
        if part.colour is not None and not any(np.allclose(part.colour, ink.colour, atol=2) for ink in inks):
            inks.append(Ink(np.asarray(part.colour, np.float64)))
    pieces = flat_seeds(clip, inks, sprites)
    seeds = [Seed(None, chain, part) for part, chain in _match(wanted, sprites)]
    for ink in inks:
        mine = [p for p in parts if p.colour is not None and np.allclose(p.colour, ink.colour, atol=2)]
        chains = [seed.chain for seed in pieces if seed.colour is ink.colour]
        seeds += [Seed(ink.colour, chain, part) for part, chain in _match(mine, chains)]
    return seeds


def _match(parts: Sequence[Part], chains: Sequence[Chain]) -> list[tuple[Part, Chain]]:
    """Pair declared parts with chains: nearest first sighting, else largest."""
    left, pairs = list(chains), []
    for part in parts:
        if not left:
            break
        if part.near is not None and len(parts) > 1:
            first = [chain.regions[min(chain.regions)] for chain in left]
            k = int(np.argmin([math.hypot(r.x - part.near[0], r.y - part.near[1]) for r in first]))
        else:
            k = int(np.argmax([chain.area for chain in left]))
        pairs.append((part, left.pop(k)))
    return pairs
