"""Foreground, palette, soft coverage and connected regions."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from tools.perception.background import densest_colour, differs, largest, sample, threshold


def foreground(frame: np.ndarray, plate: np.ndarray, noise: float = 0.0) -> np.ndarray:
    """Pixels of ``frame`` (H, W, 3) that differ from the plate beyond noise: bool (H, W), specks
    removed when noisy."""
    mask = differs(frame, plate, threshold(noise))
    if noise > 1.0:
        mask = cv2.morphologyEx(
            mask.astype(np.uint8), cv2.MORPH_OPEN, np.ones((2, 2), np.uint8)
        ).astype(bool)
    return mask


def homogeneous(frame: np.ndarray, noise: float = 0.0) -> np.ndarray:
    """Pixels whose 3x3 neighbourhood has one colour (within noise): bool (H, W). Edges and textures
    are excluded."""
    kernel = np.ones((3, 3), np.uint8)
    spread = cv2.subtract(cv2.dilate(frame, kernel), cv2.erode(frame, kernel)).max(-1)
    return spread <= max(18.0, 7.0 * noise)


def palette(
    frames: np.ndarray, plate: np.ndarray, noise: float = 0.0, limit: int = 8
) -> list[tuple[np.ndarray, float]]:
    """The flat colours of the foreground: list of (colour (3,), share of flat foreground pixels),
    most frequent first.

    Found by repeatedly taking the densest 16-level bin and everything near it; mixtures at edges do
    not count.
    """
    pixels = []
    for frame in sample(frames, 8):
        mask = foreground(frame, plate, noise)
        flat = mask & homogeneous(frame, noise)
        pixels.append(frame[flat if flat.sum() >= 0.15 * mask.sum() else mask])
    rest = np.concatenate(pixels).astype(np.float64)
    total, reach = len(rest), max(40.0, 6.0 * noise)
    found: list[tuple[np.ndarray, float]] = []
    while len(found) < limit and len(rest) > max(8, 0.01 * total):
        centre = densest_colour(rest)
        near = np.linalg.norm(rest - centre, axis=1) <= reach
        if not near.any():
            break
        found.append((np.median(rest[near], axis=0), float(near.sum()) / total))
        rest = rest[~near]
    return found


def coverage(frame: np.ndarray, plate: np.ndarray, colour, noise: float = 0.0) -> np.ndarray:
    """How much of each pixel is covered by an object of a flat ``colour`` in front of ``plate``:
    float32 (H, W).

    The projection of frame - plate on colour - plate, clipped to [0, 1]; 0 where a mixture of the
    two does not explain the pixel (something else is there) or where object and plate cannot be
    told apart.
    """
    difference = frame.astype(np.float32) - plate
    contrast = np.asarray(colour, np.float32) - plate
    power = np.einsum("...c,...c", contrast, contrast)
    along = np.einsum("...c,...c", difference, contrast)
    share = np.clip(along / np.maximum(power, 1.0), 0, 1)
    rest = largest(np.abs(difference - share[..., None] * contrast))
    return np.where((rest <= max(40.0, 6 * noise)) & (power > 400.0), share, 0).astype(np.float32)


@dataclass(frozen=True)
class Region:
    """A connected region of a mask. x, y: centroid; box: (x0, y0, x1, y1) exclusive; edge: touches
    the image border; mask: bool (y1 - y0, x1 - x0). contact: share of the rim that borders on other
    things, 1 when nobody looked."""

    x: float
    y: float
    area: float
    box: tuple[int, int, int, int]
    edge: bool
    mask: np.ndarray
    contact: float = 1.0


def regions(
    mask: np.ndarray, smallest: float = 4.0, others: np.ndarray | None = None
) -> list[Region]:
    """8-connected regions of a bool (H, W) mask, largest first. others: bool (H, W), to measure
    ``Region.contact`` with."""
    left, top, width, height = cv2.boundingRect(mask.astype(np.uint8))
    if not width:
        return []
    count, labels, stats, centres = cv2.connectedComponentsWithStats(
        mask[top : top + height, left : left + width].astype(np.uint8), connectivity=8
    )
    h, w = mask.shape
    found = []
    for k in range(1, count):
        x, y, bw, bh, area = (int(v) for v in stats[k])
        if area >= smallest:
            x0, y0 = left + x, top + y
            edge = x0 == 0 or y0 == 0 or x0 + bw == w or y0 + bh == h
            window = labels[y : y + bh, x : x + bw] == k
            box = (x0, y0, x0 + bw, y0 + bh)
            contact = 1.0 if others is None else _contact(window, box, others)
            found.append(
                Region(
                    (round(centres[k][0] * area) + left * area) / area,
                    (round(centres[k][1] * area) + top * area) / area,
                    float(area),
                    box,
                    edge,
                    window,
                    contact,
                )
            )
    return sorted(found, key=lambda region: -region.area)


def _contact(inside: np.ndarray, box: tuple[int, int, int, int], others: np.ndarray) -> float:
    """Share of the pixels two to three away from a region that belong to other things."""
    x0, y0, x1, y1 = box
    padded = np.pad(inside, 3).astype(np.uint8)
    ring = (cv2.dilate(padded, np.ones((7, 7), np.uint8)) > 0) & (
        cv2.dilate(padded, np.ones((3, 3), np.uint8)) == 0
    )
    window = np.zeros(padded.shape, bool)
    rows, columns = (
        slice(max(0, y0 - 3), min(others.shape[0], y1 + 3)),
        slice(max(0, x0 - 3), min(others.shape[1], x1 + 3)),
    )
    window[
        rows.start - y0 + 3 : rows.stop - y0 + 3, columns.start - x0 + 3 : columns.stop - x0 + 3
    ] = others[rows, columns]
    return float((window & ring).sum()) / max(int(ring.sum()), 1)


def moments(weight: np.ndarray) -> tuple[float, float, float, float, float]:
    """Area, centroid and orientation of a soft mask (h, w): (area, x, y, angle, elongation).

    angle: of the longer axis, in (-pi/2, pi/2]; elongation: ratio of the axes' standard deviations,
    >= 1.
    """
    area = float(weight.sum())
    ys, xs = np.arange(weight.shape[0]), np.arange(weight.shape[1])
    px, py = weight.sum(0), weight.sum(1)
    x, y = float(px @ xs) / area, float(py @ ys) / area
    xx, yy = float(px @ (xs - x) ** 2) / area, float(py @ (ys - y) ** 2) / area
    xy = float((ys - y) @ weight @ (xs - x)) / area
    angle = 0.5 * np.arctan2(2 * xy, xx - yy)
    root = np.hypot(xx - yy, 2 * xy)
    return area, x, y, float(angle), float(np.sqrt((xx + yy + root) / max(xx + yy - root, 1e-9)))
