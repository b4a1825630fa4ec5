"""The documentation of what programs may call, made from docstrings: it cannot differ from the
code."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from types import ModuleType
from typing import Any


def document(module: ModuleType, brief: bool = False) -> str:
    """Markdown for every name in ``module.__all__``: signature, docstring, and what a class offers
    (of all that only the first paragraph of the docstring when ``brief``)."""
    entries = [_entry(name, getattr(module, name), brief) for name in module.__all__]
    return "\n".join(entries)


def _entry(name: str, thing: Any, brief: bool) -> str:
    text = inspect.cleandoc(_doc(thing))
    text = (
        text.split("\n\n")[0] if brief else "\n".join([_without_examples(text), *_members(thing)])
    )
    body = "\n".join(f"  {line}".rstrip() for line in text.splitlines())
    return f"- `{name}{_signature(thing)}`\n{body}" if body else f"- `{name}{_signature(thing)}`"


def _doc(thing: Any) -> str:
    return (
        (thing.__doc__ or "")
        if inspect.isclass(thing) or inspect.isroutine(thing)
        else type(thing).__doc__ or ""
    )


def _members(thing: Any) -> Iterator[str]:
    """One line for each public method and property that says what it is for; those that read and
    write files are left out."""
    for name, member in vars(thing).items() if inspect.isclass(thing) else ():
        call = getattr(thing, name) if isinstance(member, (classmethod, staticmethod)) else member
        text = inspect.getdoc(call) or ""
        if (
            text
            and not name.endswith("json")
            and (name == "__getitem__" or not name.startswith("_"))
            and (callable(call) or isinstance(call, property))
        ):
            yield f"`{_called(name, call, bound=call is not member)}`: {text.splitlines()[0]}"


def _called(name: str, call: Any, bound: bool) -> str:
    if isinstance(call, property):
        return f".{name}"
    arguments = _signature(call) if bound else re.sub(r"^\(self(, )?", "(", _signature(call))
    return f"[{arguments[1:-1]}]" if name == "__getitem__" else f".{name}{arguments}"


def _signature(thing: Any) -> str:
    """``(a, b=1)`` without annotations; members of a class that a program reads are named after
    it."""
    if not callable(thing):
        return ""
    try:
        signature = inspect.signature(thing)
    except (TypeError, ValueError):
        return "(...)"
    plain = [
        parameter.replace(annotation=inspect.Parameter.empty)
        for parameter in signature.parameters.values()
    ]
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
