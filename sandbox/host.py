"""The host's side: starts warm servers, sends jobs, reads answers, and tells the three kinds of
failure apart."""

from __future__ import annotations

import contextlib
import itertools
import json
import math
import os
import queue
import select
import socket
import subprocess
import threading
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from typing import Any

import numpy as np

from sandbox import boot, cgroup, limits, wire
from sandbox.awake import AwakeClock
from sandbox.contract import Job, Limits, Outcome, SandboxError
from sandbox.lockdown import MODES, PROFILES, START, THREADS, Layer, Posture
from sandbox.memory import Outputs, SharedArray, Slot, anonymous_file, layout, pack, sealed
from sandbox.protocol import HEADER, clean
from sandbox.verdict import Ending, judge
from tools.errors import ProggenError

ENVIRONMENT = {
    "LANG": "C.UTF-8",
    "PATH": os.defpath,
    "HOME": "/",
    "PYTHONHASHSEED": "0",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "NUMEXPR_NUM_THREADS": "1",
    "VECLIB_MAXIMUM_THREADS": "1",
    "MALLOC_ARENA_MAX": "2",
    "JAX_PLATFORMS": "cpu",
}
"""The whole environment of a server; the host's variables never cross."""
PASSED_ON = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
START_SECONDS = 300.0
GRACE_SECONDS = 40.0
"""How much longer than its wall clock a job may take until the server is taken for lost; the server
itself is stricter."""
MAX_PAYLOAD = 64 << 20
_SERVERS = {"fork": "sandbox.server", "spawn": "sandbox.spawner"}
_slots = itertools.count(os.getpid() * 16 % 5000)


