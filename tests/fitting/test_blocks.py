"""Fits to many videos: a block at a time they end where they do all at once, in bounded memory."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from sandbox import tracks
from tests.fitting import programs
from tools import fitting
from tools.fitting import blocks
from tools.types import States


def fitted(made, data):
    return fitting.fit(made, data, rng=np.random.default_rng(0))


@pytest.mark.parametrize(
    ("made", "data"),
    [(programs.thrown(), programs.throws), (programs.swinging(), programs.swings)],
    ids=["explained at once", "angles"],
)
def test_blocks_change_nothing(made, data, rng, monkeypatch):
    videos = data(rng, 7)
    whole = fitted(made, videos)
    monkeypatch.setattr(blocks, "AT_ONCE", 200)
    parts = fitted(made, videos)
    assert parts.status == whole.status and parts.evaluations == whole.evaluations
    for one, other in zip(parts.params, whole.params, strict=True):
        assert one.value == pytest.approx(other.value, rel=1e-9)
        assert one.error == pytest.approx(other.error, rel=1e-6)


def test_a_program_that_explains_nothing_is_looked_at_everywhere_alike(rng, monkeypatch):
    """Scans, random starts and hops, whose points are many."""
    videos = [*programs.throws(rng, 3), *programs.throws(rng, 2, gravity=-30.0)]
    budget = fitting.Budget(evaluations=3_000, seconds=1e9)
    found = []
    for at_once in (blocks.AT_ONCE, 300):
        monkeypatch.setattr(blocks, "AT_ONCE", at_once)
        found.append(
            fitting.fit(programs.thrown(), videos, rng=np.random.default_rng(0), budget=budget)
        )
    assert found[0].loss == pytest.approx(found[1].loss, rel=1e-6)


def test_memory_grows_little_with_videos(rng):
    """A hundred more videos take less than a tenth of a megabyte each, however many points are
    looked at."""
    peaks = []
    for count in (40, 140):
        videos = programs.throws(rng, count)
        videos[0] = programs.throws(rng, 1, gravity=-500.0)[0]  # which no gravity explains
        tracemalloc.start()
        fitting.fit(
            programs.thrown(),
            videos,
            rng=np.random.default_rng(0),
            budget=fitting.Budget(evaluations=300, seconds=1e9),
        )
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] - peaks[0] < 100 * 1e5


def test_error_bars_of_many_videos_are_told_by_some(rng):
    """Noise that start states carry is looked at in some of the videos: errors shrink on as more
    are fitted."""
    errors = [fitted(programs.line(), lines(rng, count)).params[0].error for count in (100, 400)]
    assert errors[1] == pytest.approx(errors[0] / 2, rel=0.35)


def lines(rng, count):
    return [programs.uniform_walk(rng) for _ in range(count)]


def test_tables_travel_as_numbers():
    tables = [
        None,
        States(("a.x", "a.y"), np.array([[1.0, np.nan], [1 / 3, 2.0]]), np.array([0.1, 0.2])),
        States(("b.x",), np.array([[4.0]])),
        States(("a.x", "a.y"), np.array([[7.0, 8.0]])),
    ]
    payload, inputs = tracks.packed(tables)
    back = tracks.unpacked(payload, inputs)
    assert back[0] is None and inputs[tracks.NAME].dtype == np.float64
    for one, other in zip(tables[1:], back[1:], strict=True):
        assert one.columns == other.columns
        np.testing.assert_array_equal(one.values, other.values)
        np.testing.assert_array_equal(
            np.array(one.noise, np.float64), np.array(other.noise, np.float64)
        )
    assert tracks.packed([None]) == ({"tables": [None], "columns": []}, {})
