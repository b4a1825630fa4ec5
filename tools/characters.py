r"""Which characters of other people's words may reach a terminal, a page or a file.

Control characters command a terminal; bidirectional ones reorder what is read; zero-width, filler
and tag characters hide words. Line ends and tabs stay.
"""

from __future__ import annotations

import re

HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f"
    "\u2028-\u202e\u2060-\u206f\u3164\ud800-\udfff\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\ufffe\uffff"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)


def clean(text: str) -> str:
    r"""``text`` whose hidden characters are visible marks.

    >>> clean("a\x1b[2Jb"), clean("pass\u200bword")
    ('a\ufffd[2Jb', 'pass\ufffdword')
    """
    return HIDDEN.sub("\ufffd", text)


def source(text: str) -> str:
    r"""A program's text, cleaned, with ordinary line ends: what a person reads is what runs.

    >>> source("\ufeffa = 1\r\n\f\nb = '\x1b[2J'")
    "a = 1\n \nb = '\ufffd[2J'"
    """
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    return clean(text.replace("\f", " "))
