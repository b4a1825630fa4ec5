"""One file out of many: the definitions that programs need from this package, in an order in which
they can be executed.

A definition is a module-level statement. Starting from the programs, the names that each definition
uses are followed through imports to where they are defined; the rest of every module stays out.
Definitions keep their text; a name is changed only where two modules define the same one.
"""

from __future__ import annotations

import ast
import builtins
import importlib.util
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from agent.export.scopes import OURS, Reference, bound_inside, is_ours, references, stored
from agent.run.export_format import INLINED
from tools.errors import UsageError

_FUTURE = "__future__"
_OWN_FORM = {("scipy.optimize", "linear_sum_assignment"): "agent.export.assignment"}
"""Foreign functions that our own code uses and an exported file brings along, so that it needs
less."""


@dataclass(frozen=True)
class Name:
    """Something at module level. module: where it is defined, "" for a foreign module itself. name:
    there."""

    module: str
    name: str


@dataclass(frozen=True)
class Foreign:
    """An import of somebody else's code: ``import module as alias``, or ``from module import name
    as alias``."""

    module: str
    name: str | None


class Module:
    """One file, seen as statements. name: dotted."""

    def __init__(self, name: str, source: str):
        self.name, self.source = name, source
        self.lines = source.encode().splitlines(keepends=True)
        self.statements = [node for node in ast.parse(source).body if not _is_idle(node)]

    @cached_property
    def defined(self) -> dict[str, ast.stmt]:
        """Name -> the statement that defines it (the last one)."""
        return {
            name: node
            for node in self.statements
            if not isinstance(node, (ast.Import, ast.ImportFrom))
            for name in stored([node])
        }

    @cached_property
    def imported(self) -> dict[str, tuple[str, str | None]]:
        """Name -> (module, name there or None), from imports anywhere in the file: those inside
        functions are moved to its head."""
        found: dict[str, tuple[str, str | None]] = {}
        for node in ast.walk(ast.parse(self.source)):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    if alias.asname or "." not in alias.name:
                        found[alias.asname or alias.name] = (alias.name, None)
                    elif alias.name.split(".")[0] in OURS:
                        raise UsageError(
                            f"export: {self.name}.py",
                            f"`from {alias.name} import ...`",
                            f"`import {alias.name}`",
                            "change the import",
                        )
                    else:
                        found[alias.name.split(".")[0]] = (alias.name.split(".")[0], None)
            elif isinstance(node, ast.ImportFrom) and node.module and node.module != _FUTURE:
                for alias in node.names:
                    if alias.name == "*":
                        raise UsageError(
                            f"export: {self.name}.py",
                            "imports by name",
                            f"`from {node.module} import *`",
                            "name what is used",
                        )
                    found[alias.asname or alias.name] = (node.module, alias.name)
        return found

    def span(self, node: ast.stmt) -> tuple[int, int]:
        """Lines (first, last + 1, counted from 0) of a statement with its decorators and the
        comment above it."""
        first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))]) - 1
        while (
            first > 0
            and self.lines[first - 1].lstrip().startswith(b"#")
            and not self.lines[first - 1].startswith(b"# ---")
        ):
            first -= 1
        return first, node.end_lineno or node.lineno


