"""Whether a search explained its clip at all, and what is said everywhere where it did not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

LEAST = 0.1
"""Score from which a clip counts as explained: a tenth of a still picture's error is gone."""

WHAT_TO_DO = (
    "show more frames (--context), or a part of the clip where the camera stands still and only "
    "the scene moves, without text, axes or cuts; raise --budget; or let a model propose "
    "(--proposer llm)"
)


def explained(score: float | None) -> bool:
    """Whether a program of this score (None: there is none) explains its clip."""
    return score is not None and score >= LEAST


def verdict(result: Mapping[str, Any]) -> str:
    """The sentence about an unexplained clip, from the content of result.json (or of the event
    "finished"); "" for an explained one."""
    score = None if result.get("best") is None else float(result.get("score") or 0.0)
    if result.get("explained", explained(score)):
        return ""
    best = (
        "no program ran to its end"
        if score is None
        else f"the best program removes {score:.1%} of the error of repeating the last frame"
    )
    return f"Nothing explains this clip: {best}. What to do: {WHAT_TO_DO}."
