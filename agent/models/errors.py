"""What can go wrong between us and a model (``tools.errors`` draws the tree). Every message is one
line, fit for a user, and never holds a key."""

from __future__ import annotations

from agent.core.protocols import Cost
from tools.errors import ProggenError, RunError, UsageError


class ModelError(ProggenError):
    """A model could not be asked. cost: what the attempt may have cost all the same."""

    def __init__(
        self,
        what: str,
        expected: str = "",
        got: str = "",
        fix: str = "",
        cost: Cost = Cost(),  # noqa: B008 - a frozen value
    ):
        super().__init__(what, expected, got, fix)
        self.cost = cost


class WrongKey(ModelError, UsageError):
    """The endpoint does not accept the key."""


class Unreachable(ModelError, RunError):
    """No usable answer came back."""


class NoAnswer(ModelError):
    """Every attempt ran out of time or brought something that is not an answer."""


class RequestRefused(ModelError):
    """The endpoint answered that the request itself is not acceptable."""


class ContextTooLong(ModelError):
    """The request is longer than the model's context."""


class CapReached(ModelError):
    """A call was not made because it might have passed a cap."""
