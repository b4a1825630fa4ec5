"""A library of programs that have proved themselves: a folder that a person may read, edit and add
to.

Each entry is a folder with perception.py, dynamics.py, rendering.py and memory.json: ``words`` (the
mechanism), ``score``, ``run`` (where it comes from) and ``scene`` (measures of what it was good
for, see agent.prompting.likeness; without them it is taken for fitting any scene a little).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from agent.plain import clean
from agent.run import store
from agent.run.runfolder import read_programs, write_programs
from tools.errors import UsageError
from tools.types import Programs

MOST = 500
"""Entries of a library that are read."""
FORMAT = 1


@dataclass(frozen=True)
class Entry:
    """One verified model. name: of its folder."""

    name: str
    programs: Programs
    words: str
    score: float
    run: str = ""
    scene: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class _Note:
    words: str
    score: float = 0.0
    run: str = ""
    scene: Mapping[str, float] = field(default_factory=dict)
    format: int = FORMAT


def read(folder: str | Path) -> tuple[Entry, ...]:
    """Every entry, by name. Raises UsageError where there is no such folder, or an entry cannot be
    read."""
    place = Path(folder)
    if not place.is_dir():
        raise UsageError(
            "--memory",
            "a folder of programs",
            str(place),
            f"make one with `run-agent remember RUN --to {place}`",
        )
    found = sorted(path.parent for path in place.glob("*/memory.json"))[:MOST]
    return tuple(map(_entry, found))


def _entry(path: Path) -> Entry:
    said: _Note = store.read_json(path / "memory.json", _Note)
    words = clean(said.words)[:2000]
    return Entry(path.name, read_programs(path), words, said.score, clean(said.run), said.scene)


def write(folder: str | Path, entry: Entry) -> Path:
    """Add an entry under a name of its own; its folder. Raises StorageError."""
    place, number = Path(folder) / entry.name, 2
    while place.exists():
        place, number = Path(folder) / f"{entry.name}-{number}", number + 1
    write_programs(place, entry.programs)
    note = {
        "format": FORMAT,
        "words": entry.words,
        "score": entry.score,
        "run": entry.run,
        "scene": dict(entry.scene),
    }
    store.write_json(place / "memory.json", note)
    return place


def slug(words: str) -> str:
    """A name for a folder.

    >>> slug("Two boxes slide. Friction!")
    'two-boxes-slide'
    """
    first = re.split(r"[.;:!?]", words.strip() or "programs")[0]
    return "-".join(re.findall(r"[a-z0-9]+", first.lower())[:6]) or "programs"
