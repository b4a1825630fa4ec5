"""Forecasts that start from the last frames seen."""

import numpy as np
import pytest

from tests.fitting.programs import thrown
from tools.fitting import Measured, gone_on, infer_start, rollout
from tools.types import States

SEEN, AHEAD = 40, 20
STEP = 1 / 30
VALUES = {"gravity": 60.0}


def flight(rng, rubs: float, noise: float = 0.03) -> tuple[Measured, np.ndarray]:
    """A throw that something slows (rubs, 1/s), of which the law knows nothing; and its places (n,
    2) to come."""
    t = STEP * np.arange(SEEN + AHEAD)
    path = np.stack([20 - 90 * np.expm1(-rubs * t) / max(rubs, 1e-9), 150 - 60 * t + 30 * t**2], 1)
    seen = path[:SEEN] + noise * rng.standard_normal((SEEN, 2))
    return Measured(States(("ball.x", "ball.y"), seen), STEP), path[SEEN:]


def forecasts(measured: Measured) -> tuple[States, States]:
    """From the first frame, and as it goes on."""
    start = infer_start(thrown(), VALUES, measured)
    whole = rollout(thrown(), VALUES, start, SEEN + AHEAD - 1, STEP)
    return whole, gone_on(thrown(), VALUES, measured, whole)


def off(states: States, truth: np.ndarray) -> float:
    return float(np.hypot(*(states.values[SEEN:, :2] - truth).T).mean())


def test_what_no_law_explains_is_forecast_from_its_last_frames(rng):
    measured, truth = flight(rng, rubs=0.2)
    whole, anew = forecasts(measured)
    assert off(anew, truth) < 0.6 * off(whole, truth)
    changed = (anew.values != whole.values).any(1)
    assert changed[-AHEAD:].all() and not changed[: SEEN // 2].any()


def test_what_its_law_explains_is_forecast_from_all_frames(rng):
    measured, _ = flight(rng, rubs=1e-6)
    whole, anew = forecasts(measured)
    assert anew is whole


@pytest.mark.parametrize("seen", [slice(0, 0), slice(0, SEEN - 6)])
def test_what_is_not_seen_at_the_end_is_forecast_from_all_frames(rng, seen):
    measured, _ = flight(rng, rubs=0.2)
    table = np.full_like(measured.states.values, np.nan)
    table[seen] = measured.states.values[seen]
    hidden = Measured(States(measured.states.columns, table), STEP)
    whole, anew = forecasts(hidden)
    assert anew is whole
