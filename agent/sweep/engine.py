"""Who works where: threads of this process that each wait for one case, or a Dask cluster.

Dask keeps the queue, notices workers that die and gives their cases to others; it encrypts and
authenticates links by TLS (``--tls``). What travels to a worker is the clip as bytes and the
arguments; what comes back is the run folder as bytes. Only what workers of ours made is unpickled.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from pathlib import Path

from agent.cluster.engine import LOST, connected
from agent.cluster.packed import pack, unpack
from agent.sweep import work
from agent.sweep.cases import Case
from agent.sweep.work import Done


@contextmanager
def local(workers: int) -> Iterator[Executor]:
    """As many cases at a time on this machine."""
    with ThreadPoolExecutor(workers) as pool:
        try:
            yield pool
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise


@contextmanager
def cluster(address: str, tls: Path | None) -> Iterator[Executor]:
    """The workers of the Dask scheduler at ``address``, as for ``connected``."""
    with connected(address, tls) as client:
        yield client.get_executor(pure=False, retries=LOST)


def finish(
    pool: Executor, cases: Sequence[Case], folder: Callable[[Case], Path], remote: bool
) -> Iterator[tuple[Case, Done]]:
    """Cases with what became of them, as they end."""
    waiting: dict[Future[Done], Case] = {}
    for case in cases:
        waiting[_submit(pool, case, folder(case), remote)] = case
    for future in as_completed(waiting):
        case = waiting[future]
        try:
            done = future.result()
        except Exception as error:  # of the engine: a worker lost too often, a link cut
            done = Done(False, f"{type(error).__name__}: {error}"[:500])
        yield case, _kept(done, folder(case)) if done.run else done


def _submit(pool: Executor, case: Case, folder: Path, remote: bool) -> Future[Done]:
    if remote:
        return pool.submit(work.elsewhere, pack(case.clip), _inside(case), case.arguments)
    return pool.submit(work.here, case.clip, folder, case.arguments)


def _inside(case: Case) -> str:
    return case.clip.name


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
