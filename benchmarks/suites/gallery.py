"""The gallery: seeded scenes of known mechanisms, half of each clip seen, half predicted."""

from __future__ import annotations

import ast
import re
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from agent.search.outcome import RunResult
from benchmarks.environments import Options as EnvironmentOptions
from benchmarks.environments import load
from benchmarks.gallery import SCENES, UNEXPLAINED
from benchmarks.harness.case import Case, Figures, Options, Record, Workplace, row
from benchmarks.suites.predicting import data_of, found, search_config, search_row, searched, still
from tools.metrics.frames import psnr
from tools.types import FittedParam, HeldBack, Param, Task

SPELLINGS: Mapping[str, tuple[str, ...]] = {
    "gravity": ("gravity", "field_y"),
    "gravity_x": ("field_x", "gravity_x"),
    "gravity_y": ("field_y", "gravity"),
    "gravity_over_length": ("gravity_over_length",),
    "restitution": ("restitution",),
    "friction": ("friction",),
    "drag": ("drag",),
    "drag_quadratic": ("quadratic_drag", "drag_quadratic"),
    "damping": ("damping", "drag"),
    "stiffness_over_mass": ("stiffness",),
    "stiffness": ("pull", "stiffness"),
    "rest_length": ("length", "rest_length"),
    "mass_ratio": ("mass",),
    "strength": ("attraction", "strength"),
    "push": ("push",),
}
"""True parameter -> how names of fitted parameters that mean it begin."""


class Gallery:
    """Score, PSNR against repeating the last frame, structure and parameters found, per scene and
    policy."""

    name = "gallery"
    about = "seeded scenes of known mechanisms: score, PSNR, structure and parameters found"

    def phases(self, options: Options) -> Sequence[Sequence[Case]]:
        scenes = list(SCENES)[: options.count]
        return [
            [
                Case(f"{policy}/{scene}")
                for policy in options.policies or ("tree",)
                for scene in scenes
            ]
        ]

    def run(self, case: Case, place: Workplace) -> Record:
        options, scene = place.options, case.key.partition("/")[2]
        task, held_back = load(
            f"gallery:{scene}",
            seed=options.seed,
            options=EnvironmentOptions(variant=options.variant),
        )
        result = searched(
            task, held_back, search_config(options, options.seed, case.method), place.run(case.key)
        )
        rows = search_row(result, task, held_back, options)
        words = described(result.path)
        extra = {
            **_against_still(rows[0], task, held_back),
            **_parameters(result, held_back),
            "named": float(names(words, held_back.truth)),
        }
        notes = {
            "true": held_back.truth["mechanism"],
            "found": words,
            "status": result.status,
            "reason": result.reason,
        }
        return Record(
            case.key,
            (row({**rows[0], **extra}),),
            notes,
            data_of(task, held_back),
            {"search": result.seconds},
        )

    def report(self, records: Mapping[str, Record], options: Options) -> str:
        methods = list(dict.fromkeys(record.method for record in records.values()))
        parts = [
            _table(method, [records[key] for key in _in_order(records, method)], options)
            for method in methods
        ]
        return "\n".join([*parts, _ablation(records, methods)] if len(methods) > 1 else parts)


# --------------------------------------------------------------------------------------------------


def described(run: Path) -> str:
    """What a run's dynamics program says about itself: its docstring and what its parameters mean;
    "" without one."""
    best = found(run)
    if best is None:
        return ""
    programs, params = best
    return told(programs.dynamics, params)


def told(dynamics: str, params: Sequence[Param | FittedParam]) -> str:
    """What a dynamics program says about itself; "" where it does not parse."""
    try:
        words = ast.get_docstring(ast.parse(dynamics)) or ""
    except SyntaxError:
        return ""
    return "\n".join([words, *(f"{param.name}: {param.about}" for param in params)])


def names(words: str, truth: Mapping[str, Any]) -> bool:
    """Whether a description names the true mechanism: every expression of ``says`` matches, none of
    ``never`` does."""
    says, never = truth["says"], truth["never"]
    return (
        bool(words)
        and all(re.search(p, words, re.I) for p in says)
        and not any(re.search(p, words, re.I) for p in never)
    )


def _parameters(result: RunResult, held_back: HeldBack) -> dict[str, float]:
    """Relative error of every true parameter that the program found has a name for
    ("param.NAME")."""
    best = found(result.path)
    values = {} if best is None else {param.name: param.value for param in best[1]}
    errors = {}
    for name, true in held_back.truth["parameters"].items():
        mine = next(
            (
                values[key]
                for spelling in SPELLINGS.get(name, ())
                for key in values
                if key.startswith(spelling)
            ),
            None,
        )
        if mine is not None and true:
            errors[f"param.{name}"] = abs(mine - true) / abs(true)
    return errors


