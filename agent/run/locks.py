"""A folder that one process at a time is at work on."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tools.errors import RunError


@contextmanager
def alone(folder: Path, what: str) -> Iterator[None]:
    """Hold a folder, so that no other process goes on with the ``what`` in it meanwhile. Raises
    RunError when one does. The lock ends with the process that has it."""
    lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        raise RunError(
            str(folder),
            f"a {what} that nobody is at work on",
            "one that another process goes on with",
            "wait for it, or stop it",
        ) from None
    except OSError:  # a file system without locks
        pass
    try:
        yield
    finally:
        os.close(lock)
