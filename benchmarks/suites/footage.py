"""Real clips from a folder of the user's: mechanism named, PSNR against what tracks alone foretell
and against the floor, known quantities, processor time."""

from __future__ import annotations

import math
import resource
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from agent.units.given import Given
from agent.units.model import LENS, Scaled
from agent.units.rivals import of_run
from agent.worldmodel.world import WorldModel
from benchmarks.baselines.extrapolated import Measured, extrapolated, measured
from benchmarks.footage import Clip, Model, clips_in, quantities
from benchmarks.harness.case import Case, Figures, Options, Record, Workplace, row
from benchmarks.suites.gallery import described, names
from benchmarks.suites.predicting import (
    data_of,
    found,
    search_config,
    search_row,
    searched,
    still,
)
from tools.errors import RunError, UsageError
from tools.metrics.frames import psnr
from tools.types import HeldBack, Task, Video

BELOW = 0.3
"""Decibels below constant acceleration that a model may end."""
NEAR = 3.0
"""Decibels from the floor that count as near."""
PATIENCE = 120.0
"""Seconds of processor time that a search may take."""
_RIVALS = {
    "still": "repeating the last frame",
    "velocity": "constant velocity",
    "acceleration": "constant acceleration",
}


class Footage:
    """One row a clip and policy."""

    name = "footage"
    about = (
        "real clips of a folder with footage.json (--data): named, PSNR, floor, known quantities"
    )

    def phases(self, options: Options) -> Sequence[Sequence[Case]]:
        clips = list(clips_in(options.data))[: options.count]
        policies = options.policies or ("tree",)
        return [[Case(f"{policy}/{clip}") for policy in policies for clip in clips]]

    def run(self, case: Case, place: Workplace) -> Record:
        options = place.options
        clip = clips_in(options.data)[case.key.partition("/")[2]]
        try:
            return _record(case, place, clip, *clip.load(Path(options.data or "")))
        except UsageError as error:
            return Record(case.key, ({},), {"source": clip.source}, error=str(error))

    def report(self, records: Mapping[str, Record], options: Options) -> str:
        methods = dict.fromkeys(record.method for record in records.values())
        return "\n".join(
            _table(method, {k: r for k, r in records.items() if r.method == method}, options)
            for method in methods
        )


def _record(
    case: Case, place: Workplace, clip: Clip, task: Task, held_back: HeldBack, whole: Video
) -> Record:
    options, before = place.options, _processor_seconds()
    config = search_config(options, options.seed, case.method)
    result = searched(task, held_back, config, place.run(case.key))
    spent = _processor_seconds() - before
    figures = dict(search_row(result, task, held_back, options)[0])
    words, truth = described(result.path), held_back.known[0]
    theirs = rivals(task, truth, whole)
    figures |= theirs
    figures |= {
        f"skill_{name}": _skill(figures.get("psnr"), theirs[f"psnr_{name}"]) for name in _RIVALS
    }
    figures["named"] = float(names(words, clip.patterns))
    told, unsaid = _known(clip, result.path, task)
    notes = {
        "what": clip.what,
        "source": clip.source,
        "found": words,
        "status": result.status,
        "reason": result.reason,
        "known": {**clip.measured, **clip.known},
        **({"unsaid": unsaid} if unsaid else {}),
    }
    timings = {"search": result.seconds, "processor": round(spent, 1)}
    return Record(case.key, (row({**figures, **told}),), notes, data_of(task, held_back), timings)


def _processor_seconds() -> float:
    """Of this process and of its children that have ended."""
    kinds = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return sum(use.ru_utime + use.ru_stime for use in map(resource.getrusage, kinds))


def rivals(task: Task, truth: np.ndarray, whole: Video) -> dict[str, float]:
    """PSNR of repeating the last frame, of what the tracks alone foretell, and of the floor: what
    is measured with the whole clip in view, drawn by our renderer."""
    found = {"psnr_still": psnr(still(task)[0], truth)}
    seen, every = measured(task.test[0]), measured(whole)
    ahead = every.seconds[task.context : task.context + len(truth)]
    for degree, name in ((1, "velocity"), (2, "acceleration")):
        drawn = seen.drawn(extrapolated(seen, ahead, degree), task.test[0].shape)
        found[f"psnr_{name}"] = psnr(drawn, truth)
    return found | {"psnr_floor": floor(every, task.context, truth)}


def floor(every: Measured, context: int, truth: np.ndarray) -> float:
    """PSNR of the frames from ``context`` on, drawn from what was measured in them."""
    rows = np.asarray(every.states.values)[context : context + len(truth)]
    return psnr(every.drawn(rows, truth.shape[1:3]), truth)


def _skill(mine: float | None, theirs: float) -> float:
    """1 - squared error relative to the rival's; NaN without a prediction."""
    return float("nan") if mine is None else 1.0 - 10.0 ** ((theirs - mine) / 10.0)


def _known(clip: Clip, run: Path, task: Task) -> tuple[dict[str, float | None], str]:
    """ "known.NAME", its error as a share ("off.NAME") and in standard errors ("sigmas.NAME"), for
    quantities that the model tells; and why it tells none, or ""."""
    if found(run) is None or not (clip.known or clip.measured):
        return {}, ""
    try:
        with WorldModel.load(run) as world:
            seen = Scaled(world, task.test[0], Given(), task.horizon, of_run(run))
            model = _model(seen)
    except RunError as error:
        return {}, str(error)
    figures: dict[str, float | None] = {}
    for name, told in quantities(clip, model).items():
        true = float({**clip.measured, **clip.known}[name])
        figures[f"known.{name}"], figures[f"error.{name}"] = told.value, told.error
        figures[f"off.{name}"] = abs(told.value - true) / abs(true) if true else None
        if told.error:
            both = math.hypot(told.error, clip.doubt(name))
            figures[f"sigmas.{name}"] = abs(told.value - true) / both
    return figures, ""


