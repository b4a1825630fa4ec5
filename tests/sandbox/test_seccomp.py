"""The filters as programs: run by a small BPF machine here, for both architectures, without asking
this kernel."""

from __future__ import annotations

import re
import struct
from pathlib import Path

import pytest

from sandbox import seccomp
from sandbox.seccomp import (
    ALLOW,
    ARCHITECTURES,
    ERRNO,
    KILL,
    POLICIES,
    X32_BIT,
    assemble,
    assemble_seal,
)

PID = 4321
EPERM, ENOSYS = ERRNO | 1, ERRNO | 38
HEADERS = {
    "x86_64": Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
    "aarch64": Path("/usr/include/asm-generic/unistd.h"),
}


class Machine:
    """Classic BPF as seccomp runs it, on one assembled filter."""

    def __init__(self, machine: str, program: seccomp.Filter):
        self.arch = ARCHITECTURES[machine]
        data = program.bytes_for(PID)
        self.program = [struct.unpack_from("=HBBI", data, at) for at in range(0, len(data), 8)]

    def __call__(self, name: str | int, *arguments: int, audit: int | None = None) -> int:
        number = self.arch.numbers[name] if isinstance(name, str) else name
        padded = [a % 2**64 for a in (*arguments, 0, 0, 0, 0, 0, 0)[:6]]
        return self.run(
            struct.pack("=IIQ6Q", number, self.arch.audit if audit is None else audit, 0, *padded)
        )

    def run(self, data: bytes) -> int:
        accumulator = at = 0
        while True:
            code, yes, no, k = self.program[at]
            at += 1
            if code == 0x20:
                accumulator = struct.unpack_from("=I", data, k)[0]
            elif code == 0x54:
                accumulator &= k
            elif code == 0x15:
                at += yes if accumulator == k else no
            elif code == 0x35:
                at += yes if accumulator >= k else no
            else:
                assert code == 0x06
                return k


@pytest.fixture(params=list(ARCHITECTURES))
def machine(request):
    return request.param


@pytest.fixture(params=list(POLICIES))
def profile(request):
    return request.param


@pytest.fixture
def run(machine, profile):
    return Machine(machine, assemble(POLICIES[profile](), machine))


def test_another_architecture_kills(run, machine):
    other = {"x86_64": 0x40000003, "aarch64": 0x40000028}[machine]  # i386 and 32-bit arm
    assert run("read", audit=other) == KILL


def test_x32_kills_on_x86_64():
    run = Machine("x86_64", assemble(POLICIES["plain"](), "x86_64"))
    assert run(0x40000000) == KILL and run(0x40000027) == KILL and run(0xFFFFFFFF) == KILL


def test_what_is_not_in_the_table_is_refused(run):
    known = set(run.arch.numbers.values())
    allowed = {
        number
        for number in (*range(600), 1024, X32_BIT - 1)
        if number not in known and run(number) != EPERM
    }
    assert not allowed


def test_plain_work_is_allowed(run):
    for name in (
        "read",
        "write",
        "close",
        "brk",
        "munmap",
        "mremap",
        "getpid",
        "getrandom",
        "exit_group",
        "rt_sigreturn",
    ):
        assert run(name) == ALLOW


def test_memory_is_never_executable_but_for_compilers(run, profile):
    expected = EPERM if profile == "plain" else ALLOW
    for name in ("mmap", "mprotect"):
        assert run(name, 0, 4096, 3) == ALLOW
        assert (
            run(name, 0, 4096, 4) == expected
            and run(name, 0, 4096, 7) == expected
            and run(name, 0, 4096, 7 | 1 << 32) == expected
        )


def test_clone_makes_threads_only_and_only_in_their_profile(run, profile):
    for flags in (0x3D0F00, 0x7D0F00):
        assert run("clone", flags) == (ALLOW if profile == "threads" else EPERM)
    for flags in (17, 0x4111, 0x11, 0x3D0F00 | 0x10000000, 0x3D0F00 & ~0x10000, 0x01200011):
        assert run("clone", flags) == EPERM
    assert run("clone3") == ENOSYS


def test_descriptors_cannot_be_changed(run):
    assert run("fcntl", 1, 1) == run("fcntl", 1, 3) == ALLOW  # F_GETFD, F_GETFL
    for command in (0, 2, 4, 8, 10, 1030, 1033):  # dup, set flags, owner, signal, seals
        assert run("fcntl", 1, command) == EPERM


