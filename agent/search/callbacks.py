"""Python functions that are called while a search goes on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from agent.core.protocols import Archive, Node

OnNode = Callable[[Node], Any]


@dataclass(frozen=True)
class Callbacks:
    """Each is called once for each node, in the search's own thread, after it is on disk; what it
    returns is ignored, what it raises ends the session (the run can be resumed).

    on_proposal: programs that were proposed, not evaluated yet. on_evaluation: a node with its
    evaluation and diagnosis. on_best: the node that leads from now on.
    """

    on_proposal: OnNode | None = None
    on_evaluation: OnNode | None = None
    on_best: OnNode | None = None

    def take(self, event: Mapping[str, Any], archive: Archive) -> None:
        """Pass on an event of the trace."""
        told = {
            "proposed": self.on_proposal,
            "diagnosed": self.on_evaluation,  # follows its "evaluated"
            "best": self.on_best,
        }.get(event["event"])
        if told is not None:
            told(archive[event["node"]])
