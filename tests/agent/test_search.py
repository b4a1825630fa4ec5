"""Whole searches with a scripted proposer: the story they tell, what is on disk, and that nothing
is done twice."""

from __future__ import annotations

import asyncio
import importlib
import json
import signal
import sqlite3
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from agent.browser.index import Index
from agent.config import SearchConfig
from agent.core.protocols import Proposal
from agent.core.split import validation
from agent.report.summary import read
from agent.run import records, trace
from agent.run.best import with_defaults
from agent.run.runfolder import RunFolder, read_params
from agent.search import graph
from agent.search import steps as search
from tests.agent.candidates import BROKEN, DYNAMICS, GOOD, STORY, WRONG, Scripted, changed, task
from tools import media
from tools.errors import UsageError
from tools.types import HeldBack

ROOT = Path(__file__).resolve().parent.parent.parent
CONFIG = SearchConfig(budget=8)
TASK, HELD = task()


def searched(box, out, proposer=None, config=CONFIG, held=HELD, on_event=None):
    """A search in the given sandbox: new where ``out`` holds none, resumed where it does."""
    inputs = search.Inputs(TASK, held, validation(TASK))
    if not (out / "trace.jsonl").exists():
        store = search.Store(out / "store")
        saved = {
            "task": records.save_task(store, TASK),
            "held_back": records.save_held_back(store, held),
        }
        first = {"event": "run", "config": config.to_json(), "scoring": search.SCORING, **saved}
        RunFolder.create(out, first)
    folder = RunFolder(out)
    steps = search.Search(folder, inputs, config, proposer or Scripted(*STORY), box, on_event)
    return graph.execute(steps, folder.checkpoint, config.budget)


def summary(out):
    return [trace.without_times(event) for event in trace.read(out / "trace.jsonl")]


def result(out):
    return trace.without_times(json.loads((out / "result.json").read_text()))


@pytest.fixture(scope="module")
def reference(box, tmp_path_factory):
    """The run that nothing disturbs."""
    out = tmp_path_factory.mktemp("reference") / "run"
    searched(box, out)
    return out


def test_the_search_ends_at_the_threshold_with_the_best_program(reference):
    found = result(reference)
    assert (
        found["status"] == "threshold"
        and found["score"] > 0.98
        and found["best"] == "3"
        and found["evaluations"] == 4
    )
    assert found["metrics"]["psnr"] > 45 > found["baselines"]["persistence"]["psnr"]
    assert found["metrics"]["lpips_vgg"] is None and "lpips_vgg" in found["metrics"]["notes"]
    assert set(found) >= {
        "format",
        "status",
        "score",
        "evaluations",
        "seed",
        "best",
        "metrics",
        "baselines",
        "cost",
        "versions",
    }


def test_the_trace_tells_the_story_in_order(reference):
    events = summary(reference)
    assert [e["event"] for e in events[:2]] == ["run", "observed"] and events[-1][
        "event"
    ] == "finished"
    told = [(e["event"], e.get("node")) for e in events[2:-1]]
    assert told == [
        ("proposed", "0"),
        ("evaluated", "0"),
        ("diagnosed", "0"),
        ("proposed", "1"),
        ("evaluated", "1"),
        ("diagnosed", "1"),
        ("confirmed", "1"),
        ("best", "1"),
        ("declined", "2"),
        ("proposed", "2"),
        ("evaluated", "2"),
        ("diagnosed", "2"),
        ("proposed", "3"),
        ("evaluated", "3"),
        ("diagnosed", "3"),
        ("confirmed", "3"),
        ("best", "3"),
    ]
    moves = {e["node"]: e["move"] for e in events if e["event"] == "proposed"}
    assert moves["0"]["kind"] == "draft" and (
        moves["1"]["kind"],
        moves["1"]["parent"],
        moves["1"]["stage"],
    ) == ("repair", "0", "rendering")
    assert moves["2"]["kind"] == "refine" and moves["2"]["stage"] == "dynamics"
    failures = {e["node"]: e["failure"] for e in events if e["event"] == "evaluated"}
    assert failures["2"]["kind"] == "Duplicate" and "scene.nothing" in failures["0"]["traceback"]


