"""``scipy.optimize.linear_sum_assignment`` in plain Python, so that an exported file does without
SciPy. Copied into the file."""

from __future__ import annotations

import numpy as np


def linear_sum_assignment(cost: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns (both (min(n, m),), rows ascending) of the cheapest one-to-one choice in an
    (n, m) table.

    Shortest augmenting paths with potentials (the Hungarian method), O(n^2 m).

    >>> table = np.array([[4, 1, 3], [2, 0, 5], [3, 2, 2]])
    >>> [part.tolist() for part in linear_sum_assignment(table)]
    [[0, 1, 2], [1, 0, 2]]
    """
    table = np.asarray(cost, np.float64)
    if table.shape[0] > table.shape[1]:
        columns, rows = linear_sum_assignment(table.T)
        order = np.argsort(rows)
        return rows[order], columns[order]
    n, m = table.shape
    u, v = np.zeros(n + 1), np.zeros(m + 1)
    owner, way = np.zeros(m + 1, int), np.zeros(m + 1, int)
    for row in range(1, n + 1):
        owner[0], here = row, 0
        least, used = np.full(m + 1, np.inf), np.zeros(m + 1, bool)
        while owner[here]:
            used[here] = True
            reduced = table[owner[here] - 1] - u[owner[here]] - v[1:]
            better = ~used[1:] & (reduced < least[1:])
            least[1:][better], way[1:][better] = reduced[better], here
            free = np.where(used, np.inf, least)
            following = int(np.argmin(free[1:])) + 1
            delta = free[following]
            u[owner[used]] += delta
            v[used] -= delta
            least[~used] -= delta
            here = following
        while here:
            owner[here] = owner[way[here]]
            here = way[here]
    columns = np.array([int(np.flatnonzero(owner[1:] == row)[0]) for row in range(1, n + 1)], int)
    return np.arange(n), columns
