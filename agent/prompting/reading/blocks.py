"""Fenced blocks in prose."""

from __future__ import annotations

import re
from dataclasses import dataclass

MOST = 200
"""Fenced blocks of an answer that are looked at."""
_TICKS = 10  # characters of a fence that count; more of them say the same
_OPENING = re.compile(r"([ \t]{0,12})(`{3,}|~{3,})(.*)")
_CLOSING = re.compile(r"[ \t]{0,12}(`{3,}|~{3,})[`~]*[ \t]*\Z")


@dataclass(frozen=True)
class Block:
    """A fenced block. line: number of the line that opens it. info: what follows the ticks there.
    above: the last line before it that says anything."""

    line: int
    info: str
    body: str
    above: str


def blocks(text: str) -> list[Block]:
    """The fenced blocks in ``text``, each opened and closed by lines of as many ticks or tildes;
    the indent of the opening line is taken off. Only the last block may be left open."""
    lines, at = text.split("\n"), 0
    found: list[Block] = []
    unclosed = {"`": _TICKS + 1, "~": _TICKS + 1}  # from here on nothing closes a fence so long
    above, left_open = "", None
    while at < len(lines) and len(found) < MOST:
        opening = _OPENING.match(lines[at])
        end = None if opening is None else _closing(lines, at + 1, opening[2], unclosed)
        if opening is None or end is None:
            if opening is not None and left_open is None:
                left_open = Block(at, opening[3], "", above)
            above = lines[at] if lines[at].strip() else above
            at += 1
            continue
        body = _dedented(lines[at + 1 : end], opening[1])
        found.append(Block(at, opening[3], body, above))
        above, at, left_open = lines[end], end + 1, None
    return [*found, _to_the_end(left_open, lines)] if left_open is not None else found


def _to_the_end(block: Block, lines: list[str]) -> Block:
    body = _dedented(lines[block.line + 1 :], "")
    return Block(block.line, block.info, body, block.above)


def _dedented(lines: list[str], indent: str) -> str:
    return "".join(f"{line.removeprefix(indent)}\n" for line in lines)


def _closing(lines: list[str], start: int, fence: str, unclosed: dict[str, int]) -> int | None:
    """The first line from ``start`` on that closes ``fence``; a search in vain is made once."""
    kind, size = fence[0], min(len(fence), _TICKS)
    if size >= unclosed[kind]:
        return None
    for number in range(start, len(lines)):
        closing = _CLOSING.match(lines[number])
        if closing is not None and closing[1][0] == kind and len(closing[1]) >= size:
            return number
    unclosed[kind] = size
    return None
