"""``xp``: one array namespace that is NumPy by default and ``jax.numpy`` while a fit differentiates
a program."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import numpy


class Namespace:
    """Forwards attributes (``xp.where``, ``xp.sin``, ``xp.pi``) to the array module in force.

    Looked-up attributes are kept on the instance, so that a program pays for the forwarding once;
    switching the module forgets them. One namespace is in force per process at a time: do not
    switch from several threads.
    """

    def __init__(self, module: ModuleType):
        self._switch(module)

    def _switch(self, module: ModuleType) -> None:
        self.__dict__.clear()
        self.__dict__["_module"] = module

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._module, name)
        self.__dict__[name] = value
        return value

    def __repr__(self) -> str:
        return f"<xp: {self._module.__name__}>"


xp = Namespace(numpy)


@contextmanager
def using(module: ModuleType) -> Iterator[Namespace]:
    """Let ``xp`` stand for ``module`` (``numpy``, ``jax.numpy``) inside the ``with`` block.

    >>> with using(numpy):
    ...     float(xp.sqrt(4.0))
    2.0
    """
    before = xp._module
    xp._switch(module)
    try:
        yield xp
    finally:
        xp._switch(before)
