"""Loading a candidate's sources inside the child: nothing here trusts them, and nothing here runs in the host."""

from __future__ import annotations

import ast
import linecache
import sys
import traceback
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

from sandbox.marks import failed_in, stage
from sandbox.protocol import KIND_CAP, MESSAGE_CAP, TRACEBACK_CAP

AVAILABLE = "numpy, scipy, cv2, pymunk, math and the rest of the standard library's pure parts, tools"


class ProgramError(Exception):
    """A rule of the contract is broken; the message is one line a proposer can act on."""

    def __init__(self, kind: str, message: str):
        self.kind = kind
        super().__init__(message)


class LoadedPrograms:
    """The programs of one candidate, each executed at first access.

    ``programs["dynamics"]`` is the module; a source that does not load raises under that program's stage.
    """

    def __init__(self, sources: Mapping[str, str]):
        self._sources = dict(sources)
        self._modules: dict[str, ModuleType] = {}
        for name, source in self._sources.items():
            linecache.cache[f"{name}.py"] = (len(source), None, source.splitlines(True), f"{name}.py")

    def __getitem__(self, name: str) -> ModuleType:
        if name not in self._modules:
            with stage(name):
                self._modules[name] = self._load(name)
        return self._modules[name]

    def function(self, name: str, function: str) -> Callable[..., Any]:
        """``function`` of program ``name``; a missing one is that program's failure."""
        found = getattr(self[name], function, None)
        with stage(name):
            if not callable(found):
                known = [key for key, value in vars(self[name]).items() if callable(value) and not key.startswith("_")]
                raise ProgramError(
                    "MissingFunction", f"{name}.py: expected a function {function}(...), "
                    f"got {'a ' + type(found).__name__ if found is not None else 'none'}; it defines {', '.join(known[:12]) or 'no functions'}",
                )
        return found

    def _load(self, name: str) -> ModuleType:
        if name not in self._sources:
            raise ProgramError("MissingProgram", f"{name}.py: expected a source, got none")
        tree = ast.parse(self._sources[name], f"{name}.py")
        module = ModuleType(f"candidate_{name}")
        module.__file__ = f"{name}.py"
        sys.modules[module.__name__] = module        # dataclasses and typing look their module up by name
        exec(compile(tree, f"{name}.py", "exec", dont_inherit=True), module.__dict__)
        return module


def describe(error: BaseException, place: str | None = None) -> dict[str, str]:
    """The failure report of ``error``: stage, kind, message, traceback with the program's own lines, all capped.

    ``place`` overrules the stage that the error itself shows.
    """
    kind = error.kind if isinstance(error, ProgramError) else type(error).__name__
    return {
        "stage": place or failed_in(error) or _place(error) or "limits",
        "kind": str(kind)[:KIND_CAP],
        "message": _message(error)[:MESSAGE_CAP],
        "traceback": _traceback(error)[-TRACEBACK_CAP:],
    }


def _message(error: BaseException) -> str:
    try:
        text = str(error)
    except Exception:
        text = "(its text cannot be printed)"
    if isinstance(error, ModuleNotFoundError):
        return f"{text}; the sandbox offers {AVAILABLE}"
    if isinstance(error, SystemExit):
        return f"the program called exit ({text}); return a value instead"
    return text or type(error).__name__


def _place(error: BaseException) -> str | None:
    frames = [frame.f_code.co_filename for frame, _ in traceback.walk_tb(error.__traceback__)]
    files = {"perception.py": "perception", "dynamics.py": "dynamics", "rendering.py": "rendering"}
    return next((files[name] for name in reversed(frames) if name in files), None)


def _traceback(error: BaseException) -> str:
    try:
        lines = traceback.TracebackException(type(error), error, _own_frames(error), limit=-12, compact=True).format(chain=False)
        return "".join(lines)
    except Exception:
        return ""


def _own_frames(error: BaseException) -> Any:
    """The traceback from the first frame of a program on, or None when no program is in it."""
    tb = error.__traceback__
    while tb is not None and tb.tb_frame.f_code.co_filename not in ("perception.py", "dynamics.py", "rendering.py"):
        tb = tb.tb_next
    return tb
