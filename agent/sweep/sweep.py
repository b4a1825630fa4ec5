"""A sweep from start to end. Run it again and it goes on where it was: what has a result, or has
failed, is not run again; what was killed is resumed; what is new is added."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from agent.run import locks, store
from agent.sweep import engine, table, work
from agent.sweep.cases import Case
from agent.sweep.engine import Pool
from agent.sweep.work import Done
from tools.errors import UsageError

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Outcome:
    """runs: cases of the sweep. failed: of these. written: files of the table."""

    runs: int
    failed: int
    written: tuple[Path, ...]


def sweep(cases: Sequence[Case], out: Path, pool: Pool, tell: Tell) -> Outcome:
    """Bring all cases to an end and write the table, which is in the order of the cases whatever
    order they ended in. tell: one line a case. Raises UsageError where ``out`` holds other things,
    RunError where another process is at work there.
    """
    check(out)
    out.mkdir(parents=True, exist_ok=True)
    with locks.alone(out, "sweep"):
        return _alone(cases, out, pool, tell)


def _alone(cases: Sequence[Case], out: Path, pool: Pool, tell: Tell) -> Outcome:
    store.write_json(out / "sweep.json", {"format": 1, "runs": [case.key for case in cases]})
    runs = out / "runs"
    runs.mkdir(exist_ok=True)
    ended = {case.key: work.ended_before(runs / case.key) for case in cases}
    left = [case for case in cases if ended[case.key] is None]
    clock = _Clock(len(cases), len(cases) - len(left))
    for case, done in engine.finish(pool, left, lambda one: runs / one.key):
        ended[case.key] = done
        tell(clock.line(case, done.line))
    rows = [table.row(case, runs / case.key, _error(ended[case.key])) for case in cases]
    written = tuple(table.write(out, rows))
    return Outcome(len(cases), sum(row["status"] == "failed" for row in rows), written)


def forget_failures(cases: Sequence[Case], out: Path) -> None:
    """Let the cases that have failed begin anew. Raises UsageError as :func:`sweep` does."""
    check(out)
    for case in cases:
        if (failure := out / "runs" / case.key / work.FAILURE).is_file():
            shutil.rmtree(failure.parent)


def _error(done: Done | None) -> str:
    return "" if done is None or done.ok else done.line or "failed"


def check(out: Path) -> None:
    """Raise UsageError unless ``out`` is new, empty, or a sweep's."""
    if not out.exists() or (out / "sweep.json").is_file():
        return
    if not out.is_dir() or any(not one.name.startswith(store.TEMPORARY) for one in out.iterdir()):
        raise UsageError(str(out), "a new folder or that of a sweep", "another")


class _Clock:
    """Counts cases and foretells the time left from the rate so far."""

    def __init__(self, total: int, done: int):
        self._total, self._done, self._before = total, done, done
        self._began = time.monotonic()

    def line(self, case: Case, error: str) -> str:
        """One line for a case that has just ended."""
        self._done += 1
        rate = (time.monotonic() - self._began) / (self._done - self._before)
        left = int(rate * (self._total - self._done))
        tail = f"; {error}" if error else ""
        return (
            f"{self._done}/{self._total}  {case.key}  (about {left // 60}:{left % 60:02d} left)"
            f"{tail}"
        )
