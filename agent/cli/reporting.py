"""`run-agent report` and `index`: the page of a run, and that of a folder of runs."""

from __future__ import annotations

import argparse
from pathlib import Path

from agent import report
from agent.cli.units import given, kept
from agent.report import index
from agent.run import store
from agent.run.runfolder import RunFolder


def write(arguments: argparse.Namespace) -> int:
    """Write the report of a run, finished or not, and say where it is."""
    folder = RunFolder(arguments.run)
    kept(arguments.run, given(arguments))
    out = Path(arguments.out) if arguments.out else folder.path / "report.html"
    store.check_file(out)
    store.write_text(out, report.page(folder))
    print(
        f"written to {out}"
        + (
            ""
            if folder.result() is not None
            else " (the run is not finished: it shows what there is so far)"
        )
    )
    return 0


def write_index(arguments: argparse.Namespace) -> int:
    """Write one page of all runs in a folder, and say where it is."""
    folder = Path(arguments.folder)
    out = Path(arguments.out) if arguments.out else folder / "index.html"
    store.check_file(out)
    store.write_text(out, index.page(folder, out))
    print(f"written to {out}")
    return 0
