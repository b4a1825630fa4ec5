"""Poses of one disk in many frames at once: what ``pose.located`` does frame by frame, with the
pixels of all of them in one array. The frames' arrays are so short that calling NumPy is most of
the work. Levenberg-Marquardt runs in step: each frame has its own damping and ends for itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from tools.perception.appearance import HARDEST, SOFTEST, informative_pixels
from tools.perception.parts import Appearance
from tools.perception.pose import (
    ARRIVED,
    FEWEST,
    GOOD,
    HUBER,
    ITERATIONS,
    LEAST_GAIN,
    NARROW,
    PIXELS,
    RETRIES,
    SAME,
    Fit,
    View,
    huber,
    misfit,
)
from tools.rendering import coverage

_STEP = 2.0
"""Pixels along x or y of the longest step taken at once."""


def located_each(
    appearance: Appearance, starts: np.ndarray, views: Sequence[View], margin: float
) -> list[tuple[Fit, float] | None]:
    """Fits and misfits of a disk from a pose (x, y, angle) a view, starts (B, 3); see
    ``pose.located``."""
    found = _settled(appearance, starts, views, min(margin, NARROW), None)
    kept = [
        None if fit is None else (fit, misfit(appearance, fit.x, view))
        for fit, view in zip(found, views, strict=True)
    ]
    doubted = [k for k, one in enumerate(kept) if one is not None and one[1] > GOOD]
    if margin <= NARROW or not doubted:
        return kept
    wide = _settled(appearance, starts[doubted], [views[k] for k in doubted], margin, margin)
    astray = {
        k: fit.x
        for k, fit in zip(doubted, wide, strict=True)
        if fit is not None and np.hypot(*(fit.x - kept[k][0].x)[:2]) >= SAME  # type: ignore[index]
    }
    if astray:
        again = [views[k] for k in astray]
        fits = _settled(appearance, np.array(list(astray.values())), again, NARROW, None)
        for k, fit, view in zip(astray, fits, again, strict=True):
            if fit is not None and (left := misfit(appearance, fit.x, view)) < kept[k][1]:  # type: ignore[index]
                kept[k] = fit, left
    return kept


def sharpened(appearance: Appearance, poses: np.ndarray, views: Sequence[View]) -> list[Fit | None]:
    """Refine the poses (B, 3) of a disk whose edge is harder than the fits of poses take it to be,
    from starts that are nearly right: all round a disk some pixels lie on the edge, so a hard edge
    says more than a soft one."""
    return _settled(appearance, poses, views, 1.0, max(appearance.width, HARDEST))


def _settled(
    appearance: Appearance,
    starts: np.ndarray,
    views: Sequence[View],
    margin: float,
    width: float | None,
) -> list[Fit | None]:
    """The fit in each view; None where hardly a pixel shows the disk."""
    told = [
        view.pick(
            *informative_pixels(appearance, pose, view.shape, margin + (width or 0.0) / 2, PIXELS)
        )
        for view, pose in zip(views, starts, strict=True)
    ]
    shown = [k for k, (px, *_) in enumerate(told) if len(px) >= FEWEST]
    fits: list[Fit | None] = [None] * len(views)
    if not shown:
        return fits
    contrasts = [views[k].contrasts(appearance.colour, *told[k][2:]) for k in shown]
    own = max(appearance.width, SOFTEST)
    px, py = (np.concatenate([told[k][axis] for k in shown]) for axis in (0, 1))
    strength, seen = (np.concatenate([one[side] for one in contrasts]) for side in (0, 1))
    owner = np.repeat(np.arange(len(shown)), [len(told[k][0]) for k in shown])
    edge = own if width is None else max(width, appearance.width)
    compared = _Compared(px, py, strength, seen, owner, appearance.size[0], edge)
    for k, fit in zip(shown, _descended(compared, starts[shown, :2]), strict=True):
        fits[k] = replace(fit, x=np.append(fit.x, starts[k, 2:]))
    return fits


@dataclass(frozen=True)
class _Compared:
    """The pixels of several frames, one after the other. px, py: where; strength, seen: how the
    disk stands out there and how much of it is seen (see ``pose.contrasts``); owner: which frame,
    all (N,). radius, edge: of the disk, pixels."""

    px: np.ndarray
    py: np.ndarray
    strength: np.ndarray
    seen: np.ndarray
    owner: np.ndarray
    radius: float
    edge: float

    def at(self, x: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Residuals (M,) of some pixels in grey levels, and their derivatives (M, 2), with the disk
        at x (B, 2) in each frame. rows: (N,) bool."""
        centre, strength = x[self.owner[rows]], self.strength[rows]
        alpha, slopes = coverage.disk(
            self.px[rows], self.py[rows], centre[:, 0], centre[:, 1], self.radius, self.edge
        )
        return strength * alpha - self.seen[rows], strength[:, None] * slopes[:, :2]


