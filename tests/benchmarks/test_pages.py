"""The figures on the pages are those of the result files beside them."""

from __future__ import annotations

import pytest

from benchmarks import pages
from benchmarks.harness.case import Options, Record
from benchmarks.harness.results import Result
from tools.types import ContractError


@pytest.mark.parametrize("page", pages.pages(), ids=lambda page: page.name)
def test_a_page_shows_what_its_result_files_hold(page):
    text = page.read_text(encoding="utf-8")
    assert pages.printed(text) == text, "python -m benchmarks.pages prints the tables anew"


def test_a_kept_result_names_no_folder_of_the_machine_it_ran_on(tmp_path):
    record = Record("tree/clip", ({"score": 0.5},))
    options = Options(data="/home/someone/clips", weights="/home/someone/weights")
    about = {"versions": {"numpy": "2", "platform": "somewhere"}, "commit": "a" * 40}
    Result("footage", options, {"tree/clip": record}, about).write(tmp_path)
    kept = pages.keep(tmp_path, "clips", tmp_path)
    assert "someone" not in kept.read_text() and "somewhere" not in kept.read_text()
    assert Result.read(kept).options.data == "clips"


def test_a_table_without_its_result_is_told():
    with pytest.raises(ContractError, match="nowhere"):
        pages.printed("<!-- table: report nowhere -->\n<!-- end -->")
    with pytest.raises(ContractError, match="one of report"):
        pages.printed("<!-- table: sculpture cartpole -->\n<!-- end -->")
