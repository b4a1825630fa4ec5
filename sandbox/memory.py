"""Arrays that cross the border in memory files: inputs sealed against writing, outputs sealed to
their size.

The host alone decides dtype, shape and offset; no byte of a header comes from a child.
"""

from __future__ import annotations

import errno
import fcntl
import math
import os
import weakref
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sandbox import kernel
from sandbox.contract import ArraySpec, SandboxError
from tools import backing

ALIGN = 64
_PLAIN = "biufc"  # bool, integers, floats, complex


@dataclass(frozen=True)
class Slot:
    """Where one array lies in a memory file. offset: bytes from its start."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    offset: int

    @property
    def size(self) -> int:
        return math.prod(self.shape) * np.dtype(self.dtype).itemsize

    def to_json(self) -> list[Any]:
        return [self.name, list(self.shape), self.dtype, self.offset]

    @classmethod
    def from_json(cls, data: list[Any]) -> Slot:
        return cls(data[0], tuple(data[1]), data[2], data[3])

    def view(self, buffer: Any) -> np.ndarray:
        """The array inside ``buffer``; writable when the buffer is."""
        count = math.prod(self.shape)
        return np.frombuffer(buffer, self.dtype, count, self.offset).reshape(self.shape)


class SharedArray:
    """A host array in a file that a child can only read, to be passed to any number of jobs: copied
    once into a sealed memory file, or the file itself that a large array is kept in."""

    def __init__(self, array: np.ndarray):
        array = _plain(array, "share")
        self.slot = Slot("", array.shape, array.dtype.str, 0)
        held = backing.descriptor(array)
        self.fd = sealed(_bytes(array)) if held is None else os.dup(held)
        self._finalizer = weakref.finalize(self, os.close, self.fd)

    @property
    def shape(self) -> tuple[int, ...]:
        return self.slot.shape

    def close(self) -> None:
        """Give the memory back once no job uses it."""
        self._finalizer()

    def __repr__(self) -> str:
        return f"SharedArray(shape={self.slot.shape}, dtype={self.slot.dtype!r})"


class Outputs:
    """The zero-filled file that one job's output arrays live in, in memory, or on disk where it is
    large. A fresh one for every child. reserved: bytes before the arrays that are scratch."""

    def __init__(self, slots: Sequence[Slot], size: int, reserved: int | None = None):
        kept = size if reserved is None else reserved
        self._slots = [slot for slot in slots if slot.offset < kept or not slot.size]
        if size > 2 * backing.LARGE:
            self.fd = _on_disk(size, kept)
        else:
            self.fd = anonymous_file("out", size)
            _seal(self.fd, writes=False)
        self._memory = kernel.borrow_file(self.fd, size)

    def mark(self) -> int:
        """The stage byte that the child left (a claim)."""
        return self._memory[0]

    def arrays(self) -> dict[str, np.ndarray]:
        """Views of the memory, to be taken only when the child is dead."""
        return {slot.name: slot.view(self._memory) for slot in self._slots}

    def close(self) -> None:
        """Close the file; views that were taken stay valid, and hold the memory but no
        descriptor."""
        os.close(self.fd)


def layout(specs: Mapping[str, ArraySpec]) -> tuple[list[Slot], int]:
    """Where each output goes, and the size of the file. Its first bytes tell the host which stage
    is running."""
    slots, end = [], ALIGN
    for name, spec in sorted(specs.items(), key=lambda item: item[1].scratch):
        slots.append(Slot(name, _shape(name, spec), _dtype(name, spec), end))
        end = _aligned(end + slots[-1].size)
    if end > backing.MOST:
        raise ValueError(
            f"outputs: expected at most {backing.MOST} bytes, got {end}; ask for fewer or smaller "
            "arrays"
        )
    return slots, end


def pack(arrays: Mapping[str, Any]) -> tuple[list[int], list[Slot]]:
    """All ``arrays`` in one sealed memory file: its descriptor (the caller closes it; none without
    arrays), where each lies."""
    plain = {name: _plain(array, f"inputs[{name!r}]") for name, array in arrays.items()}
    slots, end = [], 0
    for name, array in plain.items():
        slots.append(Slot(name, array.shape, array.dtype.str, end))
        end = _aligned(end + array.nbytes)
    pieces = [
        (slot.offset, _bytes(array)) for slot, array in zip(slots, plain.values(), strict=True)
    ]
    return [_finished(end, pieces)] if arrays else [], slots


def sealed(data: bytes | memoryview) -> int:
    """A memory file holding ``data`` that nobody can change any more; the caller closes the
    descriptor."""
    return _finished(len(data), [(0, data)])


def anonymous_file(name: str, size: int) -> int:
    """Descriptor of a zero-filled nameless file of ``size`` bytes, in memory where the system
    can."""
    if not hasattr(os, "memfd_create"):
        return _unlinked(name, size)[0]
    fd = os.memfd_create(f"sandbox-{name}", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.ftruncate(fd, size)
    return fd


def _unlinked(name: str, size: int) -> tuple[int, int]:
    """The same on disk, for systems without memory files: a descriptor to read and write, and one
    only to read."""
    fd, reader = backing.nameless(f"sandbox-{name}")
    os.ftruncate(fd, size)
    return fd, reader


def _on_disk(size: int, reserved: int) -> int:
    """A zero-filled nameless file on disk, the room of its first ``reserved`` bytes taken: what is
    written to these pages finds a place. Raises SandboxError where there is none."""
    fd, reader = backing.nameless("sandbox-out")
    os.close(reader)
    try:
        os.ftruncate(fd, size)
        os.posix_fallocate(fd, 0, max(reserved, 1))
        about = os.fstatvfs(fd)
        if about.f_bavail * about.f_frsize < size - reserved:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    except OSError as error:
        os.close(fd)
        raise SandboxError(
            "frames",
            f"{size >> 20} MiB of disk for them",
            str(error.strerror),
            "free space, predict fewer frames (--horizon), or scale the clip down (--size)",
        ) from None
    return fd


def _finished(size: int, pieces: Iterable[tuple[int, bytes | memoryview]]) -> int:
    """A file made of ``pieces`` (offset, data) that cannot be written any more."""
    if hasattr(os, "memfd_create"):
        fd = anonymous_file("in", size)
        reader = fd
    else:
        fd, reader = _unlinked("in", size)
    for offset, data in pieces:
        _write(fd, data, offset)
    _seal(fd, writes=True)
    if reader != fd:
        os.close(fd)
    return reader


def _write(fd: int, data: bytes | memoryview, offset: int) -> None:
    view = memoryview(data)
    while view:
        count = os.pwrite(fd, view[: 1 << 30], offset)
        view, offset = view[count:], offset + count


def _bytes(array: np.ndarray) -> memoryview:
    return array.reshape(-1).view(np.uint8).data


def _aligned(size: int) -> int:
    return -(-size // ALIGN) * ALIGN


def _seal(fd: int, writes: bool) -> None:
    if not hasattr(fcntl, "F_ADD_SEALS"):
        return
    seals = (
        fcntl.F_SEAL_SHRINK
        | fcntl.F_SEAL_GROW
        | fcntl.F_SEAL_SEAL
        | (fcntl.F_SEAL_WRITE if writes else 0)
    )
    fcntl.fcntl(fd, fcntl.F_ADD_SEALS, seals)


def _plain(array: Any, what: str) -> np.ndarray:
    plain: np.ndarray = np.asarray(array, order="C")
    if plain.dtype.kind not in _PLAIN:
        raise ValueError(
            f"{what}: expected an array of numbers, got dtype {plain.dtype}; convert it first"
        )
    return plain


def _shape(name: str, spec: ArraySpec) -> tuple[int, ...]:
    shape = tuple(int(n) for n in spec.shape)
    if any(n < 0 for n in shape):
        raise ValueError(
            f"outputs[{name!r}]: expected a shape without negative numbers, got {spec.shape}"
        )
    return shape


def _dtype(name: str, spec: ArraySpec) -> str:
    dtype = np.dtype(spec.dtype)
    if dtype.kind not in _PLAIN:
        raise ValueError(
            f"outputs[{name!r}]: expected a dtype of plain numbers, got {spec.dtype!r}"
        )
    return dtype.str
