"""Arrays that cross the border in memory files: inputs sealed against writing, outputs sealed to their size.

The host alone decides dtype, shape and offset; no byte of a header comes from a child.
"""

from __future__ import annotations

import fcntl
import math
import mmap
import os
import weakref
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from sandbox.contract import ArraySpec

ALIGN = 64
MAX_BYTES = 8 << 30
_PLAIN = "biufc"


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
    """A host array copied once into a sealed memory file, to be passed to any number of jobs."""

    def __init__(self, array: np.ndarray):
        array = _plain(array, "share")
        self.slot = Slot("", array.shape, array.dtype.str, 0)
        self.fd = _filled(memoryview(array).cast("B") if array.size else b"", seal_writes=True)
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
    """The zero-filled memory file that one job's output arrays live in. A fresh one for every job."""

    def __init__(self, specs: Mapping[str, ArraySpec]):
        self.slots: list[Slot] = []
        end = ALIGN                                  # the first bytes tell the host which stage is running
        for name, spec in specs.items():
            slot = Slot(name, _shape(name, spec), _dtype(name, spec), end)
            self.slots.append(slot)
            end += -(-slot.size // ALIGN) * ALIGN
        if end > MAX_BYTES:
            raise ValueError(f"outputs: expected at most {MAX_BYTES} bytes, got {end}; ask for fewer or smaller arrays")
        self.fd = anonymous_file("out", end)
        _seal(self.fd, writes=False)
        self._map = mmap.mmap(self.fd, end)

    def mark(self) -> int:
        """The stage byte that the child left (a claim)."""
        return self._map[0]

    def arrays(self) -> dict[str, np.ndarray]:
        """Views of the memory, to be taken only when the child is dead."""
        return {slot.name: slot.view(self._map) for slot in self.slots}

    def close(self) -> None:
        """Close the file; views that were taken stay valid."""
        os.close(self.fd)


def sealed(data: bytes) -> int:
    """A memory file holding ``data`` that nobody can change any more; the caller closes the descriptor."""
    return _filled(data, seal_writes=True)


def anonymous_file(name: str, size: int) -> int:
    """Descriptor of a zero-filled nameless file of ``size`` bytes, in memory where the system can."""
    if not hasattr(os, "memfd_create"):
        return _unlinked(name, size)
    fd = os.memfd_create(f"sandbox-{name}", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.ftruncate(fd, size)
    return fd


def _unlinked(name: str, size: int) -> int:
    import tempfile

    fd, path = tempfile.mkstemp(f"sandbox-{name}")
    os.unlink(path)
    os.ftruncate(fd, size)
    return fd


def _filled(data: Any, seal_writes: bool) -> int:
    fd = anonymous_file("in", len(data))
    position = 0
    while position < len(data):
        position += os.pwrite(fd, data[position : position + (1 << 30)], position)
    _seal(fd, writes=seal_writes)
    return fd


def _seal(fd: int, writes: bool) -> None:
    if not hasattr(fcntl, "F_ADD_SEALS"):
        return
    seals = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL | (fcntl.F_SEAL_WRITE if writes else 0)
    fcntl.fcntl(fd, fcntl.F_ADD_SEALS, seals)


def _plain(array: Any, what: str) -> np.ndarray:
    array = np.ascontiguousarray(array)
    if array.dtype.kind not in _PLAIN:
        raise ValueError(f"{what}: expected an array of numbers, got dtype {array.dtype}; convert it first")
    return array


def _shape(name: str, spec: ArraySpec) -> tuple[int, ...]:
    shape = tuple(int(n) for n in spec.shape)
    if any(n < 0 for n in shape):
        raise ValueError(f"outputs[{name!r}]: expected a shape without negative numbers, got {spec.shape}")
    return shape


def _dtype(name: str, spec: ArraySpec) -> str:
    dtype = np.dtype(spec.dtype)
    if dtype.kind not in _PLAIN:
        raise ValueError(f"outputs[{name!r}]: expected a dtype of plain numbers, got {spec.dtype!r}")
    return dtype.str
