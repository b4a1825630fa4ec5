"""Which source is which program: by name, by marks inside one block, or by what it defines."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from typing import Any

from agent.core.screen import REQUIRED
from agent.prompting.reading.blocks import Block, blocks
from tools import claims
from tools.types import STAGES, ContractError

_STAGE = "perception|dynamics|rendering"
FILE = re.compile(rf"\b({_STAGE})\.py\b")
_HEAD = re.compile(rf"[ \t]*(?:[#/=*>\[-]+[^\n]{{0,20}}?)\b({_STAGE})\.py\b[^\n\w]{{0,40}}\Z")
_TAG = re.compile(
    rf"<(?P<tag>file|code|program|source|({_STAGE})(?:\.py)?)\b(?P<attributes>[^<>\n]{{0,120}})>",
    re.IGNORECASE,
)
_NAMES = ("path", "name", "file", "filename", "file_name", "file_path", "stage")
_TEXTS = ("content", "contents", "source", "code", "text", "program")
KEYS = frozenset(key for stage in STAGES for key in (stage, f"{stage}.py"))
"""Keys under which an object may hold a program."""


def from_fields(fields: Mapping[str, Any]) -> dict[str, str]:
    """stage -> source of an object that holds programs by name."""
    found = {}
    for stage in STAGES:
        source = fields.get(stage) or fields.get(f"{stage}.py")
        if isinstance(source, Mapping):
            source = next((source[key] for key in _TEXTS if key in source), None)
        if isinstance(source, str) and source.strip():
            found[stage] = _unfenced(source)
    return found


def from_list(value: Any) -> dict[str, str]:
    """stage -> source of lists such as ``[{"path": "dynamics.py", "content": ...}]``, wherever they
    stand in ``value``."""
    found: dict[str, str] = {}
    level = [value]
    for _ in range(4):
        for one in level:
            if isinstance(one, Mapping):
                name = next((str(one[key]) for key in _NAMES if key in one), "")
                text = next((one[key] for key in _TEXTS if key in one), None)
                stage = re.search(rf"\b({_STAGE})(?:\.py)?\b", name)
                if stage and isinstance(text, str) and text.strip():
                    found[stage[1]] = _unfenced(text)
        level = [
            item
            for one in level
            for item in (
                one.values() if isinstance(one, Mapping) else one if isinstance(one, list) else ()
            )
        ]
    return found


def from_prose(text: str, fenced: list[Block]) -> dict[str, str]:
    """stage -> source of fenced blocks and of files between tags; the last version counts."""
    found = dict(_tagged(text))
    for block in fenced:
        found |= _of_block(block)
    return found


def _of_block(block: Block) -> dict[str, str]:
    parts = dict(_sections(block.body))
    if len(parts) > 1:
        return parts
    if not block.body.strip():
        return {}
    first = block.body.split("\n", 1)[0]
    named = (FILE.search(line) for line in (block.info, first, block.above))
    stage = next((found[1] for found in named if found), None)
    stages = [stage] if stage else by_functions(block.body)
    return {one: block.body.strip() + "\n" for one in stages}


def _sections(body: str) -> Iterator[tuple[str, str]]:
    """The parts of a source that holds several files, each below a line that names it."""
    stage, kept = "", list[str]()
    for line in body.split("\n"):
        head = _HEAD.match(line)
        if head is None:
            kept.append(line)
            continue
        if stage and "".join(kept).strip():
            yield stage, "\n".join(kept).strip() + "\n"
        stage, kept = head[1], []
    if stage and "".join(kept).strip():
        yield stage, "\n".join(kept).strip() + "\n"


def _tagged(text: str) -> Iterator[tuple[str, str]]:
    """Files between tags: ``<file name="dynamics.py">...</file>``, ``<dynamics.py>...``."""
    ends: dict[str, bool] = {}
    at = 0
    while (tag := _TAG.search(text, at)) is not None:
        at = tag.end()
        named = re.search(rf"\b({_STAGE})\b", tag["tag"].lower()) or re.search(
            rf"\b({_STAGE})(?:\.py)?\b", tag["attributes"]
        )
        closing = f"</{tag['tag']}>"
        if named is None or ends.get(closing, True) is False:
            continue
        end = text.find(closing, at)
        ends[closing] = end >= 0
        if end >= 0:
            source = text[at:end].strip().removeprefix("<![CDATA[").removesuffix("]]>")
            yield named[1], _unfenced(source)
            at = end + len(closing)


def _unfenced(source: str) -> str:
    block = next(iter(blocks(source.strip())), None) if source.lstrip()[:1] in "`~" else None
    return (block.body if block else source).strip() + "\n"


def by_functions(source: str) -> list[str]:
    """The stages whose functions a source defines, all of them."""
    try:
        tree = claims.program(source, "the block")
    except (SyntaxError, ContractError):
        return []
    defined = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    return [stage for stage, names in REQUIRED.items() if set(names) <= defined]
