"""Every reply, kept before it is used: blobs by content in the run's store, and one index line per
paid call.

The index is JSON lines, append-only and flushed to disk with each line; a line torn by a kill is
ignored when read again (that call had not been used either). Its lines: ``sent`` (a call that is
about to be made, with what its prompt may cost), ``failed`` (it came back without an answer),
``reply`` (hashes of request and reply in the store, cost, price) and ``lost`` (a question that was
never answered; its prompts may have been charged).
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from agent.core.protocols import Cost
from agent.models.errors import ModelError
from agent.models.ledger import Size
from agent.models.messages import Reply, Request
from agent.run.store import MOST, Store, append, read_bytes, reading
from tools import claims
from tools.types import ContractError

FORMAT = 1


@dataclass(frozen=True)
class Exchange:
    """One recorded question and answer. request, reply: content hashes in the store. cost: what it
    cost when it was paid."""

    request: str
    reply: str
    answer: Reply
    cost: Cost


class Recording:
    """The replies of one run, found by the digest of their request.

    blobs: where requests, pictures and replies lie. index: JSON-lines file, or None to keep the
    index in memory only. Reading an index of another format raises ModelError.
    """

    def __init__(self, blobs: Store, index: Path | None = None):
        self._blobs, self._index = blobs, index
        self._lines: dict[str, dict[str, Any]] = {}
        self._spent = Cost()
        self._open: dict[str, list[Cost]] = {}  # calls that were sent, by request
        self._lock = threading.Lock()
        for line in _read_lines(index):
            self._remember(line)

    def __len__(self) -> int:
        return len(self._lines)

    def __repr__(self) -> str:
        return f"Recording({len(self)} replies, {self._spent})"

    def counts(self, model: str) -> list[tuple[Size, int]]:
        """Sizes of prompts and the tokens that ``model``'s endpoint counted for them."""
        with self._lock:
            lines = [line for line in self._lines.values() if line.get("model") == model]
        found = [claims.read(_Line, line, "line") for line in lines]
        return [(one.size, one.counted) for one in found if one.size and one.counted > 0]

    def spent_by(self, model: str) -> Cost:
        """What the answers of one model have cost."""
        with self._lock:
            lines = [line for line in self._lines.values() if line.get("model") == model]
        return sum((Cost(**line["cost"]) for line in lines), Cost())

    @property
    def spent(self) -> Cost:
        """What all calls in this recording have cost."""
        with self._lock:
            return self._spent

    def find(self, request: Request) -> Exchange | None:
        """The recorded exchange for exactly this request, or None."""
        with self._lock:
            line = self._lines.get(request.digest)
        if line is None:
            return None
        with reading(self._blobs.path(line["reply"])):
            answer = Reply.from_bytes(self._blobs.get(line["reply"]))
        return Exchange(line["request"], line["reply"], answer, Cost(**line["cost"]))

    def sent(self, request: Request, estimate: Cost) -> None:
        """Note a call before it is made. estimate: what its prompt may cost."""
        self._append(
            {"kind": "sent", "request": request.digest, "cost": asdict(Cost())}
            | {"estimate": asdict(estimate)}
        )

    def failed(self, request: Request) -> None:
        """Note that the calls sent for ``request`` came back without an answer."""
        self._append({"kind": "failed", "request": request.digest, "cost": asdict(Cost())})

    def give_up(self, reason: str) -> tuple[Cost, ...]:
        """Count the calls that were sent and never answered as paid for; what each may have
        cost."""
        with self._lock:
            left = {request: costs for request, costs in self._open.items() if costs}
        for request, costs in left.items():
            self._append(
                {"kind": "lost", "request": request, "cost": asdict(sum(costs, Cost()))}
                | {"reason": reason}
            )
        return tuple(cost for costs in left.values() for cost in costs)

    def add(self, request: Request, reply: Reply, cost: Cost, note: dict[str, Any]) -> Exchange:
        """Store an exchange durably; only then may the reply be used. ``note``: JSON kept beside it
        (price, seconds)."""
        for picture in request.pictures:
            self._blobs.put(picture.png)
        exchange = Exchange(
            self._blobs.put(request.to_bytes()), self._blobs.put(reply.to_bytes()), reply, cost
        )
        self._append(
            {
                "kind": "reply",
                "request": exchange.request,
                "reply": exchange.reply,
                "cost": asdict(cost),
                **note,
            }
        )
        return exchange

    def lose(self, request: Request, cost: Cost, reason: str) -> None:
        """Note a question that brought nothing, with what asking may have cost."""
        self._append(
            {"kind": "lost", "request": request.digest, "cost": asdict(cost), "reason": reason}
        )

    def _append(self, line: dict[str, Any]) -> None:
        with self._lock:
            if self._index is not None:
                self._index.parent.mkdir(parents=True, exist_ok=True)
                start = b"\n" if _is_torn(self._index) else b""
                append(
                    self._index,
                    start + json.dumps({"format": FORMAT, **line}, sort_keys=True).encode() + b"\n",
                )
            self._remember(line)

    def _remember(self, line: dict[str, Any]) -> None:
        self._spent = self._spent + Cost(**line["cost"])
        if line["kind"] == "sent":
            self._open.setdefault(line["request"], []).append(Cost(**line.get("estimate", {})))
            return
        self._open.pop(line["request"], None)
        if line["kind"] == "reply":
            self._lines[line["request"]] = line


def _is_torn(path: Path | None) -> bool:
    """Whether the last line was cut short by a kill."""
    return (
        path is not None
        and path.exists()
        and path.stat().st_size > 0
        and not path.read_bytes().endswith(b"\n")
    )


def _read_lines(path: Path | None) -> Iterator[dict[str, Any]]:
    """Whole lines; one that is torn, or says nothing that can be used, had not been used either."""
    if path is None or not path.exists():
        return
    for raw in read_bytes(path).splitlines():
        try:
            line = claims.parse(raw, "line", MOST)
            version = claims.read(_Version, line, "line").format
            if version == FORMAT:
                claims.read(_Line, line, "line")
        except ContractError:
            continue
        if version != FORMAT:
            raise ModelError(
                str(path),
                f"recorded replies of format {FORMAT}",
                str(version),
                "use the version that wrote it",
            )
        yield line


@dataclass(frozen=True)
class _Version:
    format: int


@dataclass(frozen=True)
class _Line:
    kind: str
    request: str
    cost: Cost
    reply: str = ""
    estimate: Cost = field(default_factory=Cost)
    size: Size | None = None
    counted: int = 0
