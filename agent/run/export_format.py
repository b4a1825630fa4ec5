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

from tools.errors import UsageError
from tools.types import STAGES, FittedParam, Programs

INLINED = "#: "
"""Before an import that the file itself answers."""
FITTED = "FITTED"
"""Name of the fitted parameters: {name: {value, low, high, unit, error, note, about}}."""


def mark(stage: str, end: bool = False) -> str:
    """The line before (or after) a program."""
    return f"# ======== {'end of ' if end else ''}{stage}.py"


def read(path: Path) -> tuple[Programs, tuple[FittedParam, ...]]:
    """The programs and parameters in a file that `run-agent export` wrote, as they stand there now.
    Raises UsageError."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"{path}: expected a file that `run-agent export` wrote, got: "
            f"{getattr(error, 'strerror', None) or error}"
        ) from None
    sources = {stage: _section(text, stage) for stage in STAGES}
    missing = [stage for stage, source in sources.items() if source is None]
    if missing:
        raise UsageError(
            f"{path}: expected a file that `run-agent export` wrote, with `{mark(missing[0])}` in "
            "it, got none; give a run, a folder with three programs, or such a file"
        )
    return Programs(**{stage: source or "" for stage, source in sources.items()}), tuple(
        FittedParam(name, **entry) for name, entry in _fitted(text, path).items()
    )


def _section(text: str, stage: str) -> str | None:
    found = re.search(
        rf"^{re.escape(mark(stage))}\n(.*?)^{re.escape(mark(stage, end=True))}$",
        text,
        re.MULTILINE | re.DOTALL,
    )
    return (
        None
        if found is None
        else re.sub(rf"^(\s*)(?:pass  )?{INLINED}", r"\1", found[1], flags=re.MULTILINE).strip()
        + "\n"
    )


def _fitted(text: str, path: Path) -> dict[str, dict[str, Any]]:
    try:
        for statement in ast.parse(text).body:
            if (
                isinstance(statement, ast.Assign)
                and getattr(statement.targets[0], "id", "") == FITTED
            ):
                return ast.literal_eval(statement.value)
    except (SyntaxError, ValueError) as error:
        raise UsageError(f"{path}: expected Python with a literal {FITTED}, got: {error}") from None
    raise UsageError(f"{path}: expected the parameters under the name {FITTED}, got none")
