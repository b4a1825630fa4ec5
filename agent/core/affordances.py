"""Affordance rules: what the user knows about a scene, told to the proposer and, where that is
possible, checked.

A rules file is Markdown: every line that begins with ``- `` is one rule, told to the proposer word
for word. A rule may end in a check in brackets, which the screen then applies to every candidate:

    - Nothing turns. [latents: x y vx vy]
    - No physics engine. [no-import dynamics: pymunk]
    - Only disks are drawn. [no-call rendering: draw_polygon draw_sprite]
    - Gradients are needed. [differentiable]
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import prompts
from tools import claims
from tools.errors import UsageError
from tools.types import STAGES, ContractError, Failure, Programs

BUILT_IN = ("rigid", "circles", "articulated", "differentiable", "engine")
"""Names that stand for rules that come with the project."""

_CHECK = re.compile(r"\s*\[([a-z-]+)(?:\s+(\w+))?(?::\s*([^\]]*))?\]\s*$")


@dataclass(frozen=True)
class Check:
    """A rule's machine-readable part. kind: one of CHECKS. stage: the program it looks at. names:
    its arguments."""

    kind: str
    stage: str
    names: tuple[str, ...]

    def __str__(self) -> str:
        return f"[{self.kind} {self.stage}: {' '.join(self.names)}]"


@dataclass(frozen=True)
class Rule:
    """text: one sentence for the proposer. check: what the screen does about it, or None."""

    text: str
    check: Check | None = None


@dataclass(frozen=True)
class Affordances:
    """A set of rules; empty means that anything goes."""

    rules: tuple[Rule, ...] = ()

    def __add__(self, other: Affordances) -> Affordances:
        return Affordances(
            self.rules + tuple(rule for rule in other.rules if rule not in self.rules)
        )

    def describe(self) -> str:
        """The rules as a Markdown list, or "" when there are none."""
        return "\n".join(
            f"- {rule.text}" + (" (checked)" if rule.check else "") for rule in self.rules
        )

    def to_markdown(self) -> str:
        """The rules as a rules file has them; this is what a run saves."""
        return "\n".join(
            f"- {rule.text}" + (f" {rule.check}" if rule.check else "") for rule in self.rules
        )

    def check(self, programs: Programs) -> Failure | None:
        """The first checked rule that ``programs`` break, as a failure of stage "screen", or None.
        Sources that do not parse are left to the screen."""
        for rule in self.rules:
            for complaint in _complaints(rule.check, programs):
                return Failure("screen", "AffordanceRule", f"{complaint}; the rule: {rule.text}")
        return None


def load(name: str) -> Affordances:
    """A built-in set by name, or a rules file by path. Raises UsageError (one line) for anything
    else."""
    if name in BUILT_IN:
        return parse(prompts.load(f"affordances/{name}").text, name)
    try:
        return parse(Path(name).read_text(encoding="utf-8"), name)
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not a text file"
        raise UsageError(
            "affordance", f"{', '.join(BUILT_IN)} or a file of rules", f"{name!r} ({reason})"
        ) from None


def load_all(names: Iterable[str]) -> Affordances:
    """Several sets as one."""
    return sum((load(name) for name in names), Affordances())


def of(markdown: str) -> Affordances:
    """The inverse of :meth:`Affordances.to_markdown`: "" gives no rules."""
    return parse(markdown, "rules") if markdown.strip() else Affordances()


def parse(text: str, source: str) -> Affordances:
    """Rules from Markdown. Raises UsageError when there are none, or when a check is not known."""
    rules = tuple(
        _rule(line.strip()[2:].strip(), source)
        for line in text.splitlines()
        if line.strip().startswith("- ")
    )
    if not rules:
        raise UsageError(f"affordance {source}", "lines that begin with '- '", "none")
    return Affordances(rules)


def _rule(line: str, source: str) -> Rule:
    match = _CHECK.search(line)
    if match is None:
        return Rule(line)
    kind, stage, names = match.groups()
    if kind not in CHECKS or (stage or "dynamics") not in STAGES:
        raise UsageError(
            f"affordance {source}",
            f"a check of {', '.join(CHECKS)} and a stage of {', '.join(STAGES)}",
            str(match.group(0).strip()),
        )
    return Rule(
        line[: match.start()], Check(kind, stage or "dynamics", tuple((names or "").split()))
    )


def _complaints(check: Check | None, programs: Programs) -> Iterator[str]:
    if check is None:
        return
    try:
        tree = claims.program(programs[check.stage], check.stage)
    except (SyntaxError, ContractError):
        return
    for complaint in CHECKS[check.kind](tree, check.names):
        yield f"{check.stage}.py: {complaint}"


def _latents(tree: ast.Module, allowed: tuple[str, ...]) -> Iterator[str]:
    for column in _strings(_assigned(tree, "LATENTS")):
        if column.rpartition(".")[2] not in allowed:
            yield f"LATENTS: expected attributes among {', '.join(allowed)}, got {column!r}"


def _no_call(tree: ast.Module, names: tuple[str, ...]) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in names:
            yield f"line {node.lineno}: calls {ast.unparse(node.func)}"


def _no_import(tree: ast.Module, names: tuple[str, ...]) -> Iterator[str]:
    for node, module in _imports(tree):
        if module.split(".")[0] in names:
            yield f"line {node.lineno}: imports {module}"


def _differentiable(tree: ast.Module, _names: tuple[str, ...]) -> Iterator[str]:
    declared = _assigned(tree, "DIFFERENTIABLE")
    if not (isinstance(declared, ast.Constant) and declared.value is True):
        yield "expected DIFFERENTIABLE = True, got none; declare it at the top level"
    for node, module in _imports(tree):
        if module.split(".")[0] not in ("tools", "math", "__future__"):
            yield f"line {node.lineno}: imports {module}; compute with xp from tools.physics"
    for function in (
        node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name != "initial"
    ):
        for inner in ast.walk(function):
            if isinstance(inner, (ast.If, ast.IfExp, ast.While)):
                yield f"line {inner.lineno}: branches in {function.name}; use xp.where"


CHECKS: dict[str, Callable[[ast.Module, tuple[str, ...]], Iterator[str]]] = {
    "latents": _latents,
    "no-call": _no_call,
    "no-import": _no_import,
    "differentiable": _differentiable,
}


def _assigned(tree: ast.Module, name: str) -> ast.expr | None:
    """The expression that the module assigns to ``name``, or None."""
    for node in tree.body:
        if not isinstance(node, (ast.Assign, ast.AnnAssign)):
            continue
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        if any(isinstance(target, ast.Name) and target.id == name for target in targets):
            return node.value
    return None


def _strings(expression: ast.expr | None) -> Iterator[str]:
    nodes = ast.walk(expression) if expression is not None else ()
    return (
        node.value
        for node in nodes
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    )


def _imports(tree: ast.Module) -> Iterator[tuple[ast.stmt, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node, node.module or "."
