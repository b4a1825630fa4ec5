"""The prompts, as files, and their loader.

A prompt is Markdown with ``{{name}}`` holes. Rendering is strict: every hole must be given a value
and every value must have a hole, so that a prompt never goes out with a piece missing. Comments
(``<!-- ... -->``) say when a prompt is used and are not part of it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable

from tools.errors import ProggenError

_HOLE = re.compile(r"\{\{(\w+)\}\}")
_COMMENT = re.compile(r"<!--.*?-->\n?", re.DOTALL)


class PromptError(ProggenError, ValueError):
    """A prompt is unknown, or a hole and a value do not match."""


@dataclass(frozen=True)
class Template:
    """One prompt file. name: path without suffix, as in "affordances/rigid". text: Markdown with
    holes."""

    name: str
    text: str

    @property
    def holes(self) -> tuple[str, ...]:
        """Names of the holes, in order of first appearance."""
        return tuple(dict.fromkeys(_HOLE.findall(self.text)))

    def render(self, values: Mapping[str, str]) -> str:
        """The prompt with every hole filled; raises PromptError for a missing or an unused value.

        >>> Template("greeting", "Hello {{who}}").render({"who": "world"})
        'Hello world'
        """
        missing = [hole for hole in self.holes if hole not in values]
        unused = [name for name in values if name not in self.holes]
        if missing or unused:
            problems = [f"no value for {', '.join(missing)}"] * bool(missing) + [
                f"no hole for {', '.join(unused)}"
            ] * bool(unused)
            raise PromptError(
                f"prompt {self.name}",
                f"values for {', '.join(self.holes) or 'nothing'}",
                str(" and ".join(problems)),
            )
        return _HOLE.sub(lambda match: values[match.group(1)], self.text).strip() + "\n"


def load(name: str) -> Template:
    """The prompt ``name`` (a path under prompts/ without its suffix); an unknown name lists the
    known ones."""
    known = dict(_sources())
    if name not in known:
        raise PromptError("prompt", f"one of {', '.join(known)}", repr(name))
    return Template(name, _COMMENT.sub("", known[name]).strip())


def version() -> str:
    """12 hex digits over all prompt files; it changes when any of them does."""
    text = "\0".join(f"{name}\0{source}" for name, source in _sources())
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _sources() -> Iterator[tuple[str, str]]:
    """(name, source) of every prompt file, sorted by name."""
    yield from sorted(_walk(files(__package__), ""))


def _walk(folder: Traversable, prefix: str) -> Iterator[tuple[str, str]]:
    for entry in folder.iterdir():
        if entry.is_dir() and not entry.name.startswith("__"):
            yield from _walk(entry, f"{prefix}{entry.name}/")
        elif entry.name.endswith(".md"):
            yield prefix + entry.name.removesuffix(".md"), entry.read_text(encoding="utf-8")
