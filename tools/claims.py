"""What others say, read as values of ours: the claims of a child, files, replies, sources.

Nothing is computed with, kept or shown before it has passed here. ``parse`` bounds JSON as such
(size, depth, numbers, keys), ``read`` builds what a type says, by its hints, and ``program`` bounds
source text, so that whatever walks its tree afterwards ends. All of them raise ContractError, in
one line; whose failure that is (a candidate's, a file's) is up to the caller.
"""

from __future__ import annotations

import ast
import dataclasses
import json
import types
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin, get_type_hints

from tools.types import MAX_COLUMNS, MAX_PARAMS, ContractError, FittedParam, States, check_name

DEPTH = 24
"""Lists and objects within each other, in JSON."""
LARGEST = 1e300
"""Magnitude of any number."""
USUAL = 1e15
"""Magnitude of a number that is read as a plain ``float`` or ``int``."""
LONGEST = 1_000_000
"""Characters of one string, entries of one list or object."""
KEY = 200
"""Characters of a key."""
SOURCE = 64_000
"""Characters of one program."""
BRANCHES = 150
"""Nodes above each other in the tree of a program: walks of it by recursion stay far from the
interpreter's own limit."""
MOST_BITS = 1000
"""Of a whole number in a program: it must fit a float, and be written out."""

T = TypeVar("T")
Reader = Callable[[Any, str], Any]
_NO_VALUE = object()


# --------------------------------------------------------------------------------------------------


def parse(data: bytes | str, what: str, cap: int, strict: bool = True) -> Any:
    """The value of JSON of at most ``cap`` bytes or characters: finite numbers of bounded size, no
    key twice in one object, bounded depth. strict: no raw control characters in strings."""
    if len(data) > cap:
        raise ContractError(what, f"at most {cap} bytes of JSON", f"{len(data)}")
    try:
        text = data if isinstance(data, str) else data.decode()
        value = json.loads(
            text,
            parse_constant=_no_constant,
            parse_float=_finite,
            parse_int=_whole,
            object_pairs_hook=_unique,
            strict=strict,
        )
    except RecursionError:
        raise _too_deep(what) from None
    except ValueError as error:
        raise ContractError(what, "strict JSON", str(error)[:200]) from None
    level = [value]
    for _ in range(DEPTH + 1):
        level = [
            item
            for one in level
            if isinstance(one, (list, dict))
            for item in (one if isinstance(one, list) else one.values())
        ]
    if level:
        raise _too_deep(what)
    return value


def _too_deep(what: str) -> ContractError:
    return ContractError(what, f"at most {DEPTH} levels of JSON", "nested too deeply")


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name}, which is no number")


def _finite(text: str) -> float:
    value = float(text)
    if not abs(value) <= LARGEST:
        raise ValueError(f"a number above {LARGEST:g}")
    return value


def _whole(text: str) -> int:
    if len(text) > 18:
        raise ValueError(f"a whole number of {len(text)} digits")
    return int(text)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    body = dict(pairs)
    if len(body) != len(pairs):
        raise ValueError("a key twice")
    return body


# --------------------------------------------------------------------------------------------------


def read(kind: type[T], data: Any, what: str) -> T:
    """``data``, plain JSON, as a value of type ``kind``: a dataclass, str, int, float, bool, None,
    tuples, mappings with text as keys, unions, Any, Annotated (a number with its own magnitude, a
    text that a function checks, as in ``Annotated[str, check]``).

    Fields that a dataclass does not know are left out, those without a default must be there.

    >>> read(tuple[float, ...], [1, 2.5], "sizes")
    (1.0, 2.5)
    """
    hint: Any = kind
    return _reader(hint)(data, what)