def _descended(compared: _Compared, x: np.ndarray) -> list[Fit]:
    """``pose.gauss_newton`` for each frame, from x (B, 2)."""
    owner, x = compared.owner, x.astype(np.float64)
    firsts = np.flatnonzero(np.diff(owner, prepend=-1))
    residual, slopes = compared.at(x, np.ones(len(owner), bool))
    cost = np.add.reduceat(huber(residual), firsts)
    damping, taken, failed = np.full(len(x), 1e-3), np.zeros(len(x), int), np.zeros(len(x), int)
    going = np.ones(len(x), bool)
    while going.any():
        rows, now = going[owner], np.flatnonzero(going)
        first = np.flatnonzero(np.diff(owner[rows], prepend=-1))
        r, s = residual[rows], slopes[rows]
        weighted = s * np.minimum(1.0, HUBER / np.maximum(np.abs(r), 1e-9))[:, None]
        normal = np.add.reduceat(weighted[:, :, None] * s[:, None, :], first)
        gradient = np.add.reduceat(weighted * r[:, None], first)
        move = np.clip(-_solved(normal, gradient, damping[now]), -_STEP, _STEP)
        trial = x.copy()
        trial[now] += move
        r, s = compared.at(trial, rows)
        gain = cost[now] - np.add.reduceat(huber(r), first)
        small = (np.abs(move) < ARRIVED * _STEP).all(1) | (gain < LEAST_GAIN * cost[now])
        better = gain > 0.0
        won, lost = now[better], now[~better]
        told = np.isin(owner[rows], won)
        residual[np.flatnonzero(rows)[told]], slopes[np.flatnonzero(rows)[told]] = r[told], s[told]
        x[won], cost[won] = trial[won], cost[won] - gain[better]
        damping[won] /= 8
        damping[lost] = np.maximum(damping[lost] * 8, 1e-4)
        taken[won] += 1
        failed[won], failed[lost] = 0, failed[lost] + 1
        going[won] = ~small[better] & (taken[won] < ITERATIONS)
        going[lost] = failed[lost] < RETRIES
    errors = np.sqrt(np.add.reduceat(residual**2, firsts) / np.diff(np.append(firsts, len(owner))))
    return [
        Fit(place, float(error), part)
        for place, error, part in zip(x, errors, np.split(slopes, firsts[1:]), strict=True)
    ]


def _solved(normal: np.ndarray, gradient: np.ndarray, damping: np.ndarray) -> np.ndarray:
    """(B, 2) solutions of damped normal equations (B, 2, 2), (B, 2); see ``pose.gauss_newton``."""
    scale = np.einsum("bii->bi", normal)
    floor = 1e-9 * np.maximum(scale.max(1), 1e-12)
    damped = normal + (damping[:, None] * scale + floor[:, None])[:, :, None] * np.eye(2)
    return np.linalg.solve(damped, gradient[..., None])[..., 0]
