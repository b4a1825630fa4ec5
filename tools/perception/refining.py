"""Passes over a layout: sharpen poses, fill gaps in time, measure looks again in the frames that
show them best."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from tools.perception.appearance_fit import refine_outline
from tools.perception.following import fold, period, unwrap
from tools.perception.layout import Layout
from tools.perception.parts import Appearance
from tools.perception.pose import locate_size, misfit
from tools.perception.stretching import stretch


def refine(layout: Layout, margin: float) -> None:
    """Fit every pose that there is, each part with all others drawn around it, in place; of what is
    settled none, here and in every pass but ``fill_gaps``."""
    for k in layout.order:
        if k not in layout.settled:
            layout.place_all(k, margin)


def sharpen(layout: Layout) -> None:
    """Last pass: disks with hard edges, each frame for itself, in place."""
    for k in layout.unsettled:
        if layout.appearances[k].shape == "disk":
            layout.sharpen(k)


def fill_gaps(layout: Layout) -> None:
    """Follow parts into frames in which they have no pose yet, forwards then backwards, as far as
    the pictures confirm it."""
    for step in (1, -1):
        times = range(len(layout.clip)) if step > 0 else range(len(layout.clip) - 1, -1, -1)
        for t in times:
            _continue(layout, t, step)


ODD = 1.5
"""Misfit of a frame, relative to the part's median, from which its pose may have been found in the
wrong place."""

ALIKE = 1.25
"""Misfit, relative to that of another pose or shape, up to which the one that continues the course,
or is simpler, is preferred."""

FOLDED = 2.0
"""The same of a picture that looks about the same after a part of a turn: thin spokes fall on other
pixels."""

SQUARE = 1.3
"""Longer side of a box, relative to the shorter one, up to which it may be a disk."""


def reconsider(layout: Layout) -> None:
    """Where a part fits badly and is not where its course would have it, fit it again from there,
    in place; the better pose stays."""
    for k in layout.unsettled:
        appearance = layout.appearances[k]
        seen = layout.seen(k)
        if len(seen) < 5 or not appearance.turns:
            continue
        usual = float(np.median(layout.errors[k][seen]))
        for t in seen:
            if layout.errors[k][t] > ODD * usual:
                for step in (1, -1):
                    start = _expected(layout, k, int(t), step)
                    if start is not None and _apart(appearance, start, layout.poses[k][t]) > 3.0:
                        _retry(layout, k, int(t), start)


def _apart(appearance: Appearance, a: np.ndarray, b: np.ndarray) -> float:
    """Pixels between two poses, at the rim."""
    return float(np.hypot(*(a[:2] - b[:2])) + abs(a[2] - b[2]) * appearance.bounding_radius)


def _retry(layout: Layout, k: int, t: int, start: np.ndarray, factor: float = 1.0) -> None:
    """Fit again from ``start``; the new pose stays where its misfit is below ``factor`` times the
    old one's."""
    before = layout.poses[k][t].copy(), layout.errors[k][t], layout.spreads[k][t].copy()
    if not layout.place(k, t, start, 4.0) or layout.errors[k][t] >= factor * before[1]:
        layout.poses[k][t], layout.errors[k][t], layout.spreads[k][t] = before


def unwind(layout: Layout) -> None:
    """Tell angles again, in place, once gaps are filled: across a gap the last rate of turning says
    little about which end is which. A box may be turned by its period; an outline or a picture is
    fitted again from where its course would have it, where it is more than a quarter turn away from
    there, or about a part of a turn after which it looks the same, and stays so if it fits about as
    well."""
    for k in layout.unsettled:
        appearance = layout.appearances[k]
        seen = layout.seen(k)
        if appearance.shape == "box" and len(seen):
            angles = layout.poses[k][:, 2]
            layout.poses[k][:, 2] = unwrap(
                angles, period(appearance), float(angles[seen[0]]), int(seen[0])
            )
        elif appearance.turns and len(seen) > 2:
            best = int(seen[np.argmin(layout.errors[k][seen])])
            if appearance.shape == "sprite" and (count := fold(appearance)) > 1:
                _refold(layout, k, best, math.tau / count)
            for step, times in ((1, seen[seen > best]), (-1, seen[seen < best][::-1])):
                for t in map(int, times):
                    start = _expected(layout, k, t, step)
                    if (
                        start is not None
                        and abs(math.remainder(start[2] - layout.poses[k][t, 2], math.tau))
                        > math.pi / 2
                    ):
                        _retry(layout, k, t, start, ALIKE)


def _refold(layout: Layout, k: int, best: int, part: float) -> None:
    """Turn a picture by parts of a turn to where it goes on steadily from frame ``best``."""
    angles = layout.poses[k][:, 2].copy()
    for t, angle in enumerate(unwrap(angles, part, float(angles[best]), best)):
        if np.isfinite(angle) and abs(angle - angles[t]) > part / 2:
            start = layout.poses[k][t].copy()
            start[2] = angle
            _retry(layout, k, t, start, FOLDED)


def _continue(layout: Layout, t: int, step: int) -> None:
    """Predict the parts that are missing in frame t from the frames just before (in the sense of
    ``step``) and fit them."""
    missing = [
        k
        for k in layout.order
        if np.isnan(layout.poses[k][t, 0]) and _expected(layout, k, t, step) is not None
    ]
    for k in missing:
        layout.poses[k][t] = _expected(layout, k, t, step)
    guesses = {k: layout.poses[k][t].copy() for k in missing}
    for _ in range(2 if len(missing) > 1 else 1):
        for k in missing:
            layout.place(k, t, guesses[k], 4.0)
            if np.isfinite(layout.poses[k][t, 0]):
                guesses[k] = layout.poses[k][t].copy()


