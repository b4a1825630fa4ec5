"""The loop of a server: passes jobs to children, keeps spares, enforces the wall clock, reports
deaths.

How a child comes into being is left open: ``server`` forks itself, ``spawner`` starts a fresh
process.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import resource
import select
import signal
import socket
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sandbox import limits, wire
from sandbox.awake import AwakeClock
from sandbox.contract import Limits

SETUP_SECONDS = 30.0
"""How long a child may take to get ready for the candidate, on a machine that is very busy."""
POLL_SECONDS = 0.5
"""How often a server looks whether its host is alive where no descriptor tells."""
RSS_UNIT = 1 if sys.platform == "darwin" else 1024


@dataclass
class Child:
    """A child, on its way or waiting (job None) or at work. wall: seconds it may work. writes:
    whether it has output arrays. begun: monotonic seconds when it got the job. deadline: seconds of
    the server's clock after which it is warned, then killed. stopped: its status when it
    stopped."""

    pid: int
    control: socket.socket
    job: int | None = None
    wall: float = 0.0
    writes: bool = False
    begun: float = 0.0
    deadline: float = float("inf")
    warned: bool = False
    heard: bytes = b""
    talking: bool = True
    killed: str = ""
    stopped: int = 0
    reported: bool = False

    def listen(self, wait: bool = False) -> None:
        """Note what the child says about its lock; this channel closes before the candidate's first
        line."""
        with contextlib.suppress(BlockingIOError):
            while self.talking:
                data = self._hear(wait)
                self.heard += data
                self.talking = bool(data)
                if wait and data.endswith(b"\n"):
                    return

    def _hear(self, wait: bool) -> bytes:
        try:
            return self.control.recv(1 << 16, 0 if wait else socket.MSG_DONTWAIT)
        except ConnectionError:
            return b""

    def said(self, mark: bytes) -> str | None:
        """The rest of the line that starts with ``mark``, or None when there was none."""
        lines = [line for line in self.heard.split(b"\n") if line.startswith(mark)]
        return lines[0][1:].decode("utf-8", "replace") if lines else None

    def take(self, job: int, wall: float, writes: bool, now: float) -> None:
        """A job has been handed over; its time runs once the child says that no door is open any
        more."""
        self.job, self.wall, self.writes = job, wall, writes
        self.begun = time.monotonic()
        self.deadline = now + wall + SETUP_SECONDS

    def start_clock(self, now: float) -> None:
        """Listen, and let its time run when the child has got to the candidate."""
        self.listen()  # which may hear the end of the talk together with its last word
        if self.said(wire.SEALED) is not None:
            self.talking = False
            self.deadline = min(self.deadline, now + self.wall)

    def warn(self) -> None:
        """Time is over: SIGALRM, and a moment to say where it is (see ``limits.catch_timers``)."""
        self.warned = True
        self.deadline += limits.LAST_WORDS
        os.kill(self.pid, signal.SIGALRM)

    def kill(self, why: str) -> None:
        """SIGKILL; the process id is the child's own until it is reaped. why: the limit that was
        hit, "" for none."""
        self.killed = self.killed or why
        self.deadline = float("inf")
        os.kill(self.pid, signal.SIGKILL)


class Supervisor(ABC):
    """The loop. control: socket to the host. host: pidfd of the host's process, or -1 where there
    is no such thing. wanted: number of spares to keep."""

    def __init__(self, control: socket.socket, host: int, wanted: int):
        self.control, self.host, self.wanted = control, host, wanted
        self.children: list[Child] = []
        self._clock = AwakeClock()
        self._parent = os.getppid()

    @abstractmethod
    def create(self, control: socket.socket, spare: bool) -> int:
        """Make a process that serves one job from ``control``; returns its pid."""

    def begin(self, spare: bool) -> Child:
        """A new child, on its way to being locked."""
        ours, theirs = wire.pair()
        self.children.append(Child(self.create(theirs, spare), ours))
        theirs.close()
        return self.children[-1]

    def prove(self) -> dict[str, Any]:
        """Make the first spare and wait until it is locked; returns what it reports, raises OSError
        when it could not."""
        first = self.begin(spare=True)
        first.listen(wait=True)
        said = first.said(wire.LOCKED)
        if said is None:
            raise OSError(
                0, first.said(wire.REFUSED) or "the first child died while it locked itself"
            )
        report: dict[str, Any] = json.loads(said or "{}")
        return report

    def serve(self) -> None:
        """Loop until the host is gone."""
        alarm = _child_alarm()
        while True:
            ready = self._wait(alarm)
            if self.host in ready or (self.host < 0 and os.getppid() != self._parent):
                return
            if self.control.fileno() in ready and not self._take():
                return
            for one in self.children:
                if one.control.fileno() in ready:
                    one.start_clock(self._clock.now())
            if alarm in ready:
                os.read(alarm, 4096)
                self._look_after()
            self._enforce()

    def stop(self) -> None:
        """Kill and reap whatever is left."""
        for one in self.children:
            one.kill("stop")
            os.waitpid(one.pid, 0)

    def _spares(self) -> list[Child]:
        return [one for one in self.children if one.job is None]

    def _wait(self, alarm: int) -> set[int]:
        """Descriptors with news; makes a spare instead when nothing else is to be done."""
        poll = select.poll()
        starting = [
            one.control.fileno() for one in self.children if one.job is not None and one.talking
        ]
        for fd in (
            self.control.fileno(),
            alarm,
            *([self.host] if self.host >= 0 else []),
            *starting,
        ):
            poll.register(fd, select.POLLIN)
        idle = len(self.children) == len(self._spares()) < self.wanted
        ready = {fd for fd, _ in poll.poll(0 if idle else self._timeout())}
        if idle and not ready:
            self._rehearse(self.begin(spare=True))
        return ready

    def _rehearse(self, spare: Child) -> None:
        """Go through the motions of a job that nobody sent: after a fork, memory shared with the
        child is copied at first touch, which would take most of a small job's time."""
        host, control = wire.pair()
        child, ours = wire.pair()
        understudy = _Understudy(control, -1, 0)
        understudy.children = [Child(spare.pid, ours, heard=wire.LOCKED + b"{}\n")]
        wire.send(
            host,
            {"job": 0, "caps": asdict(Limits()), "writes": False, "processes": 0},
            [0, 1, 2, 2],
        )
        understudy.play(child)
        for end in (host, control, child, ours):
            end.close()

    def _timeout(self) -> float | None:
        nearest = min((one.deadline for one in self.children), default=float("inf"))
        if self.host < 0:
            nearest = min(nearest, self._clock.now() + POLL_SECONDS)
        return None if nearest == float("inf") else self._clock.wait(nearest)

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
        """Pass a job to a locked spare, or to a new child. One that died meanwhile is reported as
        not sealed."""
        spares = self._spares()
        one = spares[0] if spares else self.begin(spare=False)
        if one.said(wire.LOCKED) is None:
            one.listen(wait=True)
        caps = message["caps"]
        one.take(message["job"], caps["wall"], message["writes"], self._clock.now())
        with contextlib.suppress(OSError):
            wire.send(one.control, message, fds)

    def _enforce(self) -> None:
        now = self._clock.now()
        for one in self.children:
            if one.deadline <= now:
                if one.talking or one.warned:
                    one.kill("WallLimit")
                else:
                    one.warn()

    def _look_after(self) -> None:
        """Report children that ended or stopped. A stopped child runs no line any more: it is
        killed where it stands, and the host need not wait until its memory has been taken apart.
        Unless that memory holds output arrays: while a process ends, the kernel still writes where
        the process told it to (robust futexes), so these are read when it is dead."""
        for one in tuple(self.children):
            pid, status, usage = os.wait4(one.pid, os.WNOHANG | os.WUNTRACED)
            if pid == 0:
                continue
            one.listen()
            if os.WIFSTOPPED(status):
                one.stopped = status
                if not one.writes:
                    self._report(one, status, usage)
                one.kill("")
            else:
                self._report(one, one.stopped or status, usage)
                one.control.close()
                self.children.remove(one)

    def _report(self, one: Child, status: int, usage: resource.struct_rusage) -> None:
        if one.job is None:
            raise OSError(0, f"a waiting child ended: {one.said(wire.REFUSED) or status}")
        if not one.reported:
            one.reported = True
            wire.send(
                self.control,
                {
                    "job": one.job,
                    "status": status,
                    "killed": one.killed,
                    "sealed": one.said(wire.SEALED) is not None,
                    "said": one.said(wire.REFUSED) or "",
                    "wall": time.monotonic() - one.begun,
                    "cpu": usage.ru_utime + usage.ru_stime,
                    "peak": usage.ru_maxrss * RSS_UNIT,
                },
            )


