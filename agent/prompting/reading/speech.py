"""What a model says, without what it thinks: channels and thoughts of open models."""

from __future__ import annotations

import re

_THOUGHT = re.compile(
    r"<(/?)(?:think|thinking|thought|thoughts|reasoning|reflection|scratchpad)>", re.IGNORECASE
)
_TOKEN = re.compile(r"<\|[A-Za-z_]{1,24}\|>")
_CHANNEL, _MESSAGE = "<|channel|>", "<|message|>"


def spoken(text: str) -> str:
    """``text`` without thoughts, channels that are not for the user, and carriage returns.

    A thought that was opened elsewhere ends where it is closed; one that is never closed goes on to
    the end.

    >>> spoken("hm</think>Because.")
    'Because.'
    """
    return _without_thoughts(_for_the_user(text.replace("\r\n", "\n"))).strip()


def _for_the_user(text: str) -> str:
    """The last channels of an answer in several: all but those named analysis."""
    if _CHANNEL not in text:
        return text
    before, *parts = text.split(_CHANNEL)
    kept = [] if before.strip() in ("", "<|start|>assistant") else [before]
    for part in parts:
        name, _, said = part.partition(_MESSAGE)
        if said and not name.strip().lower().startswith("analysis"):
            kept.append(said)
    return "\n".join(_TOKEN.sub("", part) for part in kept)


def _without_thoughts(text: str) -> str:
    kept, end, depth = [], 0, 0
    for mark in _THOUGHT.finditer(text):
        if not mark[1]:
            if depth == 0:
                kept.append(text[end : mark.start()])
            depth = 1
        elif depth == 0:
            kept, end = [], mark.end()
        else:
            depth, end = 0, mark.end()
    return "".join(kept if depth else [*kept, text[end:]])