def test_the_run_folder_holds_what_the_design_says(reference):
    names = {path.name for path in reference.iterdir()}
    assert names == {
        "result.json",
        "trace.jsonl",
        "best",
        "prediction.npz",
        "prediction.mp4",
        "filmstrip.png",
        "report.html",
        "nodes",
        "checkpoint.sqlite",
        "store",
    }
    assert {path.name for path in (reference / "best").iterdir()} == {
        "perception.py",
        "dynamics.py",
        "rendering.py",
        "params.json",
        "README.md",
    }
    fitted = read_params(reference / "best" / "params.json")
    kept = (reference / "best" / "dynamics.py").read_text()
    assert kept == with_defaults(GOOD.dynamics, fitted) != GOOD.dynamics
    assert "gravity" in (reference / "best" / "README.md").read_text()
    params = json.loads((reference / "best" / "params.json").read_text())
    assert (
        params["gravity"]["value"] == pytest.approx(60.0, abs=1.5)
        and params["gravity"]["unit"] == "px/s^2"
        and params["gravity"]["error"] > 0
    )
    with np.load(reference / "prediction.npz") as data:
        assert data["frames"].shape == (1, 10, 64, 64, 3) and data["states"].shape == (1, 10, 4)
        assert np.abs(data["frames"][0].astype(int) - HELD.frames[0]).mean() < 0.5
    assert media.read(reference / "prediction.mp4").frames.shape == (24, 64, 3 * 64 + 2 * 4, 3)
    assert "data:image/webp" in (reference / "report.html").read_text()


def test_checkpoints_hold_ids_and_no_frames(reference):
    assert (reference / "checkpoint.sqlite").stat().st_size < 1 << 20
    with sqlite3.connect(reference / "checkpoint.sqlite") as connection:
        assert connection.execute("select count(*) from checkpoints").fetchone()[0] > 10
        largest = connection.execute("select max(length(checkpoint)) from checkpoints").fetchone()[
            0
        ]
    assert largest < 10_000


def test_the_same_seed_gives_the_same_trace(box, reference, tmp_path):
    searched(box, tmp_path / "run")
    assert summary(tmp_path / "run") == summary(reference) and result(tmp_path / "run") == result(
        reference
    )


def test_workers_change_nothing_but_the_time(box, tmp_path):
    programs = [
        changed(dynamics=DYNAMICS.replace("100.0, low", f"{value}.0, low"))
        for value in (10, 20, 30, 40)
    ]
    runs = []
    for workers in (1, 3):
        out = tmp_path / str(workers)
        searched(
            box,
            out,
            Scripted(WRONG, BROKEN, *programs),
            replace(CONFIG, batch=3, workers=workers, threshold=2.0, budget=6),
        )
        runs.append([event for event in summary(out) if event["event"] != "run"])
    assert runs[0] == runs[1]
    order = [(e["event"], e["node"]) for e in runs[0] if e["event"] in ("proposed", "evaluated")]
    assert order[:6] == [
        ("proposed", "0"),
        ("proposed", "1"),
        ("proposed", "2"),
        ("evaluated", "0"),
        ("evaluated", "1"),
        ("evaluated", "2"),
    ]


def test_within_a_round_no_proposal_sees_a_score(box, tmp_path):
    seen = []

    class Looking(Scripted):
        def propose(self, task, archive, move, rng):
            seen.append([node.evaluation.status for node in archive.nodes])
            return super().propose(task, archive, move, rng)

    searched(
        box, tmp_path / "run", Looking(WRONG, BROKEN, GOOD), replace(CONFIG, batch=2, budget=3)
    )
    assert seen == [[], ["pending"], ["ok", "failed"]]


