"""A proposer whose detections are checked by measurement alone: what the model's verdicts are
weighed against, without a model."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from agent.checking.detection_check import check_detections, checked_before
from agent.core.protocols import Archive, Move, Plentiful, Proposal, Proposer
from tools.types import Task


class CheckedProposer:
    """Adds findings on the parent's detections to the proposals of ``inner``, once for each
    perception that is refined."""

    def __init__(self, inner: Proposer):
        self.inner, self.name = inner, inner.name
        self.plentiful = isinstance(inner, Plentiful) and inner.plentiful

    def __repr__(self) -> str:
        return f"CheckedProposer({self.inner!r})"

    def propose(
        self, task: Task, archive: Archive, move: Move, rng: np.random.Generator
    ) -> Proposal:
        """What ``inner`` proposes, and what the measurements say of the detections it builds on."""
        proposal = self.inner.propose(task, archive, move, rng)
        parent = None if move.parent is None else archive[move.parent]
        if parent is None or move.kind != "refine" or checked_before(archive, parent, self.name):
            return proposal
        return replace(
            proposal, findings=(*proposal.findings, *check_detections(task, parent.evaluation))
        )
