"""Losses by stage, computed by the host from pictures and states: 0 = perfect, 1 = as bad as doing
nothing.

The dynamics loss is ``tools.fitting.state_loss(...).relative``; here are the other two, which need
pixels.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from sandbox.scene_edits import SIZES
from tools import backing
from tools.metrics.score import frame_errors, tolerance
from tools.perception.background import differs
from tools.types import State, States

_PAIRS = 6  # pairs of frames that motion is compensated between
_SIDE = 240  # pixels: larger windows are reduced to this longer side
_MARGIN = 6  # pixels around what changes
_CHANGE = 8  # grey levels that count as a change
_WINDOW = 5  # pixels: side of the box in which one motion must explain the picture
_HYPOTHESES = 24  # motions tried at most
_LEAST_CHANGE = 0.01  # radians, or share of a size: less is no reason to look for a place

GAINS = (("gain",), ("red", "green", "blue"))
"""Attributes that say how bright the light is, in all channels or one by one."""


def plate(frames: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 temporal median of at most 32 of the frames: the scene without what moves
    across it."""
    picked = np.unique(np.linspace(0, len(frames) - 1, min(32, len(frames))).round().astype(int))
    return backing.over_time(
        lambda few: np.median(few, axis=0).astype(np.uint8), frames, picked.tolist()
    )


def rendering(
    redrawn: Sequence[np.ndarray],
    frames: Sequence[np.ndarray],
    plates: Sequence[np.ndarray],
    sigma: float,
) -> tuple[float, float]:
    """Rendering loss and its floor.

    redrawn, frames: per clip (n, H, W, 3) uint8, drawn from measured states and true; plates: per
    clip (H, W, 3). Error of the drawn frames over that of the empty plate, noise of ``sigma`` grey
    levels forgiven as in the score; the floor is what noise alone still costs. A scene whose plate
    is already right counts absolute errors (per channel, of 255).
    """
    error = sum(
        frame_errors(drawn, true, sigma).sum() for drawn, true in zip(redrawn, frames, strict=True)
    )
    empty = sum(
        frame_errors(back[None], true, sigma).sum()
        for back, true in zip(plates, frames, strict=True)
    )
    values = sum(true.size for true in frames)
    scale = float(empty) if empty > 0 else 255.0 * values
    return float(error) / scale, _forgiven_rest(sigma) * values / scale


def _forgiven_rest(sigma: float) -> float:
    """Mean of max(0, |n| - tolerance) for n ~ N(0, sigma): what soft thresholding leaves of pure
    noise."""
    if sigma == 0.0:
        return 0.0
    limit = tolerance(sigma) / sigma
    density = math.exp(-0.5 * limit**2) / math.sqrt(2.0 * math.pi)
    tail = 0.5 * math.erfc(limit / math.sqrt(2.0))
    return 2.0 * sigma * (density - limit * tail)


def unexplained(frames: np.ndarray, states: States, sigma: float) -> tuple[float, float]:
    """Motion in the picture that measured states leave unexplained, and all of it: the perception
    loss is their ratio.

    frames: (T, H, W, 3) uint8; states: one row a frame. Between pairs of frames a few apart, every
    small window may choose among motions: standing still, and those that the states of each object
    describe (its x, y, angle and size; a coordinate that was not measured counts as constant; an
    angle alone turns about any object's position; where no object has one, angles and sizes act
    about the place that fits the pictures best), in the light that they describe. What the best
    choice leaves is compared with what standing still leaves, in both cases allowing for background
    that comes into view. No renderer is involved, so that this loss and the rendering loss blame
    different programs; states that never change leave everything unexplained.
    """
    empty = plate(frames)
    window = _Window.around(frames, empty)
    back, left, moved = window.cut(empty), 0.0, 0.0
    for t, later in _pairs(len(frames)):
        before, after = window.cut(frames[t]), window.cut(frames[later])
        still = np.minimum(_gap(before, after, sigma), _gap(back, after, sigma))
        first, second = window.seen(states[t]), window.seen(states[later])
        lit = before * _light(first, second)
        best = np.minimum(still, _gap(lit, after, sigma))
        motions = list(_motions(first, second)) or list(
            _placed(first, second, before - back, after - back)
        )
        for motion in motions:
            shifted = cv2.warpAffine(
                lit,
                motion,
                before.shape[1::-1],
                flags=cv2.INTER_LINEAR,
                borderMode=cv2.BORDER_REPLICATE,
            )
            best = np.minimum(best, _gap(shifted, after, sigma))
        left, moved = left + float(best.sum()), moved + float(still.sum())
    return left, moved


@dataclass(frozen=True)
class _Window:
    """The part of the picture in which anything changes, reduced where it is large. left, top:
    pixels; factor <= 1."""

    left: int
    top: int
    right: int
    bottom: int
    factor: float

    @classmethod
    def around(cls, frames: np.ndarray, back: np.ndarray) -> _Window:
        changed = np.zeros(back.shape[:2], bool)
        for frame in frames:
            changed |= differs(frame, back, _CHANGE)
        rows, columns = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
        if not len(rows):
            return cls(0, 0, back.shape[1], back.shape[0], 1.0)
        left, top = max(columns[0] - _MARGIN, 0), max(rows[0] - _MARGIN, 0)
        right, bottom = columns[-1] + 1 + _MARGIN, rows[-1] + 1 + _MARGIN
        return cls(left, top, right, bottom, min(1.0, _SIDE / max(right - left, bottom - top)))

    def cut(self, image: np.ndarray) -> np.ndarray:
        part = image[self.top : self.bottom, self.left : self.right]
        return (
            part
            if self.factor == 1.0
            else cv2.resize(
                part, None, fx=self.factor, fy=self.factor, interpolation=cv2.INTER_AREA
            )
        ).astype(np.float32)

    def seen(self, state: State) -> State:
        """Positions in the window (pixel centres at integers)."""
        corner = {"x": self.left, "y": self.top}
        return {
            name: {
                key: self.factor * (value - corner[key] + 0.5) - 0.5 if key in corner else value
                for key, value in part.items()
            }
            for name, part in state.items()
        }