def _against_still(figures: Figures, task: Task, held_back: HeldBack) -> dict[str, float]:
    """PSNR of repeating the last frame, what is gained over it, and what the clean future frames
    would get."""
    real, mine = held_back.known[0], figures.get("psnr")
    base, clean = psnr(still(task)[0], real), held_back.truth.get("clean_frames", (real,))[0]
    return {
        "psnr_still": base,
        "psnr_floor": psnr(clean, real),
        "gain": np.nan if mine is None else mine - base,
    }


# --------------------------------------------------------------------------------------------------


def _in_order(records: Mapping[str, Record], method: str) -> list[str]:
    order = {f"{method}/{scene}": index for index, scene in enumerate(SCENES)}
    return sorted((key for key in records if key in order), key=order.__getitem__)


def _table(method: str, records: Sequence[Record], options: Options) -> str:
    head = [
        "scene",
        "score",
        "visible",
        "PSNR, dB",
        "still, dB",
        "clean truth, dB",
        "gain",
        "evaluations",
        "seconds",
        "named",
        "worst parameter",
        "true mechanism",
    ]
    lines = [
        f"## Gallery, policy {method}, budget {options.budget}, variant "
        f"{options.variant or 'clean'}, seed {options.seed}",
        "",
    ]
    lines += [
        "| " + " | ".join(head) + " |",
        "|" + "---|" * len(head),
        *(_line(record) for record in records),
    ]
    return "\n".join([*lines, "", _summary(records), ""])


def _line(record: Record) -> str:
    r = record.rows[0]
    worst = max(
        (
            (value, key)
            for key, value in r.items()
            if key.startswith("param.") and value is not None
        ),
        default=None,
    )
    cells = [
        record.key.partition("/")[2],
        _number(r.get("score"), 3),
        _number(r.get("search_score"), 3),
        _number(r.get("psnr"), 1),
        _number(r.get("psnr_still"), 1),
        _number(r.get("psnr_floor"), 1),
        _number(r.get("gain"), 1),
        _number(r.get("evaluations"), 0),
        f"{record.timings.get('search', 0):.0f}",
        "yes" if r.get("named") else "no",
        "–" if worst is None else f"{worst[1][6:]} {100 * worst[0]:.1f}%",
        str(record.notes.get("true") or record.error),
    ]
    return "| " + " | ".join(cells) + " |"


def _summary(records: Sequence[Record]) -> str:
    """The figures that the suite is held to, over the scenes that some mechanism explains."""
    kept = [record for record in records if record.key.partition("/")[2] not in UNEXPLAINED]
    if not kept:
        return ""
    scores, gains = (
        [record.rows[0].get(key) or 0.0 for record in kept] for key in ("score", "gain")
    )
    seconds = statistics.median(record.timings.get("search", 0.0) for record in kept)
    named = sum(bool(record.rows[0].get("named")) for record in kept)
    count = len(kept)
    return (
        f"Score at least 0.9 on {sum(s >= 0.9 for s in scores)} of {count} scenes, lowest "
        f"{min(scores):.2f}, mean {statistics.mean(scores):.3f}; "
        f"PSNR at least 10 dB above repeating the last frame on {sum(g >= 10 for g in gains)} of "
        f"{count}; true mechanism named on {named} of {count}; "
        f"median {seconds:.0f} s."
    )


def _ablation(records: Mapping[str, Record], methods: Sequence[str]) -> str:
    """Policies at equal budget over the same scenes."""
    lines = [
        "## Policies at equal budget",
        "",
        "| policy | mean score | score >= 0.9 | named | mean evaluations |",
        "|---|---|---|---|---|",
    ]
    for method in methods:
        rows = [
            records[key].rows[0]
            for key in _in_order(records, method)
            if key.partition("/")[2] not in UNEXPLAINED
        ]
        scores = [r.get("score") or 0.0 for r in rows]
        named, spent = (
            sum(bool(r.get("named")) for r in rows),
            statistics.mean(r.get("evaluations") or 0.0 for r in rows),
        )
        lines.append(
            f"| {method} | {statistics.mean(scores):.3f} | {sum(s >= 0.9 for s in scores)} of "
            f"{len(rows)} | {named} | {spent:.1f} |"
        )
    return "\n".join([*lines, ""])


def _number(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:.{digits}f}"
