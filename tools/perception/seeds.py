"""What there is to follow: flat-coloured pieces, and textured things taken whole, each as regions
linked over time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from tools.perception.background import densest_colour, largest, within
from tools.perception.clip import Clip
from tools.perception.linking import Chain, link
from tools.perception.parts import Appearance, Part
from tools.perception.segmentation import Region, foreground, homogeneous, regions

SMALLEST = 5.0
"""Regions below this many pixels are not looked at (twice as many where there is noise)."""
REACH = 70.0
"""Colour distance (Euclidean, grey levels) up to which a pixel may belong to a flat colour."""
PLAIN = 28.0
"""Colour distance up to which it plainly does."""
FAINT = 0.2
"""Share of a contrast up to which compression leaves thin patches beside it."""
MIXED = 36.0
"""Colour error up to which a pixel counts as a mixture of a flat colour and the ground."""

_SLOPE, _STEEP = 2, 0.1
"""Pixels around one of a blurred edge within which an ink's share grows and falls by this much."""

_SHARE, _OFTEN = 0.04, 3
"""An ink occurs in this share of the contents, or where there are many, so often: half of the times
that one thing among many is looked at."""
_INKS = 64
"""Inks of a clip, at most."""


@dataclass(frozen=True)
class Ink:
    """A flat colour of the foreground. thin: it has no pixels of its own, only edges (a string), so
    that mixtures count. contrast: grey levels by which it differs from the ground."""

    colour: np.ndarray
    thin: bool = False
    contrast: float = 255.0


@dataclass(frozen=True)
class Content:
    """What a foreground region is made of. inks: its flat colours, most frequent first. flat: share
    of its inner pixels that they (and, within five pixels of the rim, their mixtures with the
    ground) explain. fragments: number of separate pieces beyond one per colour."""

    inks: tuple[Ink, ...]
    flat: float
    fragments: int


def smallest(clip: Clip) -> float:
    """Pixels that a region needs to count."""
    return SMALLEST if clip.noise <= 1 else 2 * SMALLEST


# --------------------------------------------------------------------------------------------------


def content(clip: Clip, frame: np.ndarray, region: Region) -> Content:
    """Flat colours of one foreground region, found greedily: the densest colour, then what it
    leaves."""
    window, ground, mask = _windows(clip, frame, region)
    flat = homogeneous(window, clip.noise) & mask
    inner = (
        cv2.erode(
            mask.astype(np.uint8),
            np.ones((3, 3), np.uint8),
            iterations=2 if mask.sum() > 400 else 1,
        )
        > 0
    )
    inks: list[Ink] = []
    tight, fragments, strongest = np.zeros(mask.shape, bool), 0, 0.0
    rest = flat.copy()
    while rest.sum() >= max(4, 0.005 * flat.sum()) and len(inks) < 8:
        pixels = window[rest].astype(np.float32)
        colour = densest_colour(pixels)
        distance = np.abs(window - colour).max(-1)
        own = mask & (distance <= 12 + 3 * clip.noise)
        rest &= np.linalg.norm(window - colour, axis=-1) > 40 + 3 * clip.noise
        pieces = len(regions(own, max(4.0, 0.02 * region.area)))
        if (own & flat).sum() >= max(5, 0.005 * flat.sum()) and pieces:
            ink = np.median(window[own & flat], axis=0).astype(np.float64)
            strength = float(np.median(np.abs(ink - ground[own & flat]).max(-1)))
            strongest = max(strongest, strength)
            if strength > max(clip.level, 0.2 * strongest) and not _is_soft_edge(
                clip, window, ground, own, inks
            ):
                inks.append(Ink(ink, contrast=strength))
                tight |= own
                fragments += pieces
    inks += _thin_inks(clip, window, ground, mask, inks)
    tight |= _rim_mixtures(clip, window, ground, mask, inks)
    share = float((tight & inner).sum()) / inner.sum() if inner.sum() >= 12 else 1.0
    return Content(tuple(inks), share, fragments - sum(not ink.thin for ink in inks))


