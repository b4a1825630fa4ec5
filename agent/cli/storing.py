"""--store, and `run-agent store`: what several runs share."""

from __future__ import annotations

import argparse
import os
import re
import time
from collections import Counter

from agent.cli import text
from agent.evaluation.remembered import KIND as PERCEPTIONS
from agent.models.borrowed import KIND as REPLIES
from agent.run.shared import SharedStore
from tools.errors import UsageError

VARIABLE = "PROGGEN_STORE"
_BYTES = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_SECONDS = {"h": 3600, "d": 86400, "w": 604800}


def shared(arguments: argparse.Namespace) -> SharedStore | None:
    """The store that --store or PROGGEN_STORE names, or None."""
    folder = arguments.store or os.environ.get(VARIABLE)
    return SharedStore(folder) if folder else None


def main(arguments: argparse.Namespace) -> int:
    """`store list` and `store gc`."""
    folder = arguments.folder or os.environ.get(VARIABLE)
    if not folder:
        raise UsageError("store", f"DIR, or the variable {VARIABLE}", "neither")
    if not os.path.isdir(folder):
        raise UsageError(str(folder), "a shared store", "nothing there")
    kept = SharedStore(folder)
    if arguments.verb == "gc":
        if arguments.most is None and arguments.unused is None:
            raise UsageError("store gc", "--most SIZE or --unused TIME", "neither")
        files, freed = kept.collect(
            None if arguments.most is None else _amount(arguments.most, _BYTES, "--most", "10G"),
            None
            if arguments.unused is None
            else _amount(arguments.unused, _SECONDS, "--unused", "30d"),
        )
        text.show([f"removed {files} files, {freed / 1e6:.1f} MB"])
    text.show([_summary(kept)])
    return 0


def _summary(kept: SharedStore) -> str:
    entries = list(kept.entries())
    counts = Counter(entry.path.relative_to(kept.folder).parts[0] for entry in entries)
    known = ", ".join(f"{counts[kind]} {kind}" for kind in ("evaluations", PERCEPTIONS, REPLIES))
    size = sum(entry.size for entry in entries)
    days = (time.time() - min((entry.used for entry in entries), default=time.time())) / 86400
    return f"{known}; {size / 1e6:.1f} MB in {kept.folder}; longest unused: {days:.0f} days"


def _amount(told: str, units: dict[str, int], option: str, example: str) -> int:
    """Read "10G" or "30d"."""
    match = re.fullmatch(r"(\d{1,9}(?:\.\d{1,3})?) ?([A-Za-z]?)B?", told)
    unit = (
        None if match is None else next((u for u in units if u.lower() == match[2].lower()), None)
    )
    if match is None or unit is None:
        raise UsageError(option, f"a size or time such as {example}", f"{told[:40]!r}")
    return int(float(match[1]) * units[unit])
