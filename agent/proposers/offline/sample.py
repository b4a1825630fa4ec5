"""Which of many training clips are looked at closely: a sample that a look at every one decides.

A close look takes seconds a clip, a look at how the changed pixels move a few milliseconds. Clips
are ordered by their most sudden change of motion and cut into strata, from each of which one is
drawn by a fixed seed. The most sudden clip, and the one in which most changes, are always among
them, so that what happens rarely is seen, and so are those in which somebody points at something.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tools.types import Video

WATCHED = 6
"""Clips that are looked at closely. Each takes a second or two; parameters are fitted to all."""
_FINE = 64  # places along the shorter side that are looked at: more pixels are passed over
_CHANGE = 24  # grey levels between two frames, above what compression leaves
_FEW = 3  # changed places whose middle says something


@dataclass(frozen=True)
class Glance:
    """amount: mean share of the picture that changes from a frame to the next. sudden: largest
    change, from a frame to the next, of how the middle of that moves, in widths of the picture."""

    amount: float
    sudden: float


def glance(frames: np.ndarray) -> Glance:
    """Of (T, H, W, 3) uint8 frames, one pair at a time."""
    middles, shares, step = [], [], max(1, min(frames.shape[1:3]) // _FINE)
    before = frames[0, ::step, ::step].astype(np.int16)
    for frame in frames[1:]:
        now = frame[::step, ::step].astype(np.int16)
        change = np.maximum(np.abs(now - before).max(axis=2) - _CHANGE, 0)
        places = np.argwhere(change)
        shares.append(len(places) / change.size)
        known = len(places) >= _FEW
        weights = change[change > 0] if known else None
        middles.append(np.average(places, 0, weights) if known else np.full(2, np.nan))
        before = now
    turns = np.diff(np.array(middles).reshape(-1, 2), n=2, axis=0)
    sizes = np.hypot(*turns[np.isfinite(turns).all(axis=1)].T) / before.shape[1]
    return Glance(float(np.mean(shares)) if shares else 0.0, float(sizes.max(initial=0.0)))


def sample(videos: Sequence[Video], count: int = WATCHED) -> tuple[Video, ...]:
    """At most ``count`` of the videos (more where more are pointed at), in their order."""
    if len(videos) <= count:
        return tuple(videos)
    seen = [glance(video.frames) for video in videos]
    order = sorted(range(len(videos)), key=lambda k: (seen[k].sudden, k))
    chosen = {order[-1], max(order, key=lambda k: (seen[k].amount, k))}
    chosen |= {k for k, video in enumerate(videos) if video.guide}
    rng = np.random.default_rng(0)
    others = [k for k in order if k not in chosen]
    for stratum in np.array_split(others, max(count - len(chosen), 1)):
        chosen |= {int(rng.choice(stratum))} if len(stratum) else set()
    return tuple(videos[k] for k in sorted(chosen))
