"""What several runs share: looked up in place of computed, safe under several writers, made room
in."""

from __future__ import annotations

import json
import os
import time
import zlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from agent.cli import main
from agent.evaluation.jobs import Perceived
from agent.evaluation.remembered import Remembered
from agent.run.runfolder import RunFolder
from agent.run.shared import SharedStore, key
from agent.run.store import Store
from sandbox import Limits, Sandbox
from tests.agent.candidates import thrown
from tools.errors import UsageError
from tools.types import Evaluation, Failure, States


def searched(tmp_path, name, *more):
    video = thrown(20)
    np.savez(tmp_path / "clip.npz", frames=video.frames, dt=video.dt)
    call = ["run", "--video", str(tmp_path / "clip.npz"), "--context=14", "--budget=2", "--quiet"]
    assert (
        main([*call, "--store", str(tmp_path / "kept"), "--out", str(tmp_path / name), *more]) == 0
    )
    told = json.loads((tmp_path / name / "result.json").read_text())
    return {k: v for k, v in told.items() if k != "seconds"}


def test_a_second_run_looks_up_what_the_first_computed(tmp_path, monkeypatch):
    first = searched(tmp_path, "first")
    run = Sandbox.run
    routines = []
    monkeypatch.setattr(
        Sandbox, "run", lambda box, job: routines.append(job.routine) or run(box, job)
    )
    assert searched(tmp_path, "second") == first
    again = len([one for one in routines if one == "fit"])
    routines.clear()
    assert searched(tmp_path, "other", "--seed=1")["score"]
    assert again < len([one for one in routines if one == "fit"]), (
        "another seed is another question"
    )
    assert "perceive" not in routines, "of what the same program sees in the same frames"
    nodes = [RunFolder(tmp_path / name) for name in ("first", "second")]
    one, other = (folder.load_evaluation("0") for folder in nodes)
    assert one.to_json() == other.to_json() and one.blobs
    assert all(nodes[1].store.get(blob) == nodes[0].store.get(blob) for blob in one.blobs.values())


@pytest.mark.parametrize(
    "change",
    [
        lambda head: head | {"states": {"columns": ["a.x"], "rows": [[1e300]] * 14}},
        lambda head: head | {"states": {"columns": ["a.x"], "rows": [[1.0]]}},
        lambda head: head | {"looks": {"constants": {"a b": {}}, "sprites": {}}},
        lambda head: {"states": head["states"]},
        lambda head: [head],
    ],
)
def test_a_perception_that_no_child_could_have_claimed_is_not_believed(change, tmp_path):
    video = thrown(14)
    states = States(("a.x",), np.zeros((14, 1)))
    mine = Remembered(SharedStore(tmp_path / "kept"), {"versions": 1})
    mine.keep("source", "clip", Limits(), Perceived(states, np.ones(9, np.uint8), log="told"))
    found = mine.find("source", "clip", video, Limits())
    assert found.states.to_json() == states.to_json() and found.log == "told"
    assert found.parcel.tolist() == [1] * 9
    assert mine.find("other", "clip", video, Limits()) is None
    assert mine.find("source", "clip", video, Limits(cpu=1.0)) is None
    path = next((tmp_path / "kept" / "perceptions").rglob("??/*"))
    data = zlib.decompress(path.read_bytes())
    size = 8 + int.from_bytes(data[:8], "little")
    head = json.dumps(change(json.loads(data[8:size]))).encode()
    path.write_bytes(zlib.compress(len(head).to_bytes(8, "little") + head + data[size:]))
    assert mine.find("source", "clip", video, Limits()) is None


@pytest.fixture
def places(tmp_path):
    return SharedStore(tmp_path / "kept"), Store(tmp_path / "pictures")


def evaluation(pictures: Store, text: bytes) -> Evaluation:
    return Evaluation(
        "failed", failure=Failure("fit", "Bad", "no"), blobs={"a": pictures.put(text)}
    )


def test_entries_come_back_with_their_pictures(places, tmp_path):
    kept, pictures = places
    told = evaluation(pictures, b"picture")
    name = key({"programs": 1})
    assert kept.evaluation(name, pictures) is None
    kept.keep(name, told, pictures)
    elsewhere = Store(tmp_path / "elsewhere")
    assert SharedStore(kept.folder).evaluation(name, elsewhere) == told
    assert elsewhere.get(told.blobs["a"]) == b"picture"


def test_limits_of_a_machine_are_not_kept(places):
    kept, pictures = places
    for failure in (Failure("limits", "CpuLimit", "60 s"), Failure("fit", "MemoryError", "no")):
        kept.keep(key({"a": failure.kind}), Evaluation("failed", failure=failure), pictures)
        assert kept.evaluation(key({"a": failure.kind}), pictures) is None


@pytest.mark.parametrize("damage", [b"", b"{", b'{"status": "fine"}', b"[" * 5000])
def test_what_is_damaged_is_computed_again(places, damage):
    kept, pictures = places
    kept.keep("ab" * 16, evaluation(pictures, b"x"), pictures)
    entry = next(one.path for one in kept.entries() if one.path.suffix == ".json")
    entry.write_bytes(damage)
    assert kept.evaluation("ab" * 16, pictures) is None


def test_writers_readers_and_room_making_at_once(places, tmp_path):
    kept, pictures = places
    told = evaluation(pictures, os.urandom(20_000))
    names = [key({"n": n}) for n in range(40)]

    def work(turn: int) -> bool:
        mine, own = SharedStore(kept.folder), Store(tmp_path / f"own{turn}")
        for name in names:
            mine.keep(name, told, pictures)
            if turn == 0:
                mine.collect(most=10_000, oldest=None)
            found = mine.evaluation(name, own)
            if found not in (None, told):
                return False
        return True

    with ThreadPoolExecutor(6) as pool:
        assert all(pool.map(work, range(6)))


def test_room_is_made_where_things_are_unused(places, capsys):
    kept, pictures = places
    for number in range(4):
        kept.keep(key({"n": number}), evaluation(pictures, bytes([number]) * 50_000), pictures)
    for entry in kept.entries():
        os.utime(entry.path, times=(time.time() - 864_000,) * 2)
    assert kept.evaluation(key({"n": 2}), pictures) is not None
    assert main(["store", "gc", str(kept.folder), "--unused=2d"]) == 0
    assert kept.evaluation(key({"n": 2}), pictures) is not None, "used a moment ago"
    assert kept.evaluation(key({"n": 1}), pictures) is None
    assert main(["store", "gc", str(kept.folder), "--most=0"]) == 0 and not list(kept.entries())
    assert "0 evaluations" in capsys.readouterr().out


def test_folders_that_are_no_store_are_refused(tmp_path, capsys):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.jpg").touch()
    with pytest.raises(UsageError, match="shared store"):
        SharedStore(tmp_path / "photos")
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    with pytest.raises(UsageError, match="chmod o-w"):
        SharedStore(tmp_path / "open")
    for words in (["gc"], ["list", str(tmp_path / "no")], ["gc", str(tmp_path / "kept")]):
        assert main(["store", *words]) == 2
    SharedStore(tmp_path / "kept")
    assert main(["store", "gc", str(tmp_path / "kept")]) == 2
    assert main(["store", "gc", str(tmp_path / "kept"), "--most=plenty"]) == 2
    assert "10G" in capsys.readouterr().err
