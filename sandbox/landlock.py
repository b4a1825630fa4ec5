"""Landlock: the kernel takes the whole file system, TCP and outside processes away from this
process and its children."""

from __future__ import annotations

import ctypes
import errno
import os
from collections.abc import Sequence

from sandbox import kernel

_RIGHTS_BY_ABI = {1: 13, 2: 14, 3: 15, 5: 16}  # how many file system rights each version knows
_TCP, _SCOPES = 0b11, 0b11  # from versions 4 and 6


class _Ruleset(ctypes.Structure):
    _fields_ = (("files", ctypes.c_uint64), ("net", ctypes.c_uint64), ("scoped", ctypes.c_uint64))


class _PathRule(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("rights", ctypes.c_uint64), ("fd", ctypes.c_int32))


_RULE_PATH, _READ_FILE = 1, 4


def version() -> int:
    """The kernel's Landlock version, 0 when it has none."""
    try:
        return kernel.syscall(kernel.LANDLOCK_CREATE, None, 0, 1)
    except OSError as error:
        if error.errno in (errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM):
            return 0
        raise


def restrict(readable: Sequence[str] = ()) -> int:
    """Forbid everything that this kernel's Landlock covers; returns the version. Needs
    no_new_privs.

    readable: files that may still be read.

    Not covered by any version: stat, chmod, chown, extended attributes, UDP, Unix sockets by path.
    """
    abi = version()
    if abi == 0:
        raise OSError(errno.ENOSYS, "this kernel has no Landlock, or it is not switched on")
    rights = max(count for first, count in _RIGHTS_BY_ABI.items() if first <= abi)
    ruleset = _Ruleset((1 << rights) - 1, _TCP if abi >= 4 else 0, _SCOPES if abi >= 6 else 0)
    size = 8 if abi < 4 else 16 if abi < 6 else 24
    fd = kernel.syscall(kernel.LANDLOCK_CREATE, ctypes.byref(ruleset), size, 0)
    for path in readable:
        _allow_reading(fd, path)
    kernel.syscall(kernel.LANDLOCK_RESTRICT, fd, 0)
    os.close(fd)
    return abi


def _allow_reading(ruleset: int, path: str) -> None:
    file = os.open(path, os.O_PATH | os.O_CLOEXEC)
    kernel.syscall(
        kernel.LANDLOCK_ADD, ruleset, _RULE_PATH, ctypes.byref(_PathRule(_READ_FILE, file)), 0
    )
    os.close(file)
