"""Carry out the check: evidence, question, decision, one correction per object, and the record for
the trace."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np

from tools.masks.request import MaskSet, Wanted
from tools.masks.soft import ImageEvidence
from tools.perception.segmentation import foreground, regions
from tools.vision.check import (
    Answer,
    Ask,
    Decision,
    MaskQuestion,
    Verdict,
    better,
    decide,
    measured_verdict,
    question,
)
from tools.vision.colours import colour_distance, colours_in
from tools.vision.evidence import ClipEvidence, gather
from tools.vision.pipeline import DEFAULTS, Backend, Options, both_ways, find, keyframes
from tools.vision.roles import MaskTracks, Prompt, Seed


@dataclass(frozen=True)
class CheckRecord:
    """What happened to one object, for the trace. helped: whether the correction was kept; None
    when none was tried."""

    name: str
    verdict: Verdict
    answer: Answer | None
    decision: Decision
    evidence: Mapping[str, Any]
    helped: bool | None = None

    def to_json(self) -> dict[str, Any]:
        answer = None if self.answer is None else self.answer.to_json()
        return {
            "name": self.name,
            "verdict": self.verdict.to_json(),
            "model": answer,
            "decision": self.decision.to_json(),
            "evidence": dict(self.evidence),
            "helped": self.helped,
        }


def check_and_repair(
    frames: np.ndarray,
    masks: MaskSet,
    words: Mapping[str, str],
    backend: Backend,
    options: Options = DEFAULTS,
    ask: Ask | None = None,
) -> tuple[MaskSet, tuple[CheckRecord, ...]]:
    """Check every object; correct each faulty one once; keep a correction only if the evidence
    improves.

    frames: (T, H, W, 3) uint8. words: mask name -> phrase. ask: a model's verdict function, None =
    measurements only. An object that is still not what the words say after its correction keeps its
    masks, and its record says so.
    """
    current = masks
    evidence = gather(frames, current.masks, words)
    records = []
    for name in current.names:
        record, current, evidence = _check_one(
            frames, current, evidence, name, words, backend, options, ask
        )
        records.append(record)
    report = dict(current.report) | {"check": [record.to_json() for record in records]}
    return replace(current, report=report), tuple(records)


def _check_one(
    frames: np.ndarray,
    masks: MaskSet,
    evidence: ClipEvidence,
    name: str,
    words: Mapping[str, str],
    backend: Backend,
    options: Options,
    ask: Ask | None,
) -> tuple[CheckRecord, MaskSet, ClipEvidence]:
    mine = evidence.objects[name]
    verdict = measured_verdict(mine)
    asked, answer = _asked(frames, masks, mine, verdict, ask)
    hint = None if verdict.ok else unclaimed(frames, masks, evidence, words, name)
    decision = decide(verdict, mine, answer, asked, hint)
    record = CheckRecord(name, verdict, answer, decision, mine.to_json())
    if decision.action in ("accept", "reject"):
        return record, masks, evidence
    corrected = carry_out(frames, masks, name, decision, backend, options)
    new = gather(frames, corrected.masks, words)
    if not better(new, evidence, name):
        return replace(record, helped=False), masks, evidence
    return replace(record, helped=True), corrected, new


def _asked(
    frames: np.ndarray, masks: MaskSet, mine, verdict: Verdict, ask: Ask | None
) -> tuple[MaskQuestion | None, Answer | None]:
    """The question and the model's answer; an unusable reply counts as none."""
    if ask is None:
        return None, None
    asked = question(frames, masks.masks, mine, verdict)
    try:
        return asked, ask(asked)
    except ValueError:
        return asked, None


def carry_out(
    frames: np.ndarray,
    masks: MaskSet,
    name: str,
    decision: Decision,
    backend: Backend,
    options: Options,
) -> MaskSet:
    """The masks after a decision; unchanged where the correction finds nothing."""
    if decision.action == "relabel":
        return _relabelled(masks, name, decision.other, decision.frames)
    seeds = _new_seeds(frames, name, decision, backend, options)
    if not seeds:
        return masks
    return _merged(masks, both_ways(backend.tracker, frames, seeds), name)


def _new_seeds(
    frames: np.ndarray, name: str, decision: Decision, backend: Backend, options: Options
) -> Sequence[Seed]:
    if decision.action == "requery":
        return [
            seed
            for seed, _ in find(
                frames, [Wanted(name, decision.words or "")], backend, options
            ).values()
        ]
    if backend.segmenter is None or decision.point is None:
        return []
    segment = backend.segmenter.segment(
        frames[decision.frame], [Prompt(points=(decision.point,), labels=(1,))]
    )[0]
    return [Seed(name, decision.frame, segment.mask)] if segment.mask.any() else []


def _merged(masks: MaskSet, tracks: MaskTracks, name: str) -> MaskSet:
    """``name`` takes its new masks; pixels that it newly claims are taken from the others."""
    changed = {
        other: mask if other == name else mask & ~tracks.masks[name]
        for other, mask in masks.masks.items()
    }
    changed[name] = tracks.masks[name]
    return replace(
        masks, masks=changed, confidence=dict(masks.confidence) | {name: tracks.confidence[name]}
    )


def _relabelled(masks: MaskSet, a: str, b: str, frames: Sequence[int]) -> MaskSet:
    """Masks and confidence of two objects exchanged in some frames."""
    arrays = {
        key: {n: np.array(v) for n, v in getattr(masks, key).items()}
        for key in ("masks", "confidence")
    }
    at = list(frames)
    for table in arrays.values():
        table[a][at], table[b][at] = table[b][at].copy(), table[a][at].copy()
    return replace(masks, **arrays)


def unclaimed(
    frames: np.ndarray, masks: MaskSet, evidence: ClipEvidence, words: Mapping[str, str], name: str
) -> tuple[int, tuple[float, float]] | None:
    """(frame, (x, y)) on a moving region whose colour fits the words and that no sound object
    claims, or None."""
    named = colours_in(words.get(name, ""))
    if not named:
        return None
    seen = ImageEvidence.of(frames)
    sound = [
        masks.masks[other]
        for other, e in evidence.objects.items()
        if other != name and measured_verdict(e).ok
    ]
    best: tuple[float, int, tuple[float, float]] | None = None
    for t in keyframes(len(frames), 6):
        free = foreground(frames[t], seen.plate, seen.noise)
        for mask in sound:
            free &= ~mask[t]
        for area, point in _fitting(frames[t], free, named):
            if best is None or area > best[0]:
                best = (area, t, point)
    return None if best is None else best[1:]


def _fitting(
    frame: np.ndarray, free: np.ndarray, named: Sequence[str]
) -> list[tuple[float, tuple[float, float]]]:
    """(area, innermost point) of regions of free pixels whose own colour is one of those named."""
    pixels = frame[free].reshape(-1, 3)
    if not len(pixels):
        return []
    colours, inverse = np.unique(pixels // 16, axis=0, return_inverse=True)
    fits = np.array(
        [min(colour_distance(c * 16.0 + 8.0, term) for term in named) < 25.0 for c in colours]
    )
    mask = free.copy()
    mask[free] = fits[inverse.ravel()]
    return [(region.area, _inside(region)) for region in regions(mask, 12)]


def _inside(region) -> tuple[float, float]:
    """The pixel of a region that is farthest from its edge."""
    padded = np.pad(region.mask.astype(np.uint8), 1)
    distance = cv2.distanceTransform(padded, cv2.DIST_L2, 5)[1:-1, 1:-1]
    y, x = np.unravel_index(int(distance.argmax()), distance.shape)
    return float(region.box[0] + x), float(region.box[1] + y)
