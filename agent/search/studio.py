"""The graph as LangGraph's own tooling opens it (`langgraph.json`): the search of one run folder,
resumed or looked at.

The folder is given as ``configurable.run`` when the graph is opened; without one the graph can be
looked at, not run.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import ExitStack, asynccontextmanager
from typing import Any

from agent.search import graph
from tools.errors import UsageError


class _Shown:
    """Steps of a graph that is only looked at."""

    def _refuse(self, *_: Any) -> Any:
        raise UsageError(
            "graph", "configurable.run, the folder of a run", "none", "start one with `run-agent`"
        )

    observe = propose = evaluate = diagnose = record = finish = _refuse


@asynccontextmanager
async def search(config: Mapping[str, Any]) -> AsyncIterator[Any]:
    """A compiled graph without a checkpointer (the tooling brings its own). Files are read, and the
    sandbox is started and stopped, in threads: the tooling's event loop must not wait."""
    run = config.get("configurable", {}).get("run")
    if run is None:
        yield graph.build(_Shown(), []).compile()
        return
    with ExitStack() as stack:
        steps = await asyncio.to_thread(_opened, run, stack)
        try:
            yield graph.build(steps, []).compile()
        finally:
            await asyncio.to_thread(stack.close)


def _opened(run: str, stack: ExitStack) -> Any:
    from agent.search.steps import reopened  # takes a second to import

    return stack.enter_context(reopened(run))
