"""A contact sheet of the gallery: one row a scene, frames spread over the clip, the last seen one
framed in red."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import cv2
import numpy as np

from benchmarks.gallery import SCENES

CELL = (120, 160)
"""Height and width of a picture in the sheet."""
SHOWN, SEEN, FRAMES = 9, 30, 60


def contact_sheet(seed: int, names: Sequence[str] = tuple(SCENES)) -> np.ndarray:
    """(rows * 122, 9 * 162, 3) uint8: the scenes as ``gallery:NAME`` shows them for ``seed``."""
    return np.concatenate(
        [
            _row(
                name,
                SCENES[name](
                    np.random.default_rng([zlib.crc32(name.encode()), seed, 0]), FRAMES
                ).frames,
            )
            for name in names
        ]
    )


def _row(name: str, frames: np.ndarray) -> np.ndarray:
    times = sorted({*np.linspace(0, FRAMES - 1, SHOWN - 1).round().astype(int).tolist(), SEEN - 1})
    row = np.concatenate([_cell(frames[t], t == SEEN - 1) for t in times], axis=1)
    cv2.putText(row, name, (4, 12), cv2.FONT_HERSHEY_SIMPLEX, 0.38, (200, 0, 200), 1, cv2.LINE_AA)
    return row


def _cell(frame: np.ndarray, marked: bool) -> np.ndarray:
    """The frame scaled into a cell, padded where its shape differs, with a border."""
    scale = min(CELL[0] / frame.shape[0], CELL[1] / frame.shape[1])
    small = cv2.resize(
        frame,
        (round(frame.shape[1] * scale), round(frame.shape[0] * scale)),
        interpolation=cv2.INTER_AREA,
    )
    spare_y, spare_x = CELL[0] - small.shape[0], CELL[1] - small.shape[1]
    padded = cv2.copyMakeBorder(
        small,
        spare_y // 2,
        spare_y - spare_y // 2,
        spare_x // 2,
        spare_x - spare_x // 2,
        cv2.BORDER_CONSTANT,
        value=(110, 110, 110),
    )
    return cv2.copyMakeBorder(
        padded, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=(255, 0, 0) if marked else (110, 110, 110)
    )
