"""What the time stamps of a file say: an even step, or the seconds of every frame, and what is odd
about them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

_JITTER = 0.005  # of a step: stamps of evenly spaced frames are written with about this error
_ALIKE = 0.1  # of a step: steps that differ by less are one step that jitters
_MILLI = 1e-3
_WHOLE = 0.25  # of a step: a gap is a number of steps to within this
_GAP = 1.5  # steps from which on a frame is missing
_NAMED = 4  # frames named in a sentence


@dataclass(frozen=True)
class Timing:
    """dt: seconds between frames (the median step of uneven ones), None where nothing is known.
    times: (T,) seconds since the first frame where frames are unevenly spaced, else None. notes:
    what is odd, a sentence each."""

    dt: float | None
    times: np.ndarray | None = None
    notes: tuple[str, ...] = ()


def timing_of(stamps: Sequence[float | None], step: float | None, tick: float) -> Timing:
    """Timing of frames with ``stamps`` (seconds, None: no stamp) in a file that states ``step``
    seconds a frame (None: nothing) and writes stamps in units of ``tick`` seconds.

    Frames count as evenly spaced where no stamp is further off than rounding explains.

    >>> timing_of([0.0, 0.1, 0.2, 0.3], 0.1, 1e-3)
    Timing(dt=0.1, times=None, notes=())
    >>> timing_of([0.0, 0.1, 0.3, 0.4], 0.1, 1e-3).notes
    ('1 frame is missing (after frame 1): its time is kept free',)
    """
    if len(stamps) < 2:
        return Timing(step)
    if any(stamp is None for stamp in stamps):
        return Timing(step, None, ("frames have no time stamps: taken as evenly spaced",))
    times = np.array(stamps, np.float64) - float(stamps[0] or 0.0)
    steps = np.diff(times)
    if (steps <= 0).any():
        return Timing(step, None, ("time stamps do not rise: frames are taken as evenly spaced",))
    if np.abs(times - np.rint(times / _MILLI) * _MILLI).max() < 1e-6:
        tick = max(tick, _MILLI)  # whole milliseconds, whatever unit they are written in
    index, mean = np.arange(len(times)), float(times[-1] / (len(times) - 1))
    for even in (step, mean):
        error = max(1.01 * tick, _JITTER * (even or 0.0))
        if even and np.abs(times - index * even).max() <= error:
            return Timing(even)
    return Timing(float(np.median(steps)), times, _said(steps))


def at_step(timing: Timing, step: float) -> Timing:
    """The same frames with a usual step of ``step`` seconds, uneven ones in proportion."""
    if timing.times is None or timing.dt is None:
        return replace(timing, dt=step)
    return replace(timing, dt=step, times=timing.times * (step / timing.dt))


def _said(steps: np.ndarray) -> tuple[str, ...]:
    usual = float(np.median(steps))
    long = steps > _GAP * usual
    even = np.abs(steps[~long] - usual).max() <= _ALIKE * usual
    whole = np.abs(steps[long] / usual - np.rint(steps[long] / usual)) <= _WHOLE
    if not (even and long.any() and whole.all()):
        return (
            f"frames are unevenly spaced, {1e3 * steps.min():.3g} to {1e3 * steps.max():.3g} ms "
            f"({1e3 * usual:.3g} as a rule): each keeps its own time",
        )
    missing = int(np.rint(steps[long] / usual - 1).sum())
    after = np.flatnonzero(long).tolist()
    named = ", ".join(map(str, after[:_NAMED])) + (", ..." if len(after) > _NAMED else "")
    where = f"after frame{'s' * (len(after) > 1)} {named}"
    words, whose = ("frame is", "its") if missing == 1 else ("frames are", "their")
    return (f"{missing} {words} missing ({where}): {whose} time is kept free",)
