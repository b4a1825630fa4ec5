"""What moves off slowly hides the same ground for so long that a plate shows it where it began: a
ghost.

The first and the last frame tell. Where they differ, one shows a body and the other the ground that
it left, or came to. The body has an outline there, its ground has none: from the rim of what
differs, where one of the two frames has the stronger edge, the places inside are shared out along
the edges of both (the watershed of Meyer, 1991, as OpenCV has it). What both frames hide is
continued from around it.
"""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np

from tools.perception.background import fill
from tools.perception.camera.ground import clear_difference, edges, outlined_less, square
from tools.perception.camera.noise import Noise

_COARSE = 640 * 480
"""Pixels of the picture in which ghosts are looked for, at most."""
_MOST = 0.25
"""Share of the picture that may differ between the two frames: light or a camera changes all."""
_TWICE = 2.0
"""Ratio of edges from which one of the two is a body's."""
_SEEN = 0.25
"""Grey levels a pixel that such an edge has at least, as a share of a clear difference."""
_RIM, _OPEN = 5, 5
"""Pixels across: of the rim that is looked at, and of the least of a ghost that is wiped out."""
_BLUR = 1.0
"""Pixels by which pictures are smoothed before their edges are compared: frames are noisier than
plates."""
_ALIKE = 2.5
"""Ratio of the areas of what is left of a body in the two frames, at most."""
_HAUNTED = 0.25
"""Share of that which the plate must show a ghost at."""
_PART = 0.08
"""Share of all that differs between the two frames which a ghost is at least: hands and edges that
tremble differ here and there."""
_MORE = 1.5
"""Area that a body may hide in both frames, as a multiple of that which is seen of it apart."""
_FIRST, _LAST = 1, 2
"""Labels: of what the first frame shows a body at, and the last."""


def exorcised(
    plate: np.ndarray, first: np.ndarray, last: np.ndarray, noise: Noise
) -> tuple[np.ndarray, np.ndarray]:
    """The plate (H, W, 3) float32 without ghosts, and bool (H, W), where they were. first, last:
    frames (H, W, 3) uint8."""
    scale = max(1, round((plate[..., 0].size / _COARSE) ** 0.5))
    ground, before, after = (_shrunk(picture, scale) for picture in (plate, first, last))
    limit = clear_difference(ground, noise)
    labels, differs = _shared_out(before, after, limit)
    gone = np.zeros(plate.shape[:2], bool)
    if not 0 < differs.mean() < _MOST:
        return plate, gone
    size, nearest = plate.shape[1::-1], cv2.INTER_NEAREST
    whose = cv2.resize(labels.astype(np.uint8), size, interpolation=nearest)
    for hidden, patch in _ghosts(ground, before, after, labels, limit):
        mask = cv2.resize(patch.astype(np.uint8), size, interpolation=nearest) > 0
        plate = _filled(plate, mask) if hidden else plate.copy()
        if not hidden:
            for label, other in ((_FIRST, last), (_LAST, first)):
                plate[mask & (whose == label)] = other[mask & (whose == label)]
        gone |= mask
    return plate, gone


def _filled(plate: np.ndarray, hidden: np.ndarray) -> np.ndarray:
    shown = np.clip(np.rint(plate), 0, 255).astype(np.uint8)
    return np.where(hidden[..., None], fill(shown, hidden), plate).astype(np.float32)


def _ghosts(
    plate: np.ndarray, first: np.ndarray, last: np.ndarray, labels: np.ndarray, limit: np.ndarray
) -> Iterator[tuple[bool, np.ndarray]]:
    """Patches (h, w) bool of a plate that one of two frames shows without a ghost, and after these
    (True) those that must be filled from around."""
    swapped = np.where((labels == _FIRST)[..., None], last, plate)
    swapped = np.where((labels == _LAST)[..., None], first, swapped)
    shown = np.where((labels == _FIRST)[..., None], first, last)
    away, near = (np.abs(one - plate) for one in (swapped, shown))
    ghosts = ((away > limit).any(-1) & (near.max(-1) < away.max(-1))).astype(np.uint8)
    ghosts = cv2.morphologyEx(ghosts, cv2.MORPH_OPEN, square(_OPEN))
    least = _PART * float((labels > 0).sum())
    for piece in (piece for piece in _pieces(ghosts) if piece.sum() > least):
        wide = _widened(piece)
        without = np.where(wide[..., None], swapped, plate)
        if outlined_less(without, plate, wide, _BLUR):
            plate = without
            yield False, wide
    for apart, hidden in list(_hidden(labels, ghosts > 0)):
        without = np.where(apart[..., None], swapped, plate)
        filled = _filled(without, hidden)
        wrong = (np.abs(filled - without) > limit).any(-1).astype(np.uint8)
        wrong = cv2.morphologyEx(wrong, cv2.MORPH_OPEN, square(3))
        hidden = hidden & _widened(wrong)
        without = np.where(hidden[..., None], filled, without)
        changed = (np.abs(without - plate) > limit).any(-1).astype(np.uint8)
        changed = cv2.morphologyEx(changed, cv2.MORPH_OPEN, square(_OPEN))
        if changed.any() and outlined_less(without, plate, _widened(changed), _BLUR):
            plate = without
            yield False, apart
            yield True, hidden


