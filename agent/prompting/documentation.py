"""The documentation of what programs may call, made from docstrings: it cannot differ from the code."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from types import ModuleType
from typing import Any


def document(module: ModuleType, brief: bool = False) -> str:
    """Markdown for every name in ``module.__all__``: signature and docstring (its first sentence alone when ``brief``)."""
    entries = [_entry(name, getattr(module, name), brief) for name in module.__all__]
    return "\n".join(entries)


def _entry(name: str, thing: Any, brief: bool) -> str:
    text = inspect.cleandoc(_doc(thing))
    text = text.split("\n\n")[0] if brief else _without_examples(text)
    body = "\n".join(f"  {line}".rstrip() for line in text.splitlines())
    return f"- `{name}{_signature(thing)}`\n{body}" if body else f"- `{name}{_signature(thing)}`"


def _doc(thing: Any) -> str:
    return (thing.__doc__ or "") if inspect.isclass(thing) or inspect.isroutine(thing) else type(thing).__doc__ or ""


def _signature(thing: Any) -> str:
    """``(a, b=1)`` without annotations; members of a class that a program reads are named after it."""
    if not callable(thing):
        return ""
    try:
        signature = inspect.signature(thing)
    except (TypeError, ValueError):
        return "(...)"
    plain = [parameter.replace(annotation=inspect.Parameter.empty) for parameter in signature.parameters.values()]
    return str(signature.replace(parameters=plain, return_annotation=inspect.Signature.empty))


def _without_examples(text: str) -> str:
    """Docstring without its doctests."""
    return "\n".join(_prose(text)).rstrip()


def _prose(text: str) -> Iterator[str]:
    example = False
    for line in text.splitlines():
        example = bool(re.match(r"\s*>>>", line)) or (example and bool(line.strip()))
        if not example:
            yield line
