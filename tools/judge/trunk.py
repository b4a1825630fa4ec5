"""Bodies without what thin hangs on them: a rod or a rope of a body's own colour is one patch with
it in some frames and not in others, by how it falls on the pixels."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from tools.glance.patches import Patch

_DEEP = 4.0  # pixels from its middle to its edge from which on a body can hold something thin
_OPEN = 0.5  # of that, up to which a part is thin
_HANGS = 1.25  # of the same, by which a part sticks out that is no corner of the body
_LEAST = 12  # pixels of a thin part that is a patch of its own


def parted(patch: Patch) -> list[Patch]:
    """The body, and what thin hangs on it, of one patch; the patch alone where nothing does."""
    rows, columns = patch.window
    inside = patch.mask[rows, columns].astype(np.uint8)
    deep = float(cv2.distanceTransform(np.pad(inside, 1), cv2.DIST_L2, 5).max())
    if patch.ground or deep < _DEEP or max(inside.shape) < (2 + _HANGS) * deep:
        return [patch]
    size = 2 * int(_OPEN * deep) + 1
    wide = np.pad(inside, size)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
    core = cv2.morphologyEx(wide, cv2.MORPH_OPEN, kernel)[size:-size, size:-size]
    away = cv2.distanceTransform(1 - core, cv2.DIST_L2, 5)
    left = ((inside > 0) & (core == 0)).astype(np.uint8)
    count, pieces = cv2.connectedComponents(left, connectivity=8)
    far = [k for k in range(1, count) if away[pieces == k].max() > _HANGS * deep]
    if not far:
        return [patch]
    thin = np.isin(pieces, far)
    body, *others = (_part(patch, mask) for mask in ((inside > 0) & ~thin, thin))
    return [body, *(one for one in others if one.area >= _LEAST)]


def _part(patch: Patch, inside: np.ndarray) -> Patch:
    """The part of a patch with these pixels of its window."""
    mask = np.zeros_like(patch.mask)
    mask[patch.window] = inside
    rows, columns = np.nonzero(mask)
    centre = np.array([columns.mean(), rows.mean()])
    return replace(patch, centre=centre, area=float(len(rows)), mask=mask)
