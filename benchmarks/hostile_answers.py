"""Answers that once took a parser minutes, or its stack: each of about ``n`` characters."""

from __future__ import annotations

from collections.abc import Callable

ANSWERS: dict[str, Callable[[int], str]] = {
    "brackets": lambda n: "[" * n,
    "objects": lambda n: '{"a":' * (n // 5),
    "strings that do not end": lambda n: '{"a": "' * (n // 7),
    "escapes": lambda n: '{"a": "' + "\\\\" * (n // 2),
    "digits": lambda n: '{"a": ' + "1" * n + "}",
    "fences that do not end": lambda n: "```python\n" * (n // 10),
    "fences of all lengths": lambda n: "".join("`" * (3 + i % 9) + "x\n" for i in range(n // 9)),
    "longer and longer fences": lambda n: "".join("`" * k + "\n" for k in range(3, int(n**0.5))),
    "fences and blank lines": lambda n: (
        "".join("`" * k + "x\n" for k in range(12, 2, -1)) + "\n" * n
    ),
    "two kinds of fences": lambda n: "```\n~~~\n" * (n // 8),
    "small blocks": lambda n: "```\n```\n" * (n // 8),
    "blocks with functions": lambda n: "```\ndef f():\n pass\n```\n" * (n // 23),
    "spaces after fences": lambda n: ("```" + " " * 200 + "x\n") * (n // 204),
    "ticks": lambda n: "`" * n,
    "thoughts that do not end": lambda n: "<think>" * (n // 7),
    "thoughts": lambda n: "<think></think>" * (n // 15),
    "names of files": lambda n: "perception.py " * (n // 14),
    "returns": lambda n: "\r\n" * (n // 2),
}
