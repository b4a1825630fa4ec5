"""Running the cases that are not in the ledger yet, several at a time, with an estimate of the time
left."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, as_completed, wait
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from agent.cluster.engine import LOST
from agent.cluster.packed import pack, unpack
from benchmarks.harness.case import Case, Options, Record, Suite, Workplace
from benchmarks.harness.ledger import Ledger
from tools.errors import UsageError

Tell = Callable[[str], None]
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def execute(
    suite: Suite,
    place: Workplace,
    ledger: Ledger,
    workers: int,
    tell: Tell,
    client: Any = None,
) -> None:
    """Finish every case of every phase. tell: called with one line a case. client: of a Dask
    cluster (agent.cluster), whose workers do the cases in place of ``workers`` processes here. A
    case that raises ends the bench; cases that are running then are finished and kept."""
    phases = [
        [case for case in phase if place.options.only in case.key]
        for phase in suite.phases(place.options)
    ]
    total = sum(len(phase) for phase in phases)
    clock = _Clock(total, sum(case.key in ledger.records for phase in phases for case in phase))
    for phase in phases:
        left = [case for case in phase if case.key not in ledger.records]
        done = (
            _finished(suite, left, place, workers)
            if client is None
            else _finished_elsewhere(suite, left, place, client)
        )
        for record in done:
            ledger.add(record)
            tell(clock.line(record))


def _finished(
    suite: Suite, cases: Sequence[Case], place: Workplace, workers: int
) -> Iterator[Record]:
    """Records as they come, whatever the order."""
    if workers <= 1 or len(cases) <= 1:
        for case in cases:
            yield _timed(suite, case, place)
        return
    with (
        _single_threads(),
        ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool,
    ):
        waiting: set[Future[Record]] = {pool.submit(_timed, suite, case, place) for case in cases}
        try:
            while waiting:
                done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                for future in done:
                    yield future.result()
        finally:
            for future in waiting:
                future.cancel()


def _finished_elsewhere(
    suite: Suite, cases: Sequence[Case], place: Workplace, client: Any
) -> Iterator[Record]:
    """The same on the workers of a cluster; run folders come back as bytes."""
    pool = client.get_executor(pure=False, retries=LOST)
    waiting = {}
    for case in cases:
        needed = {key: pack(place.run(key)) for key in case.needs if place.run(key).is_dir()}
        waiting[pool.submit(_elsewhere, suite, case, place.options, needed)] = case
    for future in as_completed(waiting):
        record, made = future.result()
        if made:
            unpack(made, place.run(record.key).parent)
        yield record


def _elsewhere(
    suite: Suite, case: Case, options: Options, needed: Mapping[str, bytes]
) -> tuple[Record, bytes]:
    """One case on a worker, in a folder that lasts as long as the call. needed: run folders of
    earlier cases by key; comes back with the run folder of this one, empty where it made none."""
    with TemporaryDirectory(prefix="bench-") as folder:
        place = Workplace(Path(folder), options)
        for key, data in needed.items():
            unpack(data, place.run(key).parent)
        record = _timed(suite, case, place)
        made = place.run(case.key)
        return record, pack(made) if made.is_dir() else b""


def _timed(suite: Suite, case: Case, place: Workplace) -> Record:
    """The case's record with its time; a case that the agent refuses (nothing moves, no program) is
    a failed one, the bench goes on."""
    began = time.perf_counter()
    try:
        record = suite.run(case, place)
    except UsageError as error:
        record = Record(case.key, ({},), error=str(error))
    return replace(record, seconds=round(time.perf_counter() - began, 3))


@contextmanager
def _single_threads() -> Iterator[None]:
    """Workers start with one thread each for linear algebra: as many workers as cores share the
    machine."""
    before = {key: os.environ.get(key) for key in _THREADS}
    os.environ.update(dict.fromkeys(_THREADS, "1"))
    try:
        yield
    finally:
        for key, value in before.items():
            os.environ.pop(key, None) if value is None else os.environ.__setitem__(key, value)


class _Clock:
    """Counts cases and extrapolates from the rate so far."""

    def __init__(self, total: int, done: int):
        self._total, self._done, self._before, self._began = total, done, done, time.monotonic()

    def line(self, record: Record) -> str:
        """One line for a case that has just ended."""
        self._done += 1
        spent = time.monotonic() - self._began
        left = spent / (self._done - self._before) * (self._total - self._done)
        tail = f"; {record.error}" if record.error else ""
        return (
            f"{self._done}/{self._total}  {record.key}  {record.seconds:.1f} s  (about "
            f"{_clock(left)} left){tail}"
        )


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def asked(suite: Suite, options: Options) -> dict[str, object]:
    """What identifies a bench: another answer needs another folder."""
    return {"suite": suite.name, "options": options.to_json()}
