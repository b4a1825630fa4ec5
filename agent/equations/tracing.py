"""Reads ``step`` of a dynamics program with symbols. The program's text is walked, never executed:
only what is named here happens, and all of it is bounded.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import sympy

from agent.equations.jet import (
    XP,
    Condition,
    Jet,
    Row,
    Untold,
    checked,
    each,
    jet,
    settled,
    where,
)
from agent.equations.meanings import LINKS, Recorder, tools_of
from tools.physics import namespace
from tools.types import Param

_MOST = 40_000
"""Nodes of the program's text that one reading may visit."""
_DEEP = 24
"""Calls within calls."""
_WHOLE = 2**53
"""Whole numbers above it go on as floats."""
_LONG = 512
"""Turns of a loop, entries of a list."""

_OPERATORS: Mapping[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: lambda a, b: a**b if isinstance(a, Jet) or isinstance(b, Jet) else _power(a, b),
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.BitAnd: operator.and_,
    ast.BitOr: operator.or_,
}
_COMPARISONS: Mapping[type, Callable[[Any, Any], Any]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Is: operator.is_,
    ast.IsNot: operator.is_not,
    ast.In: lambda a, b: a in b,
    ast.NotIn: lambda a, b: a not in b,
}
_NUMBERS = ("tools.physics.xp", "numpy", "math", "tools.physics.namespace.xp")


def _power(a: Any, b: Any) -> Any:
    whole = isinstance(a, int) and isinstance(b, int) and abs(a) <= 1000 and 0 <= b <= 16
    return a**b if whole else float(float(a) ** float(b))


class Returned(Exception):
    """Carries the value of a `return` to the call that it ends."""

    def __init__(self, value: Any = None):
        super().__init__(value)
        self.value = value


