"""What is said to a model and what it says: plain values, with a digest that does not depend on the
endpoint."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from agent.run.store import MOST, digest
from tools import claims

FORMAT = 1


@dataclass(frozen=True)
class Text:
    """A piece of text (Markdown)."""

    text: str


@dataclass(frozen=True)
class Picture:
    """An image. png: encoded bytes. caption: what it shows, one line. width, height: pixels. words:
    the same for a model that sees nothing."""

    png: bytes
    caption: str
    width: int
    height: int
    words: str = ""

    @property
    def digest(self) -> str:
        """Content hash: the name of the bytes in a run's store."""
        return digest(self.png)

    def __repr__(self) -> str:
        return f"Picture({self.width}x{self.height}, {self.caption!r})"


Part = Text | Picture


@dataclass(frozen=True)
class Message:
    """role: "system", "user" or "assistant". parts: text and pictures in reading order."""

    role: str
    parts: tuple[Part, ...]

    @classmethod
    def say(cls, role: str, text: str) -> Message:
        """A message of text alone."""
        return cls(role, (Text(text),))


@dataclass(frozen=True)
class Field:
    """One field of the answer. about: what to put there. nullable: may be left out. kind: "string",
    or "objects": a list of objects that have ``fields``."""

    name: str
    about: str
    nullable: bool = False
    kind: str = "string"
    fields: tuple[Field, ...] = ()

    def schema(self) -> dict[str, Any]:
        """JSON schema in the strict dialect (every field required, absence is null)."""
        if self.kind == "objects":
            return {"type": "array", "description": self.about, "items": object_schema(self.fields)}
        return {
            "type": ["string", "null"] if self.nullable else "string",
            "description": self.about,
        }


def object_schema(fields: tuple[Field, ...]) -> dict[str, Any]:
    """JSON schema of an object with exactly these fields."""
    return {
        "type": "object",
        "properties": {field.name: field.schema() for field in fields},
        "required": [field.name for field in fields],
        "additionalProperties": False,
    }


@dataclass(frozen=True)
class Form:
    """The shape of the answer we ask for. name: identifier. fields: what it holds."""

    name: str
    about: str
    fields: tuple[Field, ...]

    def schema(self) -> dict[str, Any]:
        """JSON schema of the whole answer."""
        return object_schema(self.fields)


@dataclass(frozen=True)
class Request:
    """One question to a model. sample: tells apart independent answers to the same question; sent
    as the sampling seed where the endpoint takes one. temperature: None leaves it to the endpoint.
    """

    model: str
    messages: tuple[Message, ...]
    form: Form
    temperature: float | None = None
    sample: int = 0

    def to_json(self) -> dict[str, Any]:
        """JSON-ready; pictures are named by their digest."""
        messages = [
            {"role": message.role, "parts": [_part_json(part) for part in message.parts]}
            for message in self.messages
        ]
        return {
            "format": FORMAT,
            "model": self.model,
            "messages": messages,
            "form": self.form.name,
            "temperature": self.temperature,
            "sample": self.sample,
        }

    def to_bytes(self) -> bytes:
        """Canonical JSON: the same request gives the same bytes everywhere."""
        return json.dumps(
            self.to_json(), sort_keys=True, ensure_ascii=False, separators=(",", ":")
        ).encode()

    @property
    def digest(self) -> str:
        """Content hash of :meth:`to_bytes`: its name in a run's store, under which the reply is
        recorded."""
        return digest(self.to_bytes())

    @property
    def pictures(self) -> Iterator[Picture]:
        """Every picture, in order."""
        return (
            part for message in self.messages for part in message.parts if isinstance(part, Picture)
        )


def _part_json(part: Part) -> dict[str, Any]:
    if isinstance(part, Text):
        return {"text": part.text}
    return {"image": part.digest, "caption": part.caption, "size": [part.width, part.height]}


@dataclass(frozen=True)
class Reply:
    """What came back, untouched. text: the message. arguments: JSON text of a tool call, or None.
    finish: "stop", "length", "content_filter", "tool_calls", ... refusal: the model's own words
    when it declines, or "". input_tokens, output_tokens: as counted by the endpoint, or our
    estimate where ``counted`` is False."""

    text: str
    arguments: str | None = None
    finish: str = ""
    refusal: str = ""
    input_tokens: int = 0
    output_tokens: int = 0
    counted: bool = True
    model: str = ""

    def to_bytes(self) -> bytes:
        """Canonical JSON."""
        return json.dumps(
            asdict(self), sort_keys=True, ensure_ascii=False, separators=(",", ":")
        ).encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> Reply:
        """Inverse of :meth:`to_bytes`. Raises ContractError."""
        return claims.read(cls, claims.parse(data, "reply", MOST), "reply")
