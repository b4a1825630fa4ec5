"""Which barriers hold on this machine, found out by trying them in a real child: what is enforced,
not what was asked for."""

from __future__ import annotations

import os
import platform
import statistics
import sys
import textwrap
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from sandbox import kernel, landlock, seccomp
from sandbox.contract import ArraySpec, Box, Job, Limits, Outcome, SandboxError
from sandbox.determinism import run_twice
from sandbox.host import ENVIRONMENT, PASSED_ON, Sandbox
from sandbox.lockdown import MODES, SAFE
from tools.types import Programs

REFUSED = ("PermissionError", "OSError", "RuntimeError")


@dataclass(frozen=True)
class Row:
    """One barrier. proof: what was tried and what happened. required: without it the mode is not
    strict."""

    barrier: str
    active: bool
    proof: str
    required: bool


@dataclass(frozen=True)
class DoctorReport:
    """mode: the strongest that works here, or "unavailable". rows: the barriers. system: kernel,
    machine, versions. timings: seconds. reasons: why a stronger mode does not work, and what to do.
    """

    mode: str
    rows: tuple[Row, ...]
    system: dict[str, Any]
    timings: dict[str, float]
    reasons: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether hostile programs are held: a strict mode in which every required barrier was seen
        to hold."""
        return self.mode in SAFE and all(row.active for row in self.rows if row.required)

    def to_json(self) -> dict[str, Any]:
        """JSON-ready dict."""
        return asdict(self) | {"ok": self.ok}

    def __str__(self) -> str:
        lines = [
            f"mode {self.mode}: "
            + ("every required barrier holds" if self.ok else "NOT safe for programs of others"),
            "",
        ]
        width = max((len(row.barrier) for row in self.rows), default=0)
        lines += [f"{row.barrier:<{width}}  {_word(row)}  {row.proof}" for row in self.rows]
        lines += ["", *self.reasons] if self.reasons else []
        system = ", ".join(f"{key} {value}" for key, value in self.system.items())
        timings = ", ".join(
            f"{key.replace('_', ' ')} {value * 1000:.1f} ms" for key, value in self.timings.items()
        )
        return "\n".join([*lines, "", system, timings])


def _word(row: Row) -> str:
    return "active" if row.active else "MISSING" if row.required else "absent"


def record(box: Box) -> dict[str, Any]:
    """What a result says about the sandbox that it came from: the mode, whether it holds hostile
    programs, and which barriers were seen to hold in it just now. As :func:`examine` but for the
    one probe that takes a second."""
    mode, probes = box.mode, [probe for probe in PROBES if probe.quick]
    rows = [
        probe.judge(outcome)
        for probe, outcome in zip(probes, box.map(probe.job() for probe in probes), strict=True)
    ]
    return {
        "mode": mode,
        "ok": mode in SAFE and all(row.active for row in rows),
        "barriers": {row.barrier: row.active for row in rows},
        "layers": {layer.name: layer.active for layer in box.layers},
    }


def examine() -> DoctorReport:
    """Start the strongest sandbox that this machine allows and try its barriers from inside."""
    reasons: list[str] = []
    for mode in MODES:
        try:
            with Sandbox(2, mode, spares=1) as box:
                return _examine(box, reasons)
        except SandboxError as error:
            reasons.append(str(error))
    return DoctorReport("unavailable", (), _system(), {}, tuple(reasons))


def _examine(box: Sandbox, reasons: list[str]) -> DoctorReport:
    begun = time.monotonic()
    mode = box.mode
    timings = {"start": time.monotonic() - begun}
    rows = [probe.judge(box.run(probe.job())) for probe in PROBES] + [_deterministic(box)]
    rows += [Row(layer.name, layer.active, layer.proof, False) for layer in box.layers]
    timings["trivial_job_with_a_spare"] = statistics.median(_trivial(box) for _ in range(9))
    return DoctorReport(mode, tuple(rows), _system(), timings, (*reasons, *_advice(mode, rows)))


def _given() -> set[str]:
    """Names of the variables that this process was started with; libraries add others, here and in
    a server alike."""
    path = Path("/proc/self/environ")
    if not path.exists():
        return set(os.environ)
    return {
        entry.partition(b"=")[0].decode(errors="replace")
        for entry in path.read_bytes().split(b"\0")
        if entry
    }


def _trivial(box: Sandbox) -> float:
    time.sleep(0.02)
    return box.run(Job("idle", None)).wall


def _system() -> dict[str, Any]:
    return {
        "system": f"{platform.system()} {platform.release()}",
        "machine": platform.machine(),
        "python": platform.python_version(),
        "user": "root" if hasattr(os, "getuid") and os.getuid() == 0 else "ordinary",
        "filter": seccomp.available() or "available",
        "landlock": landlock.version() if kernel.LINUX else 0,
        "processors": os.cpu_count(),
    }


def _advice(mode: str, rows: list[Row]) -> list[str]:
    advice = [
        f"{row.barrier}: the probe got through; do not run programs of others here"
        for row in rows
        if row.required and not row.active
    ]
    if sys.platform == "darwin":
        advice.append(
            "macOS has no system call filter for this: run programs of others in a Linux "
            "container or virtual machine"
        )
    if mode in SAFE:
        advice.append(
            "not covered: bugs of the kernel itself and side channels; for strangers' programs "
            "use a virtual machine as well"
        )
    return advice


# --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Probe:
    """A program that tries one thing. tried: what, in words. body: of ``probe(inputs, t,
    outputs)``, where t["host"] is the host's pid and t["foreign"] names its variables. held:
    whether the outcome shows that the barrier holds. quick: whether it takes well under a second.
    """

    barrier: str
    tried: str
    body: str
    held: Callable[[Outcome], bool]
    limits: Limits = field(default_factory=lambda: Limits(wall=60.0, cpu=5.0, memory=256 << 20))
    quick: bool = True

    def job(self) -> Job:
        """The attempt, for a fresh child."""
        source = (
            "import ctypes, os, sys\n\n\ndef probe(inputs, t, "
            f"outputs):\n{textwrap.indent(textwrap.dedent(self.body), '    ')}\n"
        )
        foreign = sorted(_given() - {*ENVIRONMENT, *PASSED_ON})
        payload = {"function": "probe", "host": os.getpid(), "foreign": foreign}
        return Job("call", Programs("", source, ""), payload=payload, limits=self.limits)

    def judge(self, outcome: Outcome) -> Row:
        """What came of it."""
        if outcome.failure:
            seen = f"{outcome.failure.kind}: {outcome.failure.message.partition(';')[0]}"
        else:
            seen = f"returned {_value(outcome)}"
        return Row(self.barrier, self.held(outcome), f"{self.tried}: {seen}"[:160], True)


def _refused(outcome: Outcome) -> bool:
    return outcome.failure is not None and outcome.failure.kind in REFUSED


def _ended_by(*kinds: str) -> Callable[[Outcome], bool]:
    return lambda outcome: outcome.failure is not None and outcome.failure.kind in kinds


def _refused_or_dead(outcome: Outcome) -> bool:
    return _refused(outcome) or _ended_by("Crash")(outcome)


def _says_nothing(outcome: Outcome) -> bool:
    return outcome.failure is None and not _value(outcome)


def _value(outcome: Outcome) -> Any:
    return None if outcome.claim is None else outcome.claim["value"]


_CALL = """
answer = ctypes.CDLL(None, use_errno=True).syscall({})
if answer < 0: raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
{}return '{}'
"""
_IO_URING = _CALL.format("425, 4, ctypes.create_string_buffer(256)", "", "io_uring_setup")
_CLONE3 = _CALL.format(
    "435, (ctypes.c_uint64 * 11)(0, 0, 0, 0, 17), 88", "if answer == 0: os._exit(0)\n", "clone3"
)
_WAKE = _CALL.format(
    f"{202 if kernel.MACHINE == 'x86_64' else 98}, ctypes.cast(ctypes.CDLL(None).getpid, "
    "ctypes.c_void_p), 1, 1",
    "",
    "sleepers woken",
)
_FOREIGN = """
code = bytes.fromhex("b814000000cd80c3")
libc = ctypes.CDLL(None, use_errno=True); libc.mmap.restype = ctypes.c_void_p
where = libc.mmap(None, 4096, 7, 34, -1, 0)
if where == 2**64 - 1: raise PermissionError(1, "no memory may be both writable and executable")
ctypes.memmove(where, code, 8); return ctypes.CFUNCTYPE(ctypes.c_int)(where)()
"""
_SLEEP = "import signal, time\nsignal.pthread_sigmask(0, range(1, 64))\ntime.sleep(60)"
_SMALL = Limits(wall=60.0, cpu=5.0, memory=64 << 20)

PROBES = (
    Probe("files", "open /etc/passwd", "return open('/etc/passwd').read(9)", _refused),
    Probe("file metadata", "stat /etc", "return os.stat('/etc').st_size", _refused),
    Probe(
        "writing", "a file in /tmp", "return os.open('/tmp', os.O_TMPFILE | os.O_RDWR)", _refused
    ),
    Probe("network", "a socket", "import socket\nreturn socket.socket().fileno()", _refused),
    Probe(
        "new processes",
        "fork",
        "pid = os.fork()\nif pid == 0: os._exit(0)\nreturn os.waitpid(pid, 0)",
        _refused,
    ),
    Probe(
        "threads",
        "start one",
        "import threading\nreturn threading.Thread(target=len, args=('',)).start()",
        _refused,
    ),
    Probe("signals", "signal 0 to the host", "return os.kill(t['host'], 0)", _refused),
    Probe(
        "memory of others",
        "read the host's",
        "return open('/proc/%d/mem' % t['host'], 'rb').fileno()",
        _refused,
    ),
    Probe(
        "environment of others",
        "read the host's",
        "return len(open('/proc/%d/environ' % t['host']).read())",
        _refused,
    ),
    Probe(
        "clocks of others",
        "processor time of the host",
        "import time\nreturn time.clock_gettime(~t['host'] << 3 | 2)",
        _refused,
    ),
    Probe("mailboxes", "wake sleepers on a shared page", _WAKE, _refused),
    Probe(
        "own environment",
        "variables of the host",
        "return sorted(set(os.environ) & set(t['foreign']))",
        _says_nothing,
    ),
    Probe("io_uring", "set one up", _IO_URING, _refused),
    Probe("clone3", "call it", _CLONE3, _refused),
    Probe(
        "foreign machine code",
        "int 0x80" if kernel.MACHINE == "x86_64" else "writable code",
        _FOREIGN,
        _refused_or_dead,
    ),
    Probe(
        "memory",
        "200 MiB of 64",
        "return len(bytearray(200 << 20))",
        _ended_by("MemoryLimit"),
        _SMALL,
    ),
    Probe(
        "processor time",
        "an endless loop",
        "while True: pass",
        _ended_by("CpuLimit"),
        Limits(wall=60.0, cpu=1.0),
        quick=False,
    ),
    Probe(
        "wall clock", "sleep with signals blocked", _SLEEP, _ended_by("WallLimit"), Limits(wall=0.1)
    ),
    Probe(
        "output",
        "print without end",
        "while True: os.write(1, b'x' * 65536)",
        _ended_by("OutputLimit"),
    ),
    Probe(
        "result protocol", "return NaN", "return float('nan')", _ended_by("ValueError", "BadResult")
    ),
)


def _deterministic(box: Sandbox) -> Row:
    source = (
        "import random, numpy\ndef probe(inputs, t, outputs):\n    outputs['a'][:] = "
        "numpy.random.rand(4)\n    return random.random()\n"
    )
    job = Job(
        "call",
        Programs("", source, ""),
        payload={"function": "probe"},
        outputs={"a": ArraySpec((4,), "float64")},
    )
    outcome = run_twice(box, job, "dynamics")
    proof = (
        "two children, the same random numbers"
        if outcome.failure is None
        else outcome.failure.message
    )
    return Row("same answer twice", outcome.failure is None, proof, True)
