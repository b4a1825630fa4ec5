"""`run-agent tracks`, and what all commands do with --scale, --know, --origin and --up."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

from agent.cli import pointing, sighting, text
from agent.evaluation.doubts import Doubts
from agent.run import store
from agent.run.runfolder import RunFolder
from agent.units import given as units
from agent.units import plots, rivals
from agent.units import tracks as tables
from agent.units.bands import frame_bands
from agent.units.given import Given
from agent.units.model import Scaled
from agent.units.overlay import Film
from agent.units.scale import Scale, said_of
from agent.worldmodel.world import WorldModel
from tools import media
from tools.errors import RunError, UsageError
from tools.fitting import report as fit_report
from tools.types import States


def scaled(model: WorldModel, run: str, typed: Given) -> Scaled:
    """The model of a run about its own clip, in the units that were typed or are kept with it. What
    was typed is kept. Raises UsageError."""
    if model.seen is None:
        raise UsageError(str(run), "a finished run", "programs without one")
    folder = RunFolder(run)
    known = typed.over(units.load(folder.path))
    found = Scaled(model, model.seen, known, model.horizon, rivals.of_run(folder.path))
    if typed:
        units.save(folder.path, found.given, found.scale)
    return found


def kept(run: str, typed: Given) -> Scale | None:
    """The scale of a run for commands that only show it: what is typed is worked out and kept."""
    if not typed:
        folder = Path(run)
        return units.scale_of(folder) if folder.is_dir() else None
    with WorldModel.load(run) as model:
        return scaled(model, run, typed).scale


def tracks(arguments: argparse.Namespace) -> int:
    """Write the table, or say what would be in it."""
    typed = Given.typed(arguments)
    if Path(arguments.run).is_file():
        return sighting.tracks(arguments, typed)
    if options := pointing.given(arguments):
        raise UsageError(f"--{options[0]}", "a clip", "a run, which keeps what was said of its own")
    names = (arguments.out, arguments.plot, arguments.overlay)
    out, plot, film = (None if name is None else Path(name) for name in names)
    if out is not None:
        tables.check_name(out)
    if plot is not None:
        plots.check_name(plot)
    if film is not None:
        store.check_file(film, media.WRITABLE)
    folder = RunFolder(arguments.run)
    hidden = folder.held_back(folder.task()).frames[0]
    with WorldModel.load(arguments.run, node=arguments.node) as model:
        found = scaled(model, arguments.run, typed)
        doubts = _doubts(model, found, folder) if plot is not None or film is not None else None
        table = found.tracks(_ahead(model, hidden), doubts)
    if out is not None:
        table.write(out)
    if plot is not None:
        plots.write(table, plot)
    if film is not None:
        _write_film(found, table, hidden, film, doubts)
    text.show(_lines(found, table, out))
    for written in (plot, film):
        if written is not None:
            print(f"written to {written}")
    return 0


def _ahead(model: WorldModel, hidden: np.ndarray | None) -> States | None:
    """What perception finds with the held-back frames in view too; None where there are none, or
    where it fails on them."""
    if hidden is None or model.seen is None:
        return None
    try:
        return model.perceive(np.concatenate([model.seen.frames, hidden])).states
    except RunError:
        return None


def _doubts(model: WorldModel, found: Scaled, folder: RunFolder) -> Doubts | None:
    """Bands of the forecast; None, said so, where the programs fail on what is asked."""
    try:
        return found.doubts(folder.task().train)
    except RunError as reason:
        print(f"without bands: {reason}", file=sys.stderr)
        return None


def _write_film(
    found: Scaled,
    table: tables.Trajectories,
    hidden: np.ndarray | None,
    path: Path,
    doubts: Doubts | None,
) -> None:
    """The model on the real picture, as far as there are pictures."""
    frames = found.clip.frames if hidden is None else np.concatenate([found.clip.frames, hidden])
    count = min(len(frames), len(table.times))
    try:
        system = found.card().system
    except UsageError:  # no equations: no walls are drawn
        system = None
    drawn = Film(
        frames[:count],
        table.measured.cut(0, min(count, len(table.measured))),
        found.states.cut(0, count),
        None if table.band is None else (table.band[0].cut(0, count), table.band[1].cut(0, count)),
        table.seen,
        {param.name: param.value for param in found.model.fitted},
        system,
        None if doubts is None else frame_bands(doubts, found.clip.frames),
    ).drawn()
    uneven = found.clip.times is not None
    with store.replacing(path) as temporary:
        media.write(temporary, drawn, found.clip.dt, table.times[:count] if uneven else None)


def _lines(found: Scaled, table: tables.Trajectories, out: Path | None) -> list[str]:
    lines = [said_of(found.scale)]
    rows = fit_report.rows(found.params())
    if rows:
        lines += ["", *text.table(fit_report.HEADER, rows)]
    columns = table.columns()
    ahead = len(table.times) - table.seen
    lines += ["", f"{len(table.times)} frames ({table.seen} seen, {ahead} ahead), columns:"]
    lines += [f"  {name}" for name in columns]
    return [*lines, "", f"written to {out}" if out else "--out tracks.csv (or .parquet) writes it"]
