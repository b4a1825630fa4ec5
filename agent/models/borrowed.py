"""Replies that other runs have paid for, in a store that several runs share.

A reply is named by its question (model, text, pictures, temperature, sample), the endpoint and the
limits that it was asked under. It is read as a reply from an endpoint is: anybody may have written
it.
"""

from __future__ import annotations

from dataclasses import replace

from agent.models.messages import Reply, Request
from agent.run.shared import SharedStore, key
from tools.types import ContractError

KIND = "replies"
_MOST = 8 << 20  # bytes, as of an answer


class Borrowed:
    """Replies in ``store`` of the endpoint at ``address``, asked for with at most ``limit``
    tokens."""

    def __init__(self, store: SharedStore, address: str, limit: int):
        self._store, self._address, self._limit = store, address, limit

    def find(self, request: Request) -> Reply | None:
        """The reply that somebody was given to exactly this question, checked; None without one.
        Its tokens were not this run's."""
        data = self._store.content(KIND, self._key(request), _MOST)
        try:
            reply = None if data is None else Reply.from_bytes(data)
        except ContractError:
            return None
        return None if reply is None else replace(reply, counted=False)

    def keep(self, request: Request, reply: Reply) -> None:
        """Write down a reply that is whole."""
        if reply.finish != "length":
            self._store.keep_content(KIND, self._key(request), reply.to_bytes())

    def _key(self, request: Request) -> str:
        return key({"request": request.digest, "at": self._address, "limit": self._limit})
