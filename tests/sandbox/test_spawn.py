"""Fresh processes instead of forks, for systems where a loaded process must not fork."""

from __future__ import annotations

import os

import numpy as np
import pytest

from sandbox import ArraySpec, Limits, Sandbox, memory
from tests.sandbox.conftest import Caller


@pytest.fixture(scope="module", params=["strict", "rlimits-only"])
def call(request):
    with Sandbox(mode=request.param, start="spawn", spares=2) as box:
        assert box.mode == request.param
        yield Caller(box)


def test_jobs_run_and_fail_as_they_do_in_forks(call):
    outcome = call(
        "def f(inputs, payload, outputs):\n    outputs['twice'][...] = 2 * inputs['a']; "
        "print('said'); return payload['n']",
        {"a": np.arange(6.0)},
        {"n": 3},
        outputs={"twice": ArraySpec((6,), "float64")},
    )
    assert outcome.failure is None and outcome.claim == {"value": 3} and outcome.log == "said\n"
    np.testing.assert_array_equal(outcome.arrays["twice"], 2 * np.arange(6.0))
    assert 0 < outcome.wall < 5
    failure = call("def f(*_):\n    return 1 / 0").failure
    assert (failure.stage, failure.kind) == (
        "dynamics",
        "ZeroDivisionError",
    ) and "1 / 0" in failure.traceback


def test_limits_hold(call):
    assert (
        call("def f(*_):\n    while True: pass", limits=Limits(wall=0.5)).failure.kind
        == "WallLimit"
    )
    assert (
        call(
            "def f(*_):\n    return len(bytearray(300 << 20))", limits=Limits(memory=100 << 20)
        ).failure.kind
        == "MemoryLimit"
    )


def test_strict_is_strict_there_too(call):
    failure = call("def f(*_):\n    open('/etc/passwd')").failure
    assert (failure is None) == (call.box.mode == "rlimits-only")


def test_the_doctor_row_for_seatbelt_is_honest(call):
    (layer,) = call.box.layers
    assert layer.name == "seatbelt" and not layer.active and layer.proof


def test_files_stand_in_for_memory_files():
    """What systems without memory files use: the descriptor that a child gets cannot be written."""
    writer, reader = memory._unlinked("test", 8)
    os.pwrite(writer, b"12345678", 0)
    assert os.pread(reader, 8, 0) == b"12345678"
    with pytest.raises(OSError):
        os.pwrite(reader, b"x", 0)
    os.close(writer)
    os.close(reader)