def _is_soft_edge(
    clip: Clip, window: np.ndarray, ground: np.ndarray, own: np.ndarray, inks: Sequence[Ink]
) -> bool:
    """Are these pixels a thin band of mixtures of another ink and the ground, or a broader one
    that shades off from that ink to the ground (motion blur)?"""
    thin = cv2.erode(own.astype(np.uint8), np.ones((3, 3), np.uint8)).sum() < 4
    picture, behind = window.astype(np.float32), ground.astype(np.float32)
    for ink in inks:
        share, explained = mixture(picture, behind, ink.colour, clip.noise)
        if explained[own].mean() > 0.8 and (thin or _shades_off(share, own)):
            return True
    return False


def _shades_off(share: np.ndarray, own: np.ndarray) -> bool:
    """Whether next to most pixels of a band lie more and less of a share: a slope, no area."""
    beside = np.ones((2 * _SLOPE + 1, 2 * _SLOPE + 1), np.uint8)
    more, less = cv2.dilate(share, beside)[own], cv2.erode(share, beside)[own]
    return bool(((more - share[own] > _STEEP) & (share[own] - less > _STEEP)).mean() > 0.8)


def _rim_mixtures(
    clip: Clip, window: np.ndarray, ground: np.ndarray, mask: np.ndarray, inks: Sequence[Ink]
) -> np.ndarray:
    """Pixels within five of the rim that are mixtures of an ink and the ground: soft or blurred
    edges, not texture."""
    rim = mask & (cv2.erode(mask.astype(np.uint8), np.ones((3, 3), np.uint8), iterations=5) == 0)
    picture, behind = window.astype(np.float32), ground.astype(np.float32)
    found = np.zeros(mask.shape, bool)
    for ink in inks:
        found |= mixture(picture, behind, ink.colour, clip.noise)[1]
    return found & rim


