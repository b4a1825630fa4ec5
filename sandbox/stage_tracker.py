"""Which part of a candidate is running: read when something fails, to blame the right program."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

PLACES = ("perception", "dynamics", "rendering", "fit", "limits")
"""Names that a failure in the child may carry as its stage."""

_stack: list[str] = []
_latest: deque[str] = deque(maxlen=1)
_observers: list[Callable[[str | None], None]] = []


@contextmanager
def stage(name: str) -> Iterator[None]:
    """Mark the code inside as belonging to ``name`` (one of PLACES); marks nest, and an error keeps
    the innermost one."""
    if name not in PLACES:
        raise ValueError(f"stage: expected one of {', '.join(PLACES)}, got {name!r}")
    _stack.append(name)
    _latest.append(name)
    _announce()
    try:
        yield
    except BaseException as error:
        if failed_in(error) is None:
            _tag(error, name)
        raise
    finally:
        _stack.pop()
        _announce()


def current() -> str | None:
    """The innermost mark, or None outside all of them."""
    return _stack[-1] if _stack else None


def latest() -> str | None:
    """The mark that was set last, whether its block has ended or not."""
    return _latest[-1] if _latest else None


def failed_in(error: BaseException) -> str | None:
    """The innermost mark that ``error`` left, or None."""
    try:
        found = getattr(error, "sandbox_stage", None)
    except Exception:  # an error of the program's own making may do anything
        return None
    return found if found in PLACES else None


def observe(callback: Callable[[str | None], None]) -> None:
    """Call ``callback(name or None)`` whenever the innermost mark changes."""
    _observers.append(callback)


def _announce() -> None:
    for callback in _observers:
        callback(current())


def _tag(error: BaseException, name: str) -> None:
    try:
        vars(error)["sandbox_stage"] = name
    except Exception:
        return
