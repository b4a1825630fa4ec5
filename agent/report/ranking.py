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
    """A candidate as a trace tells it. status: "ok" when it ran to its end. complexity: bits."""

    @property
    def id(self) -> str: ...
    @property
    def status(self) -> str: ...
    @property
    def score(self) -> float: ...
    @property
    def complexity(self) -> float: ...


One = TypeVar("One", bound=Judged)


def equals(nodes: Iterable[One], tolerance: float) -> tuple[list[One], list[One]]:
    """Those that ran to their end: as good as the highest score within ``tolerance``, and the
    others; each in order of proposal."""
    ran = [node for node in nodes if node.status == "ok"]
    least = max((node.score for node in ran), default=0.0) - tolerance
    return [node for node in ran if node.score >= least], [
        node for node in ran if node.score < least
    ]


def decided(winner: Judged, others: Iterable[Judged]) -> str:
    """What decided between the winner and ``others`` that are as good: "smaller", "older", or
    "failed ones apart" when those before it did not run on all frames seen. "" without others."""
    others = list(others)
    if not others:
        return ""
    smallest = min(node.complexity for node in (winner, *others))
    if winner.complexity > SMALLER * smallest:
        return "failed ones apart"
    return "older" if any(node.complexity <= SMALLER * smallest for node in others) else "smaller"


def rival(
    node: One, nodes: Iterable[One], tolerance: float, line: frozenset[str] = frozenset()
) -> One | None:
    """The one to compare ``node`` with: the best that is not as good as the best and not of its
    ``line`` (ids); among equals only, the best of these. None when it ran alone."""
    ties, worse = equals(nodes, tolerance)
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


def standing(node: Judged, nodes: Iterable[Judged], tolerance: float) -> str:
    """What the one to compare with is, in words: it may be of another line than the best that is
    not as good."""
    ties, worse = equals(nodes, tolerance)
    if any(other.id == node.id for other in ties):
        return "as good"
    return (
        "the best that is not as good"
        if node.score >= max(other.score for other in worse)
        else "the best of another line"
    )


def rule(winner: Judged, others: Iterable[Judged], tolerance: float, noun: str) -> str:
    """How a tie was decided, in three sentences. noun: what a candidate is called."""
    others = list(others)
    top = max((winner, *others), key=lambda node: node.score)
    limit = SMALLER * min(node.complexity for node in (winner, *others))
    larger, later = (
        [node for node in others if node.complexity > limit],
        [node for node in others if node.complexity <= limit],
    )
    if decided(winner, others) == "failed ones apart":
        kept = (
            f"{noun} {winner.id} ties with {_names(others, noun)}, which failed on all the "
            "frames seen, are larger or came later."
        )
    else:
        parts = [f"is clearly smaller than {_names(larger, noun)}"] if larger else []
        parts += [f"came before {_names(later, noun)}"] if later else []
        kept = f"{noun} {winner.id} {' and '.join(parts)}."
    return (
        f"Scores within {tolerance:g} of the highest ({top.score:.4g}, {noun} {top.id}) count as "
        "equal: so few frames judge that a smaller lead is luck."
        f" Of equals the clearly smaller program wins (by more than {SMALLER - 1:.0%}), else the "
        f"one proposed first, which the evidence made likelier. {kept[0].upper()}{kept[1:]}"
    )


def _names(nodes: Sequence[Judged], noun: str) -> str:
    listed = ", ".join(node.id for node in nodes[:6])
    more = f" and {len(nodes) - 6} more" if len(nodes) > 6 else ""
    return f"{noun}{'s' if len(nodes) > 1 else ''} {listed}{more}"
