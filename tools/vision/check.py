"""Are these masks what the words say? A verdict per object, measured evidence beside it, one
correction, a decision.

The paper's Figure 6: the detector takes the pole for "the black cart". A vision-language model is
asked about an overlay (``MaskQuestion`` -> ``Answer``, injected as a function), and what can be
measured is measured; ``decide`` joins the two. Everything here is pure; ``repair`` carries
decisions out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import cv2
import numpy as np

from tools.masks.area import mask_box
from tools.masks.request import MAX_WORDS
from tools.types import ContractError
from tools.vision.evidence import ClipEvidence, ObjectEvidence

WRONG_COLOUR = 45.0
"""CIELAB distance from the nearest colour named in the words from which a colour contradicts them.
"""

SHAPES: dict[str, str] = {
    **dict.fromkeys(
        ("pole", "rod", "stick", "bar", "beam", "line", "string", "rope", "needle", "arm"), "long"
    ),
    **dict.fromkeys(
        ("ball", "disk", "disc", "circle", "bob", "wheel", "sphere", "square", "dot"), "compact"
    ),
}
"""Shape words: "long" means longer than LONG times its width, "compact" shorter than that."""

LONG = 2.0

LEAST_GAIN = 0.5
"""By how much a correction must lessen what is wrong with an object that stays unsound (see
``Verdict.badness``)."""

FATAL = ("not_found", "wrong_colour", "wrong_shape", "same_as", "swapped", "background")
"""Problems that make an object not what the words say; the others are warnings."""


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong. kind: one of FATAL, or "missing", "jump", "poor_mask". message: a
    sentence. frames: where, empty = everywhere. weight: how bad, 1 for a whole clip."""

    kind: str
    message: str
    frames: tuple[int, ...] = ()
    weight: float = 1.0


@dataclass(frozen=True)
class Verdict:
    """ok: nothing fatal. problems: worst first."""

    name: str
    ok: bool
    problems: tuple[Problem, ...] = ()

    @property
    def badness(self) -> float:
        """0 = nothing to say; comparable between two answers for one object."""
        return sum(p.weight * (1.0 if p.kind in FATAL else 0.3) for p in self.problems)

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "ok": self.ok,
            "problems": [
                asdict(p) | {"frames": list(p.frames), "weight": round(p.weight, 3)}
                for p in self.problems
            ],
        }


def measured_verdict(evidence: ObjectEvidence) -> Verdict:
    """What the measurements alone say about one object."""
    if evidence.frames_seen == 0:
        return Verdict(
            evidence.name,
            False,
            (Problem("not_found", f"'{evidence.words}' was found in no frame"),),
        )
    found = [
        p
        for p in (
            _colour(evidence),
            _shape(evidence),
            _twin(evidence),
            _background(evidence),
            _missing(evidence),
            _jump(evidence),
            _mask(evidence),
        )
        if p
    ]
    found += _swaps(evidence)
    problems = tuple(sorted(found, key=lambda p: -(p.weight + (p.kind in FATAL))))
    return Verdict(evidence.name, not any(p.kind in FATAL for p in problems), problems)


def _colour(e: ObjectEvidence) -> Problem | None:
    if e.colour_error is None or e.colour_error <= WRONG_COLOUR or e.colour_name in e.named:
        return None
    return Problem(
        "wrong_colour",
        f"'{e.words}' should be {' or '.join(e.named)}, but the mask covers something "
        f"{e.colour_name}",
    )


def _shape(e: ObjectEvidence) -> Problem | None:
    wanted = {SHAPES[word] for word in e.words.lower().split() if word in SHAPES}
    if wanted == {"long"} and e.elongation < 1.3:
        return Problem(
            "wrong_shape",
            f"'{e.words}' should be long, but the mask is only {e.elongation:.1f} times as long "
            "as wide",
        )
    if wanted == {"compact"} and e.elongation > LONG:
        return Problem(
            "wrong_shape",
            f"'{e.words}' should be compact, but the mask is {e.elongation:.1f} times as long as "
            "wide",
        )
    return None


