"""One job in one process: lock down, take a job, seal, only then load the candidate; answer with
one frame, exit."""

from __future__ import annotations

import contextlib
import json
import os
import random
import resource
import signal
import socket
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sandbox import kernel, limits, memory, stage_tracker, wire
from sandbox.contract import Limits
from sandbox.lockdown import ChildLock
from sandbox.memory import Slot, anonymous_file
from sandbox.programs import LoadedPrograms, describe
from sandbox.protocol import CLAIM, FAILURE, HEADER, encode
from sandbox.routines import Routine

CONTROL = 3
FAILED_CLOSED = 98
_NEVER = 1e9
"""Seconds of processor time, and processes, that a waiting spare may use: no cap at all, until the
job brings its own."""


@dataclass(frozen=True)
class Heritage:
    """What a child needs of its server. pid: of the server. size: its address space in bytes."""

    pid: int
    size: int
    lock: ChildLock
    routines: Mapping[str, Routine]


def main(control: socket.socket, server: Heritage, spare: bool) -> None:
    """Serve the one job that arrives on ``control``; runs in a fresh fork of the server and never
    returns.

    spare: no job is waiting yet, so there is time to prepare.
    """
    try:
        signal.set_wakeup_fd(-1)
        os.setsid()
        control = keep_only(control)
        if spare:
            _rehearse(server)
    except BaseException as error:
        _refuse(control.fileno(), error)
    serve(control, server, {})


def serve(control: socket.socket, server: Heritage, report: Mapping[str, Any]) -> None:
    """Lock, say so with ``report``, take the job, seal, run. Never returns."""
    talk = control.fileno()
    try:
        server.lock.close(server.pid)
        os.write(talk, wire.LOCKED + json.dumps(report).encode() + b"\n")
        message, fds = wire.receive(control)
        if not message:
            os._exit(0)  # the server has gone
        work = _Work(message["caps"], fds, server)
        work.seal(server, message["processes"])
        os.write(talk, wire.SEALED + b"\n")
        control.close()
    except BaseException as error:
        _refuse(talk, error)
    work.finish()


def keep_only(control: socket.socket) -> socket.socket:
    """Descriptors 0 to 2 and the control socket stay, nothing else that this process was born with
    or has opened."""
    os.dup2(control.detach(), CONTROL, inheritable=False)
    os.closerange(CONTROL + 1, limits.MAX_DESCRIPTORS)
    return socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, fileno=CONTROL)


def _refuse(talk: int, error: BaseException) -> None:
    """Fail closed: tell the server why and end without having seen a line of the candidate."""
    try:
        os.write(
            talk,
            wire.REFUSED
            + f"{type(error).__name__}: {error}".replace("\n", " ").encode()[:500]
            + b"\n",
        )
    finally:
        os._exit(FAILED_CLOSED)


def _rehearse(server: Heritage) -> None:
    """Go through the motions of a job before one comes: pages shared with the server are copied at
    first touch, which takes most of a small job's time."""
    slot = ["a", [2, 2], "<f8", 64]
    header: dict[str, Any] = {
        "routine": "idle",
        "programs": {"dynamics": "import numpy\ndef f(*_):\n    return {}\n"},
        "payload": {},
    }
    files = [
        memory.sealed(json.dumps(header | {"inputs": [[0, slot]], "outputs": [slot]}).encode()),
        *(anonymous_file("try", 256) for _ in range(3)),
    ]
    work = _Work(asdict(Limits()), [files[0], files[1], 2, 2, files[2]], server)
    LoadedPrograms(header["programs"]).function("dynamics", "f")()
    encode(CLAIM, work.routine(None, work.inputs, {}, work.outputs))
    resource.setrlimit(resource.RLIMIT_NOFILE, resource.getrlimit(resource.RLIMIT_NOFILE))
    limits.apply(_NEVER, sys.maxsize, int(_NEVER))
    random.seed(0)
    server.lock.rehearse()
    os.close(files[3])


class _Work:
    """A job that has arrived, mapped into memory. caps: its Limits as a dict. fds: payload,
    outputs, result, log, inputs."""

    def __init__(self, caps: Mapping[str, Any], fds: Sequence[int], server: Heritage):
        payload, out, self.result, self._log, *inputs = fds
        self._sizes = {fd: os.lseek(fd, 0, os.SEEK_END) for fd in (payload, out, *inputs)}
        maps = {
            fd: kernel.map_file(fd, size, writable=fd == out) for fd, size in self._sizes.items()
        }
        for fd in self._sizes:
            os.close(fd)
        self.header = json.loads(bytes(maps[payload]))
        self.caps = Limits(**caps)
        self.inputs = {
            slot.name: slot.view(maps[inputs[i]])
            for i, slot in ((i, Slot.from_json(s)) for i, s in self.header["inputs"])
        }
        self.outputs = {
            slot.name: slot.view(maps[out]) for slot in map(Slot.from_json, self.header["outputs"])
        }
        self.routine = server.routines[self.header["routine"]]
        self._marks = maps[out]
        self._no_memory = _last_words("MemoryLimit", self.caps)

    def seal(self, server: Heritage, processes: int) -> None:
        """Turn output to the job's log, set its limits and close the last doors; the candidate
        comes next.

        processes: how many this user may have, this one's threads included.
        """
        os.dup2(self._log, 1, inheritable=False)
        os.dup2(self._log, 2, inheritable=False)
        os.close(self._log)
        stage_tracker.observe(_marker(self._marks))
        random.seed(0)  # Python seeds it anew at every fork; the other generators were seeded
        if server.lock.posture.limited:
            limits.forbid_descriptors(self.result)
            memory = (
                server.size + sum(self._sizes.values()) + self.caps.memory if server.size else None
            )
            limits.apply(self.caps.cpu, memory, processes)
        server.lock.seal()

    def finish(self) -> None:
        """Run the candidate, write the frame, and stop: the server kills a stopped child, and
        nobody waits for its exit."""
        code = 1
        try:
            frame = self._whole_frame()
            signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGALRM, signal.SIGXCPU))
            _write(self.result, frame)
            os.close(self.result)
            _flush()
            signal.raise_signal(signal.SIGSTOP)
            code = 0  # only where stopping itself is forbidden
        finally:
            os._exit(code)

    def _whole_frame(self) -> bytes:
        """The frame, or a small one that was made ready when there is no memory or time left to
        make it."""
        try:
            return self._frame()
        except MemoryError:
            return self._no_memory
        except limits.Overrun as error:
            return _last_words(error.kind, self.caps)

    def _frame(self) -> bytes:
        try:
            frame = encode(
                CLAIM,
                self.routine(
                    LoadedPrograms(self.header["programs"]),
                    self.inputs,
                    self.header["payload"],
                    self.outputs,
                ),
            )
            if len(frame) <= self.caps.claim + HEADER.size:
                return frame
            raise limits.Overrun("OutputLimit")
        except BaseException as error:
            return encode(FAILURE, describe(error, self.caps))


def _flush() -> None:
    """Send what was printed and not yet sent; a program may have put anything in the place of
    standard output."""
    with contextlib.suppress(Exception):
        sys.stdout.flush()


def _last_words(kind: str, caps: Limits) -> bytes:
    return encode(
        FAILURE,
        {"stage": "limits", "kind": kind, "message": limits.sentence(kind, caps), "traceback": ""},
    )


def _marker(memory: memoryview) -> Any:
    """Keep the number of the running stage where the host can see it after a kill."""

    def mark(name: str | None) -> None:
        memory[0] = 0 if name is None else 1 + stage_tracker.PLACES.index(name)

    return mark


def _write(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
