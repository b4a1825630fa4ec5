"""Bytes that cross the border. The child's side writes one frame, the host's side trusts nothing in
it.

A frame is ``b"SBX1"``, one byte for the kind (``C`` claim, ``F`` failure), eight bytes of length
(big endian), then that much JSON, then the end of the stream. Never pickle, never a size from the
child used to allocate.
"""

from __future__ import annotations

import json
import re
import struct
from typing import Any

from sandbox.stage_tracker import PLACES
from tools import claims
from tools.characters import HIDDEN
from tools.errors import ProggenError
from tools.types import ContractError, Failure

MAGIC = b"SBX1"
HEADER = struct.Struct(">4scQ")
CLAIM, FAILURE = b"C", b"F"
TRACEBACK_CAP = 8_000
MESSAGE_CAP = 2_000
KIND_CAP = 80
_ESCAPED = re.compile(r"\\[ubfr]")  # how such characters look in JSON


class FrameError(ProggenError, ValueError):
    """The child's answer does not obey the protocol."""


def clean(text: str, cap: int) -> str:
    """``text`` without control, bidirectional and other invisible characters, cut to ``cap``
    characters in the middle."""
    text = HIDDEN.sub("\ufffd", text.replace("\r\n", "\n").replace("\r", "\n"))
    if len(text) <= cap:
        return text
    head = cap // 2
    tail = cap - head
    return f"{text[:head]}\n... {len(text) - cap} characters left out ...\n{text[-tail:]}"


def encode(kind: bytes, body: Any) -> bytes:
    """One frame; raises ValueError or TypeError when ``body`` is not plain finite JSON."""
    data = json.dumps(body, allow_nan=False, separators=(",", ":")).encode()
    return HEADER.pack(MAGIC, kind, len(data)) + data


def decode(data: bytes, cap: int) -> tuple[bytes, dict[str, Any]]:
    """(kind, JSON object) of exactly one frame, or FrameError saying what is wrong with it. Its
    text is cleaned."""
    if len(data) < HEADER.size:
        raise FrameError("no result" if not data else "the result is cut off")
    magic, kind, size = HEADER.unpack_from(data)
    if magic != MAGIC or kind not in (CLAIM, FAILURE):
        raise FrameError("the result does not start with the protocol's mark")
    if size > cap or len(data) - HEADER.size != size:
        raise FrameError("the result is not exactly one frame of the announced length")
    return kind, _parse(data[HEADER.size :])


def read_failure(body: dict[str, Any]) -> Failure:
    """The failure that a child reports, with strict keys, cleaned and capped text."""
    if set(body) != {"stage", "kind", "message", "traceback"} or not all(
        isinstance(v, str) for v in body.values()
    ):
        raise FrameError("a failure report with other keys than stage, kind, message and traceback")
    if body["stage"] not in PLACES:
        raise FrameError("a failure report from an unknown stage")
    return Failure(
        stage=body["stage"],
        kind=clean(body["kind"], KIND_CAP),
        message=clean(body["message"], MESSAGE_CAP),
        traceback=clean(body["traceback"], TRACEBACK_CAP),
    )


def _parse(data: bytes) -> dict[str, Any]:
    try:
        text = data.decode("utf-8")
        body = claims.parse(text, "the result", len(text))
        if _ESCAPED.search(text) or HIDDEN.search(text):
            body = _cleaned(body)
    except ValueError as error:
        raise FrameError(clean(str(error), 300)) from None
    if not isinstance(body, dict):
        raise FrameError("the result is not a JSON object")
    return body


def _cleaned(value: Any) -> Any:
    if isinstance(value, str):
        return clean(value, len(value))
    if isinstance(value, list):
        return [_cleaned(item) for item in value]
    if isinstance(value, dict):
        cleaned = {clean(key, len(key)): _cleaned(item) for key, item in value.items()}
        if len(cleaned) != len(value):
            raise ContractError(
                "the result", "different keys", "two that only invisible characters tell apart"
            )
        return cleaned
    return value
