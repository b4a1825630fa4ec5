"""Frames for the page: decoded once, made small, packed as WebP sheets that stay within a number of
bytes."""

from __future__ import annotations

import base64
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from agent import pictures
from agent.core.split import final
from agent.report.summary import RunSummary
from agent.run import runfolder
from agent.run.runfolder import RunFolder
from tools import backing
from tools.errors import StorageError
from tools.perception.background import differs

BYTES = 3_000_000
"""Most bytes of film on a page (before base64), over all videos."""

VIDEOS = 6
"""Most videos in the player."""

LOSSLESS = 101
"""WebP quality at which nothing is lost."""

_FRAMES = (
    150,
    75,
    38,
    19,
)  # predicted frames shown of one video, the first that fits; of a longer one every so many-th
_PIXELS = 32e6  # decoded pixels of one video's sheets: what a phone bears
_SHEET = 2048  # pixels: longest side of a sheet
_WIDEST = 560  # pixels
_LARGE, _FINE, _GRAINY = 8e6, 95, 1.5
"""Pixels of tiles from which it is asked whether lossless pays; the quality that shows no loss; and
times its bytes that lossless takes of pictures whose grain (a codec's, a sensor's) is kept."""
_QUALITIES = (
    (560, LOSSLESS),
    (400, LOSSLESS),
    (560, _FINE),
    (560, 85),
    (400, 80),
    (320, 72),
    (240, 62),
    (176, 50),
    (128, 35),
)  # width of a tile, WebP quality
_CHANGE = 24  # grey levels that count as a difference
_CLOSEST = 0.25  # of the picture's height or width: closer nobody needs to look
_COARSE = 200  # pixels: narrower pictures are shown with their pixels as squares


@dataclass(frozen=True)
class Clip:
    """One test video: (T, H, W, 3) uint8 frames. first: number of the first predicted frame. seen:
    the frames before it. predicted: None when no program ran. truth: may end early; None when
    nobody knows it."""

    title: str
    first: int
    dt: float
    seen: np.ndarray
    predicted: np.ndarray | None
    truth: np.ndarray | None
    times: np.ndarray | None = None

    @property
    def known(self) -> int:
        """Predicted frames whose truth is known."""
        return (
            0
            if self.truth is None or self.predicted is None
            else min(len(self.truth), len(self.predicted))
        )

    @property
    def error(self) -> float | None:
        """Mean absolute error on [0, 1], or None without truth."""
        if self.truth is None or self.predicted is None or not self.known:
            return None
        pairs = zip(self.predicted, self.truth, strict=False)
        return float(np.mean([cv2.absdiff(drawn, true).mean() for drawn, true in pairs])) / 255.0


def clips(folder: RunFolder, summary: RunSummary) -> tuple[Clip, ...]:
    """Test videos of a run, in order; () when its frames are not on disk any more."""
    try:
        task = folder.task()
        held = folder.held_back(task)
    except StorageError:
        return ()
    made = runfolder.read_prediction(folder.path / "prediction.npz", task)
    predicted: list[np.ndarray | None] = [None] * len(task.test)
    if made is not None:
        predicted = list(made)
    titles = [video.name or f"video {index + 1}" for index, video in enumerate(task.test)]
    return tuple(
        Clip(title, task.context, one.seen.dt, one.seen.frames, frames, true, one.all_times)
        for title, one, frames, true in zip(
            titles, final(task).trials, predicted, held.frames, strict=False
        )
    )


def chosen(found: Sequence[Clip]) -> list[Clip]:
    """At most VIDEOS of them: all, or evenly spread from the best predicted to the worst, those
    that nobody knows the truth of last."""
    if len(found) <= VIDEOS:
        return list(found)
    ordered = sorted(found, key=lambda clip: np.inf if clip.error is None else clip.error)
    return [ordered[index] for index in pictures.spread(len(ordered), VIDEOS)]


# --------------------------------------------------------------------------------------------------


def reel(clip: Clip, budget: int) -> dict[str, Any]:
    """One video for the player, as JSON with at most ``budget`` bytes of pictures: ``sheets`` (data
    URIs) of tiles ``width`` x ``height``, ``columns`` a row and ``per_sheet`` a sheet, and
    ``frames``: [number, tile of the truth, of the prediction, of their difference], None where
    there is none."""
    packed = None
    for most in _FRAMES:
        tiles, frames = _tiles(clip, most)
        packed = _packed(tiles, budget)
        if packed is not None:
            break
    about = {
        "title": clip.title,
        "first": clip.first,
        "seconds": [
            round(float(number * clip.dt if clip.times is None else clip.times[number]), 6)
            for number, *_ in frames
            if number is not None
        ],
        "pixelated": clip.seen.shape[2] <= _COARSE,
        "frames": frames,
    }
    return about | (packed or {})


