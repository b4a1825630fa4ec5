"""Whether a program gives the same answer twice: two fresh children, the same bytes."""

from __future__ import annotations

from collections.abc import Collection

from sandbox.contract import Job, Outcome
from sandbox.host import Sandbox
from tools.types import Failure

MESSAGE = (
    "two runs of the same programs on the same input gave different {}; take randomness and "
    "the clock out of them"
)


def run_twice(box: Sandbox, job: Job, stage: str, ignore: Collection[str] = ()) -> Outcome:
    """The outcome of ``job`` when two fresh children agree on it, else a failure of kind
    "NotDeterministic".

    stage: the program to blame. ignore: keys of the claim that may differ, such as timings. Where
    one of the two runs fails, that outcome is returned.
    """
    first, second = box.map([job, job])
    for outcome in (first, second):
        if outcome.failure is not None:
            return outcome
    difference = _difference(first, second, ignore)
    if not difference:
        return first
    failure = Failure(stage, "NotDeterministic", MESSAGE.format(difference))
    return Outcome(None, {}, failure, first.log, first.wall, first.cpu, first.peak)


def _difference(first: Outcome, second: Outcome, ignore: Collection[str]) -> str:
    claims = [
        {key: value for key, value in (outcome.claim or {}).items() if key not in ignore}
        for outcome in (first, second)
    ]
    if claims[0] != claims[1]:
        return "results"
    return next(
        (
            name
            for name, array in first.arrays.items()
            if array.tobytes() != second.arrays[name].tobytes()
        ),
        "",
    )
