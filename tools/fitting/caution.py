"""Error bars that allow for what neighbouring frames have in common.

Perception misreads a place by the same little amount in frames that look alike (an edge that is
drawn another way than it was assumed, compression), so that a fit follows the mistake and leaves
less than the noise that perception states. Such residuals do not prove that the numbers are known
better: errors are no smaller than the stated noise gives.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from tools.types import FittedParam, States

STATED = 5.0
"""The stated noise counts as so many residuals where errors were computed from those that are left
(tools.fitting.identifiability)."""


def cautious(
    params: Sequence[FittedParam], rms: float | None, tables: Sequence[States]
) -> tuple[FittedParam, ...]:
    """``params`` with errors widened where a fit to ``tables`` left residuals of ``rms`` (in units
    of the noise) below 1; as they are where a table does not state its noise."""
    if rms is None or rms >= 1.0 or any(one.noise is None for one in tables):
        return tuple(params)
    count = sum(int(np.isfinite(one.values).sum()) for one in tables)
    factor = float(np.sqrt((count + STATED) / (count * rms**2 + STATED)))
    return tuple(
        one if one.error is None else replace(one, error=one.error * factor) for one in params
    )
