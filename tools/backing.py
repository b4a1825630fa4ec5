"""Large arrays kept in nameless files instead of in memory.

Such an array is an ordinary read-only NumPy array whose pages the system reads when they are
touched and drops when it needs the room. The file has no name any more when it is made, and goes
away with the last array that shows it.
"""

from __future__ import annotations

import ctypes
import itertools
import mmap
import os
import tempfile
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np

LARGE = 32 << 20
"""Bytes from which an array goes into a file: a search holds some twenty that are that large."""
HEAVY = 256 << 20
"""Bytes from which copies are avoided even where that takes longer or shows fewer frames."""
WINDOW = 32 << 20
"""Bytes that are handled at a time."""
BAND = 4 << 20
"""Bytes of a picture that are computed with at a time."""
MAPPED = 12 << 20
"""Bytes from which a piece of memory is the system's again when it is let go of: pages that are
new take time, and those of a 1080p picture come and go all the time."""
_MMAP_THRESHOLD = -3  # M_MMAP_THRESHOLD of malloc.h
MOST = 64 << 30
"""Bytes of the largest array that is kept in a file."""

_LENT: list[np.ndarray] = []
_READERS: weakref.WeakKeyDictionary[mmap.mmap, int] = weakref.WeakKeyDictionary()


def stacked(pictures: Iterable[np.ndarray]) -> np.ndarray | None:
    """Equal uint8 pictures as one array (T, ...), None without any; in a file where they are more
    than LARGE bytes. Each is taken before the next is asked for."""
    kept: list[np.ndarray] = []
    stream = iter(pictures)
    for picture in stream:
        kept.append(np.ascontiguousarray(picture))
        if len(kept) * picture.nbytes > LARGE:
            pieces = itertools.chain((kept.pop(0) for _ in range(len(kept))), stream)
            return written(pieces).reshape(-1, *picture.shape)
    return np.stack(kept) if kept else None


def copied(array: np.ndarray) -> np.ndarray:
    """A copy that shares nothing with ``array`` (T, ...), in a file where it is large."""
    if array.nbytes <= LARGE:
        return array.copy()
    return written(windows(array)).reshape(array.shape)


