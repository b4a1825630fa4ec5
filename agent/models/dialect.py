"""What an OpenAI-compatible endpoint takes, learned from its own refusals.

Hosted models, vLLM, Ollama and llama.cpp servers agree on the chat protocol but not on its optional
fields. We begin with the richest form; when an endpoint refuses a request and names a field, that
field is given up for the rest of the run, which is said once. None of this touches the prompt, so
that recorded requests stay the same.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from tools.errors import UsageError

STRUCTURES = ("json_schema", "tool", "fenced")
"""Ways of asking for a structured answer, best first."""


@dataclass(frozen=True)
class Dialect:
    """structure: one of STRUCTURES. output_limit: name of the field that limits the answer, or ""
    to leave it out. seed, temperature, stream_usage: whether these fields are sent. pictures:
    whether images are."""

    structure: str = "json_schema"
    output_limit: str = "max_tokens"
    seed: bool = True
    temperature: bool = True
    stream_usage: bool = True
    pictures: bool = True

    @classmethod
    def first(cls, structure: str, hosted: bool) -> Dialect:
        """The dialect to begin with. structure: one of STRUCTURES, or "auto". hosted: OpenAI
        itself, which has renamed a field. Raises UsageError for an unknown structure."""
        if structure not in ("auto", *STRUCTURES):
            raise UsageError("structure", f"auto, {', '.join(STRUCTURES)}", repr(structure))
        limit = "max_completion_tokens" if hosted else "max_tokens"
        return cls(STRUCTURES[0] if structure == "auto" else structure, limit)

    def without(self, complaint: str) -> Dialect | None:
        """The next poorer dialect after a refusal with this text, or None when it does not name
        anything we can give up.

        >>> Dialect().without("Unsupported value: 'temperature' does not support 0.2").temperature
        False
        >>> Dialect().without("I do not like you") is None
        True
        """
        text = complaint.lower()
        for words, applies, poorer in _CONCESSIONS:
            if applies(self) and any(word in text for word in words):
                return poorer(self)
        return None

    def lost(self, poorer: Dialect) -> str:
        """What ``poorer`` goes without, in words.

        >>> Dialect().lost(Dialect(pictures=False))
        'takes no pictures: it gets the scene in words'
        """
        words = [
            said for name, said in _SAID.items() if getattr(self, name) != getattr(poorer, name)
        ]
        return "; ".join(words)


_SAID = {
    "structure": "takes no such form of an answer: it is asked in another one",
    "output_limit": "knows the limit of an answer under another name, or none",
    "seed": "takes no seed",
    "temperature": "takes no temperature",
    "stream_usage": "counts no tokens in a stream",
    "pictures": "takes no pictures: it gets the scene in words",
}

_Concession = tuple[tuple[str, ...], Callable[[Dialect], bool], Callable[[Dialect], Dialect]]

_CONCESSIONS: tuple[_Concession, ...] = (
    (
        ("max_tokens", "max_completion_tokens"),
        lambda d: d.output_limit == "max_tokens",
        lambda d: replace(d, output_limit="max_completion_tokens"),
    ),
    (
        ("max_tokens", "max_completion_tokens"),
        lambda d: d.output_limit != "",
        lambda d: replace(d, output_limit=""),
    ),
    (
        ("stream_options", "include_usage"),
        lambda d: d.stream_usage,
        lambda d: replace(d, stream_usage=False),
    ),
    (
        ("response_format", "json_schema", "structured output"),
        lambda d: d.structure == "json_schema",
        lambda d: replace(d, structure="tool"),
    ),
    (
        ("tool", "function"),
        lambda d: d.structure == "tool",
        lambda d: replace(d, structure="fenced"),
    ),
    (("temperature",), lambda d: d.temperature, lambda d: replace(d, temperature=False)),
    (("seed",), lambda d: d.seed, lambda d: replace(d, seed=False)),
    (
        ("image", "vision", "multimodal", "mmproj", "content must be a string", "content type"),
        lambda d: d.pictures,
        lambda d: replace(d, pictures=False),
    ),
)
