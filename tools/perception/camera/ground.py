"""What a fixed camera sees behind everything that moves: the plate, healed where a body stood."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import cv2
import numpy as np

from tools import backing
from tools.perception.background import sample
from tools.perception.camera.noise import Noise

_SAMPLES = 40
_CLEAR = 6.0
"""Difference, in standard deviations of a pixel's noise, that is no noise."""
_LEAST_CHANGE = 7.0
"""Grey levels below which compression and flicker may have made a difference."""
_STAYED = (0.6, 0.4, 0.25, 0.12)
"""Shares of the frames for which a second state of the plate must hold, most telling first."""
_LEAST_PATCH = 12
_LATE = 6
"""Part of the clip (one in ...) that counts as its end."""
_LASTS = 0.7
"""Share of the end of the clip for which a pixel must differ from the plate to be taken as it was
last."""
_MOST_LATE = 30
"""Frames of that end that are looked at, at most."""
_AT_ONCE = 25_000
"""Pixels whose course is looked at together."""
_WEAKER = 0.8
"""Factor by which the outline of the other state must be weaker."""


def plate_of(frames: np.ndarray, noise: Noise) -> np.ndarray:
    """The plate (H, W, 3) float32 of a clip (T, H, W, 3) uint8.

    The median over time where something changes, the mean elsewhere. Where a pixel held a second
    colour for a while, the colours of the whole patch are weighed: a body has an outline against
    what lies around it, the ground that it hid has none.
    """
    few = sample(frames, _SAMPLES)
    low, high, total = few[0].copy(), few[0].copy(), np.zeros(few.shape[1:], np.float32)
    for frame in few:
        np.minimum(low, frame, out=low)
        np.maximum(high, frame, out=high)
        cv2.accumulate(frame, total)
    plate = np.divide(total, len(few), out=total)
    limit = np.empty_like(plate)
    changing = np.zeros(plate.shape[:2], bool)
    for band in _bands(plate):
        limit[band] = clear_difference(plate[band], noise)
        still = 1.2 * limit[band] + 2.0 * noise.sigma(plate[band])
        changing[band] = ((high[band] - low[band]) > still).any(-1)
    rows, columns = np.nonzero(changing)
    if not len(rows):
        return plate
    stayed = np.zeros(plate.shape[:2], np.float32)
    for start in range(0, len(rows), _AT_ONCE):
        here = rows[start : start + _AT_ONCE], columns[start : start + _AT_ONCE]
        values = few[:, *here]
        plate[here] = median(values)
        stayed[here] = _second_state(values, plate[here], limit[here])
    return _unghosted(few, plate, stayed, limit)


def _bands(plate: np.ndarray) -> Iterator[slice]:
    """Rows of a picture (H, W, 3) float32 that are worked on at a time."""
    rows = max(1, backing.WINDOW // plate[0].nbytes)
    return (slice(top, top + rows) for top in range(0, len(plate), rows))


def median(values: np.ndarray) -> np.ndarray:
    """Lower median over the first axis, float32: a colour that was seen."""
    half = (len(values) - 1) // 2
    return np.partition(values, half, axis=0)[half].astype(np.float32)


def clear_difference(plate: np.ndarray, noise: Noise) -> np.ndarray:
    """(H, W, 3) float32: difference in grey levels from the plate that noise does not explain."""
    return np.maximum(_CLEAR * noise.sigma(plate), _LEAST_CHANGE)


def _second_state(values: np.ndarray, first: np.ndarray, limit: np.ndarray) -> np.ndarray:
    """(n,) share of the samples (S, n, 3) that differ from ``first`` (n, 3) and agree with each
    other, negative where they are darker."""
    difference = values - first
    away = (np.abs(difference) > limit).any(-1)
    count = np.maximum(away.sum(0), 1)[:, None]
    mean = np.einsum("snc,sn->nc", difference, away, dtype=np.float32) / count
    agree = (away & (np.abs(difference - mean) < 2.5 * limit).all(-1)).mean(0)
    return np.where(mean.sum(-1) < 0, -agree, agree)


def _unghosted(
    few: np.ndarray, plate: np.ndarray, stayed: np.ndarray, limit: np.ndarray
) -> np.ndarray:
    """The plate with every patch in whichever of its two states has the weaker outline.

    Patches that stayed longer come first, and brighter apart from darker ones: what passed by, or
    came to rest beside a body that left, would join them to others.
    """
    for least, sign in itertools.product(_STAYED, (1, -1)):
        held = (sign * stayed > least).astype(np.uint8)
        patch = cv2.morphologyEx(held, cv2.MORPH_OPEN, square(3))
        count, labels, stats, _ = cv2.connectedComponentsWithStats(patch, connectivity=4)
        for k in range(1, count):
            x, y, w, h, area = stats[k]
            if area < _LEAST_PATCH:
                continue
            window = np.s_[max(0, y - 6) : y + h + 6, max(0, x - 6) : x + w + 6]
            core = labels[window] == k
            other = _while_away(few[(slice(None), *window)], plate[window], core, limit[window])
            if other is None:
                continue
            mask = cv2.morphologyEx(core.astype(np.uint8), cv2.MORPH_CLOSE, square(9))
            mask = cv2.dilate(mask, square(5))
            swapped = np.where(mask[..., None] > 0, other, plate[window])
            if outlined_less(swapped, plate[window], mask):
                plate[window] = swapped
                stayed[window][mask > 0] = 0.0
    return plate


def _while_away(
    views: np.ndarray, plate: np.ndarray, core: np.ndarray, limit: np.ndarray
) -> np.ndarray | None:
    """Median (h, w, 3) of the views (S, h, w, 3) in which most of the core is not the plate."""
    away = (np.abs(views[:, core] - plate[core]) > limit[core]).any(-1).mean(1) > 0.75
    return median(views[away]) if away.any() else None


def square(size: int) -> np.ndarray:
    """(size, size) uint8, the kernel of a morphological operation."""
    return np.ones((size, size), np.uint8)


def outlined_less(other: np.ndarray, plate: np.ndarray, mask: np.ndarray, blur: float = 0) -> bool:
    """Whether a patch, bool or uint8 (H, W), has a clearly weaker outline in one picture than in
    another, (H, W, 3) float32 each, both smoothed by ``blur`` pixels."""
    band = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_GRADIENT, square(7)) > 0
    if not band.any():
        return False
    weaker, stronger = (edges(picture, blur)[band].mean() for picture in (other, plate))
    return bool(weaker < _WEAKER * stronger)


