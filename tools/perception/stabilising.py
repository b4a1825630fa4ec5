"""Jitter of a drawing's camera and light, which nobody can foretell, taken out before a search.

What goes on evenly (a pan, a light that fades) stays: programs may say it. Pictures of a real
camera have a way of their own (``tools.perception.camera.steady``).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from tools import backing
from tools.perception.camera import is_camera
from tools.perception.light import gains

_LEAST_FRAMES = 6
_SHAKES, _MOST = 0.15, 12.0
"""Root mean square of the jitter in pixels from which frames are moved, and the most of it."""
_FLICKERS = 0.004
"""Relative jitter of the light from which frames are relit."""
_JUMPY = 0.5
"""White part of a course, as a share of what its median or its trend leaves, from which it is
jitter."""
_CLEAR = 4.0
"""Standard errors by which a course must rise or fall so that it is no accident of its jitter."""
_SAMPLES, _LOOKED_AT, _PIXELS = 31, 12, 640 * 480
"""Frames that the plate is made of, and that are looked at first; pixels of the pictures that
shifts are measured in."""
_BLURS = (2.5, 2.5, 1.0)
_EDGE, _STRAIGHT = 2.0, 0.3
"""Grey levels a pixel from which a place of the plate tells how the picture moved, and slope along
an edge that it may have, as a share of that across it."""
_CELLS, _POINTS, _LEAST_CELLS, _MANY = 16, 8, 6, 16_000
"""Cells along each side of the picture, edge points that one must hold, and cells that must agree
on a shift; most points that are looked at."""
_ALIKE, _MOSTLY = 0.3, 0.7
"""Pixels within which two cells agree on a frame, and share of the frames in which they must."""


@dataclass(frozen=True)
class Jitter:
    """What was taken out of a clip: root mean square shift in pixels, relative change of light."""

    shake: float = 0.0
    flicker: float = 0.0

    def __bool__(self) -> bool:
        return bool(self.shake or self.flicker)

    def __str__(self) -> str:
        parts = [
            f"the camera shakes by {self.shake:.1f} px" if self.shake else "",
            f"the light flickers by {100 * self.flicker:.1f} %" if self.flicker else "",
        ]
        return " and ".join(part for part in parts if part)


def stabilised(frames: np.ndarray) -> tuple[np.ndarray, Jitter]:
    """(T, H, W, 3) uint8 frames in even light and as from the place of the last one, and what was
    taken out; the same array where a camera took them or nothing jitters."""
    if len(frames) < _LEAST_FRAMES or is_camera(frames):
        return frames, Jitter()
    plate = _plate(frames)
    lit = gains(frames, plate)
    lit = 1.0 + _white(lit)
    flicker = float(np.sqrt(((lit - 1.0) ** 2).mean()))
    if flicker < _FLICKERS:
        flicker = 0.0
    else:
        frames = _relit(frames, lit, plate)
        plate = _plate(frames)
    if not _jolted(frames, plate):
        return frames, Jitter(0.0, flicker)
    raw = _shifts(frames, plate)
    shifts = _white(raw)
    shake = float(np.sqrt((shifts**2).sum(1).mean()))
    if not _SHAKES < shake < _MOST or _mostly_still(raw):
        return frames, Jitter(0.0, flicker)
    return _moved(frames, shifts - shifts[-1]), Jitter(shake, flicker)


# --------------------------------------------------------------------------------------------------


def _white(series: np.ndarray) -> np.ndarray:
    """Courses (T, n) about their median, or about a parabola where a trend is clear, as far as what
    is left is white (third differences have 20 times its variance); else zeros."""
    times = np.arange(len(series))
    line, course = (
        np.stack([np.polyval(np.polyfit(times, column, degree), times) for column in series.T], 1)
        for degree in (1, 2)
    )
    trend, scatter = np.ptp(line, axis=0), (series - line).std(axis=0)
    clear = bool((trend * np.sqrt(len(times) / 12.0) > _CLEAR * scatter).any())
    left = series - (course if clear else np.median(series, axis=0))
    spread = float((left**2).mean())
    white = float((np.diff(left, 3, axis=0) ** 2).mean() / 20.0)
    return left if spread and white > _JUMPY**2 * spread else np.zeros_like(series)


def _mostly_still(shifts: np.ndarray) -> bool:
    """Whether most frames lie alike: what seems to move the others is a body that stood, and
    left."""
    off = np.hypot(*(shifts - np.median(shifts, axis=0)).T)
    return float(np.median(off)) < _SHAKES / 2


def _relit(frames: np.ndarray, lit: np.ndarray, plate: np.ndarray) -> np.ndarray:
    """Frames without their gains (T, 3); what is the plate in that light, to a level, is the
    plate."""
    levels = np.arange(256)[:, None]
    out = backing.empty_like(frames)
    for t, frame in enumerate(frames):
        table = np.clip(np.rint(levels / lit[t]), 0, 255).astype(np.uint8)
        out[t] = cv2.LUT(frame, table.reshape(1, 256, 3))
        shown = np.clip(np.rint(plate * lit[t]), 0, 255).astype(np.uint8)
        near = cv2.absdiff(frame, shown).max(-1) <= 1
        out[t][near] = plate[near]
    return out


def _plate(frames: np.ndarray) -> np.ndarray:
    some = np.linspace(0, len(frames) - 1, min(_SAMPLES, len(frames))).round().astype(int).tolist()
    return backing.over_time(lambda few: np.median(few, axis=0).astype(np.uint8), frames, some)


def _jolted(frames: np.ndarray, plate: np.ndarray) -> bool:
    """Whether some of the frames lie off the plate at all."""
    some = frames[:: max(1, len(frames) // _LOOKED_AT)]
    return bool(np.abs(_shifts(some, plate)).max() > _SHAKES)


def _shifts(frames: np.ndarray, plate: np.ndarray) -> np.ndarray:
    """(T, 2) pixels right and down by which each frame lies off the plate: along each axis what
    most cells of edges across it agree on; none where too few do. Coarse to fine, in pictures of
    _PIXELS at most."""
    scale = max(1, round((plate[..., 0].size / _PIXELS) ** 0.5))
    size = (plate.shape[1] // scale, plate.shape[0] // scale)
    shifts = np.zeros((len(frames), 2))
    for blur in _BLURS:
        level = _grey(plate, size, blur)
        found = [_edges(level, axis) for axis in (0, 1)]
        off: list[list[np.ndarray]] = [[], []]
        for frame, shift in zip(frames, shifts, strict=True):
            grey = _grey(frame, size, blur)
            for axis, (points, slope, cells) in enumerate(found):
                rest = _at(grey, points, shift) - level[*points]
                off[axis].append(_normal(rest, slope, cells) + shift[axis])
        for axis in (0, 1):
            shifts[:, axis] = _agreed(np.stack(off[axis], 1))
    return shifts * scale


def _grey(frame: np.ndarray, size: tuple[int, int], blur: float) -> np.ndarray:
    small = (
        frame
        if size == frame.shape[1::-1]
        else cv2.resize(frame, size, interpolation=cv2.INTER_AREA)
    )
    grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY).astype(np.float32)
    return np.asarray(cv2.GaussianBlur(grey, (0, 0), blur))


def _edges(level: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Places (2, n) (rows, columns) on edges straight across an axis (0: x), the slope (n,) along
    it, and which cell each is in."""
    slopes = [cv2.Sobel(level, cv2.CV_32F, *way, scale=0.125) for way in ((1, 0), (0, 1))]
    along, across = np.abs(slopes[axis]), np.abs(slopes[1 - axis])
    clear = (along > _EDGE) & (across < _STRAIGHT * along)
    clear[:4], clear[-4:], clear[:, :4], clear[:, -4:] = False, False, False, False
    points = np.argwhere(clear).T
    points = points[:, :: points.shape[1] // _MANY + 1]
    cells = (points * _CELLS // np.array(level.shape)[:, None]).T @ (_CELLS, 1)
    kept = np.bincount(cells, minlength=_CELLS**2)[cells] >= _POINTS
    return points[:, kept], slopes[axis][*points[:, kept]], cells[kept]


def _normal(rest: np.ndarray, slope: np.ndarray, cells: np.ndarray) -> np.ndarray:
    """(cells,) pixels by which each cell's edges lie off, to first order, from the differences (n,)
    there."""
    _, which = np.unique(cells, return_inverse=True)
    return np.asarray(-np.bincount(which, slope * rest) / np.bincount(which, slope**2))


def _agreed(rows: np.ndarray) -> np.ndarray:
    """(T,) the course that most cells (n, T) share; zeros where too few do."""
    alike = np.array([(np.abs(rows - row) < _ALIKE).mean(1) > _MOSTLY for row in rows])
    best = alike[alike.sum(1).argmax()] if len(rows) else np.zeros(0, bool)
    return np.median(rows[best], 0) if best.sum() >= _LEAST_CELLS else np.zeros(rows.shape[1])


def _at(grey: np.ndarray, points: np.ndarray, shift: np.ndarray) -> np.ndarray:
    if not points.size:
        return np.zeros(0, np.float32)
    x, y = ((points[k] + shift[1 - k]).astype(np.float32) for k in (1, 0))
    there = cv2.remap(grey, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(there.ravel())


def _moved(frames: np.ndarray, shifts: np.ndarray) -> np.ndarray:
    """Frames moved back by their shifts (T, 2), what they do not show continued from the border."""
    out = backing.empty_like(frames)
    for t, (frame, shift) in enumerate(zip(frames, shifts, strict=True)):
        back = np.array([[1.0, 0.0, -shift[0]], [0.0, 1.0, -shift[1]]])
        out[t] = frame if not shift.any() else cv2.warpAffine(
            frame, back, frame.shape[1::-1], flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
        )  # fmt: skip
    return out
