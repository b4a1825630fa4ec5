"""One case in a process of its own: begun, gone on with, or found finished.

The same function runs on this machine and on a worker of a cluster. There the clip arrives as
bytes and the run folder goes back as bytes, so that no disk need be shared.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from agent.cluster.packed import pack, unpack

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
