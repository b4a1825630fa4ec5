"""The search as a LangGraph graph: observe -> propose -> evaluate -> diagnose -> record -> (propose
| finish).

The only module that imports LangGraph. The graph schedules; its state holds ids and words, never
frames or sources, so that checkpoints stay small. Work, and everything worth keeping, is in
``agent.search.steps``.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypedDict

from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.graph import END, START, StateGraph

from tools.errors import StorageError

if TYPE_CHECKING:
    from langchain_core.runnables import RunnableConfig

STEPS_A_ROUND = 4


class State(TypedDict, total=False):
    """ids: the nodes of the current round. over: whether the search ends after it."""

    ids: list[str]
    over: bool


class Steps(Protocol):
    """What the graph schedules; see agent.search.steps.Search."""

    def observe(self) -> None: ...
    def propose(self) -> list[str]: ...
    def evaluate(self, ids: list[str]) -> None: ...
    def diagnose(self, ids: list[str]) -> None: ...
    def record(self, ids: list[str]) -> bool: ...
    def finish(self) -> Any: ...


def build(steps: Steps, results: list[Any]) -> StateGraph:
    """The graph over ``steps``; what ``finish`` returns is appended to ``results``, because it does
    not belong in a checkpoint."""

    def observe(state: State) -> State:
        steps.observe()
        return {"ids": [], "over": False}

    def propose(state: State) -> State:
        return {"ids": steps.propose()}

    def evaluate(state: State) -> State:
        steps.evaluate(state["ids"])
        return {}

    def diagnose(state: State) -> State:
        steps.diagnose(state["ids"])
        return {}

    def record(state: State) -> State:
        return {"over": steps.record(state["ids"])}

    def finish(state: State) -> State:
        results.append(steps.finish())
        return {}

    graph = StateGraph(State)
    for step in (observe, propose, evaluate, diagnose, record, finish):
        graph.add_node(step.__name__, step)
    for before, after in (
        (START, "observe"),
        ("observe", "propose"),
        ("propose", "evaluate"),
        ("evaluate", "diagnose"),
        ("diagnose", "record"),
    ):
        graph.add_edge(before, after)
    graph.add_conditional_edges(
        "record", lambda state: "finish" if state["over"] else "propose", ["propose", "finish"]
    )
    graph.add_edge("finish", END)
    return graph


def execute(steps: Steps, checkpoint: Path, budget: int) -> Any:
    """Run the graph to its end, checkpoints in the SQLite file ``checkpoint``; what ``finish``
    returned.

    The checkpoints of an earlier session are dropped: the steps find their results in the run
    folder, so that the graph goes through them again in no time and writes the same checkpoints.
    Raises StorageError when the disk refuses.
    """
    results: list[Any] = []
    settings: RunnableConfig = {
        "configurable": {"thread_id": "search"},
        "recursion_limit": STEPS_A_ROUND * (budget + 1) + 3,
    }
    try:
        for path in checkpoint.parent.glob(f"{checkpoint.name}*"):
            path.unlink()
        with closing(sqlite3.connect(checkpoint, check_same_thread=False)) as connection:
            build(steps, results).compile(checkpointer=SqliteSaver(connection)).invoke(
                {"ids": [], "over": False}, settings, durability="sync"
            )
    except (sqlite3.Error, OSError) as error:
        raise StorageError(
            str(checkpoint),
            "checkpoints that can be written",
            str(error),
            f"free space or check the folder, then `run-agent resume {checkpoint.parent}`",
        ) from error
    return results[0]
