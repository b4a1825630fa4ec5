"""Everything the agent raises on purpose.

    AgentError
    ├── UsageError      the call was wrong (exit code 2)
    └── RunError        the run cannot go on (exit code 1)
        ├── StorageError    a disk refused: full, read-only, no permission
        └── Interrupted     Ctrl-C; everything so far is on disk

``tools.types.ContractError`` (a value is wrong; exit code 2) and ``sandbox.SandboxError`` (the
sandbox is broken; exit code 1) pass through unchanged. A candidate that fails is never an
exception: it is a ``tools.types.Failure``.
"""

from __future__ import annotations


class AgentError(Exception):
    """Base of all; the message is one line: what, expected, got, next step."""


class UsageError(AgentError):
    """The caller asked for something that cannot be."""


class RunError(AgentError):
    """The call was right, the run failed."""


class StorageError(RunError):
    """A file cannot be written or read."""


class Interrupted(RunError):
    """The user stopped the run; it can be resumed."""
