"""A clock for time limits that stands still while nobody runs: a process that was stopped (SIGSTOP,
Ctrl-Z, a debugger, a virtual machine that was paused) has not been slow."""

from __future__ import annotations

import time
from collections.abc import Callable

BEAT = 1.0
"""Seconds after which whoever waits has to look at the clock again."""


class AwakeClock:
    """Seconds since it was made, of those looked at BEAT apart or less; of a longer gap only two
    beats count. clock: seconds that never go backwards."""

    def __init__(self, clock: Callable[[], float] = time.monotonic):
        self._clock, self._last, self._seconds = clock, clock(), 0.0

    def now(self) -> float:
        """Look at the clock."""
        now = self._clock()
        self._seconds += min(now - self._last, 2 * BEAT)
        self._last = now
        return self._seconds

    def wait(self, deadline: float) -> float:
        """Milliseconds to wait, as poll(2) takes them, until the next look or ``deadline``."""
        return max(0.0, min(deadline - self.now(), BEAT)) * 1000 + 1
