"""Programs on the page: highlighted, explained by their own docstrings, compared with their
parents."""

from __future__ import annotations

import difflib
from collections.abc import Iterator

from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

from agent.plain import clean
from agent.report.differences import docstring
from agent.report.markup import Html, tag
from agent.report.words import count, listed
from tools.types import Programs

_LONGEST = 300  # characters of a line
_MOST = 70  # lines of a difference
_FORMATTER = HtmlFormatter(nowrap=True)


def listing(source: str) -> Html:
    """Python with a class on every token. Very long lines are cut on the page; the file has them
    whole."""
    text = "\n".join(
        line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"
        for line in source.rstrip().splitlines()
    )
    return tag(
        "pre",
        tag("code", Html(highlight(clean(text), PythonLexer(stripnl=False), _FORMATTER))),
        class_="code",
        tabindex="0",
    )


def explanation(stage: str, source: str) -> Html | None:
    """What a program says of itself: the docstring of its module, else of its function, as
    paragraphs and lists; None when it is silent."""
    text = docstring(stage, source)
    return tag("div", *_blocks(text), class_="says") if text else None


def _blocks(text: str) -> Iterator[Html]:
    for block in text.split("\n\n"):
        plain, items = [], []
        for line in block.splitlines():
            if line.lstrip().startswith(("- ", "* ")):
                items.append(line.strip()[2:])
            elif items:
                items[-1] += f" {line.strip()}"
            else:
                plain.append(line.strip())
        if plain:
            yield tag("p", " ".join(plain))
        if items:
            yield tag("ul", *(tag("li", item) for item in items))


def difference(before: Programs, after: Programs, stages: tuple[str, ...]) -> Html | None:
    """Lines that changed between two candidates in ``stages``, in a fold; None when there are
    none."""
    parts = [
        part
        for stage in stages
        if (part := _changes(stage, before[stage], after[stage])) is not None
    ]
    return (
        tag(
            "details",
            tag("summary", f"What changed in {listed([f'{stage}.py' for stage in stages])}"),
            *parts,
            class_="diff",
        )
        if parts
        else None
    )


def _changes(stage: str, before: str, after: str) -> Html | None:
    lines = list(difflib.unified_diff(_readable(before), _readable(after), n=1, lineterm=""))[2:]
    if not lines:
        return None
    rest = len(lines) - _MOST
    shown = [
        tag(
            "span", f"{line[:_LONGEST]}\n", class_={"+": "add", "-": "del", "@": "at"}.get(line[:1])
        )
        for line in lines[:_MOST]
        if not line.startswith("@@")
    ]
    more = tag("p", f"… and {count(rest, 'more line')}.", class_="muted") if rest > 0 else None
    return tag(
        "div",
        tag("p", f"{stage}.py", class_="file"),
        tag("pre", tag("code", *shown), class_="code", tabindex="0"),
        more,
    )


def _readable(source: str) -> list[str]:
    """Lines that a person compares: comments too long to read are machine notes."""
    return [
        line for line in source.splitlines() if not (line.startswith("#") and len(line) > _LONGEST)
    ]