class Sandbox:
    """A pool of warm servers, each with one job at a time. Use as a context manager; any thread may
    call it.

    workers: number of servers. mode: "strict" (system call filter and resource limits), or
    "strict+" (also namespaces, Landlock, a user id and a control group of its own, as far as this
    machine has them). "landlock-only", "rlimits-only" and "none" do not hold hostile programs: ask
    for them by name, and name them in every report. spares: children that each server keeps forked
    and locked in advance. profile: "plain" (one thread), or "threads" (threads of the same process
    and compiled code, for JAX). start: "fork" (children of a warm server), or "spawn" (fresh
    processes, for systems where a loaded process must not fork). Servers start at once, in the
    background.
    """

    def __init__(
        self,
        workers: int = 1,
        mode: str = "strict",
        spares: int = 2,
        profile: str = "plain",
        start: str = START,
    ):
        _check_options(workers, mode, profile, start)
        self._pool = ThreadPoolExecutor(workers, "sandbox")
        self._all = [
            _Server(Posture(mode, profile, next(_slots) % 5000), spares, workers, start)
            for _ in range(workers)
        ]
        self._free: queue.SimpleQueue[_Server] = queue.SimpleQueue()
        self._closed = False
        for server in self._all:
            self._free.put(server)

    @property
    def mode(self) -> str:
        """The mode in force: "strict+" only where at least one barrier beyond "strict" is up. Waits
        for the first server."""
        wanted, active = self._all[0].posture.mode, any(layer.active for layer in self.layers)
        return "strict" if wanted == "strict+" and not active else wanted

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The barriers beyond "strict", active or not, as the first server found them."""
        report = self._report()
        return (*(Layer(**layer) for layer in report["layers"]), *self._all[0].group_layer)

    @property
    def missing(self) -> dict[str, str]:
        """Modules and routines that the server could not load, with the reason."""
        report = self._report()
        missing: dict[str, str] = report["missing"] | report["unavailable"]
        return missing

    def share(self, array: np.ndarray) -> SharedArray:
        """Copy ``array`` once into a sealed memory file that any number of jobs may take as an
        input."""
        return SharedArray(array)

    def run(self, job: Job) -> Outcome:
        """Run one job in a fresh child.

        Raises ValueError when the job is malformed and SandboxError when the sandbox cannot start,
        or failed on this job twice, the second time on a new server.
        """
        if self._closed:
            raise ValueError(
                "Sandbox.run: expected an open sandbox, got a closed one; make a new one"
            )
        request = Request(job)
        server = self._free.get()
        try:
            return self._try_twice(server, request)
        finally:
            self._free.put(server)
            request.close()

    def map(self, jobs: Iterable[Job]) -> list[Outcome]:
        """Run jobs in parallel over the servers; outcomes in the order of the jobs."""
        return list(self._pool.map(self.run, jobs))

    def close(self) -> None:
        """Stop every server and child; jobs that still run end with SandboxError."""
        self._closed = True
        for server in self._all:
            server.stop()
        self._pool.shutdown()

    def pids(self) -> list[int]:
        """Process ids of the servers, for monitoring."""
        return [server.pid for server in self._all]

    def _report(self) -> dict[str, Any]:
        try:
            return self._all[0].report()
        except ServerLost as error:
            raise SandboxError(
                "sandbox", "a server that starts", str(error), "see `run-agent doctor`"
            ) from None

    def _try_twice(self, server: _Server, request: Request) -> Outcome:
        try:
            return server.run(request)
        except ServerLost as error:
            first = error
        if self._closed:
            raise SandboxError("the sandbox was closed while a job was running")
        server.restart()
        try:
            return server.run(request)
        except ServerLost as second:
            raise SandboxError(
                "sandbox",
                "a job that ends",
                f"a server that failed twice: {first}; then: {second}",
                "see `run-agent doctor`",
            ) from None

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _check_options(workers: int, mode: str, profile: str, start: str) -> None:
    if workers < 1:
        raise ValueError(f"workers: expected at least 1, got {workers}")
    if mode not in MODES:
        raise ValueError(f"mode: expected one of {', '.join(MODES)}, got {mode!r}")
    if profile not in PROFILES:
        raise ValueError(f"profile: expected one of {', '.join(PROFILES)}, got {profile!r}")
    if start not in _SERVERS:
        raise ValueError(f"start: expected one of {', '.join(_SERVERS)}, got {start!r}")


class ServerLost(ProggenError):
    """A server died, or stopped making sense. Leads to one retry on a new server."""


# --------------------------------------------------------------------------------------------------


class Request:
    """A job made ready to send: everything checked, payload and inputs in sealed memory files."""

    def __init__(self, job: Job):
        _check_limits(job.limits)
        self.routine, self.limits = job.routine, job.limits
        self.slots, self.output_bytes = layout(job.outputs)
        scratch = (slot.offset for slot in self.slots if job.outputs[slot.name].scratch)
        self.reserved = min(scratch, default=self.output_bytes)
        shared = {
            name: value for name, value in job.inputs.items() if isinstance(value, SharedArray)
        }
        own = {name: value for name, value in job.inputs.items() if name not in shared}
        if len(shared) > wire.MAX_FDS - 8:
            raise ValueError(
                f"inputs: expected at most {wire.MAX_FDS - 8} shared arrays, got {len(shared)}; "
                "stack them into one"
            )
        packed, slots = pack(own)
        self.inputs = [*(array.fd for array in shared.values()), *packed]
        header = {
            "routine": job.routine,
            "programs": dict(job.programs.items()) if job.programs else {},
            "payload": dict(job.payload),
            "inputs": [
                [i, Slot(name, a.slot.shape, a.slot.dtype, 0).to_json()]
                for i, (name, a) in enumerate(shared.items())
            ]
            + [[len(shared), slot.to_json()] for slot in slots],
            "outputs": [slot.to_json() for slot in self.slots],
        }
        self._own = packed
        try:
            self.payload = sealed(_as_json(header))
        except ValueError:
            self.close()
            raise
        self._own = [*packed, self.payload]

    def close(self) -> None:
        """Close the descriptors; shared arrays stay the caller's."""
        for fd in self._own:
            os.close(fd)


def _as_json(header: dict[str, Any]) -> bytes:
    try:
        data = json.dumps(header, allow_nan=False).encode()
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"Job.payload: expected finite JSON, got {error}; convert arrays to inputs and NaN to "
            "None"
        ) from None
    if len(data) > MAX_PAYLOAD:
        raise ValueError(
            f"Job: expected at most {MAX_PAYLOAD} bytes of sources and payload, got {len(data)}; "
            "pass arrays as inputs"
        )
    return data


def _check_limits(caps: Limits) -> None:
    for name, value in vars(caps).items():
        if not (isinstance(value, (int, float)) and math.isfinite(value) and value > 0):
            raise ValueError(f"Limits.{name}: expected a positive number, got {value!r}")


# --------------------------------------------------------------------------------------------------


