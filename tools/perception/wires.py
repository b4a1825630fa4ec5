"""Springs as bent lines: a line keeps its width while the way that it takes is stretched, which one
picture of it, stretched as a whole, cannot show."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import least_squares
from scipy.sparse import csr_array

from tools.rendering.wires import line_cover

FEWEST, MOST = 4, 60
"""Corners of a line that is bent, at least and at most."""
_STRAYS = 0.8
"""Pixels by which a piece between corners may stray from a straight line."""
_SHOWN = 0.15
"""Coverage from which a column of a strip shows the line, and ..."""
_ALONG = 0.9
"""... share of the columns that must."""
_LONGEST = 3
"""Frames in which it is longest, that tell its corners best."""
_FRAMES = 6
"""Frames that a line is fitted to."""
_BETTER = 0.7
"""Of the squared error that the stretched picture leaves, what a line may leave at most."""
_ROUNDS = 8  # steps of a fit
_MARGIN = 3.0  # pixels beyond a line that its fit looks at


@dataclass(frozen=True)
class Wire:
    """width: pixels. points: (K, 2) corners: share of the way from the beginning to the end, and
    pixels across it."""

    width: float
    points: np.ndarray

    def numbers(self, height: int) -> list[float]:
        """The same as one list, width and then the points, with what lies across the way in heights
        of the strip that shows the link, which grows where the link is drawn larger."""
        across = self.points / (1.0, height)
        return [round(float(v), 5) for v in (self.width / height, *across.ravel())]


def wire_of(
    alpha: np.ndarray, share: np.ndarray, told: np.ndarray, steps: np.ndarray
) -> Wire | None:
    """The bent line that strips show, None where a stretched picture tells about as much.

    alpha: (h, w) usual coverage along the way. share: (n, h, w) coverage in each frame; told: (n,
    h, w) bool, where it is known. steps: (n,) pixels of the way that a column stands for.
    """

    def left(wire: Wire) -> float:
        return sum(
            float((((_cover(wire, alpha.shape, step) - own) ** 2) * known).sum())
            for own, known, step in zip(share, told, steps, strict=True)
        )

    longest = np.argsort(steps)[-_LONGEST:]
    seen = [(alpha, float(np.mean(steps))), *((share[k] * told[k], steps[k]) for k in longest)]
    guesses = [wire for one in seen if (wire := _traced(*one)) is not None]
    if not guesses:
        return None
    some = np.argsort(steps)[np.unique(np.linspace(0, len(steps) - 1, _FRAMES).astype(int))]
    fitted = _fitted(min(guesses, key=left), share[some], told[some], steps[some])
    usual = float((((alpha - share) ** 2) * told).sum())
    return fitted if left(fitted) < _BETTER * usual else None


def _traced(alpha: np.ndarray, step: float) -> Wire | None:
    """A first guess: corners of the middle of each column, and the width that has as much ink."""
    height, length = alpha.shape
    shows = alpha.max(0) > _SHOWN
    if shows.mean() < _ALONG:
        return None
    columns = np.flatnonzero(shows)
    across = np.arange(height) - (height - 1) / 2
    middle = (alpha[:, columns] * across[:, None]).sum(0) / alpha[:, columns].sum(0)
    along = (columns + 0.5) * step
    corners = _corners(np.stack([along, middle], 1))
    if not FEWEST <= len(corners) <= MOST:
        return None
    way = float(np.hypot(*np.diff(corners, axis=0).T).sum())
    points = corners / (length * step, 1.0)
    points[[0, -1], 0] = 0.0, 1.0
    return Wire(max(float(alpha.sum()) * step / way, 0.5), points)


def _corners(places: np.ndarray) -> np.ndarray:
    """The places of a way (N, 2) between which it is straight (Douglas and Peucker 1973)."""
    kept, todo = {0, len(places) - 1}, [(0, len(places) - 1)]
    while todo:
        first, last = todo.pop()
        if last - first < 2:
            continue
        way = places[last] - places[first]
        away = places[first + 1 : last] - places[first]
        off = np.abs(way[0] * away[:, 1] - way[1] * away[:, 0]) / max(float(np.hypot(*way)), 1e-9)
        if off.max() > _STRAYS:
            corner = first + 1 + int(off.argmax())
            kept.add(corner)
            todo += [(first, corner), (corner, last)]
    return places[sorted(kept)]


def _fitted(wire: Wire, share: np.ndarray, told: np.ndarray, steps: np.ndarray) -> Wire:
    """Width and corners by least squares; where it begins and ends along the way stays."""
    height = share.shape[1]
    reach = np.abs(wire.points[:, 1]).max() + wire.width + _MARGIN
    rows = np.abs(np.arange(height) - (height - 1) / 2) <= reach
    size = (int(rows.sum()), share.shape[2])
    own, known = share[:, rows], told[:, rows]

    def unpacked(x: np.ndarray) -> Wire:
        along = np.concatenate([[0.0], x[1 : len(wire.points) - 1], [1.0]])
        return Wire(float(x[0]), np.stack([along, x[len(wire.points) - 1 :]], 1))

    def left(x: np.ndarray) -> np.ndarray:
        drawn = np.stack([_cover(unpacked(x), size, step) for step in steps])
        return ((drawn - own) * known).ravel()

    count = len(wire.points)
    start = np.concatenate([[wire.width], wire.points[1:-1, 0], wire.points[:, 1]])
    scale = np.concatenate([[1.0], np.full(count - 2, 0.01), np.ones(count)])
    near = _near(wire, size[1], _MARGIN / float(steps.min()))
    acts = np.vstack([np.ones((1, size[1]), bool), near[1:-1], near]).T  # columns x unknowns
    sparsity = csr_array(np.broadcast_to(acts, (*own.shape, len(start))).reshape(-1, len(start)))
    found = least_squares(
        left, start, x_scale=scale, diff_step=1e-3, max_nfev=_ROUNDS, jac_sparsity=sparsity
    )
    fitted = unpacked(found.x)
    ordered = bool((np.diff(fitted.points[:, 0]) > 0).all()) and fitted.width > 0
    return fitted if ordered else wire


def _near(wire: Wire, length: int, margin: float) -> np.ndarray:
    """(K, length) bool: the columns that each corner has a part in."""
    columns = np.arange(length) + 0.5
    ends = wire.points[:, 0] * length
    first, last = np.r_[ends[:1], ends[:-1]] - margin, np.r_[ends[1:], ends[-1:]] + margin
    return (columns >= first[:, None]) & (columns <= last[:, None])


def _cover(wire: Wire, size: tuple[int, int], step: float) -> np.ndarray:
    """(h, w) coverage of a strip whose columns stand for ``step`` pixels."""
    height, length = size
    px = (np.arange(length) + 0.5) * step
    py = np.arange(height) - (height - 1) / 2
    return line_cover(px, py, wire.points * (length * step, 1.0), wire.width)
