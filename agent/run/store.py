"""Files that survive a kill: whole or absent, never half. The only module of the agent that writes
to disk by itself.

``write`` goes through a temporary file in the same folder, fsync and rename; ``Store`` keeps blobs
once, by content.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tools.errors import StorageError, UsageError

TEMPORARY = ".partial-"
"""Prefix of files in the making; leftovers of a kill may be deleted at any time."""


def digest(data: bytes) -> str:
    """Content hash: 32 hex digits of BLAKE2b."""
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def write(path: Path, data: bytes) -> None:
    """Replace ``path`` by ``data`` atomically and durably. Raises StorageError."""
    with replacing(path) as temporary, open(temporary, "wb") as file:
        file.write(data)


def write_text(path: Path, text: str) -> None:
    """:func:`write` for UTF-8 text; half characters, as a model's reply may hold, are replaced."""
    write(path, text.encode("utf-8", "replace"))


def write_json(path: Path, data: Any) -> None:
    """:func:`write` for JSON; NaN and infinities are refused (ValueError)."""
    write_text(path, json.dumps(data, indent=1, allow_nan=False) + "\n")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary name with the suffix of ``path``; what lies there at the end replaces ``path`` in
    one step."""
    temporary = path.with_name(f"{TEMPORARY}{secrets.token_hex(4)}{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        _sync(temporary)
        os.replace(temporary, path)
        _sync(path.parent)
    except OSError as error:
        raise StorageError(_complaint(path, error)) from error
    finally:
        _forget(temporary)


def check_place(path: Path) -> None:
    """Raise UsageError unless something can be written at ``path``: at once, before any work."""
    above = next(folder for folder in Path(path).absolute().parents if folder.exists())
    if not above.is_dir():
        raise UsageError(f"{path}: expected a place in a folder, got one under the file {above}")
    if not os.access(above, os.W_OK | os.X_OK):
        raise UsageError(f"{path}: expected a folder that may be written to, got {above}")


def check_file(path: Path, suffixes: Sequence[str] = ()) -> None:
    """:func:`check_place` for a file, its name ending in one of ``suffixes`` where there are
    any."""
    if suffixes and path.suffix.lower() not in suffixes:
        raise UsageError(f"--out: expected a name ending in {', '.join(suffixes)}, got {path}")
    if path.is_dir():
        raise UsageError(f"{path}: expected the name of a file, got a folder")
    check_place(path)


def append(path: Path, data: bytes) -> None:
    """Add ``data`` to the end of ``path`` durably; if that fails, the file is cut back to what it
    was."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        size = path.stat().st_size if path.exists() else 0
        with open(path, "ab") as file:
            try:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            except OSError:
                os.truncate(path, size)
                raise
    except OSError as error:
        raise StorageError(_complaint(path, error)) from error


def read_json(path: Path) -> Any:
    """Parse a JSON file. Raises StorageError when it is missing or damaged."""
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise StorageError(_complaint(path, error)) from error


def _complaint(path: Path, error: Exception) -> str:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return f"{path}: {reason}; free space or check the folder, then `run-agent resume`"


def _sync(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _forget(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError:
        return


class Store:
    """Blobs by content in ``folder``: ``put`` returns the hash under which ``get`` finds the bytes
    again."""

    def __init__(self, folder: Path):
        self.folder = Path(folder)

    def path(self, key: str) -> Path:
        """Where the blob ``key`` lies."""
        return self.folder / key[:2] / key[2:]

    def put(self, data: bytes) -> str:
        """Keep ``data`` (once) and return its hash."""
        key = digest(data)
        if not self.path(key).exists():
            write(self.path(key), data)
        return key

    def get(self, key: str) -> bytes:
        """The bytes kept under ``key``. Raises StorageError when they are missing or damaged."""
        try:
            data = self.path(key).read_bytes()
        except OSError as error:
            raise StorageError(_complaint(self.path(key), error)) from error
        if digest(data) != key:
            raise StorageError(
                f"{self.path(key)}: expected content {key}, got {digest(data)}; the file is damaged"
            )
        return data


Keep = Callable[[bytes], str]
"""What a caller needs of a store: bytes in, hash out."""
