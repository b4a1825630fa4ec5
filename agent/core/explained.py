"""Whether a search explained its clip: so well that it may end, or at all, and what is said
everywhere where it did not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agent.core.diagnosis import WITHIN_ERROR
from agent.core.protocols import Node

LEAST = 0.1
"""Score from which a clip counts as explained: a tenth of a still picture's error is gone."""

SHORT = 0.9
"""Score below which a program falls short, whatever its fit leaves uncertain."""

DRAWN = 0.003
"""Rendering loss above its floor up to which the frames seen are redrawn as they are: nobody draws
otherwise."""


def within_error(node: Node) -> bool:
    """Whether what a program forecasts, also of the part that nobody was shown, lies within what
    measurements and its fit leave uncertain: no other cause of motion can be told to do better on
    these frames."""
    least = min(node.score, node.evaluation.last.get("score", 1.0))
    return least >= SHORT and node.diagnosis.verdict == WITHIN_ERROR


def is_drawn(node: Node) -> bool:
    """Whether a program redraws what it measured as it was seen."""
    losses = node.evaluation.losses
    return losses.rendering is not None and losses.rendering < (losses.floor or 0.0) + DRAWN


def accounted_for(node: Node) -> bool:
    """Whether nothing is left that another program could be seen to do better."""
    return within_error(node) and is_drawn(node)


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