def _tiles(clip: Clip, most: int) -> tuple[np.ndarray, list[list[int | None]]]:
    """Pictures (n, H, W, 3), each once, and what every frame shown is made of."""
    predicted = clip.seen[:0] if clip.predicted is None else clip.predicted
    length = len(predicted)
    stride = -(-(length or len(clip.seen)) // most)
    before = range(len(clip.seen) - 1, -1, -stride)[: most // 4 if length else most][::-1]
    ahead = range(0, length, stride)
    frames: list[list[int | None]] = [
        [number, tile, tile if length else None, None] for tile, number in enumerate(before)
    ]
    tile = len(before)
    for t in ahead:
        known = t < clip.known
        frames.append(
            [clip.first + t, *((tile, tile + 1, tile + 2) if known else (None, tile, None))]
        )
        tile += 3 if known else 1

    def pictures_of() -> Iterator[np.ndarray]:
        for number in before:
            yield _narrowed(clip.seen[number], _WIDEST)
        for t in ahead:
            drawn = _narrowed(predicted[t], _WIDEST)
            if clip.truth is not None and t < clip.known:
                true = _narrowed(clip.truth[t], _WIDEST)
                yield true
                yield drawn
                yield pictures.difference(true, drawn)
            else:
                yield drawn

    tiles = backing.stacked(pictures_of())
    assert tiles is not None, "there is a frame"
    return tiles, frames


def _packed(tiles: np.ndarray, budget: int) -> dict[str, Any] | None:
    """Sheets at the best of _QUALITIES that fits, or None."""
    exact = len(tiles) * math.prod(tiles.shape[1:3]) <= _LARGE or not _grainy(tiles)
    for width, quality in _QUALITIES:
        if (quality == LOSSLESS and not exact) or (quality == _FINE and exact):
            continue
        height, width = _narrowed(tiles[0], width).shape[:2]
        if len(tiles) * height * width > _PIXELS or _guess(tiles, width, quality) > budget:
            continue
        columns, rows = max(1, _SHEET // width), max(1, _SHEET // height)
        count = columns * rows
        sheets = [
            webp(
                _sheet([_narrowed(tile, width) for tile in tiles[first : first + count]], columns),
                quality,
            )
            for first in range(0, len(tiles), count)
        ]
        if sum(map(len, sheets)) <= budget:
            return {
                "width": width,
                "height": height,
                "columns": columns,
                "per_sheet": count,
                "sheets": list(map(uri, sheets)),
            }
    return None


def _grainy(tiles: np.ndarray) -> bool:
    """Whether most of what lossless tiles take is grain."""
    few = [_narrowed(tiles[k], _WIDEST) for k in pictures.spread(len(tiles), 6)]
    exact, fine = (sum(len(webp(one, quality)) for one in few) for quality in (LOSSLESS, _FINE))
    return exact > _GRAINY * fine


def _guess(tiles: np.ndarray, width: int, quality: int) -> float:
    """About how many bytes the tiles take at a width, from a few of them. Tiles of one lossless
    sheet share what they have in common."""
    few = [_narrowed(tiles[index], width) for index in pictures.spread(len(tiles), 6)]
    return (
        len(tiles)
        * sum(len(webp(tile, quality)) for tile in few)
        / len(few)
        / (6.0 if quality == LOSSLESS else 1.0)
    )


def _sheet(tiles: Sequence[np.ndarray], columns: int) -> np.ndarray:
    height, width = tiles[0].shape[:2]
    sheet = np.zeros(
        (-(-len(tiles) // columns) * height, min(columns, len(tiles)) * width, 3), np.uint8
    )
    for index, tile in enumerate(tiles):
        top, left = index // columns * height, index % columns * width
        sheet[top : top + height, left : left + width] = tile
    return sheet


# --------------------------------------------------------------------------------------------------


def still(picture: np.ndarray, width: int = 240) -> str:
    """A picture as a small data URI, lossless where that costs little."""
    small = _narrowed(picture, width)
    exact = webp(small, LOSSLESS)
    return uri(exact if len(exact) < 12_000 else webp(small, 80))


def region(frames: Sequence[np.ndarray]) -> tuple[slice, slice]:
    """Rows and columns of the part of the picture in which (H, W, 3) ``frames`` differ, with room
    around it and the picture's proportions; the whole picture where that is most of it."""
    height, width = frames[0].shape[:2]
    changed = np.zeros((height, width), bool)
    for frame in frames[1:]:
        changed |= differs(frame, frames[0], _CHANGE)
    rows, columns = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
    if not len(rows):
        return slice(0, height), slice(0, width)
    share = (
        max((rows[-1] - rows[0] + 1) / height, (columns[-1] - columns[0] + 1) / width, _CLOSEST)
        * 1.3
    )
    if share > 0.8:
        return slice(0, height), slice(0, width)
    return _centred(rows, share, height), _centred(columns, share, width)


def _centred(found: np.ndarray, share: float, length: int) -> slice:
    size = round(share * length)
    start = min(max((int(found[0]) + int(found[-1]) - size) // 2, 0), length - size)
    return slice(start, start + size)


def webp(image: np.ndarray, quality: int) -> bytes:
    """(H, W, 3) RGB uint8 as WebP."""
    return cv2.imencode(
        ".webp", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_WEBP_QUALITY, quality]
    )[1].tobytes()


def uri(data: bytes) -> str:
    """Bytes of a WebP picture as a data URI."""
    return f"data:image/webp;base64,{base64.b64encode(data).decode()}"


def _narrowed(picture: np.ndarray, width: int) -> np.ndarray:
    """Scaled down to ``width`` columns; a narrower one as it is."""
    if picture.shape[1] <= width:
        return picture
    height = max(1, round(picture.shape[0] * width / picture.shape[1]))
    return cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
