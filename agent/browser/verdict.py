"""Why a node won or lost, in words and numbers that are on record. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from agent.browser.index import Index, Row
from agent.core import explained
from agent.core.screen import fate
from agent.report import ranking
from tools.types import STAGES

_SAME = 0.002
"""Losses that differ by less say nothing."""


@dataclass(frozen=True)
class Step:
    """One node on the way from a draft. gain: score above the scored node before it, or None where
    there is none."""

    row: Row
    gain: float | None


@dataclass(frozen=True)
class Explanation:
    """headline: won or lost. sentences: why. steps: the way there, from the draft on. rival: the
    node to compare with, or None when there is no other that ran to its end. standing: what the
    rival is, where it is not the winner."""

    headline: str
    sentences: tuple[str, ...]
    steps: tuple[Step, ...]
    rival: str | None
    standing: str = ""


def verdict(index: Index, node: str) -> Explanation:
    """What is to be said about ``node``."""
    row, best = index.rows[node], index.best
    sentences: tuple[str, ...]
    if row.status == "pending":
        headline, sentences, rival = f"Node {node} has not been judged yet.", (), best
    elif row.failure is not None:
        stage, kind, message = row.failure
        what, _, why = fate(stage, kind, message).partition(": ")
        unrun = stage == "screen"
        headline = f"Node {node} was {what}." if unrun else f"Node {node} {what} and has no score."
        sentences, rival = (
            (f"{why[:1].upper()}{why[1:]}." if unrun else f"{kind}: {message}",),
            best,
        )
    elif node == best:
        how = (
            "leads so far" if not index.finished else "won" if _explains(index) else "came nearest"
        )
        headline = f"Node {node} {how}: score {row.score:.3f}."
        sentences, rival = tuple(_won(index, row)), _rival(index, row)
    else:
        headline = (
            _beside(row, index.rows[best], row in _ties(index)[0])
            if best
            else f"Node {node}: score {row.score:.3f}."
        )
        sentences, rival = tuple(_lost(index, row)), best
    rival = None if rival == node else rival
    standing = (
        ""
        if rival is None or rival == best
        else ranking.standing(index.rows[rival], index.rows.values(), _tolerance(index))
    )
    return Explanation(headline, sentences, tuple(_steps(index, node)), rival, standing)


def _explains(index: Index) -> bool:
    return not explained.fails(index.finished or {"explained": True})


def _beside(row: Row, best: Row, tied: bool) -> str:
    digits = 3 if abs(row.score - best.score) >= 0.001 else 4
    scores = f"score {row.score:.{digits}f}, node {best.id} has {best.score:.{digits}f}"
    return (
        f"Node {row.id} is as good as the winner: {scores}."
        if tied
        else f"Node {row.id} lost: {scores}."
    )


def scale(index: Index) -> str:
    """What a score means, and on which frames it was earned."""
    judged = [trial["judged"] for trial in (index.observed or {}).get("trials", ())]
    videos = f" of {len(judged)} videos" if len(judged) > 1 else ""
    where = (
        f" on {sum(judged)} frames{videos} that no candidate was fitted to or given"
        if judged
        else ""
    )
    return f"A score is earned{where}: 1 is exact, 0 no better than repeating the last frame seen."


def _ties(index: Index) -> tuple[list[Row], list[Row]]:
    """Rows that ran to their end: those as good as the best, and the others."""
    return ranking.equals(index.rows.values(), _tolerance(index))


def _tolerance(index: Index) -> float:
    return index.config.get("tolerance", 0.0)


def _won(index: Index, row: Row) -> Iterator[str]:
    if index.finished and (said := explained.verdict(index.finished)):
        yield said
    ties, others = _ties(index)
    equals = [other for other in ties if other is not row]
    if equals:
        yield ranking.rule(row, equals, _tolerance(index), "node")
    if others:
        second = max(others, key=lambda other: other.score)
        yield (
            f"The best that is not as good, node {second.id}, has {second.score:.4f}; "
            f"{_against(second, row)}."
        )
    if index.finished is not None:
        yield f"The search ended: {index.finished['reason'].rstrip('.')}."


def _lost(index: Index, row: Row) -> Iterator[str]:
    best = None if index.best is None else index.rows.get(index.best)
    if best is None:
        return
    if row in _ties(index)[0]:
        yield (
            f"As good as node {best.id}, within "
            f"{ranking.tolerance(index.rows.values(), _tolerance(index)):.3g}, but "
            + (
                "less likely beforehand."
                if ranking.likelier(best, [row])
                else f"not clearly simpler ({row.complexity:,.0f} bits, "
                f"{best.complexity:,.0f} there)."
            )
        )
        return
    words = _against(row, best)
    yield f"{words[0].upper()}{words[1:]}."


def _against(row: Row, better: Row) -> str:
    """Where the losses of ``row`` are furthest above those of ``better``."""
    gaps = {
        stage: mine - theirs
        for stage in STAGES
        if (mine := row.losses.get(stage)) is not None
        and (theirs := better.losses.get(stage)) is not None
    }
    stage = max(gaps, key=lambda name: gaps[name], default=None)
    if stage is None or gaps[stage] < _SAME:
        return (
            f"it fits the frames that both were fitted to as well as node {better.id}, and "
            "goes on less well from there"
        )
    return (
        f"most of all in {stage}: its loss is {row.losses[stage]:.3g}, that of node "
        f"{better.id} {better.losses[stage]:.3g}"
    )


def _rival(index: Index, row: Row) -> str | None:
    """The node to compare the winner with (ranking.rival)."""
    found = ranking.rival(
        row,
        index.rows.values(),
        _tolerance(index),
        frozenset(other.id for other in index.lineage(row.id)),
    )
    return None if found is None else found.id


def _steps(index: Index, node: str) -> Iterator[Step]:
    before: float | None = None
    for row in index.lineage(node):
        scored = row.status == "ok"
        yield Step(row, row.score - before if scored and before is not None else None)
        before = row.score if scored else before