def joined(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Two arrays one after the other, in a file where they are large."""
    if first.nbytes + second.nbytes <= LARGE:
        return np.concatenate([first, second])
    pieces = itertools.chain(windows(first), windows(second))
    return written(pieces).reshape(-1, *first.shape[1:])


def windows(array: np.ndarray) -> Iterator[np.ndarray]:
    """Views of a few frames each, WINDOW bytes at most (one frame at least)."""
    count = max(1, WINDOW // max(1, array.nbytes // max(1, len(array))))
    return (array[start : start + count] for start in range(0, len(array), count))


def chosen(frames: np.ndarray, picked: Sequence[int]) -> np.ndarray:
    """``frames[picked]`` of (T, ...), in a file where that is large."""
    few = stacked(frames[t] for t in picked)
    return frames[:0] if few is None else few


def by_rows(
    figure: Callable[[np.ndarray], np.ndarray], frames: np.ndarray, picked: Sequence[int]
) -> np.ndarray:
    """What ``figure`` makes of the ``picked`` of (T, H, ...) frames, a few rows at a time: (n, h,
    ...) -> (h, ...), put together (H, ...). For figures of each pixel by itself over time."""
    rows = max(1, WINDOW // max(1, len(picked) * frames[0, :1].nbytes))
    return np.concatenate(
        [figure(frames[picked, top : top + rows]) for top in range(0, frames.shape[1], rows)]
    )


def over_time(
    average: Callable[[np.ndarray], np.ndarray], frames: np.ndarray, picked: Sequence[int]
) -> np.ndarray:
    """The same for a mean or a median, (n, ...) uint8 -> (...) uint8, which of equal values is
    these: only what changes is computed."""

    def figure(band: np.ndarray) -> np.ndarray:
        changes = (band[1:] != band[0]).any(0)
        if 2 * np.count_nonzero(changes) > changes.size:
            return average(band)
        found = band[0].copy()
        found[changes] = average(band[:, changes])
        return found

    return by_rows(figure, frames, picked)


def in_bands(figure: Callable[..., np.ndarray], *pictures: np.ndarray) -> np.ndarray:
    """``figure(*pictures)`` of pictures (H, ...), a few rows at a time, put together (H, ...). For
    figures of each pixel by itself whose intermediate tables are larger than a picture."""
    rows = max(1, BAND // max(1, pictures[0][:1].nbytes))
    if rows >= len(pictures[0]):
        return figure(*pictures)
    tops = range(0, len(pictures[0]), rows)
    return np.concatenate([figure(*(p[top : top + rows] for p in pictures)) for top in tops])


def same(first: np.ndarray, second: np.ndarray) -> bool:
    """Whether two arrays of one shape are equal, a few frames at a time."""
    return all(map(np.array_equal, windows(first), windows(second)))


def empty_like(frames: np.ndarray) -> np.ndarray:
    """Room to write for as many bytes as uint8 ``frames`` have: in a file, or lent (:func:`lend`),
    where that is large."""
    if frames.nbytes <= LARGE:
        return np.empty_like(frames)
    if _LENT and _LENT[-1].nbytes >= frames.nbytes:
        return _LENT.pop().reshape(-1)[: frames.nbytes].reshape(frames.shape)
    try:
        writer, reader = nameless("room")
    except OSError:  # a locked process makes no files
        return np.empty_like(frames)
    try:
        os.posix_fallocate(writer, 0, frames.nbytes)
        mapping = mmap.mmap(writer, frames.nbytes)
    finally:
        os.close(writer)
        os.close(reader)
    return np.frombuffer(mapping, np.uint8).reshape(frames.shape)


def hand_back() -> None:
    """Have the allocator (glibc's) give arrays of MAPPED bytes or more back to the system as soon
    as they are gone, in this process and its forks: left to itself it comes to keep pieces of up to
    32 MB, of which a picture's masks may be one."""
    told = getattr(ctypes.CDLL(None), "mallopt", None)
    if told is not None:
        told(_MMAP_THRESHOLD, MAPPED)


def trim() -> None:
    """Give memory of arrays that are gone back to the system, where the allocator (glibc's) can be
    told to: it keeps pieces of up to 32 MB."""
    told = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if told is not None:
        told(0)


def lend(room: np.ndarray) -> None:
    """Give a process that can make no files a uint8 array to write large ones into, once."""
    _LENT.append(room)


class Shelf:
    """A place for many uint8 arrays: in memory while all of them are no more than LARGE bytes,
    later ones in one file without a name, which goes away with the last of them. So thousands of
    clips are never held in memory together."""

    def __init__(self) -> None:
        self._held = 0
        self._file: _BoardedFile | None = None

    def put(self, array: np.ndarray) -> np.ndarray:
        """The same array, or a read-only one of the same content. Raises OSError where the disk is
        full."""
        self._held += array.nbytes
        if self._held <= LARGE or descriptor(array) is not None:
            return array
        self._file = self._file or _BoardedFile()
        return self._file.put(array)


class _BoardedFile:
    """A file that is mapped in stretches as it grows: of each only what is written takes room."""

    def __init__(self) -> None:
        self._writer, self._reader = nameless("shelf")
        self._finalizer = weakref.finalize(self, _close, self._writer, self._reader)
        self._end, self._mapped = 0, 0
        self._mapping: mmap.mmap | bytes = b""

    def put(self, array: np.ndarray) -> np.ndarray:
        if self._end + array.nbytes > self._mapped:
            size = max(_STRETCH, -(-array.nbytes // _STRETCH) * _STRETCH)
            self._end, self._mapped = self._mapped, self._mapped + size
            os.ftruncate(self._writer, self._mapped)
            self._mapping = mmap.mmap(self._reader, size, access=mmap.ACCESS_READ, offset=self._end)
        data, at = np.ascontiguousarray(array).reshape(-1).data, self._end
        while data:
            count = os.pwrite(self._writer, data, at)
            data, at = data[count:], at + count
        start = self._end - (self._mapped - len(self._mapping))
        self._end = at
        return np.frombuffer(self._mapping, np.uint8, array.nbytes, start).reshape(array.shape)


_STRETCH = 256 << 20


def _close(*files: int) -> None:
    for one in files:
        os.close(one)


def descriptor(array: np.ndarray) -> int | None:
    """A descriptor, to read only, of the file that holds exactly ``array``; None where there is no
    such file. It stays this module's own: duplicate it to keep it."""
    owner = array
    while isinstance(owner, np.ndarray) and owner.base is not None:
        owner = owner.base
    owner = owner.obj if isinstance(owner, memoryview) else owner
    if not isinstance(owner, mmap.mmap) or owner not in _READERS:
        return None
    whole = array.nbytes == len(owner) and array.flags.c_contiguous
    return _READERS[owner] if whole else None


def written(pieces: Iterable[np.ndarray]) -> np.ndarray:
    """uint8 arrays one after another in a file, as one flat array."""
    writer, reader = nameless("frames")
    try:
        with os.fdopen(writer, "wb", buffering=0) as file:
            for piece in pieces:
                _all(file.fileno(), piece)
            os.fchmod(file.fileno(), 0o400)
        mapping = mmap.mmap(reader, 0, access=mmap.ACCESS_READ)
    except BaseException:
        os.close(reader)
        raise
    _READERS[mapping] = reader
    weakref.finalize(mapping, os.close, reader)
    return np.frombuffer(mapping, np.uint8)


def nameless(kind: str) -> tuple[int, int]:
    """Descriptors, to write (and read) and only to read, of a new file on disk without a name."""
    handle, name = tempfile.mkstemp(prefix=f"{kind}-", dir=disk())
    reader = os.open(name, os.O_RDONLY | os.O_CLOEXEC)
    os.unlink(name)
    return handle, reader


def disk() -> str:
    """The folder for temporary files, or /var/tmp where that is the usual /tmp: many systems keep
    /tmp in memory."""
    usual = tempfile.gettempdir()
    large = "/var/tmp"
    return large if usual == "/tmp" and os.access(large, os.W_OK | os.X_OK) else usual


def _all(fd: int, piece: np.ndarray) -> None:
    data = np.ascontiguousarray(piece).reshape(-1).data
    while data:
        data = data[os.write(fd, data) :]
