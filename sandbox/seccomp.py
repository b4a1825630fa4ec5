"""The system call filter of a child: an allow-list as raw BPF, for x86-64 and aarch64.

A policy is a list of rules; the program refuses every call that no rule allows with EPERM, so that
Python shows a PermissionError. A call made for another architecture (int 0x80, x32) kills the
process. Nothing here touches the kernel but :func:`install`.
"""

from __future__ import annotations

import ctypes
import errno
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sandbox import kernel

# --------------------------------------------------------------------------------------------------

_TABLE = """
brk 12 214|clock_getres 229 114|clock_gettime 228 113|clock_nanosleep 230 115|clone 56 220
clone3 435 435|close 3 57|dup3 292 24|exit 60 93|exit_group 231 94|fcntl 72 25|fstat 5 80
futex 202 98|getcpu 309 168|getcwd 79 17|getegid 108 177|geteuid 107 175|getgid 104 176
getpid 39 172|getppid 110 173|getrandom 318 278|getrlimit 97 163|getrusage 98 165|gettid 186 178
gettimeofday 96 169|getuid 102 174|lseek 8 62|madvise 28 233|mmap 9 222|mprotect 10 226
mremap 25 216|munmap 11 215|nanosleep 35 101|prctl 157 167|prlimit64 302 261|read 0 63
recvmsg 47 212|restart_syscall 219 128|rseq 334 293|rt_sigaction 13 134|rt_sigprocmask 14 135
rt_sigreturn 15 139|sched_getaffinity 204 123|sched_getparam 143 121|sched_getscheduler 145 120
sched_yield 24 124|seccomp 317 277|set_robust_list 273 99|sigaltstack 131 132
tgkill 234 131|time 201 -|times 100 153|write 1 64|writev 20 66
"""


@dataclass(frozen=True)
class Architecture:
    """audit: the kernel's name of the calling convention. x32: calls with bit 30 belong to a second
    convention."""

    audit: int
    numbers: dict[str, int]
    x32: bool


def _architectures() -> dict[str, Architecture]:
    rows = [entry.split() for line in _TABLE.strip().splitlines() for entry in line.split("|")]
    x86 = {name: int(number) for name, number, _ in rows if number != "-"}
    arm = {name: int(number) for name, _, number in rows if number != "-"}
    return {
        "x86_64": Architecture(0xC000003E, x86, True),
        "aarch64": Architecture(0xC00000B7, arm, False),
    }


ARCHITECTURES = _architectures()
X32_BIT = 0x40000000

# --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Check:
    """A condition on one argument (0 to 5): ``(argument & mask) == value``. wide: look at all 64
    bits, not only 32."""

    argument: int
    mask: int
    value: int
    wide: bool = False


@dataclass(frozen=True)
class Rule:
    """Allow ``name`` when every check holds; several rules for one name are alternatives, the first
    that fits decides.

    pretend: do not run the call, and say that it went well.
    """

    name: str
    checks: tuple[Check, ...] = ()
    pretend: bool = False


OWN_PID = 0x7FFFFFF0
"""Stands for the process id of the child until :meth:`Filter.bytes_for` puts the real one in."""

PROT_EXEC = 4
F_GETFD, F_GETFL = 1, 3
PR_SET_NAME = kernel.PR_SET_NAME
_THREAD_FLAGS = (0x3D0F00, 0x7D0F00)  # what pthread_create asks for, in glibc and in musl


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_PLAIN = _names(
    "brk close exit exit_group fstat getcpu getcwd getegid geteuid getgid getpid getppid "
    "getrandom getrlimit getrusage gettid gettimeofday getuid lseek mremap munmap nanosleep read "
    "restart_syscall "
    "rt_sigaction rt_sigprocmask rt_sigreturn sched_yield sigaltstack time times write writev"
)
_UNTIL_SEALED = ("dup3", "recvmsg", "seccomp", "prlimit64")
_CLOCKS = _names("clock_getres clock_gettime clock_nanosleep")
_SYSTEM_CLOCK = Check(
    0, 0xFFFFFFF0, 0
)  # other numbers stand for the processor time of some process, by its id
_ADVICE = (
    0,
    1,
    2,
    3,
    4,
    8,
    14,
    15,
    16,
)  # on one's own pages; none that evicts, merges or punches holes in shared ones
_ADVICE_THREADS = (102, 103)  # guards of thread stacks
_FUTEX_WAIT_AND_WAKE, _FUTEX_THREADS = (0, 1, 9, 10), (3, 4, 5)
_FUTEX_WAITS = (0, 9)
_PRIVATE, _ANY_CLOCK = (
    128,
    0xFFFFFEFF,
)  # a futex that is not private is one with that of all who map the same file
_MAP_TYPE, _MAP_PRIVATE, _MAP_HUGETLB = 0xF, 2, 0x40000


