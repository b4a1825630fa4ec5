"""A model as one file: how `run-agent export` marks the three programs and their numbers in it, so
that they can be read back.

Each program stands between two marks, with its imports of what the file holds itself commented out:

    # ======== dynamics.py
    #: from tools.physics import symplectic_euler
    ...
    # ======== end of dynamics.py
"""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

from agent.run import store
from tools import claims
from tools.errors import StorageError, UsageError
from tools.types import STAGES, FittedParam, Programs

INLINED = "#: "
"""Before an import that the file itself answers."""
MOST = 16 << 20
"""Bytes of such a file."""
FITTED = "FITTED"
"""Name of the fitted parameters: {name: {value, low, high, unit, error, note, about}}."""


def mark(stage: str, end: bool = False) -> str:
    """The line before (or after) a program."""
    return f"# ======== {'end of ' if end else ''}{stage}.py"


def read(path: Path) -> tuple[Programs, tuple[FittedParam, ...]]:
    """The programs and parameters in a file that `run-agent export` wrote, as they stand there now.
    Raises UsageError."""
    try:
        text = store.read_bytes(path, MOST).decode()
    except (StorageError, UnicodeDecodeError) as error:
        raise UsageError(str(path), "a file that `run-agent export` wrote", str(error)) from None
    sources = {stage: _section(text, stage) for stage in STAGES}
    missing = [stage for stage, source in sources.items() if source is None]
    if missing:
        raise UsageError(
            str(path),
            f"a file that `run-agent export` wrote, with `{mark(missing[0])}` in it",
            "none",
            "give a run, a folder with three programs, or such a file",
        )
    programs = Programs(**{stage: source or "" for stage, source in sources.items()})
    return programs, claims.fitted(_fitted(text, path), str(path))


def _section(text: str, stage: str) -> str | None:
    _, begin, rest = f"\n{text}".partition(f"\n{mark(stage)}\n")
    source, end, _ = f"\n{rest}".partition(f"\n{mark(stage, end=True)}\n")
    if not begin or not end:
        return None
    lines = re.sub(rf"^([ \t]*)(?:pass  )?{INLINED}", r"\1", source, flags=re.MULTILINE)
    return lines.strip() + "\n"


def _fitted(text: str, path: Path) -> dict[str, dict[str, Any]]:
    try:
        for statement in claims.program(text, str(path), MOST).body:
            if (
                isinstance(statement, ast.Assign)
                and getattr(statement.targets[0], "id", "") == FITTED
            ):
                entries = ast.literal_eval(statement.value)
                return claims.read(dict[str, dict[str, Any]], entries, FITTED)
    except (SyntaxError, ValueError, TypeError) as error:
        raise UsageError(str(path), f"Python with a literal {FITTED}", str(error)) from None
    raise UsageError(str(path), f"the parameters under the name {FITTED}", "none")
