"""Honest programs run in strict mode; what cannot work says why in a sentence that helps."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

from sandbox import Sandbox
from tests.sandbox.conformance import HONEST, JAX, source
from tests.sandbox.conftest import Caller, shared_and_writable


@pytest.mark.parametrize("name", HONEST)
def test_an_honest_program_runs(call, name):
    outcome = call(source(name))
    assert outcome.failure is None, f"{outcome.failure.message}\n{outcome.failure.traceback}"
    assert outcome.claim["value"], outcome.log


@pytest.mark.skipif(find_spec("jax") is None, reason="JAX is not installed")
def test_jax_runs_in_the_profile_with_threads():
    HONEST["jax"] = JAX
    with Sandbox(profile="threads") as box:
        outcome = Caller(box)(source("jax"))
        assert not shared_and_writable(box.pids()[0])
    assert outcome.failure is None, outcome.failure
    assert outcome.claim["value"] is True


IMPOSSIBLE = {
    "a thread": ("import threading; threading.Thread(target=print).start()", "one thread"),
    "a pool of workers": (
        "from scipy.optimize import differential_evolution as d; d(lambda x: 0.0, [(0, 1)], "
        "workers=2)",
        "no files, network or other processes",
    ),
    "the network": (
        "import socket; socket.create_connection(('127.0.0.1', 80))",
        "no files, network or other processes",
    ),
    "a file": ("open('/etc/hostname')", "no files, network or other processes"),
    "a temporary file": (
        "import tempfile; tempfile.NamedTemporaryFile()",
        "no files, network or other processes",
    ),
    "a process": (
        "import subprocess; subprocess.run(['true'])",
        "no files, network or other processes",
    ),
    "an unknown library": ("import requests", "the sandbox offers numpy, scipy, cv2, pymunk"),
    "leaving": ("raise SystemExit(0)", "return a value instead"),
    "too much memory": ("import numpy; numpy.ones(10**11)", "smaller arrays"),
    "a result that is not JSON": ("import numpy; return numpy.ones(3)", "plain numbers"),
    "a result that is not finite": ("return float('nan')", "finite numbers"),
}


@pytest.mark.parametrize("what", IMPOSSIBLE)
def test_what_cannot_work_says_what_to_do_instead(call, what):
    body, advice = IMPOSSIBLE[what]
    outcome = call(f"def f(inputs, payload, outputs):\n    {body}\n")
    assert outcome.failure is not None
    assert advice in outcome.failure.message
    assert outcome.failure.stage == "dynamics"
    assert "\n" not in outcome.failure.message.strip()
