"""What the constants of programs could hold, in bits: a program computes, it does not list places.
Pure.

A forecast can be typed in: places read off the table of a prompt, or packed into one long word.
Constants are therefore charged by their information content. What honest programs need is free:
colours, radii, the corners of a shape, thresholds, and parameters, which are fitted and counted
elsewhere (``agent.core.screen.complexity``). It is a lint like the screen; what it misses is met by
the frames that nobody is shown (``agent.core.split``).
"""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Iterator

from tools.types import Programs

FREE_DYNAMICS = 125.0
"""Bits that the numbers of a dynamics program may hold per column that moves, its PARAMS apart: a
dozen of 3 digits. Written by hand they hold 5 to 30, by the grammar up to 125 (a hilly track). Text
that names nothing has no business there."""

FREE_COLUMNS = (2, 12)
"""Columns that count at least, and at most."""

FREE_LITERAL = 256.0
"""Bits of one literal (list, dict, string) in perception or rendering: a dozen corners of a shape,
or the colours of ten things."""

FREE_PROGRAM = 640.0
"""Bits of all constants of one such program."""

FREE_PART, MANY = 32.0, 160
"""Bits that such a program, or one literal of it, may hold more for each column that moves beyond
the most that count above (colours and first places of a crowd), and columns at most."""

FREE_PARAM = 100.0
"""Bits of the numbers of one Param: value, bounds and prior of 7 digits each."""

FREE_WORDS = 160
"""Characters of one string in a Param, which says what the number means."""

SPENT = 64.0
"""Bits beyond what is free, per column that moves, that cost the whole score: six numbers of 3
digits."""

_NAME = re.compile(r"(?=(\D*\d?){5}$)\.?[A-Za-z_]\w{0,39}(\.\w{1,24})?\.?|[\W_]{1,3}")
# names something, or is a piece of such a name in an f-string: few digits
_CHARACTER = 6.0  # bits of one character of a string that names nothing
_DIGIT = math.log2(10.0)


def charge(
    programs: Programs, moving: int, given: frozenset[float] = frozenset()
) -> tuple[float, str]:
    """Share of the score that constants cost, in [0, 1], and why, or (0, ""). moving: columns of
    the measured states that move. given: numbers that a person measured, which perception may
    hold for nothing."""
    columns = min(max(moving, FREE_COLUMNS[0]), FREE_COLUMNS[1])
    crowd = FREE_PART * max(0, min(moving, MANY) - FREE_COLUMNS[1])
    beyond = {
        stage: _beyond(
            stage, source, columns, crowd, given if stage == "perception" else frozenset()
        )
        for stage, source in programs.items()
    }
    worst = max(beyond, key=lambda stage: beyond[stage])
    share = min(sum(beyond.values()) / (SPENT * columns), 1.0)
    if share <= 0.0:
        return 0.0, ""
    return share, (
        f"constants in {worst}.py hold {beyond[worst]:.0f} bits more than colours, sizes and first "
        f"values need, as a table of places does, which costs {share:.0%} of the score: measure in "
        "perceive, fit as PARAMS, compute in step"
    )


def _beyond(stage: str, source: str, columns: int, crowd: float, given: frozenset[float]) -> float:
    """Bits beyond what is free in one program; 0 when it does not parse. crowd: bits that many
    things need besides."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return 0.0
    aside = set(_aside(tree, "__doc__" in source))
    params = [node for node in ast.walk(tree) if _is_param(node)]
    inside = [part for node in params for part in ast.walk(node)]
    aside |= {id(part) for part in inside if _is_words(part)}
    dear = sum(max(0.0, _bits(node, aside) - FREE_PARAM) for node in params)
    aside |= {id(part) for part in inside}
    aside |= {id(node) for node in ast.walk(tree) if _is_given(node, given)}
    total = _bits(tree, aside)
    if stage == "dynamics":
        text = sum(_bits(node, aside) for node in ast.walk(tree) if _is_text(node))
        return dear + text + max(0.0, total - text - FREE_DYNAMICS * columns)
    literals = [_bits(node, aside) for node in _literals(tree)]
    listed = sum(max(0.0, bits - FREE_LITERAL - crowd) for bits in literals)
    return dear + max(listed, total - FREE_PROGRAM - crowd, 0.0)


def _is_param(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Param"


def _is_given(node: ast.AST, given: frozenset[float]) -> bool:
    value = node.value if isinstance(node, ast.Constant) else None
    return isinstance(value, (int, float)) and abs(value) in given


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, (str, bytes))


def _is_words(node: ast.AST) -> bool:
    value = node.value if isinstance(node, ast.Constant) else None
    return isinstance(value, str) and len(value) <= FREE_WORDS


def _aside(tree: ast.AST, read: bool) -> Iterator[int]:
    """Ids of constants that are words for people: docstrings (unless the program reads them) and
    the messages of errors."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.Raise, ast.Assert)):
            yield from (id(part) for part in ast.walk(node))
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and not read:
            yield id(node.value)


def _literals(node: ast.AST) -> Iterator[ast.AST]:
    """The outermost lists, tuples, dicts, sets and bare strings."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (ast.List, ast.Tuple, ast.Dict, ast.Set, ast.Constant)):
            yield child
        else:
            yield from _literals(child)


def _bits(tree: ast.AST, aside: set[int]) -> float:
    return sum(
        _information(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and id(node) not in aside
    )


def _information(value: object) -> float:
    """Bits of one constant: the digits of a number, the characters of a string that is no name.
    Small whole numbers and halves are free."""
    if isinstance(value, (bool, complex)) or value is None or value is Ellipsis:
        return 0.0
    if isinstance(value, int):
        return 0.0 if abs(value) <= 4 else float(abs(value).bit_length())
    if isinstance(value, float):
        if not math.isfinite(value) or 2.0 * value in range(-8, 9):
            return 0.0
        digits = repr(abs(value)).partition("e")[0].replace(".", "").strip("0")
        return _DIGIT * len(digits)
    if isinstance(value, str) and _NAME.fullmatch(value):
        return 0.0
    return _CHARACTER * len(value) if isinstance(value, (str, bytes)) else 0.0
