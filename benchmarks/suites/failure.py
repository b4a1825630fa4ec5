"""What goes wrong when masks are wrong: oracle masks, spoiled in known ways, measured, checked and
corrected.

Oracle masks stand in for the networks: perfect, two pixels too small, displaced, exchanged between
two objects for a third of the clip, missing in a third of the frames, and one object's masks under
both names (the ProgGen paper's Figure 6: the pole taken for "the black cart"). Measured: the error
of the states, whether the check finds what was spoiled, and the error after it has corrected what
it can, without asking any model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from benchmarks.failure_scenes import FAILURES, SCENES, OracleScene, Spoiled
from benchmarks.harness.case import Case, Figures, Options, Record, Workplace, row
from benchmarks.harness.figures import content
from tools.masks.request import MaskSet
from tools.masks.states import mask_states
from tools.types import States
from tools.vision.check import Verdict
from tools.vision.classical import ClassicalTracker
from tools.vision.colour_words import ColourWords
from tools.vision.grabcut import GrabCutSegmenter
from tools.vision.pipeline import Backend
from tools.vision.repair import CheckRecord, check_and_repair

WARNINGS = ("poor_mask", "jump")
"""Problems of the check that name no object and no frame as wrong."""


class Failure:
    """Errors of states from spoiled masks, and what the check makes of them, per failure and
    scene."""

    name = "failure"
    about = (
        "spoiled oracle masks: errors of the states, what the check finds, errors after its "
        "corrections"
    )

    def phases(self, options: Options) -> Sequence[Sequence[Case]]:
        scenes = list(SCENES)[: options.count]
        return [[Case(f"{failure}/{scene}") for scene in scenes for failure in FAILURES]]

    def run(self, case: Case, place: Workplace) -> Record:
        scene = SCENES[case.key.partition("/")[2]]()
        spoiled = FAILURES[case.method](scene, np.random.default_rng(place.options.seed))
        given = MaskSet(
            spoiled.masks,
            {name: mask.any(axis=(1, 2)).astype(float) for name, mask in spoiled.masks.items()},
        )
        corrected, records = check_and_repair(scene.frames, given, scene.words, _backend())
        figures = {
            **errors(scene, mask_states(scene.frames, spoiled.masks)),
            "position_of_mask": _centroid_error(scene, spoiled.masks),
            **_found(spoiled, records),
            **{
                f"{key}_after": value
                for key, value in errors(scene, mask_states(scene.frames, corrected.masks)).items()
            },
        }
        return Record(case.key, (row(figures),), _notes(records), {"frames": content(scene.frames)})

    def report(self, records: Mapping[str, Record], options: Options) -> str:
        head = [
            "scene",
            "masks",
            "mask centroid, px",
            "states, px",
            "angle, rad",
            "frames",
            "found",
            "check says",
            "decision",
            "after, px",
            "after, rad",
        ]
        ordered = [
            records[key]
            for scene in SCENES
            for failure in FAILURES
            if (key := f"{failure}/{scene}") in records
        ]
        lines = [
            "## Failures of learned perception, with oracle masks",
            "",
            "| " + " | ".join(head) + " |",
            "|" + "---|" * len(head),
        ]
        return "\n".join([*lines, *(_line(record) for record in ordered), ""])


def _backend() -> Backend:
    return Backend(ColourWords(), ClassicalTracker(), GrabCutSegmenter())


# --------------------------------------------------------------------------------------------------


def errors(scene: OracleScene, states: States) -> dict[str, float]:
    """Root mean square over objects and frames: position in pixels, angle of the axis in radians;
    share of frames with a state."""
    offsets, turns, seen = [], [], []
    for actor in scene.actors:
        x, y = states.column(f"{actor.name}.x"), states.column(f"{actor.name}.y")
        offsets.append((x - actor.x) ** 2 + (y - actor.y) ** 2)
        seen.append(np.isfinite(x))
        if actor.angle is not None:
            turns.append(
                _axis_difference(states.column(f"{actor.name}.angle"), actor.angle - np.pi / 2) ** 2
            )
    angle = float(np.sqrt(np.nanmean(turns))) if turns else np.nan
    return {
        "position": float(np.sqrt(np.nanmean(offsets))),
        "angle": angle,
        "frames": float(np.mean(seen)),
    }


def _axis_difference(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Difference of two directions of an axis, in [-pi/2, pi/2)."""
    return (a - b + np.pi / 2) % np.pi - np.pi / 2