def _twin(e: ObjectEvidence) -> Problem | None:
    other, overlap = e.twin
    return (
        Problem(
            "same_as",
            f"{e.name} and {other} share {overlap:.0%} of their pixels: one object under two names",
        )
        if overlap > 0.6
        else None
    )


def _background(e: ObjectEvidence) -> Problem | None:
    return (
        Problem(
            "background",
            f"{e.idle:.0%} of the mask of {e.name} shows plain background",
            weight=e.idle,
        )
        if e.idle > 0.6
        else None
    )


def _missing(e: ObjectEvidence) -> Problem | None:
    if not e.missing:
        return None
    share = len(e.missing) / e.frames
    return Problem(
        "missing",
        f"{e.name} has no mask in {len(e.missing)} of {e.frames} frames in which the image shows "
        "it",
        e.missing,
        share,
    )


def _jump(e: ObjectEvidence) -> Problem | None:
    return (
        Problem(
            "jump", f"{e.name} jumps in {len(e.jumps)} frames", e.jumps, len(e.jumps) / e.frames
        )
        if e.jumps
        else None
    )


def _mask(e: ObjectEvidence) -> Problem | None:
    if e.agreement >= 0.75:
        return None
    return Problem(
        "poor_mask",
        f"mask and image of {e.name} agree to {e.agreement:.0%} only: its outline is off",
        weight=1.0 - e.agreement,
    )


def _swaps(e: ObjectEvidence) -> list[Problem]:
    return [
        Problem(
            "swapped",
            f"the masks of {e.name} and {other} are exchanged in {len(frames)} frames",
            frames,
            len(frames) / e.frames,
        )
        for other, frames in e.swapped.items()
        if frames
    ]


# -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class MaskQuestion:
    """What a vision-language model is asked about one object: is what is outlined in magenta in
    ``overlay`` (H, W, 3) uint8, frame ``frame``, what ``words`` say? others: names of the other
    objects. evidence, verdict: what was measured."""

    name: str
    words: str
    frame: int
    overlay: np.ndarray = field(repr=False)
    others: tuple[str, ...]
    evidence: ObjectEvidence
    verdict: Verdict


@dataclass(frozen=True)
class Answer:
    """A model's verdict. words: a better phrase, or None. point: (x, y) pixels on the right object,
    or None."""

    ok: bool
    reason: str
    words: str | None = None
    point: tuple[float, float] | None = None

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {"point": self.point and list(self.point)}


Ask = Callable[[MaskQuestion], Answer]
"""The injected verdict function. It may raise ValueError for an unusable reply: then only the
measurements count."""


def question(
    frames: np.ndarray, masks: Mapping[str, np.ndarray], evidence: ObjectEvidence, verdict: Verdict
) -> MaskQuestion:
    """Ask about the frame in which the object's mask is largest (the first frame when there is
    none)."""
    frame = int(masks[evidence.name].sum(axis=(1, 2)).argmax())
    others = tuple(name for name in masks if name != evidence.name)
    return MaskQuestion(
        evidence.name,
        evidence.words,
        frame,
        outlined(frames[frame], masks[evidence.name][frame]),
        others,
        evidence,
        verdict,
    )


def outlined(
    frame: np.ndarray, mask: np.ndarray, colour: tuple[int, int, int] = (255, 0, 255)
) -> np.ndarray:
    """A copy of the frame (H, W, 3) with the outline of a mask and its box drawn in."""
    picture = frame.copy()
    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(picture, contours, -1, colour, 1)
    box = mask_box(mask)
    if box is not None:
        x0, y0, x1, y1 = (int(v) for v in box)
        cv2.rectangle(picture, (x0 - 3, y0 - 3), (x1 + 2, y1 + 2), colour, 1)
    return picture


