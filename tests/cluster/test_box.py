"""Sandbox jobs, searches and benches on the workers of a real Dask cluster with a process each."""

from __future__ import annotations

import json
import os
import signal
import threading
import time

import numpy as np
import pytest

from agent.cli import main
from agent.cluster import box as remote
from agent.cluster.packed import pack, unpack
from sandbox import ArraySpec, Job, Limits, SandboxError
from tests.agent.candidates import thrown
from tools.types import Programs

distributed = pytest.importorskip("distributed", reason="the extra cluster is not installed")


@pytest.fixture(scope="module")
def cluster():
    """Two worker processes with folders of their own."""
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
    ) as found:
        yield found


@pytest.fixture(scope="module")
def client(cluster):
    with distributed.Client(cluster.scheduler_address, set_as_default=False) as found:
        yield found


DOUBLE = """
def double(inputs, t, outputs):
    outputs['out'][:] = 2 * inputs['a']
    return {'sum': float(inputs['a'].sum())}
"""


def double(array) -> Job:
    return Job(
        "call",
        Programs("", DOUBLE, ""),
        inputs={"a": array},
        payload={"function": "double"},
        outputs={"out": ArraySpec((3,), "float64")},
    )


def test_jobs_run_on_workers_as_here(client, box):
    array = np.arange(3.0)
    with remote.RemoteBox(client) as far:
        shared = far.share(array)
        outcomes = far.map(double(one) for one in (shared, array, shared, array + 1))
        here = box.run(double(array))
        assert far.mode == "strict"
    assert [outcome.claim for outcome in outcomes] == [here.claim] * 3 + [{"value": {"sum": 6.0}}]
    assert all((one.arrays["out"] == here.arrays["out"]).all() for one in outcomes[:3])


def test_failures_of_candidates_and_calls_are_told_apart(client):
    raising = Programs("", "def double(inputs, t, outputs):\n    raise KeyError('ball')\n", "")
    with remote.RemoteBox(client) as far:
        outcome = far.run(Job("call", raising, payload={"function": "double"}))
        assert outcome.failure is not None and outcome.failure.kind == "KeyError"
        assert outcome.failure.stage == "dynamics"
        with pytest.raises(ValueError, match="wall"):
            far.run(Job("idle", None, limits=Limits(wall=-1)))
        with pytest.raises(ValueError, match="JSON"):
            far.run(Job("idle", None, payload={"x": float("nan")}))


def test_other_versions_on_a_worker_are_refused(client, monkeypatch):
    monkeypatch.setattr(remote.versions, "known", lambda: {"numpy": "0.1", "platform": "any"})
    with pytest.raises(SandboxError, match=r"other versions of .*numpy"):
        remote.RemoteBox(client)


def test_a_killed_worker_costs_its_jobs_only(cluster, client):
    """One of two workers is killed, again and again, while jobs run: every job is answered."""
    jobs = [double(np.arange(3.0) + k) for k in range(60)]
    with remote.RemoteBox(client) as far:
        ended = threading.Event()

        def killing() -> None:
            for _ in range(5):
                time.sleep(0.4)
                pid = cluster.workers[0].pid
                if ended.is_set() or pid is None:
                    return
                os.kill(pid, signal.SIGKILL)

        killer = threading.Thread(target=killing)
        killer.start()
        outcomes = far.map(jobs)
        ended.set()
        killer.join()
    assert [outcome.claim["value"]["sum"] for outcome in outcomes] == [
        3.0 + 3 * k for k in range(60)
    ]


def searched(tmp_path, name, *more):
    frames = thrown(20)
    np.savez(tmp_path / "clip.npz", frames=frames.frames, dt=frames.dt)
    call = ["run", "--video", str(tmp_path / "clip.npz"), "--context=14", "--budget=2", "--quiet"]
    assert main([*call, "--out", str(tmp_path / name), *more]) == 0
    told = json.loads((tmp_path / name / "result.json").read_text())
    return {k: v for k, v in told.items() if k not in ("seconds", "sandbox")}


def test_a_search_on_a_cluster_is_the_search_here(cluster, tmp_path):
    far = searched(tmp_path, "far", "--cluster", cluster.scheduler_address)
    assert far == searched(tmp_path, "near")
    one, other = (tmp_path / name / "best" / "params.json" for name in ("far", "near"))
    assert one.read_text() == other.read_text()


def test_a_bench_on_a_cluster_has_the_figures_of_one_here(cluster, tmp_path):
    call = ["bench", "gallery", "--budget=1", "--only=thrown-ball", "--out"]
    assert main([*call, str(tmp_path / "far"), "--cluster", cluster.scheduler_address]) == 0
    assert main([*call, str(tmp_path / "near"), "--workers=1"]) == 0
    far, near = (
        [json.loads(line).get("rows") for line in (tmp_path / name / "records.jsonl").open()]
        for name in ("far", "near")
    )
    assert far == near and far[1:]
    assert (tmp_path / "far" / "runs" / "tree-thrown-ball" / "report.html").is_file()


def test_folders_travel_whole(tmp_path):
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "c.txt").write_text("told")
    unpack(pack(tmp_path / "a"), tmp_path / "there")
    assert (tmp_path / "there" / "a" / "b" / "c.txt").read_text() == "told"
