"""What is each entry of the inference's ledger worth? Priors, thresholds and laws are left out one
at a time, on scenes that only judge (``JUDGING``; the others may be used to tune).

A scene is looked at once. Then the drafts are made anew without each entry that was looked up on
the way to them: no other can change anything. A search runs only where the first draft changes.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from agent.core.readying import readied
from agent.core.split import validation
from agent.proposers.offline.grammar.quantity import GrammarError
from agent.proposers.offline.mechanism import loads
from agent.proposers.offline.plans import Plan, concluded, looked_at
from agent.proposers.offline.priors import ENTRIES, looking_up, without
from agent.proposers.offline.write import write
from agent.run import store
from benchmarks.drafts import defined
from benchmarks.environments import Options as EnvironmentOptions
from benchmarks.environments import load
from benchmarks.gallery import JUDGING, SCENES
from benchmarks.harness.case import Case, Figures, Options, Record, Workplace, row
from benchmarks.suites.gallery import names, told
from benchmarks.suites.predicting import UNHURRIED, data_of, search_config, search_row, searched
from tools.types import ContractError, HeldBack, Task

NOTHING = "nothing"
"""Stands for an entry in figures of what is found with everything in force."""

MOST = 30
"""Drafts of a scene that are written and read; searches get no further."""

KINDS = ("cause", "on top", "joint", "threshold", "law")
"""First words of entries."""

DIGITS = 6
"""Digits after the point from which log-posteriors and scores are the same."""

ALIKE = 0.005
"""Difference of two held-back scores from which one is better."""


@dataclass(frozen=True)
class Ablate:
    """Place and margin of the right draft without each entry, and the score where the first draft
    changes. entries: what is left out, one at a time."""

    entries: tuple[str, ...] = ENTRIES

    name = "ablate"
    about = (
        "what each prior, threshold and law of the inference is worth, left out one at a time, "
        "on scenes that nothing was set by"
    )

    def phases(self, options: Options) -> Sequence[Sequence[Case]]:
        scenes = [scene for scene in SCENES if scene in JUDGING][: options.count]
        return [
            [Case(f"drafts/{scene}") for scene in scenes],
            [Case(f"search/{scene}", needs=(f"drafts/{scene}",)) for scene in scenes],
        ]

    def run(self, case: Case, place: Workplace) -> Record:
        options = place.options
        task, held_back = load(
            f"gallery:{case.key.partition('/')[2]}",
            seed=options.seed,
            options=EnvironmentOptions(variant=options.variant),
        )
        if case.method == "search":
            return _search(case, place, task, held_back)
        return _drafts(self.entries, case, place, task, held_back)

    def report(self, records: Mapping[str, Record], options: Options) -> str:
        drafts = [record for record in records.values() if record.method == "drafts"]
        changes = {entry: list(_changes(entry, records)) for entry in self.entries}
        seconds = {e: sum(record.timings.get(e, 0.0) for record in drafts) for e in self.entries}
        named = sum(bool(record.rows[0].get(f"{NOTHING}: named")) for record in drafts)
        return "\n".join(
            [
                f"## Without one entry, variant {options.variant or 'clean'}, seed {options.seed}",
                "",
                f"With everything in force the first draft names the true mechanism on {named} of "
                f"{len(drafts)} scenes.",
                "",
                f"| {' | '.join(_HEAD)} |",
                "|" + "---|" * len(_HEAD),
                *(_line(e, changes[e], seconds[e]) for e in self.entries if changes[e]),
                "",
                *_verdicts(changes),
                "",
            ]
        )


# --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Standing:
    """How the right mechanism stands among the drafts. first: what the first draft says of itself.
    rank: place of the first right draft, from 1; margin: its log-posterior less that of the best
    wrong one; None where there is none among the first MOST."""

    first: str
    rank: int | None
    margin: float | None

    def figures(self, entry: str) -> dict[str, float | None]:
        """As figures of a record."""
        figures = {"named": float(self.rank == 1), "rank": self.rank, "margin": self.margin}
        return {f"{entry}: {name}": value for name, value in figures.items()}


def standing(plan: Plan, truth: Mapping[str, Any]) -> Standing:
    """How the true mechanism stands; what cannot be written counts for nothing, as in a search."""

    def said() -> Iterator[tuple[str, float]]:
        for draft in plan.drafts[:MOST]:
            words = _words(draft.mechanism.dumps())
            if words is not None:
                yield words, draft.belief

    right = next(((k, b) for k, (w, b) in enumerate(said(), 1) if names(w, truth)), None)
    wrong = next((belief for words, belief in said() if not names(words, truth)), None)
    return Standing(
        next((words for words, _ in said()), ""),
        None if right is None else right[0],
        None if right is None or wrong is None else right[1] - wrong,
    )


@cache
def _words(mechanism: str) -> str | None:
    """What the dynamics program of a mechanism says about itself; None where it is refused."""
    try:
        dynamics = write(loads(mechanism)).dynamics
    except GrammarError:
        return None
    return told(dynamics, defined(dynamics)["PARAMS"])


def _drafts(
    entries: Sequence[str], case: Case, place: Workplace, task: Task, held_back: HeldBack
) -> Record:
    guiding = validation(readied(task), UNHURRIED.validation).guiding
    with looking_up() as looking:
        seen = looked_at(guiding)
    with looking_up() as concluding:
        plan = concluded(guiding, seen)
    usual = standing(plan, held_back.truth)
    figures, seconds, instead = usual.figures(NOTHING), dict[str, float](), dict[str, str]()
    for entry in (entry for entry in entries if entry in looking | concluding):
        began = time.perf_counter()
        with without(entry):
            other = concluded(guiding, looked_at(guiding) if entry in looking else seen)
        seconds[entry] = round(time.perf_counter() - began, 3)
        if _beliefs(other) != _beliefs(plan):
            found = standing(other, held_back.truth)
            figures |= found.figures(entry)
            if found.first != usual.first:
                instead[entry] = found.first
    folder = place.run(case.key)
    folder.mkdir(parents=True, exist_ok=True)
    store.write_json(folder / "instead.json", instead)
    notes = {"true": held_back.truth["mechanism"], "first": usual.first, "instead": instead}
    return Record(case.key, (row(figures),), notes, data_of(task, held_back), seconds)


def _beliefs(plan: Plan) -> list[tuple[str, float, bool]]:
    """What a plan says of each draft, without the last digits: sums are rounded."""
    return [(d.mechanism.dumps(), round(d.belief, DIGITS), d.far) for d in plan.drafts]


def _search(case: Case, place: Workplace, task: Task, held_back: HeldBack) -> Record:
    options, (drafts,) = place.options, case.needs
    path = place.run(drafts) / "instead.json"
    if not path.is_file():
        raise ContractError(case.key, f"the case {drafts} before it", "--only left it out")
    instead = store.read_json(path, dict[str, str])
    figures: dict[str, float | None] = {}
    for entry in ("", *instead) if instead else ():
        folder = place.run(case.key) / (entry or NOTHING).replace(" ", "-")
        with without(entry):
            config = search_config(options, options.seed)
            result = searched(task, held_back, config, folder)
        found = search_row(result, task, held_back, options)[0]
        for name in ("score", "search_score", "evaluations"):
            figures[f"{entry or NOTHING}: {name}"] = found.get(name)
    return Record(case.key, (row(figures),), {}, data_of(task, held_back))


# --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Change:
    """What leaving out an entry changed on one scene. named: by the first draft, before and after.
    rank: of the right draft; one that is not there counts as the next after MOST. margin, score:
    None where one of the two is not known. other: whether the first draft is another one."""

    named: tuple[bool, bool]
    rank: float
    margin: float | None
    score: float | None
    other: bool

    @property
    def pays(self) -> bool:
        """Whether the scene is worse without the entry."""
        return self.rank > 0 or (self.score or 0.0) < -ALIKE

    @property
    def harms(self) -> bool:
        """Whether the scene is better without it."""
        return self.rank < 0 or (self.score or 0.0) > ALIKE

    @property
    def open(self) -> bool:
        """Whether only a search could tell: another draft is first, the right one no later."""
        return self.other and not self.rank and self.score is None

    @property
    def widens(self) -> bool:
        """Whether the right draft leads by less without it."""
        return (self.margin or 0.0) < 0


def _changes(entry: str, records: Mapping[str, Record]) -> Iterator[Change]:
    """One for each scene where any draft's belief is another one without the entry."""
    for key, record in sorted(records.items()):
        figures = record.rows[0]
        if record.method != "drafts" or f"{entry}: named" not in figures:
            continue
        search = records.get(key.replace("drafts/", "search/"))
        scores = {} if search is None else search.rows[0]
        both = [(figures[f"{e}: named"], figures[f"{e}: rank"]) for e in (NOTHING, entry)]
        (named, rank), (still, then) = both
        yield Change(
            (bool(named), bool(still)),
            (then or MOST + 1) - (rank or MOST + 1),
            _less(figures, entry, "margin"),
            _less(scores, entry, "score"),
            entry in record.notes["instead"],
        )


