"""HTML that cannot be broken by what is put into it: whatever is not markup already is escaped, and
control characters become visible marks."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from agent.plain import clean

VOID = frozenset(("br", "col", "hr", "img", "input", "link", "meta"))


class Html(str):
    """Text that is markup already."""

    __slots__ = ()


Child = str | int | float | None | Iterable["Child"]


def tag(name: str, *children: Child, **attributes: str | float | bool | None) -> Html:
    """An element. Attributes lose a trailing underscore, others become dashes; None and False leave
    one out, True is a bare one.

    >>> tag("p", "1 < 2 ", tag("b", "so"), class_="a & b", hidden=True)
    '<p class="a &amp; b" hidden>1 &lt; 2 <b>so</b></p>'
    """
    words = "".join(
        _attribute(key.rstrip("_").replace("_", "-"), value)
        for key, value in attributes.items()
        if value is not None and value is not False
    )
    return Html(
        f"<{name}{words}>" if name in VOID else f"<{name}{words}>{join(*children)}</{name}>"
    )


def join(*children: Child) -> Html:
    """Children one after another; None is nothing."""
    return Html("".join(map(_one, children)))


def _one(child: Child) -> str:
    if child is None:
        return ""
    if isinstance(child, Html):
        return child
    if isinstance(child, str | int | float):
        return escape(clean(str(child)))
    return join(*child)


def _attribute(key: str, value: str | float | bool) -> str:
    return f" {key}" if value is True else f' {key}="{escape(clean(str(value)))}"'
