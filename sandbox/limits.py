"""Caps on time, memory and output: what is set inside the child, and the sentences that say which
one was hit."""

from __future__ import annotations

import contextlib
import math
import os
import resource
import signal
import time
from typing import Any

from sandbox import cgroup
from sandbox.contract import Limits

FLOOD = 4 << 20
"""Bytes of output after which a child is killed; far less is kept."""
LAST_WORDS = 0.3
"""Seconds that a child has, after its wall clock ran out, to say where it was; then it is killed.
"""
SHARE_OF_MEMORY = 0.7
MAX_DESCRIPTORS = 1024
KINDS = ("WallLimit", "CpuLimit", "MemoryLimit", "OutputLimit")


class Overrun(BaseException):
    """Raised inside the child by a signal shortly before it would be killed, so that a traceback
    shows the place."""

    def __init__(self, kind: str):
        self.kind = kind
        super().__init__(kind)


def sentence(kind: str, limits: Limits) -> str:
    """What a proposer reads when a cap was hit. kind: one of KINDS."""
    return {
        "WallLimit": f"ran past {limits.wall:g} s of wall clock; do less work per frame, or end "
        "the loop that does not",
        "CpuLimit": f"used more than {limits.cpu:g} s of processor time; do less work per frame, "
        "or end the loop that does not",
        "MemoryLimit": f"asked for more than {limits.memory >> 20} MiB of memory; use smaller "
        "arrays, one frame at a time",
        "OutputLimit": f"printed more than {FLOOD >> 20} MiB or returned more than "
        f"{limits.claim >> 10} KiB; print less, return plain small values",
    }[kind]


def catch_timers() -> None:
    """Turn the warnings of the server (wall clock) and the kernel (processor time) into
    :class:`Overrun`; once in the server, children inherit it."""
    signal.signal(signal.SIGALRM, _overrun("WallLimit"))
    signal.signal(signal.SIGXCPU, _overrun("CpuLimit"))


def _overrun(kind: str) -> Any:
    def handler(*_: object) -> None:
        raise Overrun(kind)

    return handler


def forbid_leftovers() -> None:
    """Caps that hold for the server and all its children: no core file, no locked memory, no queue
    of messages or signals (a user has only one of the latter)."""
    for name in (
        "RLIMIT_CORE",
        "RLIMIT_MEMLOCK",
        "RLIMIT_MSGQUEUE",
        "RLIMIT_SIGPENDING",
        "RLIMIT_RTPRIO",
        "RLIMIT_NICE",
    ):
        if hasattr(resource, name):
            resource.setrlimit(getattr(resource, name), (0, 0))


def apply(cpu: float, memory: int | None, processes: int) -> None:
    """Caps of one job, in the child. memory: bytes of address space in all, or None where the
    system does not count them. processes: how many this user may have."""
    seconds = max(1, math.ceil(cpu + time.process_time()))
    caps = {
        "RLIMIT_CPU": (seconds, seconds + 1),
        "RLIMIT_FSIZE": (0, 0),
        "RLIMIT_NPROC": (processes, processes),
    }
    if memory is not None:
        caps |= {"RLIMIT_AS": (memory, memory), "RLIMIT_DATA": (memory, memory)}
    for name, (soft, hard) in caps.items():
        with contextlib.suppress(ValueError):  # a harder cap was inherited: that one stays
            resource.setrlimit(getattr(resource, name), (soft, hard))


def address_space() -> int:
    """Bytes of address space of this process, 0 where the system does not tell."""
    with contextlib.suppress(OSError), open("/proc/self/statm") as file:
        return int(file.read().split()[0]) * resource.getpagesize()
    return 0


def cap_descriptors() -> None:
    """At most MAX_DESCRIPTORS, for a server and its children: closing them all is then cheap
    everywhere."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = MAX_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(MAX_DESCRIPTORS, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def forbid_descriptors(highest: int) -> None:
    """No further descriptor above ``highest``."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 1, highest + 1))


def fair_memory(wanted: int, workers: int) -> int:
    """``wanted`` bytes, or less when all workers together would take more than 70 % of the
    machine's memory."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min(wanted, int(SHARE_OF_MEMORY * min(total, cgroup.memory_limit()) / workers))
