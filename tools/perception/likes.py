"""Things on the plate that look like a cut-out that moves: of its kind, and at rest."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from tools.perception.background import threshold
from tools.perception.parts import Appearance
from tools.perception.segmentation import Region

_COARSE, _FEWEST = 24.0, 10.0
"""Pixels across at which a cut-out is first looked for, and at least."""
_SMALL, _LARGEST = 640 * 480, 2_000_000
"""Pixels of a picture in which that is done, and above which it is not: a small thing in a large
picture."""
_TURNS = 24
"""Turns at which one that shows an angle is looked for."""
_UNLIKE = 0.3
"""Root mean square of what a likeness leaves unexplained, as a share of its contrast to what lies
around it, up to which it is one."""
_BORDERED = 0.5
"""Share of the pixels around a likeness that must differ from its rim: it ends there."""
_MOST = 24
"""Places that are looked at closely."""
_DOT = 40
"""Pixels well inside a cut-out below which anything looks like it."""


@dataclass(frozen=True)
class _Cut:
    """A cut-out at one turn and size. colour: (h, w, 3) grey levels; solid: (h, w) bool. middle:
    (x, y) of the cut-out's centre in it."""

    colour: np.ndarray
    solid: np.ndarray
    middle: tuple[float, float]

    def misfit(self, picture: np.ndarray) -> np.ndarray:
        """Mean squared difference per channel, (H - h + 1, W - w + 1), with the corner at each
        pixel of a picture (H, W, 3)."""
        mask = np.repeat(self.solid.astype(np.float32)[..., None], 3, axis=2)
        found = cv2.matchTemplate(
            picture, np.ascontiguousarray(self.colour), cv2.TM_SQDIFF, mask=mask
        )
        return np.maximum(found, 0.0) / mask.sum()


