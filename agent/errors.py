"""Moved to ``tools.errors``; goes once nothing in flight imports it from here."""

from tools.errors import Interrupted, RunError, StorageError, UsageError

__all__ = ["Interrupted", "RunError", "StorageError", "UsageError"]
