"""What a fit returns, and the statuses it can end with."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from tools.types import FittedParam, State

CONVERGED = "converged"
BOUND_HIT = "bound hit"
STARTS_DISAGREE = "starts disagree"
BUDGET_SPENT = "budget spent"
NON_FINITE = "non-finite"
FLAT = "flat"
NOT_SMOOTH = "not smooth"
NOTHING_TO_COMPARE = "nothing to compare"
NOTHING_TO_FIT = "nothing to fit"

QUANTILES = (0.025, 0.5, 0.975)
"""Of posterior samples, in JSON."""

STATUSES = (
    CONVERGED,
    BOUND_HIT,
    STARTS_DISAGREE,
    BUDGET_SPENT,
    NON_FINITE,
    FLAT,
    NOT_SMOOTH,
    NOTHING_TO_COMPARE,
    NOTHING_TO_FIT,
)
"""converged: a minimum. bound hit: the minimum lies at a bound of a parameter. starts disagree:
other starting points end at clearly worse minima and the best one does not explain the data. budget
spent: stopped early. non-finite: no point with finite rollouts was found. flat: nothing that may
vary changes the rollouts. not smooth: the loss jumps, the best point comes from direct search and
has no error bars. nothing to compare: no column is both measured and produced. nothing to fit: no
parameter and no latent; the loss was evaluated once."""


@dataclass(frozen=True)
class FitResult:
    """The outcome of a fit; expected failures are statuses, not exceptions.

    status: one of STATUSES. message: one or more sentences, the last of which say what to change.
    values: theta by name. params: theta with bounds, unit, standard error and note. starts: per
    video, the start state at its first frame, latents fitted. loss: mean robust squared residual in
    units of noise, priors included (about 1 at the noise level; inf when not finite). rms: root
    mean square residual in units of noise. columns: root mean square residual by column, in its own
    unit. explained: whether no more than noise is left. evaluations: parameter vectors rolled out
    on all videos. seconds: wall clock. optimizer: the one that found the best point. batched:
    whether the program ran elementwise on arrays. samples: name -> draws, of a posterior sampler,
    else empty.
    """

    status: str
    message: str
    values: dict[str, float]
    params: tuple[FittedParam, ...]
    starts: tuple[State, ...]
    loss: float
    rms: float
    evaluations: int
    seconds: float
    optimizer: str
    columns: Mapping[str, float] = field(default_factory=dict)
    explained: bool = False
    batched: bool = False
    samples: Mapping[str, tuple[float, ...]] = field(default_factory=dict)

    @property
    def converged(self) -> bool:
        """Whether the point is a minimum as far as can be told (also at a bound, or with nothing to
        vary)."""
        return self.status in (CONVERGED, BOUND_HIT, NOTHING_TO_FIT)

    def to_json(self) -> dict[str, Any]:
        """JSON-ready dict; numbers that are not finite become None. Start states are left out; of
        samples only quantiles go in (``posterior``: name -> values at QUANTILES)."""
        keys = (
            "status",
            "message",
            "values",
            "loss",
            "rms",
            "evaluations",
            "seconds",
            "optimizer",
            "columns",
            "explained",
            "batched",
        )
        data = {key: getattr(self, key) for key in keys}
        data["params"] = [asdict(param) for param in self.params]
        data["posterior"] = {
            name: np.quantile(draws, QUANTILES).tolist() for name, draws in self.samples.items()
        }
        return _json_ready(data)


def _json_ready(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _json_ready(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_json_ready(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
