"""Messages between host, server and child: one JSON object with descriptors. Never carries a
payload.

A message is four bytes of length, big endian, and that much JSON. A child that is not locked yet
talks back in lines: see :data:`LOCKED`, :data:`SEALED`, :data:`REFUSED`.
"""

from __future__ import annotations

import array
import fcntl
import json
import os
import signal
import socket
import struct
from collections.abc import Sequence
from typing import Any

MAX_FDS = 240
LOCKED, SEALED, REFUSED = b"L", b"S", b"!"
"""First byte of a child's line: it is locked (and what it has loaded, as JSON), no door is open any
more, or why it stops."""
_LENGTH = struct.Struct(">I")
_CLOSE_ON_EXEC = getattr(socket, "MSG_CMSG_CLOEXEC", 0)


def pair() -> tuple[socket.socket, socket.socket]:
    """Two connected ends."""
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)


def tie(end: socket.socket, pid: int) -> None:
    """Have process ``pid`` killed when the other end closes or says something: for one that is busy
    starting (Linux only)."""
    if hasattr(fcntl, "F_SETSIG"):
        fcntl.fcntl(end, fcntl.F_SETOWN, pid)
        fcntl.fcntl(end, fcntl.F_SETSIG, signal.SIGKILL)
        fcntl.fcntl(end, fcntl.F_SETFL, fcntl.fcntl(end, fcntl.F_GETFL) | os.O_ASYNC)


def untie(end: socket.socket) -> None:
    """From here on this process listens by itself."""
    if hasattr(fcntl, "F_SETSIG"):
        fcntl.fcntl(end, fcntl.F_SETFL, fcntl.fcntl(end, fcntl.F_GETFL) & ~os.O_ASYNC)


def send(control: socket.socket, message: dict[str, Any], fds: Sequence[int] = ()) -> None:
    """Send one message with descriptors; raises OSError when the other side has gone."""
    data = json.dumps(message).encode()
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
    sent = control.sendmsg([_LENGTH.pack(len(data)), data], rights)
    control.sendall((_LENGTH.pack(len(data)) + data)[sent:])


def receive(control: socket.socket) -> tuple[dict[str, Any], list[int]]:
    """The next message and its descriptors; an empty message when the other side has gone."""
    fds = array.array("i")
    try:
        data, ancillary, _, _ = control.recvmsg(
            _LENGTH.size, socket.CMSG_SPACE(MAX_FDS * fds.itemsize), _CLOSE_ON_EXEC
        )
        for level, kind, payload in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                fds.frombytes(payload[: len(payload) - len(payload) % fds.itemsize])
        data += _read(control, _LENGTH.size - len(data)) if data else b""
        return (json.loads(_read(control, *_LENGTH.unpack(data))) if data else {}), list(fds)
    except ConnectionError:
        return {}, list(fds)


def _read(control: socket.socket, size: int) -> bytes:
    """Exactly ``size`` bytes, by read(2), which a locked child may call."""
    data = b""
    while len(data) < size:
        piece = os.read(control.fileno(), size - len(data))
        if not piece:
            raise ConnectionResetError("the other side went away in the middle of a message")
        data += piece
    return data
