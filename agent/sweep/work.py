"""One case in a process of its own: begun, gone on with, or found finished.

The same function runs on this machine and on a worker of a cluster. There the clip arrives as
bytes and the run folder goes back as bytes, so that no disk need be shared.
"""

from __future__ import annotations

import io
import json
import os
import signal
import socket
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

LARGEST = 1 << 30
"""Bytes of a clip that is sent, or of a run folder that comes back."""
FAILURE = "failure.json"


@dataclass(frozen=True)
class Done:
    """ok: whether the run has a result. line: why not. run: the folder as tar bytes, from a worker
    elsewhere; empty where the folder itself was written."""

    ok: bool
    line: str = ""
    run: bytes = b""


def here(clip: Path, folder: Path, arguments: Sequence[str]) -> Done:
    """Bring the run in ``folder`` to its end: resumed where it had begun, skipped where it has
    ended."""
    if (ended := ended_before(folder)) is not None:
        return ended
    begun = (folder / "trace.jsonl").is_file()
    command = ["resume", str(folder)] if begun else _begin(clip, folder, arguments)
    code, said = _call([*command, "--workers=1", "--quiet"])
    if code < 0 or code >= 128:  # killed: the case goes on next time
        return Done(False, f"ended by signal {abs(code) % 128}")
    if (folder / "result.json").is_file():
        return Done(True)
    folder.mkdir(parents=True, exist_ok=True)
    line = said or f"exit code {code}"
    temporary = folder / f".{FAILURE}"
    temporary.write_text(json.dumps({"line": line, "code": code}), encoding="utf-8")
    temporary.replace(folder / FAILURE)
    return Done(False, line)


def elsewhere(clip: bytes, name: str, arguments: Sequence[str]) -> Done:
    """The same on a worker of a cluster, in a folder that lasts as long as the call. clip: tar
    bytes of the file or folder ``name``."""
    with tempfile.TemporaryDirectory(prefix="sweep-") as place:
        unpack(clip, Path(place) / "clip")
        folder = Path(place) / "run"
        done = here(Path(place) / "clip" / name, folder, arguments)
        return Done(done.ok, done.line, pack(folder))


def ended_before(folder: Path) -> Done | None:
    """How the run in ``folder`` ended, None where it has not."""
    if (folder / "result.json").is_file():
        return Done(True)
    return Done(False, _told(folder / FAILURE)) if (folder / FAILURE).is_file() else None


def _begin(clip: Path, folder: Path, arguments: Sequence[str]) -> list[str]:
    return ["run", f"--video={clip}", f"--out={folder}", *arguments]


def _call(arguments: Sequence[str]) -> tuple[int, str]:
    """Exit code and last line of ``run-agent`` with these arguments. The process leads a group of
    its own, which ends with it, and ends itself when this one dies."""
    environment = os.environ | dict.fromkeys(_THREADS, "1")
    ours, its = socket.socketpair()
    process = subprocess.Popen(
        [sys.executable, "-c", _TIED, str(its.fileno()), *arguments],
        pass_fds=[its.fileno()],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        env=environment,
        start_new_session=True,
    )
    its.close()
    try:
        said = process.communicate()[1]
    except BaseException:
        os.killpg(process.pid, signal.SIGINT)
        process.wait()
        raise
    finally:
        ours.close()
    lines = [line for line in said.splitlines() if line.strip()]
    return process.returncode, (lines[-1][:500] if lines else "")


_TIED = """
import os, socket, sys
from agent.cli import main
from sandbox import wire

if __name__ == "__main__":
    end = socket.socket(fileno=int(sys.argv.pop(1)))
    wire.tie(end, os.getpid())
    sys.exit(main())
"""
"""``run-agent`` that is killed when the process that started it is gone."""
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def _told(path: Path) -> str:
    try:
        return str(json.loads(path.read_text(encoding="utf-8"))["line"])[:500] or "failed"
    except (OSError, ValueError, LookupError, TypeError):
        return "failed before; the reason cannot be read"


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