class _Server:
    """One warm server process and the host's end of its socket. Used by one thread at a time, but
    for ``stop``."""

    def __init__(self, posture: Posture, spares: int, workers: int, start: str):
        self.posture, self._spares, self._start_by = posture, spares, start
        self._memory = limits.fair_memory(1 << 62, workers)
        self._jobs = itertools.count(1)
        self._lifecycle, self._reading = threading.Lock(), threading.Lock()
        self._stopped = False
        self._report: dict[str, Any] | None = None
        self.group_layer: tuple[Layer, ...] = ()
        self._group: cgroup.Group | None = None
        self._control: socket.socket
        self._process: subprocess.Popen[bytes]
        self._start()

    @property
    def pid(self) -> int:
        return self._process.pid

    def report(self) -> dict[str, Any]:
        """What the server said when it was warm; raises SandboxError when it cannot do what was
        asked."""
        with self._reading:
            if self._report is None:
                report = self._next(time.monotonic() + START_SECONDS)
                if "problem" in report:
                    raise SandboxError(
                        f"the sandbox cannot start in mode {self.posture.mode}",
                        "all that the mode needs",
                        report["problem"],
                        "see `run-agent doctor`, or accept a weaker mode with --unsafe-sandbox",
                    )
                self._report = report
            return self._report

    def run(self, request: Request) -> Outcome:
        """Send the job and follow it to its end."""
        report = self.report()
        if request.routine not in report["routines"]:
            reason = report["unavailable"].get(request.routine)
            known = f"one of {', '.join(report['routines'])}"
            raise ValueError(
                f"Job.routine: expected {known}, got {request.routine!r}"
                + (f" (not available: {reason})" if reason else "")
            )
        exchange = _Exchange(self, request, self._caps(request.limits, report["processes"]))
        try:
            return exchange.run()
        except BaseException:
            exchange.abandon()
            raise
        finally:
            exchange.close()

    def send(self, message: dict[str, Any], fds: Iterable[int] = ()) -> None:
        try:
            wire.send(self._control, message, list(fds))
        except OSError as error:
            raise ServerLost(f"the server is gone ({error.strerror}){self._last_words()}") from None

    def receive(self) -> dict[str, Any]:
        message, _ = wire.receive(self._control)
        if not message:
            raise ServerLost("the server is gone" + self._last_words())
        return message

    def fileno(self) -> int:
        return self._control.fileno()

    def next_job(self) -> int:
        return next(self._jobs)

    def restart(self) -> None:
        """A new process in place of a lost one."""
        with self._lifecycle:
            if not self._stopped:
                self._end()
                self._start()

    def stop(self) -> None:
        """End the process and everything it forked, for good."""
        with self._lifecycle:
            if not self._stopped:
                self._stopped = True
                self._end()

    def _start(self) -> None:
        self._report, self.group_layer, self._group = None, (), None
        self._control, theirs = wire.pair()
        self._errors = anonymous_file("errors", 0)
        host = _own_descriptor()
        try:
            self._process = subprocess.Popen(
                [
                    *boot.command(_SERVERS[self._start_by]),
                    "--control",
                    str(theirs.fileno()),
                    "--host",
                    str(host),
                    "--spares",
                    str(self._spares),
                    "--posture",
                    json.dumps(asdict(self.posture)),
                ],
                env=ENVIRONMENT | {key: os.environ[key] for key in PASSED_ON if key in os.environ},
                cwd="/",
                start_new_session=True,
                stdin=subprocess.DEVNULL,
                stdout=self._errors,
                stderr=self._errors,
                pass_fds=(theirs.fileno(), *([host] if host >= 0 else [])),
            )
            wire.tie(theirs, self._process.pid)
        finally:
            theirs.close()
            if host >= 0:
                os.close(host)
        if self.posture.mode == "strict+":
            self._enter_group()

    def _enter_group(self) -> None:
        try:
            self._group = cgroup.make(
                self._memory, 64 + THREADS * (self.posture.profile == "threads")
            )
            self._group.add(self._process.pid)
            where = ", ".join(str(folder.parent) for folder in self._group.folders)
            self.group_layer = (
                Layer(
                    "control group",
                    True,
                    f"{self._memory >> 20} MiB and a cap on processes, under {where}",
                ),
            )
        except OSError as error:
            self.group_layer = (Layer("control group", False, error.strerror or str(error)),)

    def _caps(self, caps: Limits, processes: int) -> dict[str, Any]:
        return {
            "caps": vars(caps) | {"memory": min(int(caps.memory), self._memory)},
            "processes": processes,
        }

    def _next(self, deadline: float) -> dict[str, Any]:
        if not select.select([self._control], [], [], max(0.0, deadline - time.monotonic()))[0]:
            raise ServerLost("the server does not answer" + self._last_words())
        return self.receive()

    def _last_words(self) -> str:
        words = clean(
            os.pread(self._errors, 1 << 16, 0).decode("utf-8", "replace"), 1 << 16
        ).strip()
        return f": {words.splitlines()[-1][:500]}" if words else ""

    def _end(self) -> None:
        with contextlib.suppress(OSError):
            self._control.shutdown(socket.SHUT_RDWR)  # wakes a thread that waits for an answer
        try:
            self._process.wait(3.0)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._group:
            self._group.remove()
        self._control.close()
        os.close(self._errors)


