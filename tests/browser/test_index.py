"""The index against the whole trace, on a real run, a growing one, a large one, and a damaged
one."""

from __future__ import annotations

import json
import time
import tracemalloc

import pytest

from agent.browser.index import Index, spent, state
from agent.browser.listing import lines, matcher
from agent.run import story, trace
from tools.errors import StorageError, UsageError


def indexed(path):
    index = Index(path / "trace.jsonl")
    index.refresh()
    return index


def known(index):
    """Everything an index says about each node."""
    names = (
        "kind",
        "parent",
        "calls",
        "status",
        "score",
        "failure",
        "complexity",
        "seconds",
        "children",
        "losses",
        "reason",
        "asked",
        "stages",
        "cost",
    )
    return {node: {name: getattr(row, name) for name in names} for node, row in index.rows.items()}


def copied(run, path, change=lambda event: event):
    """The trace of ``run`` in another folder, each event changed."""
    path.mkdir()
    (path / "trace.jsonl").write_text(
        "".join(json.dumps(change(event)) + "\n" for event in trace.read(run / "trace.jsonl"))
    )
    return path


def grown(run, path, copies):
    """A trace with the nodes of ``run`` ``copies`` times over, each copy below a node of an earlier
    one."""
    events = list(trace.read(run / "trace.jsonl"))
    count = sum(event["event"] == "proposed" for event in events)
    path.mkdir()
    with open(path / "trace.jsonl", "w") as file:
        for copy in range(copies):
            for event in events:
                if event["event"] in ("proposed", "evaluated", "diagnosed") or copy == 0:
                    file.write(json.dumps(_moved(event, copy, count)) + "\n")
    return path


def _moved(event, copy, count):
    event = dict(event)
    if event["event"] == "proposed":
        event["cost"] = event["cost"] | {"calls": 0}
    if copy and "node" in event:
        event["node"] = str(int(event["node"]) + copy * count)
        if event["event"] == "proposed":
            parent = event["move"]["parent"]
            above = (copy - 1) // 3 * count if parent is None else int(parent) + copy * count
            event["move"] = event["move"] | {"parent": str(above)}
    return event


def test_the_index_knows_what_the_trace_says(run):
    index = indexed(run)
    events = list(story.read(run / "trace.jsonl"))
    for kind in ("proposed", "evaluated", "diagnosed"):
        for event in events:
            if event["event"] == kind:
                assert index.rows[event["node"]].event(kind) == event
    confirmed = {e["node"]: e["score"] for e in events if e["event"] == "confirmed"}
    for event in (event for event in events if event["event"] == "evaluated"):
        row = index.rows[event["node"]]
        assert (row.status, row.score, row.complexity, row.losses) == (
            event["status"],
            confirmed.get(event["node"], event["score"]),
            event["complexity"],
            event["losses"],
        )
        assert (row.failure is None) == (event["failure"] is None) and row.seconds == event[
            "timings"
        ].get("total")
    assert index.best == [event["node"] for event in events if event["event"] == "best"][-1]
    assert (
        index.events == len(events)
        and index.declined == 1
        and index.evaluated == len(index.rows) == 4
    )
    assert spent(index.rows.values()) == (4, 428, pytest.approx(0.04))
    assert state(index, time.time()).startswith("finished (threshold")


@pytest.mark.parametrize("calls", [0, 1])
def test_the_quick_way_and_the_whole_parse_agree(run, tmp_path, calls):
    def paid(event):
        return (
            event | {"cost": event["cost"] | {"calls": calls}}
            if event["event"] == "proposed"
            else event
        )

    quick = indexed(copied(run, tmp_path / "quick", paid))
    turned = indexed(
        copied(run, tmp_path / "turned", lambda event: dict(reversed(paid(event).items())))
    )
    assert known(quick) == known(turned) and quick.best == turned.best


