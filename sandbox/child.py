"""One job in one process: lock down, take a job, seal, only then load the candidate; answer with one frame, exit."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sandbox import kernel, limits, marks, wire
from sandbox.contract import Limits
from sandbox.lockdown import ChildLock
from sandbox.memory import Slot
from sandbox.programs import LoadedPrograms, describe
from sandbox.protocol import CLAIM, FAILURE, HEADER, encode
from sandbox.routines import Routine

CONTROL = 3
FAILED_CLOSED = 98


@dataclass(frozen=True)
class Heritage:
    """What a child needs of its server. pid: of the server. size: its address space in bytes."""

    pid: int
    size: int
    lock: ChildLock
    routines: Mapping[str, Routine]


def main(control: socket.socket, server: Heritage, spare: bool) -> None:
    """Serve the one job that arrives on ``control``; runs in a fresh fork of the server and never returns.

    spare: no job is waiting yet, so there is time to prepare.
    """
    try:
        signal.set_wakeup_fd(-1)
        os.setsid()
        control = _keep_only(control)
    except BaseException as error:
        _refuse(control.fileno(), error)
    serve(control, server, {}, spare)


def serve(control: socket.socket, server: Heritage, report: Mapping[str, Any], spare: bool) -> None:
    """Lock, say so with ``report``, take the job, seal, run. Never returns."""
    talk = control.fileno()
    try:
        server.lock.close(server.pid)
        os.write(talk, wire.LOCKED + json.dumps(report).encode() + b"\n")
        if spare:
            _rehearse()
        message, fds = wire.receive(control)
        if not message:
            os._exit(0)                               # the server has gone
        work = _Work(message["limits"], fds, server)
        os.write(talk, wire.SEALED + b"\n")
        control.close()
    except BaseException as error:
        _refuse(talk, error)
    work.finish()


def _keep_only(control: socket.socket) -> socket.socket:
    """Descriptors 0 to 2 and the control socket stay, nothing else that the server holds."""
    os.dup2(control.detach(), CONTROL, inheritable=False)
    os.closerange(CONTROL + 1, 1 << 20)
    return socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, fileno=CONTROL)


def _refuse(talk: int, error: BaseException) -> None:
    """Fail closed: tell the server why and end without having seen a line of the candidate."""
    try:
        os.write(talk, wire.REFUSED + f"{type(error).__name__}: {error}".replace("\n", " ").encode()[:500] + b"\n")
    finally:
        os._exit(FAILED_CLOSED)


def _rehearse() -> None:
    """Go through the motions of a job: pages that a fork shares are copied at first touch, which takes time."""
    LoadedPrograms({"dynamics": "import numpy\ndef f(*_):\n    return {}\n"}).function("dynamics", "f")()
    json.loads(json.dumps({"inputs": [[0, ["a", [2, 2], "<f8", 0]]] * 8, "text": "x" * 4096}))
    encode(CLAIM, {"value": [0.0] * 64})
    Slot.from_json(["a", [2, 2], "<f8", 0]).view(bytearray(32))
    random.seed(0)


class _Work:
    """A job that has arrived: memory mapped, limits set, doors sealed."""

    def __init__(self, caps: dict[str, Any], fds: list[int], server: Heritage):
        payload, out, self.result, log, *inputs = fds
        os.dup2(log, 1, inheritable=False)
        os.dup2(log, 2, inheritable=False)
        sizes = {fd: os.lseek(fd, 0, os.SEEK_END) for fd in (payload, out, *inputs)}
        maps = {fd: kernel.map_file(fd, sizes[fd], writable=fd == out) for fd in sizes}
        for fd in (log, *sizes):
            os.close(fd)
        self.header = json.loads(bytes(maps[payload]))
        self.caps = Limits(**caps["shown"])
        self.inputs = {slot.name: slot.view(maps[inputs[i]]) for i, slot in ((i, Slot.from_json(s)) for i, s in self.header["inputs"])}
        self.outputs = {slot.name: slot.view(maps[out]) for slot in map(Slot.from_json, self.header["outputs"])}
        self.routine = server.routines[self.header["routine"]]
        marks.observe(_marker(maps[out]))
        self._last_words = {kind: _last_words(kind, self.caps) for kind in limits.KINDS}
        random.seed(0)                                # Python seeds it anew at every fork; the other generators were seeded
        if server.lock.posture.limited:
            limits.forbid_descriptors(self.result)
            limits.apply(self.caps.wall, self.caps.cpu, server.size + sum(sizes.values()) + caps["memory"], caps["processes"])
        server.lock.seal()

    def finish(self) -> None:
        """Run the candidate, write the frame, and stop: the server kills a stopped child, and nobody waits for its exit."""
        code = 1
        try:
            _write(self.result, self._whole_frame())
            os.close(self.result)
            sys.stdout.flush()
            signal.raise_signal(signal.SIGSTOP)
            code = 0                                  # only where stopping itself is forbidden
        finally:
            os._exit(code)

    def _whole_frame(self) -> bytes:
        """The frame, or a small one that was made ready when there is no memory or time left to make it."""
        try:
            return self._frame()
        except MemoryError:
            return self._last_words["MemoryLimit"]
        except limits.Overrun as error:
            return self._last_words[error.kind]

    def _frame(self) -> bytes:
        try:
            frame = encode(CLAIM, self.routine(LoadedPrograms(self.header["programs"]), self.inputs, self.header["payload"], self.outputs))
            if len(frame) <= self.caps.claim + HEADER.size:
                return frame
            raise limits.Overrun("OutputLimit")
        except BaseException as error:
            return encode(FAILURE, describe(error, self.caps))


def _last_words(kind: str, caps: Limits) -> bytes:
    return encode(FAILURE, {"stage": "limits", "kind": kind, "message": limits.sentence(kind, caps), "traceback": ""})


def _marker(memory: memoryview) -> Any:
    """Keep the number of the running stage where the host can see it after a kill."""

    def mark(name: str | None) -> None:
        memory[0] = 0 if name is None else 1 + marks.PLACES.index(name)

    return mark


def _write(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
