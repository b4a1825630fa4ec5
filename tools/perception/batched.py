"""Poses of one disk in many frames at once: what ``pose.located`` does frame by frame, with the
pixels of all of them in one array. The frames' arrays are so short that calling NumPy is most of
the work. Levenberg-Marquardt runs in step: each frame has its own damping and ends for itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from tools.perception.appearance import HARDEST, SOFTEST, covered, informative_pixels
from tools.perception.parts import Appearance
from tools.perception.pose import (
    ARRIVED,
    CONTRAST_PIXELS,
    FEWEST,
    GOOD,
    HUBER,
    ITERATIONS,
    LEAST_GAIN,
    MISFIT_PIXELS,
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
    shown = [k for k, fit in enumerate(found) if fit is not None]
    poses = np.array([fit.x for fit in found if fit is not None]).reshape(-1, 3)
    kept: list[tuple[Fit, float] | None] = [None] * len(views)
    for k, left in zip(shown, misfits(appearance, poses, [views[k] for k in shown]), strict=True):
        kept[k] = found[k], float(left)  # type: ignore[assignment]
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


def misfits(appearance: Appearance, poses: np.ndarray, views: Sequence[View]) -> np.ndarray:
    """(B,) what ``pose.misfit`` says of a disk at a pose (x, y, angle) a view, poses (B, 3)."""
    if not views:
        return np.zeros(0)
    told = [
        view.pick(*covered(appearance, pose, view.shape, MISFIT_PIXELS))
        for pose, view in zip(poses, views, strict=True)
    ]
    counts, (px, py, target, ground) = _joined(told)
    alpha, picture = _shown(
        appearance, poses, np.repeat(np.arange(len(poses)), counts), px, py, ground
    )
    errors = np.abs(picture - target).mean(-1)
    return _weighed(errors, alpha, counts, least=2.0, otherwise=np.inf)


def standing_out(appearance: Appearance, poses: np.ndarray, views: Sequence[View]) -> np.ndarray:
    """(B,) mean grey levels by which a disk stands out from what lies behind it, at a pose (x, y,
    angle) a view, poses (B, 3); 0 outside the picture. See ``layout.tolerance``."""
    places = [
        covered(appearance, pose, view.shape, CONTRAST_PIXELS)
        for pose, view in zip(poses, views, strict=True)
    ]
    told = [(px, py, view.ground(px, py)) for (px, py), view in zip(places, views, strict=True)]
    counts, (px, py, ground) = _joined(told)
    alpha, picture = _shown(
        appearance, poses, np.repeat(np.arange(len(poses)), counts), px, py, ground
    )
    return _weighed(np.abs(picture - ground).mean(-1), alpha, counts, least=0.0, otherwise=0.0)


def _joined(told: Sequence[tuple[np.ndarray, ...]]) -> tuple[np.ndarray, list[np.ndarray]]:
    """How many pixels each view has, and what is known of them, one view after the other."""
    counts = np.array([len(one[0]) for one in told], int)
    return counts, [np.concatenate(parts) for parts in zip(*told, strict=True)]


def _shown(
    appearance: Appearance,
    poses: np.ndarray,
    owner: np.ndarray,
    px: np.ndarray,
    py: np.ndarray,
    ground: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """``appearance.shown_at`` of a disk at the pose of each pixel's owner."""
    width = max(appearance.width, SOFTEST)
    x, y = poses[owner, 0], poses[owner, 1]
    alpha, _ = coverage.disk(px, py, x, y, appearance.size[0], width)
    return alpha, ground + alpha[:, None] * (np.asarray(appearance.colour, np.float64) - ground)