def _is_idle(node: ast.stmt) -> bool:
    """Docstrings, __all__ and imports for type checkers."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return True
    if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "__all__":
        return True
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)


@dataclass
class Gathered:
    """What a file is made of. order: modules of ours, those that others need first. needed: per
    module the statements that are used. names: what everything is called in the file. foreign:
    imports that the file makes, with the name each has there."""

    modules: dict[str, Module]
    order: list[str] = field(default_factory=list)
    needed: dict[str, list[ast.stmt]] = field(default_factory=dict)
    names: dict[Name | Foreign, str] = field(default_factory=dict)


class Gatherer:
    """Follows names. programs: module name -> source, kept whole."""

    def __init__(self, programs: Mapping[str, str]):
        self.modules = {name: Module(name, source) for name, source in programs.items()}
        self._whole = tuple(programs)
        self._seen: set[tuple[str, int]] = set()
        self._used: dict[str, list[ast.stmt]] = {}
        self._foreign: dict[Foreign, str] = {}
        self._order: list[str] = []
        self._open: list[tuple[str, ast.stmt]] = []

    def gather(self, roots: Sequence[Name] = ()) -> Gathered:
        """Everything that the programs and ``roots`` need."""
        for root in roots:
            self.want(self.resolve(root.module, root.name))
        for name in self._whole:
            for statement in self.modules[name].statements:
                self._take(name, statement)
        while self._open:
            module, statement = self._open.pop()
            for reference in references(statement):
                self._follow(module, reference.name, reference.attribute)
        return Gathered(self.modules, self._ordered(), self._in_order(), self._named())

    # ----------------------------------------------------------------------------------------------

    def module(self, name: str) -> Module | None:
        """A module of ours by its dotted name, or None."""
        if name not in self.modules:
            if name.split(".")[0] not in OURS:
                return None
            spec = importlib.util.find_spec(name)
            if spec is None or spec.origin is None:
                return None
            self.modules[name] = Module(name, Path(spec.origin).read_text(encoding="utf-8"))
        return self.modules[name]

    def resolve(self, module: str, name: str) -> Name | Foreign | str | None:
        """What ``name`` means in ``module``: a definition, a foreign import, a module of ours (its
        dotted name), or None (a builtin)."""
        here = self.module(module)
        assert here is not None, f"{module} is a module of ours"
        if name in here.defined:
            return Name(module, name)
        if name not in here.imported:
            return None
        source, inner = here.imported[name]
        if module not in self._whole and inner is not None:
            source = _OWN_FORM.get((source, inner), source)
        if source.split(".")[0] not in OURS:
            return Foreign(source, inner)
        if inner is None:
            return source
        target = self.module(source)
        if target is not None and (inner in target.defined or inner in target.imported):
            return self.resolve(source, inner)
        if importlib.util.find_spec(f"{source}.{inner}") is not None:
            return f"{source}.{inner}"
        raise UsageError(
            f"export: {module}.py", f"a name of {source} in its import", repr(inner), "correct it"
        )

    def _follow(self, module: str, name: str, attribute: ast.Attribute | None) -> None:
        found = self.resolve(module, name)
        if isinstance(found, str):
            if attribute is None:
                raise UsageError(
                    f"export: {module}.py",
                    f"functions of {found} by name",
                    "the module as a value",
                    "import what is used",
                )
            found = self.resolve(found, attribute.attr)
        self.want(found)

    def want(self, found: Name | Foreign | str | None) -> None:
        """Put a definition, or a foreign import, on the list."""
        if isinstance(found, Foreign):
            self._foreign.setdefault(found, found.name or found.module.split(".")[0])
        elif isinstance(found, Name):
            self._take(found.module, self.modules[found.module].defined[found.name])

    def _take(self, module: str, statement: ast.stmt) -> None:
        key = (module, statement.lineno)
        if key not in self._seen and not isinstance(statement, (ast.Import, ast.ImportFrom)):
            self._seen.add(key)
            self._used.setdefault(module, []).append(statement)
            self._open.append((module, statement))

    # ----------------------------------------------------------------------------------------------

    def _ordered(self) -> list[str]:
        """Used modules, those that others import first; the programs last."""
        order: list[str] = []

        def visit(name: str) -> None:
            if name in order or name in trail:
                return
            trail.add(name)
            for source, inner in self.modules[name].imported.values():
                for target in (f"{source}.{inner}", source):
                    if target in self.modules:
                        visit(target)
            order.append(name)

        trail: set[str] = set()
        for name in [*sorted(set(self.modules) - set(self._whole)), *self._whole]:
            visit(name)
        used = [name for name in order if name in self._used]
        return [name for name in used if name not in self._whole] + [
            name for name in self._whole if name in self._used
        ]

    def _in_order(self) -> dict[str, list[ast.stmt]]:
        return {
            name: sorted(statements, key=lambda node: node.lineno)
            for name, statements in self._used.items()
        }

    # ----------------------------------------------------------------------------------------------

    def _named(self) -> dict[Name | Foreign, str]:
        """A name for everything: its own, or with the module's before it where another has it, or a
        function uses it for itself."""
        names: dict[Name | Foreign, str] = {}
        taken: set[str] = set(dir(builtins))
        inside = {
            name
            for module, statements in self._used.items()
            for node in statements
            for name in bound_inside(node)
        }
        for module in (*self._whole, *sorted(set(self._used) - set(self._whole))):
            for node in self._used.get(module, []):
                for name in stored([node]):
                    if Name(module, name) in names:
                        continue
                    wanted = name
                    if wanted in taken:
                        wanted = f"{module.rsplit('.', 1)[-1]}_{name.lstrip('_')}"
                        while wanted in taken or wanted in inside:
                            wanted += "_"
                    names[Name(module, name)] = wanted
                    taken.add(wanted)
        for foreign, _ in sorted(self._foreign.items(), key=lambda item: str(item[0])):
            wanted = self._alias(foreign)
            while wanted in taken:
                wanted += "_"
            names[foreign] = wanted
            taken.add(wanted)
        return names

    def _alias(self, foreign: Foreign) -> str:
        """What the modules that import it call it."""
        for module in self._used:
            for alias, (source, inner) in self.modules[module].imported.items():
                if (source, inner) == (foreign.module, foreign.name):
                    return alias
        return foreign.name or foreign.module.split(".")[0]


# --------------------------------------------------------------------------------------------------


class Writer:
    """Definitions as text, names changed where they have another in the file."""

    def __init__(self, gatherer: Gatherer, gathered: Gathered):
        self._gatherer, self._gathered = gatherer, gathered

    def imports(self) -> Iterator[str]:
        """The import statements of the file, in order."""
        parts: dict[str, list[str]] = {}
        for what, name in self._gathered.names.items():
            if not isinstance(what, Foreign):
                continue
            if what.name is None:
                yield f"import {what.module}" + (f" as {name}" if name != what.module else "")
            else:
                parts.setdefault(what.module, []).append(
                    what.name + (f" as {name}" if name != what.name else "")
                )
        yield from (
            f"from {module} import {', '.join(sorted(names))}"
            for module, names in sorted(parts.items())
        )

    def module(self, name: str) -> str:
        """The used definitions of a module, in order."""
        module = self._gathered.modules[name]
        return (
            "\n\n".join(
                self._statement(module, node) for node in self._gathered.needed.get(name, [])
            )
            + "\n"
        )

    def program(self, name: str) -> str:
        """A program whole, with its comments; its imports of ours commented out."""
        module = self._gathered.modules[name]
        return self._changed(module, 0, len(module.lines), [*module.statements, *_imports(module)])

    def _statement(self, module: Module, node: ast.stmt) -> str:
        first, last = module.span(node)
        return self._changed(module, first, last, [node]).rstrip()

    def _changed(self, module: Module, first: int, last: int, nodes: Sequence[ast.stmt]) -> str:
        edits = [edit for node in nodes for edit in self._edits(module, node)]
        lines = list(module.lines)
        for line, start, stop, text in sorted(set(edits), reverse=True):
            lines[line] = lines[line][:start] + text.encode() + lines[line][stop:]
        return b"".join(lines[first:last]).decode()

    def _edits(self, module: Module, node: ast.stmt) -> Iterator[tuple[int, int, int, str]]:
        """(line, from, to, text): what to replace."""
        for inner in ast.walk(node):
            if isinstance(inner, (ast.Import, ast.ImportFrom)):
                yield from self._import(module, inner)
        yield from self._own_names(module, node)
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            return
        for reference in references(node):
            found = self._gatherer.resolve(module.name, reference.name)
            place: ast.Name | ast.Attribute = reference.node
            if isinstance(found, str) and reference.attribute is not None:
                place = reference.attribute
                found = self._gatherer.resolve(found, place.attr)
            called = self._gathered.names.get(found) if isinstance(found, Name | Foreign) else None
            written = reference.name if place is reference.node else ""
            if called is not None and called != written:
                self._check(module, place, reference)
                yield place.lineno - 1, place.col_offset, place.end_col_offset or 0, called

    def _check(self, module: Module, place: ast.expr, reference: Reference) -> None:
        """Older Pythons do not know where the names in some f-strings stand."""
        text = module.lines[place.lineno - 1][place.col_offset : place.end_col_offset].decode()
        if not text.startswith(reference.name):
            raise UsageError(
                f"export: {module.name}.py, line {place.lineno}",
                "a name in the f-string that nothing else has",
                repr(reference.name),
                "give it a name of its own",
            )

    def _own_names(self, module: Module, node: ast.stmt) -> Iterator[tuple[int, int, int, str]]:
        """The name after ``def`` or ``class``."""
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            called = self._gathered.names.get(Name(module.name, node.name), node.name)
            if called != node.name:
                start = module.lines[node.lineno - 1].index(node.name.encode(), node.col_offset + 3)
                yield node.lineno - 1, start, start + len(node.name.encode()), called

    def _import(
        self, module: Module, node: ast.Import | ast.ImportFrom
    ) -> Iterator[tuple[int, int, int, str]]:
        """An import in the text becomes a comment that can be read back: what it imports stands in
        the file, or at its head. One of foreign code in a function stays."""
        if isinstance(node, ast.ImportFrom):
            if node.col_offset and not is_ours(node):
                return
            text = f"{INLINED}from {node.module} import " + ", ".join(
                self._as_called(module, alias) for alias in node.names
            )
        elif not node.col_offset:
            text = f"{INLINED}import " + ", ".join(
                self._as_called(module, alias) for alias in node.names
            )
        else:
            return
        text = f"pass  {text}" if node.col_offset else text
        lines = module.lines
        last = node.end_lineno or node.lineno
        for line in range(node.lineno - 1, last):
            start = node.col_offset if line == node.lineno - 1 else 0
            stop = node.end_col_offset or 0 if line == last - 1 else len(lines[line])
            yield line, start, stop, text if line == node.lineno - 1 else ""

    def _as_called(self, module: Module, alias: ast.alias) -> str:
        """An imported name as the file calls it."""
        here = alias.asname or alias.name
        found = self._gatherer.resolve(module.name, here)
        called = (
            here
            if isinstance(found, str) or found is None
            else self._gathered.names.get(found, here)
        )
        return alias.name if called == alias.name else f"{alias.name} as {called}"


def _imports(module: Module) -> list[ast.stmt]:
    return [
        node
        for node in ast.parse(module.source).body
        if isinstance(node, (ast.Import, ast.ImportFrom))
    ]
