"""Pixel noise and the background plate: what the picture looks like without the things that move."""

from __future__ import annotations

import cv2
import numpy as np

MAX_SAMPLES = 64
"""Frames looked at by the estimates below: enough for a median, and bounded memory for long or large clips."""


def sample(frames: np.ndarray, limit: int = MAX_SAMPLES) -> np.ndarray:
    """At most ``limit`` frames, evenly spread over the clip (first and last included)."""
    if len(frames) <= limit:
        return frames
    return frames[np.unique(np.linspace(0, len(frames) - 1, limit).round().astype(int))]


def pixel_noise(frames: np.ndarray) -> float:
    """Standard deviation of the pixel noise in grey levels, from differences of neighbouring frames.

    frames: (T, H, W, 3) uint8. The median absolute difference is taken over a sparse grid of pixels, so that moving
    objects (a minority of pixels) do not count; 1.4826 makes it consistent for Gaussian noise and sqrt(2) accounts for
    the difference of two frames. 0.0 for a clean drawing or a single frame.
    """
    few = sample(frames, 12)
    if len(few) < 2:
        return 0.0
    stride = max(1, int(np.sqrt(few[0, ..., 0].size / 20000)))
    grid = few[:, ::stride, ::stride].astype(np.int16)
    differences = np.abs(np.diff(grid, axis=0))
    median = float(np.median(differences))
    if median == 0.0:  # quantised to nothing: use the mean of the smaller half, which sees noise below one level
        share = float((differences > 0).mean())
        return 0.0 if share < 0.2 else 0.5
    return 1.4826 * median / np.sqrt(2)