@lru_cache(None)
def _reader(hint: Any) -> Reader:
    if hint in _SPECIAL:
        return _SPECIAL[hint]
    origin, args = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return _annotated(*args)
    if origin in (Union, types.UnionType):
        return _union([_reader(one) for one in args if one is not types.NoneType], args)
    if origin is tuple and args[1:] == (...,):
        return _list(_reader(args[0]))
    if origin is tuple:
        return _row([_reader(one) for one in args])
    if origin is not None and issubclass(origin, Mapping):
        return _mapping(_reader(args[1]))
    if dataclasses.is_dataclass(hint):
        return _record(hint)
    raise TypeError(f"no reader for {hint!r}")


def _number(value: Any, what: str, largest: float = USUAL) -> float:
    if (
        isinstance(value, bool)
        or not isinstance(value, (int, float))
        or not -largest <= value <= largest
    ):
        raise ContractError(what, f"a finite number below {largest:g}", _shown(value))
    return float(value)


def _integer(value: Any, what: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value.bit_length() > 62:
        raise ContractError(what, "a whole number", _shown(value))
    return value


def _exactly(kind: type, words: str) -> Reader:
    def reader(value: Any, what: str) -> Any:
        if not isinstance(value, kind):
            raise ContractError(what, words, _shown(value))
        return value

    return reader


def _text(value: Any, what: str) -> str:
    if not isinstance(value, str) or len(value) > LONGEST:
        raise ContractError(what, f"a text of at most {LONGEST} characters", _shown(value))
    return value


def _annotated(hint: Any, rule: float | Callable[[Any, str], Any]) -> Reader:
    if not callable(rule):
        return lambda value, what: _number(value, what, rule)
    inner = _reader(hint)
    return lambda value, what: rule(inner(value, what), what)


def _union(readers: list[Reader], args: tuple[Any, ...]) -> Reader:
    def reader(value: Any, what: str) -> Any:
        if value is None and types.NoneType in args:
            return None
        for one in readers[:-1]:
            try:
                return one(value, what)
            except ContractError:
                continue
        return readers[-1](value, what)

    return reader


def _entries(value: Any, what: str, kind: Any, words: str) -> Any:
    if not isinstance(value, kind) or len(value) > LONGEST:
        raise ContractError(what, f"{words} of at most {LONGEST} entries", _shown(value))
    return value


def _list(inner: Reader) -> Reader:
    def reader(value: Any, what: str) -> tuple[Any, ...]:
        return tuple(
            inner(one, f"{what}[{n}]")
            for n, one in enumerate(_entries(value, what, list | tuple, "a list"))
        )

    return reader


def _row(inner: list[Reader]) -> Reader:
    def reader(value: Any, what: str) -> tuple[Any, ...]:
        if len(_entries(value, what, list | tuple, "a list")) != len(inner):
            raise ContractError(what, f"{len(inner)} entries", str(len(value)))
        return tuple(
            one(item, f"{what}[{n}]")
            for n, (one, item) in enumerate(zip(inner, value, strict=True))
        )

    return reader


def _mapping(inner: Reader) -> Reader:
    def reader(value: Any, what: str) -> dict[str, Any]:
        return {
            _key(key, what): inner(item, f"{what}.{key}")
            for key, item in _entries(value, what, Mapping, "an object").items()
        }

    return reader


def _key(key: Any, what: str) -> str:
    if not isinstance(key, str) or len(key) > KEY:
        raise ContractError(what, f"keys of at most {KEY} characters", _shown(key))
    return key


def _record(kind: Any) -> Reader:
    hints = get_type_hints(kind, include_extras=True)
    fields = [
        (field.name, _reader(hints[field.name]), _is_optional(field))
        for field in dataclasses.fields(kind)
    ]

    def reader(value: Any, what: str) -> Any:
        if not isinstance(value, Mapping):
            raise ContractError(what, "an object", _shown(value))
        given = {}
        for name, inner, optional in fields:
            item = value.get(name, _NO_VALUE)
            if item is not _NO_VALUE:
                given[name] = inner(item, f"{what}.{name}")
            elif not optional:
                raise ContractError(what, f"a field {name!r}", "none")
        try:
            return kind(**given)
        except ContractError:
            raise
        except ValueError as error:
            raise ContractError(what, "values that go together", str(error)[:200]) from None

    return reader


def _is_optional(field: dataclasses.Field) -> bool:
    return (
        field.default is not dataclasses.MISSING or field.default_factory is not dataclasses.MISSING
    )


def _shown(value: Any) -> str:
    """What came, in a few characters; never the whole of something huge."""
    if isinstance(value, (list, tuple, Mapping)):
        return f"{type(value).__name__} of {len(value)}"
    if isinstance(value, str):
        return repr(value if len(value) <= 40 else value[:37] + "...")
    if isinstance(value, int) and value.bit_length() > 64:
        return f"a whole number of {value.bit_length()} bits"
    return f"{value!r}"[:60]


# --------------------------------------------------------------------------------------------------


def _states(value: Any, what: str) -> States:
    if not isinstance(value, Mapping):
        raise ContractError(what, "an object", _shown(value))
    if len(_entries(value.get("columns"), what, list, "a list")) > MAX_COLUMNS:
        raise ContractError(what, f"at most {MAX_COLUMNS} columns", str(len(value["columns"])))
    _entries(value.get("values"), what, list, "a list")
    return States.from_json(value)


def _fitted(value: Any, what: str) -> FittedParam:
    param = _record(FittedParam)(value, what)
    check_name(param.name, f"{what}.name")
    if not param.low < param.high:
        raise ContractError(what, "low < high", f"[{param.low:g}, {param.high:g}]")
    if param.error is not None and param.error < 0:
        raise ContractError(what, "an error from 0 up, or none", f"{param.error:g}")
    return param


_SPECIAL: dict[Any, Reader] = {
    Any: lambda value, what: value,
    float: _number,
    int: _integer,
    bool: _exactly(bool, "true or false"),
    str: _text,
    States: _states,
    FittedParam: _fitted,
}


def fitted(entries: Mapping[str, Mapping[str, Any]], what: str) -> tuple[FittedParam, ...]:
    """Parameters from ``{name: {value, low, high, ...}}``, as files hold them."""
    if len(entries) > MAX_PARAMS:
        raise ContractError(what, f"at most {MAX_PARAMS} parameters", str(len(entries)))
    return tuple(_fitted({**entry, "name": name}, what) for name, entry in entries.items())


def unique_names(params: tuple[FittedParam, ...], what: str) -> tuple[FittedParam, ...]:
    """``params``, if no two of them share a name."""
    if len({param.name for param in params}) != len(params):
        raise ContractError(what, "different names", "a name twice")
    return params


# --------------------------------------------------------------------------------------------------


def program(source: str, what: str, cap: int = SOURCE) -> ast.Module:
    """The tree of a program's source: at most ``cap`` characters, bounded depth, no whole number
    that cannot be written out. Raises SyntaxError (also for what the parser itself gives up on),
    ContractError for what parses and is beyond a bound."""
    if len(source) > cap:
        raise ContractError(
            what,
            f"at most {cap} characters",
            str(len(source)),
            "compute instead of listing",
        )
    try:
        tree = ast.parse(source)
    except (ValueError, RecursionError, MemoryError) as error:
        raise SyntaxError(str(error) or "nested too deeply") from None
    level: list[ast.AST] = [tree]
    for _ in range(BRANCHES):
        level = [child for node in level for child in ast.iter_child_nodes(node)]
        if not level:
            return tree
        for node in level:
            bits = _bits(node)
            if bits > MOST_BITS:
                raise ContractError(
                    f"{what}, line {getattr(node, 'lineno', '?')}",
                    f"whole numbers of at most {MOST_BITS} bits",
                    f"one of {bits}",
                    "measure it in perceive instead",
                )
    raise ContractError(
        what,
        f"expressions and blocks of at most {BRANCHES} levels",
        "deeper ones",
        "write shorter expressions, one statement each",
    )


def _bits(node: ast.AST) -> int:
    """Of a whole number in a program, else 0."""
    value = node.value if isinstance(node, ast.Constant) else None
    return value.bit_length() if isinstance(value, int) else 0