class Reading:
    """One reading of a program. values: θ by name, for conditions on nothing but parameters."""

    def __init__(self, source: str, recorder: Recorder, values: Mapping[str, float]):
        self.recorder, self.values = recorder, values
        self.visited = self.depth = 0
        self.names: dict[str, Any] = {
            "range": self._range,
            "len": len,
            "zip": lambda *rows: list(zip(*map(_bounded, rows), strict=False)),
            "enumerate": lambda rows: list(enumerate(_bounded(rows))),
            "reversed": lambda rows: list(reversed(_bounded(rows))),
            "sum": lambda rows: sum(_bounded(rows), 0.0),
            "abs": abs,
            "min": lambda *a: _least(a, XP.minimum),
            "max": lambda *a: _least(a, XP.maximum),
            "dict": lambda *a, **k: dict(*a, **k),
            "list": lambda rows=(): list(_bounded(rows)),
            "tuple": lambda rows=(): tuple(_bounded(rows)),
            "float": lambda x: x,
            "Param": Param,
        }
        tree = ast.parse(source)
        for statement in tree.body:
            self._top(statement)

    def _top(self, statement: ast.stmt) -> None:
        if isinstance(statement, (ast.Import, ast.ImportFrom)):
            self._import(statement)
        elif isinstance(statement, ast.FunctionDef):
            self.names[statement.name] = self._function(statement, self.names)
        elif isinstance(statement, ast.Assign) and not _declares(statement):
            self._statement(statement, self.names)

    def _import(self, statement: ast.Import | ast.ImportFrom) -> None:
        known = tools_of(self.recorder)
        for alias in statement.names:
            name = alias.asname or alias.name
            whole = alias.name
            if isinstance(statement, ast.ImportFrom):
                whole = f"{statement.module}.{alias.name}"
            if whole in _NUMBERS:
                self.names[name] = XP
            elif whole.rpartition(".")[0] in ("math", "numpy"):
                self.names[name] = getattr(XP, alias.name, None)
            elif alias.name == "Link" and isinstance(statement, ast.ImportFrom):
                self.names[name] = LINKS.get(str(statement.module))
            elif alias.name in known and whole.startswith("tools.physics"):
                self.names[name] = known[alias.name]

    def step(self, state: Any, params: Any, action: Any, dt: Any) -> Any:
        """What ``step`` returns. Raises Untold."""
        function = self.names.get("step")
        if not isinstance(function, _Function):
            raise Untold("equations", "a dynamics program with a function step", "none")
        with namespace.using(XP):  # type: ignore[arg-type]
            return function(state, params, action, dt)

    # ---------------------------------------------------------------------------------- statements

    def _function(self, node: ast.FunctionDef | ast.Lambda, scope: Mapping[str, Any]) -> _Function:
        plain = node.args
        if plain.vararg or plain.kwarg or plain.posonlyargs:
            raise Untold("equations", "functions of named arguments", "one of any number")
        defaults = [self._value(d, dict(scope)) for d in plain.defaults]
        return _Function(self, node, scope, [a.arg for a in plain.args], defaults)

    def run(self, body: Sequence[ast.stmt], scope: dict[str, Any]) -> None:
        """Statements of a function, one after the other."""
        for statement in body:
            self._statement(statement, scope)

    def _statement(self, node: ast.stmt, scope: dict[str, Any]) -> None:
        self._count(node)
        match node:
            case ast.Return():
                raise Returned(None if node.value is None else self._value(node.value, scope))
            case ast.Assign():
                value = self._value(node.value, scope)
                for target in node.targets:
                    self._bind(target, value, scope)
            case ast.AnnAssign() if node.value is not None:
                self._bind(node.target, self._value(node.value, scope), scope)
            case ast.AugAssign():
                before = self._value(_load(node.target), scope)
                after = self._operate(node.op, before, self._value(node.value, scope))
                self._bind(node.target, after, scope)
            case ast.If():
                self.run(node.body if self._true(node.test, scope) else node.orelse, scope)
            case ast.For() if not node.orelse:
                for entry in _bounded(self._value(node.iter, scope)):
                    self._bind(node.target, entry, scope)
                    self.run(node.body, scope)
            case ast.FunctionDef():
                scope[node.name] = self._function(node, scope)
            case ast.Expr() | ast.Pass() | ast.Assert():
                if isinstance(node, ast.Expr):
                    self._value(node.value, scope)
            case _:
                raise _unread(node)

    def _bind(self, target: ast.expr, value: Any, scope: dict[str, Any]) -> None:
        if isinstance(target, ast.Name):
            scope[target.id] = checked(value)
        elif isinstance(target, (ast.Tuple, ast.List)):
            entries = list(_bounded(value))
            if len(entries) != len(target.elts):
                raise Untold("equations: expected as many names as values in an assignment")
            for part, entry in zip(target.elts, entries, strict=True):
                self._bind(part, entry, scope)
        elif isinstance(target, ast.Subscript):
            self._value(target.value, scope)[self._value(target.slice, scope)] = checked(value)
        else:
            raise _unread(target)

    def _true(self, test: ast.expr, scope: dict[str, Any]) -> bool:
        found = self._value(test, scope)
        return self._decided(found) if isinstance(found, Condition) else bool(found)

    def _decided(self, found: Condition) -> bool:
        """A condition on parameters alone has an answer; one on the state is one to look into."""
        when = found.when.subs({sympy.Symbol(k, real=True): v for k, v in self.values.items()})
        if when in (sympy.true, sympy.false):
            return bool(when)
        return self.recorder.happens(found.when)

    # --------------------------------------------------------------------------------- expressions

    def _value(self, node: ast.expr, scope: dict[str, Any]) -> Any:
        self._count(node)
        match node:
            case ast.Constant(value=value):
                return value
            case ast.Name(id=name):
                return self._named(name, scope)
            case ast.BinOp():
                left, right = self._value(node.left, scope), self._value(node.right, scope)
                return self._operate(node.op, left, right)
            case ast.UnaryOp():
                return self._unary(node, scope)
            case ast.Compare():
                return self._compared(node, scope)
            case ast.BoolOp():
                return self._bool(node, scope)
            case ast.IfExp():
                test = self._value(node.test, scope)
                if isinstance(test, Condition):
                    a, b = self._value(node.body, scope), self._value(node.orelse, scope)
                    return self._either(test, a, b)
                return self._value(node.body if test else node.orelse, scope)
            case ast.Tuple(elts=parts) | ast.List(elts=parts):
                found = [entry for part in parts for entry in self._spread(part, scope)]
                return tuple(found) if isinstance(node, ast.Tuple) else found
            case ast.Dict():
                return self._dict(node, scope)
            case ast.Subscript():
                return self._item(self._value(node.value, scope), self._value(node.slice, scope))
            case ast.Attribute():
                return self._attribute(self._value(node.value, scope), node.attr)
            case ast.Call():
                return self._call(node, scope)
            case ast.Lambda():
                return self._function(node, scope)
            case ast.ListComp() | ast.GeneratorExp() | ast.DictComp():
                return self._comprehended(node, scope)
        return self._rare(node, scope)

    def _rare(self, node: ast.expr, scope: dict[str, Any]) -> Any:
        if isinstance(node, ast.JoinedStr):
            return "".join(str(self._value(_text(p), scope)) for p in node.values)
        if isinstance(node, ast.Slice):
            ends = (node.lower, node.upper, node.step)
            return slice(*(None if e is None else self._value(e, scope) for e in ends))
        raise _unread(node)

    def _named(self, name: str, scope: Mapping[str, Any]) -> Any:
        for names in (scope, self.names):
            if name in names and names[name] is not None:
                return names[name]
        raise Untold(
            "equations",
            "names of the program, of tools.physics and of arithmetic",
            f"{name!r}, whose meaning for a short frame is not known",
        )

    def _unary(self, node: ast.UnaryOp, scope: dict[str, Any]) -> Any:
        value = self._value(node.operand, scope)
        if isinstance(node.op, ast.USub):
            return -value
        if isinstance(node.op, ast.Not):
            return ~value if isinstance(value, Condition) else not value
        if isinstance(node.op, ast.Invert) and isinstance(value, (Condition, bool)):
            return ~value if isinstance(value, Condition) else not value
        return value

    def _compared(self, node: ast.Compare, scope: dict[str, Any]) -> Any:
        left, found = self._value(node.left, scope), True
        for operation, right_node in zip(node.ops, node.comparators, strict=True):
            right = self._value(right_node, scope)
            one = _COMPARISONS[type(operation)](left, right)
            found = one & found if isinstance(one, Condition) else found if one else False
            left = right
        return found

    def _bool(self, node: ast.BoolOp, scope: dict[str, Any]) -> Any:
        values = [self._value(value, scope) for value in node.values]
        whens = [v.when if isinstance(v, Condition) else sympy.sympify(bool(v)) for v in values]
        if not any(isinstance(v, Condition) for v in values):
            both = isinstance(node.op, ast.And)
            return all(values) if both else next((v for v in values if v), values[-1])
        return settled((sympy.And if isinstance(node.op, ast.And) else sympy.Or)(*whens))

    def _either(self, test: Condition, a: Any, b: Any) -> Any:
        """One of two numbers: pieces of one law where both begin alike, else a question."""
        if sympy.simplify(jet(a).value - jet(b).value) == 0:
            return where(test, a, b)
        if not (jet(a).value.free_symbols | jet(b).value.free_symbols) & _columns(test.when):
            return where(test, a, b)  # a number that depends on where things are
        return a if self._decided(test) else b

    def _operate(self, operation: ast.operator, left: Any, right: Any) -> Any:
        if isinstance(left, Row) or isinstance(right, Row):
            return each(lambda a, b: self._operate(operation, a, b), left, right)
        function = _OPERATORS.get(type(operation))
        sides = (left, right)
        if function is None or not all(
            isinstance(s, (Jet, Condition, bool, int, float)) for s in sides
        ):
            both = all(isinstance(side, (tuple, list)) for side in sides)
            if isinstance(operation, ast.Add) and both and type(left) is type(right):
                return left + right
            raise Untold(
                "equations",
                "arithmetic of numbers",
                f"{type(operation).__name__} of {type(left).__name__} and {type(right).__name__}",
            )
        try:
            found = function(left, right)
            return float(found) if isinstance(found, int) and abs(found) > _WHOLE else found
        except (ArithmeticError, TypeError, ValueError) as error:
            raise Untold("equations", "arithmetic that has a value", str(error)) from None

    def _spread(self, part: ast.expr, scope: dict[str, Any]) -> Iterable[Any]:
        if isinstance(part, ast.Starred):
            return _bounded(self._value(part.value, scope))
        return (self._value(part, scope),)

    def _dict(self, node: ast.Dict, scope: dict[str, Any]) -> dict[Any, Any]:
        found: dict[Any, Any] = {}
        for key, value in zip(node.keys, node.values, strict=True):
            made = self._value(value, scope)
            if key is None:
                found |= made
            else:
                found[self._value(key, scope)] = checked(made)
        return found

    def _item(self, value: Any, key: Any) -> Any:
        try:
            return value[key]
        except (KeyError, IndexError, TypeError):
            raise Untold("equations", f"an entry {key!r} in what is indexed", "none") from None

    def _attribute(self, value: Any, name: str) -> Any:
        if isinstance(value, dict) and name in ("get", "items", "keys", "values", "update", "copy"):
            return getattr(value, name)
        if isinstance(value, dict) and name == "setdefault":
            return value.setdefault
        if isinstance(value, list) and name == "append":
            return value.append
        public = not name.startswith("_")
        if public and (value is XP or type(value).__module__.startswith("tools.physics")):
            found = getattr(value, name, None)
            if found is not None:
                return found
        raise Untold("equations", "functions that are known for symbols", f".{name}")

    def _call(self, node: ast.Call, scope: dict[str, Any]) -> Any:
        function = self._value(node.func, scope)
        arguments = [entry for part in node.args for entry in self._spread(part, scope)]
        named: dict[str, Any] = {}
        for keyword in node.keywords:
            value = self._value(keyword.value, scope)
            named |= value if keyword.arg is None else {keyword.arg: value}
        if not callable(function):
            raise Untold("equations", "a function to call", "something else")
        if function is where:
            return self._where(*arguments)
        try:
            return function(*arguments, **named)
        except (TypeError, ValueError, KeyError, AttributeError, IndexError) as error:
            raise Untold(
                f"equations: {ast.unparse(node.func)[:40]} could not be read with symbols: "
                f"{type(error).__name__}"
            ) from None

    def _where(self, when: Any, a: Any, b: Any) -> Any:
        return self._either(when, a, b) if isinstance(when, Condition) else a if when else b

    def _comprehended(
        self, node: ast.ListComp | ast.GeneratorExp | ast.DictComp, scope: dict[str, Any]
    ) -> Any:
        made: list[Any] = []

        def turn(k: int, inner: dict[str, Any]) -> None:
            if k == len(node.generators):
                parts = (node.key, node.value) if isinstance(node, ast.DictComp) else (node.elt,)
                values = [self._value(part, inner) for part in parts]
                made.append(tuple(values) if isinstance(node, ast.DictComp) else values[0])
                return
            clause = node.generators[k]
            for entry in _bounded(self._value(clause.iter, inner)):
                deeper = dict(inner)
                self._bind(clause.target, entry, deeper)
                if all(self._true(test, deeper) for test in clause.ifs):
                    turn(k + 1, deeper)

        turn(0, dict(scope))
        return dict(made) if isinstance(node, ast.DictComp) else made

    # -------------------------------------------------------------------------------------- bounds

    def _count(self, node: ast.AST) -> None:
        self.visited += 1
        if self.visited > _MOST:
            raise Untold("equations", f"a step of at most {_MOST} operations", "more")

    def _range(self, *bounds: Any) -> range:
        if not all(isinstance(bound, int) for bound in bounds):
            raise Untold("equations: expected loops of a fixed number of turns")
        return range(*bounds)


