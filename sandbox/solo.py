"""A fresh process for exactly one job, for systems on which a loaded process must not fork. See ``spawner``."""

from __future__ import annotations

import argparse
import json
import os
import socket
from collections.abc import Sequence

from sandbox import child, server
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
    heritage = child.Heritage(os.getppid(), server.address_space(), ChildLock(posture, None), dict(ROUTINES))
    child.serve(socket.socket(fileno=options.control), heritage, report)
