"""Who works where: threads of this process that each wait for one case, or a Dask cluster.

Dask keeps the queue, notices workers that die and gives their cases to others; it encrypts and
authenticates links by TLS (``--tls``). What travels to a worker is the clip as bytes, once however
many cases it has, and the arguments; what comes back is the run folder as bytes. Only what workers
of ours made is unpickled.
"""

from __future__ import annotations

import hashlib
import time
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import (
    FIRST_COMPLETED,
    CancelledError,
    Executor,
    Future,
    ThreadPoolExecutor,
    wait,
)
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.cluster.engine import LOST, connected, threads
from agent.cluster.packed import pack, unpack
from agent.sweep import work
from agent.sweep.cases import Case
from agent.sweep.work import Done

_LOOK = 1.0
"""Seconds after which is looked for workers that have joined."""
_KEPT = 16
"""Clips that Dask is asked to keep for further cases; those that are waited for it keeps anyway."""


@dataclass(frozen=True)
class Pool:
    """Who works. workers: cases that they do at a time, at this moment. sent: what stands for a
    clip in a call to a worker that shares no disk; None where all do. lost: what a case ends with
    whose workers, or clip, are gone: it is handed out anew."""

    executor: Executor
    workers: Callable[[], int]
    sent: Callable[[Case], Any] | None = None
    lost: tuple[type[Exception], ...] = ()


@contextmanager
def local(workers: int) -> Iterator[Pool]:
    """As many cases at a time on this machine. Whatever ends it early ends them too; they go on
    next time."""
    with ThreadPoolExecutor(workers) as pool:
        try:
            yield Pool(pool, lambda: workers)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            work.NURSERY.stop()
            raise


@contextmanager
def cluster(address: str, tls: Path | None) -> Iterator[Pool]:
    """The workers of the Dask scheduler at ``address``, as for ``connected``."""
    with connected(address, tls) as client:
        executor = client.get_executor(pure=False, retries=LOST)
        gone = (CancelledError, _killed_worker())
        yield Pool(executor, lambda: threads(client), _Clips(client).sent, gone)


def _killed_worker() -> type[Exception]:
    from distributed import KilledWorker

    return KilledWorker


class _Clips:
    """Clips that Dask holds, by content: each travels once."""

    def __init__(self, client: Any):
        self._client = client
        self._held: OrderedDict[str, Any] = OrderedDict()

    def sent(self, case: Case) -> Any:
        """A future of the clip's bytes; sent again where the workers that had it are gone."""
        if case.clip.path is None:
            return b""
        name = hashlib.blake2b(case.clip.name.encode(), digest_size=8).hexdigest()
        key = f"clip-{case.clip.content}-{name}"
        if key not in self._held or self._held[key].status in ("lost", "cancelled", "error"):
            self._held.pop(key, None)
            self._held[key] = self._client.scatter({key: pack(case.clip.path)})[key]
        self._held.move_to_end(key)
        while len(self._held) > _KEPT:
            self._held.popitem(last=False)
        return self._held[key]


def finish(
    pool: Pool, cases: Sequence[Case], folder: Callable[[Case], Path]
) -> Iterator[tuple[Case, Done]]:
    """Cases with what became of them, as they end. None is handed out before somebody is free: so
    whoever ends first goes on, and no worker holds cases that another could do. What
    was lost with its workers is handed out anew."""
    left, waiting = deque(cases), dict[Future[Done], Case]()
    lost = Counter[str]()
    while left or waiting:
        while left and len(waiting) < pool.workers():
            case = left.popleft()
            try:
                waiting[_submit(pool, case, folder(case))] = case
            except OSError as error:  # the worker that was to get the clip died just then
                lost[case.key] += 1
                if lost[case.key] >= LOST:
                    yield case, _failed(error)
                    continue
                left.appendleft(case)
                break
        if not waiting:
            time.sleep(_LOOK)
            continue
        for future in wait(waiting, _LOOK, FIRST_COMPLETED).done:
            case = waiting.pop(future)
            try:
                done = future.result()
            except pool.lost as error:
                lost[case.key] += 1
                if lost[case.key] < LOST:
                    left.appendleft(case)
                    continue
                done = _failed(error)
            except Exception as error:  # of the engine: a worker lost too often, a link cut
                done = _failed(error)
            yield case, _kept(done, folder(case)) if done.run else done


def _failed(error: Exception) -> Done:
    return Done(False, f"{type(error).__name__}: {error}"[:500])


def _submit(pool: Pool, case: Case, folder: Path) -> Future[Done]:
    if pool.sent is None:
        return pool.executor.submit(work.here, case.clip.told(), folder, case.arguments)
    return pool.executor.submit(work.elsewhere, case.clip, pool.sent(case), case.arguments)


def _kept(done: Done, folder: Path) -> Done:
    """Write the folder that came back, whole or not at all."""
    temporary = folder.with_name(f".{folder.name}")
    try:
        unpack(done.run, temporary)
        (temporary / "run").replace(folder)
        temporary.rmdir()
    except (OSError, ValueError) as error:
        return Done(False, f"the run that came back cannot be kept: {error}"[:500])
    return Done(done.ok, done.line)