def edges(picture: np.ndarray, blur: float = 0) -> np.ndarray:
    """(H, W) gradient in grey levels a pixel of a picture (H, W, 3) float32, smoothed by ``blur``
    pixels, in the colour that changes most."""
    if blur:
        picture = cv2.GaussianBlur(picture, (0, 0), blur)
    gx, gy = (cv2.Sobel(picture, cv2.CV_32F, *d, ksize=3, scale=1 / 8) for d in ((1, 0), (0, 1)))
    return np.sqrt(gx * gx + gy * gy).max(-1)


def uncovered(
    frames: np.ndarray, plate: np.ndarray, covers: Callable[[int], np.ndarray], noise: Noise
) -> np.ndarray:
    """The plate again, now that it is known where the bodies are: per pixel the median of the
    frames in which none covers it, and where the last of these agree on another colour, that
    colour, because it is what comes next.

    covers: frame number -> bool (H, W), where a body lies.
    """
    chosen = np.unique(
        np.linspace(0, len(frames) - 1, min(len(frames), _SAMPLES)).round().astype(int)
    )
    width = plate.shape[1]
    masks = np.stack([np.packbits(covers(int(t)), axis=1) for t in chosen])
    plate = plate.copy()
    ever = np.unpackbits(np.bitwise_or.reduce(masks), axis=1, count=width)
    rows, columns = np.nonzero(ever)
    if len(rows):
        free = np.stack([np.unpackbits(m, axis=1, count=width)[rows, columns] == 0 for m in masks])
        values, count = _free_median(frames[chosen[:, None], rows, columns], free)
        known = count >= 2
        plate[rows[known], columns[known]] = values[known]
    return _as_it_was_last(frames, plate, covers, noise)


def _free_median(values: np.ndarray, free: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Lower median (n, 3) float32 of the free (S, n) samples (S, n, 3), and their number (n,)."""
    ranked = np.sort(np.where(free[..., None], values, 255), axis=0)
    count = free.sum(0)
    place = np.maximum(count - 1, 0) // 2
    return ranked[place, np.arange(len(place))].astype(np.float32), count


def _as_it_was_last(
    frames: np.ndarray, plate: np.ndarray, covers: Callable[[int], np.ndarray], noise: Noise
) -> np.ndarray:
    """The plate with what has lately been otherwise as the last frame shows it: what is no body and
    moves (a hand, a curtain) is rather where it was last than where it was on average."""
    late = range(max(0, len(frames) - min(max(3, len(frames) // _LATE), _MOST_LATE)), len(frames))
    limit = 0.6 * clear_difference(plate, noise)
    often = np.zeros(plate.shape[:2], np.uint8)
    for t in late:
        away = ~covers(t)
        for band in _bands(plate):
            away[band] &= (np.abs(frames[t][band] - plate[band]) > limit[band]).any(-1)
        often += away
    other = away & (often > _LASTS * len(late))
    other = cv2.morphologyEx(other.astype(np.uint8), cv2.MORPH_OPEN, square(2)) > 0
    plate[other] = frames[-1][other]
    return plate
