"""Closing the doors: which barriers a mode asks for, and the order in which server and child put
them up.

``strict`` is the system call filter with resource limits, and enough by itself. ``strict+`` puts
what else this machine has around it: namespaces and Landlock around the server, a user id of its
own around each child (the memory cgroup is the host's part). A barrier that a mode *requires* and
that does not come up ends the child before it sees a job.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sandbox import kernel, landlock, limits, namespaces, seccomp
from sandbox.warm import start_jax

MODES = ("strict+", "strict", "landlock-only", "rlimits-only", "none")
"""From the strongest to none at all."""
SAFE = ("strict+", "strict")
"""The modes that hold hostile programs."""
PROFILES = tuple(seccomp.POLICIES)
FIRST_UID = 60_000
THREADS = 256


START = "fork" if kernel.LINUX else "spawn"
"""How children come into being: forks of a warm server, or fresh processes where forking a loaded
process is not safe."""


@dataclass(frozen=True)
class Posture:
    """What the host asks of one server. mode: one of MODES. profile: one of PROFILES. slot: number
    of the server, which picks the user id of its children where ids can be changed."""

    mode: str
    profile: str = "plain"
    slot: int = 0

    @property
    def filtered(self) -> bool:
        return self.mode in SAFE

    @property
    def files(self) -> tuple[str, ...]:
        """What a child may still read while it sets up libraries, before its own filter: the
        compiler of JAX seeds itself."""
        return ("/dev/urandom",) if self.profile == "threads" else ()

    @property
    def limited(self) -> bool:
        return self.mode != "none"


@dataclass(frozen=True)
class Layer:
    """One barrier around server and children. proof: what was seen when it was tried, or why it is
    not active."""

    name: str
    active: bool
    proof: str

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


# --------------------------------------------------------------------------------------------------


class ServerLock:
    """The server's part: what it gives up once, for itself and for all its children."""

    def __init__(self, posture: Posture):
        self.posture = posture
        self.layers: list[Layer] = []
        self.uid: int | None = None

    @property
    def namespaced(self) -> bool:
        """Whether this process has left the host's namespaces."""
        return any(layer.name == "namespaces" and layer.active for layer in self.layers)

    def before_imports(self, host: int) -> None:
        """Barriers that must be up before libraries are loaded. With namespaces the process goes on
        as their process 1.

        host: pidfd of the host.
        """
        if not self.posture.limited:
            return
        kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
        limits.forbid_leftovers()
        _offer_to_oom_killer()
        if self.posture.mode == "strict+":
            self._enter_namespaces(host)
        if self.posture.mode == "strict+" or (
            self.posture.filtered and self.posture.profile == "threads"
        ):
            self._choose_uid()  # threads are counted by user, and root's are not counted at all

    def after_imports(self) -> None:
        """Barriers that take the file system away from the server as well."""
        if self.namespaced:
            self._attempt("empty file system", lambda: _hide_files(self.posture.files))
        if self.posture.mode in ("strict+", "landlock-only"):
            self._attempt("Landlock", lambda: _landlock(self.posture.files))

    def _enter_namespaces(self, host: int) -> None:
        try:
            namespaces.enter()
        except OSError as error:
            self.layers.append(Layer("namespaces", False, f"not permitted here ({error.strerror})"))
            return
        namespaces.become_first_process(host)
        proof = f"own network, processes, IPC and mounts; the server is process {os.getpid()}"
        self.layers.append(Layer("namespaces", True, proof))

    def _choose_uid(self) -> None:
        wanted = FIRST_UID + self.posture.slot
        if _may_become(wanted):
            self.uid = wanted
        proof = (
            f"children run as user {wanted}"
            if self.uid
            else "needs the capability to change user ids"
        )
        self.layers.append(Layer("own user id", self.uid is not None, proof))

    def _attempt(self, name: str, barrier: Callable[[], str]) -> None:
        try:
            self.layers.append(Layer(name, True, barrier()))
        except OSError as error:
            self.layers.append(Layer(name, False, error.strerror or str(error)))


def _hide_files(keep: Sequence[str]) -> str:
    namespaces.hide_files(keep)
    return f"the root folder holds {', '.join(os.listdir('/')) or 'nothing'}"


def _landlock(readable: Sequence[str]) -> str:
    abi = landlock.restrict(readable)
    try:
        os.close(os.open("/", os.O_RDONLY))
    except PermissionError as error:
        return f"version {abi}; opening / in the server: {error.strerror}"
    raise OSError(0, f"version {abi} was accepted but / can still be opened")


def _offer_to_oom_killer() -> None:
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
        file.write("1000")  # a courtesy to the machine, not a barrier


def _may_become(uid: int) -> bool:
    wanted = 1 << kernel.CAP_SETUID | 1 << kernel.CAP_SETGID
    if kernel.capabilities() & wanted != wanted:
        return False
    return all(_mapped(uid, path) for path in ("/proc/self/uid_map", "/proc/self/gid_map"))


def _mapped(number: int, path: str) -> bool:
    with open(path) as file:
        return any(
            int(first) <= number < int(first) + int(count)
            for first, _, count in map(str.split, file)
        )


# --------------------------------------------------------------------------------------------------


class ChildLock:
    """The child's part, prepared once in the server so that a child has little to do."""

    def __init__(self, posture: Posture, uid: int | None):
        self.posture, self.uid = posture, uid
        if posture.filtered:
            if reason := seccomp.available():
                raise OSError(0, f"mode {posture.mode} needs a system call filter: {reason}")
            self._filter = seccomp.assemble(seccomp.POLICIES[posture.profile](), kernel.MACHINE)
            self._seal = seccomp.assemble_seal(kernel.MACHINE)

    def close(self, server: int) -> None:
        """Lock this process for good; raises OSError when a required step fails. server: pid of the
        parent."""
        if not self.posture.limited:
            return
        if self.uid is not None:
            os.setgroups([])
            os.setresgid(self.uid, self.uid, self.uid)
            os.setresuid(self.uid, self.uid, self.uid)
        if kernel.LINUX:
            kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
            kernel.drop_capabilities()
            kernel.prctl(kernel.PR_SET_DUMPABLE, 0)
            kernel.end_with_parent()
        if os.getppid() != server:
            raise OSError(0, "the server is gone")
        if self.posture.profile == "threads":
            start_jax()
        if self.posture.filtered:
            seccomp.install(self._filter.bytes_for(os.getpid()))
            _verify()

    def rehearse(self) -> None:
        """What ``seal`` does, short of doing it."""
        if self.posture.filtered:
            self._seal.bytes_for(os.getpid())

    def seal(self) -> None:
        """Take away what only receiving a job needed; the last trusted step before the candidate's
        first line."""
        if self.posture.filtered:
            seccomp.install(self._seal.bytes_for(os.getpid()))


def _verify() -> None:
    try:
        os.stat("/")
    except PermissionError:
        return
    raise OSError(0, "the filter was accepted but does not hold")
