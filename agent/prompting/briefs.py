"""What sets questions apart that are asked at the same time, before any of them is answered:
another family of mechanisms, what the others are trying, a bolder temperature."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from agent.core.protocols import Brief, Move

FAMILIES = (
    "the simplest mechanism that explains the motion",
    "bodies under forces (gravity, drag, springs, pushes), places and velocities as state",
    "parts that are joined (hinges, sliders, rods, threads), angles or distances along a line as "
    "state",
    "contacts: what meets what and when, bounces, friction, walls that may not be drawn",
    "a course given by a formula of time (steady, oscillating, decaying, growing), of places, "
    "sizes or colours alike",
)
"""Kinds of mechanism that drafts asked for at once are shared out among."""
TEMPERATURES = (None, 0.8, 1.0, 1.2)
"""By turns, where no temperature was asked for."""
_CAUSES = ("likeliest", "second likeliest", "third likeliest", "least obvious")


def briefed(move: Move, others: Sequence[Move], temperature: float | None) -> Move:
    """``move`` beside those in flight. temperature: the configured one, which is kept.

    >>> briefed(Move("draft"), (), None).brief is None
    True
    """
    same = [one for one in others if (one.kind, one.parent) == (move.kind, move.parent)]
    if not same:
        return move
    place = len(same)
    warmth = TEMPERATURES[place % len(TEMPERATURES)] if temperature is None else None
    words = _draft(same) if move.kind == "draft" else _again(place)
    return replace(move, brief=Brief(words, warmth))


def _draft(same: Sequence[Move]) -> str:
    taken = [one.brief.words if one.brief else "" for one in same]
    free = [family for family in FAMILIES[1:] if not any(_mine(family) in said for said in taken)]
    family = free[0] if free else FAMILIES[1 + len(same) % (len(FAMILIES) - 1)]
    theirs = [one for one in FAMILIES if one not in free and one != family]
    return (
        f"Others are asked for a model of this clip at the same time: {'; '.join(theirs)}. "
        f"{_mine(family)}, unless the clip rules it out."
    )


def _mine(family: str) -> str:
    return f"Yours: {family}"


def _again(place: int) -> str:
    cause = _CAUSES[min(place, len(_CAUSES) - 1)]
    return (
        f"{place} other answer{'s' * (place > 1)} to this question "
        f"{'are' if place > 1 else 'is'} being written: follow the {cause} cause of what is left."
    )
