"""The warm server: a freshly executed process with every library imported, which forks one child
for each job.

It never reads a payload, only passes descriptors on. It ends when its control socket closes or the
host's process dies, and takes its children with it.
"""

from __future__ import annotations

import argparse
import contextlib
import faulthandler
import gc
import io
import json
import os
import socket
import sys
from collections.abc import Sequence
from typing import Any

from sandbox import child, heap, limits, supervisor, wire
from sandbox.lockdown import THREADS, ChildLock, Posture, ServerLock
from sandbox.routines import ROUTINES, UNAVAILABLE
from sandbox.warm import warm_up
from tools import backing


class Forker(supervisor.Supervisor):
    """Children are forks of this process."""

    def __init__(self, control: socket.socket, host: int, wanted: int, heritage: child.Heritage):
        super().__init__(control, host, wanted)
        self._heritage = heritage

    def create(self, control: socket.socket, spare: bool) -> int:
        pid = os.fork()
        if pid == 0:
            child.main(control, self._heritage, spare)
        return pid


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point of the server's process."""
    options = supervisor.options(arguments)
    backing.hand_back()
    control = socket.socket(fileno=options.control)
    try:
        forker, report = _prepare(control, options)
    except Exception as error:
        wire.untie(control)
        wire.send(control, {"problem": f"{type(error).__name__}: {error}"[:2000]})
        raise
    supervisor.run(forker, report)


def _prepare(control: socket.socket, options: argparse.Namespace) -> tuple[Forker, dict[str, Any]]:
    posture = Posture(**json.loads(options.posture))
    guard = ServerLock(posture)
    guard.before_imports(options.host)
    report = load(posture)
    size = limits.address_space() + report.pop("room")
    processes = _processes() + THREADS if posture.profile == "threads" else 0
    lock = ChildLock(posture, guard.uid)
    gc.collect()
    gc.freeze()
    heap.collapse()
    guard.after_imports()
    forker = Forker(
        control,
        options.host,
        options.spares,
        child.Heritage(os.getpid(), size, lock, dict(ROUTINES)),
    )
    forker.prove()
    return forker, report | {
        "layers": [layer.to_json() for layer in guard.layers],
        "processes": processes,
    }


def load(posture: Posture) -> dict[str, Any]:
    """Import all that programs may use and set up output and timers; returns what the host wants to
    know of it."""
    report = warm_up(posture.profile)
    assert isinstance(sys.stdout, io.TextIOWrapper), "the standard stream, nothing in its place"
    sys.stdout.reconfigure(line_buffering=True, errors="backslashreplace")
    faulthandler.enable(2, all_threads=False)
    limits.catch_timers()
    return report | {"routines": sorted(ROUTINES), "unavailable": UNAVAILABLE}


def _processes() -> int:
    """Processes and threads that this user has now, so that a cap on a child's threads starts from
    there."""
    count = 0
    for name in os.listdir("/proc"):
        with contextlib.suppress(OSError):
            if name.isdigit() and os.stat(f"/proc/{name}").st_uid == os.getuid():
                count += len(os.listdir(f"/proc/{name}/task"))
    return count