def _model(seen: Scaled) -> Model:
    """What the known quantities follow from: of the body that moves most."""
    places = [c for c in seen.states.columns if c.endswith((".x", ".y"))]
    moves = {c: float(np.nanstd(seen.states.column(c))) for c in places}
    body = max(moves, key=lambda c: moves[c]).rpartition(".")[0] if moves else ""
    radius = seen.perceived.looks.get(body, {}).get("radius", 0.0)
    video, how = seen.clip, seen.sightings(body)
    return Model(
        seen.fitted,
        seen.states,
        video.dt,
        video.shape,
        float(radius) if isinstance(radius, (int, float)) else 0.0,
        seen.speed_error(body),
        seen.edge,
        seen.edge_of(body),
        LENS if seen.filmed else 0.0,
        how.first,
        how.seconds,
        how.noise,
    )


# --------------------------------------------------------------------------------------------------


def _table(method: str, records: Mapping[str, Record], options: Options) -> str:
    head = [
        "clip",
        "named",
        "PSNR, dB",
        *(f"{words}, dB (skill)" for words in _RIVALS.values()),
        "floor, dB",
        "score",
        "processor s",
        "known quantities: value ± error (deviation, in standard errors)",
        "found",
    ]
    lines = [f"## Footage, policy {method}, budget {options.budget}, seed {options.seed}", ""]
    lines += ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += [_line(record) for record in records.values()]
    return "\n".join([*lines, "", *_summaries(list(records.values())), ""])


def _line(record: Record) -> str:
    name = record.key.partition("/")[2]
    if record.error:
        return f"| {name} | failed: {record.error} |"
    r = record.rows[0]
    told = str(record.notes.get("found", "")).splitlines()
    sentence = "; ".join(line[2:] for line in told if line.startswith("- "))
    cells = [
        name,
        "yes" if r.get("named") else "no",
        _number(r.get("psnr")),
        *(f"{_number(r.get('psnr_' + k))} ({_number(r.get('skill_' + k), 2)})" for k in _RIVALS),
        _number(r.get("psnr_floor")),
        _number(r.get("score"), 3),
        _number(record.timings.get("processor"), 0),
        "; ".join(_quantity(r, key) for key in r if key.startswith("known.")) or "–",
        sentence or str(record.notes.get("reason", "")),
    ]
    return "| " + " | ".join(cell.replace("|", "/") for cell in cells) + " |"


def _quantity(r: Figures, key: str) -> str:
    name, value = key.partition(".")[2], r[key]
    off, sigmas, error = (r.get(f"{what}.{name}") for what in ("off", "sigmas", "error"))
    inside = [f"{100 * off:.1f} %"] if off is not None else []
    inside += [f"{sigmas:.1f}"] if sigmas is not None else []
    return f"{name} {value:.4g}" + (f" ± {error:.2g}" if error else "") + f" ({', '.join(inside)})"


def _summaries(records: Sequence[Record]) -> list[str]:
    """What the suite is held to, over all clips and by source: whoever tuned on one source reads
    how the others do."""
    sources = dict.fromkeys(str(record.notes.get("source", "")) for record in records)
    groups = {source: [r for r in records if r.notes.get("source") == source] for source in sources}
    lines = [_summary("All", records)]
    if len(groups) > 1:
        lines += [_summary(source or "unknown", group) for source, group in groups.items()]
        lines += [
            _summary(f"Without {source or 'unknown'}", [r for r in records if r not in group])
            for source, group in groups.items()
        ]
    return [f"- {line}" for line in lines]


def _summary(title: str, records: Sequence[Record]) -> str:
    rows = [record.rows[0] for record in records if not record.error and record.rows]
    scored = [r for r in rows if r.get("psnr") is not None]

    def over(rival: str, margin: float) -> int:
        return sum((r["psnr"] or 0.0) >= (r.get(rival) or 0.0) + margin for r in scored)

    seconds = [record.timings.get("processor", 0.0) for record in records if not record.error]
    slow = sum(s > PATIENCE for s in seconds)
    apart = [v for r in rows for k, v in r.items() if k.startswith("sigmas.") and v is not None]
    return (
        f"{title} ({len(records)}): {len(records) - len(scored)} without a prediction; named "
        f"{sum(bool(r.get('named')) for r in rows)}; above repeating {over('psnr_still', 0.0)}; "
        f"not more than {BELOW} dB below constant acceleration "
        f"{over('psnr_acceleration', -BELOW)}; within {NEAR:g} dB of the floor "
        f"{over('psnr_floor', -NEAR)}; median {statistics.median(seconds or [0.0]):.0f} s of "
        f"processor time, {slow} over {PATIENCE:.0f} s; known quantities within two standard "
        f"errors {sum(s <= 2.0 for s in apart)} of {len(apart)}."
    )


def _number(value: float | None, digits: int = 1) -> str:
    return "–" if value is None else f"{value:.{digits}f}"
