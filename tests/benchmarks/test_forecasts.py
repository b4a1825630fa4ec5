"""What counts as the truth of a forecast."""

import numpy as np
import pytest

from benchmarks.forecasts import aligned
from tools.types import States


def test_another_point_of_a_body_is_no_error_of_a_forecast_and_a_wrong_course_is():
    angle = np.linspace(0.0, 1.5, 20)
    way = np.stack([100 + 50 * np.cos(angle), 80 + 50 * np.sin(angle), angle], 1)
    columns = ("bob.x", "bob.y", "bob.angle")
    beside = way + 0.3 * np.stack([np.cos(angle), np.sin(angle), 0 * angle], 1)
    seen = States(columns, way[:12])
    assert aligned(States(columns, beside), seen).values == pytest.approx(way, abs=1e-6)
    beside[12:, 0] += 1.0
    left = aligned(States(columns, beside), seen).values - way
    assert left[:12, 0] == pytest.approx(0.0, abs=1e-6) and np.allclose(left[12:, 0], 1.0)
