"""500 cases of hostile input in all; 10,000 with `python -m benchmarks.fuzz --count 10000`."""

from __future__ import annotations

import pytest

pytest.importorskip("hypothesis", reason="hypothesis is part of the extra test")

from benchmarks import fuzz


@pytest.mark.parametrize("target, count", [("claims", 250), ("answers", 200), ("runs", 50)])
def test_nothing_but_a_failure_or_one_line_comes_of_hostile_input(target, count):
    fuzz.block(target, 1, count)


@pytest.mark.parametrize("target, seed", fuzz.failures())
def test_what_once_failed_does_not_fail_again(target, seed):
    """The beginning of each block; `python -m benchmarks.fuzz --again` tries them whole."""
    fuzz.block(target, seed, 40)


def test_a_case_that_breaks_something_is_found_and_kept(monkeypatch, tmp_path):
    def broken(case):
        assert len(case[1]) < 10, "found"

    monkeypatch.setitem(fuzz.TARGETS, "claims", (fuzz.TARGETS["claims"][0], broken))
    monkeypatch.setattr(fuzz, "FAILURES", tmp_path / "failures.txt")
    monkeypatch.setattr(fuzz, "BLOCK", 20)
    assert [line for line in fuzz.fuzz(1, 7) if "FAILED" in line]
    assert fuzz.failures() == [("claims", 7)]
