"""A clip that nothing explains is called that, in one sentence, everywhere, with what to do."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from agent.browser.index import Index
from agent.browser.verdict import verdict
from agent.cli import main
from agent.core import explained
from agent.core.diagnosis import WITHIN_ERROR
from agent.core.protocols import Diagnosis, Node
from agent.report import page
from agent.run.runfolder import RunFolder
from agent.search.outcome import ended
from tests.agent import test_search
from tests.agent.candidates import GOOD, Scripted, changed
from tools.types import Candidate, Evaluation, Losses, States

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
    assert explained.fails({"best": "0", "score": 0.05})
    assert "no program ran to its end" in explained.verdict({"best": None, "score": 0.0})


def test_a_result_that_claims_its_motion_in_words_is_refused(run_folder, tmp_path, capsys):
    copy = shutil.copytree(run_folder, tmp_path / "run")
    told = json.loads((copy / "result.json").read_text())
    (copy / "result.json").write_text(json.dumps(told | {"explained": True, "motion": "far"}))
    assert main(["predict", str(copy)]) != 0
    said = capsys.readouterr().err
    assert "motion" in said and "Traceback" not in said


def test_a_motion_foretold_in_a_restless_picture_is_explained():
    """A ball falls; a hand and the light change most of the picture."""
    way = 3.0 * np.arange(8.0) ** 2
    seen = States(("ball.y", "ball.radius"), np.stack([way, np.full(8, 9.0)], 1))

    def foretelling(share):
        states = States(("ball.y",), (share * way)[:, None])
        told = Evaluation("ok", score=0.04, predicted=(states,), remeasured=(seen,))
        return explained.standing(replace(node(), evaluation=told))

    good, poor = foretelling(0.95), foretelling(0.5)
    assert good["explained"] and good["motion"] == pytest.approx(0.95)
    said = explained.verdict(good)
    assert said.startswith("The motion is explained, the picture is not: ") and "95%" in said
    assert not explained.fails(good) and explained.fails(poor)
    still = States(("ball.y",), 0.1 * way[:, None] / way[-1])
    assert explained.foretold(Evaluation("ok", predicted=(still,), remeasured=(still,))) is None


def node(score=0.95, verdict=WITHIN_ERROR, drawn=0.001, last=1.0):
    losses = Losses(0.05, 0.01, drawn, 0.0)
    evaluation = Evaluation("ok", score=score, losses=losses, last={"score": last})
    return Node(Candidate("0", GOOD), evaluation, Diagnosis(None, verdict))


def test_nothing_more_is_asked_of_a_program_that_is_as_near_as_can_be_told():
    assert explained.accounted_for(node())
    assert not explained.accounted_for(node(verdict="bad structure"))
    assert not explained.accounted_for(node(score=0.8)), "it is uncertain, and falls short"
    assert not explained.accounted_for(node(last=0.5)), "what nobody was shown speaks against it"
    assert not explained.accounted_for(node(drawn=0.04)), "it may be drawn otherwise"
    assert explained.within_error(node(drawn=0.04)), "though it need not move otherwise"


def test_the_best_ends_a_search_unless_that_is_never_to_end_early():
    assert ended(node(), 0.97) == "explained" and ended(node(), 0.95) == "threshold"
    assert ended(node(), 1.5) == ended(node(drawn=0.04), 0.97) == ended(None, 0.97) == ""


def test_a_search_that_runs_out_of_ideas_within_error_has_explained_its_clip(box, tmp_path):
    near = changed(rendering=GOOD.rendering.replace("5.0", "5.1"))
    config = replace(test_search.CONFIG, budget=3, threshold=1.0)
    result = test_search.searched(box, tmp_path / "run", Scripted(near), config)
    assert (result.status, result.evaluations) == ("explained", 1) and result.score > 0.9
