"""`run-agent report`: the page of a run, written again."""

from __future__ import annotations

import argparse
from pathlib import Path

from agent import report
from agent.run import store
from agent.run.runfolder import RunFolder


def write(arguments: argparse.Namespace) -> int:
    """Write the report of a run, finished or not, and say where it is."""
    folder = RunFolder(arguments.run)
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