def _common() -> list[Rule]:
    own = [Check(0, 0xFFFFFFFF, pid) for pid in (0, OWN_PID)]
    return [
        *(Rule(name) for name in _PLAIN),
        *(Rule("fcntl", (Check(1, 0xFFFFFFFF, command),)) for command in (F_GETFD, F_GETFL)),
        *(Rule(name, (_SYSTEM_CLOCK,)) for name in _CLOCKS),
        *(Rule("madvise", (Check(2, 0xFFFFFFFF, advice),)) for advice in _ADVICE),
        *(_futex(operation | _PRIVATE) for operation in _FUTEX_WAIT_AND_WAKE),
        *(Rule("sched_getaffinity", (check,)) for check in own),
        Rule("tgkill", (own[1],)),
    ]


def _futex(operation: int, pretend: bool = False) -> Rule:
    return Rule("futex", (Check(1, _ANY_CLOCK, operation),), pretend)


def plain_policy() -> list[Rule]:
    """One thread, no new executable memory, no file, no socket, no process; until sealed also what
    taking a job needs."""
    no_exec = (Check(2, PROT_EXEC, 0),)
    return [
        *_common(),
        *(Rule(name) for name in _UNTIL_SEALED),
        Rule("mmap", no_exec),
        Rule("mprotect", no_exec),
    ]


def threads_policy() -> list[Rule]:
    """As plain, and threads of the same process and memory that a compiler may run; nothing more.

    Waiting for a thread to end is a shared futex: it is told to look again at once.
    """
    return [
        *_common(),
        *(Rule(name) for name in [*_UNTIL_SEALED, "mmap", "mprotect", "set_robust_list", "rseq"]),
        *(Rule("clone", (Check(0, 0xFFFFFFFF, flags),)) for flags in _THREAD_FLAGS),
        *(Rule("madvise", (Check(2, 0xFFFFFFFF, advice),)) for advice in _ADVICE_THREADS),
        *(_futex(operation | _PRIVATE) for operation in _FUTEX_THREADS),
        *(_futex(operation, pretend=True) for operation in _FUTEX_WAITS),
        Rule("prctl", (Check(0, 0xFFFFFFFF, PR_SET_NAME),)),
        *(Rule(name, pretend=True) for name in ("sched_getparam", "sched_getscheduler")),
    ]


POLICIES = {"plain": plain_policy, "threads": threads_policy}

# --------------------------------------------------------------------------------------------------

_LOAD, _JUMP_EQUAL, _JUMP_ABOVE, _AND, _RETURN = 0x20, 0x15, 0x35, 0x54, 0x06
KILL, ALLOW, ERRNO = 0x80000000, 0x7FFF0000, 0x00050000
_NR, _ARCH, _ARGS = 0, 4, 16
_INSTRUCTION = struct.Struct("=HBBI")
Instruction = tuple[int, int, int, int]


class Filter:
    """An assembled program, packed once; only the process id is put in for each child."""

    def __init__(self, instructions: Iterable[Instruction]):
        self.instructions = tuple(instructions)
        self._template = b"".join(
            _INSTRUCTION.pack(*instruction) for instruction in self.instructions
        )
        self._holes = [
            8 * index + 4 for index, (_, _, _, k) in enumerate(self.instructions) if k == OWN_PID
        ]

    def bytes_for(self, pid: int) -> bytearray:
        """The program as the kernel takes it, for the process ``pid``."""
        program = bytearray(self._template)
        for hole in self._holes:
            struct.pack_into("=I", program, hole, pid)
        return program


def assemble(rules: Iterable[Rule], machine: str) -> Filter:
    """The allow-list as BPF for ``machine`` (a key of ARCHITECTURES)."""
    arch = ARCHITECTURES[machine]
    rules = [rule for rule in rules if rule.name in arch.numbers]
    plain = {arch.numbers[rule.name]: _action(rule) for rule in rules if not rule.checks}
    program = [*_prologue(arch), (_LOAD, 0, 0, _NR)]
    program += [
        (_RETURN, 0, 0, ERRNO | errno.ENOSYS)
        if step
        else (_JUMP_EQUAL, 0, 1, arch.numbers["clone3"])
        for step in (0, 1)
    ]
    for number, action in sorted(plain.items()):
        program += [(_JUMP_EQUAL, 0, 1, number), (_RETURN, 0, 0, action)]
    for rule in rules:
        if rule.checks:
            program += _conditional(arch.numbers[rule.name], rule.checks, _action(rule))
    return Filter((*program, (_RETURN, 0, 0, ERRNO | errno.EPERM)))


