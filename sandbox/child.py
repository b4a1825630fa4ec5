"""One job in one process: lock down, load, run, answer with one frame, exit. Never returns."""

from __future__ import annotations

import array
import json
import mmap
import os
import socket
import sys
from typing import Any

from sandbox import marks
from sandbox.memory import Slot
from sandbox.programs import LoadedPrograms, describe
from sandbox.protocol import CLAIM, FAILURE, HEADER, encode
from sandbox.routines import ROUTINES

CONTROL = 3
MAX_FDS = 250


def main(control: socket.socket) -> None:
    """Serve the one job that arrives on ``control`` and exit; runs in a fresh fork of the warm server."""
    code = 98
    try:
        control = _isolate(control)
        job, fds = _receive(control)
        code = _serve(job, fds)
    finally:
        os._exit(code)


def _isolate(control: socket.socket) -> socket.socket:
    os.setsid()
    os.dup2(control.fileno(), CONTROL)
    os.closerange(CONTROL + 1, 1 << 20)
    control.detach()
    return socket.socket(fileno=CONTROL)


def _receive(control: socket.socket) -> tuple[dict[str, Any], list[int]]:
    fds = array.array("i")
    data, ancillary, _, _ = control.recvmsg(1 << 16, socket.CMSG_SPACE(MAX_FDS * fds.itemsize))
    if not data:
        os._exit(0)                                  # the server has gone, or does not need this spare
    for level, kind, payload in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            fds.frombytes(payload[: len(payload) - len(payload) % fds.itemsize])
    control.close()
    return json.loads(data), list(fds)


def _serve(job: dict[str, Any], fds: list[int]) -> int:
    payload, out, result, log, *inputs = fds
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)
    header = json.loads(_mapped(payload, writable=False)[:])
    memory = _mapped(out, writable=True)
    marks.observe(lambda name: _mark(memory, name))
    arrays = {slot.name: slot.view(_mapped(inputs[index], writable=False)) for index, slot in _inputs(header)}
    outputs = {slot.name: slot.view(memory) for slot in map(Slot.from_json, header["outputs"])}
    frame = _run(header, arrays, outputs)
    sys.stdout.flush()
    _write(result, frame)
    return 0


def _inputs(header: dict[str, Any]) -> list[tuple[int, Slot]]:
    return [(index, Slot.from_json(slot)) for index, slot in header["inputs"]]


def _run(header: dict[str, Any], arrays: dict[str, Any], outputs: dict[str, Any]) -> bytes:
    programs = LoadedPrograms(header["programs"])
    try:
        frame = encode(CLAIM, ROUTINES[header["routine"]](programs, arrays, header["payload"], outputs))
        if len(frame) > header["claim"] + HEADER.size:
            raise ValueError(f"the result takes {len(frame)} bytes, at most {header['claim']} may cross; return less")
        return frame
    except BaseException as error:
        return encode(FAILURE, describe(error))


def _mapped(fd: int, writable: bool) -> mmap.mmap:
    size = os.fstat(fd).st_size
    if size == 0:
        return b""
    protection = mmap.PROT_READ | (mmap.PROT_WRITE if writable else 0)
    return mmap.mmap(fd, size, mmap.MAP_SHARED, protection)


def _mark(memory: mmap.mmap, name: str | None) -> None:
    memory[0] = 0 if name is None else 1 + marks.PLACES.index(name)


def _write(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
