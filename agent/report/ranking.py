"""Who won and what decided it, for whoever tells it: ties, the rule among them, the one to compare
with. Pure.

The search itself decides in ``agent.core.archive.NodeArchive.best``; this says why, from what is on
record.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol, TypeVar

from agent.core.archive import SMALLER


class Judged(Protocol):
    """A candidate as a trace tells it. status: "ok" when it ran to its end. complexity: bits.
    leeway: of its score, what noise, fit and camera leave open. belief: its log-posterior, None
    where nobody told it."""

    @property
    def id(self) -> str: ...
    @property
    def status(self) -> str: ...
    @property
    def score(self) -> float: ...
    @property
    def complexity(self) -> float: ...
    @property
    def leeway(self) -> float: ...
    @property
    def belief(self) -> float | None: ...


One = TypeVar("One", bound=Judged)


def tolerance(nodes: Iterable[Judged], configured: float) -> float:
    """What scores may differ by and tie: at least what is configured, and the leeway of the
    highest."""
    ran = [node for node in nodes if node.status == "ok"]
    if not ran:
        return configured
    top: Judged = max(ran, key=lambda node: node.score)
    return max(configured, top.leeway)


def equals(nodes: Iterable[One], configured: float) -> tuple[list[One], list[One]]:
    """Those that ran to their end: as good as the highest score within the tolerance, and the
    others; each in order of proposal."""
    ran = [node for node in nodes if node.status == "ok"]
    top = max((node.score for node in ran), default=0.0)
    usual, wide = top - configured, top - tolerance(ran, configured)
    ties: list[One] = []
    others: list[One] = []
    for node in ran:
        tied = node.score >= usual or (node.score >= wide and node.belief is not None)
        (ties if tied else others).append(node)
    return ties, others


def likelier(winner: Judged, others: Iterable[One]) -> list[One]:
    """Those of ``others``, which tie with the winner, that it is likelier than."""
    if winner.belief is None:
        return []
    return [o for o in others if o.belief is not None and o.belief < winner.belief]


def decided(winner: Judged, others: Iterable[Judged]) -> str:
    """What decided between the winner and ``others`` that are as good: "likelier", "smaller",
    "older", or "failed ones apart" when those before it did not run on all frames seen. "" without
    others."""
    others = list(others)
    if not others:
        return ""
    unlikelier = likelier(winner, others)
    others = [node for node in others if node not in unlikelier]
    if not others:
        return "likelier"
    smallest = min(node.complexity for node in (winner, *others))
    if winner.complexity > SMALLER * smallest:
        return "failed ones apart"
    return "older" if any(node.complexity <= SMALLER * smallest for node in others) else "smaller"


def rival(
    node: One, nodes: Iterable[One], configured: float, line: frozenset[str] = frozenset()
) -> One | None:
    """The one to compare ``node`` with: the best that is not as good as the best and not of its
    ``line`` (ids); among equals only, the best of these. None when it ran alone."""
    ties, worse = equals(nodes, configured)
    for some in (
        [n for n in worse if n.id not in line],
        [n for n in ties if n.id not in line],
        worse,
        ties,
    ):
        rest = [other for other in some if other.id != node.id]
        if rest:
            return max(rest, key=lambda other: other.score)
    return None


def standing(node: Judged, nodes: Iterable[Judged], configured: float) -> str:
    """What the one to compare with is, in words: it may be of another line than the best that is
    not as good."""
    ties, worse = equals(nodes, configured)
    if any(other.id == node.id for other in ties):
        return "as good"
    return (
        "the best that is not as good"
        if node.score >= max(other.score for other in worse)
        else "the best of another line"
    )


def rule(winner: Judged, others: Iterable[Judged], configured: float, noun: str) -> str:
    """How a tie was decided, in a few sentences. noun: what a candidate is called."""
    others = list(others)
    top = max((winner, *others), key=lambda node: node.score)
    unlikelier = likelier(winner, others)
    rest = [node for node in others if node not in unlikelier]
    limit = SMALLER * min(node.complexity for node in (winner, *rest))
    larger = [node for node in rest if node.complexity > limit]
    later = [node for node in rest if node.complexity <= limit]
    if decided(winner, others) == "failed ones apart":
        kept = (
            f"{noun} {winner.id} ties with {_names(others, noun)}, which failed on all the "
            "frames seen, are larger or came later."
        )
    else:
        parts = [f"is likelier beforehand than {_names(unlikelier, noun)}"] if unlikelier else []
        parts += [f"is clearly smaller than {_names(larger, noun)}"] if larger else []
        parts += [f"came before {_names(later, noun)}"] if later else []
        kept = f"{noun} {winner.id} {' and '.join(parts)}."
    wide = tolerance((winner, *others), configured)
    why = (
        "what noise, rounding, fit and camera leave open"
        if wide > configured
        else "so few frames judge that a smaller lead is luck"
    )
    first = "the likeliest mechanism wins, then " if unlikelier else ""
    return (
        f"Scores within {wide:.3g} of the highest ({top.score:.4g}, {noun} {top.id}) count as "
        f"equal: {why}. Of equals {first}the clearly smaller program (by more than "
        f"{SMALLER - 1:.0%}){'' if first else ' wins'}, else the one proposed first, which the "
        f"evidence made likelier. {kept[0].upper()}{kept[1:]}"
    )


def _names(nodes: Sequence[Judged], noun: str) -> str:
    listed = ", ".join(node.id for node in nodes[:6])
    more = f" and {len(nodes) - 6} more" if len(nodes) > 6 else ""
    return f"{noun}{'s' if len(nodes) > 1 else ''} {listed}{more}"
