"""What can be said of a candidate without running it. Pure; a lint that saves a run, not a barrier
(the sandbox is)."""

from __future__ import annotations

import ast
import hashlib
import zlib
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import TypeGuard

from tools import claims
from tools.types import STAGES, ContractError, Failure, FittedParam, Programs

REQUIRED = {"perception": ("perceive",), "dynamics": ("initial", "step"), "rendering": ("render",)}
"""Functions that each program must define."""

ARGUMENTS = {
    "perceive": ("frames", "tools"),
    "initial": ("states", "params", "dt"),
    "step": ("state", "params", "action", "dt"),
    "render": ("state", "scene", "shape"),
}
"""The positional arguments that each of them is called with."""

ALLOWED = frozenset(
    (
        "numpy",
        "scipy",
        "cv2",
        "pymunk",
        "math",
        "cmath",
        "collections",
        "dataclasses",
        "functools",
        "itertools",
        "typing",
        "statistics",
        "random",
        "operator",
        "enum",
        "fractions",
        "heapq",
        "bisect",
        "copy",
        "abc",
        "numbers",
        "string",
        "re",
        "json",
        "warnings",
        "__future__",
        "tools",
    )
)
"""Modules that a program may import."""

DUPLICATE = "Duplicate"
"""Kind of the failure of a candidate that was there before; there is nothing in it to repair."""

MAX_LITERAL = 4_000
"""Characters of one literal (a string, or the elements of one list): a program computes, it does
not store the video."""

MAX_CONSTANTS = 3_000
"""Numbers and strings in one program, all together."""


def screen(programs: Programs) -> Failure | None:
    """The first rule that a program breaks, or None. Failures are of stage "screen" and name the
    file."""
    for stage, source in programs.items():
        for kind, message in _complaints(stage, source):
            return Failure("screen", kind, f"{stage}.py: {message}")
    return None


def _complaints(stage: str, source: str) -> Iterator[tuple[str, str]]:
    try:
        tree = claims.program(source, f"{stage}.py")
    except SyntaxError as error:
        yield "SyntaxError", _where(error)
        return
    except ContractError as error:
        yield "TooLarge", str(error).removeprefix(f"{stage}.py: ")
        return
    yield from _missing(stage, tree)
    yield from _imports(tree)
    yield from _literals(tree)


def _where(error: SyntaxError) -> str:
    text = (error.text or "").strip()[:80]
    return f"does not parse: {error.msg}" + (f" (line {error.lineno}: {text})" if text else "")


def _missing(stage: str, tree: ast.Module) -> Iterator[tuple[str, str]]:
    defined = {
        node.name: node
        for node in tree.body
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    }
    assigned = {
        target.id
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for name in REQUIRED[stage]:
        signature = f"{name}({', '.join(ARGUMENTS[name])})"
        if name not in defined and name not in assigned:
            yield (
                "MissingFunction",
                f"expected a function {signature}, got "
                f"{', '.join(sorted(defined)) or 'no function'}; define it at the top level",
            )
        elif name in defined and not _takes(defined[name].args, len(ARGUMENTS[name])):
            yield (
                "WrongArguments",
                f"expected {signature}, got {name}({ast.unparse(defined[name].args)[:200]})",
            )


def _takes(args: ast.arguments, count: int) -> bool:
    """Whether a call with ``count`` positional arguments fits."""
    positional = len(args.posonlyargs) + len(args.args)
    needed = positional - len(args.defaults)
    return needed <= count and (positional >= count or args.vararg is not None)


def _imports(tree: ast.Module) -> Iterator[tuple[str, str]]:
    for node in ast.walk(tree):
        if not isinstance(node, (ast.Import, ast.ImportFrom)):
            continue
        for name in _imported(node):
            if name.split(".")[0] not in ALLOWED:
                yield (
                    "ForbiddenImport",
                    f"line {node.lineno}: cannot import {name}; programs may import numpy, scipy, "
                    "cv2, pymunk, math and tools",
                )


def _imported(node: ast.Import | ast.ImportFrom) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [node.module or "."]


def _literals(tree: ast.Module) -> Iterator[tuple[str, str]]:
    constants = [node for node in ast.walk(tree) if isinstance(node, ast.Constant)]
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if _has_docstring(node) and isinstance(node.body[0], ast.Expr)
    }
    for node in constants:
        size = 0 if id(node) in docstrings else _characters(node.value)
        if size > MAX_LITERAL:
            yield (
                "LargeLiteral",
                f"line {node.lineno}: a literal of {size} characters, at most {MAX_LITERAL}; "
                "measure it in perceive instead",
            )
    if len(constants) > MAX_CONSTANTS:
        yield (
            "ManyConstants",
            f"{len(constants)} constants, at most {MAX_CONSTANTS}; measure them in perceive, or "
            "fit them as PARAMS",
        )


_Documented = ast.Module | ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef


def _characters(value: object) -> int:
    if isinstance(value, (str, bytes)):
        return len(value)
    return value.bit_length() // 4 if isinstance(value, int) else 0


def _has_docstring(node: ast.AST) -> TypeGuard[_Documented]:
    return isinstance(node, _Documented) and ast.get_docstring(node, clean=False) is not None


# --------------------------------------------------------------------------------------------------


class _Normalise(ast.NodeTransformer):
    """Drop what does not change what a program does: docstrings (comments and layout are gone
    already)."""

    def _body(self, node: ast.AST) -> ast.AST:
        self.generic_visit(node)
        if _has_docstring(node):
            node.body = node.body[1:] or [ast.Pass()]
        return node

    visit_Module = visit_FunctionDef = visit_ClassDef = visit_AsyncFunctionDef = _body


@lru_cache(4096)
def normalised(source: str) -> str:
    """``source`` without comments, docstrings and layout; as it is when it does not parse."""
    try:
        tree = claims.program(source, "the program")
    except (SyntaxError, ContractError):
        return source
    return ast.unparse(ast.fix_missing_locations(_Normalise().visit(tree)))


def fingerprint(programs: Programs) -> str:
    """Hash that two candidates share when they do the same things in the same words."""
    text = "\0".join(normalised(programs[stage]) for stage in STAGES)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def duplicate(programs: Programs, seen: Mapping[str, str]) -> Failure | None:
    """A failure when ``seen`` (fingerprint -> node id) holds these programs already."""
    known = seen.get(fingerprint(programs))
    return (
        None
        if known is None
        else Failure("screen", DUPLICATE, f"the same programs as node {known}; change what they do")
    )


def fate(stage: str, kind: str, message: str) -> str:
    """What became of a candidate without a score, for people.

    >>> fate("screen", DUPLICATE, "the same programs as node 3; change what they do")
    'not run: the same programs as node 3'
    >>> fate("dynamics", "ValueError", "no ball")
    'failed in dynamics: no ball'
    """
    if kind == DUPLICATE:
        return f"not run: {message.partition(';')[0]}"
    return f"{'refused before it ran' if stage == 'screen' else f'failed in {stage}'}: {message}"


def complexity(programs: Programs, params: tuple[FittedParam, ...] = ()) -> float:
    """Description length in bits: the three normalised sources compressed together, and 32 bits a
    parameter."""
    text = "\0".join(normalised(programs[stage]) for stage in STAGES)
    return 8.0 * len(zlib.compress(text.encode(), 9)) + 32.0 * len(params)
