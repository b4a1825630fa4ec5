"""Reading a model's answer: as structured output, as a tool call, or as fenced blocks in prose."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from agent.core.screen import REQUIRED
from agent.models.messages import Reply
from tools.errors import ProggenError
from tools.types import STAGES

_THINKING = re.compile(r"<think(?:ing)?>.*?</think(?:ing)?>", re.DOTALL)
_FENCE = re.compile(
    r"^(?P<ticks>`{3,}|~{3,})(?P<info>[^\n]*)\n(?P<body>.*?)^(?P=ticks)[`~]*[ \t]*$",
    re.DOTALL | re.MULTILINE,
)
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
    return _THINKING.sub("", reply.text.replace("\r\n", "\n")).strip()


def _fields(reply: Reply) -> dict[str, Any] | None:
    """The first of: tool arguments, the whole text, a fenced JSON block, that is a JSON object."""
    text = _spoken(reply)
    fenced = [
        match["body"]
        for match in _FENCE.finditer(text)
        if match["info"].strip().lower() in ("json", "")
    ]
    for source in (reply.arguments, text, *fenced):
        try:
            value = json.loads(source or "", strict=False)
        except ValueError:
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
    match = _FENCE.search(source.strip() + "\n")
    return (match["body"] if match else source).strip() + "\n"


def _from_prose(text: str) -> Written:
    files = {stage: body.strip() + "\n" for stage, body in _blocks(text) if body.strip()}
    before = text[: match.start()] if (match := _FENCE.search(text)) else text
    lines = before.rstrip().splitlines()
    if lines and _FILE.search(lines[-1]) and len(lines[-1]) < 40:
        lines.pop()  # the file's name above its fence
    return Written(_paragraph("\n".join(lines)), files)


def _blocks(text: str) -> Iterator[tuple[str, str]]:
    """(stage, source) of every fenced block whose stage can be told: by its info line, its first
    line, the line above it, or by the functions it defines."""
    for match in _FENCE.finditer(text):
        above = text[: match.start()].rstrip().rsplit("\n", 1)[-1]
        first = match["body"].split("\n", 1)[0]
        named = next(
            (found[1] for line in (match["info"], first, above) if (found := _FILE.search(line))),
            None,
        )
        stage = named or _by_functions(match["body"])
        if stage is not None:
            yield stage, match["body"]


def _by_functions(source: str) -> str | None:
    try:
        defined = {
            node.name for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)
        }
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
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
