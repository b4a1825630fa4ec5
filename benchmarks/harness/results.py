"""The result file of a bench: configuration, versions, commit, machine, and every record."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent import versions
from agent.run import store
from benchmarks.harness.case import Options, Record
from tools.types import ContractError

FORMAT = 1
NAME = "bench.json"


@dataclass(frozen=True)
class Result:
    """One finished bench. about: what it ran on (versions, commit, machine, time)."""

    suite: str
    options: Options
    records: Mapping[str, Record]
    about: Mapping[str, Any]

    def to_json(self) -> dict[str, Any]:
        """JSON-ready dict."""
        records = [self.records[key].to_json() for key in sorted(self.records)]
        return {
            "format": FORMAT,
            "suite": self.suite,
            "options": self.options.to_json(),
            "about": dict(self.about),
            "records": records,
        }

    @classmethod
    def read(cls, path: Path) -> Result:
        """From a result file or the folder that holds it. Raises ContractError."""
        path = path / NAME if path.is_dir() else path
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
            records = {line["key"]: Record.from_json(line) for line in data["records"]}
            return cls(data["suite"], Options.from_json(data["options"]), records, data["about"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ContractError(
                str(path),
                f"a {NAME} written by run-agent bench",
                str(error).splitlines()[0],
                "run the suite to its end",
            ) from None

    def write(self, folder: Path) -> Path:
        """Write ``bench.json`` in one step; its path."""
        store.write_json(folder / NAME, self.to_json())
        return folder / NAME


def surroundings(source: Path) -> dict[str, Any]:
    """Versions of libraries, the commit of ``source`` (None outside a checkout; "+" marks local
    changes), and the machine."""
    machine = {
        "system": platform.system(),
        "architecture": platform.machine(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
    }
    return {"versions": versions.known(), "commit": _commit(source), "machine": machine}


def _commit(source: Path) -> str | None:
    def git(*words: str) -> str:
        return subprocess.run(
            ["git", "-C", str(source), *words],
            capture_output=True,
            text=True,
            timeout=20,
            check=True,
        ).stdout.strip()

    try:
        return git("rev-parse", "HEAD") + (
            "+" if git("status", "--porcelain", "--untracked-files=no") else ""
        )
    except (OSError, subprocess.SubprocessError):
        return None