def _centroid_error(scene: OracleScene, masks: Mapping[str, np.ndarray]) -> float:
    """The same error when the centroid of the mask is taken for the position."""
    squares = []
    for actor in scene.actors:
        for t in np.flatnonzero(masks[actor.name].any(axis=(1, 2))):
            ys, xs = np.nonzero(masks[actor.name][t])
            squares.append((xs.mean() - actor.x[t]) ** 2 + (ys.mean() - actor.y[t]) ** 2)
    return float(np.sqrt(np.mean(squares)))


def _found(spoiled: Spoiled, records: Sequence[CheckRecord]) -> dict[str, float]:
    """Precision and recall, over frames, of what the check names as exchanged and as missing; false
    alarms."""
    verdicts = [record.verdict for record in records]
    alarms = sum(
        problem.kind not in WARNINGS for verdict in verdicts for problem in verdict.problems
    )
    figures = {"alarms": float(alarms)}
    for kind, true in (("swapped", spoiled.swapped), ("missing", spoiled.missing)):
        named = _frames(verdicts, kind, len(true))
        figures[f"{kind}_recall"] = float(named[true].mean()) if true.any() else np.nan
        figures[f"{kind}_precision"] = float(true[named].mean()) if named.any() else np.nan
    return figures


def _frames(verdicts: Sequence[Verdict], kind: str, count: int) -> np.ndarray:
    """(count,) bool: frames that some verdict names with a problem of that kind."""
    named = np.zeros(count, bool)
    for problem in (p for verdict in verdicts for p in verdict.problems if p.kind == kind):
        named[list(problem.frames)] = True
    return named


def _notes(records: Sequence[CheckRecord]) -> dict[str, object]:
    said = {r.name: [p.message for p in r.verdict.problems] for r in records}
    kinds = {r.name: [p.kind for p in r.verdict.problems] for r in records}
    return {
        "said": said,
        "kinds": kinds,
        "decision": {r.name: [r.decision.action, r.helped] for r in records},
    }


# --------------------------------------------------------------------------------------------------


def _line(record: Record) -> str:
    r, notes = record.rows[0], record.notes
    says = (
        "; ".join(f"{name}: {', '.join(kinds)}" for name, kinds in notes["kinds"].items() if kinds)
        or "nothing"
    )
    actions = (
        "; ".join(
            f"{name}: {action}" + ("" if helped else ", not kept")
            for name, (action, helped) in notes["decision"].items()
            if action != "accept"
        )
        or "accept"
    )
    cells = [
        record.key.partition("/")[2],
        record.method,
        _number(r["position_of_mask"], 2),
        _number(r["position"], 3),
        _number(r["angle"], 4),
        f"{100 * (r['frames'] or 0):.0f}%",
        _hits(r),
        says,
        actions,
        _number(r["position_after"], 3),
        _number(r["angle_after"], 4),
    ]
    return "| " + " | ".join(cells) + " |"


def _hits(figures: Figures) -> str:
    """Recall and precision of the frames that were spoiled, where single frames were."""
    parts = [
        f"{kind} {100 * recall:.0f}% / {100 * (figures[f'{kind}_precision'] or 0):.0f}%"
        for kind in ("swapped", "missing")
        if (recall := figures[f"{kind}_recall"]) is not None
    ]
    return ", ".join(parts) or "–"


def _number(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:.{digits}f}"
