"""All parts of a scene at once: who is where in each frame, who hides whom, and what each part sees
around it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np

from tools.perception.appearance import SOFTEST, alpha_at, at_pose, covered, picture_at, shown_at
from tools.perception.background import differs, dominant_colour
from tools.perception.batched import located_each, sharpened, standing_out
from tools.perception.clip import Clip
from tools.perception.parts import Appearance, Part
from tools.perception.pose import CONTRAST_PIXELS, Fit, View, located

_HIDDEN = 0.02
"""Coverage by something in front above which a pixel tells nothing about what lies behind."""
_BATCH = 32
"""Frames in which a disk is fitted at once."""
_FAINT = 3.0
"""Grey levels by which a part must differ from what lies behind it, noise aside, to be seen."""


ROD = 8.0
"""Length of a box, in widths, from which it is a rod."""


@dataclass
class Layout:
    """The working state of tracking. poses: per part (T, 3), NaN = not seen. parts: declarations,
    None where there is none. order: part numbers from back to front. front: bool (H, W), fixed
    structures that hide parts. spreads: per part (T, 3) standard deviations. errors: per part (T,).
    settled: parts whose looks and poses are final, so that no pass works on them.
    """

    clip: Clip
    appearances: list[Appearance]
    poses: list[np.ndarray]
    parts: list[Part | None] = field(default_factory=list)
    order: list[int] = field(default_factory=list)
    front: np.ndarray | None = None
    spreads: list[np.ndarray] = field(default_factory=list)
    errors: list[np.ndarray] = field(default_factory=list)
    settled: frozenset[int] = frozenset()

    def __post_init__(self):
        self.parts = self.parts or [None] * len(self.appearances)
        self.order = self.order or list(range(len(self.appearances)))
        self.spreads = self.spreads or [np.full(p.shape, np.inf) for p in self.poses]
        self.errors = self.errors or [np.full(len(p), np.inf) for p in self.poses]

    @property
    def unsettled(self) -> list[int]:
        """Part numbers that passes work on, in order."""
        return [k for k in range(len(self.appearances)) if k not in self.settled]

    def seen(self, k: int) -> np.ndarray:
        """Frames in which part k has a pose."""
        return np.flatnonzero(np.isfinite(self.poses[k][:, 0]))

    def view(self, k: int, t: int, pose: np.ndarray | None = None) -> View:
        """Frame t as part k sees it: what lies behind is drawn, what lies in front is left out."""
        near = self._near(k, t, self.poses[k][t] if pose is None else pose)
        rank = self.order.index(k)
        behind = [j for j in self.order[:rank] if j in near]
        before = [j for j in self.order[rank + 1 :] if j in near]
        gain, frame = self.clip.light[t], self.clip.frames[t]
        if (gain != 1).any():
            frame = self.clip.frame(t)

        def ground(px: np.ndarray, py: np.ndarray) -> np.ndarray:
            picture = self.clip.plate[py.astype(int), px.astype(int)].astype(np.float64)
            for j in behind:
                picture = picture_at(
                    self.appearances[j],
                    self.poses[j][t],
                    px,
                    py,
                    picture,
                    self.appearances[j].width,
                )
            return picture

        def free(px: np.ndarray, py: np.ndarray) -> np.ndarray:
            open_ = (
                np.ones(len(px), bool)
                if self.front is None
                else ~self.front[py.astype(int), px.astype(int)]
            )
            for j in before:
                open_[open_] = (
                    alpha_at(self.appearances[j], self.poses[j][t], px[open_], py[open_]) < _HIDDEN
                )
            return open_

        return View(frame, ground, free, self.clip.luma)

    def _near(self, k: int, t: int, pose: np.ndarray) -> set[int]:
        away = np.array([poses[t, :2] for poses in self.poses]) - pose[:2]  # NaN: nowhere near
        reach = self.appearances[k].bounding_radius + 10
        reaches = reach + np.array([one.bounding_radius for one in self.appearances])
        return set(np.flatnonzero(np.hypot(away[:, 0], away[:, 1]) < reaches).tolist()) - {k}

    def place(self, k: int, t: int, start: np.ndarray, margin: float) -> bool:
        """Fit part k in frame t from ``start``; the pose becomes NaN (False) when the picture does
        not show it there."""
        seen = self.view(k, t, start)
        found = located(self.appearances[k], start, seen, margin)
        if found is None:
            return self._taken(k, t, start, 0.0, margin, None)
        most = tolerance(self.appearances[k], found[0].x, seen, self.clip.noise)
        return self._taken(k, t, start, most, margin, found)

    def place_all(self, k: int, margin: float) -> None:
        """Fit part k again in every frame in which it has a pose, from there (see ``place``)."""
        if self.appearances[k].shape != "disk":
            for t in self.seen(k):
                self.place(k, t, self.poses[k][t].copy(), margin)
            return
        for times in self._batches(k):
            starts, views = self.poses[k][times], [self.view(k, t) for t in times]
            fits = located_each(self.appearances[k], starts, views, margin)
            poses = np.array(
                [s if f is None else f[0].x for s, f in zip(starts, fits, strict=True)]
            )
            contrasts = standing_out(self.appearances[k], poses, views)
            for t, start, contrast, found in zip(times, starts, contrasts, fits, strict=True):
                self._taken(k, t, start, _most(contrast, self.clip.noise), margin, found)

    def _batches(self, k: int) -> list[np.ndarray]:
        """The frames in which part k has a pose, a few at a time."""
        times = self.seen(k)
        return [times[i : i + _BATCH] for i in range(0, len(times), _BATCH)]

    def _taken(
        self,
        k: int,
        t: int,
        start: np.ndarray,
        most: float,
        margin: float,
        found: tuple[Fit, float] | None,
    ) -> bool:
        """Keep what was found where it is acceptable. most: colour error there (``tolerance``)."""
        fit, error = found or (None, np.inf)
        if fit is None or not self._accepted(k, t, fit, start, error, most, margin):
            self.poses[k][t], self.errors[k][t], self.spreads[k][t] = np.nan, np.inf, np.inf
            return False
        self.poses[k][t], self.errors[k][t], self.spreads[k][t] = fit.x, error, fit.spread
        return True

    def sharpen(self, k: int) -> None:
        """Fit a disk's poses again with its edge as hard as it was measured; one that strays is
        left as it was."""
        if self.appearances[k].width >= SOFTEST:
            return
        for times in self._batches(k):
            views = [self.view(k, t) for t in times]
            fits = sharpened(self.appearances[k], self.poses[k][times], views)
            for t, fit in zip(times, fits, strict=True):
                if fit is not None and np.hypot(*(fit.x[:2] - self.poses[k][t, :2])) < 0.5:
                    self.poses[k][t], self.spreads[k][t] = fit.x, fit.spread

    def _accepted(
        self, k: int, t: int, fit: Fit, start: np.ndarray, error: float, most: float, margin: float
    ) -> bool:
        appearance = self.appearances[k]
        open_ = fit.spread[:2] > 0.15 * appearance.bounding_radius + 1.0
        rod = appearance.shape == "box" and max(appearance.size) > ROD * min(appearance.size)
        if open_.all() or (open_.any() and not rod):
            return False  # a rod whose ends are hidden stays where it was along itself
        if error > most:
            return False
        if np.hypot(*(fit.x[:2] - start[:2])) > 2.5 * margin + 0.5 * appearance.bounding_radius:
            return False
        return not any(self._same(k, j, t, fit.x) for j in self._near(k, t, fit.x))

    def _same(self, k: int, j: int, t: int, pose: np.ndarray) -> bool:
        """Would part k lie on top of part j, which looks alike?"""
        a, b = self.appearances[k], self.appearances[j]
        if (
            not np.isfinite(self.poses[j][t, 0])
            or np.abs(np.subtract(a.colour, b.colour)).max() > 40
        ):
            return False
        if not 0.6 < a.bounding_radius / b.bounding_radius < 1.6 or a.shape != b.shape:
            return False
        turn = abs(np.sin(pose[2] - self.poses[j][t, 2])) if a.shape == "box" else 0.0
        return bool(
            np.hypot(*(pose[:2] - self.poses[j][t, :2])) < 0.3 * min(a.size or (a.bounding_radius,))
            and turn < 0.3
        )


def tolerance(appearance: Appearance, pose: np.ndarray, seen: View, noise: float) -> float:
    """Largest mean colour error at which a part counts as seen: a third of its contrast with what
    lies behind; 0.0 where it looks just like that, so that nothing tells where it is."""
    px, py = covered(appearance, pose, seen.shape, CONTRAST_PIXELS)
    if not len(px):
        return 0.0
    ground = seen.ground(px, py)
    alpha, picture = shown_at(appearance, pose, px, py, ground)
    contrast = float((np.abs(picture - ground).mean(1) * alpha).sum() / max(alpha.sum(), 1e-6))
    return _most(contrast, noise)


def _most(contrast: float, noise: float) -> float:
    return max(0.35 * contrast, 12.0) + noise if contrast > _FAINT + noise else 0.0


# --------------------------------------------------------------------------------------------------


def depth(layout: Layout) -> list[int]:
    """Part numbers from back to front: where two overlap, the one whose colours are seen is in
    front."""
    n = len(layout.appearances)
    votes = np.zeros((n, n))
    for t in layout.clip.spread_times(40):
        for i, j in _overlapping(layout, t):
            votes[i, j] += _front_vote(layout, i, j, t)
    votes -= votes.T
    order: list[int] = []
    for k in sorted(range(n), key=lambda k: -layout.appearances[k].bounding_radius):
        place = len(order)
        while place and votes[k, order[place - 1]] < 0:
            place -= 1
        order.insert(place, k)
    return order


def _overlapping(layout: Layout, t: int) -> Iterator[tuple[int, int]]:
    """Pairs of parts, in order, whose looks may overlap in frame t."""
    places = np.array([poses[t, :2] for poses in layout.poses]).reshape(-1, 2)
    reach = np.array([appearance.bounding_radius for appearance in layout.appearances])
    away = places[:, None] - places  # NaN where one is not seen: no overlap
    near = np.hypot(away[..., 0], away[..., 1]) <= reach[:, None] + reach
    rows, columns = np.nonzero(np.triu(near, 1))
    return zip(rows.tolist(), columns.tolist(), strict=True)


def _front_vote(layout: Layout, i: int, j: int, t: int) -> float:
    """Pixels of the overlap that look like part i minus those that look like part j."""
    small, _ = (
        (i, j)
        if layout.appearances[i].bounding_radius <= layout.appearances[j].bounding_radius
        else (j, i)
    )
    px, py = covered(layout.appearances[small], layout.poses[small][t], layout.clip.shape, 1500)
    if not len(px):
        return 0.0
    first, second = (at_pose(layout.appearances[k], layout.poses[k][t], px, py) for k in (i, j))
    both = (first.alpha > 0.9) & (second.alpha > 0.9)
    if not both.any():
        return 0.0
    picture = layout.clip.frame(t)[py[both].astype(int), px[both].astype(int)].astype(np.float64)
    to_a, to_b = (
        np.abs(picture - s.colour[both] / s.alpha[both, None]).max(1) for s in (first, second)
    )
    return float((to_a < to_b - 10).sum() - (to_b < to_a - 10).sum())


def hiding(layout: Layout) -> np.ndarray:
    """Fixed structures of the plate that are seen where a part should be: bool (H, W)."""
    clip = layout.clip
    ground, share = dominant_colour(clip.plate[None])
    front = np.zeros(clip.shape, bool)
    structure = differs(clip.plate, ground, clip.level)
    if share < 0.4 or not structure.any():
        return front
    count, labels = cv2.connectedComponents(structure.astype(np.uint8))
    seen, hidden = np.zeros(count), np.zeros(count)
    for appearance, path in zip(layout.appearances, layout.poses, strict=True):
        for t, pose in _expected(path):
            px, py = covered(appearance, pose, clip.shape, 1500)
            rows, columns = py.astype(int), px.astype(int)
            at = labels[rows, columns]
            over = (at > 0) & (alpha_at(appearance, pose, px, py) > 0.95)
            if not over.any():
                continue
            rows, columns, at = rows[over], columns[over], at[over]
            plate = clip.plate[rows, columns].astype(np.int16)
            telling = np.abs(plate - np.asarray(appearance.colour)).max(1) > 2 * clip.level
            same = (
                np.abs(clip.frame(t)[rows, columns].astype(np.int16) - plate).max(1) <= clip.level
            )
            np.add.at(seen, at[telling & same], 1)
            np.add.at(hidden, at[telling & ~same], 1)
    inside = (seen > 2 * hidden) & (seen > 8)
    inside[0] = False
    return inside[labels]


def _expected(path: np.ndarray) -> Sequence[tuple[int, np.ndarray]]:
    """(t, pose) between a part's first and last sighting, gaps bridged by straight lines."""
    known = np.flatnonzero(np.isfinite(path[:, 0]))
    if not len(known):
        return []
    times = np.arange(known[0], known[-1] + 1)
    whole = np.stack([np.interp(times, known, path[known, i]) for i in range(3)], 1)
    return list(zip(times.tolist(), whole, strict=True))
