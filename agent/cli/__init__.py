"""The command line: a thin shell over the library. Only this package and benchmark suites import
``benchmarks``.

Exit codes: 0 finished, 1 failed, 2 the call was wrong (one line on stderr).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module

from agent.cli.parser import parse
from tools.errors import ProggenError


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; never raises for what a user may do wrong."""
    try:
        arguments = parse(sys.argv[1:] if argv is None else list(argv))
        module, function = arguments.handler.split(":")
        return getattr(import_module(module), function)(arguments)
    except SystemExit as stop:  # a parser has said why, or shown its help
        return int(stop.code or 0)
    except KeyboardInterrupt:
        return _say("stopped", 1)
    except (
        BrokenPipeError
    ):  # the reader (head, less) has gone: no complaint, and none at exit either
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except ProggenError as error:  # anything else is a bug, and shows where
        return _say(str(error), error.exit_code)


def _say(message: str, code: int) -> int:
    print(f"run-agent: {message}", file=sys.stderr)
    return code
