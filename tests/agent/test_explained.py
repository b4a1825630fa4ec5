"""A clip that nothing explains is called that, in one sentence, everywhere, with what to do."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from agent.browser.index import Index
from agent.browser.verdict import verdict
from agent.cli import main
from agent.core import explained
from agent.report import page
from agent.run.runfolder import RunFolder
from tests.agent import test_search
from tests.agent.candidates import Scripted, changed

FROZEN = changed(
    dynamics="""
from tools.types import Param

PARAMS = ()


def initial(states, params, dt):
    return {"ball": {"x": states[0]["ball"]["x"], "y": states[0]["ball"]["y"]}}


def step(state, params, action, dt):
    return {"ball": dict(state["ball"])}
"""
)


@pytest.fixture(scope="module")
def run_folder(box, tmp_path_factory):
    out = tmp_path_factory.mktemp("explained") / "run"
    test_search.searched(box, out, Scripted(FROZEN), replace(test_search.CONFIG, budget=3))
    return out


def test_everything_that_tells_of_the_run_says_so(run_folder, capsys):
    result = json.loads((run_folder / "result.json").read_text())
    assert (result["status"], result["explained"], result["best"]) == ("exhausted", False, "0")
    said = explained.verdict(result)
    assert said.startswith("Nothing explains this clip: ") and "--context" in said
    assert main(["resume", str(run_folder)]) == 0
    assert said in capsys.readouterr().out
    assert main(["trace", str(run_folder), "--plain"]) == 0
    assert said in capsys.readouterr().out
    assert main(["predict", str(run_folder)]) == 0
    assert said in capsys.readouterr().err
    index = Index(RunFolder(run_folder).trace)
    index.refresh()
    told = verdict(index, "0")
    assert said in told.sentences and "won" not in told.headline
    written = page(RunFolder(run_folder))
    assert "Nothing explains this clip" in written and "times closer" not in written
    assert said in (run_folder / "best" / "README.md").read_text()


def test_an_explained_clip_is_not_called_unexplained():
    assert not explained.verdict({"best": "0", "score": 0.9})
    assert not explained.verdict({"best": "0", "score": 0.05, "explained": True})
    assert "no program ran to its end" in explained.verdict({"best": None, "score": 0.0})
