"""The graph as LangGraph's own tooling opens it (`langgraph.json`): the search of one run folder, resumed or looked at.

The folder is given as ``configurable.run`` when the graph is opened; without one the graph can be looked at, not run.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agent import graph
from agent.errors import UsageError


class _Shown:
    """Steps of a graph that is only looked at."""

    def _refuse(self, *_: Any) -> Any:
        raise UsageError("graph: expected configurable.run, the folder of a run, got none; start one with `run-agent`")

    observe = propose = evaluate = diagnose = record = finish = _refuse


def search(config: Mapping[str, Any]) -> Any:
    """A compiled graph without a checkpointer (the tooling brings its own)."""
    run = config.get("configurable", {}).get("run")
    if run is None:
        return graph.build(_Shown(), []).compile()
    from agent.search import reopened

    return graph.build(reopened(run), []).compile()