class _Function:
    """A function of the program. A class, so that its text is at hand where it is called."""

    def __init__(
        self,
        reading: Reading,
        node: ast.FunctionDef | ast.Lambda,
        scope: Mapping[str, Any],
        arguments: list[str],
        defaults: list[Any],
    ):
        self.reading, self.node, self.scope = reading, node, scope
        self.arguments, self.defaults = arguments, defaults

    def __call__(self, *given: Any, **named: Any) -> Any:
        reading = self.reading
        late = dict(zip(reversed(self.arguments), reversed(self.defaults), strict=False))
        bound = late | dict(zip(self.arguments, given, strict=False)) | named
        if set(bound) != set(self.arguments) or len(given) > len(self.arguments):
            raise Untold("equations: expected functions called with the arguments that they take")
        reading.depth += 1
        if reading.depth > _DEEP:
            raise Untold("equations", f"at most {_DEEP} calls within calls", "more")
        try:
            scope = {**self.scope, **bound} if self.scope is not reading.names else bound
            if isinstance(self.node, ast.Lambda):
                return reading._value(self.node.body, scope)
            reading.run(self.node.body, scope)
        except Returned as done:
            return done.value
        finally:
            reading.depth -= 1
        return None


def _columns(when: Any) -> set[sympy.Symbol]:
    return {s for s in when.free_symbols if "." in s.name}