def _pairs(frames: int) -> list[tuple[int, int]]:
    """Pairs a third of the clip apart, so that motion stands out from what interpolation costs."""
    lag = max(1, frames // 3)
    first = (
        np.unique(
            np.linspace(0, frames - 1 - lag, min(_PAIRS, max(frames - lag, 1))).round().astype(int)
        ).tolist()
        if frames > 1
        else []
    )
    return [(t, t + lag) for t in first]


def _gap(picture: np.ndarray, truth: np.ndarray, sigma: float) -> np.ndarray:
    """(H, W) absolute difference beyond noise, summed over channels, averaged over a small
    window."""
    gap = np.maximum(np.abs(picture - truth) - tolerance(sigma), 0.0).sum(axis=2)
    return cv2.blur(gap, (_WINDOW, _WINDOW), borderType=cv2.BORDER_REPLICATE)


def _motions(before: State, after: State) -> Iterator[np.ndarray]:
    """(2, 3) affine maps from the first frame to the second, one an object (times one a pivot for
    bare angles)."""
    places = {
        name: (_place(part), _place(after[name])) for name, part in before.items() if name in after
    }
    located = {
        name: (here, there)
        for name, (here, there) in places.items()
        if here is not None and there is not None
    }
    bare = [_turn(before[name], after[name]) for name in places if name not in located]
    found = [
        _rigid(*pair, _turn(before[name], after[name]), _growth(before[name], after[name]))
        for name, pair in located.items()
    ]
    found += [_rigid(*pair, turn) for pair in located.values() for turn in bare if turn]
    yield from found[:_HYPOTHESES]


def _place(part: dict[str, float]) -> tuple[float, float] | None:
    """Where an object is, 0 for a coordinate that was not measured; None when neither was or it is
    out of sight."""
    x, y = part.get("x"), part.get("y")
    if x is None and y is None:
        return None
    place = (0.0 if x is None else x, 0.0 if y is None else y)
    return place if math.isfinite(place[0]) and math.isfinite(place[1]) else None


def _turn(before: dict[str, float], after: dict[str, float]) -> float:
    turn = after.get("angle", 0.0) - before.get("angle", 0.0)
    return turn if math.isfinite(turn) else 0.0


def _growth(before: dict[str, float], after: dict[str, float]) -> float:
    """Factor by which a size changes, 1.0 where none is measured."""
    ratios = (_ratio(before, after, key) for key in ("size", *SIZES))
    return next((ratio for ratio in ratios if ratio != 1.0), 1.0)


def _light(before: State, after: State) -> np.ndarray:
    """(3,) factors by which the light of the picture changes."""
    factors: np.ndarray = np.ones(3, np.float32)
    for name, part in before.items():
        for keys in GAINS:
            if name in after and all(key in part for key in keys):
                factors = factors * [_ratio(part, after[name], key) for key in keys]
    return factors.astype(np.float32)


def _ratio(before: dict[str, float], after: dict[str, float], key: str) -> float:
    first, second = before.get(key, math.nan), after.get(key, math.nan)
    ratio = second / first if first > 0 and second > 0 else math.nan
    return ratio if math.isfinite(ratio) else 1.0


def _placed(
    before: State, after: State, moved: np.ndarray, later: np.ndarray
) -> Iterator[np.ndarray]:
    """Motions of objects that have angles or sizes and no place, the place told from the pictures:
    moved, later: (H, W, 3), what differs from the plate."""
    grey = [np.abs(one).sum(axis=2) for one in (moved, later)]
    middle = ((grey[0].shape[1] - 1) / 2, (grey[0].shape[0] - 1) / 2)
    for name in [name for name in before if name in after][:_HYPOTHESES]:
        turn, growth = _turn(before[name], after[name]), _growth(before[name], after[name])
        if max(abs(turn), abs(growth - 1.0)) < _LEAST_CHANGE:
            continue
        turned = _rigid(middle, middle, turn, growth)
        picture = cv2.warpAffine(grey[0], turned, grey[0].shape[::-1])
        (x, y), _ = cv2.phaseCorrelate(picture.astype(np.float64), grey[1].astype(np.float64))
        yield turned + np.array([[0, 0, x], [0, 0, y]], np.float32)


def _rigid(
    before: tuple[float, float], after: tuple[float, float], turn: float, growth: float = 1.0
) -> np.ndarray:
    """Turn about the first place and grow, then shift to the second; positive angles are clockwise
    on the screen."""
    (x0, y0), (x1, y1) = before, after
    c, s = growth * math.cos(turn), growth * math.sin(turn)
    return np.array([[c, -s, x1 - c * x0 + s * y0], [s, c, y1 - s * x0 - c * y0]], np.float32)
