"""`trace list` and `trace compare`: what they print, and how they refuse."""

from __future__ import annotations

import re
import shutil

import pytest

from agent.cli import main


def called(capsys, *arguments):
    """(exit code, stdout, stderr) of one command."""
    code = main([str(argument) for argument in arguments])
    printed = capsys.readouterr()
    return code, printed.out, printed.err


def test_list_names_every_run_the_newest_first(run, tmp_path, capsys, monkeypatch):
    events = (run / "trace.jsonl").read_bytes().splitlines(keepends=True)
    for name, count in (("old", len(events)), ("new", 5)):
        (tmp_path / "runs" / name).mkdir(parents=True)
        (tmp_path / "runs" / name / "trace.jsonl").write_bytes(b"".join(events[:count]))
    code, printed, _ = called(capsys, "trace", "list", tmp_path / "runs")
    lines = printed.splitlines()
    assert code == 0 and lines[0].split() == [
        "run",
        "task",
        "best",
        "score",
        "evaluations",
        "cost",
        "state",
    ]
    assert (
        "runs/new" in lines[1] and "not finished, last event" in lines[1] and "1 of 8" in lines[1]
    )
    assert (
        "runs/old" in lines[2]
        and "finished (threshold" in lines[2]
        and "4 of 8" in lines[2]
        and "$0.040" in lines[2]
    )
    monkeypatch.chdir(tmp_path)
    assert "runs/new" in called(capsys, "trace", "list")[1], "runs/ is where runs land"


def test_compare_puts_two_candidates_side_by_side(run, tmp_path, capsys):
    code, printed, _ = called(capsys, "trace", "compare", f"{run}:1", run)
    rows = {
        cells[0]: cells[1:]
        for line in printed.splitlines()
        if (cells := re.split(r"\s{2,}", line.strip()))
    }
    assert code == 0 and printed.split()[:2] == ["run:1", "run:3"]
    first, second, difference = map(float, rows["score in the search"])
    assert difference == pytest.approx(second - first, abs=1e-3) and second > first
    assert (
        "gravity" in rows
        and "dynamics loss" in rows
        and '+    ball, g = state["ball"], params["gravity"]' in printed
    )
    shutil.copytree(run, tmp_path / "again")
    assert (
        "the programs are the same"
        in called(capsys, "trace", "compare", run, tmp_path / "again")[1]
    )


@pytest.mark.parametrize(
    "words, complaint",
    [
        (["compare"], "compare A B"),
        (["compare", "RUN"], "compare A B"),
        (["compare", "RUN", "RUN:9"], "one of 0, 1, 2, 3"),
        (["compare", "RUN", "nowhere"], "nothing there"),
        (["list", "nowhere"], "expected a folder with runs"),
        (["list", "RUN/nodes"], "got none"),
        (["RUN", "1", "2"], "RUN NODE"),
        (["RUN", "--diff"], "expected a node"),
    ],
)
def test_what_cannot_be_shown_is_refused(run, capsys, words, complaint):
    code, _, said = called(capsys, "trace", *(word.replace("RUN", str(run)) for word in words))
    assert code == 2 and complaint in said and said.count("\n") == 1
