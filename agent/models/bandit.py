"""Which of several models is asked next: the one that gains most score for a dollar, as far as it
is known; repairs go to the cheapest. Pure."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

LIST_PRICE = 1e-6
"""Dollars a token, where a model has no price: only for comparing it with others."""


@dataclass(frozen=True)
class Arm:
    """One model. answers: programs of it that were evaluated. gain: by how much these raised the
    best score, summed. dollars: what it has cost."""

    model: str
    answers: int = 0
    gain: float = 0.0
    dollars: float = 0.0

    @property
    def a_call(self) -> float:
        """Dollars an answer."""
        return self.dollars / max(self.answers, 1)


def choose(
    arms: Sequence[Arm], repair: bool, prices: Sequence[float], flying: Collection[str] = ()
) -> str:
    """The model to ask. prices: what each model's tokens cost, to order those that were not asked
    yet. flying: models that are being asked.

    Each is asked once, the cheapest first. Then the rate of gain decides, with one imagined answer
    of average gain added to each, and a bonus for those that were asked seldom (UCB1, Auer et al.
    2002, as a factor).

    >>> choose([Arm("big", 2, 0.4, 0.2), Arm("small", 2, 0.2, 0.01)], False, [9, 1])
    'small'
    """
    order = sorted(range(len(arms)), key=lambda k: (prices[k], k))
    if repair:
        return arms[order[0]].model
    for k in order:
        if not arms[k].answers and arms[k].model not in flying:
            return arms[k].model
    known = [arms[k] for k in order if arms[k].answers]
    if not known:
        return arms[order[0]].model
    total = sum(arm.answers for arm in known)
    usual = sum(arm.gain for arm in known) / total
    return max(known, key=lambda arm: _rate(arm, usual, total)).model


def _rate(arm: Arm, usual: float, total: int) -> float:
    dollars = max(arm.dollars + arm.a_call, 1e-9)
    return (arm.gain + usual + 1e-3) / dollars * (1 + math.sqrt(math.log(total) / arm.answers))
