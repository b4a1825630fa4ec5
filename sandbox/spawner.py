"""The server where forking a loaded process is not safe (macOS): it stays small and starts a fresh
process for each job.

Spares hide the second that importing the libraries takes. There is no system call filter: only caps
on resources and, on macOS, a seatbelt profile around each child. This is a degraded sandbox, and
its mode says so.
"""

from __future__ import annotations

import argparse
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

from sandbox import boot, supervisor, wire

_SEATBELT = """
(version 1)
(deny default)
(allow process-exec)
(allow file-read*)
(deny file-read* (subpath "/Users"))
(allow file-read* (subpath (param "PREFIX")) (subpath (param "BASE")) (subpath (param "ROOT")))
(allow file-write-data (literal "/dev/null"))
(allow sysctl-read)
(allow mach-lookup)
"""
"""The installation may be read; the folders of users, writing, the network and new processes are
closed."""


class Spawner(supervisor.Supervisor):
    """Children are fresh processes. prefix: command line that starts the interpreter in a cage, or
    nothing."""

    def __init__(
        self, control: socket.socket, host: int, wanted: int, posture: str, prefix: Sequence[str]
    ):
        super().__init__(control, host, wanted)
        self._posture, self._prefix = posture, list(prefix)

    def create(self, control: socket.socket, spare: bool) -> int:
        fd = control.fileno()
        command = [
            *self._prefix,
            *boot.command("sandbox.solo"),
            "--control",
            str(fd),
            "--posture",
            self._posture,
        ]
        pid = subprocess.Popen(
            command,
            pass_fds=(fd,),
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            close_fds=True,
        ).pid
        wire.tie(control, pid)
        return pid


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point of the server's process."""
    options = supervisor.options(arguments)
    control = socket.socket(fileno=options.control)
    try:
        spawner, report = _prepare(control, options)
    except Exception as error:
        wire.untie(control)
        wire.send(control, {"problem": f"{type(error).__name__}: {error}"[:2000]})
        raise
    supervisor.run(spawner, report)


def _prepare(control: socket.socket, options: argparse.Namespace) -> tuple[Spawner, dict[str, Any]]:
    """A server whose first child has come up: in a cage, or without one where the cage does not
    open."""
    reasons = ["" if sys.platform == "darwin" else "only macOS has it"]
    for prefix in ([_cage()] if not reasons[0] and shutil.which("sandbox-exec") else []) + [[]]:
        spawner = Spawner(control, options.host, options.spares, options.posture, prefix)
        try:
            report = spawner.prove()
        except OSError as error:
            spawner.stop()
            if not prefix:
                raise
            reasons.append(str(error))
            continue
        proof = (
            "children run under sandbox-exec"
            if prefix
            else reasons[-1] or "sandbox-exec is missing"
        )
        return spawner, report | {
            "layers": [{"name": "seatbelt", "active": bool(prefix), "proof": proof}],
            "processes": 0,
        }
    raise AssertionError("the loop ends with a plain attempt")


def _cage() -> list[str]:
    places = {"PREFIX": sys.prefix, "BASE": sys.base_prefix, "ROOT": boot.ROOT}
    definitions = [
        part for name, path in places.items() for part in ("-D", f"{name}={os.path.realpath(path)}")
    ]
    return ["sandbox-exec", *definitions, "-p", _SEATBELT]
