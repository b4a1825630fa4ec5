"""The seam between a perception program and learned perception.

A program *declares* what it wants at its top level, as a literal that is read without running
anything::

    DETECTIONS = {"cart": "the black cart", "pole": "the brown pole", "ball": ("red ball", 3)}

(up to three red balls become ``ball_0``, ``ball_1``, ``ball_2``). Trusted code computes the masks
of exactly the frames that ``perceive`` will be given, and passes them beside these frames as
arrays. In ``perceive(frames, tools)`` they are ``tools.masks["cart"]``, bool (T, H, W), all False
where the object is not visible or was not found at all, and ``tools.mask_confidence["cart"]``, (T,)
in [0, 1].

This module needs NumPy only: it is imported in the sandbox's child.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType, ModuleType
from typing import Any

import numpy as np

from tools import claims
from tools.types import ContractError, as_names, check_name

DECLARATION = "DETECTIONS"
MAX_NAMES = 16
MAX_WORDS = 120
MAX_COUNT = 8


@dataclass(frozen=True)
class Wanted:
    """One entry of a declaration: up to ``count`` objects that ``words`` describe, one object if it
    is None."""

    name: str
    words: str
    count: int | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the masks: the name itself, or name_0, name_1, ... when several were asked
        for."""
        return (
            (self.name,)
            if self.count is None
            else tuple(f"{self.name}_{k}" for k in range(self.count))
        )


@dataclass(frozen=True)
class DetectionRequest:
    """What a perception program declares."""

    wanted: tuple[Wanted, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all masks that will be provided."""
        return tuple(name for entry in self.wanted for name in entry.names)

    def __bool__(self) -> bool:
        return bool(self.wanted)

    def to_json(self) -> list[list[Any]]:
        """JSON-ready, the same for the same declaration."""
        return [[entry.name, entry.words, entry.count] for entry in self.wanted]


def parse_detections(source: str) -> DetectionRequest:
    """Read ``DETECTIONS`` from a perception program, without running it; no declaration gives an
    empty request.

    Raises ContractError for anything but a literal ``{name: words}`` or ``{name: (words, count)}``.

    >>> parse_detections('DETECTIONS = {"cart": "the black cart"}').names
    ('cart',)
    """
    try:
        tree = claims.program(source, "perception")
    except SyntaxError:
        return DetectionRequest()
    values = [
        node.value
        for node in tree.body
        if isinstance(node, (ast.Assign, ast.AnnAssign)) and node.value and _assigns(node)
    ]
    if not values:
        return DetectionRequest()
    try:
        declared = ast.literal_eval(values[-1])
    except (ValueError, TypeError):
        raise ContractError(
            DECLARATION,
            "a literal {name: words}",
            ast.unparse(values[-1])[:60],
            "write plain strings",
        ) from None
    return request_of(declared)


def _assigns(node: ast.stmt) -> bool:
    targets = (
        node.targets
        if isinstance(node, ast.Assign)
        else [node.target]
        if isinstance(node, ast.AnnAssign) and node.value
        else []
    )
    return any(isinstance(target, ast.Name) and target.id == DECLARATION for target in targets)


def request_of(declared: Any) -> DetectionRequest:
    """Validate a declaration, ``{name: words}`` or ``{name: (words, count)}``."""
    if not isinstance(declared, Mapping) or len(declared) > MAX_NAMES:
        raise ContractError(
            DECLARATION, f"a dict of at most {MAX_NAMES} names", type(declared).__name__
        )
    request = DetectionRequest(tuple(_wanted(name, value) for name, value in declared.items()))
    if len(set(request.names)) != len(request.names):
        raise ContractError(DECLARATION, "different names", as_names(request.names))
    return request


def _wanted(name: Any, value: Any) -> Wanted:
    check_name(name, f"{DECLARATION} key")
    words, count = value if isinstance(value, tuple) and len(value) == 2 else (value, None)
    if not isinstance(words, str) or not words.strip() or len(words) > MAX_WORDS:
        raise ContractError(
            f"{DECLARATION}[{name!r}]",
            f"words, 1 to {MAX_WORDS} characters",
            repr(words)[:60],
            "describe the object, e.g. 'the black cart'",
        )
    if count is not None and (
        isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= MAX_COUNT
    ):
        raise ContractError(
            f"{DECLARATION}[{name!r}]", f"a count from 1 to {MAX_COUNT}", repr(count)[:60]
        )
    return Wanted(name, words.strip(), count)


@dataclass(frozen=True)
class MaskSet:
    """The answer to a request for one clip.

    masks: name -> (T, H, W) bool. confidence: name -> (T,). report: what was found, where and how
    sure, JSON-ready, for the trace.
    """

    masks: Mapping[str, np.ndarray] = field(repr=False)
    confidence: Mapping[str, np.ndarray] = field(repr=False)
    report: Mapping[str, Any] = field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.masks)


# ----------------------------------------------------------------------------------------- host to


def pack(answer: MaskSet) -> dict[str, np.ndarray]:
    """Arrays to put into a job's ``inputs``, in the order of ``answer.names``, which go into its
    payload."""
    return {
        "masks": np.stack(list(answer.masks.values())),
        "mask_confidence": np.stack([answer.confidence[n] for n in answer.names]),
    }


def unpack(names: Sequence[str], inputs: Mapping[str, np.ndarray]) -> MaskSet:
    """Inverse of :func:`pack`, in the child."""
    return MaskSet(
        dict(zip(names, inputs["masks"], strict=True)),
        dict(zip(names, inputs["mask_confidence"], strict=True)),
    )


class Masks(Mapping[str, np.ndarray]):
    """Arrays by declared name; a name that was not declared says which ones were."""

    def __init__(self, arrays: Mapping[str, np.ndarray]):
        self._arrays = MappingProxyType(dict(arrays))

    def __getitem__(self, name: str) -> np.ndarray:
        if name not in self._arrays:
            known = as_names(tuple(self._arrays)) or "none"
            raise ContractError(
                f"tools.masks[{name!r}]",
                f"one of {known}",
                "an undeclared name",
                f"declare it in {DECLARATION} at the top of the program",
            )
        return self._arrays[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._arrays)

    def __len__(self) -> int:
        return len(self._arrays)


class Toolbox:
    """What ``perceive`` receives as ``tools``: every function of the toolbox module, and the
    masks."""

    def __init__(self, module: ModuleType, answer: MaskSet | None = None):
        self._module = module
        self.masks = Masks({} if answer is None else answer.masks)
        self.mask_confidence = Masks({} if answer is None else answer.confidence)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._module, name)

    def __dir__(self) -> list[str]:
        return sorted({"masks", "mask_confidence", *dir(self._module)})
