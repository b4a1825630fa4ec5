"""The command line: a thin shell over the library. Only this package and benchmark suites import
``benchmarks``.

Exit codes: 0 finished, 1 failed, 2 the call was wrong (one line on stderr).
"""

from __future__ import annotations

import codecs
import io
import os
import sys
from collections.abc import Sequence
from importlib import import_module

from agent.cli.parser import parse
from agent.plain import asciified, clean
from tools.errors import ProggenError


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; never raises for what a user may do wrong."""
    _speak_what_the_terminal_can()
    try:
        arguments = parse(sys.argv[1:] if argv is None else list(argv))
        module, function = arguments.handler.split(":")
        code = getattr(import_module(module), function)(arguments)
        if sys.stdout is not None:
            sys.stdout.flush()
        return code
    except SystemExit as stop:  # a parser has said why, or shown its help
        return int(stop.code or 0)
    except KeyboardInterrupt:
        return _say("stopped", 1)
    except BrokenPipeError:  # the reader (head, less) has gone: no complaint, none at exit either
        _let_go_of_stdout()
        return 0
    except ProggenError as error:  # anything else is a bug, and shows where
        return _say(str(error), error.exit_code)
    except OSError as error:
        if error.filename is not None:
            raise
        _let_go_of_stdout()
        return _say(f"stdout: {error.strerror}; what goes to files is written before", 1)


def _speak_what_the_terminal_can() -> None:
    """Symbols that the encoding of stdout or stderr does not have fall back to ASCII."""
    codecs.register_error("asciified", _fallback)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="asciified")


def _fallback(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return asciified(error.object[error.start : error.end]), error.end


def _let_go_of_stdout() -> None:
    """What is still to be written goes nowhere, also when the interpreter ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _say(message: str, code: int) -> int:
    print(f"run-agent: {clean(' '.join(message.split()))}", file=sys.stderr)
    return code
