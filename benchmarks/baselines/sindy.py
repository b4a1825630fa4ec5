"""Sparse regression on the measured states: PySINDy (Brunton, Proctor, Kutz 2016,
doi:10.1073/pnas.1517384113).

The state is positions and velocities of all balls (world units), the library linear with a
constant, selection by sequentially thresholded least squares. It has no notion of contact: what it
does on collisions is what a smooth law can do.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from benchmarks.baselines.measured import Balls
from benchmarks.phyworld.world import FRAMES, INTERVAL

THRESHOLD = 0.05
FAR = 1e3


def fit(videos: Sequence[Balls]) -> list[list[float]]:
    """Coefficients (4n, 1 + 4n) of d(state)/dt on [1, state], state = x, y, vx, vy of each ball.
    Raises ImportError without pysindy."""
    import pysindy

    tracks = [_states(balls) for balls in videos]
    tracks = [track for track in tracks if len(track) >= 5]
    model = pysindy.SINDy(pysindy.STLSQ(threshold=THRESHOLD), pysindy.PolynomialLibrary(1))
    model.fit(tracks, t=[INTERVAL * np.arange(len(track)) for track in tracks])
    return model.coefficients().tolist()


def simulate(
    coefficients: Sequence[Sequence[float]], seen: Balls, frames: int = FRAMES
) -> np.ndarray:
    """(frames, n, 2) positions: the linear law in closed form (matrix exponential) from the second
    of the seen frames, where central differences give the velocity."""
    from scipy.linalg import expm

    law = np.asarray(coefficients)
    rates = np.vstack([np.zeros(law.shape[1]), law])
    place = seen.position[:3]
    middle = np.concatenate([place[1], (place[2] - place[0]) / (2 * INTERVAL)], axis=1)
    state, path = (
        expm(-INTERVAL * rates) @ np.concatenate([[1.0], np.nan_to_num(middle).ravel()]),
        [],
    )
    step = expm(INTERVAL * rates)
    for _ in range(frames):
        path.append(np.clip(state[1:].reshape(-1, 4)[:, :2], -FAR, FAR))
        state = np.clip(step @ state, -1e9, 1e9)
    return np.array(path)


def _states(balls: Balls) -> np.ndarray:
    """(T, 4n) states of the longest beginning in which every ball is seen; velocities by central
    differences."""
    seen = np.isfinite(balls.position).all(axis=(1, 2))
    stop = len(seen) if seen.all() else int(np.argmin(seen))
    place = balls.position[:stop]
    if stop < 3:
        return np.zeros((0, 4 * len(balls.radius)))
    return np.concatenate([place, np.gradient(place, INTERVAL, axis=0)], axis=2).reshape(stop, -1)
