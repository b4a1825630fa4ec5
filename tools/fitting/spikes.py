"""Single wrong measurements in a track, found without a model of its motion.

A kink (a bounce) agrees with the extrapolation from one of its sides, a jump with that from the
other; a spike with neither, nor with the line between its neighbours, while the frames on both
sides of it go together.
"""

from __future__ import annotations

import numpy as np

_FAR = 8.0  # departure, in units of the typical one and of the noise, that makes a spike


def spikes(track: np.ndarray, noise: float) -> np.ndarray:
    """(T,) bool: frames of a track (T,) that stand out alone. NaN frames, and the first and last
    two, never do.

    >>> spikes(np.array([0.0, 1, 2, 90, 4, 5, 6]), 0.1).nonzero()[0].tolist()
    [3]
    >>> spikes(np.array([0.0, 9, 18, 27, 18, 9, 0]), 0.1).any()
    np.False_
    """
    found = np.zeros(len(track), bool)
    seen = np.flatnonzero(np.isfinite(track))
    if len(seen) < 6:
        return found
    x = np.interp(np.arange(len(track)), seen, track[seen])
    a, b, c, d, e = (x[i : len(x) - 4 + i] for i in range(5))
    departure = np.minimum.reduce(
        [np.abs(c - (2 * b - a)), np.abs(c - (2 * d - e)), np.abs(c - (b + d) / 2)]
    )
    gap = np.abs((b - a) + (e - d) - (d - b)) / 2
    typical = max(float(np.median(departure)), noise)
    found[2:-2] = (departure > _FAR * typical) & (departure > 2.0 * gap)
    return found & np.isfinite(track)