def test_signals_go_to_this_process_only(run):
    assert run("tgkill", PID, 99, 6) == ALLOW
    for pid in (PID + 1, 0, 1, -1, seccomp.OWN_PID):
        assert run("tgkill", pid, 99, 6) == EPERM


def test_futexes_wait_and_wake_within_one_process_only(run, profile):
    for operation in (128, 129, 137, 138, 393, 394):
        assert run("futex", 0, operation) == ALLOW
    for operation in (
        1,
        10,
        2,
        6,
        7,
        8,
        11,
        12,
        13,
        134,
        130,
    ):  # of all who map a file; descriptors, priority inheritance
        assert run("futex", 0, operation) == EPERM
    for operation in (0, 9, 256, 265):  # waiting for a thread: told to look again
        assert run("futex", 0, operation) == (ERRNO if profile == "threads" else EPERM)
    assert run("futex", 0, 132) == (ALLOW if profile == "threads" else EPERM)


def test_clocks_are_the_systems_not_those_of_other_processes(run):
    for name in ("clock_gettime", "clock_getres", "clock_nanosleep"):
        assert all(run(name, clock) == ALLOW for clock in (*range(8), 11))
        assert all(
            run(name, clock) == EPERM for clock in (16, ~1234 << 3 | 2, ~1234 << 3 | 6, ~5 << 3 | 3)
        )


def test_advice_is_about_ones_own_memory(run, profile):
    assert all(run("madvise", 0, 4096, advice) == ALLOW for advice in (0, 3, 4, 8, 14, 15))
    assert all(
        run("madvise", 0, 4096, advice) == EPERM for advice in (9, 12, 20, 21, 25, 100, 101)
    )  # holes, merging, eviction, poison
    assert run("madvise", 0, 4096, 102) == (ALLOW if profile == "threads" else EPERM)


def test_affinity_is_read_for_oneself(run):
    assert run("sched_getaffinity", 0) == run("sched_getaffinity", PID) == ALLOW
    assert run("sched_getaffinity", PID + 1) == EPERM


def test_what_threads_ask_of_the_scheduler_is_answered_without_asking(machine):
    run = Machine(machine, assemble(POLICIES["threads"](), machine))
    assert run("sched_getparam", 1) == run("sched_getscheduler", 1) == ERRNO
    assert run("prctl", 15) == ALLOW and run("prctl", 1) == EPERM and run("prctl", 38) == EPERM


def test_the_seal_takes_away_what_taking_a_job_needed(machine, profile):
    before, seal = (
        Machine(machine, assemble(POLICIES[profile](), machine)),
        Machine(machine, assemble_seal(machine)),
    )
    for name in ("dup3", "recvmsg", "seccomp"):
        assert before(name) == ALLOW and seal(name) == EPERM
    assert seal("prlimit64", 0, 7, 0) == ALLOW  # reading one's own limits
    for arguments in ((0, 7, 4096), (0, 7, 1 << 32), (1, 7, 0), (PID + 1, 7, 0)):
        assert seal("prlimit64", *arguments) == EPERM
    for flags, verdict in (
        (0x22, ALLOW),
        (0x20022, ALLOW),
        (0x4022, ALLOW),
        (0x21, EPERM),
        (0x01, EPERM),
        (0x23, EPERM),
        (0x40022, EPERM),
        (0x28, EPERM),
    ):
        assert (
            before("mmap", 0, 4096, 3, flags) == ALLOW
            and seal("mmap", 0, 4096, 3, flags) == verdict
        )
    assert seal("read") == ALLOW
    assert seal("read", audit=1) == KILL


def test_the_tables_agree_with_the_kernels_headers(machine):
    if not HEADERS[machine].exists():
        pytest.skip("no kernel headers here")
    text = HEADERS[machine].read_text()
    known = {
        name: int(number)
        for name, number in re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)", text)
    }
    for name, number in ARCHITECTURES[machine].numbers.items():
        assert known[name] == number, name


def test_a_filter_fits_the_kernels_jump_range():
    for machine in ARCHITECTURES:
        for policy in POLICIES.values():
            instructions = assemble(policy(), machine).instructions
            assert len(instructions) < 4096
            assert all(0 <= yes < 256 and 0 <= no < 256 for _, yes, no, _ in instructions)