class _Understudy(Supervisor):
    """Plays a job with a child that is busy with something else."""

    def create(self, control: socket.socket, spare: bool) -> int:
        raise AssertionError("an understudy is given its child")

    def play(self, child: socket.socket) -> None:
        """From the job's arrival to its report. child: the other end of the child's control
        socket."""
        self._wait(child.fileno())
        self._take()
        for fd in wire.receive(child)[1]:
            os.close(fd)
        os.write(child.fileno(), wire.SEALED + b"\n")
        child.shutdown(socket.SHUT_WR)
        self.children[0].start_clock(self._clock.now())
        self._enforce()
        self._report(self.children[0], 0, resource.getrusage(resource.RUSAGE_SELF))


def _child_alarm() -> int:
    """A descriptor that is readable whenever a child has ended or stopped."""
    read, write = os.pipe()
    for fd in (read, write):
        os.set_blocking(fd, False)
    signal.set_wakeup_fd(write, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, _nothing)
    return read


def _nothing(*_: object) -> None:
    """A signal is handled by being written to the alarm."""


def options(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Options of a server: descriptors, number of spares, posture as JSON."""
    parser = argparse.ArgumentParser()
    for name in ("--control", "--host", "--spares"):
        parser.add_argument(name, type=int, required=True)
    parser.add_argument("--posture", required=True)
    found = parser.parse_args(arguments)
    found.control, found.host = _lowest(found.control), _lowest(found.host)
    limits.cap_descriptors()
    return found


def _lowest(fd: int) -> int:
    """The same file under the smallest free number: a host may have thousands open, a child closes
    only so many."""
    if fd < 0:
        return fd
    copy = os.dup(fd)
    keep, close = min(fd, copy), max(fd, copy)
    os.close(close)
    return keep


def run(supervisor: Supervisor, report: dict[str, Any]) -> None:
    """Tell the host that this server is ready, and serve until the host has gone. Never returns."""
    wire.untie(supervisor.control)
    wire.send(supervisor.control, report)
    try:
        supervisor.serve()
    finally:
        supervisor.stop()
        os._exit(0)
