"""The warm server: a freshly executed process with every library imported, which forks one child for each job.

It never reads a payload, only passes descriptors on; it kills, reaps and reports. It ends when its control socket
closes or the host's process dies, and takes its children with it.
"""

from __future__ import annotations

import argparse
import contextlib
import faulthandler
import gc
import json
import os
import resource
import select
import signal
import socket
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sandbox import child, heap, limits, wire
from sandbox.lockdown import THREADS, ChildLock, Posture, ServerLock
from sandbox.routines import ROUTINES, UNAVAILABLE
from sandbox.warm import warm_up


@dataclass
class Child:
    """A forked child, locked and waiting (job None) or at work. deadline: monotonic seconds after which it is killed."""

    pid: int
    control: socket.socket
    job: int | None = None
    deadline: float = float("inf")
    said: str = ""
    sealed: bool = False
    killed: str = ""
    reported: bool = False

    def listen(self) -> None:
        """Note what the child says about its lock; this channel closes before the candidate's first line."""
        with contextlib.suppress(BlockingIOError, ConnectionError):
            while data := self.control.recv(1024, socket.MSG_DONTWAIT):
                self.sealed = self.sealed or data == child.SEALED
                self.said = data[1:].decode("utf-8", "replace") if data[:1] == child.REFUSED else self.said

    def kill(self, why: str) -> None:
        """SIGKILL; the process id is the child's own until it is reaped."""
        self.killed = self.killed or why
        self.deadline = float("inf")
        os.kill(self.pid, signal.SIGKILL)


