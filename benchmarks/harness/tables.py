"""Markdown tables: published rows and ours side by side, each with its source or its number of
videos."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from benchmarks.harness.case import Record
from benchmarks.harness.statistics import Estimate, estimate


@dataclass(frozen=True)
class Column:
    """A figure of the rows. digits: after the decimal point."""

    figure: str
    title: str
    digits: int = 4


@dataclass(frozen=True)
class Line:
    """A line of a table. figures: column -> printed number or our estimate. count: videos behind
    ours, 0 = published. source: where a published line stands, or a remark. engine: whose dynamics
    it uses, "" = not told."""

    name: str
    data: str
    figures: Mapping[str, float | Estimate | None] = field(default_factory=dict)
    count: int = 0
    source: str = ""
    engine: str = ""


def of_method(
    records: Mapping[str, Record], method: str, name: str, data: str, columns: Sequence[Column]
) -> Line:
    """Our line of one method: mean and interval of each column over all rows of its records."""
    rows = [
        row for key in sorted(records) if records[key].method == method for row in records[key].rows
    ]
    failed = sum(bool(records[key].error) for key in records if records[key].method == method)
    figures = {
        column.figure: estimate([row.get(column.figure) for row in rows]) for column in columns
    }
    return Line(name, data, figures, len(rows), f"{failed} failed" if failed else "")


def markdown(title: str, columns: Sequence[Column], lines: Iterable[Line], note: str = "") -> str:
    """A table with its note. Published numbers are printed as they are, ours as mean and interval;
    missing ones as a dash. Engines have a column where a line tells its own."""
    lines = list(lines)
    told = any(line.engine for line in lines)
    head = [
        "model",
        "training data",
        *(column.title for column in columns),
        *(["dynamics"] if told else []),
        "videos",
        "source",
    ]
    table = [f"## {title}", "", "| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for line in lines:
        cells = [_cell(line.figures.get(column.figure), column.digits) for column in columns]
        engine = [line.engine or "–"] if told else []
        table.append(
            "| "
            + " | ".join(
                [
                    line.name,
                    line.data,
                    *cells,
                    *engine,
                    str(line.count or "published"),
                    line.source or "measured here",
                ]
            )
            + " |"
        )
    return "\n".join([*table, "", *([note, ""] if note else [])])


def _cell(value: float | Estimate | None, digits: int) -> str:
    if value is None:
        return "–"
    if isinstance(value, Estimate):
        spread = (
            f" [{_number(value.low, digits)}, {_number(value.high, digits)}]"
            if value.count > 1
            else ""
        )
        return _number(value.mean, digits) + spread
    return f"{value:g}"


def _number(value: float, digits: int) -> str:
    return f"{value:.{digits}f}"