def likes(plate: np.ndarray, noise: float, appearance: Appearance) -> list[np.ndarray]:
    """Poses (x, y in pixels, angle in radians) at which a plate (H, W, 3) shows a cut-out's
    likeness with an outline of its own, most alike first; none overlaps another by half. noise:
    grey levels."""
    size = 2 * appearance.bounding_radius
    pixels = plate[..., 0].size
    scale = min(1.0, _COARSE / size, max(_FEWEST / size, math.sqrt(_SMALL / pixels)))
    if pixels * scale**2 > _LARGEST:
        return []
    small = cv2.resize(plate, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    small = small.astype(np.float32)
    turns = [0.0] if appearance.round else list(np.arange(_TURNS) * 2 * math.pi / _TURNS)
    best = np.full(small.shape[:2], np.inf, np.float32)
    which = np.zeros(small.shape[:2], int)
    aside = np.zeros((len(turns), 2))
    for k, turn in enumerate(turns):
        cut = _cut(appearance, turn, scale)
        if cut is None or any(np.less(small.shape[:2], cut.solid.shape)):
            continue
        misfit = cut.misfit(small)
        y, x = (side // 2 for side in cut.solid.shape)
        aside[k] = np.array(cut.middle) - (x, y)
        window = (slice(y, y + misfit.shape[0]), slice(x, x + misfit.shape[1]))
        better = misfit < best[window]
        best[window] = np.where(better, misfit, best[window])
        which[window] = np.where(better, k, which[window])
    found: list[tuple[float, np.ndarray]] = []
    for y, x in _valleys(best, max(2, round(appearance.radius * scale))):
        place = (np.array([x, y]) + aside[which[y, x]] + 0.5) / scale - 0.5
        start = np.array([*place, turns[which[y, x]]])
        close = _closer(plate, appearance, start, 2.0 / scale, len(turns) > 1)
        if close is not None and is_like(plate, noise, appearance, close[1]):
            found.append(close)
    kept: list[np.ndarray] = []
    for _, pose in sorted(found, key=lambda one: one[0]):
        if all(math.dist(pose[:2], other[:2]) > appearance.radius for other in kept):
            kept.append(pose)
    return kept


def like_at(
    plate: np.ndarray, noise: float, appearance: Appearance, place: Sequence[float] | np.ndarray
) -> np.ndarray | None:
    """Pose of the likeness of a cut-out nearest to a place (pixels), within half of its size; None
    where the plate shows none."""
    reach = math.ceil(2 * appearance.bounding_radius) + 6
    x, y = (round(float(value)) for value in place)
    top, left = max(0, y - reach), max(0, x - reach)
    window = plate[top : y + reach + 1, left : x + reach + 1]
    if min(window.shape[:2]) < 4:
        return None
    poses = [pose + np.array((left, top, 0.0)) for pose in likes(window, noise, appearance)]
    near = [p for p in poses if math.dist(p[:2], place) < max(appearance.radius, 2.0)]
    return min(near, key=lambda p: math.dist(p[:2], place)) if near else None


def centred(appearance: Appearance) -> Appearance:
    """A cut-out without thin ends, cut so that its middle is that of its area; as it is where
    nothing is left of it."""
    if appearance.sprite is None:
        return appearance
    alpha = appearance.sprite[..., 3]
    solid = np.pad((alpha > 0.5).astype(np.uint8), 2)
    opened = cv2.morphologyEx(solid, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    count, labels, stats, middles = cv2.connectedComponentsWithStats(opened)
    if count < 2:
        return appearance
    largest = 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())
    own = cv2.dilate((labels == largest).astype(np.uint8), np.ones((3, 3), np.uint8))
    x, y = np.round(middles[largest]).astype(int)
    rows, columns = np.nonzero(own)
    reach = max(int(np.abs(rows - y).max()), int(np.abs(columns - x).max())) + 1
    picture = np.dstack([appearance.sprite[..., :3], alpha])
    padded = np.pad(picture, ((reach + 2, reach + 2), (reach + 2, reach + 2), (0, 0)))
    mask = np.pad(own, reach)
    window = (slice(y, y + 2 * reach + 1), slice(x, x + 2 * reach + 1))
    cut = padded[window].copy()
    cut[..., 3] *= mask[window]
    return replace(appearance, sprite=cut, cut=(0.0, 0.0, 0.0))


def at_rest(
    plate: np.ndarray, noise: float, known: Sequence[Appearance], place: Sequence[float]
) -> tuple[Appearance, np.ndarray, np.ndarray] | None:
    """What rests on a plate at a place and looks like one of the cut-outs that are known: (its own
    picture at angle 0, pose, bool (H, W) of what it covers); None where nothing does."""
    for appearance in map(centred, known):
        pose = like_at(plate, noise, appearance, place)
        if pose is None:
            continue
        left, top, alpha, _ = _drawn(plate.shape[:2], appearance, pose)
        window = plate[top : top + alpha.shape[0], left : left + alpha.shape[1]]
        sprite = np.dstack([window / np.float32(255.0), alpha]).astype(np.float32)
        red, green, blue = (float(c) for c in window[alpha > 0.5].mean(axis=0))
        own = replace(
            appearance, sprite=sprite, colour=(red, green, blue), cut=(0.0, 0.0, 0.0), shadow=None
        )
        middle = (left + (alpha.shape[1] - 1) / 2, top + (alpha.shape[0] - 1) / 2, 0.0)
        covered = np.zeros(plate.shape[:2], bool)
        covered[top : top + alpha.shape[0], left : left + alpha.shape[1]] = alpha > 0.02
        return own, np.array(middle), covered
    return None


def is_like(picture: np.ndarray, noise: float, appearance: Appearance, pose: np.ndarray) -> bool:
    """Whether a picture (H, W, 3) shows a cut-out at a pose: what differs there is little of its
    contrast to what lies around it, and it ends at its outline."""
    placed = _placed(picture, appearance, pose)
    if placed is None:
        return False
    window, cut = placed
    solid = cut.solid.astype(np.uint8)
    wide = np.pad(solid, 3)
    around = (cv2.dilate(wide, np.ones((5, 5), np.uint8)) > 0) & (
        cv2.dilate(wide, np.ones((3, 3), np.uint8)) == 0
    )
    inner = cv2.erode(np.pad(solid, 1), np.ones((3, 3), np.uint8))[1:-1, 1:-1] > 0
    rim = cut.solid & ~inner
    beside = window[around]
    contrast = np.abs(beside - cut.colour[rim].mean(axis=0)).max(-1)
    within = window[3:-3, 3:-3][inner]
    if len(within) < _DOT or not len(beside):
        return False
    left = math.sqrt(float(((within - cut.colour[inner]) ** 2).mean()))
    whole = math.sqrt(float(((within - np.median(beside, axis=0)) ** 2).mean()))
    level = threshold(noise)
    bordered = float((contrast > level).mean())
    return bordered > _BORDERED and left < max(_UNLIKE * whole, noise) and whole > level


def region_at(shape: tuple[int, int], appearance: Appearance, pose: np.ndarray) -> Region | None:
    """The pixels of a picture of (H, W) that a cut-out covers at a pose; None outside of it."""
    left, top, alpha, _ = _drawn(shape, appearance, pose)
    solid = alpha > 0.5
    if solid.sum() < 4:
        return None
    rows, columns = np.nonzero(solid)
    box = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
    mask = solid[box[1] : box[3], box[0] : box[2]]
    x0, y0, x1, y1 = left + box[0], top + box[1], left + box[2], top + box[3]
    edge = x0 == 0 or y0 == 0 or x1 == shape[1] or y1 == shape[0]
    return Region(
        left + float(columns.mean()),
        top + float(rows.mean()),
        float(solid.sum()),
        (int(x0), int(y0), int(x1), int(y1)),
        bool(edge),
        mask,
        0.0,
    )


def _drawn(
    shape: tuple[int, int], appearance: Appearance, pose: np.ndarray
) -> tuple[int, int, np.ndarray, np.ndarray]:
    """A cut-out's own picture at a pose of its middle (see Appearance.cover), nothing outside."""
    look = appearance if appearance.sprite is None else replace(appearance, shape="sprite")
    drawn = look.cover(shape, pose)
    return drawn or (0, 0, np.zeros((0, 0), np.float32), np.zeros((0, 0, 3), np.float32))


def _cut(appearance: Appearance, turn: float, scale: float) -> _Cut | None:
    """A cut-out turned and made smaller; None where nothing solid is left."""
    size = 2 * math.ceil(appearance.bounding_radius) + 5
    middle_pose = np.array([size // 2, size // 2, turn])
    left, top, alpha, colour = _drawn((size, size), appearance, middle_pose)
    painted: np.ndarray = np.zeros((size, size, 4), np.float32)
    height, width = alpha.shape
    painted[top : top + height, left : left + width, :3] = np.asarray(colour) * alpha[..., None]
    painted[top : top + height, left : left + width, 3] = alpha
    if scale < 1.0:
        painted = cv2.resize(painted, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    solid = painted[..., 3] > 0.5
    rows, columns = np.flatnonzero(solid.any(1)), np.flatnonzero(solid.any(0))
    if not len(rows):
        return None
    inside = (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
    straight = painted[..., :3] / np.maximum(painted[..., 3:], 1e-3)
    middle = (size // 2 + 0.5) * scale - 0.5
    return _Cut(straight[inside], solid[inside], (middle - columns[0], middle - rows[0]))


def _valleys(misfit: np.ndarray, reach: int) -> list[tuple[int, int]]:
    """(row, column) of the lowest places of a map, each the lowest within ``reach`` pixels."""
    window = np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)
    low = np.isfinite(misfit) & (misfit <= cv2.erode(misfit, window))
    places = sorted(zip(*np.nonzero(low), strict=True), key=lambda at: float(misfit[at]))
    return [(int(y), int(x)) for y, x in places[:_MOST]]


def _closer(
    picture: np.ndarray, appearance: Appearance, start: np.ndarray, reach: float, turns: bool
) -> tuple[float, np.ndarray] | None:
    """(mean squared difference, pose to the pixel and a few degrees) near a start."""
    step = math.pi / _TURNS
    found = None
    for turn in start[2] + (np.arange(-3, 4) * step / 3 if turns else np.zeros(1)):
        cut = _cut(appearance, float(turn), 1.0)
        if cut is None:
            continue
        corner = np.round(start[:2] - cut.middle).astype(int)
        margin = math.ceil(reach)
        low = np.maximum(corner - margin, 0)
        high = corner + cut.solid.shape[::-1] + margin
        window = picture[low[1] : high[1], low[0] : high[0]].astype(np.float32)
        if any(np.less(window.shape[:2], cut.solid.shape)):
            continue
        misfit = cut.misfit(window)
        y, x = np.unravel_index(int(misfit.argmin()), misfit.shape)
        pose = np.array([low[0] + x + cut.middle[0], low[1] + y + cut.middle[1], turn])
        if found is None or misfit[y, x] < found[0]:
            found = (float(misfit[y, x]), pose)
    return found


def _placed(
    picture: np.ndarray, appearance: Appearance, pose: np.ndarray
) -> tuple[np.ndarray, _Cut] | None:
    """The window of a picture where a cut-out lies, three pixels wider all round, and the cut-out;
    None where it is not all inside."""
    cut = _cut(appearance, float(pose[2]), 1.0)
    if cut is None:
        return None
    x, y = (int(v) for v in np.round(np.asarray(pose[:2]) - cut.middle))
    height, width = cut.solid.shape
    if x < 3 or y < 3 or x + width + 3 > picture.shape[1] or y + height + 3 > picture.shape[0]:
        return None
    window = picture[y - 3 : y + height + 3, x - 3 : x + width + 3]
    return window.astype(np.float32), cut