def _declares(statement: ast.Assign) -> bool:
    names = {t.id for t in statement.targets if isinstance(t, ast.Name)}
    return bool(names & {"PARAMS", "LATENTS", "DIFFERENTIABLE", "DETECTIONS"})


def _load(target: ast.expr) -> ast.expr:
    """What an augmented assignment reads first."""
    return ast.parse(ast.unparse(target), mode="eval").body


def _text(part: ast.expr) -> ast.expr:
    return part.value if isinstance(part, ast.FormattedValue) else part


def _bounded(values: Any) -> Sequence[Any]:
    if isinstance(values, (Jet, Condition, str, int, float)) or values is None:
        raise Untold("equations", "something to go through", "a single value")
    if not hasattr(values, "__len__") or len(values) > _LONG:
        raise Untold("equations", f"loops over at most {_LONG} entries", "more")
    return list(values)


def _least(given: tuple[Any, ...], pick: Callable[[Any, Any], Any]) -> Any:
    """Builtin min or max."""
    entries = list(given[0]) if len(given) == 1 else list(given)
    if not any(isinstance(entry, Jet) for entry in entries):
        return min(entries) if pick is XP.minimum else max(entries)
    found = entries[0]
    for entry in entries[1:]:
        found = pick(found, entry)
    return found


def _unread(node: ast.AST) -> Untold:
    line = getattr(node, "lineno", 0)
    return Untold(
        "equations",
        "assignments, conditions, loops of fixed length and calls",
        f"{type(node).__name__} at line {line} of dynamics.py",
    )
