"""Messages between host, server and child: one JSON object and descriptors in one packet. Never carries a payload."""

from __future__ import annotations

import array
import json
import socket
from collections.abc import Sequence
from typing import Any

MAX_FDS = 240
_MAX_BYTES = 1 << 16
_CLOSE_ON_EXEC = getattr(socket, "MSG_CMSG_CLOEXEC", 0)


def send(control: socket.socket, message: dict[str, Any], fds: Sequence[int] = ()) -> None:
    """Send one message with descriptors; raises OSError when the other side has gone."""
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
    control.sendmsg([json.dumps(message).encode()], rights)


def receive(control: socket.socket) -> tuple[dict[str, Any], list[int]]:
    """The next message and its descriptors; an empty message when the other side has gone."""
    fds = array.array("i")
    try:
        data, ancillary, _, _ = control.recvmsg(_MAX_BYTES, socket.CMSG_SPACE(MAX_FDS * fds.itemsize), _CLOSE_ON_EXEC)
    except ConnectionError:
        return {}, []
    for level, kind, payload in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            fds.frombytes(payload[: len(payload) - len(payload) % fds.itemsize])
    return (json.loads(data) if data else {}), list(fds)
