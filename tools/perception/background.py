"""Pixel noise and the background plate: what the picture looks like without the things that move.

The plate is the temporal median, corrected in three steps. Where a pixel shows two colours over
time, the one that continues what lies around it is the background, not the more frequent one (a
thing that rests for most of the clip is no background). What is enclosed by change and breaks with
its surroundings was never uncovered, nor was a region whose colour comes and goes along its border:
both are filled from their surroundings.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import cv2
import numpy as np

from tools import backing
from tools.perception.light import evened

MAX_SAMPLES = 64
"""Frames looked at by the estimates below: enough for a median, and bounded memory for long or
large clips."""
MAX_VALUES = 1 << 27
"""Pixel values held at once while medians are taken (bytes)."""
_COPIED = 192 << 20
"""Bytes of frames that are copied; of larger ones views are used."""
_KERNEL3, _KERNEL5, _KERNEL7 = (np.ones((k, k), np.uint8) for k in (3, 5, 7))


def sample(frames: np.ndarray, limit: int = MAX_SAMPLES) -> np.ndarray:
    """At most ``limit`` frames, evenly spread over the clip (first and last included); of a large
    clip every so many-th up to the last, as a view."""
    if len(frames) <= limit:
        return frames
    if limit * frames[0].nbytes > _COPIED:
        step = -(-len(frames) // limit)
        return frames[::-step][::-1]
    return frames[np.unique(np.linspace(0, len(frames) - 1, limit).round().astype(int))]


def pixel_noise(frames: np.ndarray) -> float:
    """Standard deviation of the pixel noise in grey levels, from differences of neighbouring
    frames.

    frames: (T, H, W, 3) uint8. The median absolute difference is taken over a sparse grid of
    pixels, so that moving objects (a minority of pixels) do not count; 1.4826 makes it consistent
    for Gaussian noise and sqrt(2) accounts for the difference of two frames. 0.0 for a clean
    drawing or a single frame.
    """
    if len(frames) < 2:
        return 0.0
    pairs = np.unique(np.linspace(0, len(frames) - 2, 8).round().astype(int))
    stride = max(1, int(np.sqrt(frames[0, ..., 0].size / 20000)))
    differences = np.abs(
        np.stack(
            [
                frames[t + 1, ::stride, ::stride].astype(np.int16) - frames[t, ::stride, ::stride]
                for t in pairs
            ]
        )
    )
    median = float(np.median(differences))
    if (
        median == 0.0
    ):  # most differences round to nothing: only a share of odd pixels tells clean from weak noise
        share = float((differences > 0).mean())
        return 0.0 if share < 0.2 else 0.5
    return 1.4826 * median / np.sqrt(2)


def dominant_colour(frames: np.ndarray) -> tuple[np.ndarray, float]:
    """The most frequent colour (3,) float64 and the share of pixels within 12 grey levels of it."""
    few = sample(frames, 8)
    stride = max(1, int(np.sqrt(len(few) * few[0, ..., 0].size / 80000)))
    pixels = few[:, ::stride, ::stride].reshape(-1, 3)
    centre = densest_colour(pixels)
    near = largest(np.abs(pixels - centre)) <= 12
    return np.median(pixels[near], axis=0), float(near.mean())


def densest_colour(pixels: np.ndarray) -> np.ndarray:
    """Median of the fullest 16-level bin of the colour cube: (N, 3) -> (3,) float64."""
    bins = pixels.astype(np.uint8) >> 4
    codes = (bins[:, 0].astype(np.int32) << 8) | (bins[:, 1].astype(np.int32) << 4) | bins[:, 2]
    return np.median(pixels[codes == np.bincount(codes).argmax()], axis=0).astype(np.float64)


def threshold(noise: float) -> float:
    """Grey-level difference that noise does not explain (largest of three channels)."""
    return max(14.0, 5.0 * noise)


def differs(a: np.ndarray, b: np.ndarray, level: float) -> np.ndarray:
    """(..., 3) pictures -> bool (...): some channel differs by more than ``level`` grey levels."""
    if a.dtype == b.dtype == np.uint8 and a.shape == b.shape and a.ndim == 3:

        def apart(a: np.ndarray, b: np.ndarray) -> np.ndarray:
            alike = cv2.inRange(cv2.absdiff(a, b), (0, 0, 0), (math.floor(level),) * 3)
            return np.asarray(alike == 0)

        return apart(a, b) if a.nbytes <= backing.LARGE else backing.in_bands(apart, a, b)
    if a.shape == b.shape and a.ndim == 3:
        return backing.in_bands(lambda a, b: largest(np.abs(a.astype(np.int16) - b)) > level, a, b)
    if a.ndim == 3 and b.ndim == 1:  # one colour
        return backing.in_bands(lambda a: largest(np.abs(a.astype(np.int16) - b)) > level, a)
    return np.asarray(largest(np.abs(a.astype(np.int16) - b)) > level)


def largest(channels: np.ndarray) -> np.ndarray:
    """(..., 3) -> (...): the largest of three channels; ``max(-1)`` takes far longer."""
    return np.maximum(np.maximum(channels[..., 0], channels[..., 1]), channels[..., 2])


def within(picture: np.ndarray, colour: np.ndarray, reach: float) -> np.ndarray:
    """(H, W, 3) picture -> bool (H, W): the colour (3,) is at most ``reach`` away, as the crow
    flies."""

    def near(band: np.ndarray) -> np.ndarray:
        away = band.astype(np.float32) - colour
        square = away[..., 0] ** 2 + away[..., 1] ** 2 + away[..., 2] ** 2
        return np.asarray(np.sqrt(square) <= reach)

    return backing.in_bands(near, picture)


# --------------------------------------------------------------------------------------------------


def plain(frames: np.ndarray, colour: tuple[float, float, float]) -> np.ndarray:
    """A plate of one known colour, (H, W, 3) uint8: for pictures with nothing else behind what
    moves."""
    return np.full(frames.shape[1:], np.clip(np.rint(colour), 0, 255), np.uint8)


def background(frames: np.ndarray, noise: float | None = None) -> np.ndarray:
    """The plate behind everything that moves: (H, W, 3) uint8, at the light of the middle of the
    clip.

    frames: (T, H, W, 3) uint8. What was never uncovered is continued from its surroundings (see the
    module's text).
    """
    noise = pixel_noise(frames) if noise is None else noise
    few = evened(sample(frames, max(9, min(MAX_SAMPLES, 2 * MAX_VALUES // frames[0].size))), noise)
    if len(few) < 2:
        return few[0].copy()
    plate = _steady(few, noise)
    changing = _varies(few, 3.0 + 6.5 * noise)
    if not changing.any():
        return plate
    ground = dominant_colour(few)
    window = _around_of(changing, 20)
    cut = few[:, *window]
    cut = cut if cut.nbytes > backing.LARGE else np.ascontiguousarray(cut)
    moving = _varies(cut, 2 * threshold(noise))
    plate[window] = _uncovered(cut, plate[window], changing[window], moving, noise, ground)
    return plate


def _varies(few: np.ndarray, level: float) -> np.ndarray:
    """bool (H, W): the largest value of some channel is more than ``level`` above the least."""

    def figure(band: np.ndarray) -> np.ndarray:
        return differs(band.max(0), band.min(0), level)

    return backing.by_rows(figure, few, range(len(few)))


def _around_of(mask: np.ndarray, pad: int) -> tuple[slice, slice]:
    """Window (rows, columns) that holds a mask with ``pad`` pixels to spare."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return slice(max(0, rows[0] - pad), rows[-1] + pad + 1), slice(
        max(0, columns[0] - pad), columns[-1] + pad + 1
    )


