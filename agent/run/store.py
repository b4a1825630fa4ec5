"""Files that survive a kill: whole or absent, never half. The only module of the agent that writes
to disk by itself.

``write`` goes through a temporary file in the same folder, fsync and rename; ``Store`` keeps blobs
once, by content.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from tools import backing, claims
from tools.errors import StorageError, UsageError

MOST = 64 << 20
"""Bytes of a file that is read whole."""
_KEY = re.compile(r"[0-9a-f]{32}\Z")
T = TypeVar("T")

_PIECE = 1 << 20
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


def remove(path: Path) -> None:
    """Delete a file that may be gone already. Raises StorageError."""
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise StorageError(_complaint(path, error)) from error


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
        raise UsageError(str(path), "a place in a folder", f"one under the file {above}")
    if not os.access(above, os.W_OK | os.X_OK):
        raise UsageError(str(path), "a folder that may be written to", str(above))


def check_file(path: Path, suffixes: Sequence[str] = ()) -> None:
    """:func:`check_place` for a file, its name ending in one of ``suffixes`` where there are
    any."""
    if suffixes and path.suffix.lower() not in suffixes:
        raise UsageError("--out", f"a name ending in {', '.join(suffixes)}", str(path))
    if path.is_dir():
        raise UsageError(str(path), "the name of a file", "a folder")
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


def read_bytes(path: Path, most: int = MOST) -> bytes:
    """The content of a plain file of at most ``most`` bytes. Raises StorageError."""
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
            about = os.fstat(file.fileno())
            if not stat.S_ISREG(about.st_mode) or about.st_size > most:
                raise StorageError(
                    str(path),
                    f"a plain file of at most {most} bytes",
                    f"{about.st_size} bytes" if stat.S_ISREG(about.st_mode) else "a device or pipe",
                )
            return file.read()
    except OSError as error:
        raise StorageError(_complaint(path, error)) from error


def read_json(path: Path, kind: type[T] | None = None) -> T:
    """What a JSON file says, as a value of ``kind`` (see tools.claims; None: as it stands). Raises
    StorageError when it is missing or damaged."""
    data = read_bytes(path)
    with reading(path):
        value = claims.parse(data, "content", MOST)
        return value if kind is None else claims.read(kind, value, "content")


_MENDS = "in a run, `run-agent resume` mends it"


@contextmanager
def reading(path: Path, fix: str = _MENDS) -> Iterator[None]:
    """Whatever turns out to be wrong with the content of ``path`` is a StorageError that names
    it."""
    try:
        yield
    except UsageError as error:
        raise StorageError(f"{path}: damaged: {error}; {fix}") from None


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


class NewerFormat(StorageError):
    """A newer version of this program wrote the file."""


def newer(path: Path, known: int, got: int) -> NewerFormat:
    """What to raise about a file of format ``got``."""
    return NewerFormat(
        str(path), f"format {known} or older", str(got), "use a newer version of this program"
    )


class Store:
    """Blobs by content in ``folder``: ``put`` returns the hash under which ``get`` finds the bytes
    again."""

    def __init__(self, folder: Path):
        self.folder = Path(folder)

    def path(self, key: str) -> Path:
        """Where the blob ``key`` lies. Raises StorageError for what is no hash."""
        if not _KEY.match(key):
            raise StorageError(str(self.folder), "a content hash", f"{key[:40]!r}")
        return self.folder / key[:2] / key[2:]

    def put(self, data: bytes) -> str:
        """Keep ``data`` (once) and return its hash."""
        key = digest(data)
        if not self.path(key).exists():
            write(self.path(key), data)
        return key

    def put_pieces(self, pieces: Iterable[bytes]) -> str:
        """:meth:`put` of bytes that come piece by piece and are never held together."""
        content, whole = hashlib.blake2b(digest_size=16), self.folder / "piecewise"
        with replacing(whole) as temporary, open(temporary, "wb") as file:
            for piece in pieces:
                content.update(piece)
                file.write(piece)
        path = self.path(content.hexdigest())
        with replacing(path) as temporary:
            os.replace(whole, temporary)
        return content.hexdigest()

    def pieces(self, key: str) -> Iterator[bytes]:
        """The bytes kept under ``key``, piece by piece. Raises StorageError when they are missing,
        or, after the last piece, damaged."""
        content = hashlib.blake2b(digest_size=16)
        try:
            with open(os.open(self.path(key), os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
                while piece := file.read(_PIECE):
                    content.update(piece)
                    yield piece
        except OSError as error:
            raise StorageError(_complaint(self.path(key), error)) from error
        if content.hexdigest() != key:
            raise StorageError(
                str(self.path(key)), f"content {key}", content.hexdigest(), "the file is damaged"
            )

    def get(self, key: str) -> bytes:
        """The bytes kept under ``key``. Raises StorageError when they are missing or damaged."""
        data = read_bytes(self.path(key), 2 * backing.HEAVY)
        if digest(data) != key:
            raise StorageError(
                str(self.path(key)), f"content {key}", digest(data), "the file is damaged"
            )
        return data


Keep = Callable[[bytes], str]
"""What a caller needs of a store: bytes in, hash out."""