def _windows(
    clip: Clip, frame: np.ndarray, region: Region
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Picture, plate and mask in a window two pixels larger than the region (float32 pictures)."""
    x0, y0, x1, y1 = region.box
    left, top = max(0, x0 - 2), max(0, y0 - 2)
    rows, columns = slice(top, min(clip.shape[0], y1 + 2)), slice(left, min(clip.shape[1], x1 + 2))
    mask = np.zeros((rows.stop - top, columns.stop - left), bool)
    mask[y0 - top : y1 - top, x0 - left : x1 - left] = region.mask
    return frame[rows, columns], clip.plate[rows, columns], mask


def _thin_inks(
    clip: Clip, window: np.ndarray, ground: np.ndarray, mask: np.ndarray, inks: Sequence[Ink]
) -> list[Ink]:
    """Colours of lines too thin for a pixel of their own: what is left after the inks and
    everything within four pixels of them (soft or compressed edges)."""
    picture, behind = window.astype(np.float32), ground.astype(np.float32)
    near = np.zeros(mask.shape, np.uint8)
    for ink in inks:
        near |= np.linalg.norm(picture - ink.colour, axis=-1) <= 40 + 3 * clip.noise
    left = mask & (cv2.dilate(near, np.ones((9, 9), np.uint8)) == 0)
    pieces = regions(left, 2 * SMALLEST if inks else SMALLEST)
    if not pieces:
        return []
    x0, y0, x1, y1 = pieces[0].box
    part = np.zeros(mask.shape, bool)
    part[y0:y1, x0:x1] = pieces[0].mask
    if _is_soft_edge(clip, window, ground, part, inks):
        return []
    contrast = np.linalg.norm(picture - behind, axis=-1)
    strong = part & (contrast >= np.quantile(contrast[part], 0.85))
    colour = np.median(picture[strong], axis=0).astype(np.float64)
    return [Ink(colour, True, float(np.median(np.abs(picture - behind)[strong].max(-1))))]


def mixture(
    picture: np.ndarray, ground: np.ndarray, colour: np.ndarray, noise: float
) -> tuple[np.ndarray, np.ndarray]:
    """(..., 3) pictures -> share of ``colour`` over ``ground`` in [0, 1], and whether such a
    mixture explains the pixel."""
    contrast = np.asarray(colour, np.float32) - ground
    difference = picture - ground
    power = np.einsum("...c,...c", contrast, contrast)
    along = np.einsum("...c,...c", difference, contrast)
    share = np.clip(along / np.maximum(power, 1.0), 0, 1)
    rest = largest(np.abs(difference - share[..., None] * contrast))
    return share, rest <= max(MIXED, 6 * noise)


# --------------------------------------------------------------------------------------------------


def palette_of(clip: Clip, contents: Sequence[Content]) -> list[Ink]:
    """Inks that occur in several regions or frames, near-equal ones merged, most frequent first;
    without thin ones that may be what compression makes of others."""
    groups: list[list[Ink]] = []
    for part in contents:
        for ink in part.inks:
            for group in groups:
                middle = np.median([one.colour for one in group], axis=0)
                if np.linalg.norm(middle - ink.colour) <= 28 + 3 * clip.noise:
                    group.append(ink)
                    break
            else:
                groups.append([ink])
    needed = max(min(2, len(clip) - 1), min(_SHARE * len(contents), _OFTEN))
    often = [group for group in groups if len(group) >= needed]
    inks = [_merged(group) for group in sorted(often, key=lambda g: -len(g))[:_INKS]]
    solid = [ink for ink in inks if not ink.thin]
    return [ink for ink in inks if not ink.thin or not _paled(ink, solid)]


def _merged(group: Sequence[Ink]) -> Ink:
    """One ink for several near-equal ones."""
    thin = sum(ink.thin for ink in group) > len(group) / 2
    alike = [ink for ink in group if ink.thin == thin]
    colour = np.median([ink.colour for ink in alike], axis=0)
    return Ink(colour, thin, float(np.median([ink.contrast for ink in alike])))


def _paled(ink: Ink, solid: Sequence[Ink]) -> bool:
    """Whether the colour of a thin line may be that of something solid, paled by compression, or
    what compression leaves around it."""
    return any(
        np.linalg.norm(ink.colour - other.colour) <= REACH or ink.contrast < FAINT * other.contrast
        for other in solid
    )


# --------------------------------------------------------------------------------------------------


def colour_regions(
    clip: Clip, inks: Sequence[Ink], sprites: Sequence[Chain]
) -> list[list[list[Region]]]:
    """Regions of each ink in each frame: [ink][frame] -> regions."""
    on_plate = [_plate_alike(clip, ink) for ink in inks]
    found: list[list[list[Region]]] = [[] for _ in inks]
    for t in range(len(clip)):
        frame = clip.frame(t)
        front = foreground(frame, clip.plate, clip.noise)
        blocked = covered_by(clip.shape, sprites, t)
        if blocked is not None:
            front &= ~blocked
        labels = label(clip, frame, front, inks)
        for k, alike in enumerate(on_plate):
            own = labels == k + 1
            if alike is not None:
                _bridge(own, alike, frame, inks[k].colour)
            pieces = regions(own, smallest(clip), front & ~own)
            found[k].append([r for r in pieces if inks[k].thin or thick(r)])
    return found


def _bridge(own: np.ndarray, alike: np.ndarray, frame: np.ndarray, colour: np.ndarray) -> None:
    """Add to the pixels of an ink, in place, those between them where the plate looks ``alike``."""
    left, top, width, height = cv2.boundingRect(own.astype(np.uint8))
    window = slice(max(0, top - 8), top + height + 8), slice(max(0, left - 8), left + width + 8)
    own, alike = own[window], alike[window]
    if not width or not alike.any():
        return
    closed = cv2.morphologyEx(own.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((7, 7), np.uint8))
    rows, columns = np.nonzero((closed > 0) & alike & ~own)
    own[rows, columns] = within(frame[window][rows, columns][:, None], colour, REACH)[:, 0]


def label(clip: Clip, frame: np.ndarray, front: np.ndarray, inks: Sequence[Ink]) -> np.ndarray:
    """(H, W) uint8: 0, or 1 + index of the ink that each foreground pixel has.

    A pixel has the ink that it is nearest to, if that is nearer than the ground and not far, or not
    very far but next to pixels that plainly have it: edges of other things often look like some ink
    from afar.
    """
    found = np.zeros(front.shape, np.uint8)
    left, top, width, height = cv2.boundingRect(front.astype(np.uint8))
    if not width or not inks:
        return found
    window = slice(top, top + height), slice(left, left + width)
    labels, plate, frame = found[window], clip.plate[window], frame[window]
    rows, columns = np.nonzero(front[window])
    pixels, ground = (
        frame[rows, columns].astype(np.float32),
        plate[rows, columns].astype(np.float32),
    )
    distance = np.stack(
        [np.linalg.norm(pixels - ink.colour.astype(np.float32), axis=1) for ink in inks]
    )
    nearest = distance.argmin(0)
    closest = distance[nearest, np.arange(len(rows))]
    own = (closest <= max(REACH, 6 * clip.noise)) & (
        closest < np.linalg.norm(pixels - ground, axis=1)
    )
    plain = own & (closest <= PLAIN + 3 * clip.noise)
    labels[rows[plain], columns[plain]] = nearest[plain] + 1
    _label_edges(labels, rows[own & ~plain], columns[own & ~plain], nearest[own & ~plain] + 1)
    _label_strokes(labels, rows[own], columns[own], nearest[own] + 1)
    for k, ink in enumerate(inks):
        if ink.thin:
            _label_thin(clip, labels, inks, k, (rows, columns, pixels, ground))
    return found


def _label_edges(
    labels: np.ndarray, rows: np.ndarray, columns: np.ndarray, wanted: np.ndarray
) -> None:
    """Give pixels the label they are nearest to where one of the 24 pixels around already has
    it."""
    padded = np.pad(labels, 2)
    beside = np.zeros(len(rows), bool)
    for dy in range(5):
        for dx in range(5):
            beside |= padded[rows + dy, columns + dx] == wanted
    labels[rows[beside], columns[beside]] = wanted[beside]


def _label_strokes(
    labels: np.ndarray, rows: np.ndarray, columns: np.ndarray, wanted: np.ndarray
) -> None:
    """Give pixels the label they are nearest to where they hang together with pixels that have it,
    away from everything else: compression pales a thin line, but does not cut it off."""
    for ink in np.unique(wanted):
        mine = wanted == ink
        mine[mine] = labels[rows[mine], columns[mine]] == 0
        if mine.sum() < SMALLEST:
            continue
        weak = np.zeros(labels.shape, bool)
        weak[rows[mine], columns[mine]] = True
        others = ((labels > 0) & (labels != ink)).astype(np.uint8)
        weak &= cv2.dilate(others, np.ones((5, 5), np.uint8)) == 0
        _, pieces = cv2.connectedComponents((weak | (labels == ink)).astype(np.uint8))
        joined = np.zeros(pieces.max() + 1, bool)
        joined[pieces[labels == ink]] = True
        labels[weak & joined[pieces]] = ink


def _label_thin(
    clip: Clip, labels: np.ndarray, inks: Sequence[Ink], k: int, pixels: tuple[np.ndarray, ...]
) -> None:
    """Add to a thin ink the pixels that it covers in part, unless they are the edge of something
    else."""
    rows, columns, picture, ground = pixels
    share, explained = mixture(picture, ground, inks[k].colour, clip.noise)
    mine = explained & (share >= 0.3) & (labels[rows, columns] == 0)
    for j, ink in enumerate(inks):
        if j != k and not ink.thin:
            beside = (
                cv2.dilate((labels == j + 1).astype(np.uint8), np.ones((3, 3), np.uint8))[
                    rows, columns
                ]
                > 0
            )
            mine &= ~(beside & mixture(picture, ground, ink.colour, clip.noise)[1])
    labels[rows[mine], columns[mine]] = k + 1


def _plate_alike(clip: Clip, ink: Ink) -> np.ndarray | None:
    """Pixels of the plate that have this ink's colour, or None."""
    colour = ink.colour.astype(np.float32)
    alike = within(clip.plate, colour, 0.6 * REACH)
    return alike if alike.any() else None


def thick(region: Region) -> bool:
    """Not merely the one-pixel fringe of something else: survives an erosion, or is small."""
    if region.area < 12:
        return True
    inside = cv2.erode(np.pad(region.mask, 1).astype(np.uint8), np.ones((2, 2), np.uint8))
    return inside.sum() >= 0.15 * region.area


def covered_by(shape: tuple[int, int], chains: Sequence[Chain], t: int) -> np.ndarray | None:
    """Pixels of frame t that belong to given chains, with a rim of two pixels; None when there are
    none."""
    present = [chain.regions[t] for chain in chains if t in chain.regions]
    if not present:
        return None
    mask = np.zeros(shape, np.uint8)
    for region in present:
        x0, y0, x1, y1 = region.box
        mask[y0:y1, x0:x1] |= region.mask
    return cv2.dilate(mask, np.ones((5, 5), np.uint8)).astype(bool)


def surfaces(chain: Chain, frames: Sequence[Sequence[Region]]) -> bool:
    """Is this nothing but ground that came to light? It turns up amid the picture, after the
    beginning, not out of another of its kind, and stays in place. frames: all regions of its kind,
    frame by frame."""
    first, last = min(chain.regions), max(chain.regions)
    start = chain.regions[first]
    if (
        first == 0
        or start.edge
        or any(overlap(start, region) > 0.5 for region in frames[first - 1])
    ):
        return False
    return overlap(start, chain.regions[last]) > 0.6


def overlap(a: Region, b: Region) -> float:
    """Pixels that two regions share, relative to the smaller one."""
    x0, y0, x1, y1 = (
        max(a.box[0], b.box[0]),
        max(a.box[1], b.box[1]),
        min(a.box[2], b.box[2]),
        min(a.box[3], b.box[3]),
    )
    if x0 >= x1 or y0 >= y1:
        return 0.0
    inside = [r.mask[y0 - r.box[1] : y1 - r.box[1], x0 - r.box[0] : x1 - r.box[0]] for r in (a, b)]
    return float((inside[0] & inside[1]).sum()) / min(a.area, b.area)


# --------------------------------------------------------------------------------------------------


def whole_chains(clip: Clip) -> list[Chain]:
    """Foreground regions of any colours, linked over time."""
    per_frame = []
    for t in range(len(clip)):
        front = foreground(clip.frame(t), clip.plate, clip.noise)
        per_frame.append(regions(front, smallest(clip), np.zeros(clip.shape, bool)))
    return [chain for chain in link(per_frame, clip.shape) if not surfaces(chain, per_frame)]


def contents_of(clip: Clip, chain: Chain, limit: int = 6) -> list[Content]:
    """Contents of a chain's regions in at most ``limit`` frames, of those away from the border
    where there are some: colours that one frame shows do not count."""
    free = sorted(t for t, r in chain.regions.items() if not r.edge)
    times = free if len(free) >= min(3, len(chain.regions)) else sorted(chain.regions)
    chosen = [
        times[k]
        for k in np.unique(
            np.linspace(0, len(times) - 1, min(limit, len(times))).round().astype(int)
        )
    ]
    return [content(clip, clip.frame(t), chain.regions[t]) for t in chosen]


# --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Seed:
    """Something to follow. colour: (3,), or None for a sprite. chain: its regions. part: its
    declaration, if it has one. look: its appearance, and the pose at which its first frame shows
    it, where these are known."""

    colour: np.ndarray | None
    chain: Chain
    part: Part | None = None
    look: tuple[Appearance, np.ndarray] | None = None
