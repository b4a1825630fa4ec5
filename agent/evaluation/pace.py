"""How far the evaluation of one candidate is, for somebody who waits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from agent.evaluation.jobs import Perceived

STEPS = (
    "measuring what the frames show",
    "fitting",
    "forecasting",
    "measuring the frames that judged it",
)

Tell = Callable[["Step"], None]


@dataclass(frozen=True)
class Step:
    """What is being done: STEPS[number]. most: seconds that this and the steps after it take at
    most, about, as far as limits of fits and what measuring took tell; None before anything does.
    """

    number: int
    most: float | None = None


def unheard(step: Step) -> None:
    """Tells nobody."""


@dataclass(frozen=True)
class Pace:
    """tell: is given each step as it begins. fit, refits: processor seconds that the fit, and those
    to earlier origins together, may take. again: frames that are measured at the end."""

    tell: Tell
    fit: float
    refits: float
    again: int

    def measuring(self) -> None:
        self.tell(Step(0))

    def fitting(self, clips: Sequence[Perceived]) -> None:
        self.tell(Step(1, self.fit + self.refits + self._measuring(clips)))

    def forecasting(self, clips: Sequence[Perceived]) -> None:
        self.tell(Step(2, self.refits + self._measuring(clips)))

    def measuring_again(self, clips: Sequence[Perceived]) -> None:
        self.tell(Step(3, self._measuring(clips)))

    def _measuring(self, clips: Sequence[Perceived]) -> float:
        return self.again * sum(c.seconds for c in clips) / sum(len(c.states) for c in clips)
