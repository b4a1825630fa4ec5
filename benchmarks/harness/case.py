"""The values that suites and the harness exchange."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from tools.types import ContractError

Figures = Mapping[str, float | None]


@dataclass(frozen=True)
class Options:
    """What a suite may be told. count: videos, episodes or scenes, None = the suite's own number.
    seed: of data and searches. budget: evaluations a search. proposer: see agent.proposers.
    variant: "clean", "noise" or "mp4", None = the protocol's. policies: search policies, () = the
    suite's own. only: cases whose key contains this, "" = all. data: folder with downloaded
    PhyWorld files or with footage.json, or None. weights: folder with LPIPS weights, or None.
    record: language model that is asked live, "" for none. recordings: folder of a bench that
    asked one, to repeat."""

    count: int | None = None
    seed: int = 0
    budget: int = 20
    proposer: str = "offline"
    variant: str | None = None
    policies: tuple[str, ...] = ()
    only: str = ""
    data: str | None = None
    weights: str | None = None
    record: str = ""
    recordings: str | None = None

    def to_json(self) -> dict[str, Any]:
        """JSON-ready dict."""
        return {**asdict(self), "policies": list(self.policies)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Options:
        """Inverse of :meth:`to_json`."""
        return replace(cls(**data), policies=tuple(data["policies"]))


def check_only(cases: Sequence[Case], options: Options) -> None:
    """Raises ContractError where ``--only`` leaves none of ``cases``: tables would be empty."""
    if not any(options.only in case.key for case in cases):
        names = [case.key for case in cases]
        more = f" and {len(names) - 6} more" if len(names) > 6 else ""
        raise ContractError(
            "--only",
            f"text from the name of a case that the tables need: {', '.join(names[:6])}{more}",
            repr(options.only),
            "with a larger --count there may be more cases",
        )


@dataclass(frozen=True)
class Case:
    """One unit of work, independent of the others of its phase. key: unique and stable,
    "method/item". settings: JSON. needs: keys of cases of earlier phases whose run folders it
    reads."""

    key: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    needs: tuple[str, ...] = ()

    @property
    def method(self) -> str:
        """The part of the key before the first slash."""
        return self.key.partition("/")[0]


@dataclass(frozen=True)
class Record:
    """What a case came to. rows: one mapping of figures per video (or scene), in order; they are
    what two runs must agree on to the last digit. notes: words, and reasons for figures that are
    None. data: content hashes of what was predicted. seconds: wall time; never compared. error: why
    the case failed, or ""."""

    key: str
    rows: tuple[Figures, ...] = ()
    notes: Mapping[str, Any] = field(default_factory=dict)
    data: Mapping[str, str] = field(default_factory=dict)
    timings: Mapping[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    error: str = ""

    @property
    def method(self) -> str:
        """The part of the key before the first slash."""
        return self.key.partition("/")[0]

    def to_json(self) -> dict[str, Any]:
        """JSON-ready dict."""
        return {**asdict(self), "rows": [dict(row) for row in self.rows]}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Record:
        """Inverse of :meth:`to_json`."""
        return replace(cls(**data), rows=tuple(data["rows"]))


@dataclass(frozen=True)
class Workplace:
    """Where a case may write. folder: of the whole bench; runs: of search runs kept for later
    phases."""

    folder: Path
    options: Options

    def run(self, key: str) -> Path:
        """Folder of the search run that belongs to ``key``."""
        return self.folder / "runs" / key.replace("/", "-").replace(":", "-")


def row(figures: Mapping[str, Any]) -> dict[str, float | None]:
    """Figures as a record holds them: finite floats, None for NaN and for what is missing."""
    return {
        name: float(value) if value is not None and math.isfinite(value) else None
        for name, value in figures.items()
    }


class Suite(Protocol):
    """A set of cases with a way to run and to table them. Stateless; lives in
    ``benchmarks.suites``."""

    name: str
    about: str

    def phases(self, options: Options) -> Sequence[Sequence[Case]]:
        """The cases, in phases: all of one phase are finished before the next begins."""
        ...

    def run(self, case: Case, place: Workplace) -> Record:
        """Do one case, deterministically but for timings; raises for what should stop the bench,
        else says it in the record."""
        ...

    def report(self, records: Mapping[str, Record], options: Options) -> str:
        """Markdown: published rows and ours."""
        ...