def read_answer(data: Mapping[str, Any], asked: MaskQuestion) -> Answer:
    """Read a model's reply: ``ok`` (a bool, or yes / no), ``reason``, ``words``, ``point`` ([x, y]
    or "x, y").

    Raises ContractError with what is wrong with it.
    """
    ok = {"yes": True, "true": True, "no": False, "false": False}.get(
        str(data.get("ok")).strip().lower()
    )
    if ok is None:
        raise ContractError(
            f"verdict on {asked.name}", "'ok': yes or no", repr(data.get("ok"))[:60]
        )
    words = data.get("words") or None
    if words is not None and (not isinstance(words, str) or len(words.strip()) > MAX_WORDS):
        raise ContractError(
            f"verdict on {asked.name}: words", f"at most {MAX_WORDS} characters", repr(words)[:60]
        )
    return Answer(
        ok,
        str(data.get("reason") or "")[:500],
        words and words.strip(),
        _point(data.get("point") or None, asked),
    )


def _point(value: Any, asked: MaskQuestion) -> tuple[float, float] | None:
    if value is None:
        return None
    h, w = asked.overlay.shape[:2]
    try:
        x, y = (
            float(v) for v in (value.strip("[]() ").split(",") if isinstance(value, str) else value)
        )
    except (TypeError, ValueError):
        raise ContractError(f"verdict on {asked.name}: point", "[x, y]", repr(value)[:60]) from None
    if not (0 <= x < w and 0 <= y < h):
        raise ContractError(
            f"verdict on {asked.name}: point", f"inside {w} x {h} pixels", f"[{x:g}, {y:g}]"
        )
    return x, y


# --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Decision:
    """What to do about one object. action: "accept", "requery" (ask the detector with ``words``),
    "point" (segment at ``point`` in ``frame``), "relabel" (exchange masks with ``other`` in
    ``frames``), "reject" (nothing better is known)."""

    action: str
    reason: str
    words: str | None = None
    point: tuple[float, float] | None = None
    frame: int = 0
    other: str = ""
    frames: tuple[int, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {
            "frames": list(self.frames),
            "point": self.point and list(self.point),
        }


def decide(
    verdict: Verdict,
    evidence: ObjectEvidence,
    answer: Answer | None,
    asked: MaskQuestion | None,
    hint: tuple[int, tuple[float, float]] | None = None,
) -> Decision:
    """Join measurement and model.

    Measurement wins where it is hard: exchanged masks are put back, one object under two names or a
    colour that contradicts the words is not accepted whatever the model says. Elsewhere the model
    decides. hint: (frame, point) on an unclaimed region that fits the words, for when the model
    names no better place.
    """
    exchanged = next((p for p in verdict.problems if p.kind == "swapped"), None)
    if exchanged is not None:
        other = next(
            name for name, frames in evidence.swapped.items() if frames == exchanged.frames
        )
        return Decision("relabel", exchanged.message, other=other, frames=exchanged.frames)
    wrong = None if answer is None or answer.ok else answer
    if verdict.ok and wrong is None:
        return Decision(
            "accept",
            "measured evidence fits"
            + ("" if answer is None else "; the model agrees: " + answer.reason),
        )
    if wrong is not None:
        reason = "the model: " + wrong.reason if verdict.ok else verdict.problems[0].message
        if wrong.point is not None and asked is not None:
            return Decision("point", reason, point=wrong.point, frame=asked.frame)
        if wrong.words is not None and wrong.words != evidence.words:
            return Decision("requery", reason, words=wrong.words)
    else:
        reason = verdict.problems[0].message
    if hint is not None:
        return Decision("point", reason, point=hint[1], frame=hint[0])
    return Decision("reject", reason)


def better(new: ClipEvidence, old: ClipEvidence, name: str) -> bool:
    """Whether a correction helped: the object is sound now or at least clearly less wrong, and all
    objects together are not more."""
    before = {n: measured_verdict(e).badness for n, e in old.objects.items()}
    after = {n: measured_verdict(e).badness for n, e in new.objects.items()}
    sound = measured_verdict(new.objects[name]).ok and after[name] < before[name]
    return (sound or after[name] <= before[name] - LEAST_GAIN) and sum(after.values()) < sum(
        before.values()
    )
