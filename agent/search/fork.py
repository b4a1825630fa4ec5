"""A new run that starts where another one got to: from one of its nodes, perhaps with files that a
person edited as its first child."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agent import versions
from agent.core.protocols import Move, Proposal
from agent.run import records, runfolder
from agent.run.runfolder import RunFolder, check_new
from agent.run.store import Store
from agent.search.flow import SEEDED
from agent.search.steps import SCORING
from tools.errors import UsageError
from tools.types import STAGES, Programs


def fork(
    path: str | Path,
    node_id: str,
    out: str | Path,
    edit: str | Path | None = None,
    changes: Mapping[str, Any] | None = None,
) -> RunFolder:
    """Write the run folder ``out``; ``agent.search.steps.resume`` searches on in it.

    path, node_id: where it starts. edit: a folder with files (perception.py, dynamics.py,
    rendering.py, those that were changed) that become the node's first child. changes: settings of
    the run that are other than its parent's, by their names in SearchConfig. Raises UsageError,
    StorageError.
    """
    check_new(out)
    parent = RunFolder(path)
    programs = runfolder.read_programs(parent.node(node_id))
    seeds = [_seed(programs, f"Node {node_id} of {parent.path.name}.", Move("draft"), STAGES)]
    if edit is not None:
        seeds.append(_edited(programs, Path(edit)))
    task = parent.task()
    kept = Store(Path(out) / "store")
    first = {
        "event": "run",
        "config": {**parent.settings(), **(changes or {})},
        "task": records.save_task(kept, task),
        "held_back": records.save_held_back(kept, parent.held_back(task)),
        "versions": versions.known(),
        "scoring": SCORING,
        "forked": {"run": parent.path.name, "node": node_id},
        "time": time.time(),
    }
    folder = RunFolder.create(out, first)
    for number, (proposal, move) in enumerate(seeds):
        folder.save_proposal(str(number), proposal, move)
    return folder


def _seed(
    programs: Programs, words: str, move: Move, stages: tuple[str, ...]
) -> tuple[Proposal, Move]:
    return Proposal(programs, words, stages, origin=SEEDED), move


def _edited(programs: Programs, folder: Path) -> tuple[Proposal, Move]:
    """The files in ``folder`` in place of those of ``programs``."""
    mine = {
        stage: source
        for stage in STAGES
        if (source := runfolder.read_source(folder / f"{stage}.py")) is not None
    }
    changed = tuple(
        stage for stage in STAGES if mine.get(stage, programs[stage]) != programs[stage]
    )
    if not changed:
        raise UsageError(
            str(folder),
            f"at least one of {', '.join(f'{s}.py' for s in STAGES)} that differs from the node's",
            "none",
            "leave --edit out to start from the node as it is",
        )
    whole = Programs(**{**dict(programs.items()), **mine})
    return _seed(whole, "Edited by hand.", Move("refine", "0", reason="edited by hand"), changed)
