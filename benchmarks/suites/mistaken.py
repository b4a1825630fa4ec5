"""Figure 6 of the paper, at the level of programs: a perception that follows the pole where it says
cart.

Is it noticed by the measured check of detections and by the diagnosis, and does a search that
starts from it recover? (Masks that are wrong are the suite ``failure``.)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from agent.checking.detection_check import check_detections
from agent.core.diagnosis import diagnose
from agent.core.split import validation
from agent.evaluation.evaluate import Evaluator
from benchmarks.environments import load
from benchmarks.harness.case import Case, Options, Record, Workplace, row
from benchmarks.harness.statistics import estimate
from benchmarks.programs import programs
from benchmarks.suites.predicting import UNHURRIED, data_of, search_config, search_row, searched
from sandbox import Sandbox
from tools.types import Evaluation, Programs, Task

EPISODES = 5
DETECTION = ("wrong_detection", "same_thing_twice", "missing_object")


class Mistaken:
    """What is noticed, and what the search makes of it."""

    name = "failure-search"
    about = (
        "a program whose perception takes the pole for the cart: is it noticed, does the "
        "search recover? (Figure 6)"
    )

    def phases(self, options: Options) -> Sequence[Sequence[Case]]:
        return [[Case(f"program/{k}") for k in range(options.count or EPISODES)]]

    def run(self, case: Case, place: Workplace) -> Record:
        return _program(case, place)

    def report(self, records: Mapping[str, Record], options: Options) -> str:
        return _program_table(records)


def mistaken() -> Programs:
    """The hand-written CartPole program with a perception that follows the pole where it says
    cart."""
    good = programs("cartpole")
    wrong = good.perception.replace(
        "cart = np.array([middle(frame[BELOW], CART) for frame in frames]) + np.array(\n"
        "        [0.5, BELOW.start]\n    )",
        "cart = np.array([centroid(frame, POLE) for frame in frames])",
    )
    assert wrong != good.perception, "the hand-written program has changed"
    return replace(good, perception=wrong)


def _program(case: Case, place: Workplace) -> Record:
    seed = place.options.seed + int(case.key.split("/")[1])
    task, held_back = load("cartpole", seed=seed)
    evaluation, sound = (
        _evaluated(candidate, task, seed) for candidate in (mistaken(), programs("cartpole"))
    )
    found = [finding for finding in check_detections(task, evaluation) if finding.kind in DETECTION]
    alarm = [finding for finding in check_detections(task, sound) if finding.kind in DETECTION]
    result = searched(
        task, held_back, search_config(place.options, seed), place.run(case.key), first=mistaken()
    )
    rows = search_row(result, task, held_back, place.options)
    verdict = diagnose(evaluation)
    figures = {
        "noticed": float(bool(found)),
        "false_alarm": float(bool(alarm)),
        "blames_perception": float(verdict.guilty == "perception"),
        "score_mistaken": evaluation.score,
        **rows[0],
    }
    notes = {
        "findings": [finding.message for finding in found],
        "verdict": verdict.verdict,
        "status": result.status,
        "best": result.best,
    }
    return Record(
        case.key, (row(figures),), notes, data_of(task, held_back), {"search": result.seconds}
    )


def _evaluated(candidate: Programs, task: Task, seed: int) -> Evaluation:
    with Sandbox(1) as sandbox:
        return Evaluator(task, validation(task), sandbox, UNHURRIED).evaluate(candidate, seed)


def _program_table(records: Mapping[str, Record]) -> str:
    rows = [records[key].rows[0] for key in sorted(records) if key.startswith("program/")]
    if not rows:
        return ""
    words = {
        "noticed": "episodes in which the measured check names a wrong detection",
        "false_alarm": "... and in which it does so for the right program",
        "blames_perception": "episodes in which the diagnosis blames perception",
        "score_mistaken": "score of the mistaken program",
        "search_score": "score of the search that starts from it",
        "psnr": "PSNR of its prediction, dB",
    }
    lines = [
        "## A program whose perception takes the pole for the cart",
        "",
        "| | mean [95%] |",
        "|---|---|",
    ]
    lines += [
        f"| {text} | {estimate([r.get(name) for r in rows])} |" for name, text in words.items()
    ]
    said = next(
        (message for record in records.values() for message in record.notes.get("findings", ())), ""
    )
    return "\n".join([*lines, "", *([f"For example: {said}", ""] if said else [])])
