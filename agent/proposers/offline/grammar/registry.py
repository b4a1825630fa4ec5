"""Which laws, joints, couplings and shapes there are: every class with a word, in every file of a
folder."""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from agent.proposers.offline.grammar.quantity import GrammarError

FOLDERS = ("laws", "joints", "couplings", "shapes")
"""Folders beside this file; a class belongs to the folder of the file that defines it."""

_HOME = "agent.proposers.offline.grammar"
_found: dict[str, dict[str, type]] = {}


def known(folder: str) -> dict[str, type]:
    """{word: class} of a folder, in the order of its files."""
    if folder not in _found:
        package = importlib.import_module(f"{_HOME}.{folder}")
        names = sorted(info.name for info in pkgutil.iter_modules(package.__path__))
        modules = [importlib.import_module(f"{_HOME}.{folder}.{name}") for name in names]
        _found[folder] = _distinct(each for module in modules for each in _classes(module))
    return _found[folder]


def named(folder: str, word: str) -> type:
    """The class of that word; GrammarError lists the known ones."""
    try:
        return known(folder)[word]
    except (KeyError, TypeError):
        listed = ", ".join(known(folder))
        raise GrammarError(f"{folder}: expected one of {listed}; got {word!r}") from None


@contextmanager
def finding(folder: str, path: Path) -> Iterator[dict[str, type]]:
    """Inside the ``with`` block the files of ``path`` count as well as those of a folder; yields
    what they add."""
    before = known(folder)
    modules = [_load(file) for file in sorted(path.glob("*.py"))]
    added = _distinct(each for module in modules for each in _classes(module))
    if clash := set(added) & set(before):
        raise GrammarError(
            f"{folder}: the words {', '.join(sorted(clash))} are taken; choose others"
        )
    _found[folder] = {**before, **added}
    try:
        yield added
    finally:
        _found[folder] = before


def _load(file: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(file.stem, file)
    if spec is None or spec.loader is None:
        raise GrammarError(f"{file}: expected a Python file")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _classes(module: ModuleType) -> Iterator[type]:
    """Classes that a module defines itself and that have a word."""
    for each in vars(module).values():
        if isinstance(each, type) and each.__module__ == module.__name__ and "word" in vars(each):
            yield each


def _distinct(classes: Iterator[type]) -> dict[str, type]:
    found: dict[str, type] = {}
    for each in classes:
        word = vars(each)["word"]
        if word in found:
            raise GrammarError(f"the word {word!r} belongs to two classes; choose another")
        found[word] = each
    return found
