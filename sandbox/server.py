"""The warm server: a freshly executed process with every library imported, which forks one child for each job.

It never reads a payload, only passes descriptors on; it kills, reaps and reports. It ends when its control socket
closes or the host's process dies.
"""

from __future__ import annotations

import argparse
import array
import gc
import json
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sandbox import child
from sandbox.warm import warm_up


@dataclass
class Running:
    """A child that works on a job. deadline: monotonic seconds after which it is killed."""

    job: int
    pid: int
    pidfd: int
    deadline: float
    killed: str = ""


@dataclass
class Spare:
    """A child that is locked already and waits for a job."""

    pid: int
    pidfd: int
    control: socket.socket


@dataclass
class Server:
    """The state of the loop: one control socket, the children by pid."""

    control: socket.socket
    host: int
    wanted: int
    running: dict[int, Running] = field(default_factory=dict)
    spares: list[Spare] = field(default_factory=list)

    def serve(self) -> None:
        """Loop until the host is gone."""
        while True:
            ready = self._wait()
            if self.host in ready:
                return
            if self.control.fileno() in ready and not self._take():
                return
            self._enforce()
            self._reap(ready)

    def _wait(self) -> set[int]:
        poll = select.poll()
        for fd in [self.control.fileno(), self.host, *(r.pidfd for r in self.running.values()), *(s.pidfd for s in self.spares)]:
            poll.register(fd, select.POLLIN)
        short = not self.running and len(self.spares) < self.wanted
        ready = {fd for fd, _ in poll.poll(0 if short else self._timeout())}
        if short and not ready:
            self.spares.append(self._fork())
        return ready

    def _timeout(self) -> float | None:
        if not self.running:
            return None
        nearest = min(r.deadline for r in self.running.values())
        return max(0.0, nearest - time.monotonic()) * 1000 + 1

    def _take(self) -> bool:
        message, fds = receive(self.control)
        if not message:
            return False
        if "kill" in message:
            self._kill(message["kill"], message["why"])
            return True
        spare = self.spares.pop(0) if self.spares else self._fork()
        try:
            self._hand_over(spare, message, fds)
        finally:
            for fd in fds:
                os.close(fd)
        return True

    def _hand_over(self, spare: Spare, message: dict[str, Any], fds: list[int]) -> None:
        send(spare.control, {"limits": message["limits"]}, fds)
        spare.control.close()
        deadline = time.monotonic() + message["limits"]["wall"]
        self.running[spare.pid] = Running(message["job"], spare.pid, spare.pidfd, deadline)

    def _fork(self) -> Spare:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        pid = os.fork()
        if pid == 0:
            child.main(theirs)
        theirs.close()
        return Spare(pid, os.pidfd_open(pid), ours)

    def _kill(self, job: int, why: str) -> None:
        for running in self.running.values():
            if running.job == job and not running.killed:
                running.killed = why
                signal.pidfd_send_signal(running.pidfd, signal.SIGKILL)

    def _enforce(self) -> None:
        now = time.monotonic()
        for running in self.running.values():
            if running.deadline <= now:
                self._kill(running.job, "wall")

    def _reap(self, ready: set[int]) -> None:
        for spare in [s for s in self.spares if s.pidfd in ready]:
            self.spares.remove(spare)
            _wait4(spare.pid, spare.pidfd)
            spare.control.close()
        for running in [r for r in self.running.values() if r.pidfd in ready]:
            status, usage = _wait4(running.pid, running.pidfd)
            del self.running[running.pid]
            send(self.control, {
                "job": running.job, "status": status, "killed": running.killed,
                "cpu": usage.ru_utime + usage.ru_stime, "peak": usage.ru_maxrss * 1024,
            })

    def stop(self) -> None:
        """Kill and reap whatever is left."""
        for pid, pidfd in [(c.pid, c.pidfd) for c in [*self.running.values(), *self.spares]]:
            signal.pidfd_send_signal(pidfd, signal.SIGKILL)
            _wait4(pid, pidfd)


def _wait4(pid: int, pidfd: int) -> tuple[int, Any]:
    _, status, usage = os.wait4(pid, 0)
    os.close(pidfd)
    return status, usage


def send(control: socket.socket, message: dict[str, Any], fds: Sequence[int] = ()) -> None:
    """One JSON message, with descriptors."""
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
    control.sendmsg([json.dumps(message).encode()], rights)


def receive(control: socket.socket) -> tuple[dict[str, Any], list[int]]:
    """The next message and its descriptors; an empty one when the other side has gone."""
    fds = array.array("i")
    try:
        data, ancillary, _, _ = control.recvmsg(1 << 16, socket.CMSG_SPACE(child.MAX_FDS * fds.itemsize), socket.MSG_CMSG_CLOEXEC)
    except ConnectionError:
        return {}, []
    for level, kind, payload in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            fds.frombytes(payload[: len(payload) - len(payload) % fds.itemsize])
    return (json.loads(data) if data else {}), list(fds)


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point of the server's process."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--control", type=int, required=True)
    parser.add_argument("--host", type=int, required=True)
    parser.add_argument("--spares", type=int, required=True)
    parser.add_argument("--mode", required=True)
    options = parser.parse_args(arguments)
    os.chdir("/")
    control = socket.socket(fileno=options.control)
    report = warm_up()
    gc.collect()
    gc.freeze()
    server = Server(control, options.host, options.spares)
    send(control, {"ready": True, "mode": options.mode, **report})
    try:
        server.serve()
    finally:
        server.stop()
        sys.stderr.flush()
        os._exit(0)
