"""Reading a model's answer: as structured output, as a tool call, or as fenced blocks in prose."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field
from typing import Any

from agent.core.screen import REQUIRED
from agent.models.messages import Reply
from tools import claims
from tools.errors import ProggenError
from tools.types import STAGES, ContractError

LONGEST = 1_000_000
"""Characters of an answer that is read."""
_BLOCKS = 200  # fenced blocks of an answer that are looked at
_TICKS = 10  # characters of a fence that count; more of them say the same
_MARK = re.compile(r"<(/?)think(?:ing)?>")
_OPENING = re.compile(r"(`{3,}|~{3,})(.*)")
_CLOSING = re.compile(r"(`{3,}|~{3,})[`~]*[ \t]*\Z")
_FILE = re.compile(r"\b(perception|dynamics|rendering)\.py\b")


class ReplyError(ProggenError, ValueError):
    """An answer that cannot be used; the message tells the model what was expected and what
    came."""


class Declined(ReplyError):
    """The model refuses to answer."""


@dataclass(frozen=True)
class Written:
    """What a model wrote. rationale: its paragraph. files: stage -> source, only those it
    changed."""

    rationale: str
    files: dict[str, str] = field(default_factory=dict)


def read_programs(reply: Reply) -> Written:
    """The rationale and the files in ``reply``. Raises ReplyError (Declined for a refusal)."""
    _check_finished(reply)
    fields = _fields(reply)
    written = _from_fields(fields) if fields is not None else _from_prose(_spoken(reply))
    if not written.files:
        raise ReplyError(_nothing(reply))
    return written


def read_fields(reply: Reply) -> dict[str, Any]:
    """The JSON object in ``reply``, wherever it is. Raises ReplyError (Declined for a refusal)."""
    _check_finished(reply)
    fields = _fields(reply)
    if fields is None:
        raise ReplyError(f"expected one JSON object, got {_glimpse(_spoken(reply))}")
    return fields


def _check_finished(reply: Reply) -> None:
    length = len(reply.text) + len(reply.arguments or "")
    if length > LONGEST:
        raise ReplyError(
            f"the answer has {length} characters; expected at most {LONGEST}: a rationale and "
            "whole files, nothing else"
        )
    if reply.refusal or reply.finish == "content_filter":
        raise Declined(
            "the model declined to answer: "
            f"{_glimpse(reply.refusal or reply.text or 'content filter')}"
        )
    if reply.finish == "length":
        raise ReplyError(
            f"the answer was cut off after {reply.output_tokens} tokens; write shorter programs "
            "and fewer comments"
        )


def _spoken(reply: Reply) -> str:
    """The text without a reasoning model's thoughts and without carriage returns."""
    text, kept, end, begun = reply.text.replace("\r\n", "\n"), [], 0, None
    for mark in _MARK.finditer(text):
        if not mark[1] and begun is None:
            begun = mark.start()
        elif mark[1] and begun is not None:
            kept.append(text[end:begun])
            end, begun = mark.end(), None
    return "".join([*kept, text[end:]]).strip()


@dataclass(frozen=True)
class _Block:
    """A fenced block. line: number of the line that opens it. info: what follows the ticks there.
    above: the last line before it that says anything."""

    line: int
    info: str
    body: str
    above: str


def _blocks(text: str) -> list[_Block]:
    """The fenced blocks in ``text``, each opened and closed by lines of as many ticks or tildes, in
    time linear in its length. What nothing closes is no block."""
    lines, found, at = text.split("\n"), [], 0
    unclosed = {"`": _TICKS + 1, "~": _TICKS + 1}  # from here on nothing closes a fence so long
    above = ""
    while at < len(lines) and len(found) < _BLOCKS:
        opening = _OPENING.match(lines[at])
        end = None if opening is None else _closing(lines, at + 1, opening[1], unclosed)
        if opening is None or end is None:
            above = lines[at] if lines[at].strip() else above
            at += 1
            continue
        body = "".join(f"{line}\n" for line in lines[at + 1 : end])
        found.append(_Block(at, opening[2], body, above))
        above, at = lines[end], end + 1
    return found


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


def _fields(reply: Reply) -> dict[str, Any] | None:
    """The first of: tool arguments, the whole text, a fenced JSON block, that is a JSON object."""
    text = _spoken(reply)
    fenced = [block.body for block in _blocks(text) if block.info.strip().lower() in ("json", "")]
    for source in (reply.arguments, text, *fenced):
        try:
            value = claims.parse(source or "", "the answer", LONGEST, strict=False)
        except ContractError:
            continue
        if isinstance(value, dict):
            return value
    return None


def _from_fields(fields: dict[str, Any]) -> Written:
    files = {}
    for stage in STAGES:
        source = fields.get(stage) or fields.get(f"{stage}.py")
        if isinstance(source, str) and source.strip():
            files[stage] = _unfenced(source)
    return Written(_paragraph(str(fields.get("rationale") or "")), files)


def _unfenced(source: str) -> str:
    block = next(iter(_blocks(source.strip())), None)
    return (block.body if block else source).strip() + "\n"


def _from_prose(text: str) -> Written:
    blocks = _blocks(text)
    files = {
        stage: block.body.strip() + "\n"
        for block in blocks
        if block.body.strip() and (stage := _stage(block)) is not None
    }
    lines = text.split("\n")[: blocks[0].line if blocks else None]
    while lines and not lines[-1].strip():
        lines.pop()
    if lines and _FILE.search(lines[-1]) and len(lines[-1]) < 40:
        lines.pop()  # the file's name above its fence
    return Written(_paragraph("\n".join(lines)), files)


def _stage(block: _Block) -> str | None:
    """The stage of a block: by its info line, its first line, the line above it, or by the
    functions it defines."""
    first = block.body.split("\n", 1)[0]
    named = (_FILE.search(line) for line in (block.info, first, block.above))
    return next((found[1] for found in named if found), None) or _by_functions(block.body)


def _by_functions(source: str) -> str | None:
    try:
        tree = claims.program(source, "the block")
    except (SyntaxError, ContractError):
        return None
    defined = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    return next((stage for stage, names in REQUIRED.items() if set(names) <= defined), None)


def _paragraph(text: str) -> str:
    """Prose on one line, headings' marks dropped, cut to 1500 characters."""
    words = " ".join(line.strip().lstrip("#").strip() for line in text.splitlines() if line.strip())
    return words if len(words) <= 1500 else words[:1497] + "..."


def _nothing(reply: Reply) -> str:
    if not (reply.text.strip() or reply.arguments):
        return "the answer was empty; expected a rationale and whole files"
    return (
        "expected perception.py, dynamics.py or rendering.py as whole files, each in a fenced "
        f"block that names it, got {_glimpse(_spoken(reply) or reply.arguments or '')}"
    )


def _glimpse(text: str) -> str:
    line = " ".join(text.split())
    return repr(line if len(line) <= 120 else line[:117] + "...")
