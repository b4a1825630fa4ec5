"""`run-agent report` and `index`: the page of a run, and that of a folder of runs."""

from __future__ import annotations

import argparse
from pathlib import Path

from agent import report
from agent.cli.units import scaled
from agent.report import index
from agent.run import store
from agent.run.runfolder import RunFolder
from agent.units import plots
from agent.units.bands import frame_bands
from agent.units.certainty import Certainty
from agent.units.given import Given
from agent.worldmodel.world import WorldModel
from tools.errors import ProggenError, RunError, UsageError


def write(arguments: argparse.Namespace) -> int:
    """Write the report of a run, finished or not, and say where it is."""
    folder = RunFolder(arguments.run)
    physics = _physics(folder, Given.typed(arguments))
    out = Path(arguments.out) if arguments.out else folder.path / "report.html"
    store.check_file(out)
    store.write_text(out, report.page(folder, physics))
    print(
        f"written to {out}"
        + (
            ""
            if folder.result() is not None
            else " (the run is not finished: it shows what there is so far)"
        )
    )
    return 0


def _physics(folder: RunFolder, typed: Given) -> report.Physics | None:
    """What running the model once more has to say; None for a run without one. What fails is told
    instead: the page is about the search, too."""
    if not (folder.best / "params.json").exists():
        return None
    try:
        return _run_again(folder, typed)
    except ProggenError as reason:
        if typed:
            raise
        return report.Physics(failed=f"The model could not be run again: {reason}")


def _run_again(folder: RunFolder, typed: Given) -> report.Physics:
    with WorldModel.load(folder.path) as model:
        found = scaled(model, str(folder.path), typed)
        try:
            equations = found.card().show("text")
        except UsageError as reason:  # no equations to tell: the page says why
            equations = str(reason)
        try:
            doubts = found.doubts(folder.task().train)
        except RunError as reason:
            words = f"What the clip leaves open could not be asked: {reason}"
            return report.Physics(equations, plots=plots.svg(found.tracks()), failed=words)
        table = found.tracks(None, doubts)
        said = Certainty(doubts, table.times, table.seen, found.scale, found.askew)
        drawn = frame_bands(doubts, found.clip.frames)
    hidden = folder.held_back(folder.task()).frames[0]
    return report.Physics(equations, tuple(said.lines()), plots.svg(table), drawn, hidden)


def write_index(arguments: argparse.Namespace) -> int:
    """Write one page of all runs in a folder, and say where it is."""
    folder = Path(arguments.folder)
    out = Path(arguments.out) if arguments.out else folder / "index.html"
    store.check_file(out)
    store.write_text(out, index.page(folder, out))
    print(f"written to {out}")
    return 0
