"""What the pages for people say must be so: commands parse, files and targets exist, code is
Python."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import shlex
from pathlib import Path

import pytest

from agent.cli.parser import parse

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
PAGES = [path for path in PAGES if "_build" not in path.parts]


def blocks(page: Path, *languages: str) -> list[str]:
    """Fenced code blocks of some languages ("" = none named)."""
    found = re.findall(
        r"^```(\w*)\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )
    return [code for language, code in found if language in languages]


def commands() -> list[tuple[str, str]]:
    """(page, line) for every run-agent command in a shell block."""
    lines = []
    for page in PAGES:
        for code in blocks(page, "", "sh", "bash", "console", "shell"):
            joined = code.replace("\\\n", " ")
            lines += [
                (page.name, line.strip().removeprefix("$ "))
                for line in joined.splitlines()
                if line.strip().removeprefix("$ ").startswith("run-agent ")
            ]
    return lines


@pytest.mark.parametrize("page, line", commands())
def test_every_command_in_the_pages_parses(page, line):
    words = shlex.split(re.split(r"\s{2,}|\s#\s|\s\|\s|\s>\s", line)[0])[1:]
    if "--help" in words or "--version" in words or "…" in words or "..." in words:
        return
    parse(words)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files(page):
    links = re.findall(r"\]\((?!https?://|#|mailto:)([^)#]+)", page.read_text(encoding="utf-8"))
    assert not [link for link in links if not (page.parent / link).exists()]


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 120


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_python_in_the_pages_is_python(page):
    for code in blocks(page, "python"):
        ast.parse(code)


def test_make_targets_in_the_pages_exist():
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {
        name
        for page in PAGES
        for name in re.findall(
            r"`make ([a-z]+)`|^make ([a-z]+)", page.read_text(encoding="utf-8"), re.MULTILINE
        )
        for name in name
        if name
    }
    assert {"run", "test"} <= targets and named <= targets


def test_make_run_types_what_the_design_promises():
    assert "run-agent --env cartpole --budget 20" in (ROOT / "Makefile").read_text()


def test_public_functions_of_the_library_are_documented():
    silent = []
    for path in [
        *(ROOT / "agent").glob("*.py"),
        *(ROOT / "sandbox").glob("*.py"),
        *(ROOT / "tools").rglob("*.py"),
    ]:
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if (
                isinstance(node, (ast.FunctionDef, ast.ClassDef))
                and not node.name.startswith("_")
                and ast.get_docstring(node) is None
            ):
                silent.append(f"{path.relative_to(ROOT)}: {node.name}")
    assert not silent


SHAPE = re.compile(r"\((?:\.\.\.|\w[\w +]*)(?:, ?[\w +.*()-]+)*,?\)")
"""As in "(T, H, W, 3)", "(N,)" or "(steps + 1, columns)"."""
FRONT_DOORS = ("tools.toolbox", "tools.physics", "tools.rendering", "tools.fitting", "agent.world")


def public(door: str):
    """Public functions that a module offers, and public methods of the classes that it offers."""
    module = importlib.import_module(door)
    for name in getattr(module, "__all__", [n for n in vars(module) if not n.startswith("_")]):
        found = getattr(module, name)
        if inspect.isfunction(found):
            yield found
        elif inspect.isclass(found) and found.__module__.split(".")[0] in ("tools", "agent"):
            for one, method in vars(found).items():
                method = method.fget if isinstance(method, property) else method
                method = getattr(method, "__func__", method)
                if inspect.isfunction(method) and not one.startswith("_"):
                    yield method


def test_public_functions_that_take_or_give_arrays_say_their_shapes():
    found = {
        f"{one.__module__}.{one.__qualname__}": " ".join((one.__doc__ or "").split())
        for door in FRONT_DOORS
        for one in public(door)
        if "ndarray" in str(one.__annotations__)
    }
    assert len(found) > 40
    assert [name for name, text in found.items() if not SHAPE.search(text)] == []
