"""Fitting the numbers inside dynamics programs: one function, several optimisers, honest about what
they found."""

from tools.fitting.combinations import Combination, Determined, combinations, determined
from tools.fitting.data import Budget, Measured
from tools.fitting.experiments import Experiment, Outlook, best, choices, now, outlook, shrunk
from tools.fitting.fit import OPTIMIZERS, fit, infer_start
from tools.fitting.going_on import gone_on
from tools.fitting.posterior import Posterior, bands, posterior, rolled
from tools.fitting.result import STATUSES, FitResult
from tools.fitting.robust import LOSSES
from tools.fitting.simulate import rollout
from tools.fitting.spread import forecast_spread
from tools.fitting.state_loss import StateLoss, state_loss

__all__ = [
    "LOSSES",
    "OPTIMIZERS",
    "STATUSES",
    "Budget",
    "Combination",
    "Determined",
    "Experiment",
    "FitResult",
    "Measured",
    "Outlook",
    "Posterior",
    "StateLoss",
    "bands",
    "best",
    "choices",
    "combinations",
    "determined",
    "fit",
    "forecast_spread",
    "gone_on",
    "infer_start",
    "now",
    "outlook",
    "posterior",
    "rolled",
    "rollout",
    "shrunk",
    "state_loss",
]
