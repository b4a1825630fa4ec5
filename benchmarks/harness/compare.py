"""``bench compare A B``: what changed between two results beyond noise, paired by case and
video."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from benchmarks.harness.case import Record
from benchmarks.harness.results import Result
from benchmarks.harness.statistics import paired
from tools.types import ContractError


def compare(first: Result, second: Result) -> str:
    """Markdown: differences of configuration, then per method and figure the mean change with its
    interval.

    Raises ContractError when the two are not of one suite.
    """
    if first.suite != second.suite:
        raise ContractError(
            "bench compare", f"two results of one suite ({first.suite})", second.suite
        )
    lines = [
        f"# {first.suite}: what changed",
        "",
        *_settings(first, second),
        *_cases(first, second),
    ]
    changes = list(_changes(first.records, second.records))
    if not changes:
        return "\n".join([*lines, "Every figure of every video is the same to the last digit.", ""])
    head = [
        "| method | figure | videos | before | after | change (95% interval) | |",
        "|---|---|---|---|---|---|---|",
    ]
    return "\n".join([*lines, *head, *changes, ""])


def _settings(first: Result, second: Result) -> list[str]:
    pairs = [
        (f"option {key}", a, b)
        for key, a, b in _different(first.options.to_json(), second.options.to_json())
    ]
    pairs += [
        (key, a, b)
        for key, a, b in _different(first.about, second.about)
        if key not in ("versions", "started", "seconds")
    ]
    pairs += [
        (key, a, b)
        for key, a, b in _different(
            first.about.get("versions", {}), second.about.get("versions", {})
        )
    ]
    return [*(f"- {key}: {a} -> {b}" for key, a, b in pairs), ""] if pairs else []


def _different(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
    return [(key, a.get(key), b.get(key)) for key in sorted({*a, *b}) if a.get(key) != b.get(key)]


def _cases(first: Result, second: Result) -> list[str]:
    gone, new = (
        sorted({*first.records} - {*second.records}),
        sorted({*second.records} - {*first.records}),
    )
    other = [
        key
        for key in sorted({*first.records} & {*second.records})
        if first.records[key].data != second.records[key].data
    ]
    lines = [f"- only in the first: {', '.join(gone)}"] if gone else []
    lines += [f"- only in the second: {', '.join(new)}"] if new else []
    lines += [f"- not the same data: {', '.join(other)}"] if other else []
    return [*lines, ""] if lines else []


def _changes(first: Mapping[str, Record], second: Mapping[str, Record]) -> Iterator[str]:
    """A row for each method and figure of which any video differs."""
    columns: dict[tuple[str, str], tuple[list[float | None], list[float | None]]] = {}
    for key in sorted({*first} & {*second}):
        for a, b in zip(first[key].rows, second[key].rows, strict=False):
            for name in sorted({*a, *b}):
                before, after = columns.setdefault((first[key].method, name), ([], []))
                before.append(_number(a.get(name)))
                after.append(_number(b.get(name)))
    for (method, name), (before, after) in sorted(columns.items()):
        if before != after:
            yield _row(method, name, before, after)


def _row(method: str, name: str, before: list[float | None], after: list[float | None]) -> str:
    change = paired(before, after)
    if change is None:
        return f"| {method} | {name} | 0 | | | figures appeared or went away | |"
    both = [(a, b) for a, b in zip(before, after, strict=True) if a is not None and b is not None]
    means = [sum(column) / len(both) for column in zip(*both, strict=True)]
    verdict = "**changed**" if change.clear else "within noise"
    return (
        f"| {method} | {name} | {change.count} | {means[0]:.5g} | {means[1]:.5g} | {change} | "
        f"{verdict} |"
    )


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, (int, float)) else None
