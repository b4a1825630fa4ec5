"""What perception made of a clip, looked up in a store that several runs share.

An entry is named by everything that decides it: program, frames, limits, sandbox, versions. It is
read as a child's claim is, and its scene stays bytes that only a later child opens.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from agent.evaluation.jobs import CandidateFailed, Perceived, parcel_room, read_perceived
from agent.run.shared import SharedStore, key
from sandbox.contract import Limits, Outcome
from sandbox.protocol import clean
from tools import claims
from tools.types import ContractError, Video

KIND = "perceptions"
_PREFIX = 8  # bytes of the length of what is said before the scene
_MOST_SAID = 8 << 20


@dataclass(frozen=True)
class _Said:
    states: Any
    looks: Any
    log: str = ""


class Remembered:
    """Perceptions in ``store``. decides: what decides them besides program, clip and limits."""

    def __init__(self, store: SharedStore, decides: Mapping[str, Any]):
        self._store, self._decides = store, dict(decides)

    def find(self, source: str, content: str, video: Video, limits: Limits) -> Perceived | None:
        """What ``source`` made of a clip, checked; None where nobody has kept it."""
        room = parcel_room(video.frames.shape)
        data = self._store.content(
            KIND, self._key(source, content, limits), _PREFIX + _MOST_SAID + room
        )
        if data is None:
            return None
        start = _PREFIX + int.from_bytes(data[:_PREFIX], "little")
        parcel = np.frombuffer(data[start:], np.uint8)
        try:
            told = claims.parse(data[_PREFIX:start], "perception", _MOST_SAID)
            said = claims.read(_Said, told, "perception")
            claim = {"states": said.states, "looks": said.looks, "size": len(parcel)}
            outcome = Outcome(
                claim, {"parcel": parcel[:room]}, None, clean(said.log, limits.log + 100)
            )
            return read_perceived(outcome, len(video))
        except (ContractError, CandidateFailed):
            return None

    def keep(self, source: str, content: str, limits: Limits, entry: Perceived) -> None:
        """Write down what perception made of a clip."""
        said = {
            "states": entry.states.to_json(),
            "looks": {"constants": entry.looks, "sprites": {}},
            "log": entry.log,
        }
        head = json.dumps(said, allow_nan=False).encode()
        data = len(head).to_bytes(_PREFIX, "little") + head + entry.parcel.tobytes()
        self._store.keep_content(KIND, self._key(source, content, limits), data)

    def _key(self, source: str, content: str, limits: Limits) -> str:
        about = {"source": source, "clip": content, "limits": asdict(limits)}
        return key(self._decides | about)
