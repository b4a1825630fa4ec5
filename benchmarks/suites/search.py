"""Does searching beat sampling? Policies at equal budget on the same tasks, several seeds each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from agent.core.policy import POLICIES
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
)
SEEDS = 5


class Search:
    """Evaluations and seconds until the threshold, and the score at equal budget, with paired
    intervals."""

    name = "search"
    about = (
        "policies at equal budget: evaluations and seconds to threshold, at least 5 seeds, paired"
    )

    def phases(self, options: Options) -> Sequence[Sequence[Case]]:
        unknown = [name for name in options.policies if name not in POLICIES]
        if unknown:
            raise ContractError("--policies", "some of " + ", ".join(POLICIES), unknown[0])
        seeds = range(options.count or SEEDS)
        return [
            [
                Case(f"{policy}/{task}/{seed}")
                for task in TASKS
                for seed in seeds
                for policy in options.policies or POLICIES
            ]
        ]

    def run(self, case: Case, place: Workplace) -> Record:
        policy, env, item = case.key.split("/")
        seed = place.options.seed + int(item)
        task, held_back = load(env, seed=seed)
        config = search_config(place.options, seed, policy)
        result = searched(task, held_back, config, place.run(case.key))
        rows = search_row(result, task, held_back, place.options)
        reached = {"reached": float(result.score >= config.threshold)}
        notes = {"status": result.status, "reason": result.reason}
        return Record(
            case.key,
            (row({**rows[0], **reached}),),
            notes,
            data_of(task, held_back),
            {"search": result.seconds},
        )

    def report(self, records: Mapping[str, Record], options: Options) -> str:
        policies = list(dict.fromkeys(record.method for record in records.values()))
        head = [
            "task",
            "policy",
            "runs",
            "threshold reached",
            "evaluations",
            "seconds",
            "score",
            "held-back score",
            "PSNR, dB",
        ]
        lines = [
            f"## Search policies, budget {options.budget}",
            "",
            "| " + " | ".join(head) + " |",
            "|" + "---|" * len(head),
        ]
        for env in (*TASKS, "all"):
            lines += [_line(records, env, policy) for policy in policies]
        return "\n".join([*lines, "", *_paired(records, policies), ""])


def _of(records: Mapping[str, Record], policy: str, env: str) -> dict[str, Record]:
    """Records of one policy, by "task/seed"."""
    return {
        key.partition("/")[2]: r
        for key, r in sorted(records.items())
        if r.method == policy and env in ("all", key.split("/")[1])
    }


def _line(records: Mapping[str, Record], env: str, policy: str) -> str:
    mine = list(_of(records, policy, env).values())
    rows = [record.rows[0] for record in mine]
    cells = [str(estimate([r.get(name) for r in rows]) or "–") for name in ("evaluations",)]
    cells.append(str(estimate([record.timings.get("search") for record in mine]) or "–"))
    cells += [
        str(estimate([r.get(name) for r in rows]) or "–")
        for name in ("search_score", "score", "psnr")
    ]
    reached = int(np.nansum([r.get("reached") or 0.0 for r in rows]))
    return f"| {env} | {policy} | {len(mine)} | {reached} | " + " | ".join(cells) + " |"


def _paired(records: Mapping[str, Record], policies: Sequence[str]) -> list[str]:
    """The first policy against each other one, on the same tasks and seeds."""
    lines = []
    for other in policies[1:]:
        first, second = _of(records, policies[0], "all"), _of(records, other, "all")
        keys = sorted({*first} & {*second})
        for name, word in (("score", "held-back score"), ("evaluations", "evaluations")):
            change = paired(
                [second[k].rows[0].get(name) for k in keys],
                [first[k].rows[0].get(name) for k in keys],
            )
            if change is not None:
                lines.append(
                    f"- {policies[0]} minus {other}, {word}: {change} over {change.count} "
                    f"pairs{'' if change.clear else ' (within noise)'}"
                )
    return lines
