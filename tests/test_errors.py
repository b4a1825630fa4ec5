"""Errors cross processes whole."""

from __future__ import annotations

import ast
import builtins
import pickle
from pathlib import Path

import pytest

from agent.core.protocols import Cost
from agent.evaluation.jobs import CandidateFailed
from agent.models.client import TryAgain
from agent.models.errors import CapReached
from sandbox.limits import Overrun
from sandbox.programs import ProgramError
from tools.media import MediaError
from tools.types import ContractError, Failure

ROOT = Path(__file__).resolve().parents[1]
WHOLE = {
    "ContractError": ContractError("gravity", "a number", "'x'", "give one"),
    "MediaError": MediaError("video", "an existing file", "nowhere.mp4"),
    "CandidateFailed": CandidateFailed(Failure("dynamics", "ValueError", "no"), "said"),
    "ProgramError": ProgramError("Missing", "no step in dynamics.py"),
    "ModelError": CapReached("past the cap", Cost(calls=2)),
    "TryAgain": TryAgain("busy", wait=3.0, sent=True),
    "Overrun": Overrun("CpuLimit"),
}
"""One of every class of error of ours that takes more than a message, by the class that says so."""


def special():
    """Classes of error in our packages that define ``__init__``, by name: read, not imported."""
    classes = {
        found.name: found
        for package in ("agent", "prompts", "sandbox", "tools", "benchmarks")
        for path in (ROOT / package).rglob("*.py")
        for found in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(found, ast.ClassDef)
    }

    def raised(name: str) -> bool:
        kind = getattr(builtins, name, None)
        if isinstance(kind, type):
            return issubclass(kind, BaseException)
        bases = classes[name].bases if name in classes else []
        return any(isinstance(base, ast.Name) and raised(base.id) for base in bases)

    return {
        name
        for name, found in classes.items()
        if raised(name) and any(getattr(one, "name", "") == "__init__" for one in found.body)
    }


@pytest.mark.parametrize("name", WHOLE)
def test_an_error_survives_pickling(name):
    error = WHOLE[name]
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error) and str(again) == str(error)
    assert vars(again) == vars(error)


def test_no_error_is_forgotten_above():
    assert special() <= set(WHOLE)
