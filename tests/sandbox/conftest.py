"""Sandboxes and stations that tests share."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox import Job, Outcome, Sandbox
from tests.sandbox.attack_host import CANNOT_RUN
from tools.types import Programs

USER = 12345
"""An ordinary user, for tests that run as root."""


class Visitor:
    """A station in a process of its own: see attack_host.py."""

    def __init__(self, mode: str, profile: str, user: bool):
        uid = [str(USER)] if user and os.getuid() == 0 else []
        self.process = subprocess.Popen(
            [
                sys.executable,
                "-P",
                str(Path(__file__).with_name("attack_host.py")),
                mode,
                profile,
                *uid,
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd="/",
            env=os.environ | {"STATION_API_KEY": "sk-canary"},
        )
        line = self.process.stdout.readline()
        if not line:
            assert self.process.wait() == CANNOT_RUN, "the station did not start"
            pytest.skip("an ordinary user cannot run this interpreter here")
        self.about = json.loads(line)

    def attack(self, name: str) -> dict:
        self.process.stdin.write(name + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, f"the station died of {name}"
        return json.loads(line)

    def close(self) -> None:
        self.process.stdin.close()
        assert self.process.wait(20) == 0


class Caller:
    """Runs one function given as source, as the dynamics program of a candidate."""

    def __init__(self, box: Sandbox):
        self.box = box

    def __call__(
        self, source: str, inputs=None, payload=None, function: str = "f", **job
    ) -> Outcome:
        payload = {"function": function} | (payload or {})
        return self.box.run(Job("call", Programs("", source, ""), inputs or {}, payload, **job))


@pytest.fixture(scope="session")
def box():
    with Sandbox(workers=2) as box:
        yield box


@pytest.fixture(scope="session")
def call(box):
    return Caller(box)


def shared_and_writable(pid: int) -> list[str]:
    """Mappings of a process that it shares with all its forks, and all may write: a mailbox, if
    there were one."""
    lines = Path(f"/proc/{pid}/maps").read_text().splitlines()
    assert len(lines) > 100
    return [
        line for line in lines if line.split()[1].startswith("rw") and line.split()[1].endswith("s")
    ]
