"""Turning the remains of a dead child into an Outcome. Pure: reads bytes, touches nothing."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from sandbox import limits
from sandbox.contract import Limits, Outcome
from sandbox.memory import Outputs
from sandbox.protocol import FAILURE, TRACEBACK_CAP, FrameError, clean, decode, read_failure
from sandbox.stage_tracker import PLACES
from tools.types import Failure

_FAULT = "Fatal Python error"
_ROUTINES = f'\n  File "{Path(__file__).parent}'


class _Measured(TypedDict):
    log: str
    wall: float
    cpu: float
    peak: int


@dataclass(frozen=True)
class Ending:
    """What is known of a child when it is dead. status: as from waitpid. killed: name of the limit,
    or "". mark: the byte of the running stage. result, log: what it wrote. wall, cpu: seconds.
    peak: bytes."""

    status: int
    killed: str
    result: bytes
    log: bytes
    mark: int
    wall: float
    cpu: float
    peak: int

    @property
    def place(self) -> str:
        """The stage that was running (a claim), "limits" when none was."""
        return PLACES[self.mark - 1] if 0 < self.mark <= len(PLACES) else "limits"


def judge(end: Ending, caps: Limits, outputs: Outputs) -> Outcome:
    """Success is exactly one whole frame with a claim from a child that stopped or ended by itself;
    all else is a failure."""
    log = clean(end.log.decode("utf-8", "replace"), 2 * caps.log)
    measured: _Measured = {"log": log, "wall": end.wall, "cpu": end.cpu, "peak": end.peak}
    if end.killed or not (end.status == 0 or os.WIFSTOPPED(end.status)):
        return Outcome(None, {}, _death(end, caps, log), **measured)
    try:
        kind, body = decode(end.result, caps.claim)
        if kind == FAILURE:
            return Outcome(None, {}, read_failure(body), **measured)
    except FrameError as error:
        return Outcome(
            None,
            {},
            Failure(end.place, "BadResult", f"{error}; return plain finite JSON, once"),
            **measured,
        )
    return Outcome(body, outputs.arrays(), None, **measured)


def _death(end: Ending, caps: Limits, log: str) -> Failure:
    kind = end.killed
    signalled = os.WTERMSIG(end.status) if os.WIFSIGNALED(end.status) else 0
    if signalled == signal.SIGXCPU or (
        signalled == signal.SIGKILL and not kind and end.cpu > caps.cpu
    ):
        kind = "CpuLimit"
    if kind in limits.KINDS:
        return Failure(end.place, kind, limits.sentence(kind, caps))
    if signalled:
        message = (
            f"the process died of {signal.Signals(signalled).name}; a native library was "
            "misused, recursion went too deep or memory ran out"
        )
        return Failure(end.place, "Crash", message, _dump(log))
    return Failure(
        end.place,
        "Exit",
        f"the process ended with code {os.WEXITSTATUS(end.status)}; return a value instead of "
        "exiting",
    )


def _dump(log: str) -> str:
    """The interpreter's own last words, when it had time for them: down to the first frame that is
    not the program's."""
    if _FAULT not in log:
        return ""
    return (
        log[log.rfind(_FAULT) :]
        .partition(_ROUTINES)[0]
        .partition("\n\nExtension modules")[0][:TRACEBACK_CAP]
    )
