"""A proposer that calls a Python function of yours."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from agent.core.protocols import Archive, Move, Proposal
from agent.core.screen import fingerprint
from tools.types import STAGES, Programs, Task

Write = Callable[[Task, Archive, Move], Programs | tuple[Programs, str] | None]


class FunctionProposer:
    """write: given the task (visible frames), everything tried so far and the move, it returns
    programs, or programs and the reason for them, or None for "nothing to say".

    What the search promises (the same end after a kill) holds as far as the function answers the
    same question in the same way; what it answered is on disk and not asked again.
    """

    def __init__(self, write: Write, name: str = "function"):
        self._write, self.name = write, name

    def __repr__(self) -> str:
        return f"FunctionProposer({self._write!r})"

    def propose(
        self, task: Task, archive: Archive, move: Move, rng: np.random.Generator
    ) -> Proposal:
        """What the function says."""
        said = self._write(task, archive, move)
        programs, words = said if isinstance(said, tuple) else (said, "")
        if programs is None:
            return Proposal(None, words or f"{self.name} has nothing to say")
        known = {fingerprint(node.candidate.programs): node.id for node in archive.nodes}
        twin = known.get(fingerprint(programs))
        if twin is not None:
            return Proposal(None, f"{self.name} repeats node {twin}")
        parent = None if move.parent is None else archive[move.parent].candidate.programs
        stages = tuple(s for s in STAGES if parent is None or programs[s] != parent[s])
        return Proposal(programs, words or "(no reason given)", stages)
