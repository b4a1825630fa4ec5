"""What a run may be told about its model. Frozen and JSON-ready; a key is never among it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from tools import claims

IN_FLIGHT = 4
"""Questions at the same time, to a model that is paid for."""
MOST_IN_FLIGHT = 64
LONGEST_ANSWER = 64_000
"""Tokens up to which the limit of an answer that was cut off is doubled."""


@dataclass(frozen=True)
class ModelOptions:
    """How a model is asked.

    name: as the endpoint knows it, "" when no model is used. base_url: of an OpenAI-compatible
    endpoint, up to and with /v1; "" for OpenAI itself. max_cost: US dollars that a run may spend,
    None for no cap. max_tokens: input and output tokens that a run may use, None for no cap. price:
    US dollars a million (input, output) tokens, None to look it up (the command line saves what it
    found with the run, so that a resumed run counts with the same). temperature: None leaves it to
    the endpoint. max_output: tokens of one answer. timeout: seconds for one answer. attempts: calls
    for one question, while failures are passing ones. pause: seconds before the second attempt,
    doubled with each. stream: ask for answers in pieces. structure: "auto" begins with structured
    output and falls back to what the endpoint takes; or one of "json_schema", "tool", "fenced".
    others: further models behind the same endpoint, to choose among. prices: US dollars a million
    (input, output) tokens of single models, as (name, input, output). in_flight: questions at the
    same time, None for IN_FLIGHT of a model that is paid for and 1 of one on this machine. check:
    let the model check detections before a program is refined. replay: folder of the run whose
    replies are repeated, "" for none. memory: folder of a library of programs that a draft is shown
    the likest of, "" for none.
    """

    name: str = ""
    base_url: str = ""
    max_cost: float | None = None
    max_tokens: int | None = None
    price: tuple[float, float] | None = None
    temperature: float | None = None
    max_output: int = 16_000
    timeout: float = 300.0
    attempts: int = 5
    pause: float = 1.0
    stream: bool = False
    structure: str = "auto"
    check: bool = True
    replay: str = ""
    in_flight: int | None = None
    others: tuple[str, ...] = ()
    prices: tuple[tuple[str, float, float], ...] = ()
    memory: str = ""

    @property
    def at_once(self) -> int:
        """Questions at the same time."""
        if self.in_flight is not None:
            return max(1, min(self.in_flight, MOST_IN_FLIGHT))
        paid = self.price is not None and max(self.price) > 0
        host = urlsplit(self.base_url).hostname or ""
        here = host == "localhost" or host.startswith("127.") or host == "::1"
        return IN_FLIGHT if paid or not here else 1

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> ModelOptions:
        """From what ``dataclasses.asdict`` gave; fields that this version does not know are
        ignored. Raises ContractError."""
        return claims.read(cls, data, "model")
