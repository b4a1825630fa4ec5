"""Plain characters for a terminal: words that others wrote (programs, models, tracebacks) made safe
and short, and bars."""

from __future__ import annotations

import os
import re
import textwrap
import unicodedata
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar, cast

from tools.characters import clean

__all__ = ["asciified", "bar", "clean", "is_plain", "private", "short", "wrapped"]

_EIGHTHS = " ▏▎▍▌▋▊▉"


def short(text: str, most: int) -> str:
    """``text`` on one line of at most ``most`` characters.

    >>> short("one  two\\nthree", 9)
    'one two …'
    """
    words = clean(" ".join(text.split()))
    return words if len(words) <= most else words[: most - 1] + "…"


def bar(share: float, width: int) -> str:
    """``share`` in [0, 1] of a bar of ``width`` characters, to an eighth of one.

    >>> bar(0.5, 3)
    '█▌ '
    """
    eighths = round(min(max(share, 0.0), 1.0) * width * 8)
    full, rest = divmod(eighths, 8)
    return ("█" * full + (_EIGHTHS[rest] if rest else "")).ljust(width)


def is_plain(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether the terminal can only take lines, not be drawn on."""
    return environ.get("TERM", "dumb") in ("dumb", "unknown", "")


class Verbatim(str):
    """A line that is not to be wrapped: source text, a row of a table."""


def wrapped(line: str, width: int) -> str:
    """``line`` broken between words where it is longer than ``width`` characters; what follows is
    indented to where its text begins.

    >>> print(wrapped("  fitted    gravity = 9.8 m/s^2 (downwards)", 36))
      fitted    gravity = 9.8 m/s^2
                (downwards)
    """
    if len(line) <= width or isinstance(line, Verbatim):
        return line
    label = _LABEL.match(line)
    indent = label.end() if label else len(line) - len(line.lstrip()) + 2
    after = " " * min(indent, width // 3)
    return "\n".join(
        part
        for one in line.splitlines()
        for part in textwrap.wrap(
            one,
            max(width, 20),
            subsequent_indent=after,
            break_long_words=False,
            break_on_hyphens=False,
            replace_whitespace=False,
            drop_whitespace=True,
        )
        or [""]
    )


_LABEL = re.compile(r" *[\w-]+ {2,}")
_ASCII = {"±": "+-", "…": "...", "→": "->", "×": "x", "·": ".", "²": "^2", "³": "^3", "–": "-"}
_ASCII |= {"°": " degrees", "θ": "theta", "—": "-", "■": "#", "●": "o", "\ufffd": "?", "’": "'"}
_ASCII |= dict(zip("▁▂▃▄▅▆▇█▏▎▍▌▋▊▉", "_.:-=+*#", strict=False)) | dict.fromkeys("▏▎▍▌▋▊▉", "#")


def asciified(text: str) -> str:
    """``text`` in ASCII: symbols fall back to what stands for them, letters lose their accents.

    >>> asciified("9.8 ± 0.1 → é▁█")
    '9.8 +- 0.1 -> e_#'
    """
    words = "".join(_ASCII.get(character, character) for character in text)
    plain = unicodedata.normalize("NFKD", words)
    return "".join(
        character if character.isascii() else "?"
        for character in plain
        if not unicodedata.combining(character)
    )


_USER = re.compile(r"(\b[\w+.-]+://)[^/\s@]+@")
_SECRET = re.compile(r"([?&][\w-]*(?:key|token|secret|password)[\w-]*=)[^&\s]+", re.IGNORECASE)
_FILE = re.compile(r"\bfile:(?://localhost(?=/)|/*(?=/))")
_PATH = re.compile(r"(?<![\w.:/~\\>…-])/(?:[\w.@+ -]*[\w.@+-]/)+([\w.@+-]*)")
_DRIVE = re.compile(r"(?:\b[A-Za-z]:|\\)\\(?:[\w.@+ -]*[\w.@+-]\\)+([\w.@+-]*)")
_TILDE = re.compile(r"(?<![\w~/\\])~[A-Za-z_][\w.-]*(?=/)")
_OWNER = re.compile(r".*[/\\](?:home|Users)[/\\][^/\\]+")
V = TypeVar("V")


def private(value: V) -> V:
    """Plain data, or a dataclass of such, without what is only this machine's: credentials in URLs,
    names of users, and where files lie (their names stay).

    >>> private("see https://me:pw@host/v1?api_key=abc and /home/me/clips/ball.mp4, 3 px/s")
    'see https://host/v1?api_key=… and …/ball.mp4, 3 px/s'
    >>> private(("file:///home/me/a.mp4", "in /home/me", r"C:\\Users\\me\\b.mp4", "~me/c.mp4"))
    ('…/a.mp4', 'in …', '…/b.mp4', '…/c.mp4')
    """
    result: Any = value
    if isinstance(value, str):
        result = _private(value)
    elif isinstance(value, Mapping):
        result = {key: private(item) for key, item in value.items()}
    elif isinstance(value, (list, tuple)):
        result = type(value)(map(private, value))
    elif is_dataclass(value) and not isinstance(value, type):
        known = {one.name: getattr(value, one.name) for one in fields(value)}
        result = replace(value, **{name: private(item) for name, item in known.items()})
    return cast(V, result)


def _private(text: str) -> str:
    if not any(sign in text for sign in "/\\~"):
        return text
    text = _FILE.sub("", _SECRET.sub(r"\1…", _USER.sub(r"\1", text)))
    return _TILDE.sub("…", _DRIVE.sub(_name, _PATH.sub(_name, text)))


def _name(path: re.Match[str]) -> str:
    """The name at the end of a path; nothing where that is a user's."""
    return "…" if _OWNER.fullmatch(path[0]) else f"…/{path[1]}"
