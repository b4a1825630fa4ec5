"""Deciding what the pieces of a clip are: textured things taken whole, or pieces of flat
colours."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from tools.perception.appearance import at_pose
from tools.perception.appearance_fit import mask_guess
from tools.perception.background import differs
from tools.perception.clip import Clip
from tools.perception.following import cut_sprite, first_poses, typical
from tools.perception.lettering import Box, lettering, lies_in
from tools.perception.linking import Chain, link
from tools.perception.parts import Appearance
from tools.perception.pose import crop
from tools.perception.seeds import (
    Content,
    Ink,
    Seed,
    colour_regions,
    contents_of,
    label,
    palette_of,
    surfaces,
    whole_chains,
)
from tools.perception.segmentation import Region, regions

_WRONG = 25.0
"""Local mean colour error (grey levels) that misplaced texture leaves and resampling does not."""
_LEFT = 0.03
"""Share of a rigid thing's area that may look misplaced. Compression smears edges between strong
colours: where the colours have no plain shapes of their own, which speaks for one body already,
three times as much may."""
_ODD = 0.8
"""Disagreeing pixels per pixel of outline that a staircase edge does not explain."""


def find_seeds(clip: Clip) -> list[Seed]:
    """Everything that moves, knowing nothing; lettering that changes is left out."""
    sprites, inks = survey(clip)
    found = [Seed(None, chain) for chain in sprites] + flat_seeds(clip, inks, sprites)
    if places := lettering(found, clip):  # nor are its colours looked for in what moves
        sprites, inks = survey(clip, places)
        found = [Seed(None, chain) for chain in sprites] + flat_seeds(clip, inks, sprites)
        found = [seed for seed in found if not lies_in(seed.chain, places)] or found
    return [
        seed
        for seed in found
        if not flickers(seed.chain, [other.chain for other in found if other is not seed], clip)
    ] or found


def flickers(chain: Chain, others: Sequence[Chain], clip: Clip) -> bool:
    """Does it come or go in the middle of the picture, with nothing near that could hide it (a
    sign, a flash)? Such a thing has no course to follow, and ground that is uncovered for a while
    looks like it."""
    times = sorted(chain.regions)
    if len(times) > 0.9 * len(clip):
        return False
    return any(
        _out_of_nothing(
            chain.regions[t], [other.regions[t] for other in others if t in other.regions], clip
        )
        for t, end in ((times[0], 0), (times[-1], len(clip) - 1))
        if t != end
    )


def _out_of_nothing(region: Region, others: Sequence[Region], clip: Clip) -> bool:
    x0, y0, x1, y1 = region.box
    margin = 0.5 * max(x1 - x0, y1 - y0) + 3
    h, w = clip.shape
    inside = x0 > margin and y0 > margin and x1 < w - margin and y1 < h - margin
    apart = all(
        o.box[0] > x1 + margin
        or o.box[2] < x0 - margin
        or o.box[1] > y1 + margin
        or o.box[3] < y0 - margin
        for o in others
    )
    return inside and apart and _open_ground(region, clip, margin)


def _open_ground(region: Region, clip: Clip, margin: float) -> bool:
    """Whether the plate around a region is of one colour: nothing fixed to hide behind."""
    x0, y0, x1, y1 = (
        int(v)
        for v in (
            region.box[0] - margin,
            region.box[1] - margin,
            region.box[2] + margin,
            region.box[3] + margin,
        )
    )
    around = clip.plate[max(0, y0) : y1, max(0, x0) : x1]
    return bool(
        (differs(around, np.median(around.reshape(-1, 3), axis=0), clip.level)).mean() < 0.02
    )


def survey(clip: Clip, besides: Sequence[Box] = ()) -> tuple[list[Chain], list[Ink]]:
    """Textured things, and the flat colours of everything else, but for what lies in some
    places."""
    sprites, contents = [], []
    for chain in whole_chains(clip):
        if lies_in(chain, besides):
            continue
        inside = contents_of(clip, chain)
        textured = np.median([c.flat for c in inside]) < 0.75
        patched = np.median([c.fragments for c in inside]) >= 2
        if (
            textured
            or (patched and is_rigid(clip, chain))
            or (interlocked(clip, chain, inside) and is_rigid(clip, chain, 3 * _LEFT))
        ):
            sprites.append(chain)
        else:
            contents += inside
    return sprites, palette_of(clip, contents)


def flat_seeds(clip: Clip, inks: Sequence[Ink], sprites: Sequence[Chain]) -> list[Seed]:
    """Pieces of each flat colour."""
    per_ink = colour_regions(clip, inks, sprites)
    return [
        Seed(ink.colour, chain)
        for ink, found in zip(inks, per_ink, strict=True)
        for chain in link(found, clip.shape)
        if not surfaces(chain, found)
    ]


def interlocked(clip: Clip, chain: Chain, inside: Sequence[Content], frames: int = 3) -> bool:
    """Is a thing made of colours of which some have no plain shape of their own (half a disk), as
    far as they can be seen?

    Then its colours do not lie over one another, they are painted on one body.
    """
    inks = palette_of(clip, inside)
    times = [t for t, region in sorted(chain.regions.items()) if not region.edge]
    if len(inks) < 2 or not times:
        return False
    odd = [
        _odd_piece(clip, chain.regions[times[k]], times[k], inks)
        for k in np.unique(np.linspace(0, len(times) - 1, frames).round().astype(int))
    ]
    return sum(odd) > len(odd) / 2


def _odd_piece(clip: Clip, region: Region, t: int, inks: Sequence[Ink]) -> bool:
    """Whether some colour of a region forms neither disks nor boxes; small pieces do not count."""
    x0, y0, x1, y1 = region.box
    mask = np.zeros(clip.shape, bool)
    mask[y0:y1, x0:x1] = region.mask
    labels = label(clip, clip.frame(t), mask, inks)
    pieces = [
        [piece for piece in regions(labels == k + 1, max(12.0, 0.1 * region.area))]
        for k in range(len(inks))
    ]
    return sum(map(bool, pieces)) > 1 and any(_odd(piece) for found in pieces for piece in found)


def _odd(piece: Region) -> bool:
    """Is a region, as it stands, neither a disk nor a box?"""
    nothing = np.zeros((piece.box[3] + 4, piece.box[2] + 4), bool)
    guesses = (mask_guess(piece, nothing, (0.0, 0.0, 0.0), kind) for kind in ("disk", "box"))
    return min(guess[2] for guess in guesses if guess is not None) > _ODD


def is_rigid(clip: Clip, chain: Chain, left: float = _LEFT, frames: int = 6) -> bool:
    """Does the picture of one frame, moved and turned as a whole, explain the others, up to a share
    ``left`` of the area?"""
    usual = typical(chain)
    times = [
        t
        for t in sorted(chain.regions)
        if not chain.regions[t].edge and 0.9 * usual < chain.regions[t].area < 1.12 * usual
    ]
    if len(times) < max(3, 0.4 * len(chain.regions)) or not _same_silhouette(
        [chain.regions[t] for t in times]
    ):
        return False
    chosen = [times[k] for k in np.unique(np.linspace(0, len(times) - 1, 40).round().astype(int))]
    middle = chosen[len(chosen) // 2]
    appearance, start = cut_sprite(clip, chain, middle)
    part = Chain({t: chain.regions[t] for t in chosen})
    poses = first_poses(clip, Seed(None, part), appearance, start, middle)
    tested = [
        chosen[k]
        for k in np.unique(np.linspace(0, len(chosen) - 1, frames).round().astype(int))
        if chosen[k] != middle
    ]
    wrong = [_misplaced(clip, appearance, poses[t], t) for t in tested]
    return bool(np.quantile(wrong, 0.75) < left)


def _same_silhouette(shapes: Sequence[Region]) -> bool:
    """Second moments about the own centre agree to a few percent: what a rigid piece keeps while it
    moves and turns."""
    axes = []
    for region in shapes:
        ys, xs = np.nonzero(region.mask)
        axes.append(np.sqrt(np.maximum(np.linalg.eigvalsh(np.cov(np.stack([xs, ys]))), 0.1)))
    spread = np.ptp(np.quantile(axes, (0.1, 0.9), axis=0), axis=0) / np.median(axes, axis=0)
    return bool((spread < 0.05 + 0.5 / np.median(axes, axis=0)).all())


def _misplaced(clip: Clip, appearance: Appearance, pose: np.ndarray, t: int) -> float:
    """Share of the look's area where the signed colour error, averaged over 5 x 5 pixels, is more
    than resampling leaves.

    Edges that are off by a fraction of a pixel cancel in the average, edges that are off by pixels
    do not.
    """
    window = crop(clip.shape, pose[0], pose[1], appearance.bounding_radius + 3)
    if window is None:
        return 1.0
    ys, xs = np.mgrid[window]
    px, py = xs.ravel().astype(float), ys.ravel().astype(float)
    ground = clip.plate[window].reshape(-1, 3).astype(np.float64)
    sample = at_pose(appearance, pose, px, py)
    error = (
        (sample.over(ground) - clip.frame(t)[window].reshape(-1, 3))
        .reshape(*xs.shape, 3)
        .astype(np.float32)
    )
    wrong = np.abs(cv2.blur(error, (5, 5))).max(-1) > _WRONG + 2 * clip.noise
    return float(wrong.sum() / max(sample.alpha.sum(), 1.0))
