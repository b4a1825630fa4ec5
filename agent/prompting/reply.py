"""Reading a model's answer: as structured output, as a tool call, or as files in prose."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from agent.models.messages import Reply
from agent.prompting.reading import files
from agent.prompting.reading.blocks import Block, blocks
from agent.prompting.reading.edits import Replacement, replacements
from agent.prompting.reading.objects import LONGEST, objects, unwrapped
from agent.prompting.reading.speech import spoken
from tools.errors import ProggenError

MEASURE = "measure"
"""Name under which an answer holds a perception program that is only to be looked at."""
_ANY = frozenset({"rationale", "verdicts", "missing", "verdict"}) | files.KEYS


class ReplyError(ProggenError, ValueError):
    """An answer that cannot be used; the message tells the model what was expected and what
    came."""


class Declined(ReplyError):
    """The model refuses to answer."""


@dataclass(frozen=True)
class Written:
    """What a model wrote. rationale: its paragraph. files: stage -> source, only those it
    changed whole. edits: changes of the parent's files. measure: a perception program whose table
    it wants to see first, or "".
    """

    rationale: str
    files: Mapping[str, str] = field(default_factory=dict)
    edits: tuple[Replacement, ...] = ()
    measure: str = ""


def read_programs(reply: Reply) -> Written:
    """The rationale and the files in ``reply``. Raises ReplyError (Declined for a refusal)."""
    _check_finished(reply)
    written = _written(spoken(reply.text), reply.arguments)
    if not written.files and not written.edits and not written.measure:
        raise ReplyError(_nothing(reply))
    return written


def read_fields(reply: Reply) -> dict[str, Any]:
    """The JSON object in ``reply``, wherever it is. Raises ReplyError (Declined for a refusal)."""
    _check_finished(reply)
    text = spoken(reply.text)
    first: dict[str, Any] | None = None
    for found in objects(text, blocks(text), reply.arguments):
        wanted = unwrapped(found, _ANY)
        if wanted is not None:
            return dict(wanted)
        first = found if first is None else first
    if first is None:
        raise ReplyError(f"expected one JSON object, got {_glimpse(text)}")
    return first


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


def _written(text: str, arguments: str | None) -> Written:
    """Files by the first form that has any: an object, edits, prose."""
    fenced = blocks(text)
    for found in objects(text, fenced, arguments):
        fields = unwrapped(found, files.KEYS | {MEASURE})
        held = files.from_fields(fields) if fields is not None else files.from_list(found)
        if held:
            told = unwrapped(found, frozenset({"rationale"})) or {}
            said = str(told.get("rationale") or "") or _before(text, fenced)
            return Written(_paragraph(said), held)
        wanted = None if fields is None else fields.get(MEASURE)
        if isinstance(wanted, str) and wanted.strip():
            return Written(_before(text, fenced), measure=wanted)
    asked = next((block for block in fenced if f"{MEASURE}.py" in block.info), None)
    if asked is not None and asked.body.strip():
        return Written(_paragraph(_before(text, fenced)), measure=asked.body)
    edits = replacements(text)
    if edits:
        return Written(_paragraph(text.split("<<<<<", 1)[0]), {}, tuple(edits))
    return Written(_paragraph(_before(text, fenced)), files.from_prose(text, fenced))


def _before(text: str, fenced: list[Block]) -> str:
    """The prose before the first file."""
    lines = text.split("\n")[: fenced[0].line if fenced else None]
    lines = lines[: next((n for n, line in enumerate(lines) if line.startswith(("{", "<"))), None)]
    while lines and not lines[-1].strip():
        lines.pop()
    if lines and files.FILE.search(lines[-1]) and len(lines[-1]) < 40:
        lines.pop()  # the file's name above its fence
    return "\n".join(lines)


def _paragraph(text: str) -> str:
    """Prose on one line, headings' marks dropped, cut to 1500 characters."""
    words = " ".join(line.strip().lstrip("#").strip() for line in text.splitlines() if line.strip())
    return words if len(words) <= 1500 else words[:1497] + "..."


def _nothing(reply: Reply) -> str:
    if not (reply.text.strip() or reply.arguments):
        return "the answer was empty; expected a rationale and whole files"
    return (
        "expected perception.py, dynamics.py or rendering.py as whole files, each in a fenced "
        f"block that names it, got {_glimpse(spoken(reply.text) or reply.arguments or '')}"
    )


def _glimpse(text: str) -> str:
    line = " ".join(text.split())
    return repr(line if len(line) <= 120 else line[:117] + "...")
