"""The score of a search: skill of drawn frames against frames that the program had not seen. In [0,
1].

Definition. For one video with seen frames S and truth F (horizon frames), let

    d(A, B) = sum over pixels and channels of max(0, |A - B| - tolerance),    tolerance = max(3
        sigma, 4 grey levels)

where sigma is the pixel noise that the host estimated from visible frames (0 for a clean clip):
differences that noise, or the rounding of an ordinary codec in flat areas, explains cost nothing.
(Without a least tolerance one grey level over the whole background of a compressed clip outweighs
any object: exact frames then score 0.02 on a 320 x 320 clip, with it 0.96.) With ``error = sum over
t of d(prediction[t], F[t])`` and ``reference`` the *smallest* error that one frame held still
reaches, among the last seen frame, the mean and the median of the seen frames and black,

    score = max(0, 1 - error / reference)

averaged over the videos. This is a skill score (Murphy 1988,
doi:10.1175/1520-0493(1988)116<2417:SSBOTM>2.0.CO;2) with absolute in place of squared error, so
that a faint blur over the whole picture cannot outweigh an object in the wrong place.

Consequences, each a test:

- exact frames score 1; repeating the last seen frame, a mean frame, an empty background, or black
  scores exactly 0;
- sums are not divided by the area: a small object on a large background counts in full, since where
  nothing moves both error and reference are 0;
- frames that never change although the truth does, a wrong shape or type, NaN, or no frames at all
  score 0, with a reason;
- a video whose truth never leaves its best still frame shows no skill: it is left out of the
  average when it was predicted right, and counts 0 when not. If no video moves, the score is 0,
  with a reason.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from tools import backing

SIGMAS = 3.0
"""Differences below this many standard deviations of the pixel noise cost nothing."""

LEAST = 4.0
"""Grey levels that a difference must exceed in any case: what people cannot see and codecs do not
keep."""

_STILLS = 32  # frames that mean and median are taken over, evenly spread
_AT_ONCE = 1 << 20  # values that are counted at a time
_COUNTED = 8 << 20  # values of a picture that tell its noise: larger ones are looked at in bands
_BAND = 32  # rows of a band
_MAD = 1.4826  # standard deviation of a Gaussian over its median absolute deviation
_LAPLACIAN = ((1, -2, 1), (-2, 4, -2), (1, -2, 1))


@dataclass(frozen=True)
class Score:
    """value: in [0, 1]. frame_errors: per video and frame, error relative to repeating the last
    seen frame (0 = exact, 1 = no better). reasons: why the value is what it is, in words."""

    value: float
    frame_errors: tuple[tuple[float, ...], ...] = ()
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True)
class Target:
    """What a prediction of one video is compared with; made once, used for every candidate.

    truth: (horizon, H, W, 3) uint8. sigma: pixel noise in grey levels. persistence: (horizon,)
    error of repeating the last seen frame. reference: error of the best still frame. best: its
    name.
    """

    truth: np.ndarray
    sigma: float
    persistence: np.ndarray
    reference: float
    best: str

    @classmethod
    def of(cls, seen: np.ndarray, truth: np.ndarray, sigma: float) -> Target:
        """seen (T, H, W, 3), truth (horizon, H, W, 3), both uint8; sigma as from
        :func:`pixel_noise`."""
        errors = {
            name: frame_errors(still[None], truth, sigma) for name, still in _stills(seen).items()
        }
        best = min(errors, key=lambda name: float(errors[name].sum()))
        return cls(truth, sigma, errors["the last seen frame"], float(errors[best].sum()), best)

    @property
    def still(self) -> bool:
        """Whether one frame held still explains the truth within noise."""
        return self.reference <= 0.0


def score(predictions: Sequence[Any], targets: Sequence[Target]) -> Score:
    """Score one prediction (horizon, H, W, 3) uint8 per target; anything else in its place scores 0
    and says so."""
    if len(predictions) != len(targets):
        return Score(
            0.0, (), (f"expected {len(targets)} predicted videos, got {len(predictions)}",)
        )
    values: list[float] = []
    errors: list[tuple[float, ...]] = []
    reasons: list[str] = []
    for index, (prediction, target) in enumerate(zip(predictions, targets, strict=True)):
        value, relative, reason = _score_one(prediction, target)
        errors.append(relative)
        if value is not None:
            values.append(value)
        if reason:
            reasons.append(f"video {index}: {reason}" if len(targets) > 1 else reason)
    if not values:
        reasons.append("nothing moves in the frames to be predicted, so no skill can be shown")
    return Score(float(np.mean(values)) if values else 0.0, tuple(errors), tuple(reasons))


def _score_one(prediction: Any, target: Target) -> tuple[float | None, tuple[float, ...], str]:
    complaint = _complaint(prediction, target.truth)
    if complaint:
        return 0.0, (), complaint
    errors = frame_errors(prediction, target.truth, target.sigma)
    relative = _relative(errors, target.persistence)
    if target.still:
        return (
            (None, relative, "")
            if not errors.any()
            else (0.0, relative, "something moves in the prediction, nothing in the truth")
        )
    if _frozen(prediction) and not _steady(target):
        return 0.0, relative, "the predicted frames never change, the true ones do"
    value = max(0.0, 1.0 - float(errors.sum()) / target.reference)
    return value, relative, "" if value > 0.0 else f"no better than showing {target.best}"


def _complaint(prediction: Any, truth: np.ndarray) -> str:
    """Why ``prediction`` is not a video like ``truth``, or ""."""
    if not isinstance(prediction, np.ndarray):
        return f"expected an array of frames, got {type(prediction).__name__}"
    if prediction.shape != truth.shape:
        return f"expected frames of shape {truth.shape}, got {prediction.shape}"
    if np.issubdtype(prediction.dtype, np.floating) and not np.isfinite(prediction).all():
        return "expected frames of bytes, got NaN or infinite numbers"
    return (
        ""
        if prediction.dtype == np.uint8
        else f"expected frames of type uint8, got {prediction.dtype}"
    )


def _frozen(frames: np.ndarray) -> bool:
    return len(frames) > 1 and all(np.array_equal(frame, frames[0]) for frame in frames)


def _steady(target: Target) -> bool:
    """Whether the truth stays what it is in its first frame, within noise."""
    return not frame_errors(target.truth[:1], target.truth, target.sigma).any()


def _stills(seen: np.ndarray) -> dict[str, np.ndarray]:
    picked = _sample(seen, _STILLS)
    return {
        "the last seen frame": seen[-1],
        "the mean seen frame": backing.over_time(lambda few: _rounded(np.mean, few), seen, picked),
        "the empty background": backing.over_time(
            lambda few: _rounded(np.median, few), seen, picked
        ),
        "black": np.zeros_like(seen[-1]),
    }


def _rounded(average: Callable[..., np.ndarray], band: np.ndarray) -> np.ndarray:
    return np.rint(average(band, axis=0)).astype(np.uint8)


def tolerance(sigma: float) -> float:
    """Grey levels by which two pixels may differ at no cost, given the pixel noise."""
    return max(SIGMAS * sigma, LEAST)


def frame_errors(frames: np.ndarray, truth: np.ndarray, sigma: float) -> np.ndarray:
    """(T,) sums over pixels and channels of max(0, |frame - truth| - tolerance); one frame is
    compared with every truth."""
    free, last = tolerance(sigma), len(frames) - 1
    gaps = (cv2.absdiff(frames[min(t, last)], true) for t, true in enumerate(truth))
    return np.array([_beyond(gap, free) for gap in gaps])


def _beyond(gap: np.ndarray, free: float) -> float:
    """Sum of max(0, value - free) over (H, W, 3) uint8: whole levels are taken off first."""
    whole = np.uint8(min(math.floor(free), 255))
    over = np.maximum(gap, whole) - whole
    return cv2.norm(over, cv2.NORM_L1) - (free - int(whole)) * np.count_nonzero(over)


def _relative(errors: np.ndarray, persistence: np.ndarray) -> tuple[float, ...]:
    """Errors over those of persistence; the first moments of a slow motion are measured against a
    hundredth of its mean."""
    if not persistence.any():
        return tuple(float(error > 0) for error in errors)
    return tuple((errors / np.maximum(persistence, 0.01 * persistence.mean())).tolist())


def pixel_noise(videos: Sequence[np.ndarray]) -> float:
    """Standard deviation of the pixel noise in grey levels, from visible frames (T, H, W, 3) uint8;
    0 for clean clips.

    The smaller of two robust estimates: the spread of differences between successive frames, which
    texture does not disturb, and that of a Laplacian within frames (Immerkaer 1996,
    doi:10.1006/cviu.1996.0060, with a median in place of the mean), which motion does not disturb.
    Median over frames, then the largest video.
    """
    return max(
        (min(_temporal_noise(frames), _spatial_noise(frames)) for frames in videos), default=0.0
    )


def _sample(frames: np.ndarray, count: int = 8) -> list[int]:
    return np.unique(
        np.linspace(0, len(frames) - 1, min(count, len(frames))).round().astype(int)
    ).tolist()


def _temporal_noise(frames: np.ndarray) -> float:
    pairs = [t for t in _sample(frames) if t + 1 < len(frames)]
    spreads = [
        _median(cv2.absdiff(frames[t + 1][rows], frames[t][rows]) for rows in _bands(frames[t]))
        for t in pairs
    ]
    return float(_MAD * np.median(spreads) / np.sqrt(2.0)) if spreads else 0.0


def _spatial_noise(frames: np.ndarray) -> float:
    gain = float(np.sqrt(np.square(_LAPLACIAN).sum()))
    spreads = [
        _median(piece for rows in _bands(frames[t]) for piece in _laplacian(frames[t][rows]))
        for t in _sample(frames)
        if min(frames.shape[1:3]) > 2
    ]
    return float(_MAD * np.median(spreads) / gain) if spreads else 0.0


def _bands(image: np.ndarray) -> list[slice]:
    """Rows of a picture (H, W, 3) that tell its noise: all, or bands spread evenly over it."""
    count = max(1, _COUNTED // (_BAND * image[0].size))
    if image.size <= _COUNTED or count * _BAND >= len(image):
        return [slice(0, len(image))]
    tops = np.linspace(0, len(image) - _BAND, count).round().astype(int).tolist()
    return [slice(top, top + _BAND) for top in tops]


def _laplacian(image: np.ndarray) -> Iterator[np.ndarray]:
    """Magnitude of the second difference along both axes, a few rows at a time: blind to constants
    and slopes."""
    few = max(1, _AT_ONCE // image[0].size)
    for top in range(0, len(image) - 2, few):
        band = image[top : top + few + 2].astype(np.int16)
        rows = band[:-2] - 2 * band[1:-1] + band[2:]
        yield np.abs(rows[:, :-2] - 2 * rows[:, 1:-1] + rows[:, 2:])


def _median(pieces: Iterable[np.ndarray]) -> float:
    """Median of all values of arrays of whole numbers from 0 on, which are only counted."""
    counts = np.zeros(1, np.int64)
    for piece in pieces:
        flat = piece.reshape(-1)
        for start in range(0, len(flat), _AT_ONCE):
            few = flat[start : start + _AT_ONCE]
            more = _counted(few) if few.dtype == np.uint8 else np.bincount(few)
            more = np.pad(more, (0, max(0, len(counts) - len(more))))
            more[: len(counts)] += counts
            counts = more
    below = np.cumsum(counts)
    middle = (below[-1] - 1) // 2, below[-1] // 2
    return float(np.searchsorted(below, middle, side="right").mean())


def _counted(levels: np.ndarray) -> np.ndarray:
    """How often each of 256 levels occurs among at most 2**24 uint8 values, which float32 counts
    exactly."""
    found = cv2.calcHist([np.ascontiguousarray(levels)], [0], None, [256], [0, 256])
    return np.asarray(found).ravel().astype(np.int64)
