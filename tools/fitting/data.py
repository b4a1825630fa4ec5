"""What a fit is given: measured states and a budget."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from tools import timing
from tools.types import ContractError, States, Steps


@dataclass(frozen=True)
class Measured:
    """What perception measured in one video.

    states: one row per frame, NaN = not visible; ``states.noise`` (standard deviations) is used
    where given. dt: seconds between frames, or at least T - 1 of them, one a step. actions: (T,)
    float64 or None; ``actions[t]`` acts between frame t and t + 1.
    """

    states: States
    dt: Steps
    actions: np.ndarray | None = None

    def __post_init__(self):
        if len(self.states) == 0:
            raise ContractError("Measured.states", "at least one frame", "none")
        if isinstance(self.dt, np.ndarray):
            self._set_times(self.dt)
        elif not (math.isfinite(self.dt) and self.dt > 0):
            raise ContractError("Measured.dt", "seconds between frames, > 0", repr(self.dt))
        if self.actions is not None:
            actions = np.asarray(self.actions, np.float64)
            if (
                actions.ndim != 1
                or len(actions) < len(self.states) - 1
                or not np.isfinite(actions).all()
            ):
                raise ContractError(
                    "Measured.actions",
                    f"{len(self.states)} finite numbers, one a frame",
                    f"shape {actions.shape}",
                )
            object.__setattr__(self, "actions", actions)

    def _set_times(self, steps: np.ndarray) -> None:
        frames = len(self.states)
        if (
            steps.ndim != 1
            or len(steps) < frames - 1
            or not (np.isfinite(steps) & (steps > 0)).all()
        ):
            raise ContractError(
                "Measured.dt", f"at least {frames - 1} numbers > 0, one a step", f"{steps.shape}"
            )
        times = timing.elapsed(steps, np.arange(frames))
        object.__setattr__(self, "states", replace(self.states, times=times))

    def cut(self, stop: int) -> Measured:
        """The first ``stop`` frames."""
        return Measured(
            self.states.cut(0, stop), self.dt, None if self.actions is None else self.actions[:stop]
        )


@dataclass(frozen=True)
class Budget:
    """Limits of one fit; the first one reached ends it and the best point seen so far is returned.

    evaluations: parameter vectors rolled out on all videos; the limit that keeps a fit
    reproducible. seconds: processor time of this process, a safety net (a fit that it ends may
    differ between runs). starts: starting points tried when the fit from the declared values does
    not explain the data; 1 means no further starts.
    """

    evaluations: int = 20_000
    seconds: float = 20.0
    starts: int = 8

    def __post_init__(self):
        if self.evaluations < 1 or self.starts < 1 or not self.seconds > 0:
            raise ContractError(
                "Budget", "at least 1 evaluation, 1 start and more than 0 seconds", repr(self)
            )
