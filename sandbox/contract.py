"""What goes into the sandbox and what comes out. Values only; the machinery is in ``server`` and
``child``.

Three kinds of failure are never mixed: the *candidate* failed (``Outcome.failure`` is set: data,
fed back to the proposer), the *sandbox* failed (SandboxError, after one retry on a new server), the
*caller* erred (ValueError).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from tools.errors import RunError
from tools.types import Failure, Programs

if TYPE_CHECKING:
    from sandbox.lockdown import Layer


class SandboxError(RunError, RuntimeError):
    """The sandbox itself broke; never the candidate's fault."""


@dataclass(frozen=True)
class Limits:
    """Caps of one job. cpu: seconds of processor time, which decide. wall: seconds after which a
    job hangs; ten times as long, so that a busy machine fails nobody. memory: bytes on top of the
    warm server's own size. log: bytes of captured output kept. claim: bytes of the JSON frame that
    the child may return."""

    wall: float = 600.0
    cpu: float = 60.0
    memory: int = 2 << 30
    log: int = 64 << 10
    claim: int = 1 << 20


@dataclass(frozen=True)
class ArraySpec:
    """dtype and shape of one output array: fixed by the host before the job starts, zero-filled.
    scratch: nobody reads it; where it is large, its room on disk is taken as it is written."""

    shape: tuple[int, ...]
    dtype: str = "uint8"
    scratch: bool = False


@dataclass(frozen=True)
class Job:
    """One unit of work for one fresh child.

    routine: name of a trusted function in ``sandbox.routines.ROUTINES``, called as
    ``routine(programs, inputs, payload, outputs) -> claim`` after the child is locked: ``programs``
    gives the loaded modules by stage, ``inputs`` read-only arrays, ``outputs`` writable arrays,
    ``payload`` and the returned claim are JSON. inputs: name -> array; arrays shared once by
    ``Sandbox.share`` cost nothing per job.
    """

    routine: str
    programs: Programs | None
    inputs: Mapping[str, Any] = field(default_factory=dict)
    payload: Mapping[str, Any] = field(default_factory=dict)
    outputs: Mapping[str, ArraySpec] = field(default_factory=dict)
    limits: Limits = Limits()


@dataclass(frozen=True)
class Outcome:
    """What came back. claim and arrays are claims made by the child (None / empty on failure). log:
    captured stdout and stderr, control characters stripped. wall, cpu: seconds; peak: bytes of
    resident memory, measured by the host."""

    claim: Mapping[str, Any] | None
    arrays: Mapping[str, np.ndarray]
    failure: Failure | None
    log: str = ""
    wall: float = 0.0
    cpu: float = 0.0
    peak: int = 0


class Shared(Protocol):
    """An array that any number of jobs may take as an input, sent or copied once."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the array."""
        ...

    def close(self) -> None:
        """Give the memory back once no job uses it."""
        ...


class Box(Protocol):
    """Where jobs run: ``sandbox.Sandbox`` on this machine, or the sandboxes of other machines
    (``agent.cluster``). Any thread may call."""

    @property
    def mode(self) -> str:
        """The mode in force."""
        ...

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The barriers beyond "strict", active or not."""
        ...

    def share(self, array: np.ndarray) -> Shared:
        """Make an input of many jobs."""
        ...

    def run(self, job: Job) -> Outcome:
        """One job in a fresh child. Raises ValueError and SandboxError."""
        ...

    def map(self, jobs: Iterable[Job]) -> list[Outcome]:
        """Jobs in parallel, outcomes in their order."""
        ...
