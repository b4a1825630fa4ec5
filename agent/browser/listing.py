"""Which rows are shown, in which order, and which of them a query means. Pure."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass

from agent.browser.index import Index, Row
from tools.errors import UsageError

_COMPARE = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
    "=": operator.eq,
}
_NUMBER = re.compile(r"(score|seconds|calls)(>=|<=|>|<|=)(.+)", re.ASCII)
_FIELD = re.compile(r"(id|move|stage|status|origin):(.+)", re.ASCII)


@dataclass(frozen=True)
class Line:
    """One line of the tree. depth: 0 for a draft. hidden: number of nodes folded away below it."""

    row: Row
    depth: int
    hidden: int = 0


def matcher(text: str) -> Callable[[Row], bool]:
    """Whether a row is meant by ``text``: words that must all be found in what is on record about
    it, ``field:word`` (id, move, stage, status, origin) and ``score>0.8`` (also seconds, calls).
    Words ignore case; "" means every node.

    >>> matcher("score>much")
    Traceback (most recent call last):
    tools.errors.UsageError: score>much: expected a number after >, got much
    """
    tests = [_test(word) for word in text.split()]
    return lambda row: all(test(row) for test in tests)


def _test(word: str) -> Callable[[Row], bool]:
    if number := _NUMBER.fullmatch(word):
        name, sign, text = number.groups()
        try:
            limit = float(text)
        except ValueError:
            raise UsageError(word, f"a number after {sign}", text) from None
        return lambda row: _COMPARE[sign](_quantity(row, name), limit)
    if named := _FIELD.fullmatch(word):
        name, text = named[1], named[2].lower()
        return lambda row: any(part.lower().startswith(text) for part in _parts(row, name))
    return lambda row: word.lower() in _words(row)


def _quantity(row: Row, name: str) -> float:
    if name == "score":
        return row.score if row.status == "ok" else float("nan")
    return (row.seconds or 0.0) if name == "seconds" else row.calls


def _parts(row: Row, name: str) -> tuple[str, ...]:
    match name:
        case "stage":
            return row.stages
        case "origin":
            return (row.said["origin"],)
        case _:
            return ({"id": row.id, "move": row.kind, "status": row.status}[name],)


def _words(row: Row) -> str:
    """Everything on record about a row, in lower case."""
    said = row.said
    return " ".join(
        (
            row.id,
            row.kind,
            *row.stages,
            row.status,
            row.reason,
            said["rationale"],
            said["origin"],
            *(row.failure or ()),
        )
    ).lower()


def lines(
    index: Index, folded: Collection[str] = (), query: str = "", by_score: bool = False
) -> list[Line]:
    """The lines of the tree from top to bottom: parents before children, in order of proposal.

    folded: nodes whose descendants are left out. A query (see :func:`matcher`), or ``by_score``
    (the best first), gives a flat list.
    """
    if not query.strip() and not by_score:
        return _tree(index, folded)
    means = matcher(query)
    rows = [row for row in index.rows.values() if means(row)]
    if by_score:
        rows.sort(key=lambda row: -row.score if row.status == "ok" else 1.0)
    return [Line(row, 0) for row in rows]


def _tree(index: Index, folded: Collection[str]) -> list[Line]:
    found: list[Line] = []
    stack = [(node, 0) for node in reversed(index.drafts)]
    while stack:
        node, depth = stack.pop()
        row = index.rows[node]
        if node in folded and row.children:
            found.append(Line(row, depth, _descendants(index, row)))
            continue
        found.append(Line(row, depth))
        stack += [(child, depth + 1) for child in reversed(row.children)]
    return found


def _descendants(index: Index, row: Row) -> int:
    count, stack = 0, list(row.children)
    while stack:
        count += 1
        stack += index.rows[stack.pop()].children
    return count
