"""The host's side: starts warm servers, sends jobs, enforces limits, turns answers into outcomes."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from sandbox.contract import Job, Limits, Outcome, SandboxError
from sandbox.marks import PLACES
from sandbox.memory import Outputs, SharedArray, sealed
from sandbox.protocol import FAILURE, HEADER, FrameError, clean, decode, read_failure
from sandbox.server import receive, send
from tools.types import Failure

MODES = ("strict+", "strict", "landlock-only", "rlimits-only", "none")
ENVIRONMENT = {
    "LANG": "C.UTF-8", "PATH": os.defpath, "HOME": "/", "PYTHONHASHSEED": "0", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1", "NUMEXPR_NUM_THREADS": "1", "VECLIB_MAXIMUM_THREADS": "1",
}
PASSED_ON = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
START_SECONDS = 120.0
GRACE_SECONDS = 5.0
FLOOD = 4 << 20
_BOOT = "import sys; sys.path.insert(0, sys.argv.pop(1)); from sandbox.server import main; main()"


class Sandbox:
    """A pool of warm servers. Use as a context manager, from any thread.

    workers: number of servers, each running one job at a time. mode: "strict" or "strict+". spares: children that each
    server keeps forked and locked in advance. Servers start at once, in the background.
    """

    def __init__(self, workers: int = 1, mode: str = "strict", spares: int = 2, profile: str = "plain"):
        if workers < 1:
            raise ValueError(f"workers: expected at least 1, got {workers}")
        if mode not in MODES:
            raise ValueError(f"mode: expected one of {', '.join(MODES)}, got {mode!r}")
        self._requested = mode
        self._spares = spares
        self._all = [_Server(mode, spares) for _ in range(workers)]
        self._free: queue.SimpleQueue[_Server] = queue.SimpleQueue()
        for server in self._all:
            self._free.put(server)
        self._pool = ThreadPoolExecutor(workers, "sandbox")
        self._closed = False

    @property
    def mode(self) -> str:
        """The mode that the first server reports, once it is warm."""
        return self._all[0].report()["mode"]

    def share(self, array: np.ndarray) -> SharedArray:
        """Copy ``array`` once into a sealed memory file that any number of jobs may take as an input."""
        return SharedArray(array)

    def run(self, job: Job) -> Outcome:
        """Run one job in a fresh child.

        Raises ValueError when the job is malformed and SandboxError when the sandbox failed twice.
        """
        if self._closed:
            raise ValueError("run: the sandbox is closed; make a new one")
        server = self._free.get()
        try:
            request = _Request(job)
            try:
                return server.run(request)
            except _ServerLost as first:
                return self._retry(server, request, first)
            finally:
                request.close()
        finally:
            self._free.put(server)

    def map(self, jobs: Iterable[Job]) -> list[Outcome]:
        """Run jobs in parallel over the servers; outcomes in the order of the jobs."""
        return list(self._pool.map(self.run, jobs))

    def close(self) -> None:
        """Stop every server and child."""
        if not self._closed:
            self._closed = True
            self._pool.shutdown()
            for server in self._all:
                server.stop()

    def _retry(self, server: _Server, request: _Request, first: Exception) -> Outcome:
        server.restart()
        try:
            return server.run(request)
        except _ServerLost as second:
            raise SandboxError(f"the sandbox failed twice on one job: {first}; then {second}; run `run-agent doctor`") from second

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()


class _ServerLost(Exception):
    """The server died or broke the protocol."""


class _Request:
    """A job made ready to send: payload and input descriptors."""

    def __init__(self, job: Job):
        self.limits: Limits = job.limits
        self.outputs = Outputs(job.outputs)
        self._own: list[SharedArray] = []
        shared = {name: self._share(value) for name, value in job.inputs.items()}
        self.inputs = [array.fd for array in shared.values()]
        header = {
            "routine": job.routine,
            "programs": dict(job.programs.items()) if job.programs else {},
            "payload": dict(job.payload),
            "claim": job.limits.claim,
            "inputs": [[i, [name, *a.slot.to_json()[1:]]] for i, (name, a) in enumerate(shared.items())],
            "outputs": [slot.to_json() for slot in self.outputs.slots],
        }
        self.payload = sealed(json.dumps(header, allow_nan=False).encode())

    def _share(self, value: Any) -> SharedArray:
        if isinstance(value, SharedArray):
            return value
        self._own.append(SharedArray(value))
        return self._own[-1]

    def close(self) -> None:
        os.close(self.payload)
        self.outputs.close()
        for array in self._own:
            array.close()


class _Server:
    """One warm server process and the host's end of its socket."""

    def __init__(self, mode: str, spares: int):
        self._mode, self._spares = mode, spares
        self._count = 0
        self._start()

    def _start(self) -> None:
        self._report: dict[str, Any] | None = None
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._errors = os.memfd_create("sandbox-errors", os.MFD_CLOEXEC)
        me = os.pidfd_open(os.getpid())
        root = str(Path(__file__).resolve().parent.parent)
        self._process = subprocess.Popen(
            [sys.executable, "-s", "-P", "-c", _BOOT, root, "--control", str(theirs.fileno()), "--host", str(me),
             "--spares", str(self._spares), "--mode", self._mode],
            env=ENVIRONMENT | {key: os.environ[key] for key in PASSED_ON if key in os.environ},
            stdin=subprocess.DEVNULL, stdout=self._errors, stderr=self._errors, cwd="/", start_new_session=True, pass_fds=(theirs.fileno(), me),
        )
        theirs.close()
        os.close(me)

    def report(self) -> dict[str, Any]:
        """What the server said about itself when it was warm."""
        if self._report is None:
            message = self._next(time.monotonic() + START_SECONDS)
            if not message.get("ready"):
                raise _ServerLost("the server did not say that it is ready")
            self._report = message
        return self._report

    def run(self, request: _Request) -> Outcome:
        self.report()
        return _Exchange(self, request).run()

    def send(self, message: dict[str, Any], fds: list[int]) -> None:
        try:
            send(self._control, message, fds)
        except OSError as error:
            raise _ServerLost(f"the server is gone ({error}){self._last_words()}") from None

    def next_id(self) -> int:
        self._count += 1
        return self._count

    def fileno(self) -> int:
        return self._control.fileno()

    def _next(self, deadline: float) -> dict[str, Any]:
        if not select.select([self._control], [], [], max(0.0, deadline - time.monotonic()))[0]:
            raise _ServerLost("the server does not answer" + self._last_words())
        return self.next_message()

    def next_message(self) -> dict[str, Any]:
        message, _ = receive(self._control)
        if not message:
            raise _ServerLost("the server is gone" + self._last_words())
        return message

    def _last_words(self) -> str:
        words = os.pread(self._errors, 1 << 16, 0).decode("utf-8", "replace").strip()
        return f": {clean(words.splitlines()[-1], 500)}" if words else ""

    def restart(self) -> None:
        self.stop()
        self._start()

    def stop(self) -> None:
        self._control.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(2.0)
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        os.close(self._errors)


