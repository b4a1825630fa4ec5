"""What happens on machines that refuse a barrier: strict fails closed, strict+ does with what there
is and says so."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox import kernel

ROOT = Path(__file__).resolve().parents[2]
DENY = """
import ctypes, json, os, struct, sys
sys.path.insert(0, {root!r})
from sandbox import kernel, seccomp
kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
denied = {denied!r}
program = [(0x20, 0, 0, 0)]
for number in denied:
    program += [(0x15, 0, 1, number), (0x06, 0, 0, 0x00050001)]
program.append((0x06, 0, 0, 0x7FFF0000))
seccomp.install(bytearray(b"".join(struct.pack("=HBBI", *step) for step in program)))
from sandbox import Job, Sandbox, SandboxError
"""
NUMBERS = {
    "x86_64": {"seccomp": [317], "namespaces": [272], "landlock": [444, 445, 446], "capset": [126]},
    "aarch64": {"seccomp": [277], "namespaces": [97], "landlock": [444, 445, 446], "capset": [91]},
}
pytestmark = pytest.mark.skipif(
    kernel.MACHINE not in NUMBERS, reason="no table of system calls for this machine"
)


def on_a_machine_without(*barriers: str, script: str) -> str:
    """Output of ``script`` in a process that the kernel refuses some system calls."""
    denied = [number for barrier in barriers for number in NUMBERS[kernel.MACHINE][barrier]]
    code = DENY.format(root=str(ROOT), denied=denied) + script
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=100, cwd="/"
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


START = """
try:
    with Sandbox(mode="{mode}") as box:
        print({first})
except SandboxError as error:
    print("refused:", error)
"""


@pytest.mark.parametrize("barrier", ["seccomp", "capset"])
@pytest.mark.parametrize("mode", ["strict", "strict+"])
def test_strict_fails_closed_when_a_required_step_fails(barrier, mode):
    first = {"strict": 'box.run(Job("idle", None))', "strict+": "box.mode"}[mode]
    output = on_a_machine_without(barrier, script=START.format(mode=mode, first=first))
    assert output.startswith(f"refused: the sandbox cannot start in mode {mode}: ")
    assert "Operation not permitted" in output and "run-agent doctor" in output


def test_strict_plus_says_what_is_missing_and_is_still_strict():
    script = (
        "with Sandbox(mode='strict+') as box:\n    print(json.dumps([box.mode, "
        "box.run(Job('idle', None)).claim, [l.to_json() for l in box.layers]]))"
    )
    mode, claim, layers = json.loads(on_a_machine_without("namespaces", "landlock", script=script))
    active = {layer["name"]: layer["active"] for layer in layers}
    assert claim == {}
    assert not active["namespaces"] and not active["Landlock"] and "empty file system" not in active
    assert mode == ("strict+" if any(active.values()) else "strict")
    assert all(layer["proof"] for layer in layers)


def test_the_doctor_says_when_a_machine_is_not_safe():
    script = (
        "from sandbox.doctor import examine\nr = examine()\nprint(json.dumps([r.to_json(), "
        "str(r)]))"
    )
    report, text = json.loads(on_a_machine_without("seccomp", script=script))
    assert report["mode"] == "landlock-only" and not report["ok"]
    assert "NOT safe" in text and "MISSING" in text
    assert any("cannot start in mode strict:" in reason for reason in report["reasons"])


def test_landlock_only_and_rlimits_only_hold_what_they_promise():
    from sandbox import Job, Limits, Sandbox
    from tools.types import Programs

    def tried(mode: str, body: str) -> str:
        job = Job(
            "call",
            Programs("", f"import os, socket\ndef f(i, p, o):\n    {body}\n", ""),
            payload={"function": "f"},
            limits=Limits(memory=64 << 20),
        )
        failure = boxes[mode].run(job).failure
        return failure.kind if failure else ""

    boxes = {mode: Sandbox(mode=mode) for mode in ("landlock-only", "rlimits-only")}
    try:
        assert tried("landlock-only", "open('/etc/passwd')") == "PermissionError"
        assert tried("rlimits-only", "open('/etc/passwd')") == ""
        assert {tried(mode, "bytearray(200 << 20)") for mode in boxes} == {"MemoryLimit"}
        assert {tried(mode, "socket.socket().close()") for mode in boxes} == {""}
        assert [box.mode for box in boxes.values()] == list(boxes)
    finally:
        for box in boxes.values():
            box.close()
