"""Proposers by name. A new one is a module with a class under agent.protocols.Proposer and one line in ``_MAKERS``."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

from agent.config import SearchConfig
from agent.errors import UsageError
from agent.protocols import Proposer
from agent.store import Store


def _offline(config: SearchConfig, store: Store) -> Proposer:
    return import_module("agent.proposers.offline").OfflineProposer()


_MAKERS: dict[str, Callable[[SearchConfig, Store], Proposer]] = {"offline": _offline}


def known() -> tuple[str, ...]:
    """Names that ``make`` takes."""
    return tuple(_MAKERS)


def make(config: SearchConfig, store: Store) -> Proposer:
    """The proposer that ``config.proposer`` names; ``store`` is where it may keep recordings. Raises UsageError."""
    if config.proposer not in _MAKERS:
        raise UsageError(f"proposer: expected one of {', '.join(_MAKERS)}, got {config.proposer!r}")
    return _MAKERS[config.proposer](config, store)
