"""The page of all runs in a folder, and the rows that it and data frames are made of."""

from __future__ import annotations

import json
import shutil

import pytest

from agent.cli import main
from agent.report import index
from agent.run.rows import rows
from tests.agent import browser, test_search
from tests.agent.candidates import STORY, Scripted
from tools.errors import UsageError


@pytest.fixture(scope="module")
def runs(box, tmp_path_factory):
    """A finished run, one under a hostile name with another score, one killed early, one damaged."""
    place = tmp_path_factory.mktemp("index") / "runs"
    test_search.searched(box, place / "first", Scripted(*STORY))
    other = place / "deeper" / '<img src=x onerror="document.title=1">'
    shutil.copytree(place / "first", other)
    told = json.loads((other / "result.json").read_text())
    (other / "result.json").write_text(json.dumps(told | {"score": 0.75, "seconds": 1.0}))
    shutil.copytree(place / "first", place / "killed")
    (place / "killed" / "result.json").unlink()
    shutil.copytree(place / "first", place / "damaged")
    (place / "damaged" / "trace.jsonl").write_text("{}\n")
    return place


def test_rows_tell_every_run(runs):
    told = {row["run"]: row for row in rows(runs)}
    assert set(told) == {
        "first",
        "killed",
        "damaged",
        'deeper/<img src=x onerror="document.title=1">',
    }
    first = told["first"]
    result = json.loads((runs / "first" / "result.json").read_text())
    assert first["score"] == result["score"] and first["metric psnr"] == result["metrics"]["psnr"]
    assert first["still psnr"] == result["baselines"]["persistence"]["psnr"]
    assert told["killed"]["status"] == "unfinished" and "score" not in told["killed"]
    assert told["damaged"]["status"] == "damaged" and told["damaged"]["error"]


def test_a_folder_without_runs_and_a_run_itself_are_refused(runs, tmp_path):
    for folder, got in (
        (tmp_path, "none"),
        (tmp_path / "no", "nothing"),
        (runs / "first", "a run"),
    ):
        with pytest.raises(UsageError, match=got):
            rows(folder)


def test_the_page_is_written_beside_the_runs(runs, tmp_path, capsys):
    assert main(["index", str(runs)]) == 0 and str(runs / "index.html") in capsys.readouterr().out
    assert 'href="first/report.html"' in (runs / "index.html").read_text()
    assert main(["index", str(runs), "--out", str(tmp_path / "a" / "page.html")]) == 0
    assert "runs/first/report.html" in (tmp_path / "a" / "page.html").read_text()


@pytest.mark.skipif(browser.FOUND is None, reason="no Chromium found; install chromium")
def test_in_a_browser_it_sorts_and_runs_nothing_foreign(runs, tmp_path):
    page = runs / "sorted.html"
    page.write_text(index.page(runs, page))
    names = "[...document.querySelectorAll('tbody tr')].map((row) => row.cells[1].textContent.slice(0, 6))"
    click = (
        "[...document.querySelectorAll('th button')].find((b) => b.textContent == '{}').click(); 0"
    )
    with browser.started(tmp_path / "profile") as shown:
        shown.open(page, 1280)
        shown.wait("[...document.images].filter((one) => one.naturalWidth > 0).length == 4")
        shown.run(click.format("score"))
        assert shown.run(names)[:2] == ["first", "deeper"]
        shown.run(click.format("score"))
        assert shown.run(names)[:2] == ["deeper", "first"], "what has no score stays below"
        shown.run(click.format("run"))
        assert shown.run(names) == ["damage", "deeper", "first", "killed"]
        assert shown.run("document.title") == "Runs in runs" and shown.complaints() == []