def assemble_seal(machine: str) -> Filter:
    """A second filter on top, in force before the candidate's first line: what only taking a job
    needed is refused.

    New memory is private and of small pages from here on: what is left of a shared piece after it
    was cut would escape the cap on memory.
    """
    arch = ARCHITECTURES[machine]
    refuse = (_RETURN, 0, 0, ERRNO | errno.EPERM)
    program: list[Instruction] = [*_prologue(arch), (_LOAD, 0, 0, _NR)]
    for name in _UNTIL_SEALED:
        if name != "prlimit64":
            program += [(_JUMP_EQUAL, 0, 1, arch.numbers[name]), refuse]
    only = {
        "prlimit64": (Check(2, 0xFFFFFFFF_FFFFFFFF, 0, wide=True), Check(0, 0xFFFFFFFF, 0)),
        "mmap": (Check(3, _MAP_TYPE | _MAP_HUGETLB, _MAP_PRIVATE),),
    }
    for name, checks in only.items():
        program += _conditional(arch.numbers[name], checks, ALLOW)
        program += [(_LOAD, 0, 0, _NR), (_JUMP_EQUAL, 0, 1, arch.numbers[name]), refuse]
    return Filter((*program, (_RETURN, 0, 0, ALLOW)))


def _prologue(arch: Architecture) -> list[Instruction]:
    kill = (_RETURN, 0, 0, KILL)
    program: list[Instruction] = [(_LOAD, 0, 0, _ARCH), (_JUMP_EQUAL, 1, 0, arch.audit), kill]
    if arch.x32:
        program += [(_LOAD, 0, 0, _NR), (_JUMP_ABOVE, 0, 1, X32_BIT), kill]
    return program


def _action(rule: Rule) -> int:
    return ERRNO if rule.pretend else ALLOW


def _conditional(number: int, checks: Sequence[Check], action: int) -> list[Instruction]:
    tests = [step for check in checks for step in _test(check)]
    body: list[Instruction] = []
    for index, (offset, mask, value) in enumerate(tests):
        left = sum(3 if m != 0xFFFFFFFF else 2 for _, m, _ in tests[index + 1 :]) + 1
        body.append((_LOAD, 0, 0, offset))
        if mask != 0xFFFFFFFF:
            body.append((_AND, 0, 0, mask))
        body.append((_JUMP_EQUAL, 0, left, value))
    return [
        (_LOAD, 0, 0, _NR),
        (_JUMP_EQUAL, 0, len(body) + 1, number),
        *body,
        (_RETURN, 0, 0, action),
    ]


def _test(check: Check) -> list[tuple[int, int, int]]:
    low = _ARGS + 8 * check.argument
    steps = [(low, check.mask & 0xFFFFFFFF, check.value & 0xFFFFFFFF)]
    if check.wide:
        steps.append((low + 4, check.mask >> 32, check.value >> 32))
    return steps


# --------------------------------------------------------------------------------------------------

_SET_MODE_FILTER, _ALL_THREADS = 1, 1


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))


def install(program: bytearray) -> None:
    """Put a filter on every thread of this process for good; needs no_new_privs. Raises OSError
    when the kernel refuses."""
    argument = _Program(
        len(program) // _INSTRUCTION.size, ctypes.addressof(ctypes.c_char.from_buffer(program))
    )
    failed = kernel.syscall(
        kernel.number("seccomp"), _SET_MODE_FILTER, _ALL_THREADS, ctypes.byref(argument)
    )
    if failed:
        raise OSError(0, f"thread {failed} could not take over the filter")


def available() -> str:
    """Empty when this machine can run the strict filter, else the reason why not."""
    if not kernel.LINUX:
        return "only Linux has system call filters"
    if kernel.MACHINE not in ARCHITECTURES:
        return f"no system call table for {kernel.MACHINE}; known: {', '.join(ARCHITECTURES)}"
    if struct.calcsize("P") != 8:
        return "a 32-bit Python"
    return ""
