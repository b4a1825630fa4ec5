"""A fresh process for exactly one job, for systems on which a loaded process must not fork. See
``spawner``."""

from __future__ import annotations

import argparse
import json
import os
import socket
from collections.abc import Sequence

from sandbox import child, limits, server, wire
from sandbox.lockdown import ChildLock, Posture
from sandbox.routines import ROUTINES


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point of the process."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--control", type=int, required=True)
    parser.add_argument("--posture", required=True)
    options = parser.parse_args(arguments)
    posture = Posture(**json.loads(options.posture))
    report = server.load(posture)
    size = limits.address_space() + report.pop("room")
    heritage = child.Heritage(os.getppid(), size, ChildLock(posture, None), dict(ROUTINES))
    control = socket.socket(fileno=options.control)
    wire.untie(control)
    child.serve(child.keep_only(control), heritage, report)
