"""What came of a sweep as one table: a row a run, for pandas, Polars, DuckDB or a spreadsheet."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from agent.plain import clean
from agent.run import rows as run_rows
from agent.run import store
from agent.run.rows import Row
from agent.run.runfolder import RunFolder
from agent.sweep.cases import Case
from tools.errors import ProggenError


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
        return told | run_rows.result(RunFolder(folder))
    except (ProggenError, OSError, LookupError, TypeError, ValueError) as error:
        return told | {"error": clean(f"the result cannot be read: {error}")[:500]}


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
