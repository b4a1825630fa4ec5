"""Namespaces for the warm server: no network, no other process, no foreign IPC, and in the end an
empty file system."""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Sequence
from pathlib import Path

from sandbox import kernel

_ALL = (
    kernel.CLONE_NEWNS
    | kernel.CLONE_NEWUTS
    | kernel.CLONE_NEWIPC
    | kernel.CLONE_NEWPID
    | kernel.CLONE_NEWNET
)
_MOUNT_POINT = "/proc"  # any folder that exists everywhere


def enter() -> None:
    """Leave the host's namespaces, through a user namespace when unprivileged; raises OSError when
    the system forbids it.

    The process ids change for children only: call :func:`become_first_process` next.
    """
    try:
        kernel.unshare(_ALL)
    except PermissionError:
        uid, gid = os.getuid(), os.getgid()
        kernel.unshare(_ALL | kernel.CLONE_NEWUSER)
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1")
        Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1")
    kernel.mount("none", "/", None, kernel.MS_REC | kernel.MS_PRIVATE)


def become_first_process(host: int) -> None:
    """Go on as process 1 of the new namespace; the outer process stays until either this one or the
    host has ended.

    host: pidfd of the host's process. When process 1 ends, the kernel kills everything inside.
    """
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        kernel.end_with_parent()
        if os.getppid() not in (0, parent):
            os._exit(1)
        return
    inner = os.pidfd_open(pid)
    for first, last in (
        (3, min(inner, host)),
        (min(inner, host) + 1, max(inner, host)),
        (max(inner, host) + 1, 1 << 16),
    ):
        os.closerange(first, last)
    poll = select.poll()
    poll.register(inner, select.POLLIN)
    poll.register(host, select.POLLIN)
    poll.poll()
    signal.pidfd_send_signal(inner, signal.SIGKILL)
    os.waitpid(pid, 0)
    os._exit(0)


def hide_files(keep: Sequence[str] = ()) -> None:
    """Replace the file system by a read-only one that holds only the files to ``keep``.

    Everything that will be imported must have been.
    """
    flags = kernel.MS_NOSUID | kernel.MS_NODEV | kernel.MS_NOEXEC
    kernel.mount("none", _MOUNT_POINT, "tmpfs", flags, "size=64k,mode=755")
    os.chdir(_MOUNT_POINT)
    for path in keep:
        place = Path(path.lstrip("/"))
        place.parent.mkdir(parents=True, exist_ok=True)
        place.touch()
        kernel.mount(path, str(place), None, kernel.MS_BIND)
    kernel.syscall(kernel.number("pivot_root"), b".", b".")
    kernel.unmount(".")
    os.chdir("/")
    kernel.mount("none", "/", None, flags | kernel.MS_REMOUNT | kernel.MS_RDONLY)
