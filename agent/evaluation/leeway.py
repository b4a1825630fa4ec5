"""How much of a score nothing that was measured can tell. Pure.

On camera pictures a lens and perspective misplace a body by a share of its way, the camera's noise
by its own measure, and a fit leaves its forecast uncertain. A drawing on whole pixels places it
within half a pixel of where it is. A forecast that is off by that much in some direction is as good
as one that is not. What it is worth is read from the pictures: what is drawn moving is shifted that
far over the plate, each way, and scored again.
"""

from __future__ import annotations

from collections.abc import Mapping

import cv2
import numpy as np

from tools.metrics.score import Target, score
from tools.types import States

TRAVEL_SHARE = 0.003
"""Share of a body's way by which plain lenses misplace it."""

MISPLACED = 1.0
"""Pixels of that at most, and of what a fit leaves uncertain: a score that was earned is no luck
because its fit says little."""

FEW = 0.01
"""Share of a score that so few frames leave open in any case, were it that of a still picture."""

LEAST = 0.3
"""Pixels below which a gap between forecast and measurement is no evidence: what rounding to whole
pixels leaves (the standard deviation of a uniform error is 0.29)."""

UNSEEN = 0.5
"""Share of a score that a body leaves open which the model has and no fitted frame shows: it does
not move yet, and nothing judged it."""

ROUNDED = 0.15
"""Pixels by which places in a drawing on whole pixels scatter about a fit, at least: those of
smooth drawings do so by a tenth of it."""


def unseen(measured: States) -> bool:
    """Whether some body has no place in any of the frames fitted."""
    places = [c for c in measured.columns if c.endswith((".x", ".y"))]
    return any(not np.isfinite(measured.column(c)).any() for c in places)


def misplaced(measured: States, predicted: States) -> float:
    """Pixels by which forecast places may be off and no worse for it: of the body that may be off
    most. measured: frames fitted. predicted: frames that judge, with what the fit leaves uncertain
    as noise."""
    noise = np.zeros(len(predicted.columns)) if predicted.noise is None else predicted.noise
    spread = dict(zip(predicted.columns, noise, strict=True))
    most = 0.0
    for body in {column.partition(".")[0] for column in measured.columns}:
        places = [c for c in (f"{body}.x", f"{body}.y") if c in measured.columns]
        travel = sum(_way(measured.column(c)) ** 2 for c in places) ** 0.5
        lens = min(TRAVEL_SHARE * travel, MISPLACED)
        fitted = min(sum(spread.get(c, 0.0) ** 2 for c in places) ** 0.5, MISPLACED)
        most = max(most, (lens**2 + fitted**2) ** 0.5)
    return max(most, LEAST)


def rounded(scatter: Mapping[str, float | None]) -> float:
    """Pixels by which a drawing on whole pixels parts two forecasts, each of which it rounds by
    itself; 0.0 where it is drawn smoothly. scatter: root mean square of what a fit leaves, by
    column, in the column's unit."""
    places = [rms or 0.0 for name, rms in scatter.items() if name.endswith((".x", ".y"))]
    most = max(places, default=0.0)
    return 2**0.5 * min(most, LEAST) if most >= ROUNDED else 0.0


def _way(series: np.ndarray) -> float:
    """How far a coordinate goes, there and back."""
    known = series[np.isfinite(series)]
    return float(np.abs(np.diff(known)).sum())


def leeway(frames: np.ndarray, target: Target, plate: np.ndarray, shift: float) -> float:
    """How much a score changes, at most, where everything that is drawn over the plate lies
    ``shift`` pixels beside where it is. frames: (n, H, W, 3) uint8 forecast. plate: (H, W, 3)."""
    own = score([frames], [target]).value
    shifted = [
        score([_shifted(frames, plate, dx, dy)], [target]).value
        for dx, dy in ((shift, 0.0), (-shift, 0.0), (0.0, shift), (0.0, -shift))
    ]
    return max(abs(value - own) for value in shifted)


def _shifted(frames: np.ndarray, plate: np.ndarray, dx: float, dy: float) -> np.ndarray:
    """What differs from the plate, elsewhere on it."""
    move = np.array([[1.0, 0.0, dx], [0.0, 1.0, dy]], np.float32)
    moved = np.empty_like(frames)
    for t, frame in enumerate(frames):
        for c in range(3):
            over = frame[..., c].astype(np.float32) - plate[..., c]
            over = cv2.warpAffine(over, move, frame.shape[1::-1]) + plate[..., c]
            moved[t, ..., c] = np.clip(np.rint(over), 0, 255)
    return moved
