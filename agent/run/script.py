"""What entered a search that waited for answers, in order: what a resumed run and a replay go
by."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from agent.core.protocols import Move, Proposal

Stored = Callable[[str], tuple[Proposal, Move] | None]
_KINDS = ("asked", "proposed", "declined", "evaluated")


@dataclass(frozen=True)
class Script:
    """events: those of a trace that tell what was asked, entered and was evaluated. stored: the
    proposal of a node."""

    events: tuple[Mapping[str, Any], ...]
    stored: Stored

    @classmethod
    def of(cls, events: Iterable[Mapping[str, Any]], stored: Stored) -> Script:
        """The part of a trace that matters."""
        return cls(tuple(event for event in events if event["event"] in _KINDS), stored)

    @property
    def answered(self) -> set[int]:
        """Questions whose answers entered."""
        told = (e["ticket"] for e in self.events if e["event"] in ("proposed", "declined"))
        return {ticket for ticket in told if ticket is not None}

    @property
    def waited(self) -> bool:
        """Whether anything was asked beside other work at all."""
        return any(event["event"] == "asked" for event in self.events)


@runtime_checkable
class Directing(Protocol):
    """A proposer that knows what enters when."""

    def script(self, policy: str, seed: int) -> Script | None:
        """What enters a search of this policy and seed; None where it has to ask as usual."""
        ...
