"""Plain characters for a terminal: words that others wrote (programs, models, tracebacks) made safe
and short, and bars."""

from __future__ import annotations

import re

_CONTROL = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]"
)  # control and bidirectional characters
_EIGHTHS = " ▏▎▍▌▋▊▉"


def clean(text: str) -> str:
    r"""``text`` whose control characters, but for line ends and tabs, are visible marks instead of
    orders to the terminal.

    >>> clean("a\x1b[2Jb")
    'a\ufffd[2Jb'
    """
    return _CONTROL.sub("\ufffd", text)


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
