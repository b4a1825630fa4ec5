"""One case in a process of its own: begun, gone on with, or found finished.

The same function runs on this machine and on a worker of a cluster. There the clip arrives as
bytes and the run folder goes back as bytes, so that no disk need be shared.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from agent.cluster.packed import pack, unpack
from agent.run import locks
from agent.sweep.cases import Clip
from agent.sweep.nursery import Nursery
from tools.errors import RunError

FAILURE = "failure.json"
_PATIENCE = 50
"""Tenths of a second."""
NURSERY = Nursery()
"""Of this process; it starts nothing before the first case."""


@dataclass(frozen=True)
class Done:
    """ok: whether the run has a result. line: why not. run: the folder as tar bytes, from a worker
    elsewhere; empty where the folder itself was written."""

    ok: bool
    line: str = ""
    run: bytes = b""


def here(clip: str, folder: Path, arguments: Sequence[str]) -> Done:
    """Bring the run in ``folder`` to its end: resumed where it had begun, skipped where it has
    ended. clip: the option that names it."""
    if (ended := ended_before(folder)) is not None:
        return ended
    begun = (folder / "trace.jsonl").is_file()
    command = ["resume", str(folder)] if begun else ["run", clip, f"--out={folder}", *arguments]
    if begun:
        _free(folder)
    code, said = NURSERY.call([*command, "--workers=1", "--quiet"])
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


def _free(folder: Path) -> None:
    """Wait a little for a run whose sweep was killed just now: it dies a moment later."""
    for _ in range(_PATIENCE):
        with suppress(RunError), locks.alone(folder, "run"):
            return
        time.sleep(0.1)


def elsewhere(clip: Clip, content: bytes, arguments: Sequence[str]) -> Done:
    """The same on a worker of a cluster, in a folder that lasts as long as the call. content: tar
    bytes of the file or folder."""
    with tempfile.TemporaryDirectory(prefix="sweep-") as place:
        if clip.path is not None:
            unpack(content, Path(place) / "clip")
        folder = Path(place) / "run"
        done = here(clip.told(Path(place) / "clip" / clip.name), folder, arguments)
        return Done(done.ok, done.line, pack(folder))


def ended_before(folder: Path) -> Done | None:
    """How the run in ``folder`` ended, None where it has not."""
    if (folder / "result.json").is_file():
        return Done(True)
    return Done(False, _told(folder / FAILURE)) if (folder / FAILURE).is_file() else None


def _told(path: Path) -> str:
    try:
        return str(json.loads(path.read_text(encoding="utf-8"))["line"])[:500] or "failed"
    except (OSError, ValueError, LookupError, TypeError):
        return "failed before; the reason cannot be read"