def _own_descriptor() -> int:
    """A descriptor that is readable when this process has ended, -1 where the system has none."""
    try:
        return os.pidfd_open(os.getpid())
    except (AttributeError, OSError):
        return -1


# --------------------------------------------------------------------------------------------------


class _Exchange:
    """One job on its way: reads the child's two pipes until the server reports its death. Nothing
    is believed before."""

    def __init__(self, server: _Server, request: Request, caps: dict[str, Any]):
        self._server, self._limits = server, request.limits
        self._job = server.next_job()
        self._outputs = Outputs(request.slots, request.output_bytes, request.reserved)
        self._result, self._log = bytearray(), bytearray()
        self._logged = 0
        self._killed = False
        self._pipes = [*os.pipe(), *os.pipe()]
        result_end, result, log_end, log = self._pipes
        fds = [request.payload, self._outputs.fd, result, log, *request.inputs]
        try:
            server.send({"job": self._job, "writes": bool(request.slots), **caps}, fds)
        finally:
            os.close(result)
            os.close(log)
            self._pipes = [result_end, log_end]

    def run(self) -> Outcome:
        """Follow the child to its death, then judge what it left."""
        end = self._follow()
        if not end["sealed"]:
            raise ServerLost(
                "a child did not get as far as the candidate "
                f"({end['said'] or end['killed'] or end['status']})"
            )
        ending = Ending(
            end["status"],
            end["killed"],
            bytes(self._result),
            bytes(self._log),
            self._outputs.mark(),
            end["wall"],
            end["cpu"],
            end["peak"],
        )
        return judge(ending, self._limits, self._outputs)

    def abandon(self) -> None:
        """The caller has been interrupted: leave no child behind."""
        with contextlib.suppress(ServerLost):
            self._kill("abandoned")

    def close(self) -> None:
        for fd in self._pipes:
            os.close(fd)
        self._outputs.close()

    def _follow(self) -> dict[str, Any]:
        poll = select.poll()
        for fd in (self._server.fileno(), *self._pipes):
            poll.register(fd, select.POLLIN)
        clock = AwakeClock()
        deadline = clock.now() + self._limits.wall + GRACE_SECONDS
        while True:
            ready = [fd for fd, _ in poll.poll(clock.wait(deadline))]
            if not ready and clock.now() >= deadline:
                raise ServerLost("the server did not end a job in time")
            for fd in ready:
                if fd == self._server.fileno():
                    message = self._server.receive()
                    if message["job"] == self._job:
                        self._drain()
                        return message
                elif not self._read(fd):
                    poll.unregister(fd)

    def _read(self, fd: int) -> bool:
        data = os.read(fd, 1 << 16)
        if fd == self._pipes[1]:
            self._logged += len(data)
            self._log += data[: max(0, self._limits.log - len(self._log))]
            if self._logged > limits.FLOOD:
                self._kill("OutputLimit")
        else:
            room = self._limits.claim + HEADER.size + 1 - len(self._result)
            self._result += data[: max(0, room)]
            if len(data) >= room:
                self._kill("OutputLimit")
        return bool(data)

    def _drain(self) -> None:
        for fd in self._pipes:
            os.set_blocking(fd, False)
            with contextlib.suppress(BlockingIOError):
                while self._read(fd):
                    pass

    def _kill(self, why: str) -> None:
        if not self._killed:
            self._killed = True
            self._server.send({"kill": self._job, "why": why})
