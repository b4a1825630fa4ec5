"""Who searches best at equal cost? Policies and proposers on the same tasks, several seeds each:
score against evaluations, tokens and seconds, and where the time went.

What a language model adds depends on the model, so it is measured on recordings alone: `--record
MODEL` makes them (with a key, live), `--recordings DIR` repeats them for nothing. Without either
these columns stay empty and say so.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from agent import proposers
from agent.config import SearchConfig
from agent.core.policy import POLICIES
from agent.models.options import ModelOptions
from agent.models.prices import price_of
from agent.run.runfolder import RunFolder
from benchmarks.environments import load
from benchmarks.harness.case import Case, Options, Record, Workplace, row
from benchmarks.harness.statistics import estimate, paired
from benchmarks.suites.predicting import data_of, search_config, search_row, searched
from tools.types import ContractError

TASKS = (
    "cartpole",
    "gallery:bouncing-ball",
    "gallery:two-balls",
    "gallery:pendulum",
    "gallery:damped-spring",
    "gallery:cart-pole",
    "outside:breathing-lissajous",
    "outside:spiral",
    "outside:hopping",
)
"""The last three are outside the grammar."""
MODELS = ("llm", "both")
"""Methods that ask a language model."""
METHODS = (*POLICIES, "random", *MODELS)
"""Policies of the grammar (tree is the usual one), random drafts from it, a model, and both."""
SEEDS = 5
POINTS = (1, 2, 5, 10, 20)
"""Evaluations after which the best score is told."""
NO_RECORDING = (
    "no recording: make one with `run-agent bench search --record MODEL` and a key, repeat it with "
    "--recordings DIR"
)


class Search:
    """Score after so many evaluations, tokens, seconds and the score at equal budget, with paired
    intervals."""

    name = "search"
    about = (
        "policies and proposers at equal budget: score against evaluations, tokens, seconds; "
        "at least 5 seeds, paired"
    )

    def phases(self, options: Options) -> Sequence[Sequence[Case]]:
        unknown = [name for name in options.policies if name not in METHODS]
        if unknown:
            raise ContractError("--policies", "some of " + ", ".join(METHODS), unknown[0])
        seeds = range(options.count or SEEDS)
        return [
            [
                Case(f"{method}/{task}/{seed}")
                for task in TASKS
                for seed in seeds
                for method in options.policies or METHODS
            ]
        ]

    def run(self, case: Case, place: Workplace) -> Record:
        method, env, item = case.key.split("/")
        seed = place.options.seed + int(item)
        config, recorded = _config(method, place, case.key, seed)
        if config is None:
            return Record(case.key, (row({}),), {"reason": NO_RECORDING})
        task, held_back = load(env, seed=seed)
        folder = place.run(case.key)
        access = proposers.access(os.environ)  # a key is never among the options, which are saved
        result = searched(task, held_back, config, folder, access=access)
        origin = folder if recorded is None else recorded
        rows = search_row(result, task, held_back, place.options)
        reached = {"reached": float(result.score >= config.threshold)}
        notes = {"status": result.status, "reason": result.reason}
        return Record(
            case.key,
            (row({**rows[0], **reached, **_curve(folder), **_paid(origin)}),),
            notes,
            data_of(task, held_back),
            _times(origin),
        )

    def report(self, records: Mapping[str, Record], options: Options) -> str:
        methods = list(dict.fromkeys(record.method for record in records.values()))
        tasks = [task for task in TASKS if any(key.split("/")[1] == task for key in records)]
        asked = [name for name in methods if name in MODELS]
        empty = [name for name in asked if not _told(records, name)]
        said = [f"{', '.join(empty)}: {NO_RECORDING}.", ""] if empty else []
        return "\n".join(
            [
                f"## Searches, budget {options.budget}",
                "",
                *said,
                *_table(_HEAD, [_line(records, e, m) for e in (*tasks, "all") for m in methods]),
                "",
                "Best score after so many evaluations, over all tasks:",
                "",
                *_table(
                    ["method", *map(str, POINTS)], [_points(records, method) for method in methods]
                ),
                "",
                "Where the time went, a run: answers waited for, one after another; programs "
                "judged; what both would take in turn, and what the search took, which does them "
                "side by side. Further questions mend an answer that could not be read or used; "
                "repairs mend programs that broke.",
                "",
                *_table(_WHERE, [_where(records, method) for method in methods]),
                "",
                *_paired(records, methods),
                "",
            ]
        )


_HEAD = (
    "task",
    "method",
    "runs",
    "threshold reached",
    "evaluations",
    "seconds",
    "tokens",
    "score",
    "held-back score",
    "PSNR, dB",
)
_WHERE = (
    "method",
    "calls",
    "further questions",
    "repairs",
    "waiting, s",
    "judging, s",
    "in turn, s",
    "search, s",
)


def _config(
    method: str, place: Workplace, key: str, seed: int
) -> tuple[SearchConfig | None, Path | None]:
    """How a case is searched, and the run that it repeats; None where it has neither."""
    options = place.options
    if method not in MODELS:
        plain = replace(options, proposer="offline")
        return search_config(plain, seed, method), None
    usual = search_config(replace(options, proposer=method), seed)
    if options.record:
        price = price_of(options.record)
        model = ModelOptions(
            options.record,
            proposers.base_url(os.environ),
            price=None if price is None else (price.input, price.output),
        )
        return replace(usual, model=model), None
    recorded = None
    if options.recordings:
        recorded = Workplace(Path(options.recordings), options).run(key)
    if recorded is None or not (recorded / "result.json").is_file():
        return None, None
    model = ModelOptions(replay=str(recorded))
    return replace(usual, proposer="replay", model=model), recorded


def _curve(folder: Path) -> dict[str, float | None]:
    """The best score after each of POINTS evaluations; the last one counts on."""
    best = np.maximum.accumulate(
        [0.0, *(e["score"] for e in RunFolder(folder).events("evaluated"))]
    )
    return {f"after_{n}": float(best[min(n, len(best) - 1)]) for n in POINTS}


def _paid(folder: Path) -> dict[str, float | None]:
    """What was asked in a run: calls, tokens, dollars, further questions; and repairs."""
    cost = json.loads((folder / "result.json").read_text())["cost"]
    told = [e for kind in ("proposed", "declined") for e in RunFolder(folder).events(kind)]
    answers = [event for event in told if event["exchanges"]]
    return {
        "calls": cost["calls"],
        "tokens": cost["input_tokens"] + cost["output_tokens"],
        "dollars": cost["money"],
        "further": sum(len(event["exchanges"]) // 2 - 1 for event in answers),
        "repairs": sum(event["move"]["kind"] == "repair" for event in told),
    }


def _times(folder: Path) -> dict[str, float]:
    """Seconds: the search, answers waited for, programs judged, and both in turn."""
    run = RunFolder(folder)
    began = {event["ticket"]: event["time"] for event in run.events("asked")}
    told = [e for kind in ("proposed", "declined") for e in run.events(kind)]
    waited = sum(e["time"] - began[e["ticket"]] for e in told if e.get("ticket") in began)
    judged = sum(event["timings"].get("total", 0.0) for event in run.events("evaluated"))
    seconds = float(json.loads((folder / "result.json").read_text())["seconds"])
    return {"search": seconds, "waited": waited, "judged": judged, "in_turn": waited + judged}


# --------------------------------------------------------------------------------------------------


def _of(records: Mapping[str, Record], method: str, env: str = "all") -> dict[str, Record]:
    """Records of one method, by "task/seed"."""
    return {
        key.partition("/")[2]: r
        for key, r in sorted(records.items())
        if r.method == method and env in ("all", key.split("/")[1])
    }


def _told(records: Mapping[str, Record], method: str) -> bool:
    """Whether there is anything to tell of a method."""
    return any(one.rows and one.rows[0] for one in _of(records, method).values())


def _table(head: Sequence[str], lines: Sequence[Sequence[Any]]) -> list[str]:
    rows = [f"| {' | '.join(map(str, cells))} |" for cells in (head, *lines)]
    return [rows[0], "|" + "---|" * len(head), *rows[1:]]


def _mean(found: Sequence[Record], name: str) -> str:
    return str(estimate([one.rows[0].get(name) for one in found if one.rows]) or "–")


def _time(found: Sequence[Record], name: str) -> str:
    return str(estimate([one.timings.get(name) for one in found]) or "–")


def _line(records: Mapping[str, Record], env: str, method: str) -> list[str]:
    mine = [one for one in _of(records, method, env).values() if one.rows and one.rows[0]]
    reached = sum(one.rows[0].get("reached") or 0.0 for one in mine)
    return [
        env,
        method,
        str(len(mine)),
        f"{reached:.0f}" if mine else "–",
        _mean(mine, "evaluations"),
        _time(mine, "search"),
        _mean(mine, "tokens"),
        *(_mean(mine, name) for name in ("search_score", "score", "psnr")),
    ]


def _points(records: Mapping[str, Record], method: str) -> list[str]:
    mine = list(_of(records, method).values())
    return [method, *(_mean(mine, f"after_{n}") for n in POINTS)]


def _where(records: Mapping[str, Record], method: str) -> list[str]:
    mine = list(_of(records, method).values())
    return [
        method,
        *(_mean(mine, name) for name in ("calls", "further", "repairs")),
        *(_time(mine, name) for name in ("waited", "judged", "in_turn", "search")),
    ]


def _paired(records: Mapping[str, Record], methods: Sequence[str]) -> Iterator[str]:
    """The first method against each other one, on the same tasks and seeds."""
    for other in methods[1:]:
        first, second = _of(records, methods[0]), _of(records, other)
        keys = sorted({*first} & {*second})
        for name, word in (("score", "held-back score"), ("evaluations", "evaluations")):
            change = paired(
                [second[k].rows[0].get(name) for k in keys],
                [first[k].rows[0].get(name) for k in keys],
            )
            if change is not None:
                yield (
                    f"- {methods[0]} minus {other}, {word}: {change} over {change.count} "
                    f"pairs{'' if change.clear else ' (within noise)'}"
                )