def test_words_that_look_like_events_change_nothing(run, tmp_path):
    trick = (
        'x, "move": {"kind": "trick", "parent": "7", "stage": null} , "status": "ok", '
        '"score": 1.0, "losses": {}, "failure": null, "params": '
    )

    def worded(event):
        return (
            event | {"rationale": trick, "cost": event["cost"] | {"calls": 0}}
            if event["event"] == "proposed"
            else event
        )

    index = indexed(copied(run, tmp_path / "tricked", worded))
    assert {row.kind for row in index.rows.values()} == {
        "draft",
        "repair",
        "refine",
    } and index.rows["0"].said["rationale"] == trick


def test_a_growing_trace_is_followed_to_the_same_end(run, tmp_path):
    whole, path = (run / "trace.jsonl").read_bytes(), tmp_path / "trace.jsonl"
    path.write_bytes(b"")
    index = Index(path)
    for stop in range(0, len(whole) + 1, 997):
        path.write_bytes(whole[:stop])
        index.refresh()
        assert index.finished is None
    path.write_bytes(whole)
    assert index.refresh() and not index.refresh()
    assert known(index) == known(indexed(run)) and index.finished is not None


def test_a_trace_that_was_started_again_is_read_again(run, tmp_path):
    path = copied(run, tmp_path / "again")
    index = indexed(path)
    first = (path / "trace.jsonl").read_bytes().splitlines(keepends=True)[:3]
    (path / "trace.jsonl").write_bytes(b"".join(first))
    index.refresh()
    assert len(index.rows) == 1 and index.finished is None


@pytest.mark.parametrize(
    "line, complaint",
    [
        ("nonsense\n", "line 2 is damaged"),
        ('{"v": 99, "event": "run"}\n', "format 1 or older, got 99"),
    ],
)
def test_damage_and_newer_formats_are_named(run, tmp_path, line, complaint):
    first = (run / "trace.jsonl").read_text().splitlines(keepends=True)[0]
    (tmp_path / "trace.jsonl").write_text(first + line)
    with pytest.raises(StorageError, match=complaint):
        Index(tmp_path / "trace.jsonl").refresh()


def test_no_trace_is_said(tmp_path):
    with pytest.raises(StorageError, match="expected the trace of a run"):
        Index(tmp_path / "trace.jsonl").refresh()


def test_ten_thousand_nodes_are_indexed_in_little_memory(run, tmp_path):
    path = grown(run, tmp_path / "big", 2500)
    tracemalloc.start()
    index = indexed(path)
    assert tracemalloc.get_traced_memory()[0] < 60e6
    tracemalloc.stop()
    assert len(lines(index)) == len(index.rows) == 10_000


def test_lines_are_a_tree_a_filter_or_a_ranking(run):
    index = indexed(run)
    tree = lines(index)
    assert [(line.row.id, line.depth) for line in tree] == [("0", 0), ("1", 1), ("2", 2), ("3", 2)]
    folded = lines(index, {"0"})
    assert [line.row.id for line in folded] == ["0"] and folded[0].hidden == 3
    assert [line.row.id for line in lines(index, query="status:failed")] == [
        row.id for row in index.rows.values() if row.status == "failed"
    ]
    ranked = [line.row for line in lines(index, by_score=True)]
    assert ranked[0].id == index.best and [row.status for row in ranked] == sorted(
        (row.status for row in ranked), reverse=True
    )


@pytest.mark.parametrize(
    "query, found",
    [
        ("", "0123"),
        ("move:draft", "0"),
        ("score>0.9", "3"),
        ("score<=0.9 status:ok", "1"),
        ("ATTRIBUTEERROR", "0"),
        ("line AttributeError", "0"),
        ("id:2", "2"),
        ("stage:rendering move:draft", "0"),
        ("nowhere", ""),
    ],
)
def test_queries_mean_nodes(run, query, found):
    means = matcher(query)
    assert "".join(row.id for row in indexed(run).rows.values() if means(row)) == found


def test_a_query_that_is_wrong_is_refused():
    with pytest.raises(UsageError, match="expected a number after >, got high"):
        matcher("score>high")
