"""Masks for perception programs that declare detections: made here, in trusted code, before the
program runs.

A program with ``DETECTIONS = {"cart": "the black cart"}`` is shown the masks of exactly the frames
it is shown, checked against what can be measured and corrected once (see ``tools.vision.repair``).
Models are built at the first request; a search whose programs declare nothing never imports them.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tools.errors import UsageError
from tools.masks.request import DetectionRequest, MaskSet
from tools.vision.config import VisionConfig

if TYPE_CHECKING:
    from tools.vision.check import Ask

ROOM = 256 << 20
"""Bytes of masks kept in memory."""


class Detections:
    """Answers requests, one at a time. The same frames and request always give the same masks.

    config: which models. ask: a language model's verdict on each mask
    (agent.prompting.mask_questions.asker), None = measurements only; what it said is kept by its
    own recording; the cache on disk then holds the masks as they were before.
    """

    def __init__(self, config: VisionConfig, ask: Ask | None = None):
        self._config, self._ask = config, ask
        self._lock = threading.Lock()
        self._backend: Any = None
        self._recent: OrderedDict[str, MaskSet] = OrderedDict()

    def masks(self, frames: np.ndarray, request: DetectionRequest) -> MaskSet:
        """Masks of ``frames`` (T, H, W, 3) uint8 with a report of what was found, checked and
        corrected.

        Raises UsageError when a model that was asked for by name cannot be had, ContractError when
        the request is too large.
        """
        with self._lock:
            backend = self._backend = self._backend or self._build()
            key = import_module("tools.vision.cache").key(
                frames, {"request": request.to_json(), "models": backend.identity, "checked": True}
            )
            answer = self._recent.get(key) or self._kept(key) or self._made(key, frames, request)
            self._remember(key, answer)
            return answer

    def _build(self) -> Any:
        backends, weights = (
            import_module("tools.vision.backends"),
            import_module("tools.vision.weights"),
        )
        try:
            return backends.build_backend(self._config, weights.WeightStore.of(self._config))[0]
        except (weights.WeightsError, ImportError, ValueError) as error:
            raise UsageError(str(error)) from error

    def _made(self, key: str, frames: np.ndarray, request: DetectionRequest) -> MaskSet:
        unjudged = None if self._ask is None else self._disk
        found = import_module("tools.vision.pipeline").masks_for(
            frames, request, self._backend, cache=unjudged
        )
        words = {name: entry.words for entry in request.wanted for name in entry.names}
        answer = import_module("tools.vision.repair").check_and_repair(
            frames, found, words, self._backend, ask=self._ask
        )[0]
        if self._ask is None and self._disk is not None:
            self._disk.put(key, answer)
        return answer

    def _kept(self, key: str) -> MaskSet | None:
        return None if self._ask is not None or self._disk is None else self._disk.get(key)

    @property
    def _disk(self) -> Any:
        return (
            import_module("tools.vision.cache").MaskCache(Path(self._config.cache))
            if self._config.cache
            else None
        )

    def _remember(self, key: str, answer: MaskSet) -> None:
        self._recent[key] = answer
        self._recent.move_to_end(key)
        while len(self._recent) > 1 and sum(_bytes(one) for one in self._recent.values()) > ROOM:
            self._recent.popitem(last=False)


def _bytes(answer: MaskSet) -> int:
    return sum(mask.nbytes for mask in answer.masks.values())


def remarks(report: Mapping[str, Any]) -> tuple[str, ...]:
    """What the check found, in words: one sentence for every object that was not simply found and
    right."""
    return tuple(sentence for record in report.get("check", ()) if (sentence := _sentence(record)))


def _sentence(record: Mapping[str, Any]) -> str:
    problems = [problem["message"] for problem in record["verdict"]["problems"]][:1]
    if record["model"] and not record["model"]["ok"]:
        problems.append(
            f"the checker says that the mask of {record['name']} is not what its words say "
            f"({record['model']['reason'] or 'no reason given'})"
        )
    if not problems:
        return ""
    outcome = {
        True: f"; corrected ({record['decision']['action']})",
        False: "; a correction did not help",
        None: "",
    }[record["helped"]]
    return f"detections: {', and '.join(problems)}{outcome}"
