"""The append-only file of finished cases: a line each, so that a killed bench goes on where it
was."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agent.run import store
from benchmarks.harness.case import Record
from tools.types import ContractError

FORMAT = 1


class Ledger:
    """``records.jsonl`` of one bench folder. The first line holds what was asked; a torn last line
    is cut off."""

    def __init__(self, folder: Path, asked: Mapping[str, Any]):
        self.path = folder / "records.jsonl"
        folder.mkdir(parents=True, exist_ok=True)
        header = {"format": FORMAT, **asked}
        lines = self._lines()
        if not lines:
            self._append(header)
        elif lines[0] != json.loads(json.dumps(header)):
            changed = sorted(
                key
                for key in {*lines[0], *header}
                if lines[0].get(key) != json.loads(json.dumps(header)).get(key)
            )
            raise ContractError(
                str(folder),
                "a new folder, or one that was made with the same arguments",
                f"other {', '.join(changed)}",
                "give another --out",
            )
        self._records = {line["key"]: Record.from_json(line) for line in lines[1:]}

    @property
    def records(self) -> Mapping[str, Record]:
        """Finished cases by key."""
        return dict(self._records)

    def add(self, record: Record) -> None:
        """Write a record; it is on disk when this returns."""
        self._append(record.to_json())
        self._records[record.key] = record

    def _lines(self) -> list[dict[str, Any]]:
        """Whole lines of the file; what a kill left of a line is removed."""
        if not self.path.exists():
            return []
        text = self.path.read_bytes()
        whole = text[: text.rfind(b"\n") + 1]
        if len(whole) < len(text):
            with open(self.path, "r+b") as file:
                file.truncate(len(whole))
        return [json.loads(line) for line in whole.splitlines()]

    def _append(self, line: Mapping[str, Any]) -> None:
        store.append(self.path, (json.dumps(line, allow_nan=False) + "\n").encode())
