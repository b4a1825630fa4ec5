"""What the agent keeps on disk: store, trace, records, run folder."""

from __future__ import annotations

import json

import numpy as np
import pytest

from agent.core.protocols import Cost, Diagnosis, Finding, Move, Proposal
from agent.run import records, runfolder, store, trace
from agent.run.runfolder import RunFolder
from tests.agent.candidates import GOOD, thrown
from tools.errors import StorageError, UsageError
from tools.types import Evaluation, FittedParam, HeldBack, States, Task


def test_blobs_are_kept_once_by_content(tmp_path):
    kept = store.Store(tmp_path)
    key = kept.put(b"hello")
    assert kept.put(b"hello") == key and kept.get(key) == b"hello"
    assert len([p for p in tmp_path.rglob("*") if p.is_file()]) == 1
    kept.path(key).write_bytes(b"other")
    with pytest.raises(StorageError, match="damaged"):
        kept.get(key)
    with pytest.raises(StorageError):
        kept.get("0" * 32)


def test_a_write_that_fails_leaves_the_old_file_and_no_rest(tmp_path):
    path = tmp_path / "a.json"
    store.write_json(path, {"old": 1})
    with pytest.raises(ValueError):
        store.write_json(path, {"new": float("nan")})
    with pytest.raises(RuntimeError), store.replacing(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError("killed here")
    assert json.loads(path.read_text()) == {"old": 1} and [p.name for p in tmp_path.iterdir()] == [
        "a.json"
    ]


def test_a_disk_that_refuses_is_one_clear_line(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageError) as caught:
        store.write(tmp_path / "file" / "x", b"")
    assert "\n" not in str(caught.value) and "resume" in str(caught.value)


def test_a_trace_is_read_up_to_a_torn_last_line_and_goes_on_after_it(tmp_path):
    path = tmp_path / "trace.jsonl"
    writer = trace.Writer(path)
    assert writer.write({"event": "run"}) and writer.write(
        {"event": "evaluated", "node": "0", "score": 0.5}
    )
    with open(path, "ab") as file:
        file.write(b'{"v": 1, "event": "evalu')
    assert [event["event"] for event in trace.read(path)] == ["run", "evaluated"]
    again = trace.Writer(path)
    assert not again.write({"event": "evaluated", "node": "0", "score": 0.5})
    assert again.write({"event": "evaluated", "node": "1", "score": 0.6})
    assert [event.get("node") for event in trace.read(path)] == [None, "0", "1"]


def test_a_damaged_or_newer_trace_is_refused(tmp_path):
    path = tmp_path / "trace.jsonl"
    path.write_bytes(b'{"v": 1, "event": "run"}\nrubbish\n{"v": 1, "event": "best"}\n')
    with pytest.raises(StorageError, match="line 2 is damaged"):
        list(trace.read(path))
    path.write_bytes(b'{"v": 99, "event": "run"}\n')
    with pytest.raises(StorageError, match="newer version"):
        list(trace.read(path))
    with pytest.raises(StorageError):
        list(trace.read(tmp_path / "none.jsonl"))


def test_times_can_be_taken_out_of_an_event():
    event = {
        "event": "x",
        "time": 1.0,
        "fit": {"seconds": 2.0, "loss": 3},
        "list": [{"timings": {}, "a": 1}],
    }
    assert trace.without_times(event) == {"event": "x", "fit": {"loss": 3}, "list": [{"a": 1}]}


def test_tasks_and_truths_round_trip(tmp_path):
    kept = store.Store(tmp_path)
    video = thrown(8)
    task = Task((video,), (video.cut(0, 4),), 4, 3, (np.array([1.0, 2.0, 3.0]),), "name")
    states = States.of([{"ball": {"x": 1.0}}])
    truth = {
        "states": (states,),
        "parameters": {"g": np.float64(9.8)},
        "clean": video.frames,
        "skipped": object(),
        "mechanism": "fall",
    }
    again = records.load_task(kept, json.loads(json.dumps(records.save_task(kept, task))))
    held = records.load_held_back(
        kept,
        json.loads(
            json.dumps(records.save_held_back(kept, HeldBack((video.frames[4:7], None), truth)))
        ),
    )
    np.testing.assert_array_equal(again.train[0].frames, video.frames)
    assert (again.context, again.horizon, again.name, again.dt) == (4, 3, "name", video.dt)
    assert again.future_actions[0].tolist() == [1.0, 2.0, 3.0]
    np.testing.assert_array_equal(held.frames[0], video.frames[4:7])
    assert (
        held.frames[1] is None
        and held.truth["parameters"] == {"g": 9.8}
        and held.truth["mechanism"] == "fall"
        and "skipped" not in held.truth
    )
    np.testing.assert_array_equal(held.truth["clean"], video.frames)
    assert held.truth["states"][0].columns == states.columns


def test_proposals_and_diagnoses_round_trip():
    finding = Finding("dynamics", "drift", "it drifts", "ball.x", {"last": 2.0})
    proposal = Proposal(
        GOOD, "because", ("dynamics",), Cost(1, 2, 3, None), (finding,), ("ab",), False, "me"
    )
    move = Move("refine", "0", "dynamics", "why")
    assert records.load_proposal(
        json.loads(json.dumps(records.save_proposal(proposal, move))), GOOD
    ) == (proposal, move)
    diagnosis = Diagnosis("dynamics", "bad structure", (finding,))
    assert (
        records.load_diagnosis(json.loads(json.dumps(records.save_diagnosis(diagnosis))))
        == diagnosis
    )


FIRST = {"event": "run", "config": {}}


def test_a_run_folder_is_never_written_over(tmp_path):
    RunFolder.create(tmp_path / "run", FIRST)
    with pytest.raises(UsageError, match="holds a run"):
        RunFolder.create(tmp_path / "run", FIRST)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.tex").write_text("precious")
    with pytest.raises(UsageError, match="new or empty folder"):
        RunFolder.create(tmp_path / "other", FIRST)
    with pytest.raises(UsageError, match="nothing there"):
        RunFolder(tmp_path / "nowhere")


def test_nodes_are_whole_or_absent(tmp_path):
    folder = RunFolder.create(tmp_path / "run", FIRST)
    assert (
        folder.load_proposal("0") is None
        and folder.load_evaluation("0") is None
        and folder.node_ids() == []
    )
    runfolder.write_programs(
        folder.path / "nodes" / "0", GOOD
    )  # a kill before proposal.json: not a node yet
    assert folder.load_proposal("0") is None and folder.node_ids() == []
    folder.save_proposal("0", Proposal(GOOD, "because"), Move("draft"))
    folder.save_evaluation("0", Evaluation("ok", 0.5, log="printed"))
    folder.save_diagnosis("0", Diagnosis(None, "exact"))
    assert (
        folder.load_proposal("0")[0].programs == GOOD and folder.load_evaluation("0").score == 0.5
    )
    assert (folder.node("0") / "output.txt").read_text() == "printed"
    with pytest.raises(UsageError, match="one of 0"):
        folder.node("7")


def test_programs_that_are_not_there_are_named(tmp_path):
    runfolder.write_programs(tmp_path, GOOD)
    assert runfolder.read_programs(tmp_path) == GOOD
    (tmp_path / "dynamics.py").unlink()
    with pytest.raises(UsageError, match=r"dynamics\.py"):
        runfolder.read_programs(tmp_path)
    (tmp_path / "dynamics.py").write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match=r"dynamics\.py"):
        runfolder.read_programs(tmp_path)


def test_parameters_and_predictions_on_disk(tmp_path):
    params = (FittedParam("g", 1.0, 0.0, 2.0, "px/s^2", 0.1, "held by its prior", "falls"),)
    runfolder.write_params(tmp_path / "params.json", params)
    assert runfolder.read_params(tmp_path / "params.json") == params
    states = States.of([{"ball": {"x": 1.0}}, {"ball": {"x": 2.0}}])
    frames = np.zeros((2, 2, 4, 4, 3), np.uint8)
    runfolder.write_prediction(
        tmp_path / "prediction.npz", frames, (states, States.of([{"cart": {"x": 0.0}}] * 2)), 0.1
    )
    with np.load(tmp_path / "prediction.npz") as data:
        assert data["frames"].shape == frames.shape and data["columns"].tolist() == ["ball.x"]
        assert data["states"][0, :, 0].tolist() == [1.0, 2.0] and np.isnan(data["states"][1]).all()
