"""One job in one process: lock down, take a job, seal, only then load the candidate; answer with one frame, exit."""

from __future__ import annotations

import json
import os
import random
import socket
import sys
from collections.abc import Mapping
from typing import Any

from sandbox import kernel, limits, marks, wire
from sandbox.contract import Limits
from sandbox.lockdown import ChildLock
from sandbox.memory import Slot
from sandbox.programs import LoadedPrograms, describe
from sandbox.protocol import CLAIM, FAILURE, HEADER, encode
from sandbox.routines import Routine

CONTROL = 3
LOCKED, SEALED, REFUSED = b"L", b"S", b"!"
FAILED_CLOSED = 98


def main(control: socket.socket, lock: ChildLock, server: int, size: int, routines: Mapping[str, Routine]) -> None:
    """Serve the one job that arrives on ``control``; runs in a fresh fork of the server and never returns.

    server: its pid. size: its address space in bytes.
    """
    try:
        control = _isolate(control)
        lock.close(server)
        os.write(CONTROL, LOCKED)
        message, fds = wire.receive(control)
        if not message:
            os._exit(0)                               # the server has gone
        work = _Work(message["limits"], fds, size, routines, lock)
        os.write(CONTROL, SEALED)
        control.close()
    except BaseException as error:
        _refuse(error)
    work.finish()


def _isolate(control: socket.socket) -> socket.socket:
    """Own session; descriptors 0 to 2 and the control socket, nothing else that the server holds."""
    os.setsid()
    os.dup2(control.detach(), CONTROL, inheritable=False)
    os.closerange(CONTROL + 1, 1 << 20)
    return socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET, fileno=CONTROL)


def _refuse(error: BaseException) -> None:
    """Fail closed: tell the server why and end without having seen a line of the candidate."""
    try:
        os.write(CONTROL, REFUSED + f"{type(error).__name__}: {error}".encode()[:500])
    finally:
        os._exit(FAILED_CLOSED)


class _Work:
    """A job that has arrived: memory mapped, limits set, doors sealed."""

    def __init__(self, caps: dict[str, Any], fds: list[int], size: int, routines: Mapping[str, Routine], lock: ChildLock):
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
        self.routine = routines[self.header["routine"]]
        marks.observe(_marker(maps[out]))
        self._no_memory = encode(FAILURE, describe(MemoryError(), self.caps))
        _seed()
        if lock.posture.limited:
            limits.forbid_descriptors(self.result)
            limits.apply(self.caps.wall, self.caps.cpu, size + sum(sizes.values()) + caps["memory"], caps["processes"])
        lock.seal()

    def finish(self) -> None:
        """Run the candidate, write the frame, exit."""
        code = 1
        try:
            try:
                frame = self._frame()
            except MemoryError:
                frame = self._no_memory
            _write(self.result, frame)
            sys.stdout.flush()
            code = 0
        finally:
            os._exit(code)

    def _frame(self) -> bytes:
        try:
            frame = encode(CLAIM, self.routine(LoadedPrograms(self.header["programs"]), self.inputs, self.header["payload"], self.outputs))
            if len(frame) <= self.caps.claim + HEADER.size:
                return frame
            raise limits.Overrun("OutputLimit")
        except BaseException as error:
            return encode(FAILURE, describe(error, self.caps))


def _marker(memory: memoryview) -> Any:
    """Keep the number of the running stage where the host can see it after a kill."""

    def mark(name: str | None) -> None:
        memory[0] = 0 if name is None else 1 + marks.PLACES.index(name)

    return mark


def _seed() -> None:
    """The same random numbers in every child, for programs that use a global generator."""
    random.seed(0)
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed(0)
    if "cv2" in sys.modules:
        sys.modules["cv2"].setRNGSeed(0)


def _write(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
