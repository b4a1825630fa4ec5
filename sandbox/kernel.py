"""Linux system calls that Python does not offer, through ctypes. Each raises OSError when the
kernel says no."""

from __future__ import annotations

import ctypes
import mmap
import os
import platform
import signal
import sys
import weakref

LINUX = sys.platform.startswith("linux")
MACHINE = {"amd64": "x86_64", "arm64": "aarch64"}.get(
    platform.machine().lower(), platform.machine().lower()
)

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long
_libc.mmap.restype = ctypes.c_void_p
_libc.mmap.argtypes = (
    ctypes.c_void_p,
    ctypes.c_size_t,
    ctypes.c_int,
    ctypes.c_int,
    ctypes.c_int,
    ctypes.c_long,
)
_libc.munmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t)

_memory_at = ctypes.pythonapi.PyMemoryView_FromMemory
_memory_at.restype, _memory_at.argtypes = (
    ctypes.py_object,
    (ctypes.c_void_p, ctypes.c_ssize_t, ctypes.c_int),
)
_READ, _WRITE = 0x100, 0x200

PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_NO_NEW_PRIVS = 1, 4, 38
PR_GET_SECCOMP, PR_CAPBSET_READ, PR_CAPBSET_DROP, PR_CAP_AMBIENT = 21, 23, 24, 47
PR_SET_NAME, PR_SET_THP_DISABLE = 15, 41
CAP_SETGID, CAP_SETUID = 6, 7
CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWIPC = 0x00020000, 0x04000000, 0x08000000
CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET = 0x10000000, 0x20000000, 0x40000000
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REC, MS_PRIVATE, MS_REMOUNT, MS_BIND = (
    1,
    2,
    4,
    8,
    1 << 14,
    1 << 18,
    32,
    4096,
)
MNT_DETACH = 2
_CAPABILITY_VERSION = 0x20080522
_NUMBERS = {
    "x86_64": {"seccomp": 317, "capget": 125, "capset": 126, "pivot_root": 155},
    "aarch64": {"seccomp": 277, "capget": 90, "capset": 91, "pivot_root": 41},
}
LANDLOCK_CREATE, LANDLOCK_ADD, LANDLOCK_RESTRICT = 444, 445, 446  # the same on every architecture


def syscall(number: int, *arguments: object) -> int:
    """Call the kernel; integers are passed as long, the rest as ctypes passes them."""
    converted = [ctypes.c_long(a) if isinstance(a, int) else a for a in arguments]
    return _checked(_libc.syscall(ctypes.c_long(number), *converted))


def number(name: str) -> int:
    """System call number on this machine, for the few names this module uses."""
    return _NUMBERS[MACHINE][name]


def prctl(option: int, *arguments: int) -> int:
    """prctl(2); missing arguments are 0."""
    padded = [ctypes.c_ulong(a) for a in (*arguments, 0, 0, 0, 0)[:4]]
    return _checked(_libc.prctl(ctypes.c_int(option), *padded))


def end_with_parent() -> None:
    """Have this process killed when the thread that forked it ends (Linux only; a change of user id
    forgets it)."""
    if LINUX:
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def unshare(flags: int) -> None:
    """unshare(2)."""
    _checked(_libc.unshare(ctypes.c_int(flags)))


def mount(source: str, target: str, kind: str | None, flags: int, options: str = "") -> None:
    """mount(2)."""
    encoded = None if kind is None else kind.encode()
    _checked(
        _libc.mount(
            source.encode(), target.encode(), encoded, ctypes.c_ulong(flags), options.encode()
        )
    )


def unmount(target: str) -> None:
    """umount2(2), lazily."""
    _checked(_libc.umount2(target.encode(), ctypes.c_int(MNT_DETACH)))


def capabilities() -> int:
    """Bit set of the effective capabilities of this process."""
    data = (ctypes.c_uint32 * 6)()
    syscall(number("capget"), _capability_header(), data)
    return data[0] | data[3] << 32


def drop_capabilities() -> None:
    """Give up every capability for good: ambient, bounding (where still held), effective,
    permitted, inheritable."""
    prctl(PR_CAP_AMBIENT, 4)
    if capabilities() >> 8 & 1:  # CAP_SETPCAP
        for capability in range(64):
            try:
                prctl(PR_CAPBSET_DROP, capability)
            except OSError:
                break  # past the last one that this kernel knows
    syscall(number("capset"), _capability_header(), (ctypes.c_uint32 * 6)())


def madvise(address: int, size: int, advice: int) -> None:
    """madvise(2)."""
    _checked(_libc.madvise(ctypes.c_void_p(address), ctypes.c_size_t(size), ctypes.c_int(advice)))


def map_file(fd: int, size: int, writable: bool) -> memoryview:
    """The whole of ``fd`` as shared memory that stays mapped for the life of the process (``size``
    0: nothing)."""
    if size == 0:
        return memoryview(bytearray(0) if writable else b"")
    mapped: memoryview = _memory_at(_map(fd, size, writable), size, _WRITE if writable else _READ)
    return mapped


def borrow_file(fd: int, size: int) -> ctypes.Array[ctypes.c_ubyte]:
    """The whole of ``fd`` as writable shared memory that is given back when nothing refers to it
    any more. Unlike Python's own mmap it keeps no descriptor open meanwhile."""
    address = _map(fd, size, writable=True)
    memory = (ctypes.c_ubyte * size).from_address(address)
    weakref.finalize(memory, _libc.munmap, address, size).atexit = False
    return memory


def _map(fd: int, size: int, writable: bool) -> int:
    protection = mmap.PROT_READ | (mmap.PROT_WRITE if writable else 0)
    address: int = _libc.mmap(None, size, protection, mmap.MAP_SHARED, fd, 0)
    if address == ctypes.c_void_p(-1).value:
        _checked(-1)
    return address


def _capability_header() -> ctypes.Array[ctypes.c_uint32]:
    return (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION, 0)


def _checked(result: int) -> int:
    if result == -1:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result
