"""A store that several runs, processes and machines share: what was computed once is looked up.

Evaluations, what perception made of a clip, and replies of models. Entries are named by the hash of
all that decides them, and pictures by content, so that it does not matter who writes first, and a
half-written or deleted one is only computed again. What is read is checked like anybody's claim,
but it need not be true: whoever may write to the folder can tell your searches what came of a
candidate, so share it with people whom you would let edit your results.
"""

from __future__ import annotations

import json
import os
import stat
import time
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.run import store, story
from agent.run.store import Store, digest
from tools import claims
from tools.errors import StorageError, UsageError
from tools.types import Evaluation

FORMAT = 1
_MARK = "shared-store.json"
_MACHINE = frozenset(("limits", "MemoryError"))
"""Stages and kinds of failures that say more of the machine than of the candidate: not kept."""


@dataclass(frozen=True)
class Entry:
    """A file of the store. used: seconds since the epoch when it was last read or written."""

    path: Path
    size: int
    used: float


class SharedStore:
    """The store in ``folder``, made where there is none. Raises UsageError for a folder with other
    things in it, or one that everybody may write to."""

    def __init__(self, folder: str | Path):
        self.folder = Path(folder)
        _check(self.folder)
        if not (self.folder / _MARK).is_file():
            store.write_json(self.folder / _MARK, {"format": FORMAT})
        self._blobs = Store(self.folder / "blobs")

    def evaluation(self, key: str, pictures: Store) -> Evaluation | None:
        """What is known of the candidate ``key``, its pictures copied to ``pictures``; None where
        nothing is, or not all of it can be read."""
        path = self._path(key)
        try:
            found = store.read_json(path, Evaluation)
            with store.reading(path):
                story.check_outcome(found.status, found.score, found.failure)
                claims.unique_names(found.params, "params")
            for blob in found.blobs.values():
                pictures.put(self._blobs.get(blob))
                os.utime(self._blobs.path(blob))
            os.utime(path)
        except (StorageError, OSError):
            return None
        return found

    def keep(self, key: str, evaluation: Evaluation, pictures: Store) -> None:
        """Write down what came of the candidate ``key``. What is full, or cannot be written, is no
        reason to end a search."""
        failure = evaluation.failure
        if failure is not None and _MACHINE & {failure.stage, failure.kind}:
            return
        try:
            for blob in evaluation.blobs.values():
                self._blobs.put(pictures.get(blob))
            store.write_json(self._path(key), evaluation.to_json())
        except StorageError:
            return

    def content(self, kind: str, key: str, most: int = store.MOST) -> bytes | None:
        """What was kept as ``key`` of a ``kind``; None where nothing is, or not all of it can be
        read, or it is more than ``most`` bytes. Whoever asks checks it: anybody may have written
        it."""
        path = self._place(kind, key)
        try:
            packed = store.read_bytes(path)
            unpacker = zlib.decompressobj()
            data = unpacker.decompress(packed, most + 1)
            os.utime(path)
        except (StorageError, OSError, zlib.error):
            return None
        return data if unpacker.eof and len(data) <= most else None

    def keep_content(self, kind: str, key: str, data: bytes) -> None:
        """Write down bytes, in one step. What cannot be written is no reason to end a search."""
        try:
            if not self._place(kind, key).exists():
                store.write(self._place(kind, key), zlib.compress(data, 1))
        except StorageError:
            return

    def entries(self) -> Iterator[Entry]:
        """All files, in no order; those that vanish meanwhile are left out."""
        for path in self.folder.rglob("*"):
            try:
                about = path.lstat()
            except OSError:
                continue
            if stat.S_ISREG(about.st_mode) and path.name != _MARK:
                yield Entry(path, about.st_size, about.st_mtime)

    def collect(self, most: int | None, oldest: float | None) -> tuple[int, int]:
        """Remove what was not used for ``oldest`` seconds, then the longest unused until at most
        ``most`` bytes are left. (files, bytes) removed. Other processes may read and write
        meanwhile: what they miss, they compute again."""
        entries = sorted(self.entries(), key=lambda entry: entry.used)
        held, files, freed, now = sum(entry.size for entry in entries), 0, 0, time.time()
        for entry in entries:
            stale = oldest is not None and now - entry.used > oldest
            if not stale and (most is None or held - freed <= most):
                continue
            store.remove(entry.path)
            files, freed = files + 1, freed + entry.size
        return files, freed

    def _path(self, key: str) -> Path:
        return self._place("evaluations", key).with_suffix(".json")

    def _place(self, kind: str, key: str) -> Path:
        return self.folder / kind / key[:2] / key[2:]


def key(decides: Mapping[str, Any]) -> str:
    """Hash of everything that decides a result, JSON-ready."""
    return digest(json.dumps(decides, sort_keys=True, allow_nan=False).encode())


def _check(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise UsageError(str(folder), "a folder for the shared store", "a file")
    if folder.is_dir():
        if any(folder.iterdir()) and not (folder / _MARK).is_file():
            raise UsageError(str(folder), "a new folder or a shared store", "another")
        if folder.stat().st_mode & stat.S_IWOTH:
            raise UsageError(
                str(folder),
                "a folder that not everybody may write to",
                "one",
                f"use `chmod o-w {folder}`",
            )
    else:
        store.check_place(folder)
