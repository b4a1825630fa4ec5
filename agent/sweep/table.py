"""What came of a sweep as one table: a row a run, for pandas, Polars, DuckDB or a spreadsheet."""

from __future__ import annotations

import ast
import csv
import io
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from agent.plain import clean
from agent.run import store
from agent.run.runfolder import RunFolder, read_params
from agent.sweep.cases import Case
from tools.errors import ProggenError

Row = dict[str, Any]


def row(case: Case, folder: Path, line: str) -> Row:
    """Of one run. ``line``: why it failed, "" where it has a result."""
    told: Row = {
        "run": folder.name,
        "clip": case.clip.name,
        "seed": case.seed,
        **{f"setting {name}": value for name, value in case.settings.items()},
        "status": "failed",
        "error": clean(line),
    }
    if line:
        return told
    try:
        return told | _found(RunFolder(folder))
    except (ProggenError, OSError, LookupError, TypeError, ValueError) as error:
        return told | {"error": clean(f"the result cannot be read: {error}")[:500]}


def _found(run: RunFolder) -> Row:
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


def write(folder: Path, rows: Sequence[Row]) -> list[Path]:
    """sweep.csv, and sweep.parquet where pyarrow is installed; every column that any row has."""
    columns = list(dict.fromkeys(name for one in rows for name in one))
    out = io.StringIO()
    writer = csv.DictWriter(out, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows({k: "" if v is None else v for k, v in one.items()} for one in rows)
    written = [folder / "sweep.csv"]
    store.write_text(written[0], out.getvalue())
    if find_spec("pyarrow") is not None:
        import pyarrow
        from pyarrow import parquet

        written.append(folder / "sweep.parquet")
        with store.replacing(written[1]) as temporary:
            table = {name: [one.get(name) for one in rows] for name in columns}
            parquet.write_table(pyarrow.table(table), temporary)
    return written
