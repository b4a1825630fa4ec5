"""Sweeps: what there is to do, what goes on where it was, what a worker elsewhere may send back."""

import csv
import io
import os
import signal
import subprocess
import sys
import tarfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from agent.cli import main
from agent.cluster.packed import pack, unpack
from agent.run import locks
from agent.sweep import cases, engine
from agent.sweep.nursery import Nursery
from tests.agent.candidates import thrown
from tools.errors import UsageError


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    """Two clips that a search explains at once, and a file that is none."""
    folder = tmp_path_factory.mktemp("clips")
    frames = thrown(20).frames
    np.savez_compressed(folder / "a.npz", frames=frames, dt=0.04)
    np.savez_compressed(folder / "b.npz", frames=frames[:, :, ::-1], dt=0.04)
    (folder / "broken.mp4").write_bytes(b"no film")
    (folder / "notes.txt").write_text("not a clip")
    return folder


KNOWN = ("cartpole", "gallery:a", "gallery:b", "gym:ID")


def rows(out: Path) -> list[dict[str, str]]:
    with (out / "sweep.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def told(out: Path) -> list[dict[str, str]]:
    """Rows without times."""
    return [{k: v for k, v in row.items() if k != "seconds"} for row in rows(out)]


def arguments(clips, out):
    return ["sweep", str(clips), "--out", str(out), "--", "--context=14", "--budget=1"]


def test_clips_seeds_and_settings_make_cases(clips):
    found = cases.clips_of([str(clips)])
    assert [clip.name for clip in found] == ["a.npz", "b.npz", "broken.mp4"]
    made = cases.cases(found[:2], (0, 3), ["budget=8,20"], ["--context=14"])
    assert len({case.key for case in made}) == len(made) == 8
    gallery = cases.environments_of(["gallery", "gallery:a", "cartpole"], KNOWN)
    assert [clip.told() for clip in gallery] == [
        f"--env={name}" for name in ("gallery:a", "gallery:b", "cartpole")
    ]
    with pytest.raises(UsageError, match="did you mean gallery"):
        cases.environments_of(["galery"], KNOWN)
    assert made[0].arguments == ("--context=14", "--budget=8", "--seed=0")
    again = cases.cases(found[:2], (0, 3), ["budget=8,20"], ["--context=14"])
    assert [case.key for case in again] == [case.key for case in made]


@pytest.mark.parametrize(
    "call",
    [
        ["sweep", "nowhere", "--out", "o"],
        ["sweep", ".", "--out", "o", "--seeds", "3-1"],
        ["sweep", ".", "--out", "o", "--vary", "seed=1,2"],
        ["sweep", ".", "--out", "o", "--workers", "0"],
        ["sweep", ".", "--out", "o", "--tls", "t"],
        ["sweep", ".", "--out", "o", "--", "--out=x"],
        ["sweep", ".", "--out", "o", "--", "--contxt=8"],
        ["sweep", ".", "--out", "o", "--vary", "budgett=1,2"],
        ["sweep", "--out", "o"],
        ["sweep", "--env", "galery", "--out", "o"],
        ["sweep", ".", "--out", "full"],
    ],
)
def test_a_wrong_call_is_one_line(call, clips, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    np.savez(tmp_path / "clip.npz", frames=thrown(4).frames)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("")
    assert main(call) == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1


def test_a_killed_sweep_goes_on_to_the_same_table(clips, tmp_path):
    out = tmp_path / "sweep"
    code = "import sys; from agent.cli import main; sys.exit(main())"
    command = [sys.executable, "-c", code, *arguments(clips, out)]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    while not any((out / "runs").glob("*/trace.jsonl")) and process.poll() is None:
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert main(arguments(clips, out)) == 0
    found = rows(out)
    assert [row["status"] for row in found] == ["threshold", "threshold", "failed"]
    assert "broken" in found[2]["error"] and "gravity" in " ".join(found[0])
    traces = [(out / "runs" / row["run"] / "trace.jsonl").stat() for row in found[:2]]
    assert main(arguments(clips, out)) == 0, "nothing is run again"
    assert [(out / "runs" / row["run"] / "trace.jsonl").stat() for row in found[:2]] == traces
    assert told(out) == [{k: v for k, v in row.items() if k != "seconds"} for row in found]


def test_two_sweeps_do_not_work_in_one_folder(clips, tmp_path, capsys):
    out = tmp_path / "sweep"
    out.mkdir()
    with locks.alone(out, "sweep"):
        assert main(arguments(clips / "broken.mp4", out)) == 1
    assert "another process goes on with" in capsys.readouterr().err
    assert main(arguments(clips / "broken.mp4", out)) == 1, "which fails"
    assert main([*arguments(clips / "broken.mp4", out)[:-3], "--again"]) == 1
    assert len(rows(out)) == 1


def test_a_cluster_gives_the_same_table(clips, tmp_path):
    distributed = pytest.importorskip("distributed")
    one = clips / "a.npz"
    call = ["sweep", str(one), "--out", str(tmp_path / "far")]
    common = ["--", "--context=14", "--budget=1"]
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, dashboard_address=None, host="127.0.0.1"
    ) as cluster:
        assert main([*call, "--cluster", cluster.scheduler_address, *common]) == 0
    assert main(["sweep", str(one), "--out", str(tmp_path / "near"), *common]) == 0
    assert told(tmp_path / "far") == told(tmp_path / "near")


def test_a_large_clip_travels_once_for_all_its_cases(tmp_path, monkeypatch, recwarn):
    distributed = pytest.importorskip("distributed")
    (tmp_path / "broken.mp4").write_bytes(bytes(12 << 20))
    made = []
    monkeypatch.setattr(engine, "pack", lambda path: made.append(path) or pack(path))
    call = ["sweep", str(tmp_path / "broken.mp4"), "--seeds=0-1", "--out", str(tmp_path / "out")]
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, dashboard_address=None, host="127.0.0.1"
    ) as cluster:
        assert main([*call, "--cluster", cluster.scheduler_address]) == 1, "all have failed"
    assert [row["status"] for row in rows(tmp_path / "out")] == ["failed"] * 2
    assert len(made) == 1
    assert not [one for one in recwarn if "large graph" in str(one.message)]