def _less(figures: Figures, entry: str, name: str) -> float | None:
    """A figure without the entry, less that with everything in force."""
    after, before = (figures.get(f"{e}: {name}") for e in (entry, NOTHING))
    return None if after is None or before is None else round(after - before, DIGITS)


_HEAD = (
    "left out",
    "scenes asked",
    "named before",
    "named after",
    "first draft changes",
    "rank",
    "margin",
    "score",
    "seconds",
)


def _line(entry: str, changes: Sequence[Change], seconds: float) -> str:
    before, after = (sum(change.named[k] for change in changes) for k in (0, 1))
    cells = [
        entry,
        len(changes),
        before,
        after,
        sum(change.other for change in changes),
        *(_mean([getattr(c, name) for c in changes], name) for name in ("rank", "margin", "score")),
        f"{seconds:.0f}",
    ]
    return f"| {' | '.join(map(str, cells))} |"


def _mean(changes: Sequence[float | None], name: str) -> str:
    known = [change for change in changes if change is not None]
    digits = {"rank": 1, "margin": 1, "score": 3}[name]
    return f"{statistics.mean(known):+.{digits}f}" if known else "–"


GRADES = {
    "pays": "Pay: without them the right draft comes later, or the score falls",
    "open": "Open: another draft is first, the right one no later; no search compared the two",
    "widens": "Only widen the margin of the right draft",
    "idle": "Pay nowhere, though asked",
    "unasked": "Asked nowhere: no belief changes",
}
"""What can be said of an entry, by its best scene; the first three are properties of a change."""


def _grade(changes: Sequence[Change]) -> str:
    """What of GRADES holds for an entry."""
    if not changes:
        return "unasked"
    grades = ("pays", "open", "widens")
    return next((g for g in grades if any(getattr(c, g) for c in changes)), "idle")


def _verdicts(changes: Mapping[str, Sequence[Change]]) -> Iterator[str]:
    """Which entries pay, and which do not."""
    harm = [entry for entry, found in changes.items() if any(c.harms for c in found)]
    lists = {"Harm: the right draft comes sooner without them, or the score rises": harm}
    for grade, words in GRADES.items():
        lists[words] = [entry for entry, found in changes.items() if _grade(found) == grade]
    for words, entries in lists.items():
        yield f"- {words} ({len(entries)}): {_listed(entries)}."


def _listed(entries: Sequence[str]) -> str:
    """Entries by kind: "cause gx, drag; law wall"."""
    kinds: dict[str, list[str]] = {}
    for entry in entries:
        kind = next(k for k in KINDS if entry.startswith(f"{k} "))
        kinds.setdefault(kind, []).append(entry.removeprefix(f"{kind} "))
    return "; ".join(f"{kind} {', '.join(words)}" for kind, words in kinds.items()) or "none"
