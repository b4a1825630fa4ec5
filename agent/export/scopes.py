"""Which names in a piece of Python mean something outside it: references to module-level names,
scope by scope. Pure."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

OURS = ("tools", "sandbox", "agent")
"""Packages whose code travels along; everything else is imported by the file."""

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
_Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
_Comprehension = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


def is_ours(node: ast.ImportFrom) -> bool:
    """Whether an import is of code that travels along."""
    return (node.module or "").split(".")[0] in OURS


@dataclass(frozen=True)
class Reference:
    """A use of a module-level name. node: where it stands (an ast.Name). attribute: the node of
    ``name.attribute`` when it is used like that."""

    name: str
    node: ast.Name
    attribute: ast.Attribute | None = None


def references(statement: ast.stmt) -> Iterator[Reference]:
    """Every use of a module-level name in a module-level statement, its own name included where it
    stands as a Name."""
    yield from _visit(statement, frozenset())


def bound_inside(statement: ast.stmt) -> set[str]:
    """Every name that some function in a statement binds for itself."""
    return {
        name
        for node in ast.walk(statement)
        if isinstance(node, (*_FUNCTIONS, *_COMPREHENSIONS))
        for name in _bound(node)
    }


def _visit(node: ast.AST, local: frozenset[str]) -> Iterator[Reference]:
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        if node.value.id not in local:
            yield Reference(node.value.id, node.value, node)
        return
    if isinstance(node, ast.Name):
        if node.id not in local:
            yield Reference(node.id, node)
        return
    if isinstance(node, _FUNCTIONS):
        inner = local | _bound(node)
        for outside in _outside(node):
            yield from _visit(outside, local)
        for inside in node.body if isinstance(node.body, list) else [node.body]:
            yield from _visit(inside, inner)
        return
    if isinstance(node, _COMPREHENSIONS):
        yield from _visit(node.generators[0].iter, local)
        inner = local | _bound(node)
        for child in ast.iter_child_nodes(node):
            yield from _visit(child, inner)
        return
    if isinstance(node, ast.ClassDef):
        yield from _class(node, local)
        return
    for child in ast.iter_child_nodes(node):
        yield from _visit(child, local)


def _class(node: ast.ClassDef, local: frozenset[str]) -> Iterator[Reference]:
    """A class body sees its own names only in statements, not in its methods."""
    for outside in (
        *node.decorator_list,
        *node.bases,
        *(keyword.value for keyword in node.keywords),
    ):
        yield from _visit(outside, local)
    own: set[str] = set()
    for statement in node.body:
        if isinstance(statement, (*_FUNCTIONS, ast.ClassDef)):
            yield from _visit(statement, local)
        else:
            yield from _visit(statement, local | own)
        own |= set(stored([statement]))


def _outside(node: _Function) -> Iterator[ast.AST]:
    """Parts of a function that are evaluated where it stands: decorators, defaults, annotations."""
    yield from getattr(node, "decorator_list", [])
    arguments = node.args
    yield from (
        default for default in (*arguments.defaults, *arguments.kw_defaults) if default is not None
    )
    every = (
        *arguments.posonlyargs,
        *arguments.args,
        *arguments.kwonlyargs,
        *filter(None, (arguments.vararg, arguments.kwarg)),
    )
    yield from (one.annotation for one in every if one.annotation is not None)
    if not isinstance(node, ast.Lambda) and node.returns is not None:
        yield node.returns


def _bound(node: _Function | _Comprehension) -> frozenset[str]:
    if isinstance(node, _COMPREHENSIONS):
        return frozenset(
            name for generator in node.generators for name in _targets(generator.target)
        )
    arguments = node.args
    every = (
        *arguments.posonlyargs,
        *arguments.args,
        *arguments.kwonlyargs,
        *filter(None, (arguments.vararg, arguments.kwarg)),
    )
    body = node.body if isinstance(node.body, list) else [node.body]
    out = {
        name
        for child in body
        for inner in ast.walk(child)
        if isinstance(inner, (ast.Global,))
        for name in inner.names
    }
    return frozenset((set(stored(body)) | {one.arg for one in every}) - out)


def stored(statements: Sequence[ast.AST]) -> Iterator[str]:
    """Names that statements bind in their own scope, those of nested functions left out."""
    for node in statements:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            yield node.name
        elif isinstance(node, ast.Name) and isinstance(node.ctx, (ast.Store, ast.Del)):
            yield node.id
        elif isinstance(node, ast.ImportFrom) and is_ours(node):
            continue  # moved out of its function: a module-level name
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            yield from (alias.asname or alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, (ast.Lambda, *_COMPREHENSIONS)):
            yield from (
                inner.target.id for inner in ast.walk(node) if isinstance(inner, ast.NamedExpr)
            )
        else:
            if (isinstance(node, ast.ExceptHandler) and node.name) or (
                isinstance(node, (ast.MatchAs, ast.MatchStar)) and node.name
            ):
                yield node.name
            yield from stored(list(ast.iter_child_nodes(node)))


def _targets(node: ast.AST) -> Iterator[str]:
    return (inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name))
