"""`run-agent tracks`: a run's coordinates as a table, in pixels or in a person's units."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from agent.cli import text
from agent.run.runfolder import RunFolder
from agent.units import given as units
from agent.units import tracks as tables
from agent.units.given import Given
from agent.units.model import Scaled
from agent.units.scale import said_of
from agent.worldmodel.world import WorldModel
from tools.errors import RunError, UsageError
from tools.fitting import report as fit_report
from tools.types import States


def given(arguments: argparse.Namespace) -> Given:
    """What was typed. Raises UsageError."""
    return Given(tuple(arguments.scale), tuple(arguments.know), arguments.origin, arguments.up)


def tracks(arguments: argparse.Namespace) -> int:
    """Write the table, or say what would be in it."""
    said = given(arguments)
    out = None if arguments.out is None else Path(arguments.out)
    if out is not None:
        tables.check_name(out)
    folder = RunFolder(arguments.run)
    said = said.over(units.load(folder.path))
    with WorldModel.load(arguments.run) as model:
        if model.seen is None:
            raise UsageError(f"{arguments.run}: expected a finished run, got programs without one")
        scaled = Scaled(model, model.seen, said, model.horizon)
        table = scaled.tracks(_ahead(model, folder))
    if said:
        units.save(folder.path, said)
    if out is not None:
        table.write(out)
    text.show(_lines(scaled, table, out))
    return 0


def _ahead(model: WorldModel, folder: RunFolder) -> States | None:
    """What perception finds with the held-back frames in view too; None where there are none, or
    where it fails on them."""
    hidden = folder.held_back(folder.task()).frames[0]
    if hidden is None or model.seen is None:
        return None
    try:
        return model.perceive(np.concatenate([model.seen.frames, hidden])).states
    except RunError:
        return None


def _lines(scaled: Scaled, table: tables.Trajectories, out: Path | None) -> list[str]:
    lines = [said_of(scaled.scale)]
    rows = fit_report.rows(scaled.params())
    if rows:
        lines += ["", *text.table(fit_report.HEADER, rows)]
    columns = table.columns()
    ahead = len(table.times) - table.seen
    lines += ["", f"{len(table.times)} frames ({table.seen} seen, {ahead} ahead), columns:"]
    lines += [f"  {name}" for name in columns]
    return [*lines, "", f"written to {out}" if out else "--out tracks.csv (or .parquet) writes it"]
