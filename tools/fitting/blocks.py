"""Many points and videos, a block at a time: what thousands of videos take is bounded."""

from __future__ import annotations

from collections.abc import Iterator

AT_ONCE = 1 << 21
"""Numbers that are worked on together: 16 MB, near what the caches of a processor hold."""


def blocks(count: int, size: int) -> Iterator[slice]:
    """Consecutive parts of ``count`` things of ``size`` numbers each; one part, maybe empty, where
    all of them are few.

    >>> [(part.start, part.stop) for part in blocks(3, AT_ONCE // 2)]
    [(0, 2), (2, 3)]
    """
    step = max(1, AT_ONCE // max(size, 1))
    for start in range(0, max(count, 1), step):
        yield slice(start, min(start + step, count))
