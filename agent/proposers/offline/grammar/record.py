"""Mechanisms as JSON and back. What is read comes from disk: every field is checked against its
type."""

from __future__ import annotations

import json
import math
import types
import typing
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from typing import Any

from agent.proposers.offline.grammar.quantity import GrammarError, Number
from agent.proposers.offline.grammar.registry import named
from tools.types import MAX_ABS

LONGEST = 256_000
"""Characters of a record that is read."""

MOST = 512
"""Entries of a list, characters of a word."""


def to_json(value: Any) -> Any:
    """Dataclasses as dicts without fields at their default, tuples as lists; a member of a registry
    says its word as "is"."""
    if is_dataclass(value) and not isinstance(value, type):
        word = {"is": vars(type(value)).get("word")} if hasattr(type(value), "word") else {}
        kept = {f.name: getattr(value, f.name) for f in fields(value) if not _default(value, f)}
        return {**word, **{key: to_json(entry) for key, entry in kept.items()}}
    if isinstance(value, tuple):
        return [to_json(entry) for entry in value]
    return value


def dumps(value: Any) -> str:
    """One line of JSON."""
    return json.dumps(to_json(value), separators=(",", ":"), allow_nan=False)


def loads(text: str, kind: type) -> Any:
    """Inverse of ``dumps`` for a dataclass ``kind``; GrammarError says what is wrong and where."""
    if len(text) > LONGEST:
        raise GrammarError("record", f"at most {LONGEST} characters", str(len(text)))
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise GrammarError("record", "JSON", str(error)) from None
    return read(data, kind, kind.__name__.lower())


def _default(value: Any, each: Any) -> bool:
    return each.default is not MISSING and getattr(value, each.name) == each.default


@cache
def _hints(kind: type) -> dict[str, Any]:
    return typing.get_type_hints(kind)


def read(data: Any, kind: Any, where: str) -> Any:
    """A value of type ``kind`` from JSON. ``where``: its path, for messages."""
    origin = typing.get_origin(kind)
    if origin in (typing.Union, types.UnionType):
        return _union(data, kind, where)
    if origin is tuple:
        return _tuple(data, typing.get_args(kind), where)
    if kind in (str, bool, int, float):
        return _plain(data, kind, where)
    if not isinstance(data, dict):
        raise GrammarError(where, "an object", _short(data))
    folder = getattr(kind, "folder", None)
    if folder:
        word = data.get("is")
        kind = named(folder, word if isinstance(word, str) else "")
        data = {key: entry for key, entry in data.items() if key != "is"}
    return _record(data, kind, where)


def _record(data: dict, kind: type, where: str) -> Any:
    known = {f.name: f for f in fields(kind)}
    if strange := [key for key in data if key not in known]:
        raise GrammarError(f"{where}: expected {', '.join(known)}; got {_short(strange[0])}")
    bare = {k for k, f in known.items() if f.default is MISSING and f.default_factory is MISSING}
    needed = sorted(bare - set(data))
    if needed:
        raise GrammarError(f"{where}: expected {', '.join(needed)}; got none")
    hints = _hints(kind)
    return kind(**{key: read(entry, hints[key], f"{where}.{key}") for key, entry in data.items()})


def _union(data: Any, kind: Any, where: str) -> Any:
    options = typing.get_args(kind)
    if data is None and type(None) in options:
        return None
    if isinstance(data, dict) and Number in options:
        return _record(data, Number, where)
    rest = [option for option in options if option not in (type(None), Number)]
    if len(rest) != 1:
        raise GrammarError(where, f"one of {kind}", _short(data))
    return read(data, rest[0], where)


def _tuple(data: Any, inner: tuple, where: str) -> tuple:
    if not isinstance(data, list) or len(data) > MOST:
        raise GrammarError(where, f"a list of at most {MOST}", _short(data))
    if len(inner) == 2 and inner[1] is Ellipsis:
        return tuple(read(entry, inner[0], f"{where}[{k}]") for k, entry in enumerate(data))
    if len(data) != len(inner):
        raise GrammarError(where, f"{len(inner)} entries", str(len(data)))
    pairs = zip(data, inner, strict=True)
    return tuple(read(entry, kind, f"{where}[{k}]") for k, (entry, kind) in enumerate(pairs))


def _plain(data: Any, kind: type, where: str) -> Any:
    if kind is float and isinstance(data, (int, float)) and not isinstance(data, bool):
        if not math.isfinite(data) or abs(data) > MAX_ABS:
            raise GrammarError(where, f"a number up to {MAX_ABS:g}", repr(data))
        return float(data)
    if type(data) is not kind or (isinstance(data, str) and len(data) > MOST):
        raise GrammarError(where, kind.__name__, _short(data))
    return data


def _short(data: Any) -> str:
    text = repr(data)
    return text if len(text) <= 60 else text[:57] + "..."
