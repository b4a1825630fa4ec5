"""Runs as a list, and two candidates (of one run or of two) next to each other, in plain text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.browser.index import Index, Row, spent, state
from agent.cli import text
from agent.plain import Verbatim, short
from agent.run import runfolder
from agent.run.runfolder import RunFolder
from tools.errors import UsageError
from tools.types import STAGES, Evaluation

_METRICS = ("score", "psnr", "ssim", "mae", "lpips_alex", "lpips_vgg")


@dataclass(frozen=True)
class Side:
    """One of two candidates. result: result.json of its run when the candidate is what that run
    ended with, else {}."""

    name: str
    folder: RunFolder
    index: Index
    row: Row
    evaluation: Evaluation | None
    result: Mapping[str, Any]


def side(words: str) -> Side:
    """RUN (its best node) or RUN:NODE. Raises UsageError."""
    path, _, node = (
        words.rpartition(":") if not Path(words).exists() and ":" in words else (words, "", "")
    )
    folder = RunFolder(path)
    index = Index(folder.trace)
    index.refresh()
    node = node or index.best or ""
    if not node:
        raise UsageError(
            str(path),
            "a run in which something ran to its end",
            "none so far",
            f"name a node, as in {path}:0",
        )
    folder.node(node)
    if node not in index.rows:
        raise UsageError(str(path), f"the proposal of node {node} in its trace", "none")
    result = folder.result() or {}
    whole = result if result.get("best") == node else {}
    return Side(
        f"{folder.path.name}:{node}",
        folder,
        index,
        index.rows[node],
        folder.load_evaluation(node),
        whole,
    )


def table(indices: Iterable[Index], now: float) -> Iterator[str]:
    """One line a run: folder, task, score, evaluations, cost, state."""
    rows = [("run", "task", "best", "score", "evaluations", "cost", "state")]
    for index in indices:
        task = (index.first or {}).get("task", {}).get("name", "")
        score = f"{index.climb[-1][1]:.4f}" if index.climb else ""
        done = f"{index.evaluated} of {index.config.get('budget', '?')}"
        rows.append(
            (
                str(index.path.parent),
                short(task or "", 24),
                index.best or "",
                score,
                done,
                _cost(index),
                short(state(index, now), 60),
            )
        )
    return _aligned(rows)


def _cost(index: Index) -> str:
    calls, _, money = spent(index.rows.values())
    return "free" if not calls else f"{calls} calls" if money is None else f"${money:.3f}"


def compared(first: Side, second: Side) -> Iterator[str]:
    """Settings that differ, figures side by side with their difference, parameters, and how the
    programs differ."""
    rows = [("", first.name, second.name, "difference")]
    rows += [
        (name, str(a), str(b), "")
        for name, a, b in _settings(first.index.config, second.index.config)
    ]
    rows += [(name, _figure(a), _figure(b), _gap(a, b)) for name, a, b in _figures(first, second)]
    yield from _aligned(rows)
    programs = [runfolder.read_programs(one.folder.node(one.row.id)) for one in (first, second)]
    changes = list(text.difference(programs[0], programs[1], (first.name, second.name)))
    yield "" if changes else "\nthe programs are the same"
    yield from changes


def _settings(
    first: Mapping[str, Any], second: Mapping[str, Any]
) -> Iterator[tuple[str, Any, Any]]:
    for name in dict.fromkeys((*first, *second)):
        a, b = first.get(name), second.get(name)
        if a != b and not isinstance(a, Mapping) and not isinstance(b, Mapping):
            yield name, a if a not in ("", None) else "none", b if b not in ("", None) else "none"


def _figures(first: Side, second: Side) -> Iterator[tuple[str, float | None, float | None]]:
    """(name, of the first, of the second)."""
    yield "score in the search", _score(first.row), _score(second.row)
    for stage in STAGES:
        yield f"{stage} loss", first.row.losses.get(stage), second.row.losses.get(stage)
    yield "complexity, bits", first.row.complexity, second.row.complexity
    for name in _METRICS:
        a, b = (one.result.get("metrics", {}).get(name) for one in (first, second))
        if a is not None or b is not None:
            yield f"held back: {name}", a, b
    yield "evaluations of the run", first.index.evaluated, second.index.evaluated
    yield "seconds of the run", first.result.get("seconds"), second.result.get("seconds")
    values = [{} if one.evaluation is None else one.evaluation.values for one in (first, second)]
    for name in dict.fromkeys((*values[0], *values[1])):
        yield name, values[0].get(name), values[1].get(name)


def _score(row: Row) -> float | None:
    return row.score if row.status == "ok" else None


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.5g}"


def _gap(first: float | None, second: float | None) -> str:
    return "" if first is None or second is None or first == second else f"{second - first:+.3g}"


def _aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield Verbatim("  ".join(cells).rstrip())
