"""Thousands of jobs leave nothing behind."""

from __future__ import annotations

import gc
import os
import time
from pathlib import Path

import numpy as np
import pytest

from sandbox import ArraySpec, Job, Sandbox
from tools.types import Programs

SOURCE = (
    "def f(inputs, payload, outputs):\n    outputs['out'][...] = inputs['clip'][payload['n'] "
    "% 4]\n    return payload['n']\n"
)
PROGRAMS = Programs("", SOURCE, "")


@pytest.mark.slow
def test_two_thousand_jobs_leave_no_descriptor_zombie_or_memory():
    with Sandbox(workers=2) as box:
        clip = box.share(np.arange(4 * 32 * 32 * 3, dtype=np.uint8).reshape(4, 32, 32, 3))
        _run(box, clip, 100)
        before = _at_rest(box)
        _run(box, clip, 2000)
        after = _at_rest(box)
    assert (
        after["host descriptors"] <= before["host descriptors"]
    )  # fewer: what earlier tests left has been closed meanwhile
    assert before["server descriptors"] == after["server descriptors"]
    assert after["server memory"] - before["server memory"] < 8 << 20
    assert after["host memory"] - before["host memory"] < 64 << 20


def _run(box: Sandbox, clip, count: int) -> None:
    outputs = {"out": ArraySpec((32, 32, 3))}
    jobs = (
        Job("call", PROGRAMS, {"clip": clip}, {"function": "f", "n": n}, outputs)
        for n in range(count)
    )
    for n, outcome in enumerate(box.map(jobs)):
        assert outcome.claim == {"value": n}, outcome.failure
        assert outcome.arrays["out"][0, 0, 1] == (n % 4 * 32 * 32 * 3 + 1) % 256


def _at_rest(box: Sandbox) -> dict[str, int]:
    """Measured when every server has its spares and nothing else, and twice the same."""
    gc.collect()
    last: dict[str, int] = {}
    for _ in range(200):
        now = _measure(box)
        if now == last and now["processes"] == 2 * 2 and now["zombies"] == 0:
            return now
        last = now
        time.sleep(0.1)
    raise AssertionError(f"the servers do not come to rest: {last}")


def _measure(box: Sandbox) -> dict[str, int]:
    servers = box.pids()
    children = [
        int(pid)
        for server in servers
        for pid in Path(f"/proc/{server}/task/{server}/children").read_text().split()
    ]
    return {
        "host descriptors": len(os.listdir("/proc/self/fd")),
        "server descriptors": sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in servers)
        - len(children),
        "zombies": sum(_state(pid) == "Z" for pid in children),
        "processes": len(children),
        "server memory": sum(_anonymous(pid) for pid in servers),
        "host memory": _anonymous(os.getpid()),
    }


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


def _anonymous(pid: int) -> int:
    fields = dict(
        line.split(":", 1)
        for line in Path(f"/proc/{pid}/status").read_text().splitlines()
        if ":" in line
    )
    return int(fields["RssAnon"].split()[0]) * 1024
