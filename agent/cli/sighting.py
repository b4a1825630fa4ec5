"""A clip without a model: what moves in it, under the names that a search would give, measured; and
`run-agent tracks CLIP`."""

from __future__ import annotations

import argparse
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from agent.cli import inputs, live, pointing, text
from agent.proposers.offline.evidence import gather
from agent.units import plots
from agent.units import tracks as tables
from agent.units.given import Given
from agent.units.model import edge_error, elsewhere
from agent.units.scale import Reading, said_of
from agent.units.tracks import Trajectories
from tools import media
from tools.errors import UsageError
from tools.types import Shutter, States, Video


@dataclass(frozen=True)
class Sighting:
    """clip: T frames. states: T of what moves. sizes: "NAME.radius" and the like -> pixels. filmed:
    by a camera, not drawn. shutter: of the camera, in shares of the time between these frames."""

    clip: Video
    states: States
    sizes: Mapping[str, float] = field(default_factory=dict)
    filmed: bool = False
    shutter: Shutter | None = None

    def measure(self, name: str) -> Reading | None:
        """A size, as sure as the two edges between which it lies (see agent.units.scale)."""
        if name not in self.sizes:
            return None
        half = 0.5 if name.endswith(".radius") else 1.0
        return Reading(self.sizes[name], half * math.sqrt(2.0) * edge_error(self.filmed))

    def table(self, given: Given) -> Trajectories:
        """What was measured, in the person's units. Raises UsageError."""
        clip, scale = self.clip, elsewhere(given.to_scale(self.measure), self.filmed)
        times = np.arange(len(clip)) * clip.dt if clip.times is None else clip.times - clip.times[0]
        return Trajectories(times, len(clip), self.states, None, scale, given.axes())


def sight(clip: Video) -> Sighting:
    """Look for what moves in a clip, and for what a person points at."""
    found = gather(clip)
    columns: dict[str, np.ndarray] = {}
    sizes: dict[str, float] = {}
    said = {*clip.guide.objects, *clip.guide.tracks}
    moving = {path.name for path in found.movers}
    for path in (path for name, path in found.paths.items() if name in said | moving):
        columns |= {f"{path.name}.x": path.xy[:, 0], f"{path.name}.y": path.xy[:, 1]}
        if path.turns:
            columns[f"{path.name}.angle"] = path.angle
        size = path.appearance.size
        if len(size) == 1:
            sizes |= {f"{path.name}.radius": size[0], f"{path.name}.diameter": 2 * size[0]}
        elif len(size) == 2:
            sizes |= {f"{path.name}.width": size[0], f"{path.name}.height": size[1]}
    table = np.array(list(columns.values())).T.reshape(len(clip), len(columns))
    states = States(tuple(columns), table)
    return Sighting(clip, states, sizes, found.filmed, found.tracks.shutter)


def tracks(arguments: argparse.Namespace, typed: Given) -> int:
    """The table of a clip that no search has seen."""
    for option in ("overlay", "node"):
        if getattr(arguments, option) is not None:
            raise UsageError(f"--{option}", "a run", "a clip, which has no model yet")
    out, plot = (None if n is None else Path(n) for n in (arguments.out, arguments.plot))
    if out is not None:
        tables.check_name(out)
    if plot is not None:
        plots.check_name(plot)
    clip = media.read(arguments.run, preparation=inputs.preparation(arguments))
    clip = pointing.pointed(arguments, clip)
    with live.heard(lambda: "looking for what moves"):
        found = sight(clip)
    if not found.states.columns:
        raise UsageError(arguments.run, "something that moves", "a clip in which nothing does")
    table = found.table(typed)
    if out is not None:
        table.write(out)
    if plot is not None:
        plots.write(table, plot)
    text.show(_lines(found, table, out))
    if plot is not None:
        print(f"written to {plot}")
    return 0


def _lines(found: Sighting, table: Trajectories, out: Path | None) -> list[str]:
    names = ", ".join(f"{name} = {value:.4g} px" for name, value in found.sizes.items())
    return [
        said_of(table.scale),
        *([f"sizes that --scale can name: {names}"] if names else []),
        f"{len(table.times)} frames, columns:",
        *(f"  {name}" for name in table.columns()),
        f"written to {out}" if out else "--out tracks.csv (or .parquet) writes it",
    ]
