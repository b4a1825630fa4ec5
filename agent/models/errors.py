"""What can go wrong between us and a model. Every message is one line, fit for a user, and never
holds a key.

ModelError (an AgentError)
├── WrongKey          401 / 403: nothing was spent (a UsageError)
├── Unreachable       no connection, no such model, no credit, or only HTTP errors after every
│                     retry (a RunError)
├── NoAnswer          the endpoint is there, but no complete answer came in time, or none that
│                     could be read
├── RequestRefused    the endpoint will not take this request, whatever is changed in it
├── ContextTooLong    the prompt does not fit; ask again with less
└── CapReached        the next call could pass --max-cost or --max-tokens
"""

from __future__ import annotations

from agent.core.protocols import Cost
from agent.errors import AgentError, RunError, UsageError


class ModelError(AgentError):
    """A model could not be asked; the message says what, expected, got and the next step. cost:
    what the attempt may have cost all the same."""

    def __init__(self, message: str, cost: Cost = Cost()):  # noqa: B008 - a frozen value
        super().__init__(message)
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
