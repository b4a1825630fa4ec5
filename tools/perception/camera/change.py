"""What differs from the plate, frame by frame: blobs of changed pixels, at a coarse scale."""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np

from tools.perception.background import sample
from tools.perception.camera.noise import Noise

_COARSE = 320 * 240
"""Pixels of the picture in which blobs are looked for."""
_WEAK = 3.0
"""Difference, in standard deviations, that belongs to a blob; twice as much makes one."""
_SHARE = 0.12
"""The same as a share of the strongest difference of most frames: what changes far less than a body
does is light."""
_KERNEL = np.ones((3, 3), np.uint8)
_JITTER = 0.3
"""Pixels by which edges of the plate may seem to move: lens, compression, a table that trembles."""
_LEAST_ENERGY = 40.0
_RESTLESS = 5.0
"""Factor by which a pixel may be noisier than the camera."""
_SAMPLES = 30


@dataclass(frozen=True)
class Blob:
    """Changed pixels that hang together in one frame, in pixels of the full picture.

    x, y: centre, weighted by the change. box: (x0, y0, x1, y1), end exclusive. area: pixels.
    colour: (3,) mean. energy: sum of the change in standard deviations. dark: share that is the
    plate at a lower light. edge: it touches the border.
    """

    x: float
    y: float
    box: tuple[int, int, int, int]
    area: float
    colour: np.ndarray = field(repr=False)
    energy: float
    dark: float
    edge: bool


@dataclass(frozen=True)
class Changes:
    """blobs: a tuple per frame. scale: pixels of the picture per pixel of ``often``. often: (h, w)
    share of the frames in which each coarse pixel differs from the plate."""

    blobs: tuple[tuple[Blob, ...], ...]
    scale: int
    often: np.ndarray


def changes(
    frames: np.ndarray, plate: np.ndarray, noise: Noise, bared: np.ndarray | None = None
) -> Changes:
    """Blobs of every frame (T, H, W, 3) uint8 against the plate (H, W, 3) float32. bared: bool (H,
    W), where a body that rests in most frames was taken out of the plate."""
    scale = max(1, round((plate[..., 0].size / _COARSE) ** 0.5))
    size = (plate.shape[1] // scale, plate.shape[0] // scale)
    base = cv2.resize(plate, size, interpolation=cv2.INTER_AREA)
    few = np.stack([_difference(frame, base) for frame in sample(frames, _SAMPLES)])
    unit = _units(few, base, noise, bared)
    peak = float(np.median(np.abs(few / unit).max((1, 2, 3))))
    weak = max(_WEAK, _SHARE * peak)
    often = np.zeros(base.shape[:2], np.float32)
    found = []
    for frame in frames:
        difference = _difference(frame, base)
        change = np.abs(difference / unit).max(-1)
        labels, count = _labels(change, weak)
        often += labels > 0
        found.append(tuple(_blobs(labels, count, change, difference, base, scale)))
    return Changes(tuple(found), scale, often / max(len(frames), 1))


def _difference(frame: np.ndarray, base: np.ndarray) -> np.ndarray:
    small = cv2.resize(frame, base.shape[1::-1], interpolation=cv2.INTER_AREA)
    return cv2.blur(small - base, (3, 3))


def _units(few: np.ndarray, base: np.ndarray, noise: Noise, bared: np.ndarray | None) -> np.ndarray:
    """(h, w, 3) standard deviation of the difference of a pixel from the plate: noise, trembling
    edges, and what goes on at that pixel in most frames (leaves, glare), as far as a resting body
    could not be behind it, and none is known to be."""
    gx, gy = (
        cv2.Sobel(base, cv2.CV_32F, 1, 0, scale=0.125),
        cv2.Sobel(base, cv2.CV_32F, 0, 1, scale=0.125),
    )
    edges = _JITTER * np.sqrt(gx * gx + gy * gy)
    sigma = np.sqrt(np.maximum(noise.sigma(base), 1.2) ** 2 + edges**2)
    usual = (
        np.partition(np.abs(few), int(0.45 * (len(few) - 1)), axis=0)[int(0.45 * (len(few) - 1))]
        / 0.6
    )
    if bared is not None:
        usual[cv2.resize(bared.astype(np.uint8), base.shape[1::-1]) > 0] = 0.0
    return np.maximum(sigma, np.minimum(usual, _RESTLESS * sigma))


def _labels(change: np.ndarray, weak: float) -> tuple[np.ndarray, int]:
    """Components of the weakly changed pixels that hold enough strong change: labels (h, w) from 1
    and their number."""
    mask = cv2.morphologyEx((change > weak).astype(np.uint8), cv2.MORPH_CLOSE, _KERNEL)
    count, labels = cv2.connectedComponents(mask, connectivity=8)
    strong = np.bincount(labels.ravel(), np.where(change > 2 * weak, change, 0.0).ravel(), count)
    kept = strong > _LEAST_ENERGY
    kept[0] = False
    renumber = np.where(kept, np.cumsum(kept), 0)
    return renumber[labels], int(kept.sum())


def _blobs(
    labels: np.ndarray,
    count: int,
    change: np.ndarray,
    difference: np.ndarray,
    base: np.ndarray,
    scale: int,
) -> list[Blob]:
    if not count:
        return []
    rows, columns = np.nonzero(labels)
    owner = labels[rows, columns] - 1
    weight = np.minimum(change[rows, columns], 20.0)
    ground = base[rows, columns]
    seen = ground + difference[rows, columns]

    def total(values: np.ndarray) -> np.ndarray:
        return np.bincount(owner, values, count)

    energy, area = total(weight), total(np.ones(len(owner)))
    x, y = total(weight * columns) / energy, total(weight * rows) / energy
    colours = np.stack([total(weight * seen[:, c]) / energy for c in range(3)], 1)
    dark = total(weight * _shaded(seen, ground)) / energy
    blobs = []
    for k in range(count):
        mine = owner == k
        x0, x1 = int(columns[mine].min()), int(columns[mine].max()) + 1
        y0, y1 = int(rows[mine].min()), int(rows[mine].max()) + 1
        edge = x0 == 0 or y0 == 0 or x1 == labels.shape[1] or y1 == labels.shape[0]
        centre = ((x[k] + 0.5) * scale - 0.5, (y[k] + 0.5) * scale - 0.5)
        box = (x0 * scale, y0 * scale, x1 * scale, y1 * scale)
        blobs.append(
            Blob(
                *centre,
                box,
                float(area[k]) * scale**2,
                colours[k],
                float(energy[k]) * scale**2,
                float(dark[k]),
                edge,
            )
        )
    return blobs


def _shaded(seen: np.ndarray, ground: np.ndarray) -> np.ndarray:
    """(n,) bool: the plate at a lower light, all channels darkened alike (a shadow), as far as
    three channels tell."""
    ratio = seen.sum(-1) / np.maximum(ground.sum(-1), 1.0)
    left = np.abs(seen - ratio[:, None] * ground).max(-1)
    return (ratio < 0.99) & (ratio > 0.25) & (left < 6.0 + 0.04 * ground.max(-1))