@dataclass
class Server:
    """The state of the loop. host: pidfd of the host. wanted: number of spares to keep."""

    control: socket.socket
    host: int
    wanted: int
    heritage: child.Heritage
    children: list[Child] = field(default_factory=list)

    def serve(self) -> None:
        """Loop until the host is gone."""
        alarm = _child_alarm()
        while True:
            ready = self._wait(alarm)
            if self.host in ready or (self.control.fileno() in ready and not self._take()):
                return
            if alarm in ready:
                os.read(alarm, 4096)
                self._look_after()
            self._enforce()

    def fork(self, spare: bool) -> Child:
        """A new child, on its way to being locked."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        pid = os.fork()
        if pid == 0:
            child.main(theirs, self.heritage, spare)
        theirs.close()
        self.children.append(Child(pid, ours))
        return self.children[-1]

    def stop(self) -> None:
        """Kill and reap whatever is left."""
        for one in self.children:
            one.kill("stop")
            os.waitpid(one.pid, 0)

    def _spares(self) -> list[Child]:
        return [one for one in self.children if one.job is None]

    def _wait(self, alarm: int) -> set[int]:
        """Descriptors with news; forks a spare instead when nothing else is to be done."""
        poll = select.poll()
        for fd in (self.control.fileno(), self.host, alarm):
            poll.register(fd, select.POLLIN)
        idle = len(self.children) == len(self._spares()) < self.wanted
        ready = {fd for fd, _ in poll.poll(0 if idle else self._timeout())}
        if idle and not ready:
            self.fork(spare=True)
        return ready

    def _timeout(self) -> float | None:
        nearest = min((one.deadline for one in self.children), default=float("inf"))
        return None if nearest == float("inf") else max(0.0, nearest - time.monotonic()) * 1000 + 1

    def _take(self) -> bool:
        """Handle one message of the host; False when it has gone."""
        message, fds = wire.receive(self.control)
        if "kill" in message:
            for one in self.children:
                if one.job == message["kill"] and not one.reported:
                    one.kill(message["why"])
        elif message:
            self._hand_over(message, fds)
        for fd in fds:
            os.close(fd)
        return bool(message)

    def _hand_over(self, message: dict[str, Any], fds: list[int]) -> None:
        """Pass a job to a spare, or to a new child. One that died meanwhile is reported as not sealed: not its fault."""
        spares = self._spares()
        one = spares[0] if spares else self.fork(spare=False)
        one.job = message["job"]
        one.deadline = time.monotonic() + message["limits"]["shown"]["wall"]
        with contextlib.suppress(OSError):
            wire.send(one.control, {"limits": message["limits"]}, fds)

    def _enforce(self) -> None:
        now = time.monotonic()
        for one in self.children:
            if one.deadline <= now:
                one.kill("WallLimit")

    def _look_after(self) -> None:
        """Report children that ended or stopped. A stopped child runs no line any more: it is killed where it stands,
        and the host need not wait until its memory has been taken apart."""
        for one in tuple(self.children):
            pid, status, usage = os.wait4(one.pid, os.WNOHANG | os.WUNTRACED)
            if pid == 0:
                continue
            one.listen()
            self._report(one, status, usage)
            if os.WIFSTOPPED(status):
                one.kill("finished")
            else:
                one.control.close()
                self.children.remove(one)

    def _report(self, one: Child, status: int, usage: resource.struct_rusage) -> None:
        if one.job is None:
            raise OSError(0, f"a waiting child ended: {one.said or status}")
        if not one.reported:
            one.reported = True
            wire.send(self.control, {
                "job": one.job, "status": status, "killed": one.killed, "sealed": one.sealed, "said": one.said,
                "cpu": usage.ru_utime + usage.ru_stime, "peak": usage.ru_maxrss * 1024,
            })


def _child_alarm() -> int:
    """A descriptor that is readable whenever a child has ended or stopped."""
    read, write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    signal.set_wakeup_fd(write, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, _nothing)
    return read


def _nothing(*_: object) -> None:
    """A signal is handled by being written to the alarm."""


def _prove(server: Server) -> str:
    """Fork the first spare and wait until it is locked; returns why it could not, or an empty string."""
    first = server.fork(spare=True)
    data = first.control.recv(1024)
    if data == child.LOCKED:
        return ""
    return data[1:].decode("utf-8", "replace") or "the first child died while it locked itself"


def _address_space() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[0]) * resource.getpagesize()


def _processes() -> int:
    """Processes and threads that this user has now, so that a cap on a child's threads starts from there."""
    count = 0
    for name in os.listdir("/proc"):
        with contextlib.suppress(OSError):
            if name.isdigit() and os.stat(f"/proc/{name}").st_uid == os.getuid():
                count += len(os.listdir(f"/proc/{name}/task"))
    return count


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point of the server's process."""
    parser = argparse.ArgumentParser()
    for name in ("--control", "--host", "--spares"):
        parser.add_argument(name, type=int, required=True)
    parser.add_argument("--posture", required=True)
    options = parser.parse_args(arguments)
    control = socket.socket(fileno=options.control)
    try:
        server, report = _prepare(control, options)
    except Exception as error:
        wire.send(control, {"problem": f"{type(error).__name__}: {error}"[:2000]})
        raise
    _serve(server, report)


def _prepare(control: socket.socket, options: argparse.Namespace) -> tuple[Server, dict[str, Any]]:
    posture = Posture(**json.loads(options.posture))
    guard = ServerLock(posture)
    guard.before_imports(options.host)
    report = warm_up(posture.profile)
    sys.stdout.reconfigure(line_buffering=True, errors="backslashreplace")
    faulthandler.enable(2, all_threads=False)
    limits.catch_timers()
    size, processes = _address_space(), _processes() if posture.profile == "threads" else None
    lock = ChildLock(posture, guard.uid)
    gc.collect()
    gc.freeze()
    heap.collapse()
    guard.after_imports()
    server = Server(control, options.host, options.spares, child.Heritage(os.getpid(), size, lock, dict(ROUTINES)))
    problem = _prove(server)
    if problem:
        raise OSError(0, problem)
    layers = [layer.to_json() for layer in guard.layers]
    report |= {"ready": True, "layers": layers, "routines": sorted(ROUTINES), "unavailable": UNAVAILABLE}
    return server, report | {"processes": 0 if processes is None else processes + THREADS}


def _serve(server: Server, report: dict[str, Any]) -> None:
    wire.send(server.control, report)
    try:
        server.serve()
    finally:
        server.stop()
        os._exit(0)
