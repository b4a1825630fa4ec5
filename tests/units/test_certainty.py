"""How far a forecast is worth anything, in seconds."""

import numpy as np
import pytest

from agent.evaluation.doubts import Doubts
from agent.units.certainty import Certainty
from tools.types import States

T = np.arange(60) / 20.0


def said(grows):
    """A ball that swings in x, hardly moves in y, and a stone that rests; its band in x grows."""
    middle = np.stack([50 + 10 * np.sin(5 * T), 30 + 1e-3 * T, 0 * T + 80.0], 1)
    wide = np.stack([0.01 * np.exp(grows * np.maximum(T - 1, 0)), 0.05 + 0 * T, 0.2 + 0 * T], 1)
    names = ("ball.x", "ball.y", "stone.x")
    bands = tuple(States(names, middle + by * wide) for by in (-2, -1, 0, 1, 2))
    doubts = Doubts((), (), bands, 1.0, {"ball.x": 0.05, "ball.y": 0.05, "stone.x": 0.1}, ())
    return Certainty(doubts, T, 20, None)


def test_a_chaotic_forecast_is_worth_nothing_from_some_time_on():
    grown = 1.0 + np.log(10 / 2**0.5 / 0.02) / 5
    assert said(5.0).horizon() == pytest.approx(grown - T[19], abs=0.06)
    lines = "\n".join(said(5.0).lines())
    assert "worth nothing from 1.2" in lines


def test_what_rests_or_hardly_moves_makes_no_forecast_worthless():
    assert said(0.1).horizon() is None
    assert "worth something to its end" in "\n".join(said(0.1).lines())
