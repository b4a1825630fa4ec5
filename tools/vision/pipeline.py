"""Words to masks through time: detect, segment, track, look again where a track was lost. Trusted
code only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from tools.masks.area import mask_box, mask_iou
from tools.masks.request import DetectionRequest, MaskSet, Wanted
from tools.types import ContractError, check_frames
from tools.vision import cache as cached
from tools.vision.cache import MaskCache
from tools.vision.roles import (
    Detection,
    Detector,
    MaskTracks,
    Progress,
    Prompt,
    Seed,
    Segmenter,
    VideoTracker,
    box_iou,
    silent,
)


@dataclass(frozen=True)
class Backend:
    """The models that answer requests. segmenter: None when the detector brings its own masks."""

    detector: Detector
    tracker: VideoTracker
    segmenter: Segmenter | None = None

    @property
    def identity(self) -> dict[str, str]:
        """Names and weights of all models: what a cached answer depends on."""
        return {
            "detector": self.detector.identity,
            "tracker": self.tracker.identity,
            "segmenter": "" if self.segmenter is None else self.segmenter.identity,
        }


@dataclass(frozen=True)
class Options:
    """How detections become tracks.

    score: detections below it do not count. overlap: box IoU above which two detections are one
    object. keyframes: frames, evenly spread, in which an object is looked for. patience: frames
    without a mask after which an object is looked for again. memory: bytes of masks that one clip
    may take.
    """

    score: float = 0.3
    overlap: float = 0.7
    keyframes: int = 6
    patience: int = 3
    memory: int = 1 << 30


DEFAULTS = Options()


def masks_for(
    frames: np.ndarray,
    request: DetectionRequest,
    backend: Backend,
    options: Options = DEFAULTS,
    cache: MaskCache | None = None,
    progress: Progress = silent,
) -> MaskSet:
    """The masks that a request asks for, in every one of ``frames`` (T, H, W, 3) uint8; cached by
    content.

    An object that is not found has masks that are all False, and a report that says so. Raises
    ContractError when the masks would not fit into ``options.memory``.
    """
    check_frames(frames)
    _check_memory(frames, request, options)
    name = cached.key(
        frames,
        {"request": request.to_json(), "models": backend.identity, "options": asdict(options)},
    )
    answer = None if cache is None else cache.get(name)
    if answer is None:
        answer = _compute(frames, request, backend, options, progress)
        if cache is not None:
            cache.put(name, answer)
    return replace(answer, report=dict(answer.report) | {"key": name})


def _check_memory(frames: np.ndarray, request: DetectionRequest, options: Options) -> None:
    needed = len(request.names) * int(np.prod(frames.shape[:3]))
    if needed > options.memory:
        raise ContractError(
            "detections",
            f"masks of at most {options.memory >> 20} MiB",
            f"{needed >> 20} MiB for {len(request.names)} names",
            "use fewer names, fewer frames or smaller pictures",
        )


def _compute(
    frames: np.ndarray,
    request: DetectionRequest,
    backend: Backend,
    options: Options,
    progress: Progress,
) -> MaskSet:
    found = find(frames, request.wanted, backend, options, progress)
    tracks = (
        both_ways(backend.tracker, frames, [seed for seed, _ in found.values()], progress)
        if found
        else MaskTracks({}, {})
    )
    corrections = look_again(frames, tracks, request.wanted, backend, options)
    if corrections:
        tracks = both_ways(
            backend.tracker, frames, [*(seed for seed, _ in found.values()), *corrections], progress
        )
    report = {
        "models": backend.identity,
        "objects": {name: _describe(name, found, tracks, corrections) for name in request.names},
    }
    empty = np.zeros(frames.shape[:3], bool)
    masks = {name: tracks.masks.get(name, empty) for name in request.names}
    confidence = {
        name: tracks.confidence.get(name, np.zeros(len(frames))) for name in request.names
    }
    return MaskSet(masks, confidence, report)


def _describe(
    name: str,
    found: Mapping[str, tuple[Seed, Detection]],
    tracks: MaskTracks,
    corrections: Sequence[Seed],
) -> dict[str, Any]:
    """One object for the trace."""
    if name not in found:
        return {"found": False}
    seed, detection = found[name]
    seen = tracks.seen(name)
    return {
        "found": True,
        "frame": seed.frame,
        "score": round(detection.score, 4),
        "words": detection.words,
        "box": [round(v, 2) for v in detection.box],
        "frames_seen": int(seen.sum()),
        "frames": len(seen),
        "seen_again": [s.frame for s in corrections if s.name == name],
    }


# --------------------------------------------------------------------------------------------------


def find(
    frames: np.ndarray,
    wanted: Sequence[Wanted],
    backend: Backend,
    options: Options,
    progress: Progress = silent,
) -> dict[str, tuple[Seed, Detection]]:
    """Name -> where it was first found; a name that is found nowhere is not in the answer.

    Keyframes are looked at in order until every name has been found; all objects of an entry with a
    count come from the first keyframe that shows one of them.
    """
    missing = list(wanted)
    found: dict[str, tuple[Seed, Detection]] = {}
    for done, t in enumerate(keyframes(len(frames), options.keyframes)):
        words = {entry.name: entry.words for entry in missing}
        taken = [detection for seed, detection in found.values() if seed.frame == t]
        chosen = select(backend.detector.detect(frames, [t], words)[0], missing, options, taken)
        found |= {
            name: value
            for name, value in with_masks(frames[t], t, chosen, backend.segmenter).items()
            if name not in found
        }
        missing = [entry for entry in missing if entry.names[0] not in found]
        progress("detection", done + 1, options.keyframes)
        if not missing:
            break
    return found


def keyframes(length: int, count: int) -> list[int]:
    """At most ``count`` frame indices, evenly spread, the first and the last among them.

    >>> keyframes(10, 4)
    [0, 3, 6, 9]
    """
    return sorted({round(t) for t in np.linspace(0, length - 1, min(count, length))})


def select(
    detections: Sequence[Detection],
    wanted: Sequence[Wanted],
    options: Options,
    taken: Sequence[Detection] = (),
) -> dict[str, Detection]:
    """Mask name -> detection: scores above the threshold, best first, no object used twice, at most
    ``count`` a name."""
    chosen: dict[str, Detection] = {}
    room = {entry.name: list(entry.names) for entry in wanted}
    for detection in sorted(detections, key=lambda d: -d.score):
        others = [*taken, *chosen.values()]
        if (
            detection.score >= options.score
            and room.get(detection.name)
            and not any(_same(detection, o, options.overlap) for o in others)
        ):
            chosen[room[detection.name].pop(0)] = detection
    return chosen


def _same(a: Detection, b: Detection, overlap: float) -> bool:
    """Whether two detections are one object: by their masks if both have one, else by their
    boxes."""
    if a.mask is not None and b.mask is not None:
        return mask_iou(a.mask, b.mask) > overlap
    return box_iou(a.box, b.box) > overlap


def with_masks(
    frame: np.ndarray, t: int, chosen: Mapping[str, Detection], segmenter: Segmenter | None
) -> dict[str, tuple[Seed, Detection]]:
    """Grounded segmentation: the detector's boxes become masks; a box without a mask is dropped."""
    bare = [name for name, detection in chosen.items() if detection.mask is None]
    if bare and segmenter is None:
        raise ContractError(
            "detections",
            "a segmenter for a detector that finds boxes",
            "none",
            "choose one, e.g. sam-vit-b",
        )
    masks = {
        name: detection.mask for name, detection in chosen.items() if detection.mask is not None
    }
    if bare and segmenter is not None:
        segments = segmenter.segment(frame, [Prompt(box=chosen[name].box) for name in bare])
        masks |= {name: segment.mask for name, segment in zip(bare, segments, strict=True)}
    return {name: (Seed(name, t, mask), chosen[name]) for name, mask in masks.items() if mask.any()}