def _expected(layout: Layout, k: int, t: int, step: int) -> np.ndarray | None:
    """Pose continued at constant velocity from the two frames before; None where there is nothing
    to continue."""
    path, before, earlier = layout.poses[k], t - step, t - 2 * step
    if not 0 <= before < len(path) or np.isnan(path[before, 0]):
        return None
    known = 0 <= earlier < len(path) and np.isfinite(path[earlier, 0])
    pose = 2 * path[before] - path[earlier] if known else path[before].copy()
    reach, (height, width) = layout.appearances[k].bounding_radius, layout.clip.shape
    inside = -reach < pose[0] < width + reach and -reach < pose[1] < height + reach
    return pose if inside else None


# --------------------------------------------------------------------------------------------------


def refit_looks(layout: Layout) -> bool:
    """Measure flat looks again now that everything else is drawn around them; True when one changed
    noticeably."""
    changed = False
    for k in layout.unsettled:
        appearance = layout.appearances[k]
        times = best_times(layout, k)
        if appearance.shape == "sprite" or not len(times):
            continue
        if stretch(layout, k, times) or _rounded(layout, k, times):
            appearance, changed = layout.appearances[k], True
        new = (
            _outline(layout, k, times)
            if appearance.shape == "polygon"
            else _sizes(layout, k, times)
        )
        changed |= _differs(appearance, new)
        layout.appearances[k] = new
    return changed


def _rounded(layout: Layout, k: int, times: np.ndarray) -> bool:
    """Whether what one frame took for a square is a disk, which explains several frames about as
    well without a size and an angle; made one, in place."""
    box = layout.appearances[k]
    if layout.parts[k] is not None or box.shape != "box" or max(box.size) > SQUARE * min(box.size):
        return False
    disk = replace(box, shape="disk", size=(math.sqrt(math.prod(box.size) / math.pi),))
    views = [layout.view(k, int(t)) for t in times]
    poses = [np.append(layout.poses[k][t][:2], 0.0) for t in times]
    fits = [locate_size(disk, pose, seen) for pose, seen in zip(poses, views, strict=True)]
    if any(fit.error == np.inf for _, fit in fits):
        return False
    disk = replace(
        disk,
        size=(float(np.median([trial.size[0] for trial, _ in fits])),),
        width=float(np.median([trial.width for trial, _ in fits])),
    )
    poses = [fit.x for _, fit in fits]
    worse = [misfit(disk, pose, seen) for pose, seen in zip(poses, views, strict=True)]
    usual = [misfit(box, layout.poses[k][t], seen) for t, seen in zip(times, views, strict=True)]
    if np.median(worse) > ALIKE * np.median(usual):
        return False
    layout.appearances[k] = disk
    layout.poses[k][:, 2] *= 0.0
    return True


def _sizes(layout: Layout, k: int, times: np.ndarray) -> Appearance:
    """Size and softness over several frames, each size weighted by how well its frame shows it: an
    edge that something hides says nothing about the size."""
    appearance, found, spreads = layout.appearances[k], [], []
    for t in times:
        trial, fit = locate_size(appearance, layout.poses[k][t], layout.view(k, int(t)))
        if fit.error < np.inf:
            found.append((*trial.size, trial.width))
            spreads.append(fit.spread[3:])
    if not found:
        return appearance
    *size, width = _weighted_median(np.array(found), 1.0 / np.maximum(np.array(spreads), 1e-3) ** 2)
    if not all(0.5 < a / b < 2.0 for a, b in zip(size, appearance.size, strict=True)):
        return appearance
    return replace(appearance, size=tuple(float(v) for v in size), width=float(width))


def _weighted_median(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Column-wise median of (N, d) values, each counted by its weight."""
    order = np.argsort(values, axis=0)
    ordered, heights = (
        np.take_along_axis(values, order, 0),
        np.cumsum(np.take_along_axis(weights, order, 0), 0),
    )
    middle = np.argmax(heights >= 0.5 * heights[-1], axis=0)
    return np.take_along_axis(ordered, middle[None], 0)[0]


def _outline(layout: Layout, k: int, times: np.ndarray) -> Appearance:
    """All corners from several frames together."""
    views = [layout.view(k, int(t)) for t in times]
    return refine_outline(layout.appearances[k], [layout.poses[k][t] for t in times], views)


def _differs(a: Appearance, b: Appearance) -> bool:
    if a.shape == "polygon":
        return a.corners.shape != b.corners.shape or bool(
            np.abs(a.corners - b.corners).max() > 0.01
        )
    return bool(np.abs(np.subtract((*a.size, a.width), (*b.size, b.width))).max() > 0.01)


def best_times(layout: Layout, k: int, limit: int = 5) -> np.ndarray:
    """Frames in which the part lies inside the image and fits best, spread over the clip."""
    path, errors, reach = layout.poses[k], layout.errors[k], layout.appearances[k].bounding_radius
    height, width = layout.clip.shape
    with np.errstate(invalid="ignore"):
        inside = (
            (path[:, 0] > reach)
            & (path[:, 1] > reach)
            & (path[:, 0] < width - 1 - reach)
            & (path[:, 1] < height - 1 - reach)
        )
    times = np.flatnonzero(inside & np.isfinite(errors))
    if not len(times):
        times = np.flatnonzero(np.isfinite(errors))
    good = times[errors[times] <= np.median(errors[times]) + 1e-9] if len(times) else times
    return (
        good[np.unique(np.linspace(0, len(good) - 1, limit).round().astype(int))]
        if len(good) > limit
        else good
    )