def test_a_clip_whose_worker_dies_as_it_arrives_is_sent_again(tmp_path, clips, monkeypatch):
    todo = cases.cases(cases.clips_of([str(clips / "broken.mp4")]), (0,), (), ())
    tried = []

    def sent(case):
        tried.append(case.key)
        if len(tried) < 3:
            raise ConnectionResetError("Stream is closed")
        return pack(case.clip.path)

    monkeypatch.setattr(engine, "_LOOK", 0.01)
    with ThreadPoolExecutor(1) as workers:
        pool = engine.Pool(workers, lambda: 1, sent)
        [(_, done)] = engine.finish(pool, todo, lambda case: tmp_path / case.key)
    assert len(tried) == 3 and not done.ok and "broken.mp4" in done.line


def test_a_fork_tells_how_it_ended():
    nursery = Nursery()
    assert nursery.call(["run", "--vide=x"])[0] == 2
    code, line = nursery.call(["run", "--video=nowhere.mp4"])
    assert code == 2 and "nowhere.mp4" in line
    assert nursery.spent > 0.0
    ended = []
    thread = threading.Thread(target=lambda: ended.append(nursery.call(["doctor"])[0]))
    thread.start()
    time.sleep(0.2)
    nursery.stop()
    thread.join()
    assert ended == [-signal.SIGKILL]
    assert nursery.call(["run", "--vide=x"])[0] == 2, "what is asked for later runs"


def packed(**members):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, kind in members.items():
            member = tarfile.TarInfo(name.replace("_UP_", "../"))
            member.type, member.linkname = kind, "/etc/passwd"
            tar.addfile(member)
    return out.getvalue()


@pytest.mark.parametrize(
    "data",
    [
        packed(_UP_x=tarfile.REGTYPE),
        packed(link=tarfile.SYMTYPE),
        packed(link=tarfile.LNKTYPE),
        packed(pipe=tarfile.FIFOTYPE),
    ],
)
def test_what_comes_back_cannot_leave_its_folder(data, tmp_path):
    with pytest.raises(ValueError, match="plain files"):
        unpack(data, tmp_path / "in")
    assert not (tmp_path / "x").exists()


def test_folders_travel_as_they_are(tmp_path):
    (tmp_path / "run" / "deep").mkdir(parents=True)
    (tmp_path / "run" / "deep" / "a.bin").write_bytes(b"\0\1")
    unpack(pack(tmp_path / "run"), tmp_path / "other")
    assert (tmp_path / "other" / "run" / "deep" / "a.bin").read_bytes() == b"\0\1"


def test_seeds_are_read_as_people_write_them():
    assert cases.seeds_of("0-2, 7,2") == (0, 1, 2, 7)
    with pytest.raises(UsageError):
        cases.seeds_of("one")
