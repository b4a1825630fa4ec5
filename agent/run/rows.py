"""A run as one flat row: for tables of sweeps, the index of a folder, and data frames.

``pandas.DataFrame(rows("runs"))`` (Polars and DuckDB take the same) is the data frame of all runs
of a folder.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agent.plain import clean
from agent.run import story
from agent.run.runfolder import RunFolder, read_params
from tools.errors import ProggenError, UsageError

Row = dict[str, Any]
MOST = 100_000
"""Runs of one folder."""


def rows(folder: str | Path) -> list[Row]:
    """Every run in ``folder``, up to three levels down, by name. Keys: run (path from ``folder``),
    task, seed, status, error, score, evaluations, seconds, mechanism, "metric NAME", "still NAME"
    (repeating the last frame), "cost NAME", "param NAME" (with " error" and " unit"), "version
    NAME". A damaged run has a status of "damaged" and an error. Raises UsageError where there is
    no run."""
    return [row(path, path.relative_to(folder).as_posix()) for path in found(folder)]


def found(folder: str | Path) -> list[Path]:
    """Run folders in ``folder``, up to three levels down. Raises UsageError."""
    place = Path(folder)
    if (place / "trace.jsonl").is_file():
        raise UsageError(str(folder), "a folder with runs in it", "a run", "name its parent")
    traces = {one for depth in ("*", "*/*", "*/*/*") for one in place.glob(f"{depth}/trace.jsonl")}
    if not 0 < len(traces) <= MOST:
        got = "nothing there" if not place.is_dir() else "none" if not traces else len(traces)
        raise UsageError(str(folder), f"a folder with 1 to {MOST} runs in it", str(got))
    return sorted(trace.parent for trace in traces)


def row(path: Path, name: str) -> Row:
    """Of the run at ``path``, finished or not."""
    told: Row = {"run": name, "task": "", "seed": None, "status": "damaged", "error": ""}
    try:
        run = RunFolder(path)
        first = next(iter(story.read(run.trace, [])), {})
        told["task"] = clean(str((first.get("task") or {}).get("name", "")))[:200]
        told["seed"] = (first.get("config") or {}).get("seed")
        return told | (result(run) if run.result() is not None else {"status": "unfinished"})
    except (ProggenError, OSError, LookupError, TypeError, ValueError, AttributeError) as error:
        return told | {"error": clean(f"cannot be read: {error}")[:500]}


def result(run: RunFolder) -> Row:
    """What ``result.json`` and ``best`` of a finished run say."""
    result = run.result() or {}
    told: Row = {
        "status": result["status"],
        "score": result["score"],
        "evaluations": result["evaluations"],
        "seconds": result["seconds"],
        "mechanism": _mechanism(run.best / "dynamics.py"),
    }
    told |= {f"metric {name}": value for name, value in _numbers(result["metrics"]).items()}
    still = result["baselines"].get("persistence") or {}
    told |= {f"still {name}": value for name, value in _numbers(still).items()}
    told |= {f"cost {name}": value for name, value in _numbers(result.get("cost") or {}).items()}
    if (run.best / "params.json").is_file():
        for one in read_params(run.best / "params.json"):
            told[f"param {one.name}"], told[f"param {one.name} error"] = one.value, one.error
            told[f"param {one.name} unit"] = one.unit
    return told | {f"version {name}": v for name, v in sorted(result["versions"].items())}


def _numbers(entries: Mapping[str, Any]) -> dict[str, float]:
    return {
        name: value
        for name, value in entries.items()
        if isinstance(value, (int, float)) and not isinstance(value, bool)
    }


def _mechanism(path: Path) -> str:
    """The listed sentences of a dynamics program's docstring, else its first line."""
    if not path.is_file():
        return ""
    try:
        text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ""
    listed = [line[2:].strip() for line in text.splitlines() if line.startswith("- ")]
    return clean("; ".join(listed) or text.partition("\n")[0])[:1000]
