"""The suite ``failure``: with oracle masks spoiled in known ways, states hold, and the check finds
and mends what was spoiled."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.harness.case import Case, Options, Workplace
from benchmarks.suites.failure import Failure


@pytest.fixture(scope="module")
def run():
    place = Workplace(Path("unused"), Options())
    return lambda failure, scene: Failure().run(Case(f"{failure}/{scene}"), place)


@pytest.mark.parametrize("failure", ["perfect", "eroded", "shifted"])
def test_states_do_not_depend_on_a_few_pixels_of_mask(run, failure):
    record = run(failure, "twins")
    figures = record.rows[0]
    assert figures["position"] < 0.03 and figures["alarms"] == 0
    assert (figures["position_of_mask"] > 3) == (failure == "shifted")


@pytest.mark.parametrize(("failure", "scene"), [("swapped", "twins"), ("missing", "two colours")])
def test_the_check_names_the_spoiled_frames_and_no_others(run, failure, scene):
    record = run(failure, scene)
    figures = record.rows[0]
    assert figures[f"{failure}_recall"] == 1.0 and figures[f"{failure}_precision"] == 1.0
    assert figures["position_after"] < 0.05 and figures["frames_after"] == 1.0
    assert failure == "missing" or figures["position"] > 10


def test_one_object_under_two_names_is_told_apart(run):
    record = run("mistaken", "two colours")
    assert record.notes["kinds"]["red_ball"][:2] == ["wrong_colour", "same_as"]
    assert record.notes["decision"]["red_ball"] == ["point", True]
    assert record.rows[0]["position"] > 50 and record.rows[0]["position_after"] < 0.05


def test_the_table_has_a_row_for_every_case(run):
    suite, options = Failure(), Options(count=1)
    (cases,) = suite.phases(options)
    assert len(cases) == 6 and all(case.key.endswith("/cart and pole") for case in cases)
    table = suite.report({"perfect/twins": run("perfect", "twins")}, options)
    assert "| twins | perfect | 0.06 |" in table
