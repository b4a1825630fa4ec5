"""Everything that is raised on purpose, in one tree.

    ProggenError                 the run failed (exit code 1)
    ├── UsageError               the call was wrong (exit code 2)
    │   ├── ContractError        a value is not what it must be (a ValueError)
    │   │   ├── MediaError       a clip or picture cannot be read or written as asked
    │   │   └── GrammarError     a mechanism that cannot be
    │   │       ├── Refused      a mechanism that cannot be printed yet
    │   │       └── Clash        a name that is taken was asked for once more
    │   ├── MissingExtra         an optional library is not installed (an ImportError)
    │   └── Untold               the equations of a program cannot be told
    ├── RunError                 the call was right, the run cannot go on
    │   ├── StorageError         a disk refused: full, read-only, no permission, damaged
    │   │   └── NewerFormat      a newer version of this program wrote the file
    │   ├── Interrupted          Ctrl-C; everything so far is on disk
    │   ├── ProgramsFailed       a world model's own programs failed
    │   ├── SandboxError         the sandbox broke (a RuntimeError)
    │   └── WeightsError         weights are missing, broken, or cannot be fetched (a RuntimeError)
    ├── ModelError               a language model could not be asked
    │   ├── WrongKey             401 / 403: nothing was spent (also a UsageError)
    │   ├── Unreachable          no connection, no such model, no credit, or only HTTP errors after
    │   │                        every retry (also a RunError)
    │   ├── NoAnswer             no complete answer came in time, or none that could be read
    │   ├── RequestRefused       the endpoint takes no such request, whatever is changed in it
    │   ├── ContextTooLong       the prompt does not fit; ask again with less
    │   ├── CapReached           the next call could pass --max-cost or --max-tokens
    │   └── TryAgain             a passing failure; the client asks again
    ├── PromptError              a prompt is unknown, or a hole and a value do not match
    ├── ReplyError               a model's answer cannot be used; it is told why
    │   └── Declined             the model refuses to answer
    ├── FrameError               a sandboxed child's answer does not obey the protocol
    ├── ServerLost               a sandbox server died; one retry on a new one
    ├── ProgramError             a candidate breaks a rule of the contract, inside the child
    └── CandidateFailed          a candidate's own fault, on its way to becoming an Evaluation

The first two levels are here, the rest where it is raised (``tests/test_errors.py`` holds the
drawing to the classes). A candidate that fails never reaches a caller as an exception: it is a
``tools.types.Failure``. Two signals are no errors and stay outside: ``BudgetSpent`` ends a fit,
``Overrun`` (a BaseException, so that no candidate catches it) a child.
"""

from __future__ import annotations

from typing import Any, ClassVar


class ProggenError(Exception):
    """Base of all. The message is one line: what, expected, got, next step.

    what: the value or the place, or the finished line when it stands alone. expected, got: halves
    of the comparison that failed. fix: what to do now. exit_code: what a command returns that ends
    with this error. Survives pickling whole, whatever arguments a subclass takes.

    >>> print(ProggenError("--horizon", "at least 1 frame", "0", "ask for more"))
    --horizon: expected at least 1 frame, got 0; ask for more
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, what: str, expected: str = "", got: str = "", fix: str = ""):
        self.what, self.expected, self.got, self.fix = what, expected, got, fix
        compared = f": expected {expected}, got {got}" if expected else ""
        super().__init__(f"{what}{compared}" + (f"; {fix}" if fix else ""))

    def __reduce__(self) -> tuple[Any, ...]:
        return _revived, (type(self), self.args), vars(self)


def _revived(kind: type[ProggenError], args: tuple[Any, ...]) -> ProggenError:
    return kind.__new__(kind, *args)


class UsageError(ProggenError):
    """The caller asked for something that cannot be."""

    exit_code = 2


class RunError(ProggenError):
    """The call was right, the run failed."""


class StorageError(RunError):
    """A file cannot be read or written."""


class Interrupted(RunError):
    """The user stopped the run; it can be resumed."""
