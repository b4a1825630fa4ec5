"""Loading a candidate's sources inside the child: nothing here trusts them, and nothing here runs
in the host."""

from __future__ import annotations

import ast
import linecache
import os
import sys
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy

from sandbox import limits
from sandbox.contract import Limits
from sandbox.protocol import KIND_CAP, MESSAGE_CAP, TRACEBACK_CAP
from sandbox.stage_tracker import failed_in, latest, stage
from tools.errors import ProggenError

AVAILABLE = (
    "numpy, scipy, cv2, pymunk, math and the rest of the standard library's pure parts, tools"
)


class ProgramError(ProggenError):
    """A rule of the contract is broken; the message is one line a proposer can act on."""

    def __init__(self, kind: str, message: str):
        self.kind = kind
        super().__init__(message)


class LoadedPrograms:
    """The programs of one candidate, each executed at first access.

    ``programs["dynamics"]`` is the module; a source that does not load raises under that program's
    stage.
    """

    def __init__(self, sources: Mapping[str, str]):
        self._sources = dict(sources)
        self._modules: dict[str, ModuleType] = {}
        for name, source in self._sources.items():
            linecache.cache[f"{name}.py"] = (
                len(source),
                None,
                source.splitlines(True),
                f"{name}.py",
            )

    def __getitem__(self, name: str) -> ModuleType:
        if name not in self._modules:
            with stage(name):
                self._modules[name] = self._load(name)
        return self._modules[name]

    def function(self, name: str, function: str) -> Callable[..., Any]:
        """``function`` of program ``name``; a missing one is that program's failure."""
        found: Callable[..., Any] | None = getattr(self[name], function, None)
        with stage(name):
            if not callable(found):
                known = [
                    key
                    for key, value in vars(self[name]).items()
                    if callable(value) and not key.startswith("_")
                ]
                raise ProgramError(
                    "MissingFunction",
                    f"{name}.py: expected a function {function}(...), "
                    f"got {'a ' + type(found).__name__ if found is not None else 'none'}; it "
                    f"defines {', '.join(known[:12]) or 'no functions'}",
                )
        return found

    def _load(self, name: str) -> ModuleType:
        if name not in self._sources:
            raise ProgramError("MissingProgram", f"{name}.py: expected a source, got none")
        tree = ast.parse(self._sources[name], f"{name}.py")
        module = ModuleType(f"candidate_{name}")
        module.__file__ = f"{name}.py"
        sys.modules[module.__name__] = module  # dataclasses and typing look their module up by name
        exec(compile(tree, f"{name}.py", "exec", dont_inherit=True), module.__dict__)
        return module


def describe(error: BaseException, caps: Limits) -> dict[str, str]:
    """The failure report of ``error``: stage, kind, message with the remedy, traceback with the
    program's own lines."""
    kind = _kind(error)
    return {
        "stage": failed_in(error) or _place(error) or latest() or "limits",
        "kind": kind[:KIND_CAP],
        "message": (limits.sentence(kind, caps) if kind in limits.KINDS else _message(error))[
            :MESSAGE_CAP
        ],
        "traceback": _traceback(error)[-TRACEBACK_CAP:],
    }


def _kind(error: BaseException) -> str:
    if isinstance(error, (ProgramError, limits.Overrun)):
        return error.kind
    return "MemoryLimit" if isinstance(error, MemoryError) else str(type(error).__name__)


def _message(error: BaseException) -> str:
    try:
        text = str(error)
    except Exception:
        text = "(its text cannot be printed)"
    remedy = next((remedy for applies, remedy in _REMEDIES if applies(error, text)), "")
    return (text or _kind(error)) + (f"; {remedy}" if remedy else "")


_REMEDIES: tuple[tuple[Callable[[BaseException, str], bool], str], ...] = (
    (lambda e, _: isinstance(e, ModuleNotFoundError), f"the sandbox offers {AVAILABLE}"),
    (lambda e, _: isinstance(e, SystemExit), "the program asked to exit: return a value instead"),
    (
        lambda e, t: "start new thread" in t,
        "the sandbox runs one thread: use plain loops or array operations, no workers= or n_jobs=",
    ),
    (
        lambda e, t: isinstance(e, PermissionError) or "temporary directory" in t,
        "the sandbox has no files, network or other processes: compute from the arguments alone",
    ),
    (
        lambda e, t: isinstance(e, ValueError) and "not JSON compliant" in t,
        "return finite numbers only",
    ),
    (
        lambda e, t: isinstance(e, TypeError) and "JSON serializable" in t,
        "return plain numbers, strings, lists and dicts",
    ),
)


def _place(error: BaseException) -> str | None:
    frames = [frame.f_code.co_filename for frame, _ in traceback.walk_tb(error.__traceback__)]
    files = {"perception.py": "perception", "dynamics.py": "dynamics", "rendering.py": "rendering"}
    return next((files[name] for name in reversed(frames) if name in files), None)


def _traceback(error: BaseException) -> str:
    try:
        report = traceback.TracebackException(
            type(error), error, _own_frames(error), limit=-12, compact=True
        )
        report.stack = traceback.StackSummary.from_list(
            [f for f in report.stack if f.filename != limits.__file__]
        )
        text = "".join(report.format(chain=False))
    except Exception:
        return ""
    for folder in _PREFIXES:
        text = text.replace(folder, "")
    return text


_PREFIXES = tuple(
    dict.fromkeys(
        f"{Path(path).resolve()}/"
        for path in (numpy.__path__[0] + "/..", __file__ + "/../..", os.__file__ + "/..")
    )
)
"""Folders of the installation: of no use to a proposer."""


def _own_frames(error: BaseException) -> Any:
    """The traceback from the first frame of a program on, or None when no program is in it."""
    tb = error.__traceback__
    while tb is not None and tb.tb_frame.f_code.co_filename not in (
        "perception.py",
        "dynamics.py",
        "rendering.py",
    ):
        tb = tb.tb_next
    return tb
