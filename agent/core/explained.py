"""Whether a search explained its clip: so well that it may end, or at all, and what is said
everywhere where it did not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from agent.core.diagnosis import WITHIN_ERROR, gaps
from agent.core.protocols import Node
from tools.types import Evaluation

LEAST = 0.1
"""Score from which a clip counts as explained: a tenth of a still picture's error is gone."""

FORETOLD = 0.8
"""Share of the bodies' motion in the judged frames from which it counts as explained, whatever else
the picture does."""

MOVED = 2.0
"""Pixels (or hundredths of a radian) that something measured must be away from where the judged
frames begin, root mean square, for its motion to be told from noise."""

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


def foretold(evaluation: Evaluation) -> float | None:
    """Share of the bodies' motion in the judged frames that the forecast has, at most 1: one minus
    its gaps over the ways from where these frames begin (root mean square, radians counted in
    hundredths); None where nothing moves enough to tell, or is forecast."""
    missed, moved = [np.zeros(0)], [np.zeros(0)]
    for predicted, measured in zip(evaluation.predicted, evaluation.remeasured, strict=False):
        missed += [gap for _, gap in gaps(predicted, measured)]
        if len(measured):
            first = np.isfinite(measured.values).argmax(0)
            start = measured.values[first, np.arange(len(first))]
            held = replace(measured, values=np.tile(start, (len(measured), 1)))
            moved += [way for column, way in gaps(held, measured) if column in predicted.columns]
    ways = np.concatenate(moved)
    far = float(np.sqrt(np.mean(ways**2))) if len(ways) else 0.0
    if far < MOVED or sum(map(len, missed)) < 0.9 * len(ways):
        return None
    return 1.0 - float(np.sqrt(np.mean(np.concatenate(missed) ** 2))) / far


def standing(best: Node | None) -> dict[str, Any]:
    """What result.json says of the best program (None: there is none): "score", "best" (its id),
    "motion" (``foretold``), and "explained": whether it explains its clip, the picture or at least
    where the bodies in it go."""
    if best is None:
        return {"score": 0.0, "best": None, "explained": False, "motion": None}
    motion = foretold(best.evaluation)
    good = best.score >= LEAST or (motion is not None and motion >= FORETOLD)
    return {"score": best.score, "best": best.id, "explained": good, "motion": motion}


def fails(result: Mapping[str, Any]) -> bool:
    """Whether nothing explains the clip of a search, from the content of result.json (or of the
    event "finished")."""
    return not result.get("explained", result.get("best") is not None and _score(result) >= LEAST)


def verdict(result: Mapping[str, Any]) -> str:
    """The sentence about a clip that nothing explains, or of which the motion alone is explained,
    from the content of result.json (or of the event "finished"); "" for others."""
    removed = f"{_score(result):.1%} of the error of repeating the last frame"
    if fails(result):
        best = (
            "no program ran to its end"
            if result.get("best") is None
            else f"the best program removes {removed}"
        )
        return f"Nothing explains this clip: {best}. What to do: {WHAT_TO_DO}."
    if _score(result) >= LEAST:
        return ""
    motion = result.get("motion")
    share = "" if motion is None else f" ({motion:.0%} of their motion)"
    return (
        f"The motion is explained, the picture is not: the bodies go where the program says{share},"
        f" but drawing that removes {removed}. What else changes (a hand, light, shadows, grain) is"
        " in no program: --crop or --ignore leaves it out."
    )


def _score(result: Mapping[str, Any]) -> float:
    return float(result.get("score") or 0.0)
