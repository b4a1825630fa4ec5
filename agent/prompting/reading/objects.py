"""JSON objects in an answer: alone, in a fence of any language, amid prose, inside a call."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from agent.prompting.reading.blocks import Block
from tools import claims
from tools.types import ContractError

LONGEST = 1_000_000
"""Characters of an answer that is read."""
_MOST = 64  # objects amid prose that are looked at
_NESTED = 6  # levels of calls around the fields
_TOKEN = re.compile(r'["{}]')
_STRING_END = re.compile(r'(?:[^"\\]|\\.)*+"', re.DOTALL)


def objects(text: str, blocks: list[Block], arguments: str | None) -> Iterator[dict[str, Any]]:
    """The JSON objects of an answer: tool arguments, the whole text, fenced ones, those amid
    prose."""
    fenced = [block.body for block in blocks if block.body.lstrip().startswith(("{", "["))]
    for source in (arguments, text, *fenced):
        value = _value(source)
        if isinstance(value, list) and len(value) == 1:
            value = value[0]
        if isinstance(value, dict):
            yield value
    yield from _amid(text)


def _amid(text: str) -> Iterator[dict[str, Any]]:
    """Balanced ``{...}`` in prose that are JSON, outermost ones, in one pass over the text."""
    depth, start, at, tried = 0, 0, 0, 0
    while (mark := _TOKEN.search(text, at)) is not None and tried < _MOST:
        at = mark.end()
        if mark[0] == "{":
            depth, start = depth + 1, start if depth else mark.start()
        elif mark[0] == "}" and depth:
            depth -= 1
            if depth == 0:
                tried += 1
                value = _value(text[start:at])
                if isinstance(value, dict):
                    yield value
        elif mark[0] == '"' and depth:
            end = _STRING_END.match(text, at)
            if end is None:
                return
            at = end.end()


def _value(source: str | None) -> Any:
    if not source or not source.strip():
        return None
    try:
        return claims.parse(source.strip(), "the answer", LONGEST, strict=False)
    except ContractError:
        return None


def unwrapped(value: Any, wanted: frozenset[str]) -> Mapping[str, Any] | None:
    """The object that has one of the ``wanted`` keys: ``value`` itself, or one inside the calls
    around it (``{"name": ..., "arguments": ...}``, ``{"files": ...}``), None where there is none.

    >>> unwrapped({"function": {"arguments": '{"x": 1}'}}, frozenset({"x"}))
    {'x': 1}
    """
    level = [value]
    for _ in range(_NESTED):
        for one in level:
            if isinstance(one, Mapping) and wanted & set(one):
                return one
        level = [inner for one in level for inner in _inside(one)][: 4 * _MOST]
    return None


def _inside(value: Any) -> Iterator[Any]:
    items = value.values() if isinstance(value, Mapping) else value
    for item in items if isinstance(value, (Mapping, list)) else ():
        yield item
        if isinstance(item, str) and item.lstrip().startswith("{"):
            yield _value(item)
