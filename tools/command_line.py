"""Arguments of a command line, whose complaints are one line: what, expected, got, next step."""

from __future__ import annotations

import argparse
import difflib
import math
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NoReturn

PROGRAM = "run-agent"
_KINDS = {"int": "a whole number", "float": "a number"}


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """``"; did you mean X?"`` for the known word most like ``word``, "" where none is.

    >>> did_you_mean("--bugdet", ["--budget", "--batch"])
    '; did you mean --budget?'
    >>> did_you_mean("nothing", ["--budget"])
    ''
    """
    names = list(known)
    lower = {name.lower(): name for name in reversed(names)}
    near = difflib.get_close_matches(word.lower(), lower, n=1, cutoff=0.6)
    return f"; did you mean {lower[near[0]]}?" if near else ""


def whole(least: int) -> Callable[[str], int]:
    """The type of an argument that is a whole number of at least ``least``."""

    def parsed(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = least - 1
        if number < least:
            raise argparse.ArgumentTypeError(
                f"expected a whole number of at least {least}, got {text!r}"
            )
        return number

    return parsed


def above(least: float) -> Callable[[str], float]:
    """The type of an argument that is a finite number above ``least``."""
    return lambda text: _number(text, lambda number: number > least, f"above {least:g}")


def at_least(least: float) -> Callable[[str], float]:
    """The type of an argument that is a finite number from ``least`` up."""
    return lambda text: _number(text, lambda number: number >= least, f"from {least:g} up")


def _number(text: str, fits: Callable[[float], bool], words: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not (math.isfinite(number) and fits(number)):
        raise argparse.ArgumentTypeError(f"expected a number {words}, got {text!r}")
    return number


class Parser(argparse.ArgumentParser):
    """An ArgumentParser that takes no abbreviations, suggests what was meant, and complains in one
    line (exit code 2)."""

    def __init__(self, *positional: Any, **options: Any):
        super().__init__(*positional, **({"allow_abbrev": False} | options))

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: Any = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """As the base class; what this parser does not know ends the program."""
        found, extra = super().parse_known_args(args, namespace)
        if extra:
            unknown = next((word for word in extra if word.startswith("-")), extra[0])
            self.error(
                f"expected {self._known(unknown)}, got {unknown}"
                + did_you_mean(unknown.partition("=")[0], self._option_string_actions)
            )
        return found, extra

    def _known(self, unknown: str) -> str:
        if unknown.startswith("-"):
            return f"an option of `{self.prog}`"
        names = [str(one.metavar or one.dest) for one in self._actions if not one.option_strings]
        return f"`{' '.join([self.prog, *names])}` and options"

    def error(self, message: str) -> NoReturn:
        """One line on stderr, then exit code 2."""
        said = _plain(message)
        see = " See" if said.endswith("?") else "; see"
        self.exit(2, f"{PROGRAM}: {said}{see} `{self.prog} --help`\n")


def _plain(message: str) -> str:
    """What argparse says, as: what, expected, got."""
    name, _, rest = message.removeprefix("argument ").partition(": ")
    name = name.split("/")[-1]
    if found := re.fullmatch(r"invalid (\w+) value: (.*)", rest):
        return f"{name}: expected {_KINDS.get(found[1], found[1])}, got {found[2]}"
    if found := re.fullmatch(r"invalid choice: (.*) \(choose from (.*)\)", rest):
        known = found[2].replace("'", "")
        meant = did_you_mean(found[1].strip("'"), known.split(", "))
        return f"{name}: expected one of {known}, got {found[1]}{meant}"
    if found := re.fullmatch(r"expected (one argument|at least one argument)", rest):
        return f"{name}: expected a value after it, got none"
    if message.startswith("the following arguments are required"):
        return f"expected {rest}, got none"
    return f"{name}: {rest}" if message.startswith("argument ") else message
