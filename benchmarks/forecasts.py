"""Do forecast bands hold what truly came? Finished runs with frames held back (of ``bench
gallery``, say): ``python -m benchmarks.forecasts RUN...``.

A coordinate counts as inside where what perception finds with the held-back frames in view too lies
in the band, widened by the noise of one measurement; a pixel as ``agent.units.bands`` says. Which
point of a body counts as its centre changes a little with the frames that its outline is measured
from: that is taken off, as it shows in the frames seen. Constants are no coordinates.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from agent.evaluation.doubts import Doubts
from agent.run.runfolder import RunFolder
from agent.units.bands import frame_bands
from agent.units.certainty import Certainty
from agent.units.given import Given
from agent.units.model import Scaled
from agent.worldmodel.world import WorldModel
from tools.errors import ProggenError
from tools.types import States

_SIGMAS = {0.68: 1.0, 0.95: 1.96}


@dataclass(frozen=True)
class Held:
    """What held of a run: inner, outer: (n,) bool, coordinates in the 68 and 95 % bands. pixels:
    share of the values in the 95 % bands of frames, None without any. horizon: seconds from which
    the forecast is worth nothing, None where it is worth something to its end."""

    inner: np.ndarray
    outer: np.ndarray
    pixels: float | None
    horizon: float | None


def held(run: Path) -> Held:
    """Ask a run. Raises ProggenError."""
    folder = RunFolder(run)
    hidden = folder.held_back(folder.task()).frames[0]
    with WorldModel.load(run) as model:
        assert model.seen is not None
        found = Scaled(model, model.seen, Given(), model.horizon)
        doubts = found.doubts(folder.task().train)
        known = len(found.clip) if hidden is None else len(found.clip) + len(hidden)
        seen = found.clip.frames if hidden is None else np.concatenate([found.clip.frames, hidden])
        measured = aligned(model.perceive(seen).states, model.perceive(found.clip.frames).states)
    said = Certainty(doubts, model.seconds(found.clip, found.horizon), len(found.clip), None)
    bands = frame_bands(doubts, found.clip.frames)
    inner, outer = (
        inside(doubts, measured, len(found.clip), known, ends, share)
        for ends, share in (((1, 3), 0.68), ((0, 4), 0.95))
    )
    pixels = None if bands is None else bands.covered(hidden)
    return Held(inner, outer, pixels, said.horizon())


def aligned(whole: States, seen: States) -> States:
    """What was measured with all frames in view, about the points that were measured with those of
    ``seen`` alone: their differences there, constant in the picture and in each body's own frame,
    are taken off."""
    n, values = len(seen), whole.values.copy()
    for k, column in enumerate(whole.columns):
        body, _, attribute = column.rpartition(".")
        if attribute not in ("x", "y") or column not in seen.columns:
            continue
        design = [np.ones(len(whole))]
        if f"{body}.angle" in whole.columns:
            angle = whole.column(f"{body}.angle")
            design += [np.cos(angle), np.sin(angle)]
        basis, gap = np.stack(design, 1), whole.values[:n, k] - seen.column(column)
        known = np.isfinite(gap) & np.isfinite(basis[:n]).all(1)
        if known.any():
            shift, *_ = np.linalg.lstsq(basis[:n][known], gap[known], rcond=1e-6)
            values[:, k] -= basis @ shift
    return replace(whole, values=values)


def inside(
    doubts: Doubts, measured: States, first: int, last: int, ends: tuple[int, int], share: float
) -> np.ndarray:
    """(n,) bool: the measured coordinates of frames ``first`` to ``last`` - 1 in the band between
    two of the quantiles."""
    low, high = (doubts.bands[k] for k in ends)
    found = []
    for column, noise in doubts.noise.items():
        if column in measured.columns and column in low.columns:
            true, a, b = (one.column(column)[first:last] for one in (measured, low, high))
            half = np.hypot((b - a) / 2, _SIGMAS[share] * noise)
            if not half.any():
                continue
            found.append((np.abs(true - (a + b) / 2) <= half)[np.isfinite(true + a + b)])
    return np.concatenate(found) if found else np.zeros(0, bool)


def main(argv: list[str] | None = None) -> int:
    """One line a run, then all of them together."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN")
    every = []
    for run in parser.parse_args(argv).runs:
        try:
            one = held(run)
        except ProggenError as error:
            print(f"{run.name}: {error}")
            continue
        every.append(one)
        print(f"{run.name}: {_line([one])}; {_worth(one.horizon)}")
        sys.stdout.flush()
    print(f"{len(every)} runs: {_line(every)}")
    return 0


def _worth(horizon: float | None) -> str:
    return (
        "worth something to its end" if horizon is None else f"worth nothing from {horizon:.3g} s"
    )


def _line(every: list[Held]) -> str:
    """Every run counts alike."""
    shares = [
        [float(one.inner.mean()) for one in every if len(one.inner)],
        [float(one.outer.mean()) for one in every if len(one.outer)],
        [one.pixels for one in every if one.pixels is not None],
    ]
    inner, outer, pixels = (f"{100 * np.mean(s):.1f} %" if s else "-" for s in shares)
    return f"coordinates in the 68 % band {inner}, in the 95 % band {outer}; pixels {pixels}"


if __name__ == "__main__":
    sys.exit(main())
