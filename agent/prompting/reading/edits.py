"""Changes of the parent's programs: SEARCH/REPLACE blocks, as models that edit files write them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from agent.prompting.reading.files import FILE

MOST = 100
"""Edits of one answer."""
_SEARCH = re.compile(r"[ \t]*<{5,9} ?(?:SEARCH|ORIGINAL)\b")
_MIDDLE = re.compile(r"[ \t]*={5,9}[ \t]*\Z")
_END = re.compile(r"[ \t]*>{5,9} ?(?:REPLACE|UPDATED)\b")


@dataclass(frozen=True)
class Replacement:
    """Lines ``search`` of a program give way to ``replace``. stage: "" where none is named."""

    stage: str
    search: tuple[str, ...]
    replace: tuple[str, ...]


def replacements(text: str) -> list[Replacement]:
    """The edits in an answer, in order; each belongs to the file named last before it."""
    found, stage, part = [], "", ""
    kept: dict[str, list[str]] = {}
    for line in text.split("\n"):
        if not part and (named := FILE.search(line)):
            stage = named[1]
        if not part and _SEARCH.match(line):
            part, kept = "search", {"search": [], "replace": []}
        elif part == "search" and _MIDDLE.match(line):
            part = "replace"
        elif part == "replace" and _END.match(line):
            found.append(Replacement(stage, tuple(kept["search"]), tuple(kept["replace"])))
            part = ""
            if len(found) == MOST:
                break
        elif part:
            kept[part].append(line)
    return found


def applied(
    edits: Sequence[Replacement], programs: Mapping[str, str]
) -> tuple[dict[str, str], list[str]]:
    """(stage -> changed source, problems). An edit applies where its lines stand exactly once, line
    ends' spaces aside."""
    changed: dict[str, str] = {}
    problems = []
    for edit in edits:
        sources = {**programs, **changed}
        stages = [edit.stage] if edit.stage in sources else list(sources)
        places = [(s, at) for s in stages for at in _places(sources[s].split("\n"), edit.search)]
        if len(places) != 1:
            where = f"{edit.stage}.py" if edit.stage else "the programs"
            first = next((line.strip() for line in edit.search if line.strip()), "nothing")
            problems.append(
                f"the SEARCH lines that begin with {first[:80]!r} stand {len(places)} times in "
                f"{where}; they must stand there once, to the letter"
            )
            continue
        stage, at = places[0]
        lines = sources[stage].split("\n")
        lines[at : at + len(edit.search)] = edit.replace
        changed[stage] = "\n".join(lines)
    return changed, problems


def _places(lines: Sequence[str], search: Sequence[str]) -> list[int]:
    wanted = [line.rstrip() for line in search]
    if not any(wanted):
        return []
    have = [line.rstrip() for line in lines]
    return [
        at
        for at in range(len(have) - len(wanted) + 1)
        if have[at] == wanted[0] and have[at : at + len(wanted)] == wanted
    ]
