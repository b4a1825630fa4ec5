"""How far programs of a search that tie disagree about a number: what a clip does not decide is
part of the error of all that is read from it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from agent.run import store
from agent.run.runfolder import RunFolder
from tools.errors import StorageError


@dataclass(frozen=True)
class Rival:
    """A program that was judged. values: of its parameters, fitted to the same frames as those of
    the others. belief: log-posterior of its mechanism."""

    score: float
    leeway: float
    belief: float
    values: Mapping[str, float]


def disagreement(best: Rival, others: Sequence[Rival], tolerance: float) -> dict[str, float]:
    """Parameter of ``best`` -> root mean square deviation, in its unit, of the same parameter in
    programs that tie with it, each by its posterior probability. Programs with parameters of the
    same names count once, as the likeliest of them.

    >>> one = Rival(0.5, 0.1, 0.0, {"gravity": 10.0, "drag": 0.3})
    >>> round(disagreement(one, [Rival(0.45, 0.1, 0.0, {"gravity": 8.0})], 0.01)["gravity"], 2)
    1.41
    """
    top = max((best, *others), key=lambda one: one.score)
    least = top.score - max(top.leeway, tolerance)
    kinds = {frozenset(best.values): best}
    for one in sorted(others, key=lambda one: -one.belief):
        if one.score >= least:
            kinds.setdefault(frozenset(one.values), one)
    weights = [(math.exp(min(one.belief - best.belief, 0.0)), one) for one in kinds.values()]
    found = {}
    for name, value in best.values.items():
        told = [(w, one.values[name] - value) for w, one in weights if name in one.values]
        found[name] = math.sqrt(sum(w * d * d for w, d in told) / sum(w for w, _ in told))
    return found


def of_run(path: Path) -> dict[str, float]:
    """The same of the best program of a finished run; empty where nobody told beliefs."""
    folder = RunFolder(path)
    result = folder.result()
    judged = {node: one for node in folder.node_ids() if (one := _judged(folder, node))}
    best = judged.pop(str(result["best"]), None) if result else None
    if best is None:
        return {}
    with store.reading(folder.trace):
        tolerance = float(folder.settings()["tolerance"])
    return disagreement(best, list(judged.values()), tolerance)


def _judged(folder: RunFolder, node: str) -> Rival | None:
    """A node that ran to its end and of which a proposer kept a belief, else None."""
    try:
        evaluation, proposed = folder.load_evaluation(node), folder.load_proposal(node)
    except StorageError:
        return None
    if evaluation is None or evaluation.status != "ok" or proposed is None:
        return None
    belief = proposed[0].belief
    if belief is None:
        return None
    values = {one.name: one.value for one in evaluation.params}
    return Rival(evaluation.score, evaluation.leeway, belief, values)
