"""A memory and process cap by control group around one server, where this process may make one. A
backstop only."""

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
    """Groups capped at ``memory`` bytes and ``processes`` processes or threads; raises OSError
    where not permitted."""
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


def memory_limit() -> int:
    """Bytes that the groups above this process allow it (a container's size); a huge number without
    any."""
    own = _own()
    folders = [_ROOT / "memory" / own["memory"].lstrip("/")] if "memory" in own else []
    folders += [_ROOT / own[""].lstrip("/")] if "" in own else []
    caps = [1 << 62]
    for folder in folders:
        for place in (folder, *folder.parents):
            for name in ("memory.max", "memory.limit_in_bytes"):
                with contextlib.suppress(OSError, ValueError):
                    caps.append(int((place / name).read_text()))
    return min(caps)


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


def _own() -> dict[str, str]:
    """Controller ("" in version 2) -> path of this process's group."""
    try:
        lines = [line.split(":", 2) for line in Path("/proc/self/cgroup").read_text().splitlines()]
    except OSError:
        return {}
    return {
        controller: path for _, controllers, path in lines for controller in controllers.split(",")
    }


def _parents(strict: bool = True) -> dict[Path, tuple[str, ...]]:
    """Folder to make groups in -> the controllers to set there."""
    own = _own()
    found: dict[Path, tuple[str, ...]] = {}
    for controller in ("memory", "pids"):
        if controller in own:
            found[_ROOT / controller / own[controller].lstrip("/")] = (controller,)
    if not found and "" in own:
        found[(_ROOT / own[""].lstrip("/")).parent] = ("memory", "pids")
    if strict and not found:
        raise OSError(0, "no control groups here")
    return found