class _Exchange:
    """One job on its way: reads the child's pipes until the server reports its death."""

    def __init__(self, server: _Server, request: _Request):
        self.server, self.limits = server, request.limits
        self.outputs = request.outputs
        self.job = server.next_id()
        self.result, self.log = bytearray(), bytearray()
        self.logged = 0
        self.killed = False
        self._result_end, result = os.pipe2(os.O_CLOEXEC)
        self._log_end, log = os.pipe2(os.O_CLOEXEC)
        limits = {"wall": self.limits.wall, "cpu": self.limits.cpu, "memory": self.limits.memory}
        self.begun = time.monotonic()
        try:
            server.send({"job": self.job, "limits": limits}, [request.payload, self.outputs.fd, result, log, *request.inputs])
        finally:
            os.close(result)
            os.close(log)

    def run(self) -> Outcome:
        try:
            end = self._follow()
            return _judge(self, end)
        finally:
            os.close(self._result_end)
            os.close(self._log_end)

    def _follow(self) -> dict[str, Any]:
        poll = select.poll()
        for fd in (self.server.fileno(), self._result_end, self._log_end):
            poll.register(fd, select.POLLIN)
        deadline = self.begun + self.limits.wall + GRACE_SECONDS
        while True:
            ready = [fd for fd, _ in poll.poll(max(0.0, deadline - time.monotonic()) * 1000)]
            if not ready:
                raise _ServerLost("the server did not end a job in time")
            for fd in ready:
                if fd == self.server.fileno():
                    message = self.server.next_message()
                    if message.get("job") == self.job:
                        self._drain()
                        return message
                elif not self._read(fd):
                    poll.unregister(fd)

    def _read(self, fd: int) -> bool:
        data = os.read(fd, 1 << 16)
        if fd == self._log_end:
            self.logged += len(data)
            self.log += data[: max(0, self.limits.log - len(self.log))]
            if self.logged > FLOOD:
                self._kill("output")
        else:
            room = self.limits.claim + HEADER.size + 1 - len(self.result)
            self.result += data[: max(0, room)]
            if len(data) > room:
                self._kill("result")
        return bool(data)

    def _drain(self) -> None:
        for fd in (self._result_end, self._log_end):
            os.set_blocking(fd, False)
            with contextlib.suppress(BlockingIOError):
                while self._read(fd):
                    pass

    def _kill(self, why: str) -> None:
        if not self.killed:
            self.killed = True
            self.server.send({"kill": self.job, "why": why}, [])


def _judge(exchange: _Exchange, end: Mapping[str, Any]) -> Outcome:
    wall = time.monotonic() - exchange.begun
    measured = {"log": clean(exchange.log.decode("utf-8", "replace"), 1 << 20), "wall": wall, "cpu": end["cpu"], "peak": end["peak"]}
    if end["killed"] or end["status"]:
        return Outcome(None, {}, _ending(exchange, end), **measured)
    try:
        kind, body = decode(bytes(exchange.result), exchange.limits.claim)
        if kind == FAILURE:
            return Outcome(None, {}, read_failure(body), **measured)
    except FrameError as error:
        return Outcome(None, {}, Failure(_place(exchange), "BadResult", f"{error}; return plain finite JSON once"), **measured)
    return Outcome(body, exchange.outputs.arrays(), None, **measured)


def _place(exchange: _Exchange) -> str:
    mark = exchange.outputs.mark()
    return PLACES[mark - 1] if 0 < mark <= len(PLACES) else "limits"


def _ending(exchange: _Exchange, end: Mapping[str, Any]) -> Failure:
    limits, place = exchange.limits, _place(exchange)
    signalled = os.WTERMSIG(end["status"]) if os.WIFSIGNALED(end["status"]) else 0
    if end["killed"] == "wall":
        return Failure(place, "WallLimit", f"ran past {limits.wall:g} s of wall clock; do less work per frame, or stop a loop that never ends")
    if end["killed"]:
        return Failure(place, "OutputLimit", "printed or returned too much; print less and return plain small values")
    if signalled == signal.SIGXCPU:
        return Failure(place, "CpuLimit", f"used more than {limits.cpu:g} s of CPU; do less work per frame")
    if signalled:
        return Failure(place, "Crash", f"the process died of {signal.Signals(signalled).name}; a native library was misused or memory ran out")
    return Failure(place, "Exit", f"the process ended with code {os.WEXITSTATUS(end['status'])} and no result; return a value instead of exiting")