def _weighed(
    values: np.ndarray, weights: np.ndarray, counts: np.ndarray, least: float, otherwise: float
) -> np.ndarray:
    """(B,) weighted means of the values of each view, ``otherwise`` where they weigh less than
    ``least``, or nothing."""
    owner = np.repeat(np.arange(len(counts)), counts)
    total = np.bincount(owner, weights, len(counts))
    mean = np.bincount(owner, values * weights, len(counts)) / np.maximum(total, 1e-6)
    return np.where((counts > 0) & (total >= least), mean, otherwise)


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

    def of(self, going: np.ndarray) -> _Compared:
        """The pixels of some of the frames, (B,) bool, which are counted anew."""
        if going.all():
            return self
        rows = going[self.owner]
        px, py, strength, seen = (one[rows] for one in (self.px, self.py, self.strength, self.seen))
        owner = (np.cumsum(going) - 1)[self.owner[rows]]
        return _Compared(px, py, strength, seen, owner, self.radius, self.edge)

    def at(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Residuals (N,) in grey levels, and their derivatives (N, 2), with the disk at x (B, 2) in
        each frame."""
        cx, cy = x[self.owner, 0], x[self.owner, 1]
        alpha, slopes = coverage.disk(self.px, self.py, cx, cy, self.radius, self.edge)
        return self.strength * alpha - self.seen, self.strength[:, None] * slopes[:, :2]


def _descended(compared: _Compared, x: np.ndarray) -> list[Fit]:
    """``pose.gauss_newton`` for each frame, from x (B, 2)."""
    count, left, now = len(x), _Frames.at(compared, x.astype(np.float64)), np.arange(len(x))
    fits: list[Fit | None] = [None] * count
    while len(now):
        going = left.stepped()
        if going.all():
            continue
        ended = np.flatnonzero(~going)
        for k, fit in zip(now[ended], left.fits(ended), strict=True):
            fits[k] = fit
        left, now = left.of(going), now[going]
    return [fit for fit in fits if fit is not None]


@dataclass
class _Frames:
    """Descents in some frames, each where it stands. x: (B, 2); residual (N,), slopes (N, 2): of
    the pixels there, whose first ones in each frame are ``firsts``; cost (B,), damping (B,); taken,
    failed: (B,) steps, and attempts at the next one."""

    compared: _Compared
    firsts: np.ndarray
    x: np.ndarray
    residual: np.ndarray
    slopes: np.ndarray
    cost: np.ndarray
    damping: np.ndarray
    taken: np.ndarray
    failed: np.ndarray

    @classmethod
    def at(cls, compared: _Compared, x: np.ndarray) -> _Frames:
        """At the beginning."""
        firsts = np.flatnonzero(np.diff(compared.owner, prepend=-1))
        residual, slopes = compared.at(x)
        cost = np.add.reduceat(huber(residual), firsts)
        none = np.zeros(len(x), int)
        start = np.full(len(x), 1e-3)
        return cls(compared, firsts, x, residual, slopes, cost, start, none, none.copy())

    def of(self, going: np.ndarray) -> _Frames:
        """Some of the frames, (B,) bool."""
        rows, compared = going[self.compared.owner], self.compared.of(going)
        firsts = np.flatnonzero(np.diff(compared.owner, prepend=-1))
        told = (self.x, self.cost, self.damping, self.taken, self.failed)
        x, cost, damping, taken, failed = (one[going] for one in told)
        residual, slopes = self.residual[rows], self.slopes[rows]
        return _Frames(compared, firsts, x, residual, slopes, cost, damping, taken, failed)

    def stepped(self) -> np.ndarray:
        """Try a step in each frame, in place: (B,) bool, which go on."""
        r, s = self.residual, self.slopes
        weighted = s * np.minimum(1.0, HUBER / np.maximum(np.abs(r), 1e-9))[:, None]
        products = np.empty((len(r), 5))
        products[:, 0] = weighted[:, 0] * s[:, 0]
        products[:, 1] = weighted[:, 0] * s[:, 1]
        products[:, 2] = weighted[:, 1] * s[:, 1]
        products[:, 3:] = weighted * r[:, None]
        sums = np.add.reduceat(products, self.firsts)
        normal = sums[:, [0, 1, 1, 2]].reshape(-1, 2, 2)
        move = np.clip(-_solved(normal, sums[:, 3:], self.damping), -_STEP, _STEP)
        r, s = self.compared.at(self.x + move)
        gain = self.cost - np.add.reduceat(huber(r), self.firsts)
        small = (np.abs(move) < ARRIVED * _STEP).all(1) | (gain < LEAST_GAIN * self.cost)
        won = gain > 0.0
        if won.all():
            self.residual, self.slopes = r, s
        else:
            told = won[self.compared.owner]
            self.residual[told], self.slopes[told] = r[told], s[told]
        self.x[won] += move[won]
        self.cost[won] -= gain[won]
        self.damping = np.where(won, self.damping / 8, np.maximum(self.damping * 8, 1e-4))
        self.taken[won] += 1
        self.failed = np.where(won, 0, self.failed + 1)
        return np.where(won, ~small & (self.taken < ITERATIONS), self.failed < RETRIES)

    def fits(self, frames: np.ndarray) -> list[Fit]:
        """What was reached in frames of these numbers."""
        ends = np.append(self.firsts, len(self.residual))
        found = []
        for k in frames.tolist():
            rows = slice(ends[k], ends[k + 1])
            error = float(np.sqrt(np.mean(self.residual[rows] ** 2)))
            found.append(Fit(self.x[k].copy(), error, self.slopes[rows].copy()))
        return found


def _solved(normal: np.ndarray, gradient: np.ndarray, damping: np.ndarray) -> np.ndarray:
    """(B, 2) solutions of damped normal equations (B, 2, 2), (B, 2); see ``pose.gauss_newton``."""
    scale = np.einsum("bii->bi", normal)
    floor = 1e-9 * np.maximum(scale.max(1), 1e-12)
    damped = normal + (damping[:, None] * scale + floor[:, None])[:, :, None] * np.eye(2)
    return np.linalg.solve(damped, gradient[..., None])[..., 0]
