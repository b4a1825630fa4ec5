"""Pictures that a person (or a model that reads pictures) looks at: truth, prediction and
difference in rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import cv2
import numpy as np

from tools import backing

_LABEL = 18  # pixels: height of a caption, width of the row titles is measured
_FONT, _SIZE = cv2.FONT_HERSHEY_SIMPLEX, 0.4
WIDE = 1920
"""Pixels: how wide a film of several panes may be; npz files hold the frames at full size."""

_INK, _PAPER = (40, 40, 40), (222, 226, 230)


def spread(count: int, most: int) -> list[int]:
    """At most ``most`` of the indices below ``count``, evenly spread, first and last among them."""
    return (
        np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(int)).tolist()
        if count
        else []
    )


def difference(truth: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    """Where and how much two (..., 3) uint8 pictures differ: mid grey where they agree, amplified
    twice."""
    gap = prediction.astype(np.int16) - truth
    return np.clip(128 + 2 * gap, 0, 255).astype(np.uint8)


def filmstrip(rows: Sequence[tuple[str, np.ndarray]], captions: Sequence[str]) -> np.ndarray:
    """(H, W, 3) uint8 picture: one titled row for each (title, (n, h, w, 3) uint8 frames), one
    caption a column."""
    margin = _margin([title for title, _ in rows])
    bands = [_band(title, frames, margin) for title, frames in rows]
    head = np.full((_LABEL, bands[0].shape[1], 3), _PAPER, np.uint8)
    width = rows[0][1].shape[2] + 2
    for index, caption in enumerate(captions):
        fits = cv2.getTextSize(caption, _FONT, _SIZE, 1)[0][0] < width
        shown = caption if fits else caption.split()[-1]  # of "frame 12" the number
        _write(head, shown, margin + index * width + 2, _LABEL - 5)
    return np.concatenate([head, *bands])


def frames_of(strip: np.ndarray, titles: Sequence[str]) -> np.ndarray:
    """Inverse of :func:`filmstrip`: the frames of an (H, W, 3) strip with these row titles, (rows,
    n, h, w, 3) uint8."""
    margin, band = _margin(titles), (strip.shape[0] - _LABEL) // len(titles)
    body = strip[_LABEL:, margin:]
    paper = (body == _PAPER).all(
        axis=(0, 2)
    )  # columns of the gaps; no frame has one, for its difference is mid grey there
    step = next(
        step
        for step in range(3, body.shape[1] + 1)
        if body.shape[1] % step == 0 and paper.reshape(-1, step)[:, -2:].all()
    )
    cells = body.reshape(len(titles), band, -1, step, 3).swapaxes(1, 2)
    return cells[:, :, :-2, :-2]


def comparison(
    names: tuple[str, str], truth: np.ndarray, drawn: np.ndarray, numbers: Sequence[int]
) -> np.ndarray:
    """Filmstrip of true frames, drawn frames and their difference, both (n, H, W, 3) uint8, with
    the frames' numbers."""
    rows = [(names[0], truth), (names[1], drawn), ("difference", difference(truth, drawn))]
    return filmstrip(rows, [f"frame {number}" for number in numbers])


def smaller(frame: np.ndarray, height: int = 160) -> np.ndarray:
    """(H, W, 3) scaled down to ``height`` rows; a smaller one as it is."""
    factor = height / frame.shape[0]
    if factor >= 1.0:
        return frame
    return cv2.resize(frame, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)


def reduced(frames: Sequence[np.ndarray], height: int = 160) -> np.ndarray:
    """(n, h, w, 3): :func:`smaller` of one (H, W, 3) frame or more."""
    return np.stack([smaller(frame, height) for frame in frames])


def pane_height(shape: tuple[int, int], count: int) -> int:
    """Rows of each of ``count`` panes of (H, W) pixels, so that they stand side by side within
    WIDE.

    >>> pane_height((1080, 1920), 1), pane_height((1080, 1920), 3), pane_height((240, 320), 3)
    (1080, 360, 240)
    """
    height, width = shape
    return (
        height if count == 1 or count * width <= WIDE else max(height * WIDE // (count * width), 1)
    )


def side_by_side(panes: Iterable[Sequence[np.ndarray]]) -> np.ndarray:
    """(T, H, sum of W + gaps, 3) from pictures (H, W, 3) of one size, those of one moment after
    those of another: next to each other, a 4 pixel white gap between them, scaled down to panes of
    :func:`pane_height` rows."""
    film = backing.stacked(map(_beside, panes))
    assert film is not None, "there is a moment to show"
    return film


def _beside(pictures: Sequence[np.ndarray]) -> np.ndarray:
    rows = pane_height(pictures[0].shape[:2], len(pictures))
    small = [smaller(picture, rows) for picture in pictures]
    gap = np.full((len(small[0]), 4, 3), 255, np.uint8)
    parts = [part for picture in small for part in (picture, gap)]
    return np.concatenate(parts[:-1], axis=1)


def _margin(titles: Sequence[str]) -> int:
    return 8 + max(cv2.getTextSize(title, _FONT, _SIZE, 1)[0][0] for title in titles)


def _band(title: str, frames: np.ndarray, margin: int) -> np.ndarray:
    height, width = frames[0].shape[:2]
    band = np.full((height + 2, margin + len(frames) * (width + 2), 3), _PAPER, np.uint8)
    for index, frame in enumerate(frames):
        left = margin + index * (width + 2)
        band[:height, left : left + width] = frame
    _write(band, title, 4, height // 2 + 4)
    return band


def _write(image: np.ndarray, text: str, x: int, y: int) -> None:
    cv2.putText(image, text, (x, y), _FONT, _SIZE, _INK, 1, cv2.LINE_AA)


def titled(frame: np.ndarray, title: str) -> np.ndarray:
    """(H + a line, W, 3): a picture under a title, cut where it is wider than the picture."""
    head = np.full((_LABEL, frame.shape[1], 3), _PAPER, np.uint8)
    _write(head, title, 4, _LABEL - 5)
    return np.concatenate([head, frame])
