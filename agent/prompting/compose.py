"""Putting a prompt together: which template, which sections, which pictures, and how much of
each."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import prompts
from agent.checking.detection_check import DetectionEvidence, measure
from agent.checking.sighting import Sighting, sight, surroundings
from agent.core.affordances import Affordances
from agent.core.protocols import Archive, Finding, Move, Node
from agent.models.messages import Field, Form, Message, Part, Picture, Text
from agent.prompting import pictures, report
from agent.prompting.likeness import Memory
from agent.prompting.reply import MEASURE
from agent.prompting.tables import elided, state_table
from tools.perception.given import clip_number
from tools.types import STAGES, Failure, Programs, States, Steps, Task, Video

PROGRAMS = Form(
    "write_programs",
    "The rationale and the whole files that are written or changed.",
    (
        Field(
            "rationale",
            "One paragraph: what you see, which mechanism you assume and why, what you changed.",
        ),
        *(
            Field(
                stage,
                f"The whole source of {stage}.py, or null if it stays as it is.",
                nullable=True,
            )
            for stage in STAGES
        ),
        Field(
            MEASURE,
            "The source of a perception.py whose measurements you want to see before you write the "
            "programs (once), or null.",
            nullable=True,
        ),
    ),
)
"""The answer to a request for programs."""

VERDICTS = Form(
    "judge_detections",
    "A verdict on each object, and what no object marks.",
    (
        Field(
            "verdicts",
            "One entry for each object.",
            kind="objects",
            fields=(
                Field("object", "Its name."),
                Field("verdict", "right, wrong, twice or unsure."),
                Field("why", "A few words."),
            ),
        ),
        Field(
            "missing",
            "Things that move and that no object marks.",
            kind="objects",
            fields=(
                Field("what", "A few words."),
                Field("x", "Pixels from the left, about."),
                Field("y", "Pixels from the top, about."),
            ),
        ),
    ),
)
"""The answer to a request for verdicts on detections."""


@dataclass(frozen=True)
class Detail:
    """How much a prompt shows. frames: key frames drawn. rows: lines of a table. tried: lines about
    earlier programs. others: further programs shown whole. extras: composite, zoom and residual
    pictures. examples: the worked examples."""

    frames: int
    rows: int
    tried: int
    others: int
    extras: bool = True
    examples: bool = True


_LONGEST = 5_000  # characters of a remembered program
QUOTED = 2_000
"""Characters of an answer that cannot be used that are quoted back."""
LEVELS = (
    Detail(frames=4, rows=24, tried=60, others=1),
    Detail(frames=2, rows=12, tried=12, others=0),
    Detail(frames=1, rows=6, tried=5, others=0, extras=False),
    Detail(frames=0, rows=4, tried=2, others=0, extras=False, examples=False),
)
"""From everything down to the least that makes sense; the next is taken when a prompt is too long
for the model."""

_SHORTENED = (
    "(This prompt was shortened to fit: fewer pictures, shorter tables, earlier programs left out.)"
)


def subject(task: Task) -> Video:
    """The clip that is drawn and tabulated: the first training video, or the first test video's
    seen part."""
    return (task.train or task.test)[0]


class _Seen:
    """A clip, what can be pointed at in it, and the pictures drawn of it so far."""

    def __init__(self, video: Video, sighting: Sighting):
        self.video, self.sighting = video, sighting
        self._drawn: dict[Detail, list[Picture]] = {}

    def pictures(self, detail: Detail) -> list[Picture]:
        """Key frames with outlines, the motion composite, and what is small enlarged."""
        if detail not in self._drawn:
            self._drawn[detail] = list(self._draw(detail))
        return list(self._drawn[detail])

    def _draw(self, detail: Detail) -> Iterator[Picture]:
        frames, seen = self.video.frames, self.sighting
        times = (
            pictures.key_frames(frames[list(seen.times)], detail.frames) if detail.frames else []
        )
        for n, k in enumerate(times):  # the first shows all there is
            t = seen.times[k]
            yield pictures.annotated(frames[t], seen, t, cropped=n > 0)
        if detail.extras:
            yield pictures.composite(frames, seen)
            enlarged = pictures.zoom(frames[0], seen, 0)
            yield from [enlarged] if enlarged else []


class Composer:
    """Writes the messages of every request. hint: the user's words, or "". rules: affordance rules.
    blob: gives the bytes of a stored picture by its hash. observed: which frames are fitted and
    which judge (Evaluator.summary), as far as it is known. memories: programs that worked on like
    scenes, for drafts."""

    def __init__(self, hint: str, rules: Affordances, blob: Callable[[str], bytes]):
        self.hint, self.rules = hint, rules
        self.observed: Mapping[str, Any] = {}
        self.memories: Sequence[Memory] = ()
        self._blob = blob
        self._last: _Seen | None = None

    # ----------------------------------------------------------------------------------------------

    def programs(
        self, task: Task, archive: Archive, move: Move, checks: Sequence[Finding], level: int
    ) -> tuple[Message, ...]:
        """The request for programs that ``move`` calls for. checks: findings on the parent's
        detections."""
        detail = LEVELS[level]
        parent = None if move.parent is None else archive[move.parent]
        video = subject(task)
        shown = self.appearance(video).pictures(detail)
        further = self._node_pictures(parent) if parent and detail.extras else []
        values = {
            "reason": _reason(move),
            "search": "\n\n".join(
                [*self._search(archive, parent, detail), *([_SHORTENED] if level else [])]
            ),
        }
        if parent is not None:
            values |= _about_parent(parent, move, checks, video.steps, detail)
        told = [_list_pictures(further, len(shown))] if further else []
        text = "\n\n".join([_tidy(prompts.load(move.kind).render(values)), *told])
        constant = (Text(_tidy(self._scene(task, shown, detail))), *_captioned(shown))
        changing = (Text(text), *_captioned(further, len(shown)))
        return system(detail.examples), Message("user", (*constant, *changing))

    def retry(
        self, conversation: tuple[Message, ...], answer: str, problem: str, advice: str, whole: bool
    ) -> tuple[Message, ...]:
        """The second chance. whole: keep the scene (the problem is the idea, not the form); its
        pictures, which the answer has told in words, are not paid for again."""
        asked = (
            tuple(map(_without_pictures, conversation))
            if whole
            else (
                system(),
                Message.say("user", "Write the programs of a world model for a video clip."),
            )
        )
        fix = _tidy(prompts.load("fix").render({"problem": problem, "advice": advice}))
        return (
            *asked,
            Message.say("assistant", _quoted(answer.strip()) or "(nothing)"),
            Message.say("user", fix),
        )

    def measured(
        self, conversation: tuple[Message, ...], answer: str, found: States | Failure, dt: Steps
    ) -> tuple[Message, ...]:
        """The conversation after the model asked what a perception program measures: found, or why
        there is nothing. The pictures stay out of it."""
        table = (
            report.failure(found, Programs(answer, "", ""))
            if isinstance(found, Failure)
            else state_table(found, dt, LEVELS[0].rows)
        )
        return (
            *map(_without_pictures, conversation),
            Message.say("assistant", _quoted(answer.strip()) or "(nothing)"),
            Message.say("user", _tidy(prompts.load("measured").render({"table": table}))),
        )

    def verdicts(self, frames: np.ndarray, states: States) -> tuple[Message, ...]:
        """The request for verdicts on what perception found in ``frames``."""
        times = pictures.key_frames(frames, 3)
        shown = [pictures.overlay(frames[t], states, t) for t in times]
        text = prompts.load("detections").render(
            {"objects": ", ".join(states.objects), "evidence": _evidence(measure(frames, states))}
        )
        return (Message("user", (Text(_tidy(text)), *_captioned(shown))),)

    # ----------------------------------------------------------------------------------------------

    def appearance(self, video: Video) -> _Seen:
        """What can be pointed at in ``video`` and the pictures of it; kept for the clip that was
        looked at last."""
        seen = self._last
        if seen is None or seen.video is not video:
            seen = self._last = _Seen(video, sight(video.frames, thin=True))
        return seen

    def _scene(self, task: Task, shown: Sequence[Picture], detail: Detail) -> str:
        video = subject(task)
        seen = self.appearance(video).sighting
        rules = self.rules.describe()
        return prompts.load("scene").render(
            {
                "clips": "\n".join([clips(task), *_split(self.observed)]),
                "hint": _said(self.hint, video),
                "rules": "Rules that hold for this scene (a program that breaks a checked one is "
                f"refused):\n\n{rules}"
                if rules
                else "",
                "things": _things(seen),
                "table": state_table(seen.table(), video.steps, detail.rows, seen.times)
                if seen.things
                else "",
                "pictures": _list_pictures(shown),
            }
        )

    def _node_pictures(self, node: Node) -> list[Picture]:
        captions = {
            "reconstruction": f"program {node.id}: frames seen, the same frames drawn from its "
            "measured states, and their difference (grey = equal)",
            "prediction": f"program {node.id}: true frames, its prediction, and their difference "
            "(grey = equal)",
        }
        blobs = node.evaluation.blobs
        return [
            pictures.from_png(self._blob(blobs[name]), caption)
            for name, caption in captions.items()
            if name in blobs
        ]

    def _search(self, archive: Archive, parent: Node | None, detail: Detail) -> list[str]:
        remembered = parent is None and self.memories and detail.examples
        parts = [_remembered(self.memories)] if remembered else []
        parts += ["## The search so far", report.tried(archive, detail.tried)]
        for node in report.others(archive, [parent.id] if parent else [], detail.others):
            if parent is None or node.score > parent.score:
                parts += [
                    f"The best program so far, for comparison (score {node.score:.3f}):",
                    report.program(node),
                    report.losses(node.evaluation),
                ]
                parts += (
                    [f"Where it falls short:{report.findings(node.diagnosis.findings)}"]
                    if node.diagnosis.findings
                    else []
                )
        return parts


def _remembered(memories: Sequence[Memory]) -> str:
    entries = [
        f"{one.words} (It scored {one.score:.2f} there.)\n\n```python dynamics.py\n"
        f"{one.dynamics.strip()[:_LONGEST]}\n```"
        for one in memories
    ]
    return prompts.load("memory").render({"entries": "\n\n".join(entries)})


def system(examples: bool = True) -> Message:
    """The system message: the job, the contract, examples, the functions, the form of the
    answer."""
    names = ("contract", "example", "tools", "output")
    values = {name: prompts.load(name).render({}).strip() for name in names}
    values |= {} if examples else {"example": ""}
    return Message.say("system", _tidy(prompts.load("system").render(values)))


def _apart(video: Video) -> str:
    """How far frames lie apart, in words."""
    if video.times is None:
        return f"{video.dt:g} s apart"
    steps = np.diff(video.times)
    return (
        f"unevenly spaced ({steps.min():.3g} to {steps.max():.3g} s apart, {video.dt:.3g} s as a "
        "rule: `step` is given each frame's own `dt`, and `initial` finds the seconds of its "
        "frames in `states.seconds(dt)`)"
    )


def _said(hint: str, video: Video) -> str:
    """What a person says of the scene, in words and pointing at it."""
    guide, words = video.guide, []
    if hint.strip():
        words.append(f"The user says: {hint.strip()}")
    if guide:
        words.append(
            f"The user points out: {guide.told()}. Hand this to `tools.moving_bodies`, or the "
            "tracks to `tools.as_given`, if `tools.same_clip` holds; these numbers cost nothing:"
        )
        words.append("\n".join(["```python", f"CLIP = {clip_number(video.frames)}"]))
        words[-1] += f"\n{guide.source()}\n```"
    return "\n\n".join(words)


def clips(task: Task) -> str:
    """What there is to see and what is to be predicted, in words."""
    video = subject(task)
    height, width = task.shape
    lines = [
        f"- Frames of {width} x {height} pixels (width x height), {_apart(video)}; "
        f"{surroundings(video.frames)}."
    ]
    if task.train:
        lengths = sorted({len(one) for one in task.train})
        span = f"{lengths[0]}" if len(lengths) == 1 else f"{lengths[0]} to {lengths[-1]}"
        lines.append(
            f"- {len(task.train)} training videos, seen whole ({span} frames each). The first of "
            "them is shown below; the others are the same kind of scene with other starting "
            "conditions."
        )
    count = "1 video" if len(task.test) == 1 else f"{len(task.test)} videos"
    lines.append(
        f"- To be predicted: {count}, of which {task.context} frames are seen and the next "
        f"{task.horizon} are not."
    )
    if video.actions is not None:
        shown = ", ".join(elided([f"{action:g}" for action in video.actions], 16))
        lines.append(
            "- An action acts between each frame and the next (argument `action` of `step`): "
            f"{shown}."
        )
    return "\n".join(lines)


def _split(observed: Mapping[str, Any]) -> Iterator[str]:
    """Which frames are fitted and which judge, by number."""
    trials = observed.get("trials") or ()
    if not trials:
        return
    seen, judged = trials[0]["seen"], trials[0]["judged"]
    others = sorted(set(observed.get("origins") or ()) - {seen})
    earlier = (
        f"; forecasts from frame{'s' * (len(others) > 1)} {', '.join(map(str, others))} on count "
        "as well"
        if others
        else ""
    )
    clips = f" of {len(trials)} videos each" if len(trials) > 1 else ""
    yield (
        f"- Fitted are frames 0 to {max(observed['fitted']) - 1}; frames {seen} to "
        f"{seen + judged - 1}{clips} judge{earlier}."
    )


def _things(seen: Sighting) -> str:
    if not seen.things:
        return "(Nothing stands out from the background by colour.)"
    lines = []
    for thing in seen.things:
        t = min(thing.regions)
        x0, y0, x1, y1 = seen.box(thing, t)
        bar = seen.bar(thing, t)
        size = (
            f"a bar about {bar[0]:.0f} px long and {bar[1]:.0f} px thick"
            if bar
            else f"about {x1 - x0:.0f} x {y1 - y0:.0f} px"
        )
        span = (
            f"frames {t} to {max(thing.regions)}"
            if len(thing.regions) < len(seen.times)
            else "all frames"
        )
        lines.append(f"- thing {thing.label}: colour RGB {thing.colour}, {size}, in {span}")
    return "\n".join(lines)


def _about_parent(
    parent: Node, move: Move, checks: Sequence[Finding], dt: Steps, detail: Detail
) -> dict[str, str]:
    """Values that only repair and refine have holes for."""
    values = {"node": parent.id, "program": report.program(parent)}
    if move.kind == "repair":
        failed = parent.evaluation.failure
        return values | {
            "failure": report.failure(failed, parent.candidate.programs)
            if failed
            else "It ran; see the remarks.\n\n" + report.shortfall(parent, dt, detail.rows)
        }
    checked = f"\n\nCheck of its detections:{report.findings(checks)}" if checks else ""
    stage = f", above all its {move.stage}" if move.stage else ""
    return values | {
        "stage": stage,
        "score": f"{parent.score:.3f}",
        "shortfall": report.shortfall(parent, dt, detail.rows) + checked,
    }


def _reason(move: Move) -> str:
    """Why the question is asked, and what sets it apart from others in flight."""
    why = f"Why now: {_by_number(move.reason)}." if move.reason else ""
    return f"{why} {move.brief.words}".strip() if move.brief else why


def _by_number(reason: str) -> str:
    """A policy's reason in the words of a prompt, which calls nodes programs."""
    return re.sub(r"\bnode (?=\d)", "program ", reason)