def test_a_search_without_success_says_why(box, tmp_path):
    searched(box, tmp_path / "run", Scripted(BROKEN), replace(CONFIG, budget=4))
    found = result(tmp_path / "run")
    assert (
        found["status"] == "exhausted"
        and found["best"] is None
        and "no program ran to its end" in found["reason"]
        and "nothing" in found["reason"]
        and found["explained"] is False
    )
    assert not (tmp_path / "run" / "best").exists()


def test_a_spent_budget_keeps_the_best(box, tmp_path):
    searched(box, tmp_path / "run", Scripted(WRONG, BROKEN, GOOD), replace(CONFIG, budget=2))
    assert (
        result(tmp_path / "run")["status"] == "budget" and result(tmp_path / "run")["best"] == "0"
    )


def test_a_proposer_that_only_declines_ends_the_search(box, tmp_path):
    class Mute:
        name = "mute"

        def propose(self, task, archive, move, rng):
            return Proposal(None, "no idea")

    searched(box, tmp_path / "run", Mute())
    assert (
        result(tmp_path / "run")["status"] == "exhausted"
        and "came to nothing" in result(tmp_path / "run")["reason"]
    )


def test_a_proposer_that_is_done_with_one_node_goes_on_with_others(box, tmp_path):
    """The better node is closed at once; the search goes back to the first."""
    nearly = changed(rendering=GOOD.rendering.replace("RADIUS = 5.0", "RADIUS = 6.0"))

    class Brief:
        name = "brief"

        def propose(self, task, archive, move, rng):
            answer = (
                (WRONG, nearly)[len(archive)]
                if len(archive) < 2
                else GOOD
                if move.parent == "0"
                else None
            )
            return Proposal(
                answer, "nothing more about it" if answer is None else "so", closed=answer is None
            )

    searched(box, tmp_path / "run", Brief(), replace(CONFIG, budget=3))
    told = [
        (event["event"], event["move"]["parent"])
        for event in summary(tmp_path / "run")
        if event["event"] in ("proposed", "declined")
    ]
    assert told == [("proposed", None), ("proposed", "0"), ("declined", "1"), ("proposed", "0")]
    assert result(tmp_path / "run")["best"] == "2"


def test_what_a_short_fit_shows_to_be_hopeless_is_left_out_and_costs_no_budget(box, tmp_path):
    nearly = changed(rendering=GOOD.rendering.replace("RADIUS = 5.0", "RADIUS = 5.5"))
    still = changed(
        dynamics=DYNAMICS.replace('+ ball["vx"] * dt', "").replace(
            '+ ball["vy"] * dt + 0.5 * g', "+ 0.0 * g"
        )
    )

    class Plenty:
        name, plentiful, asked = "plenty", True, 0

        def propose(self, task, archive, move, rng):
            self.asked += 1
            tried = len(archive) + len(archive.screened)
            return Proposal((nearly, still, GOOD)[tried], "so")

    first, again = Plenty(), Plenty()
    searched(box, tmp_path / "run", first, replace(CONFIG, budget=2))
    story = [e for e in summary(tmp_path / "run") if e["event"] in ("proposed", "declined")]
    assert [e["event"] for e in story] == ["proposed", "declined", "proposed"]
    assert story[1]["screened"] and "short fit" in story[1]["rationale"]
    assert result(tmp_path / "run")["best"] == "1" and first.asked == 3
    (tmp_path / "run" / "result.json").unlink()
    searched(box, tmp_path / "run", again, replace(CONFIG, budget=2))
    assert again.asked == 0 and result(tmp_path / "run")["best"] == "1"


