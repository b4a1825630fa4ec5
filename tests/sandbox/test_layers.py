"""Second layers by themselves: control group, Landlock, determinism of children."""

from __future__ import annotations

import signal
import subprocess
import sys

import numpy as np
import pytest

from sandbox import ArraySpec, Job, cgroup
from sandbox.determinism import run_twice
from tests.sandbox.attacks import ATTACKS
from tests.sandbox.conftest import Visitor
from tools.types import Programs


def test_a_control_group_ends_what_outgrows_it():
    try:
        group = cgroup.make(64 << 20, 32)
    except OSError as error:
        pytest.skip(f"no control group can be made here: {error}")
    hog = (
        "import sys; sys.stdin.read(1); data = bytearray(300 << 20); data[::4096] = b'x' * "
        "len(data[::4096])"
    )
    process = subprocess.Popen([sys.executable, "-c", hog], stdin=subprocess.PIPE)
    try:
        group.add(process.pid)
        process.communicate(b"x", timeout=60)
        assert process.returncode == -signal.SIGKILL
    finally:
        process.kill()
        process.wait()
        group.remove()
    assert not any(folder.exists() for folder in group.folders)


def test_groups_of_hosts_that_were_killed_are_swept():
    script = (
        "import sys; sys.path.insert(0, {!r})\nfrom sandbox import cgroup\n"
        "try:\n    print(*cgroup.make(1 << 30, 32).folders)\nexcept OSError:\n    pass\n"
    ).format(str(__file__).rsplit("/tests/", 1)[0])
    folders = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    ).stdout.split()
    cgroup.sweep()
    assert not [
        folder
        for folder in folders
        if subprocess.run(["test", "-e", folder], check=False).returncode == 0
    ]


def test_the_machines_memory_is_shared_fairly():
    from sandbox.limits import fair_memory

    assert fair_memory(1 << 20, 4) == 1 << 20
    assert fair_memory(1 << 62, 4) <= fair_memory(1 << 62, 2) <= cgroup.memory_limit()


def test_landlock_alone_stops_most_of_what_goes_for_files():
    visitor = Visitor("landlock-only", "plain", user=True)
    names = [
        name
        for name, attack in ATTACKS.items()
        if attack.control and attack.category in ("file-read", "file-write")
    ]
    through = {name for name in names if visitor.attack(name)["escaped"]}
    visitor.close()
    assert len(through) < len(names) / 2
    assert not through & {
        "read_etc_passwd",
        "read_secret_0600",
        "read_np_memmap",
        "write_tmp",
        "write_unlink",
        "write_devshm",
        "read_listdir_home",
    }


def _random_job(source: str) -> Job:
    return Job(
        "call",
        Programs("", source, ""),
        payload={"function": "f"},
        outputs={"a": ArraySpec((8,), "float64")},
    )


@pytest.mark.parametrize(
    "body, difference",
    [
        ("return payload['function']", None),
        ("import random; outputs['a'][:] = np.random.rand(8); return random.random()", None),
        ("return {'seconds': time.perf_counter_ns(), 'x': 1}", "results"),
        ("return os.urandom(8).hex()", "results"),
        ("outputs['a'][:] = np.random.default_rng().normal(size=8)", "a"),
    ],
)
def test_two_children_must_agree(box, body, difference):
    job = _random_job(
        f"import os, time\nimport numpy as np\ndef f(inputs, payload, outputs):\n    {body}\n"
    )
    outcome = run_twice(box, job, "dynamics")
    if difference is None:
        assert outcome.failure is None and np.isfinite(outcome.arrays["a"]).all()
    else:
        assert (outcome.failure.stage, outcome.failure.kind) == ("dynamics", "NotDeterministic")
        assert f"different {difference};" in outcome.failure.message


def test_a_run_that_fails_is_returned_as_it_is(box):
    assert (
        run_twice(box, _random_job("def f(*_):\n    return [][1]\n"), "dynamics").failure.kind
        == "IndexError"
    )


def test_timings_may_be_left_out_of_the_comparison(box):
    job = Job("idle", None)
    assert run_twice(box, job, "dynamics", ignore=("seconds",)).failure is None
