"""What laws, joints and couplings have in common: a word, a sentence, numbers."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, ClassVar

from agent.proposers.offline.grammar.quantity import Declared, Number, Quantity, quantities

Resolve = Callable[[str, Quantity], Any]
"""(field, quantity) -> what stands for it in a formula."""


class Owner:
    """Something that holds quantities. word: its name in records, one per folder. says: its
    sentence, with fields in braces."""

    folder: ClassVar[str]
    word: ClassVar[str]
    says: ClassVar[str]

    def subject(self) -> str:
        """What tells its parameters from those of its like: an identifier."""
        raise NotImplementedError

    def label(self) -> str:
        """What the names of its parameters begin with, "" for nothing."""
        return ""

    def words(self) -> dict[str, str]:
        """Fields that its sentence and its parameters' explanations may name."""
        return {"on": self.subject().replace("_", " ")}

    def sentence(self) -> str:
        """What it is, in words."""
        return self.says.format(**self.words())

    def declared(self, name: str = "") -> list[Declared]:
        """Its numbers, in the order of its fields. name: of the body that it belongs to, for
        joints."""
        words = {**self.words(), **({"on": name} if name else {})}
        label, subject = name or self.label(), name or self.subject()
        return [
            Declared(field, given, kind, kind.about.format(**words), subject, label)
            for field, kind, given in quantities(self)
            if isinstance(given, Number)
        ]

    def resolved(self, resolve: Resolve) -> SimpleNamespace:
        """Its quantities under their fields' names, as ``resolve`` makes them; absent ones are
        0."""
        found = {name: resolve(name, given) for name, _, given in quantities(self)}
        absent = {
            each.name: 0.0
            for each in self.__dataclass_fields__.values()  # type: ignore[attr-defined]
            if "kind" in each.metadata and each.name not in found
        }
        return SimpleNamespace(**found, **absent)
