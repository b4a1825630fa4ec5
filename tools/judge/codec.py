"""Drawings that went through a codec: it keeps brightness in every pixel, colour in every second
one only (4:2:0), and leaves rings of a few grey levels around edges."""

from __future__ import annotations

import cv2
import numpy as np

_STEP = 6  # levels of colour between neighbours that make an edge
_PAIRED = 0.4  # share of the edges between pairs that lossless drawings have within pairs at least
_EDGES = 50  # edges that tell
_SHOWN = 8  # frames that are looked at
_STANDS = 8  # grey levels up to which a pixel and those beside it are as they usually are
_STIRS = 24  # grey levels from which on a pixel moves: what stands may fall on whole pairs


def coded(frames: np.ndarray) -> bool:
    """Whether neighbours share their colour by pairs along rows and columns, as where a codec
    stored it at half resolution: frames (T, H, W, 3) uint8."""
    some = frames[:: max(1, len(frames) // _SHOWN)]
    moves = (some.max(axis=0).astype(np.int16) - some.min(axis=0)).max(axis=2) > _STIRS
    counts = np.zeros((2, 2), int)
    for frame in some:
        tint = cv2.cvtColor(frame, cv2.COLOR_RGB2YCrCb)[..., 1:].astype(np.int16)
        steps = np.abs(np.diff(tint, axis=1)), np.abs(np.diff(tint, axis=0)).swapaxes(0, 1)
        for k, (step, stirs) in enumerate(zip(steps, (moves, moves.T), strict=True)):
            edges = (step > _STEP).any(axis=2) & stirs[:, 1:]
            counts[k] += edges[:, ::2].sum(), edges[:, 1::2].sum()
    within, between = counts.T
    return bool((between > _EDGES).all() and (within < _PAIRED * between).all())


def readable(frame: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8: brightness and half of each difference of colour, without rings. Of edges
    mostly the brightness tells."""
    tones = cv2.cvtColor(frame, cv2.COLOR_RGB2YCrCb)
    tones[..., 1:] = tones[..., 1:] // 2 + 64
    return np.asarray(cv2.medianBlur(tones, 3))


def steadied(frames: np.ndarray) -> np.ndarray:
    """(T, H, W, 3) uint8 with what stands as it usually is: a faint edge would be closed in one
    frame and open in the next, and what it parts one patch or two."""
    plate = np.median(frames, axis=0).astype(np.uint8)
    shown = frames.copy()
    for frame in shown:
        off = cv2.dilate(cv2.absdiff(frame, plate).max(axis=2), np.ones((3, 3), np.uint8))
        still = off < _STANDS
        frame[still] = plate[still]
    return shown