def _evidence(found: Sequence[DetectionEvidence]) -> str:
    return (
        "\n".join(f"- {one.name}: {one.describe()}, colour there RGB {one.colour}" for one in found)
        or "(no object has a position)"
    )


def _list_pictures(shown: Sequence[Picture], before: int = 0) -> str:
    """Where they are; each stands with its caption. before: number of those shown earlier."""
    if not shown:
        return ""
    if len(shown) == 1:
        return f"Picture {before + 1} follows this text."
    last = before + len(shown)
    return f"Pictures {before + 1} to {last} follow this text, each under its caption."


def _captioned(shown: Sequence[Picture], before: int = 0) -> list[Part]:
    return [
        part
        for n, picture in enumerate(shown, before + 1)
        for part in (Text(f"Picture {n}: {picture.caption}"), picture)
    ]


def _without_pictures(message: Message) -> Message:
    parts = [Text("(shown before)") if isinstance(p, Picture) else p for p in message.parts]
    return Message(message.role, tuple(parts))


def _tidy(text: str) -> str:
    """No more than one empty line in a row, except in fenced blocks, whose line numbers count."""
    pieces = re.split(r"(^```.*?^```$)", text, flags=re.DOTALL | re.MULTILINE)
    pieces[::2] = [re.sub(r"\n{3,}", "\n\n", piece) for piece in pieces[::2]]
    return "".join(pieces).strip() + "\n"


def _quoted(answer: str) -> str:
    """An answer as it is quoted back: whole up to QUOTED characters, else its head and its tail."""
    if len(answer) <= QUOTED:
        return answer
    part = QUOTED // 2 - 30
    left_out = len(answer) - 2 * part
    return f"{answer[:part]}\n[... {left_out} characters left out ...]\n{answer[-part:]}"