# --------------------------------------------------------------------------------------------------


def both_ways(
    tracker: VideoTracker, frames: np.ndarray, seeds: Sequence[Seed], progress: Progress = silent
) -> MaskTracks:
    """Track forwards, and backwards from the first seed of every object that was found late."""
    tracks = tracker.track(frames, seeds, progress)
    first = {
        name: min((s for s in seeds if s.name == name), key=lambda s: s.frame)
        for name in tracks.names
    }
    late = {name: seed for name, seed in first.items() if seed.frame > 0}
    if not late:
        return tracks
    last = max(seed.frame for seed in late.values())
    context = [
        Seed(name, last, tracks.masks[name][last])
        for name in tracks.names
        if name not in late and tracks.masks[name][last].any()
    ]
    mirrored = [replace(seed, frame=last - seed.frame) for seed in [*late.values(), *context]]
    back = tracker.track(np.ascontiguousarray(frames[last::-1]), mirrored, progress)
    for name, seed in late.items():
        earlier = slice(0, seed.frame)
        claimed = (
            np.any(
                [tracks.masks[other][earlier] for other in tracks.names if other != name], axis=0
            )
            if len(tracks.names) > 1
            else False
        )
        tracks.masks[name][earlier] = back.masks[name][::-1][earlier] & ~np.asarray(claimed)
        tracks.confidence[name][earlier] = back.confidence[name][::-1][earlier] * tracks.masks[
            name
        ][earlier].any(axis=(1, 2))
    return tracks


def look_again(
    frames: np.ndarray,
    tracks: MaskTracks,
    wanted: Sequence[Wanted],
    backend: Backend,
    options: Options,
) -> list[Seed]:
    """New seeds for single objects that were lost for ``patience`` frames and that the detector
    sees there again."""
    seeds: list[Seed] = []
    for entry in wanted:
        if entry.count is None and entry.name in tracks.masks:
            for t in _lost_at(tracks.seen(entry.name), options.patience):
                seeds += _recover(frames, t, entry, tracks, backend, options)
    return seeds


def _lost_at(seen: np.ndarray, patience: int) -> list[int]:
    """The last frame of every run of at least ``patience`` frames without a mask."""
    edges = np.flatnonzero(np.diff(np.concatenate([[True], seen, [True]]).astype(np.int8)))
    return [int(stop - 1) for start, stop in edges.reshape(-1, 2) if stop - start >= patience]


def _recover(
    frames: np.ndarray,
    t: int,
    entry: Wanted,
    tracks: MaskTracks,
    backend: Backend,
    options: Options,
) -> list[Seed]:
    others = [
        Detection(n, "", box, 1.0, m[t])
        for n, m in tracks.masks.items()
        if n != entry.name and (box := mask_box(m[t])) is not None
    ]
    chosen = select(
        backend.detector.detect(frames, [t], {entry.name: entry.words})[0], [entry], options, others
    )
    return [seed for seed, _ in with_masks(frames[t], t, chosen, backend.segmenter).values()]