def _shared_out(
    first: np.ndarray, last: np.ndarray, limit: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(H, W) labels, 0 where neither frame is known to show a body, and (H, W) bool, where the two
    differ."""
    change = np.abs(cv2.GaussianBlur(first - last, (0, 0), 1.0))
    differs = (change > limit).any(-1).astype(np.uint8)
    differs = cv2.morphologyEx(differs, cv2.MORPH_OPEN, square(3))
    rim = cv2.morphologyEx(differs, cv2.MORPH_GRADIENT, square(_RIM)) > 0
    before, after = edges(first, _BLUR), edges(last, _BLUR)
    least = _SEEN * limit.max(-1)
    ours = [
        cv2.dilate((rim & (a > _TWICE * b) & (a > least)).astype(np.uint8), square(_RIM)) > 0
        for a, b in ((before, after), (after, before))
    ]
    outside = 3
    markers = np.zeros(differs.shape, np.int32)
    inside = cv2.erode(differs, square(3)) > 0
    markers[ours[0] & ~ours[1] & inside] = _FIRST
    markers[ours[1] & ~ours[0] & inside] = _LAST
    markers[cv2.dilate(differs, square(_RIM)) == 0] = outside
    relief = np.clip(4 * np.maximum(before, after), 0, 255).astype(np.uint8)
    cv2.watershed(np.dstack([relief] * 3), markers)
    known = (differs > 0) & np.isin(markers, (_FIRST, _LAST))
    return np.where(known, markers, 0), differs > 0


def _hidden(labels: np.ndarray, ghosts: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Where two frames show a body that leaves a ghost apart, and the ground between that it may
    hide in both, of which nothing is known: bool (h, w) each."""
    thick = [
        cv2.morphologyEx((labels == k).astype(np.uint8), cv2.MORPH_OPEN, square(_OPEN))
        for k in (_FIRST, _LAST)
    ]
    first, last = (list(_pieces(mask)) for mask in thick)
    known = cv2.erode((labels > 0).astype(np.uint8), square(2 * _RIM + 1)) > 0
    for piece, others in [*((p, last) for p in first), *((p, first) for p in last)]:
        like = [o for o in others if 1 / _ALIKE < o.sum() / piece.sum() < _ALIKE]
        least = max(_HAUNTED * piece.sum(), _PART * (labels > 0).sum())
        if not like or (piece & ghosts).sum() < least:
            continue
        middle = np.argwhere(piece).mean(0)
        mate = min(like, key=lambda o: float(np.hypot(*(np.argwhere(o).mean(0) - middle))))
        outline = cv2.convexHull(np.argwhere(piece | mate)[:, ::-1].astype(np.int32))
        hull = cv2.fillConvexPoly(np.zeros(labels.shape, np.uint8), outline, 1) > 0
        if 0 < (hull & ~known).sum() < _MORE * (piece | mate).sum():
            yield _widened(piece | mate), _widened(hull & ~known)


def _pieces(mask: np.ndarray) -> Iterator[np.ndarray]:
    """bool (H, W) of each connected piece of a mask (H, W) uint8 that is no speck."""
    count, pieces, stats, _ = cv2.connectedComponentsWithStats(mask)
    for k in range(1, count):
        if stats[k, cv2.CC_STAT_AREA] >= _OPEN**2:
            yield pieces == k


def _widened(mask: np.ndarray) -> np.ndarray:
    return cv2.dilate(mask.astype(np.uint8), square(_RIM)) > 0


def _shrunk(picture: np.ndarray, scale: int) -> np.ndarray:
    """(H / scale, W / scale, 3) float32."""
    size = (picture.shape[1] // scale, picture.shape[0] // scale)
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA).astype(np.float32)