def _uncovered(
    few: np.ndarray,
    plate: np.ndarray,
    changing: np.ndarray,
    moving: np.ndarray,
    noise: float,
    ground: tuple[np.ndarray, float],
) -> np.ndarray:
    """The plate of a window: frequent colours, corrected by continuity, then what was never
    uncovered filled in.

    ground: the dominant colour (3,) and its share of the whole picture.
    """
    usual, other = _modes(few, changing, noise)
    plate = plate.copy()
    plate[changing] = usual
    doubtful = np.zeros(changing.shape, bool)
    doubtful[changing] = np.abs(usual.astype(np.int16) - other).max(-1) > threshold(noise)
    second = plate.copy()
    second[changing] = other
    _settle(plate, second, doubtful, noise)
    hole = _islands(plate, moving, noise) | _cores(few, plate, moving, noise, *ground)
    return fill(plate, hole, ground[0]) if hole.any() else plate


def _steady(few: np.ndarray, noise: float) -> np.ndarray:
    """Mean over time where there is noise to average out, else the middle frame."""
    if noise == 0.0:
        return few[len(few) // 2].copy()
    total = np.zeros(few.shape[1:], np.float32)
    for frame in few:
        cv2.accumulate(frame, total)
    return np.rint(total / len(few)).astype(np.uint8)


def _modes(few: np.ndarray, changing: np.ndarray, noise: float) -> tuple[np.ndarray, np.ndarray]:
    """For each changing pixel its most frequent colour and the most frequent of its other colours,
    both (n, 3) uint8.

    The second equals the first where fewer than two samples (or 4%) agree on another colour.
    """
    rows, columns = np.nonzero(changing)
    usual, other = np.empty((len(rows), 3), np.uint8), np.empty((len(rows), 3), np.uint8)
    chunk = max(1, backing.WINDOW // (24 * len(few)))
    for start in range(0, len(rows), chunk):
        part = slice(start, start + chunk)
        values = np.stack([frame[rows[part], columns[part]] for frame in few]).astype(np.int16)
        usual[part], other[part] = _two_modes(values, threshold(noise), 3.0 + 3.0 * noise)
    return usual, other


def _two_modes(values: np.ndarray, level: float, tolerance: float) -> tuple[np.ndarray, np.ndarray]:
    """Densest colour over time of each pixel, and the densest among the samples that differ from it
    by more than ``level``.

    values: (S, n, 3) int16 -> two (n, 3). A colour counts the samples within ``tolerance`` of it,
    of the channels' largest.
    """
    half = (len(values) - 1) // 2
    middle = np.partition(values, half, axis=0)[half]
    near = _near(values, middle, tolerance)
    first = _mean(values, near)
    unclear = np.flatnonzero(near.sum(0) <= len(values) // 2)
    if len(unclear):
        first[unclear] = densest(
            values[:, unclear], np.ones((len(values), len(unclear)), bool), tolerance
        )[0]
    away = ~_near(values, first.astype(np.int16), level)
    second = first.copy()
    often = np.flatnonzero(away.sum(0) >= max(2, 0.04 * len(values)))
    if len(often):
        colour, count = densest(values[:, often], away[:, often], tolerance)
        agreed = count >= max(2, 0.04 * len(values))
        second[often[agreed]] = colour[agreed]
    return first, second


def _near(values: np.ndarray, colour: np.ndarray, tolerance: float) -> np.ndarray:
    """(S, n) bool: within tolerance of a colour (n, 3) in every channel."""
    near = np.abs(values[..., 0] - colour[..., 0]) <= tolerance
    for channel in (1, 2):
        near &= np.abs(values[..., channel] - colour[..., channel]) <= tolerance
    return near


def _mean(values: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """(n, 3) uint8 mean over time of the chosen (S, n) samples."""
    total = np.einsum("snc,sn->nc", values, chosen, dtype=np.float64)
    return np.rint(total / np.maximum(chosen.sum(0), 1)[:, None]).astype(np.uint8)


def densest(
    values: np.ndarray, allowed: np.ndarray, tolerance: float, candidates: int = 9
) -> tuple[np.ndarray, np.ndarray]:
    """Mean of the allowed samples around the candidate that has most of them nearby, (n, 3), and
    their number, (n,).

    Candidates are spread evenly over the allowed samples of each pixel; one that has all of them
    nearby is best.
    """
    total = allowed.sum(0)
    best_count = np.zeros(values.shape[1], int)
    best = np.zeros(values.shape[1:], np.int16)
    tried = min(candidates, int(total.max(initial=0)))
    for k in range(tried):
        left = np.flatnonzero(best_count < total)
        some, free = values[:, left], allowed[:, left]
        wanted = 1 + (k * np.maximum(total[left] - 1, 0)) // max(1, tried - 1)
        index = np.argmax(np.cumsum(free, 0) >= wanted, axis=0)
        candidate = some[index, np.arange(len(left))]
        count = (free & _near(some, candidate, tolerance)).sum(0)
        better = count > best_count[left]
        best[left[better]], best_count[left[better]] = candidate[better], count[better]
    return _mean(values, allowed & _near(values, best, tolerance)), best_count


def bared(
    frames: Sequence[np.ndarray], plate: np.ndarray, hidden: np.ndarray, noise: float,
    asked: np.ndarray | None = None,
) -> np.ndarray:  # fmt: skip
    """The plate (H, W, 3) uint8 as most frames show it that leave a pixel free, where one does that
    is hidden in another. frames: (n, H, W, 3) uint8; hidden: (n, H, W) bool. asked: (H, W) bool,
    the pixels that matter, None for all."""
    told = hidden.any(0) & ~hidden.all(0)
    rows, columns = np.nonzero(told if asked is None else told & asked)
    if not len(rows):
        return plate
    out, chunk = plate.copy(), max(1, backing.WINDOW // (24 * len(hidden)))
    for start in range(0, len(rows), chunk):
        r, c = rows[start : start + chunk], columns[start : start + chunk]
        values = np.stack([frame[r, c] for frame in frames]).astype(np.int16)
        found, count = densest(values, np.stack([~one[r, c] for one in hidden]), 3.0 + 3.0 * noise)
        out[r[count > 0], c[count > 0]] = found[count > 0]
    return out


def _settle(plate: np.ndarray, second: np.ndarray, doubtful: np.ndarray, noise: float) -> None:
    """Decide doubtful pixels in place, from the sure ones inwards: the other colour wins where it
    continues some decided neighbour and the frequent one does so less.

    Sure regions that are wholly enclosed by doubtful pixels do not count as neighbours: they may be
    the inside of a mover.
    """
    if not doubtful.any():
        return
    sure = ~doubtful & ~_enclosed(doubtful)
    rows, columns = np.nonzero(cv2.dilate((doubtful & sure.any()).astype(np.uint8), _KERNEL3))
    if not len(rows) or not sure.any():
        return
    window = (slice(rows.min(), rows.max() + 1), slice(columns.min(), columns.max() + 1))
    plate, second, open_, done = (
        plate[window],
        second[window],
        doubtful[window].copy(),
        sure[window].copy(),
    )
    pad = np.pad(plate, ((1, 1), (1, 1), (0, 0))).astype(np.int16)
    known = np.pad(done, 1)
    while open_.any():
        front = open_ & (cv2.dilate(done.astype(np.uint8), _KERNEL3) > 0)
        if not front.any():
            break
        i, j = np.nonzero(front)
        first, alternative = plate[i, j].astype(np.int16), second[i, j].astype(np.int16)
        gap_first, gap_other = (
            _nearest_gap(pad, known, i, j, first),
            _nearest_gap(pad, known, i, j, alternative),
        )
        swap = (gap_other <= threshold(noise)) & (gap_other + 5 + 2 * noise < gap_first)
        plate[i[swap], j[swap]] = second[i[swap], j[swap]]
        pad[i + 1, j + 1] = plate[i, j]
        done[i, j], known[i + 1, j + 1], open_[i, j] = True, True, False


def _nearest_gap(
    pad: np.ndarray, known: np.ndarray, i: np.ndarray, j: np.ndarray, colour: np.ndarray
) -> np.ndarray:
    """Smallest difference to a decided neighbour of 8: (n,)."""
    best = np.full(len(i), 1000)
    for di in range(3):
        for dj in range(3):
            if (di, dj) != (1, 1):
                gap = np.abs(pad[i + di, j + dj] - colour).max(-1)
                best = np.where(known[i + di, j + dj] & (gap < best), gap, best)
    return best


def _enclosed(mask: np.ndarray) -> np.ndarray:
    """Pixels outside ``mask`` that cannot reach the image border without crossing it."""
    count, labels = cv2.connectedComponents((~mask).astype(np.uint8), connectivity=4)
    open_ = np.zeros(count, bool)
    for line in (labels[0], labels[-1], labels[:, 0], labels[:, -1]):
        open_[line] = True
    open_[0] = True
    return ~open_[labels]


# -------------------------------------------------------------------------------------------------


def _islands(plate: np.ndarray, moving: np.ndarray, noise: float) -> np.ndarray:
    """Still regions enclosed by change whose rim breaks with the plate just outside them: the
    inside of slow movers."""
    hole = np.zeros(moving.shape, bool)
    inside = _enclosed(moving)
    if not inside.any():
        return hole
    count, labels, stats, _ = cv2.connectedComponentsWithStats(
        inside.astype(np.uint8), connectivity=8
    )
    for k in range(1, count):
        window = _grown_box(stats[k], moving.shape, 4)
        island = labels[window] == k
        ring = (cv2.dilate(island.astype(np.uint8), _KERNEL7) > 0) & ~island
        if not ring.any() or stats[k, cv2.CC_STAT_AREA] < 4:
            continue
        around = _around(plate[window], island, moving[window], noise)
        if around is not None and _breaks(plate[window], island, around, noise):
            hole[window] |= island
    return _rimmed(hole, plate, moving, noise) if hole.any() else hole


def _around(
    plate: np.ndarray, island: np.ndarray, moving: np.ndarray, noise: float
) -> np.ndarray | None:
    """The one or two usual colours, (1 or 2, 3), of what lies beyond the change that surrounds an
    island.

    Two where an edge passes by: the median, and that of what differs from it, if that is a fifth or
    more.
    """
    beyond = ~island & ~moving
    near = cv2.dilate(island.astype(np.uint8), np.ones((15, 15), np.uint8)) > 0
    chosen = beyond & near if (beyond & near).sum() >= 8 else ~island & near
    if not chosen.any():
        return None
    seen = plate[chosen].astype(np.int16)
    usual = np.median(seen, axis=0)
    others = seen[np.abs(seen - usual).max(-1) > threshold(noise)]
    return (
        np.stack([usual, np.median(others, axis=0)])
        if len(others) >= 0.2 * len(seen)
        else usual[None]
    )


def _breaks(plate: np.ndarray, island: np.ndarray, around: np.ndarray, noise: float) -> bool:
    """Does most of an island's rim differ from every usual colour (n, 3) around it?"""
    rim = island & (cv2.erode(np.pad(island, 1).astype(np.uint8), _KERNEL3)[1:-1, 1:-1] == 0)
    gaps = np.abs(plate[rim].astype(np.int16)[:, None] - around).max(-1).min(-1)
    return bool(
        (gaps > 2 * threshold(noise)).mean() > 0.6
    )  # as much as it takes to count as moving


def _rimmed(hole: np.ndarray, plate: np.ndarray, moving: np.ndarray, noise: float) -> np.ndarray:
    """Add the changing pixels next to a hole that still have its colours."""
    level = threshold(noise)
    for _ in range(64):
        ring = (cv2.dilate(hole.astype(np.uint8), _KERNEL3) > 0) & ~hole & moving
        if not ring.any():
            break
        inner = np.where(hole[..., None], plate, 0).astype(np.float32)
        weight = cv2.blur(hole.astype(np.float32), (3, 3))
        mean = cv2.blur(inner, (3, 3)) / np.maximum(weight, 1e-6)[..., None]
        same = ring & (largest(np.abs(plate - mean)) <= level)
        if not same.any():
            break
        hole = hole | same
    return cv2.dilate(hole.astype(np.uint8), _KERNEL5).astype(bool) & (moving | hole)


def _grown_box(stats: np.ndarray, shape: tuple[int, int], pad: int) -> tuple[slice, slice]:
    x0, y0, w, h = (int(v) for v in stats[:4])
    return slice(max(0, y0 - pad), min(shape[0], y0 + h + pad)), slice(
        max(0, x0 - pad), min(shape[1], x0 + w + pad)
    )


def _cores(
    frames: np.ndarray,
    plate: np.ndarray,
    moving: np.ndarray,
    noise: float,
    colour: np.ndarray,
    share: float,
) -> np.ndarray:
    """Regions of one colour, on a mostly flat plate, whose colour comes and goes along their
    border: bool (H, W).

    Thin fixed structures (lines) that run through an object are kept.
    """
    mask = np.zeros(plate.shape[:2], bool)
    level = threshold(noise)
    if share < 0.3 or not moving.any() or moving.mean() > 0.9:
        return mask
    away = backing.in_bands(lambda band: largest(np.abs(band.astype(np.int16) - colour)), plate)
    rough = (
        float(np.quantile(away[away <= level], 0.95)) if (away <= level).any() else 0.0
    )  # of the ground itself, in compressed clips
    foreign = away > max(2.0, 3.0 * noise, 1.5 * rough)
    opened = cv2.morphologyEx(foreign.astype(np.uint8), cv2.MORPH_OPEN, _KERNEL5).astype(bool)
    for region in regions_by_colour(plate, opened, level):
        if _is_core(frames, plate, region, moving, colour, level):
            mask |= cv2.dilate(region.astype(np.uint8), _KERNEL5).astype(bool) & foreign
    return mask | _crumbs(moving | mask, foreign & ~mask) if mask.any() else mask


def _crumbs(swept: np.ndarray, rest: np.ndarray) -> np.ndarray:
    """Foreign specks that lie wholly within the swept area: parts of the mover that are too small
    to stand alone."""
    swept = cv2.dilate(swept.astype(np.uint8), _KERNEL7).astype(bool)
    count, labels = cv2.connectedComponents(rest.astype(np.uint8), connectivity=8)
    outside = np.zeros(count, bool)
    outside[np.unique(labels[~swept])] = True
    outside[0] = True
    return ~outside[labels]


def regions_by_colour(plate: np.ndarray, mask: np.ndarray, level: float) -> Iterator[np.ndarray]:
    """Connected regions of ``mask`` that are of one colour each: bool (H, W), at least 9 pixels
    each."""
    places = np.array([64, 8, 1], np.int32)
    codes = backing.in_bands(
        lambda b: (b // 32).astype(np.int32) @ places, cv2.medianBlur(plate, 3)
    )
    for code in np.unique(codes[mask]):
        count, labels, stats, _ = cv2.connectedComponentsWithStats(
            (mask & (codes == code)).astype(np.uint8), connectivity=8
        )
        yield from (labels == k for k in range(1, count) if stats[k, cv2.CC_STAT_AREA] >= 9)


def _is_core(frames, plate, region, moving, colour, level) -> bool:
    """Is this region of the plate the never-uncovered core of something that moves?"""
    border = cv2.dilate(region.astype(np.uint8), _KERNEL7).astype(bool) & ~region
    ring = border & moving
    if ring.sum() < 0.05 * border.sum() or ring.sum() < 4:
        return False
    own = np.median(plate[region], axis=0)
    if np.abs(own - colour).max() <= 2 * level:
        return False
    seen = np.stack([frame[ring] for frame in frames]).astype(np.int16)
    sees_own = (np.abs(seen - own).max(-1) <= level).any(0)
    sees_ground = (np.abs(seen - colour).max(-1) <= level).any(0)
    if (sees_own & sees_ground).mean() < 0.25:
        return False
    touched = region[0].sum() + region[-1].sum() + region[:, 0].sum() + region[:, -1].sum()
    return touched < 0.5 * np.sqrt(region.sum()) and _could_move(region, moving)


def _could_move(region: np.ndarray, moving: np.ndarray) -> bool:
    """Is there a direction of travel along which the rim that never changes lies? A rim across it
    would have to change."""
    rows, columns = np.nonzero(cv2.dilate(region.astype(np.uint8), _KERNEL5))
    window = (
        slice(max(0, rows.min() - 3), rows.max() + 4),
        slice(max(0, columns.min() - 3), columns.max() + 4),
    )
    soft = cv2.GaussianBlur(region[window].astype(np.float32), (0, 0), 1.5)
    gx, gy = cv2.Sobel(soft, cv2.CV_32F, 1, 0), cv2.Sobel(soft, cv2.CV_32F, 0, 1)
    rim = region[window] & (cv2.erode(region[window].astype(np.uint8), _KERNEL3) == 0)
    still = rim & (cv2.dilate(moving[window].astype(np.uint8), _KERNEL5) == 0)
    length = np.maximum(np.hypot(gx[still], gy[still]), 1e-6)
    angles = np.arange(12) * np.pi / 12
    across = np.abs(
        np.outer(np.cos(angles), gx[still] / length) + np.outer(np.sin(angles), gy[still] / length)
    )
    return bool((across > 0.6).sum(1).min() <= 0.12 * rim.sum())


# --------------------------------------------------------------------------------------------------


def fill(plate: np.ndarray, hole: np.ndarray, ground: np.ndarray | None = None) -> np.ndarray:
    """Fill ``hole`` (bool (H, W)) from the known pixels on both sides along rows and columns.

    A line that enters the hole on one side and leaves it on the other is continued, and so is a
    slanted edge between two colours; elsewhere the nearer sides decide, blended from one to the
    other. Exact for flat plates, gradients and straight structures. ground: colour (3,) of most of
    the picture, against which structures stand out; measured when not given.
    """
    if hole.all() or not hole.any():
        return plate
    ground = dominant_colour(plate[None])[0] if ground is None else ground
    window, filled = _around_of(hole, 4), plate.copy()
    filled[window] = _filled(plate[window], hole[window], ground, hole.shape)
    return filled


def _filled(
    plate: np.ndarray, hole: np.ndarray, ground: np.ndarray, whole: tuple[int, ...]
) -> np.ndarray:
    """The same in a window about the hole of a picture whose size is ``whole``."""
    row_value, row_gap, row_agree = _bridge(plate, ~hole, whole[1])
    column_value, column_gap, column_agree = (
        np.swapaxes(a, 0, 1) for a in _bridge(np.swapaxes(plate, 0, 1), ~hole.T, whole[0])
    )
    structure = np.abs(row_value - ground).max(-1) > 20
    column_structure = np.abs(column_value - ground).max(-1) > 20
    use_row = np.where(
        row_agree & column_agree,
        np.where(structure != column_structure, structure, row_gap <= column_gap),
        np.where(row_agree | column_agree, row_agree, row_gap <= column_gap),
    )
    value = np.where(use_row[..., None], row_value, column_value)
    open_ = hole & ~row_agree & ~column_agree
    count, pieces = cv2.connectedComponents(hole.astype(np.uint8))
    for k in (k for k in range(1, count) if open_[pieces == k].any()):
        _two_sided(value, plate, pieces == k)
    filled = plate.copy()
    filled[hole] = np.rint(value[hole]).astype(np.uint8)
    return filled


_AROUND, _ALIKE = 2, 20.0
"""Pixels outside a hole at which its border is looked at, and grey levels within which two colours
are one there."""


def _two_sided(value: np.ndarray, plate: np.ndarray, hole: np.ndarray) -> None:
    """Fill a hole (bool (H, W)) in ``value`` (H, W, 3) in place, where two colours meet at its
    border in just two places: the edge between them goes straight from one to the other."""
    size = 2 * _AROUND + 1
    grown = cv2.dilate(hole.astype(np.uint8), np.ones((size, size), np.uint8))
    outlines, _ = cv2.findContours(grown, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    x, y = max(outlines, key=len)[:, 0].T
    seen = plate[y, x].astype(np.float32)
    first = np.median(seen, axis=0)
    second = seen[np.abs(seen - first).max(1).argmax()]
    away = np.stack([np.abs(seen - colour).max(1) for colour in (first, second)])
    other = away[1] < away[0]
    meets = np.flatnonzero(other != np.roll(other, 1))
    plain = (away.min(0) <= _ALIKE).mean() > 0.9 and np.abs(first - second).max() > _ALIKE
    if not plain or len(meets) != 2:
        return
    (ax, ay), (bx, by) = ((x[[k - 1, k]].mean(), y[[k - 1, k]].mean()) for k in meets)
    length = float(np.hypot(bx - ax, by - ay))
    if length < 1.0:
        return

    def beyond(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return ((bx - ax) * (y - ay) - (by - ay) * (x - ax)) / length

    side = beyond(x[other], y[other])
    if not (sign := np.sign(np.median(side))) or (sign * side > -1.0).mean() < 0.95:
        return
    rows, columns = np.nonzero(hole)
    share = np.clip(sign * beyond(columns, rows) + 0.5, 0.0, 1.0)[:, None]
    value[rows, columns] = (1 - share) * first + share * np.median(seen[other], axis=0)


def _bridge(
    plate: np.ndarray, known: np.ndarray, whole: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Along each row: the blend of the known neighbours (of the nearer one where they disagree),
    the gap between them, and whether they agree. whole: length of a row of the whole picture."""
    h, w = known.shape
    index = np.arange(w)
    left = np.maximum.accumulate(np.where(known, index, -1), axis=1)
    right = np.minimum.accumulate(np.where(known, index, w)[:, ::-1], axis=1)[:, ::-1]
    rows = np.arange(h)[:, None]
    left_value = plate[rows, np.clip(left, 0, w - 1)].astype(np.float32)
    right_value = plate[rows, np.clip(right, 0, w - 1)].astype(np.float32)
    has_left, has_right = left >= 0, right < w
    agree = has_left & has_right & (np.abs(left_value - right_value).max(-1) <= 20)
    nearer_left = has_left & ((index - left <= right - index) | ~has_right)
    share = np.where(
        agree, (index - left) / np.maximum(right - left, 1), np.where(nearer_left, 0.0, 1.0)
    )[..., None].astype(np.float32)
    gap = np.where(has_left & has_right, right - left, 4 * whole)
    return (1 - share) * left_value + share * right_value, gap, agree
