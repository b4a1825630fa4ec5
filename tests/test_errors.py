"""Errors are one tree, cross processes whole, and say how a command ends."""

from __future__ import annotations

import importlib
import inspect
import pickle
import pkgutil
import re
from pathlib import Path

import pytest

from agent.cli import main
from agent.core.protocols import Cost
from tools import errors
from tools.errors import ProggenError
from tools.types import Failure

ROOT = Path(__file__).parent.parent
PACKAGES = ("tools", "sandbox", "prompts", "agent", "benchmarks")
ARGUMENTS = {
    "CandidateFailed": (Failure("dynamics", "ValueError", "no"), "said"),
    "ProgramError": ("Missing", "no step in dynamics.py"),
    "ModelError": ("past the cap", "", "", "", Cost(calls=2)),
    "TryAgain": ("busy", 3.0, True),
    "Overrun": ("CpuLimit",),
}
"""What to make one of, for classes (and those under them) that take other than the four parts."""
FOUR = ("gravity", "a number", "'x'", "give one")


def ours() -> dict[str, type[BaseException]]:
    """Every class of exception that our packages define."""
    found = {}
    for package in PACKAGES:
        module = importlib.import_module(package)
        names = [
            one.name
            for one in pkgutil.walk_packages(module.__path__, f"{package}.")
            if not one.name.endswith("__main__")
        ]
        for name in [package, *names]:
            for kind in vars(importlib.import_module(name)).values():
                if not inspect.isclass(kind) or not issubclass(kind, BaseException):
                    continue
                if kind.__module__.split(".")[0] in PACKAGES:
                    found[kind.__name__] = kind
    return found


OURS = ours()


def made(kind: type[BaseException]) -> BaseException:
    taken = (ARGUMENTS[one.__name__] for one in kind.__mro__ if one.__name__ in ARGUMENTS)
    return kind(*next(taken, FOUR if issubclass(kind, ProggenError) else ()))


@pytest.mark.parametrize("name", sorted(OURS))
def test_every_error_survives_pickling(name):
    error = made(OURS[name])
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error) and str(again) == str(error)
    assert again.args == error.args and vars(again) == vars(error)


def test_the_tree_is_drawn_as_it_is():
    drawn, path = {}, ["ProggenError"]
    for line in (errors.__doc__ or "").splitlines():
        if match := re.match(r" {4}((?:[│ ] {3})*)[├└]── (\w+)", line):
            depth = 1 + len(match[1]) // 4
            path[depth:] = [match[2]]
            drawn[match[2]] = path[depth - 1]
    assert drawn == {
        name: kind.__bases__[0].__name__
        for name, kind in OURS.items()
        if issubclass(kind, ProggenError) and kind is not ProggenError
    }
    signals = {name for name, kind in OURS.items() if not issubclass(kind, ProggenError)}
    assert signals == {"BudgetSpent", "Overrun", "Returned"}


@pytest.mark.parametrize("name", sorted(OURS))
def test_a_command_ends_with_the_code_of_its_error(name, monkeypatch, capsys):
    error = made(OURS[name])
    if not isinstance(error, ProggenError):
        pytest.skip("a signal, no error")

    def fails(arguments):
        raise error

    monkeypatch.setattr("agent.cli.commands.doctor", fails)
    assert main(["doctor"]) == type(error).exit_code
    assert capsys.readouterr().err == f"run-agent: {error}\n"


def test_what_was_expected_and_got_is_given_part_by_part():
    told = re.compile(r"\b(\w+)\(\s*((?:f?\"[^\"]*\"\s*)+)\)")
    whole = [
        f"{path.name}: {words[:60]}"
        for package in PACKAGES
        for path in (ROOT / package).rglob("*.py")
        for name, words in told.findall(path.read_text())
        if name in OURS and ": expected " in words and ", got " in words
    ]
    assert not whole


def test_a_wrong_call_is_told_from_a_failed_run():
    codes = {name: kind.exit_code for name, kind in OURS.items() if issubclass(kind, ProggenError)}
    assert codes["UsageError"] == codes["MediaError"] == codes["WrongKey"] == 2
    assert codes["RunError"] == codes["SandboxError"] == codes["Unreachable"] == 1