def test_when_the_best_fails_on_all_frames_the_next_one_is_taken(box, tmp_path):
    late = changed(
        perception=GOOD.perception.replace(
            "states = []", "states = []\n    assert len(frames) < 12, 'too many'"
        )
    )
    searched(box, tmp_path / "run", Scripted(WRONG, late), replace(CONFIG, budget=2))
    found = result(tmp_path / "run")
    assert (
        found["best"] == "0"
        and "node 1 failed on all visible frames" in found["reason"]
        and found["status"] == "budget"
    )


def test_an_unknown_future_gives_null_metrics_and_a_film(box, tmp_path):
    searched(box, tmp_path / "run", held=HeldBack((None,)))
    found = result(tmp_path / "run")
    assert found["metrics"]["psnr"] is None and "ends before" in found["metrics"]["notes"]["psnr"]
    assert (tmp_path / "run" / "filmstrip.png").exists() and (
        tmp_path / "run" / "prediction.mp4"
    ).exists()


# --------------------------------------------------------------------------------------------------


class Killed(BaseException):
    """Ends a search from within, wherever it is."""


def kill_at(number, counter):
    def on_event(event):
        counter.append(event["event"])
        if len(counter) == number:
            raise Killed

    return on_event


def test_a_search_killed_at_any_event_ends_the_same_and_repeats_nothing(box, reference, tmp_path):
    events: list[str] = []
    searched(box, tmp_path / "whole", on_event=kill_at(0, events))
    total = len(events)
    for number in range(1, total + 1, 3):
        out, asked, done = tmp_path / str(number), Scripted(*STORY), []
        with pytest.raises(Killed):
            searched(box, out, asked, on_event=kill_at(number, done))
        second = Scripted(*STORY)
        searched(box, out, second, on_event=lambda event, done=done: done.append(event["event"]))
        assert summary(out) == summary(reference) and result(out) == result(reference)
        assert len(asked.asked) + len(second.asked) == 5, (
            f"a proposal was made twice after a kill at event {number}"
        )


def test_evaluations_on_disk_are_used_not_repeated(box, reference, tmp_path):
    out = tmp_path / "run"

    def once_evaluated(event):
        if (event["event"], event.get("node")) == ("evaluated", "1"):
            raise Killed

    with pytest.raises(Killed):
        searched(box, out, on_event=once_evaluated)
    path = out / "nodes" / "1" / "evaluation.json"
    marked = json.loads(path.read_text()) | {"score": 0.123}
    path.write_text(json.dumps(marked))
    searched(box, out)
    assert RunFolder(out).load_evaluation("1").score == 0.123


def test_a_lost_checkpoint_or_result_is_made_again(box, reference, tmp_path):
    out = tmp_path / "run"
    searched(box, out)
    (out / "checkpoint.sqlite").write_bytes(b"rubbish")
    (out / "result.json").unlink()
    searched(box, out, Scripted())
    assert result(out) == result(reference)


SCRIPT = """
import sys
from agent.search import steps as search
from agent.config import SearchConfig
from tests.agent.candidates import STORY, Scripted, task
seen, held = task()
if sys.argv[2] == "run":
    search.run(seen, held, SearchConfig(budget=8), proposer=Scripted(*STORY), out=sys.argv[1])
else:
    search.resume(sys.argv[1], proposer=Scripted(*STORY))
"""


def started(out, command):
    return subprocess.Popen([sys.executable, "-c", SCRIPT, str(out), command])


def test_a_real_kill_loses_nothing(reference, tmp_path):
    out = tmp_path / "run"
    process = started(out, "run")
    deadline = time.monotonic() + 60
    while not (out / "nodes" / "1" / "proposal.json").exists() and time.monotonic() < deadline:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (out / "result.json").exists()
    assert started(out, "resume").wait() == 0
    assert result(out) == result(reference)
    mine, theirs = summary(out), summary(reference)
    assert mine[1:] == theirs[1:]


def test_a_run_is_not_started_over_another(tmp_path, reference):
    with pytest.raises(UsageError, match="resume"):
        search.run(TASK, HELD, CONFIG, proposer=Scripted(), out=reference)


