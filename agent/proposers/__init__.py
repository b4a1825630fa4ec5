"""Proposers by name. A new one is a module with a class under agent.core.protocols.Proposer and one
line in ``_MAKERS``.

Nothing that only one proposer needs is imported before that proposer is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

from agent.config import SearchConfig
from agent.core.protocols import Proposer
from agent.run.store import Store
from tools.errors import UsageError

if TYPE_CHECKING:
    from pydantic import SecretStr

    from agent.run.shared import SharedStore

KEY_VARIABLES = ("PROGGEN_API_KEY", "OPENAI_API_KEY")
"""Environment variables that may hold the key, the first one that is set counts."""

URL_VARIABLES = ("PROGGEN_BASE_URL", "OPENAI_BASE_URL", "OPENAI_API_BASE")
"""Environment variables that may hold the endpoint's base URL."""


@dataclass(frozen=True)
class Access:
    """What asking a model needs besides the configuration. key: masked wherever it is printed, None
    when there is none. shared: where replies to other runs are, None for nowhere."""

    key: SecretStr | None = None
    shared: SharedStore | None = None


def access(environment: Mapping[str, str], shared: SharedStore | None = None) -> Access:
    """The key from ``environment`` (the CLI passes os.environ; nothing else reads it)."""
    value = next((environment[name] for name in KEY_VARIABLES if environment.get(name)), "")
    key = import_module("pydantic").SecretStr(value) if value else None
    return Access(key, shared)


def base_url(environment: Mapping[str, str]) -> str:
    """The endpoint from ``environment``, "" when it names none."""
    return next((environment[name] for name in URL_VARIABLES if environment.get(name)), "")


def known() -> tuple[str, ...]:
    """Names that ``make`` takes."""
    return tuple(_MAKERS)


def make(config: SearchConfig, store: Store, secrets: Access = Access()) -> Proposer:
    """The proposer that ``config.proposer`` names.

    store: the run's own; recorded replies lie in it, their index beside it (``exchanges.jsonl``).
    Raises UsageError: an unknown name, a model that is not named, a key that is not accepted (asked
    once, free, before anything is spent), a run to replay that is not there.
    """
    if config.proposer not in _MAKERS:
        raise UsageError("proposer", f"one of {', '.join(_MAKERS)}", repr(config.proposer))
    return _MAKERS[config.proposer](config, store, secrets)


def _offline(config: SearchConfig, store: Store, secrets: Access) -> Proposer:
    checked = import_module("agent.proposers.checked")
    offline = import_module("agent.proposers.offline").OfflineProposer(config.hint)
    return checked.CheckedProposer(offline)


def _random(config: SearchConfig, store: Store, secrets: Access) -> Proposer:
    return import_module("agent.proposers.offline").RandomProposer()


def _llm(config: SearchConfig, store: Store, secrets: Access) -> Proposer:
    return import_module("agent.proposers.llm").connect(config, store, secrets.key, secrets.shared)


def _replay(config: SearchConfig, store: Store, secrets: Access) -> Proposer:
    return import_module("agent.proposers.replay").open_run(config)


def _both(config: SearchConfig, store: Store, secrets: Access) -> Proposer:
    both = import_module("agent.proposers.both")
    return both.MixedProposer(_offline(config, store, secrets), _llm(config, store, secrets))


_MAKERS: dict[str, Callable[[SearchConfig, Store, Access], Proposer]] = {
    "offline": _offline,
    "llm": _llm,
    "replay": _replay,
    "both": _both,
    "random": _random,
}
