"""`langgraph.json`: what it names is there, can be looked at, and carries an interrupted run to the
end that it had."""

from __future__ import annotations

import asyncio
import importlib
import json
import shutil
import threading
from pathlib import Path

import pytest

from agent.run import trace
from tools.errors import UsageError

ROOT = Path(__file__).resolve().parent.parent.parent
START = {"ids": [], "over": False}


def factory():
    """What langgraph.json names."""
    file, name = json.loads((ROOT / "langgraph.json").read_text())["graphs"]["search"].split(":")
    return getattr(
        importlib.import_module(file.removeprefix("./").removesuffix(".py").replace("/", ".")), name
    )


def test_the_graph_can_be_looked_at_but_not_run_without_a_run():
    async def look():
        async with factory()({}) as graph:
            assert {"observe", "propose", "evaluate", "diagnose", "record", "finish"} <= set(
                graph.get_graph().nodes
            )
            with pytest.raises(UsageError, match=r"configurable\.run"):
                await graph.ainvoke(START)

    asyncio.run(look())


def test_an_interrupted_run_goes_on_to_the_same_end(run, tmp_path):
    copy = tmp_path / "run"
    shutil.copytree(run, copy)
    (copy / "result.json").unlink()
    events = (copy / "trace.jsonl").read_bytes().splitlines(keepends=True)
    (copy / "trace.jsonl").write_bytes(b"".join(events[:-1]))

    async def go_on():
        async with factory()({"configurable": {"run": str(copy)}}) as graph:
            return await graph.ainvoke(START, {"recursion_limit": 100})

    before = threading.active_count()
    assert asyncio.run(go_on())["over"] is True and threading.active_count() <= before
    ends = [
        trace.without_times(json.loads((path / "result.json").read_text())) for path in (run, copy)
    ]
    assert ends[0] == ends[1]
    stories = [
        [trace.without_times(event) for event in trace.read(path / "trace.jsonl")]
        for path in (run, copy)
    ]
    assert stories[0] == stories[1]
