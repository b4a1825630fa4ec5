"""States over time: measured, rolled out and forecast, with what is left between them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from agent.report import plot
from agent.report.markup import Html, tag
from agent.report.summary import RunSummary
from agent.report.words import number
from agent.run import runfolder
from agent.run.runfolder import RunFolder
from tools.columns import is_angle, unit_of
from tools.fitting.scaling import unwrapped, wrap
from tools.types import Evaluation, States

_HEIGHT, _SPLIT = 250, 150  # user units: of a chart, and of its upper part
_PANELS = 9
_TRACKS = 2
_LEAST = {"rad": 0.02, "rad/s": 0.05}  # a range that is drawn at least; others 1


@dataclass(frozen=True)
class Stretch:
    """States of consecutive frames from number ``start`` on. kind: "fitted", "judged" or
    "forecast". measured: None where nobody measured."""

    kind: str
    start: int
    modelled: States
    measured: States | None


@dataclass(frozen=True)
class Track:
    """One video."""

    title: str
    stretches: tuple[Stretch, ...]


def tracks(folder: RunFolder, summary: RunSummary) -> list[Track]:
    """Videos of the winner whose states are worth a look; [] when its evaluation is not on disk."""
    evaluation = None if summary.winner is None else folder.load_evaluation(summary.winner.id)
    if evaluation is None or not evaluation.rolled:
        return []
    task = summary.first["task"]
    forecast = [] if task["train"] else _forecasts(folder, task["context"])
    if len(task["train"]) > 1:
        return _apart(evaluation, task["context"])
    names = [
        entry.get("name") or f"video {index + 1}"
        for index, entry in enumerate(task["train"] or task["test"])
    ]
    return [
        Track(name, tuple(_in_time(evaluation, index, forecast)))
        for index, name in enumerate(names[:_TRACKS])
    ]


def _apart(evaluation: Evaluation, context: int) -> list[Track]:
    """Some videos were fitted, others judged."""
    fitted = [
        Track(f"a video it was fitted to ({k + 1})", (Stretch("fitted", 0, rolled, seen),))
        for k, (rolled, seen) in enumerate(
            zip(evaluation.rolled, evaluation.measured, strict=False)
        )
    ]
    judged = [
        Track(
            f"a video it was judged by ({k + 1})",
            (Stretch("judged", context, drawn, _at(evaluation.remeasured, k)),),
        )
        for k, drawn in enumerate(evaluation.predicted)
    ]
    return [*judged[:1], *fitted[:1]]


def _in_time(evaluation: Evaluation, index: int, forecast: Sequence[Stretch]) -> Iterator[Stretch]:
    """First frames fitted, later ones judged, the rest forecast."""
    rolled = evaluation.rolled[index]
    yield Stretch("fitted", 0, rolled, _at(evaluation.measured, index))
    if index < len(evaluation.predicted):
        yield Stretch(
            "judged", len(rolled), evaluation.predicted[index], _at(evaluation.remeasured, index)
        )
    yield from forecast[index : index + 1]


def _at(states: Sequence[States], index: int) -> States | None:
    return states[index] if index < len(states) else None


def _forecasts(folder: RunFolder, context: int) -> list[Stretch]:
    made = runfolder.read_predicted_states(folder.path / "prediction.npz", folder.task())
    return [Stretch("forecast", context, states, None) for states in made or ()]


# --------------------------------------------------------------------------------------------------


def figures(track: Track) -> tuple[Html, int]:
    """Charts of the columns that move, those that were measured first; and how many there was no
    room for."""
    columns = sorted(
        _moving(track),
        key=lambda name: (
            not _measured(track, name),
            name.rpartition(".")[2] not in ("x", "y", "angle"),
        ),
    )
    shown = columns[:_PANELS]
    return tag("div", *(_figure(track, column) for column in shown), class_="charts three"), len(
        columns
    ) - len(shown)


def _moving(track: Track) -> list[str]:
    names = dict.fromkeys(name for stretch in track.stretches for name in stretch.modelled.columns)
    moving = []
    for name in names:
        values = _curve(track, name, "modelled")[1]
        values = values[np.isfinite(values)]
        if len(values) > 1 and np.ptp(values) > 0.3 * _LEAST.get(unit_of(name), 1.0):
            moving.append(name)
    return moving


def _measured(track: Track, name: str) -> bool:
    return any(
        stretch.measured is not None and name in stretch.measured.columns
        for stretch in track.stretches
    )


def _curve(track: Track, column: str, which: str) -> tuple[np.ndarray, np.ndarray]:
    """(frames, values) of a column over all stretches; angles without jumps of a turn."""
    frames, values = [], []
    for stretch in track.stretches:
        states = getattr(stretch, which)
        if states is not None and column in states.columns:
            frames.append(np.arange(stretch.start, stretch.start + len(states)))
            values.append(states.column(column))
    if not frames:
        return np.zeros(0), np.zeros(0)
    track_values = np.concatenate(values)
    return np.concatenate(frames), unwrapped(track_values) if is_angle(column) else track_values


def _gaps(track: Track, column: str) -> tuple[np.ndarray, np.ndarray]:
    """(frames, modelled minus measured) where both are known."""
    frames, gaps = [], []
    for stretch in track.stretches:
        if (
            stretch.measured is not None
            and column in stretch.measured.columns
            and column in stretch.modelled.columns
        ):
            length = min(len(stretch.measured), len(stretch.modelled))
            gap = (
                stretch.modelled.column(column)[:length] - stretch.measured.column(column)[:length]
            )
            frames.append(np.arange(stretch.start, stretch.start + length))
            gaps.append(wrap(gap) if is_angle(column) else gap)
    return (np.concatenate(frames), np.concatenate(gaps)) if frames else (np.zeros(0), np.zeros(0))


def _noise(track: Track, column: str) -> float | None:
    for stretch in track.stretches:
        states = stretch.measured
        if states is not None and states.noise is not None and column in states.columns:
            return float(states.noise[states.columns.index(column)])
    return None


def _figure(track: Track, column: str) -> Html:
    frames, gaps = _gaps(track, column)
    known = np.isfinite(gaps)
    unit = unit_of(column)
    rms = (
        f"off by {number(float(np.sqrt(np.mean(gaps[known] ** 2))), 2)} {unit} rms"
        if known.any()
        else "inferred, not measured"
    )
    caption = tag("figcaption", tag("span", tag("b", column), f" {unit}"), tag("span", rms))
    return tag("figure", caption, _chart(track, column, frames[known], gaps[known]))


def _chart(track: Track, column: str, gap_frames: np.ndarray, gaps: np.ndarray) -> Html:
    unit = unit_of(column)
    ts, model = _curve(track, column, "modelled")
    seen_ts, seen = _curve(track, column, "measured")
    seen = _same_turn(seen, model) if unit == "rad" else seen
    everything = np.concatenate([model, seen])
    across = (float(ts.min()) - 0.5, float(ts.max()) + 0.5)
    height = _HEIGHT if len(gaps) else _SPLIT + 22
    upper = plot.Axes(
        across, plot.padded(everything[np.isfinite(everything)], _LEAST.get(unit, 1.0)), 8, _SPLIT
    )
    parts = [
        *_shades(track, upper),
        *upper.grid(plot.ticks(*upper.y, 4)),
        *_modelled(track, upper, column),
    ]
    if len(seen):
        few = len(seen) <= 60
        marks = (
            [
                tag("circle", class_="seen-dot", cx=upper.right(t), cy=upper.up(v), r=2.8)
                for t, v in zip(seen_ts, seen, strict=True)
                if np.isfinite(v)
            ]
            if few
            else [upper.dots(seen_ts, seen, "seen-dots")]
        )
        parts += marks
    if len(gaps):
        lower = plot.Axes(
            across, _around_zero(gaps, _noise(track, column), unit), _SPLIT + 16, _HEIGHT - 22
        )
        parts += [*_residual(lower, gap_frames, gaps, _noise(track, column)), *lower.foot("frame")]
    else:
        parts += upper.foot("frame")
    return plot.chart(
        f"{column} over the frames, measured and rolled out, and their difference below",
        height,
        *parts,
    )


def _same_turn(seen: np.ndarray, model: np.ndarray) -> np.ndarray:
    """Measured angles on the same turn as modelled ones."""
    both = [values[np.isfinite(values)] for values in (seen, model)]
    return (
        seen + 2 * np.pi * np.round((both[1][0] - both[0][0]) / (2 * np.pi))
        if all(map(len, both))
        else seen
    )


def _around_zero(gaps: np.ndarray, noise: float | None, unit: str) -> tuple[float, float]:
    reach = max(
        float(np.abs(gaps).max()) * 1.15, 1.5 * (noise or 0.0), 0.02 * _LEAST.get(unit, 1.0)
    )
    return -reach, reach


def _shades(track: Track, axes: plot.Axes) -> list[Html]:
    return [
        axes.span(s.start - 0.5, s.start + len(s.modelled) - 0.5, f"shade {s.kind}")
        for s in track.stretches
        if s.kind != "fitted"
    ]


def _modelled(track: Track, axes: plot.Axes, column: str) -> list[Html]:
    """The model's lines: one for the fit that was judged, one for the forecast, whose numbers were
    fitted again."""
    ts, values = _curve(track, column, "modelled")
    ahead = min(
        (stretch.start for stretch in track.stretches if stretch.kind == "forecast"), default=np.inf
    )
    stride = max(1, len(ts) // 400)
    pieces = [
        (ts[part][::stride].tolist(), values[part][::stride].tolist())
        for part in (ts < ahead, ts >= ahead)
        if part.any()
    ]
    return [axes.line(*piece, "line model") for piece in pieces]


def _residual(
    axes: plot.Axes, frames: np.ndarray, gaps: np.ndarray, noise: float | None
) -> list[Html]:
    low, high = axes.y
    parts = []
    if noise:
        top, bottom = axes.up(min(noise, high)), axes.up(max(-noise, low))
        left, right = axes.right(frames[0] - 0.5), axes.right(frames[-1] + 0.5)
        parts.append(
            tag(
                "rect",
                tag("title", f"noise of a measurement: {number(noise, 2)}"),
                class_="noise",
                x=left,
                y=top,
                width=round(right - left, 1),
                height=round(bottom - top, 1),
            )
        )
    parts += axes.grid(plot.symmetric(high))
    stems = "".join(
        f"M{axes.right(t)} {axes.up(0)}V{axes.up(g)}" for t, g in zip(frames, gaps, strict=True)
    )
    return [*parts, tag("path", class_="stems", d=stems), axes.dots(frames, gaps, "residual")]


LEGEND: Mapping[str, Any] = {
    "seen-key": "measured in the frames by its perception program",
    "model-key": "rolled out by its dynamics program",
    "judged-key": "frames that judged it",
    "forecast-key": "frames it never saw, its numbers fitted again to all that it had seen",
    "noise-key": "below: rolled out minus measured, over the noise of a measurement",
}
"""Class of a key -> what it stands for."""
