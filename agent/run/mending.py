"""What a kill, a full disk or a slip of the hand did to a run: what is damaged is dropped, so that
a resumed search makes it again from what is whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from agent.run import store, story, trace
from agent.run.runfolder import RunFolder, read_model
from agent.run.store import NewerFormat
from tools.errors import ProggenError

_RECORDS = ("proposal", "evaluation", "diagnosis", "last")
"""Of a node."""


def mend(folder: RunFolder) -> list[str]:
    """Drop what cannot be read, and what was concluded from it; what was dropped, in words.

    Raises StorageError where the event that describes the run is lost, or a format is newer.
    """
    folder.first()  # without it there is nothing to mend
    lost = [*_lines(folder), *_nodes(folder)]
    result, broken = _tried(folder.result)
    if result is not None and result["best"] is not None:
        broken = _tried(lambda: read_model(folder.best))[1]
    if broken or (lost and result is not None):
        path = folder.path / "result.json"
        store.remove(path)
        lost.append(f"{path.name} is made again")
    return lost


def _lines(folder: RunFolder) -> Iterator[str]:
    """Rewrites the trace without its damaged lines."""
    damaged: list[int] = []
    told = {(e["event"], e.get("node")) for e in story.read(folder.trace, damaged)}
    ended = ("proposed", "evaluated") if (folder.path / "result.json").exists() else ()
    untold = [n for n in folder.node_ids() if any((kind, n) not in told for kind in ended)]
    if untold and not damaged:
        yield f"{folder.trace.name} is told again from node {untold[0]} on"
    if not damaged:
        return
    kept = b"".join(line for n, line in trace.lines(folder.trace) if n not in set(damaged))
    store.write(folder.trace, kept)
    shown = ", ".join(map(str, damaged[:8])) + (", ..." if len(damaged) > 8 else "")
    yield f"damaged lines of {folder.trace.name} ({shown}) are left out"


def _nodes(folder: RunFolder) -> Iterator[str]:
    """Removes records that cannot be read; without its proposal a node has none of the others."""
    known = set[str]()
    for node in folder.node_ids():
        found, broken = _tried(partial(folder.load_proposal, node))
        if broken or (found[1].parent is not None and found[1].parent not in known):
            yield from _removed(folder.path / "nodes" / node, *_RECORDS)
            continue
        known.add(node)
        for name, load in (
            ("evaluation", folder.load_evaluation),
            ("diagnosis", folder.load_diagnosis),
            ("last", folder.load_last),
        ):
            if _tried(partial(load, node))[1]:
                yield from _removed(folder.path / "nodes" / node, name)


def _removed(folder: Path, *names: str) -> Iterator[str]:
    for name in names:
        path = folder / f"{name}.json"
        if path.exists():
            store.remove(path)
            yield f"{folder.name}/{path.name} is made again"


def _tried(load: Callable[[], Any]) -> tuple[Any, bool]:
    """What ``load`` gives, and whether it failed instead."""
    try:
        return load(), False
    except NewerFormat:
        raise
    except ProggenError:
        return None, True
