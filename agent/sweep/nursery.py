"""A process that has imported ``run-agent`` once and forks for every case: importing takes longer
than a short search.

A fork is a process of its own as a fresh one would be. It leads a group, is killed when whoever
asked for it is gone, and takes nothing along but modules. Where forking a loaded process is not
safe (macOS) each case is a fresh process.
"""

from __future__ import annotations

import contextlib
import io
import os
import resource
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from typing import Any, NoReturn

from sandbox import wire

FORKS = sys.platform.startswith("linux")
"""Whether a loaded process may be forked here."""
_NEEDED = ("agent.cli.commands", "agent.search.graph", "agent.report", "agent.proposers.checked")
"""Modules that every run imports sooner or later."""
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_GONE = -int(signal.SIGKILL)
_LINES = 500
"""Characters of the last line that are kept."""


class Nursery:
    """Starts processes; any thread may call. spent: processor seconds of those that have ended."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._control: socket.socket | None = None
        self._running: set[int] = set()
        self._stops = 0
        self.spent = 0.0

    def call(self, arguments: Sequence[str]) -> tuple[int, str]:
        """Exit code (below 0: the signal that ended it) and last line on stderr of ``run-agent``
        with these arguments."""
        stops = self._stops
        (ours, its), (said, saying), (told, telling) = wire.pair(), os.pipe(), os.pipe()
        with ours, open(said, "rb") as line, open(told, "rb", buffering=0) as answer:
            try:
                self._ask(arguments, (its.fileno(), saying, telling))
            finally:
                its.close()
                os.close(saying)
                os.close(telling)
            pid = int(answer.readline() or 0)
            with self._among(pid, stops):
                words = line.read().decode(errors="replace").splitlines()
                code, seconds = _ended(answer.readline())
        with self._lock:
            self.spent += seconds
        kept = [one for one in words if one.strip()]
        return code, kept[-1][:_LINES] if kept else ""

    def stop(self) -> None:
        """Kill what was asked for so far."""
        with self._lock:
            self._stops += 1
            for pid in self._running:
                _kill(pid)

    @contextlib.contextmanager
    def _among(self, pid: int, stops: int) -> Iterator[None]:
        with self._lock:
            self._running |= {pid} - {0}
            if self._stops > stops:
                _kill(pid)
        try:
            yield
        finally:
            with self._lock:
                self._running -= {pid}

    def _ask(self, arguments: Sequence[str], fds: Sequence[int]) -> None:
        message = {
            "arguments": list(arguments),
            "environment": dict(os.environ) | dict.fromkeys(_THREADS, "1"),
            "folder": os.getcwd(),
        }
        with self._lock:
            for _ in range(2):  # one that was killed is replaced
                self._control = self._control or _started()
                try:
                    wire.send(self._control, message, fds)
                    return
                except OSError:
                    self._control.close()
                    self._control = None
        raise OSError("the process that starts runs ends as soon as it begins")


def _ended(told: bytes) -> tuple[int, float]:
    """Exit code and processor seconds; of one that nobody could tell about, as if it was killed."""
    words = told.split()
    return (int(words[0]), float(words[1])) if len(words) == 2 else (_GONE, 0.0)


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        if pid:
            os.kill(pid, signal.SIGKILL)


def _started() -> socket.socket:
    ours, its = wire.pair()
    with its:
        subprocess.Popen(
            [sys.executable, "-c", _CODE, str(its.fileno())],
            pass_fds=[its.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            env=os.environ | dict.fromkeys(_THREADS, "1"),
            start_new_session=True,
        )
    return ours


_CODE = """
import sys
from agent.sweep import nursery

if __name__ == "__main__":
    sys.exit(nursery.main(int(sys.argv[1])))
"""


# ------------------------------------------------------------------------------ in the nursery


def main(control: int) -> int:
    """Fork for every message until the other side is gone. Returns only in a child, with the exit
    code of its run, and at the end."""
    with socket.socket(fileno=control) as end:
        if FORKS:
            for name in _NEEDED:
                import_module(name)
        while True:
            message, fds = wire.receive(end)
            _reap()
            if not message:
                return 0
            if os.fork() == 0:
                break
            for fd in fds:
                os.close(fd)
    return _attended(message, *fds)


def _reap() -> None:
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _attended(message: Mapping[str, Any], tied: int, saying: int, telling: int) -> int:
    """In a child of the nursery: have a run done by another child, and tell its pid, then its exit
    code and the processor seconds that it took."""
    pid = os.fork()
    if pid == 0:
        os.close(telling)
        return _run(message, tied, saying)
    os.close(saying)
    os.close(tied)
    with contextlib.suppress(BrokenPipeError):  # whoever asked is gone, and the run with it
        os.write(telling, f"{pid}\n".encode())
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        os.write(telling, f"{code} {used.ru_utime + used.ru_stime:.3f}\n".encode())
    _leave()


def _leave() -> NoReturn:
    os._exit(0)


def _run(message: Mapping[str, Any], tied: int, saying: int) -> int:
    os.setsid()
    os.dup2(saying, 2)
    os.close(saying)
    pipe = io.BufferedWriter(io.FileIO(2, "w", closefd=False))
    sys.stderr = io.TextIOWrapper(pipe, errors="backslashreplace", line_buffering=True)
    end = socket.socket(fileno=tied)
    end.set_inheritable(False)
    wire.tie(end, os.getpid())
    looks = select.poll()
    looks.register(end, select.POLLHUP)
    if looks.poll(0):  # whoever asked was gone before this process was tied to it
        return 1
    os.environ.clear()
    os.environ.update(message["environment"])
    os.chdir(message["folder"])
    run = import_module("agent.cli").main
    return int(run(message["arguments"]))
