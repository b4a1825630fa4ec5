"""Lettering that changes (a clock, a counter, a legend): pieces that come and go within one small
place and are never carried along, so that there is nothing to follow."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import cv2
import numpy as np

from tools.perception.background import differs
from tools.perception.clip import Clip
from tools.perception.linking import Chain
from tools.perception.seeds import Seed

SMALL = 0.04
"""Of the picture's shorter side, the side of a square as large as a piece of lettering, at most."""
HIGH, WIDE = 0.12, 0.35
"""Of the picture's height and width, the place that one lettering takes, at most."""
FEWEST, SEEN = 3, 0.8
"""Pieces that a lettering has at least; share of the frames in which they are seen, on average, at
most."""
CARRIED = 0.15
"""Gain in likeness between two frames, from shifting one, from which something is carried along."""
ROOM = 3.0
"""Pixels around a lettering that its soft edges may take, at least."""
FRAMES = 12
"""Frames that are compared, at most."""

Box = tuple[int, int, int, int]
"""x0, y0, x1, y1 in pixels, the last ones excluded."""


def lettering(seeds: Sequence[Seed], clip: Clip) -> list[Box]:
    """The places of lettering among the seeds."""
    height, width = clip.shape
    reach = SMALL * min(height, width)
    places = [_place(seed.chain) for seed in seeds]

    def small(place: Box) -> bool:
        return place[2] - place[0] <= WIDE * width and place[3] - place[1] <= HIGH * height

    stays = [k for k, s in enumerate(seeds) if s.chain.area <= reach**2 and small(places[k])]
    found = []
    for group in _groups(stays, places):
        place = _around([places[k] for k in group])
        comes = _come_and_go([seeds[k].chain for k in group], clip)
        if comes and small(place) and _in_place(place, clip):
            found.append(place)
    return found


def lies_in(chain: Chain, places: Sequence[Box]) -> bool:
    """Whether a chain never leaves one of these places, or hardly."""
    x0, y0, x1, y1 = _place(chain)
    rooms = [(max(ROOM, 0.5 * (place[3] - place[1])), place) for place in places]
    return any(
        x0 >= a - room and y0 >= b - room and x1 <= c + room and y1 <= d + room
        for room, (a, b, c, d) in rooms
    )


def _place(chain: Chain) -> Box:
    """What holds a chain's regions of all frames."""
    return _around([region.box for region in chain.regions.values()])


def _around(boxes: Sequence[Box]) -> Box:
    table = np.array(boxes)
    x0, y0 = table[:, :2].min(0).tolist()
    x1, y1 = table[:, 2:].max(0).tolist()
    return x0, y0, x1, y1


def _groups(chosen: Sequence[int], places: Sequence[Box]) -> list[list[int]]:
    """Those whose places meet, or nearly, as letters beside each other do."""
    groups: list[list[int]] = []
    for k in chosen:
        met = [g for g in groups if any(_beside(places[k], places[j]) for j in g)]
        groups = [g for g in groups if g not in met] + [[k, *itertools.chain(*met)]]
    return groups


def _beside(a: Box, b: Box) -> bool:
    room = 0.5 * max(a[3] - a[1], b[3] - b[1])
    return (
        max(a[0], b[0]) - min(a[2], b[2]) <= room
        and max(a[1], b[1]) - min(a[3], b[3]) <= 0.5 * room
    )


def _come_and_go(chains: Sequence[Chain], clip: Clip) -> bool:
    shares = [len(chain.regions) / len(clip) for chain in chains]
    return len(chains) >= FEWEST and float(np.mean(shares)) <= SEEN


def _in_place(place: Box, clip: Clip) -> bool:
    """Whether what differs from the plate there changes, but is not carried from here to there:
    between most frames no shift makes it more alike."""
    x0, y0, x1, y1 = place
    window = slice(y0, y1), slice(x0, x1)
    masks = [
        differs(clip.frame(t)[window], clip.plate[window], clip.level).astype(np.float32)
        for t in clip.spread_times(FRAMES)
    ]
    gains = [_gain(a, b) for a, b in itertools.combinations(masks, 2) if a.any() and b.any()]
    return bool(gains) and float(np.median(gains)) <= CARRIED


def _gain(a: np.ndarray, b: np.ndarray) -> float:
    """By how much the best shift makes two masks more alike, as a share of what both cover."""
    height, width = a.shape
    wide = cv2.copyMakeBorder(b, height, height, width, width, cv2.BORDER_CONSTANT, value=0)
    shared = cv2.matchTemplate(wide, a, cv2.TM_CCORR)
    both = 0.5 * float(a.sum() + b.sum())
    return float(shared.max() - shared[height, width]) / both
