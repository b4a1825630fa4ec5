"""Files and folders as tar bytes that travel between machines: plain files only, nobody's names in
them, and nothing that leads outside where they are unpacked."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path, PurePosixPath

LARGEST = 1 << 30
"""Bytes of a clip that is sent, or of a run folder that comes back."""


def pack(path: Path) -> bytes:
    """A file or folder as tar bytes, regular files only. Raises ValueError above LARGEST."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        files = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file())
        total = sum(p.stat().st_size for p in files)
        if total > LARGEST:
            raise ValueError(
                f"{path.name}: expected at most {LARGEST >> 20} MiB, got {total >> 20}"
            )
        for one in files:
            if not one.is_symlink():
                inside = one.name if path.is_file() else one.relative_to(path.parent).as_posix()
                tar.add(one, inside, recursive=False, filter=_nameless)
    return out.getvalue()


def _nameless(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """Without the names and numbers of this machine's users."""
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member


def unpack(data: bytes, folder: Path) -> None:
    """Write tar bytes below ``folder``. Links, devices and names that lead out are refused
    (ValueError): the bytes come from another machine."""
    if len(data) > 2 * LARGEST:
        raise ValueError(f"expected at most {LARGEST >> 20} MiB, got {len(data) >> 20}")
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        for member in tar:
            name = PurePosixPath(member.name)
            if not member.isreg() or name.is_absolute() or ".." in name.parts:
                raise ValueError(
                    f"expected plain files inside the folder, got {member.name[:80]!r}"
                )
            source = tar.extractfile(member)
            target = folder.joinpath(*name.parts)
            target.parent.mkdir(parents=True, exist_ok=True)
            if source is not None:
                target.write_bytes(source.read())
