"""`run-agent export`: a model as one Python file that runs alone, or as a Gymnasium environment."""

from __future__ import annotations

import argparse
from pathlib import Path

from agent.export.write import FORMS, exported
from agent.run import store
from tools.command_line import did_you_mean
from tools.errors import UsageError


def main(arguments: argparse.Namespace) -> int:
    """Write the file. Raises UsageError, RunError."""
    if arguments.to not in FORMS:
        raise UsageError(
            "--to", str(" or ".join(FORMS)), repr(arguments.to) + did_you_mean(arguments.to, FORMS)
        )
    out = Path(arguments.out or f"{arguments.to}_model.py")
    store.check_file(out, (".py",))
    if out.exists():
        raise UsageError(str(out), "a new file", "one that exists", "choose another --out")
    text = exported(Path(arguments.run), arguments.to, arguments.dt, arguments.node)
    store.write_text(out, text)
    print(
        f"written to {out}: {len(text.splitlines())} lines; {FORMS[arguments.to].format(out=out)}"
    )
    return 0
