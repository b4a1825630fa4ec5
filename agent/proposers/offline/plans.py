"""Everything the grammar would say about a task before the first evaluation: drafts, best first."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from agent.proposers.offline.across import across
from agent.proposers.offline.coupled import structures
from agent.proposers.offline.evidence import Evidence, gather
from agent.proposers.offline.forces import drive
from agent.proposers.offline.hints import favour
from agent.proposers.offline.links import with_links
from agent.proposers.offline.mechanism import COUPLINGS, Mechanism
from agent.proposers.offline.options import Driven
from agent.proposers.offline.priors import THRESHOLDS, price
from agent.proposers.offline.sample import sample
from tools.guide import Guide
from tools.perception.lattice import explains as grid_explains
from tools.types import Task, Video

DIM = 0.01
"""Change of a light's gain below which it counts as steady."""

NEVER = -1e6
"""Least log-posterior that is told apart."""


@dataclass(frozen=True)
class Draft:
    """A mechanism worth trying and why. causes: of its motion, in words. far: much less likely than
    the best one; it is only worth an evaluation while nothing else explains the clip. belief: its
    log-posterior, 0.0 that of the likeliest."""

    mechanism: Mechanism
    why: str
    far: bool = False
    causes: str = ""
    belief: float = 0.0


@dataclass(frozen=True)
class Plan:
    """evidence: of the most eventful video. drafts: best first. kin: drafts with the same structure
    as a mechanism."""

    evidence: Evidence
    drafts: tuple[Draft, ...]

    def kin(self, mechanism: Mechanism) -> list[Draft]:
        """Drafts that share the bodies and joints of ``mechanism``, best first."""
        return [draft for draft in self.drafts if skeleton(draft.mechanism) == skeleton(mechanism)]

    def belief(
        self, mechanism: Mechanism, parent: Mechanism | None = None, before: float | None = None
    ) -> float | None:
        """Log-posterior of a mechanism: that of its draft; else that of the one it was made from
        (``before`` where that is no draft either), less what the causes cost that it adds, which no
        draft thought worth having."""
        outline = _outline(mechanism)
        same = (d.belief for d in self.drafts if _outline(d.mechanism) == outline)
        known = next(same, None)
        if known is not None or parent is None:
            return known
        drafted = self.belief(parent)
        before = before if drafted is None else drafted
        kinds = [t.kind for t in parent.terms]
        added = [t.kind for t in mechanism.terms if t.kind not in kinds]
        return None if before is None else before - price([*kinds, *added]) / 2 + price(kinds) / 2


def skeleton(mechanism: Mechanism) -> tuple:
    """Bodies, joints and couplings without numbers or causes."""
    bound = (t for t in mechanism.terms if t.kind in COUPLINGS)
    return (
        *((b.name, b.motion, b.on) for b in mechanism.bodies),
        *((t.kind, *t.bodies) for t in bound),
    )


def plan(task: Task, hint: str = "") -> Plan:
    """Look at the visible frames and rank what could explain them. hint: what a person says of the
    scene."""
    return concluded(task, looked_at(task), hint)


def looked_at(task: Task) -> list[Evidence]:
    """What the clips say that the evidence is read from."""
    return [_seen(video) for video in watched(task)]


def _seen(video: Video) -> Evidence:
    evidence = with_links(gather(video), video)
    return replace(evidence, on_grid=on_grid(evidence, video.frames))


def concluded(task: Task, seen: Sequence[Evidence], hint: str = "") -> Plan:
    """The plan for a task whose clips have been ``looked_at``."""
    evidence = most_eventful(seen)
    if not evidence.paths:
        return Plan(evidence, (Draft(Mechanism(()), "nothing moves in the visible frames"),))
    found = ranked(evidence, hint)
    tied = sum(cost < found[0][0] + THRESHOLDS.reach for cost, _ in found)
    multi = len(task.train) + len(task.test) > 1
    drafts = [replace(d, mechanism=across(d.mechanism, seen)) if multi else d for _, d in found]
    light = light_of(evidence)
    drafts = [replace(d, mechanism=replace(d.mechanism, light=light)) for d in drafts]
    if evidence.filmed:
        drafts = [_filmed(d, evidence) for d in drafts]
    elif evidence.on_grid:
        drafts = [_drawn_on_grid(d) for d in drafts]
    drafts = [
        replace(d, why=f"{d.why} {tied} mechanisms tie on what is seen.") if k < tied > 1 else d
        for k, d in enumerate(drafts)
    ]
    if said := _spoken(next((c.guide for c in watched(task) if c.guide), Guide()), evidence):
        drafts = [replace(d, why=f"{d.why} {said}") for d in drafts]
    return Plan(evidence, tuple(_distinct(drafts)))


