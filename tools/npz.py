"""Arrays in ``.npz`` files, read and written a few frames at a time: numpy.load and numpy.savez
hold them whole."""

from __future__ import annotations

import math
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
from numpy.lib import format as npy

from tools import backing

_LARGEST_ROW = 1 << 30  # bytes
_FAST = 1  # zlib level for large arrays
_THOROUGH = 6
BROKEN = (
    *(OSError, EOFError, TypeError, ValueError, LookupError, AttributeError, MemoryError),
    *(NotImplementedError, zipfile.BadZipFile, zlib.error),
)
"""What a file that is none, or that holds no plain numbers, makes zipfile and NumPy raise."""


@dataclass(frozen=True)
class Member:
    """An array of a file. rows: its entries along the first axis or axes (a single number: itself),
    read as they are asked for."""

    shape: tuple[int, ...]
    dtype: np.dtype
    rows: Iterator[np.ndarray]


@contextmanager
def opened(path: Path, name: str, axes: int = 1) -> Iterator[Member]:
    """The array ``name`` of a file that numpy.savez wrote, of plain numbers, to be read entry by
    entry of its first ``axes``. Raises one of BROKEN, also while rows are read."""
    with zipfile.ZipFile(path) as archive, archive.open(f"{name}.npy") as file:
        version = npy.read_magic(file)
        read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, fortran, dtype = read(file)
        if dtype.hasobject:
            raise ValueError(f"{name}: an array of objects")
        if fortran and len(shape) > 1:
            whole = _whole(path, name)
            yield Member(shape, dtype, iter(whole.reshape(-1, *shape[axes:])))
        else:
            yield Member(shape, dtype, _rows(file, shape, dtype, axes))


def small(path: Path, name: str, most: int = 1 << 20) -> np.ndarray:
    """The array ``name``, of at most ``most`` bytes. Raises one of BROKEN; LookupError where there
    is no such array."""
    with opened(path, name) as member:
        if math.prod(member.shape) * member.dtype.itemsize > most:
            raise ValueError(f"{name}: expected at most {most} bytes, got {member.shape}")
        rows = list(member.rows)
    return np.array(rows, member.dtype).reshape(member.shape)


def names(path: Path) -> list[str]:
    """Arrays in a file. Raises one of BROKEN."""
    with zipfile.ZipFile(path) as archive:
        return [name.removesuffix(".npy") for name in archive.namelist()]


def _whole(path: Path, name: str) -> np.ndarray:
    with np.load(path, allow_pickle=False) as data:
        whole: np.ndarray = data[name]
        return whole


def _rows(
    file: IO[bytes], shape: tuple[int, ...], dtype: np.dtype, axes: int
) -> Iterator[np.ndarray]:
    size = math.prod(shape[axes:]) * dtype.itemsize
    if size > _LARGEST_ROW:
        raise ValueError(f"rows of {size} bytes")
    for _ in range(math.prod(shape[:axes])):
        data = file.read(size)
        if len(data) < size:
            raise ValueError(f"{len(data)} bytes where {size} were expected")
        yield np.frombuffer(data, dtype).reshape(shape[axes:])


def write(
    path: Path,
    parts: Mapping[str, Sequence[np.ndarray] | np.ndarray],
    **whole: np.ndarray | np.generic,
) -> None:
    """A compressed file with the arrays ``whole`` and, for each of ``parts``, equal arrays that are
    stacked along a new first axis, as numpy.savez_compressed writes it."""
    large = sum(one.nbytes for arrays in parts.values() for one in arrays) > backing.HEAVY
    level = _FAST if large else _THOROUGH
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=level) as archive:
        for name, arrays in parts.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
                header = {"descr": npy.dtype_to_descr(arrays[0].dtype), "fortran_order": False}
                npy.write_array_header_1_0(
                    file, header | {"shape": (len(arrays), *arrays[0].shape)}
                )
                for one in arrays:
                    for piece in backing.windows(one):
                        file.write(np.ascontiguousarray(piece).tobytes())
        for name, array in whole.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
                npy.write_array(file, np.asanyarray(array), allow_pickle=False)