def test_resuming_a_finished_run_only_tells_its_result(reference):
    before = (reference / "result.json").stat().st_mtime_ns
    assert search.resume(reference, proposer=Scripted()).score > 0.98
    assert (reference / "result.json").stat().st_mtime_ns == before


LONG = (
    WRONG,
    BROKEN,
    changed(dynamics=DYNAMICS.replace("100.0, low", "10.0, low")),
    changed(dynamics=DYNAMICS.replace("100.0, low", "20.0, low")),
)


@pytest.mark.parametrize("batch", [1, 3])
def test_a_search_under_higher_limits_ends_like_one_begun_with_them(batch, box, tmp_path):
    config = replace(CONFIG, batch=batch, budget=2, threshold=2.0)
    once, twice = tmp_path / "once", tmp_path / "twice"
    searched(box, once, Scripted(*LONG), replace(config, budget=4))
    searched(box, twice, Scripted(*LONG), config)
    first = result(twice)
    found = search.resume(twice, proposer=Scripted(*LONG), budget=4)
    assert first["evaluations"] == 2 and found.evaluations == 4 and result(twice) == result(once)
    told = [
        [str(e) for e in summary(out)[1:] if e["event"] != "extended" and e.get("evaluations") != 2]
        for out in (once, twice)
    ]
    assert sorted(told[0]) == sorted(told[1])
    index = Index(twice / "trace.jsonl")
    index.refresh()
    assert (
        index.config["budget"] == 4
        and index.finished["evaluations"] == 4
        and read(RunFolder(twice)).config["budget"] == 4
    )
    assert search.resume(twice, proposer=Scripted(*LONG), budget=4).evaluations == 4, (
        "the same call again only tells the result"
    )


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        ({"budget": 7}, "at least the 8"),
        ({"threshold": 0.5}, "at least the 0.97"),
        ({"budget": 9}, "--threshold: expected more than the score"),
        ({"budget": 0}, "at least 1"),
    ],
)
def test_limits_that_would_change_nothing_are_refused(limits, words, reference):
    before = (reference / "trace.jsonl").read_bytes()
    with pytest.raises(UsageError, match=words):
        search.resume(reference, proposer=Scripted(*STORY), **limits)
    assert (reference / "trace.jsonl").read_bytes() == before and (
        reference / "result.json"
    ).exists()


def test_a_search_that_finds_nothing_under_higher_limits_ends_again(box, tmp_path):
    searched(box, tmp_path / "run", Scripted(WRONG), replace(CONFIG, budget=1))
    found = search.resume(tmp_path / "run", proposer=Scripted(WRONG), budget=2)
    assert found.evaluations == 1 and "the script is over" in found.reason
    index = Index(tmp_path / "run" / "trace.jsonl")
    index.refresh()
    assert "the script is over" in index.finished["reason"] and index.config["budget"] == 2


def test_a_search_that_ended_of_itself_is_not_helped_by_a_larger_budget(box, tmp_path):
    searched(box, tmp_path / "run", Scripted(WRONG))
    with pytest.raises(
        UsageError, match=r"ended of itself after 1 of 8 evaluations.*the script is over"
    ):
        search.resume(tmp_path / "run", proposer=Scripted(WRONG), budget=20)


def test_the_graph_opens_in_langgraphs_own_tooling():
    places = json.loads((ROOT / "langgraph.json").read_text())["graphs"]
    module, function = (
        places["search"].removeprefix("./").removesuffix(".py:search").replace("/", "."),
        "search",
    )
    factory = getattr(importlib.import_module(module), function)

    async def looked_at() -> None:
        async with factory({}) as opened:
            assert {"observe", "propose", "evaluate", "diagnose", "record", "finish"} <= set(
                opened.get_graph().nodes
            )
            with pytest.raises(UsageError, match=r"configurable\.run"):
                opened.invoke({"ids": [], "over": False})

    asyncio.run(looked_at())
