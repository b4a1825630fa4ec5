"""A memory and process cap by control group around one server, where this process may make one. A backstop only."""

from __future__ import annotations

import contextlib
import itertools
import os
from dataclasses import dataclass
from pathlib import Path

_ROOT = Path("/sys/fs/cgroup")
_PREFIX = "sandbox"
_numbers = itertools.count()


@dataclass(frozen=True)
class Group:
    """Folders of one server's groups: one in version 2, one per controller in version 1."""

    folders: tuple[Path, ...]

    def add(self, pid: int) -> None:
        """Move a process, before it has children."""
        for folder in self.folders:
            (folder / "cgroup.procs").write_text(str(pid))

    def remove(self) -> None:
        """Delete the groups; every process in them has ended."""
        for folder in self.folders:
            with contextlib.suppress(OSError):
                folder.rmdir()


def make(memory: int, processes: int) -> Group:
    """Groups capped at ``memory`` bytes and ``processes`` processes or threads; raises OSError where not permitted."""
    sweep()
    caps = {"memory": _memory_caps(memory), "pids": {"pids.max": processes}}
    folders: list[Path] = []
    name = f"{_PREFIX}-{os.getpid()}-{next(_numbers)}"
    try:
        for parent, controllers in _parents().items():
            (parent / name).mkdir()
            folders.append(parent / name)
            for controller in controllers:
                _set(parent / name, caps[controller])
    except OSError:
        Group(tuple(folders)).remove()
        raise
    return Group(tuple(folders))


def sweep() -> None:
    """Remove empty groups that hosts left behind when they were killed."""
    for parent in _parents(strict=False):
        for folder in parent.glob(f"{_PREFIX}-*-*"):
            if not Path(f"/proc/{folder.name.split('-')[1]}").exists():
                with contextlib.suppress(OSError):
                    folder.rmdir()


def _memory_caps(memory: int) -> dict[str, int]:
    return {"memory.max": memory, "memory.swap.max": 0, "memory.limit_in_bytes": memory}


def _set(folder: Path, caps: dict[str, int]) -> None:
    present = {name: value for name, value in caps.items() if (folder / name).exists()}
    if not present:
        raise OSError(0, f"{folder.parent} offers none of {', '.join(caps)}")
    for name, value in present.items():
        (folder / name).write_text(str(value))


def _parents(strict: bool = True) -> dict[Path, tuple[str, ...]]:
    """Folder of this process's own group -> the controllers to set in it."""
    try:
        lines = [line.split(":", 2) for line in Path("/proc/self/cgroup").read_text().splitlines()]
    except OSError:
        lines = []
    own = {controller: path for _, controllers, path in lines for controller in controllers.split(",")}
    found: dict[Path, tuple[str, ...]] = {}
    for controller in ("memory", "pids"):
        if controller in own:
            found[_ROOT / controller / own[controller].lstrip("/")] = (controller,)
    if not found and "" in own:
        found[(_ROOT / own[""].lstrip("/")).parent] = ("memory", "pids")
    if strict and not found:
        raise OSError(0, "no control groups here")
    return found
