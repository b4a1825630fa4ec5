"""Steering a search from outside: forks, callbacks, proposers that are plain functions."""

from dataclasses import replace

import pytest

from agent.config import Grants, SearchConfig, granted
from agent.models.options import ModelOptions
from agent.proposers.function import FunctionProposer
from agent.proposers.offline import OfflineProposer
from agent.run.runfolder import RunFolder
from agent.search import steps as search
from agent.search.callbacks import Callbacks
from agent.search.fork import fork
from benchmarks.kills import clip
from tests.llm import scenes
from tools import media
from tools.errors import UsageError
from tools.types import HeldBack, Programs, Task

NOTHING = HeldBack((None,))


@pytest.fixture(scope="module")
def task(tmp_path_factory):
    video = media.read(str(clip(tmp_path_factory.mktemp("clip") / "clip.npz")), 0, None)
    return Task((), (replace(video, frames=video.frames[:14]),), 14, 4)


def failing(mark):
    perception = f'def perceive(frames, tools):\n    raise ValueError("{mark}")\n'
    return Programs(perception, scenes.DYNAMICS, scenes.RENDERING)


def events(out, kind):
    return list(RunFolder(out).events(kind))


# --------------------------------------------------------------------------------------------------


def test_a_fork_starts_from_a_node_and_from_my_own_edit_of_it(task, tmp_path):
    config = SearchConfig(budget=1, threshold=2.0)
    search.run(task, NOTHING, config, proposer=OfflineProposer(), out=tmp_path / "run")
    before = RunFolder(tmp_path / "run").proposal("0")[0].programs
    mine = before.rendering + "\n\nWITH_A_CONSTANT = 3.0\n"
    (tmp_path / "edit").mkdir()
    (tmp_path / "edit" / "rendering.py").write_text(mine)
    fork(tmp_path / "run", "0", tmp_path / "fork", tmp_path / "edit", {"budget": 3})
    further = FunctionProposer(lambda task, archive, move: failing(len(archive.nodes)))
    result = search.resume(tmp_path / "fork", proposer=further)
    told = events(tmp_path / "fork", "proposed")
    assert [event["origin"] for event in told] == ["seed", "seed", "function"]
    assert (told[1]["move"]["parent"], told[1]["stages"]) == ("0", ["rendering"])
    assert RunFolder(tmp_path / "fork").proposal("1")[0].programs.rendering == mine
    scores = [event["score"] for event in events(tmp_path / "fork", "evaluated")]
    assert scores[0] == events(tmp_path / "run", "evaluated")[0]["score"]
    assert result.evaluations == 3 and scores[1] == pytest.approx(scores[0], abs=0.01)


def test_a_fork_without_a_change_is_refused_before_anything_is_written(task, tmp_path):
    write = FunctionProposer(lambda task, archive, move: failing("a"))
    search.run(task, NOTHING, SearchConfig(budget=1), proposer=write, out=tmp_path / "run")
    (tmp_path / "edit").mkdir()
    for node, edit, says in (("7", None, "expected one of 0"), ("0", "edit", "at least one of")):
        with pytest.raises(UsageError, match=says):
            fork(tmp_path / "run", node, tmp_path / "fork", edit and tmp_path / edit)
    assert not (tmp_path / "fork").exists()


def test_a_function_proposes_and_functions_are_told(task, tmp_path):
    told = []
    callbacks = Callbacks(
        on_proposal=lambda node: told.append(("proposed", node.id, node.evaluation.status)),
        on_evaluation=lambda node: told.append(("evaluated", node.id, node.diagnosis.verdict)),
    )
    answers = [(failing("a"), "because"), failing("a"), failing("b"), None, None, None]
    write = FunctionProposer(lambda task, archive, move: answers.pop(0))
    config = SearchConfig(budget=5, policy="best-of-n")
    result = search.run(
        task, NOTHING, config, proposer=write, out=tmp_path / "run", callbacks=callbacks
    )
    assert told == [
        ("proposed", "0", "pending"),
        ("evaluated", "0", "program failed"),
        ("proposed", "1", "pending"),
        ("evaluated", "1", "program failed"),
    ]
    assert events(tmp_path / "run", "proposed")[0]["rationale"] == "because"
    declined = [event["rationale"] for event in events(tmp_path / "run", "declined")]
    assert declined[0] == "function repeats node 0" and result.status == "exhausted"


def test_who_leads_is_told(task, tmp_path):
    leaders = []
    config = SearchConfig(budget=1, threshold=2.0)
    search.run(
        task,
        NOTHING,
        config,
        proposer=OfflineProposer(),
        out=tmp_path / "run",
        callbacks=Callbacks(on_best=lambda node: leaders.append((node.id, node.score > 0))),
    )
    assert leaders == [("0", True)]


def test_a_resumed_run_may_ask_another_model_with_another_patience():
    said = SearchConfig(proposer="llm", model=ModelOptions("old", price=(1.0, 2.0), timeout=20.0))
    given, told = granted(said, Grants(model="gpt-4o", timeout=900.0))
    assert (given.model.name, given.model.timeout) == ("gpt-4o", 900.0)
    assert given.model.price == (2.5, 10.0)
    assert any("model.name: the run says 'old', used is 'gpt-4o'" in line for line in told)
    kept, _ = granted(said, Grants())
    assert (kept.model.name, kept.model.timeout) == ("old", 20.0)