def _spoken(guide: Guide, evidence: Evidence) -> str:
    """What became of the bodies that a person pointed out."""
    found = [name for name in guide.objects if name in evidence.paths]
    lost = [f"{n} ({p[0]:g}, {p[1]:g} in frame {p[3]})" for n, p in guide.objects.items()]
    lost = [one for one in lost if one.partition(" ")[0] not in found]
    words = [f"{' and '.join(found)}: followed from where a person pointed."] if found else []
    words += [f"{' and '.join(guide.tracks)}: as a person measured it."] if guide.tracks else []
    words += [f"Nothing shows where a person pointed: {', '.join(lost)}."] if lost else []
    return " ".join(words)


def ranked(evidence: Evidence, hint: str = "") -> list[tuple[float, Draft]]:
    """(deviance of joints and causes together, draft), likeliest first; a structure whose joints
    alone say that it is hopeless is left out."""
    found: list[tuple[float, int, Draft]] = []
    best = math.inf
    for place, structure in enumerate(structures(evidence)):
        if structure.cost > best + THRESHOLDS.hopeless:
            continue
        for driven in drive(structure.mechanism, evidence):
            cost = structure.cost + driven.bic + favour(hint, driven.mechanism)
            best = min(best, cost)
            why = _why(structure.why, driven)
            found.append((cost, place, Draft(driven.mechanism, why, causes=driven.why)))
    found.sort(key=lambda item: item[:2])
    limit = found[0][0] + THRESHOLDS.hopeless
    least = found[0][0]
    return [
        (cost, replace(draft, far=cost > limit, belief=max((least - cost) / 2, NEVER)))
        for cost, _, draft in found
    ]


def on_grid(evidence: Evidence, frames: np.ndarray) -> bool:
    """Whether a box that does not turn moves in whole pixels only, the sign of a drawing that
    rounds to the pixel grid, and those that turn look as if their corners lay on it. frames: (T,
    H, W, 3) uint8."""
    turning = [p.name for p in evidence.movers if p.appearance.shape == "box" and p.turns]
    return _by_whole_pixels(evidence) and grid_explains(frames, evidence.tracks, turning)


def _by_whole_pixels(evidence: Evidence) -> bool:
    """Whether a box that does not turn moves by whole pixels only."""
    for path in evidence.movers:
        if path.appearance.shape == "box" and not path.turns:
            for series in path.xy[path.seen].T:
                phase = (series - series[0] + 0.5) % 1.0 - 0.5
                if np.ptp(series) > 2 and np.quantile(np.abs(phase), 0.9) < 0.05:
                    return True
    return False


def light_of(evidence: Evidence) -> str:
    """How the light of the clip changes (Mechanism.light)."""
    gains = evidence.tracks.light
    if gains is None or np.ptp(gains, axis=0).max() < DIM:
        return "steady"
    return "white" if np.ptp(gains, axis=1).max() < 0.02 else "coloured"


def _drawn_on_grid(draft: Draft) -> Draft:
    return replace(
        draft,
        mechanism=replace(draft.mechanism, drawing="whole pixels"),
        why=draft.why
        + " Things move in whole pixels, so corners are taken to be drawn on the pixel grid.",
    )


def _filmed(draft: Draft, evidence: Evidence) -> Draft:
    """The draft measured and drawn with one picture a body, found by where it is first seen."""
    starts = {name: path.xy[path.seen][0] for name, path in evidence.paths.items()}
    bodies = tuple(
        replace(b, near=(float(starts[b.name][0]), float(starts[b.name][1])))
        for b in draft.mechanism.bodies
    )
    return replace(draft, mechanism=replace(draft.mechanism, bodies=bodies, drawing="film"))


def watched(task: Task) -> Sequence[Video]:
    """Videos that the evidence is read from; dynamics are fitted to all of them."""
    return sample(task.train) if task.train else task.test[:1]


def most_eventful(seen: Sequence[Evidence]) -> Evidence:
    """The clip with the most movers, then the most velocity jumps, then the longest."""
    return max(
        seen,
        key=lambda e: (
            len(e.movers),
            sum(len(p.kinks) for p in e.movers),
            sum(int(p.seen.sum()) for p in e.movers),
        ),
    )


def _why(structure: str, driven: Driven) -> str:
    return ". ".join(text[0].upper() + text[1:] for text in (structure, driven.why) if text) + "."


def _distinct(drafts: Sequence[Draft]) -> list[Draft]:
    """Without drafts that differ in first guesses only."""
    seen, kept = set(), []
    for draft in drafts:
        key = _outline(draft.mechanism)
        if key not in seen:
            seen.add(key)
            kept.append(draft)
    return kept


def _outline(mechanism: Mechanism) -> tuple:
    """Bodies, joints and causes, without first guesses."""
    terms = (
        (t.kind, t.bodies, tuple(sorted(t.numbers)), t.numbers.get("mass", 0.0))
        for t in mechanism.terms
    )
    return skeleton(mechanism), tuple(sorted(terms))