def dominant_colour(frames: np.ndarray, bins: int = 16) -> tuple[np.ndarray, float]:
    """The most frequent colour (3,) float64 and the share of pixels within 12 grey levels of it."""
    few = sample(frames, 8)
    stride = max(1, int(np.sqrt(few[0, ..., 0].size / 40000)))
    pixels = few[:, ::stride, ::stride].reshape(-1, 3)
    width = 256 // bins
    codes = (pixels // width).astype(np.int32) @ np.array([bins * bins, bins, 1])
    peak = np.bincount(codes, minlength=bins**3).argmax()
    centre = np.median(pixels[codes == peak], axis=0).astype(np.float64)
    near = np.abs(pixels - centre).max(1) <= 12
    return np.median(pixels[near], axis=0), float(near.mean())


def background(frames: np.ndarray, noise: float | None = None) -> np.ndarray:
    """The plate behind everything that moves: (H, W, 3) uint8.

    Temporal median first. Where a slow object covers the same pixels in most frames the median shows the object; such
    cores are found by ``uncovered`` and filled from the surroundings.
    """
    noise = pixel_noise(frames) if noise is None else noise
    few = sample(frames)
    plate = np.median(few, axis=0).astype(np.uint8) if len(few) > 2 else few[0].copy()
    ghost = ghosts(few, plate, noise)
    return fill(plate, ghost) if ghost.any() else plate


def threshold(noise: float) -> float:
    """Grey-level difference that noise does not explain (largest of three channels)."""
    return max(14.0, 5.0 * noise)


def differs(a: np.ndarray, b: np.ndarray, level: float) -> np.ndarray:
    """(..., 3) pictures -> bool (...): some channel differs by more than ``level`` grey levels."""
    return (cv2.absdiff(a, b) if a.shape == b.shape else np.abs(a.astype(np.int16) - b)).max(-1) > level


def ghosts(frames: np.ndarray, plate: np.ndarray, noise: float) -> np.ndarray:
    """Pixels of ``plate`` that show a moving object instead of the background: bool (H, W).

    On a mostly flat background, a region of another colour is an object (and not a fixed structure) if pixels that
    change border it and take its colour at some time, while no other colour explains the change there. Thin fixed
    structures (lines) that run through an object are kept.
    """
    colour, share = dominant_colour(frames)
    mask = np.zeros(plate.shape[:2], bool)
    level = threshold(noise)
    spread = frames.max(0).astype(np.int16) - frames.min(0)
    changing = spread.max(-1) > 2 * level
    if share < 0.3 or not changing.any() or changing.mean() > 0.9:
        return mask
    foreign = np.abs(plate.astype(np.int16) - colour).max(-1) > max(2.0, 3.0 * noise)
    opened = cv2.morphologyEx(foreign.astype(np.uint8), cv2.MORPH_OPEN, np.ones((5, 5), np.uint8))
    for region in regions_by_colour(plate, opened.astype(bool), level):
        if _is_core(frames, plate, region, changing, foreign, colour, level):
            mask |= cv2.dilate(region.astype(np.uint8), np.ones((5, 5), np.uint8)).astype(bool) & foreign
    return mask | _crumbs(changing | mask, foreign & ~mask) if mask.any() else mask


def _crumbs(swept: np.ndarray, rest: np.ndarray) -> np.ndarray:
    """Foreign specks that lie wholly within the swept area: parts of the mover that are too small to stand alone."""
    swept = cv2.dilate(swept.astype(np.uint8), np.ones((7, 7), np.uint8)).astype(bool)
    count, labels = cv2.connectedComponents(rest.astype(np.uint8), connectivity=8)
    outside = np.zeros(count, bool)
    outside[np.unique(labels[~swept])] = True
    outside[0] = True
    return ~outside[labels]


def regions_by_colour(plate: np.ndarray, mask: np.ndarray, level: float) -> list[np.ndarray]:
    """Connected regions of ``mask`` that are of one colour each: list of bool (H, W), at least 9 pixels each."""
    smooth = cv2.medianBlur(plate, 3)
    codes = (smooth // 32).astype(np.int32) @ np.array([64, 8, 1])
    found = []
    for code in np.unique(codes[mask]):
        count, labels, stats, _ = cv2.connectedComponentsWithStats((mask & (codes == code)).astype(np.uint8), connectivity=8)
        found += [labels == k for k in range(1, count) if stats[k, cv2.CC_STAT_AREA] >= 9]
    return found


def _is_core(frames, plate, region, changing, foreign, colour, level) -> bool:
    """Is this region of the plate the never-uncovered core of something that moves?"""
    border = cv2.dilate(region.astype(np.uint8), np.ones((7, 7), np.uint8)).astype(bool) & ~region
    ring = border & changing
    if ring.sum() < 0.05 * border.sum() or ring.sum() < 4:
        return False
    own = np.median(plate[region], axis=0)
    sees_own = (np.abs(frames[:, ring].astype(np.int16) - own).max(-1) <= level).any(0)
    sees_ground = (np.abs(frames[:, ring].astype(np.int16) - colour).max(-1) <= level).any(0)
    if (sees_own & sees_ground).mean() < 0.25:
        return False
    touched = region[0].sum() + region[-1].sum() + region[:, 0].sum() + region[:, -1].sum()
    return touched < 0.5 * np.sqrt(region.sum())


def fill(plate: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """Fill ``hole`` (bool (H, W)) from the nearest known pixels along rows and columns.

    A line that enters the hole on one side and leaves it on the other is continued; elsewhere the two nearest sides
    decide. Exact for flat plates and for straight horizontal or vertical structures.
    """
    known = ~hole
    if not known.any():
        return plate
    rows = _bridge(plate, known)
    columns = tuple(np.swapaxes(a, 0, 1) for a in _bridge(np.swapaxes(plate, 0, 1), known.T))
    row_value, row_gap, row_agree = rows
    column_value, column_gap, column_agree = columns
    ground, _ = dominant_colour(plate[None])
    structure = np.abs(row_value - ground).max(-1) > 20
    column_structure = np.abs(column_value - ground).max(-1) > 20
    use_row = np.where(row_agree & column_agree, np.where(structure != column_structure, structure, row_gap <= column_gap),
                       np.where(row_agree | column_agree, row_agree, row_gap <= column_gap))
    filled = plate.copy()
    filled[hole] = np.where(use_row[..., None], row_value, column_value)[hole].astype(np.uint8)
    return filled


def _bridge(plate: np.ndarray, known: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Along each row: the value of the nearer known neighbour, the gap between both, and whether both agree."""
    h, w = known.shape
    index = np.arange(w)
    left = np.maximum.accumulate(np.where(known, index, -1), axis=1)
    right = np.minimum.accumulate(np.where(known, index, w)[:, ::-1], axis=1)[:, ::-1]
    rows = np.arange(h)[:, None]
    left_value = plate[rows, np.clip(left, 0, w - 1)].astype(np.int16)
    right_value = plate[rows, np.clip(right, 0, w - 1)].astype(np.int16)
    has_left, has_right = left >= 0, right < w
    nearer_left = has_left & ((index - left <= right - index) | ~has_right)
    value = np.where(nearer_left[..., None], left_value, right_value)
    gap = np.where(has_left & has_right, right - left, 4 * w)
    agree = has_left & has_right & (np.abs(left_value - right_value).max(-1) <= 20)
    return value, gap, agree
