"""One page about a node: what was on record, as Rich text. Each page reads only the files that it
shows."""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from agent import pictures
from agent.browser import ink, verdict
from agent.browser.index import Index, Row
from agent.core.protocols import Diagnosis
from agent.models.messages import Reply
from agent.plain import bar, clean, short
from agent.report.differences import Side, differences
from agent.run import runfolder
from agent.run.runfolder import RunFolder
from agent.units import convert, given
from tools.columns import unit_of
from tools.errors import ProggenError
from tools.fitting.result import BUDGET_SPENT
from tools.types import NOTES, STAGES, Evaluation, FittedParam, Programs, States, rounded

_STRIPS = {
    "prediction": ("truth", "prediction", "difference"),
    "reconstruction": ("seen", "redrawn", "difference"),
}
_BAR = 24
_PLOT = 4  # lines of a curve
_LONG = 240  # characters of a line of source
_NARROWEST, _WIDEST = 10, 48  # characters of one picture


@dataclass(frozen=True)
class PageView:
    """What a page is about. base: node to compare the programs with, None for the parent. clip:
    which of the videos, where there are several. width: characters."""

    folder: RunFolder
    index: Index
    node: str
    base: str | None = None
    clip: int = 0
    width: int = 80

    @property
    def row(self) -> Row:
        return self.index.rows[self.node]

    @cached_property
    def evaluation(self) -> Evaluation | None:
        return self.folder.load_evaluation(self.node)

    @cached_property
    def diagnosis(self) -> Diagnosis | None:
        return self.folder.load_diagnosis(self.node)

    @cached_property
    def programs(self) -> Programs:
        return self.programs_of(self.node)

    def programs_of(self, node: str) -> Programs:
        return runfolder.read_programs(self.folder.node(node))

    def film(self, name: str, node: str | None = None) -> np.ndarray | None:
        """(3, n, h, w, 3) frames of a stored picture of ``node`` (default: this one): true, drawn,
        difference; None where there is none."""
        event = self.index.rows[node or self.node].event("evaluated")
        key = None if event is None else event["blobs"].get(name)
        if key is None:
            return None
        image = cv2.imdecode(np.frombuffer(self.folder.store.get(key), np.uint8), cv2.IMREAD_COLOR)
        if image is None:
            return None
        return pictures.frames_of(np.ascontiguousarray(image[:, :, ::-1]), _STRIPS[name])


def page(name: str, view: PageView) -> RenderableType:
    """The page ``name`` of PAGES; a file that is missing or damaged gives a page that says so."""
    try:
        return Group(*PAGES[name](view))
    except ProggenError as error:
        return Text(f"This page cannot be shown: {clean(str(error))}", ink.BAD)


# --------------------------------------------------------------------------------------------------


def why(view: PageView) -> Iterator[RenderableType]:
    """The verdict, the way there, losses beside the rival's, the last frame beside the rival's,
    what was found."""
    said = verdict.verdict(view.index, view.node)
    row = view.row
    colour = (
        ink.GOOD
        if view.node == view.index.best
        else ink.BAD
        if row.status == "failed"
        else "yellow"
    )
    yield Text(said.headline, f"bold {colour}")
    yield Text(f"Its idea: {clean(row.said['rationale'])}")
    yield Text(verdict.scale(view.index), ink.DIM)
    for sentence in said.sentences:
        yield Text(clean(sentence))
    yield from _apart(view, said.rival, said.standing)
    yield from _seen(view, said.rival)
    yield from _titled("How it came about", _steps(said.steps, view))
    if row.status == "ok":
        yield from _titled(
            "Losses by stage" + (f", node {view.node} and node {said.rival}" if said.rival else ""),
            _losses(view, said.rival),
        )
    if row.reason:
        yield from _titled("Tried because", Text(clean(row.reason)))
    if view.diagnosis is not None and view.diagnosis.findings:
        yield from _titled("What is still wrong with it", _findings(view.diagnosis))


def _apart(view: PageView, rival: str | None, standing: str) -> Iterator[RenderableType]:
    """What this node and its rival say and have found differently."""
    if rival is None:
        return
    mine, theirs = (
        Side(
            f"node {node}",
            view.programs_of(node),
            () if (judged := view.folder.load_evaluation(node)) is None else judged.params,
        )
        for node in (view.node, rival)
    )
    yield from _titled(
        f"What tells node {view.node} and node {rival}{f', {standing},' if standing else ''} apart",
        *(Padding(Text(clean(f"- {text}")), (0, 0, 0, 1)) for text in differences(mine, theirs)),
    )


def _titled(title: str, *body: RenderableType) -> Iterator[RenderableType]:
    yield Text()
    yield Text(title, "bold underline")
    yield from body


def _grid(*columns: str) -> Table:
    table = Table.grid(padding=(0, 1))
    for kind in columns:
        table.add_column(
            justify="right" if kind == "r" else "left",
            no_wrap=kind != "w",
            overflow="ellipsis",
            ratio=1 if kind == "w" else None,
        )
    return table


def _steps(steps: Sequence[verdict.Step], view: PageView) -> Table:
    table = _grid("r", "r", "l", "r", "w")
    shown = steps if len(steps) <= 10 else [*steps[:4], None, *steps[-5:]]
    for step in shown:
        if step is None:
            table.add_row("", "", "", "", Text(f"{len(steps) - 9} steps left out", ink.DIM))
            continue
        row = step.row
        gain = "" if step.gain is None else f"{step.gain:+.3f}"
        colour = (
            ink.DIM
            if step.gain is None or abs(step.gain) < 0.0005
            else ink.GOOD
            if step.gain > 0
            else ink.BAD
        )
        score, drawn = (
            (f"{row.score:.3f}", bar(row.score, 8)) if row.status == "ok" else (row.status, "")
        )
        edit = row.kind if row.parent is None else f"{row.kind} {_names(row.stages)}"
        words = Text.assemble((f"{edit}: ", "bold"), short(row.said["rationale"], 180))
        table.add_row(
            Text(row.id, "bold" if row.id == view.node else ""),
            score,
            Text(drawn, ink.MADE),
            Text(gain, colour),
            words,
        )
    return table


def _names(stages: Sequence[str]) -> str:
    return "everything" if len(stages) == len(STAGES) else ", ".join(stages) or "nothing"


def _seen(view: PageView, rival: str | None) -> Iterator[RenderableType]:
    """The last frame that judges: the truth, this node's, the rival's, and how far off both are."""
    mine = view.film("prediction")
    other = None if rival is None else view.film("prediction", rival)
    if mine is None:
        return
    number = _numbers(view, "prediction", mine.shape[1])[-1]
    cut = ink.moving(mine[:2].reshape(-1, *mine.shape[2:]))
    shown = [("truth", mine[0, -1]), *_with_error(f"node {view.node}", mine)]
    if other is not None and other.shape == mine.shape:
        shown += _with_error(f"node {rival}", other)
    yield from _titled(f"Frame {number}, the last one judged", *_row(shown, cut, view.width))


def _with_error(title: str, strip: np.ndarray) -> list[tuple[str, np.ndarray]]:
    """The last frame drawn, and how far it is off."""
    return [(title, strip[1, -1]), (f"error of {title}", ink.heat(strip[0, -1], strip[1, -1]))]


def _row(
    shown: Sequence[tuple[str, np.ndarray]], cut: tuple[slice, slice], width: int
) -> list[Text]:
    """Titled pictures next to each other, on several lines where they would be too small."""
    each = (width - 1) // len(shown) - 1
    if each < 16 and len(shown) > 3:
        return _row(shown[:3], cut, width) + _row([shown[0], *shown[3:]], cut, width)
    each = min(max(each, _NARROWEST), _WIDEST)
    titles = Text(
        " ".join(short(title, each).ljust(each) for title, _ in shown), ink.DIM, no_wrap=True
    )
    return [
        titles,
        *ink.beside(
            [ink.picture(frame[cut], each, title.startswith("error")) for title, frame in shown]
        ),
    ]


def _numbers(view: PageView, name: str, count: int) -> list[int]:
    """Frame numbers of a stored strip."""
    observed = view.index.observed
    assert observed is not None, "strips are stored after what was observed"
    if name == "prediction":
        trial = observed["trials"][0]
        return [trial["seen"] + t for t in pictures.spread(trial["judged"], count)]
    return pictures.spread(observed["fitted"][0], count)


def _findings(diagnosis: Diagnosis) -> Table:
    table = _grid("l", "w")
    for finding in diagnosis.findings[:6]:
        table.add_row(Text(finding.stage, "bold"), Text(clean(finding.message)))
    if len(diagnosis.findings) > 6:
        table.add_row(
            "", Text(f"and {len(diagnosis.findings) - 6} more on the page Losses", ink.DIM)
        )
    return table


# --------------------------------------------------------------------------------------------------


def losses(view: PageView) -> Iterator[RenderableType]:
    """Losses by stage against the noise floor, errors by frame, misfit by column, the diagnosis."""
    evaluation = view.evaluation
    if evaluation is None:
        yield Text("Not judged yet.")
        return
    best = view.index.best
    yield Text(
        "0 is perfect, 1 as bad as doing nothing; ┊ marks what pixel noise alone would give.",
        ink.DIM,
    )
    yield _losses(view, None if best == view.node else best)
    if evaluation.frame_errors:
        yield from _titled(
            "Error of each frame ahead (1 = as wrong as repeating the last frame seen)",
            _frame_errors(view, evaluation),
        )
    if evaluation.fit.get("columns"):
        yield from _titled(
            "Misfit of the rollout to the measured states, by column (rms)", _misfit(evaluation)
        )
    if evaluation.fit:
        fit = evaluation.fit
        words = (
            f"{fit.get('status')} after {fit.get('evaluations', 0):.0f} evaluations with "
            f"{fit.get('optimizer')}: {fit.get('message')}"
        )
        more = (
            [
                Text(
                    "run-agent fit RUN --video FILE --evaluations N --seconds S allows more.",
                    ink.DIM,
                )
            ]
            if fit.get("status") == BUDGET_SPENT
            else []
        )
        yield from _titled("The fit", Text(clean(words)), *more)
    if view.diagnosis is not None:
        guilty = f"; to be edited next: {view.diagnosis.guilty}" if view.diagnosis.guilty else ""
        table = _grid("l", "l", "w")
        for finding in view.diagnosis.findings:
            table.add_row(
                Text(finding.stage, "bold"),
                Text(finding.kind, ink.DIM),
                Text(clean(finding.message)),
            )
        yield from _titled("Diagnosis", Text(view.diagnosis.verdict + guilty), table)


def _losses(view: PageView, other: str | None) -> Table:
    table = _grid("l", "r", "l", "l", "r")
    floors = {"rendering": view.row.losses.get("floor")}
    for stage in STAGES:
        for node in [view.node] if other is None else [view.node, other]:
            value, mine = view.index.rows[node].losses.get(stage), node == view.node
            if value is None:
                table.add_row(
                    stage if mine else "",
                    "not reached",
                    "",
                    "" if other is None else f"node {node}",
                )
                continue
            floor = floors.get(stage) if mine else None
            words = (
                ""
                if floor is None
                else f"noise alone {floor:.3g}"
                if floor
                else "no noise in this video"
            )
            drawn = Text(bar(value, _BAR), ink.MADE if mine else ink.DIM)
            if floor:
                drawn = _marked(drawn, floor)
            table.add_row(
                Text(stage if mine else "", "bold"),
                f"{value:.3g}",
                drawn,
                "" if other is None else Text(f"node {node}", "" if mine else ink.DIM),
                Text(words, ink.DIM),
            )
    return table


def _marked(drawn: Text, share: float) -> Text:
    place = min(int(share * _BAR), _BAR - 1)
    return Text.assemble(drawn[:place], ("┊", ink.TRUE), drawn[place + 1 :])


def _frame_errors(view: PageView, evaluation: Evaluation) -> Table:
    table = _grid("l", "l", "r")
    for number, errors in enumerate(evaluation.frame_errors[:20]):
        words = (
            f"{errors[0]:.2f} → {errors[-1]:.2f}"
            if len(errors) > 1
            else f"{errors[0]:.2f}"
            if errors
            else "none"
        )
        table.add_row(
            f"video {number}" if len(evaluation.frame_errors) > 1 else "",
            Text(ink.spark(ink.thinned(errors, 60), 0.0, 1.0), ink.MADE),
            words,
        )
    if len(evaluation.frame_errors) > 20:
        table.add_row("", Text(f"{len(evaluation.frame_errors) - 20} videos left out", ink.DIM), "")
    return table


def _misfit(evaluation: Evaluation) -> Table:
    table = _grid("l", "r", "l", "r")
    noise = {
        column: float(states.noise[k])
        for states in evaluation.measured[:1]
        if states.noise is not None
        for k, column in enumerate(states.columns)
    }
    for column, value in evaluation.fit["columns"].items():
        times = f"{value / noise[column]:.2g} times its noise" if column in noise else ""
        table.add_row(Text(clean(column)), f"{value:.3g}", unit_of(column), Text(times, ink.DIM))
    return table


# --------------------------------------------------------------------------------------------------


def numbers(view: PageView) -> Iterator[RenderableType]:
    """Fitted θ with errors, bounds and notes."""
    evaluation = view.evaluation
    if evaluation is None or not evaluation.params:
        yield Text(
            "This program has no parameters."
            if evaluation is not None and evaluation.status == "ok"
            else "Nothing was fitted."
        )
        return
    wide = max(len(param.name) for param in evaluation.params)
    scale = given.scale_of(view.folder.path)
    for param in evaluation.params:
        value, error = rounded(param.value, param.error)
        error = f"± {error}" if error else "assumed" if param.assumed else "error unknown"
        yield Text.assemble(
            (f"{param.name:<{wide}} ", "bold"),
            f"{value:>12} ",
            f"{error:<13} {clean(param.unit):<8} ",
            _gauge(param),
        )
        si = convert.beside(param, scale)
        about = clean(param.about) + ("; " if param.about and param.note else "")
        metres = (f"= {clean(si)}  " if si else "", "bold")
        words = Text.assemble(metres, about, (clean(param.note), "yellow"))
        yield Padding(words, (0, 0, 0, 4))
    yield Text(
        "\n● where a value lies between its bounds; in yellow: why a number is not to be trusted.",
        ink.DIM,
    )
    for note in NOTES:
        if any(param.note == note for param in evaluation.params):
            yield Text(f"{note}: {NOTES[note]}", ink.DIM)
    if view.node == view.index.best and view.index.finished:
        yield Text(
            "These are the numbers it was judged with. The report and best/ have them fitted once "
            "more, to all frames given.",
            ink.DIM,
        )


def _gauge(param: FittedParam, width: int = 11) -> Text:
    place = round((param.value - param.low) / (param.high - param.low) * (width - 1))
    at_bound = param.value in (param.low, param.high)
    line = "─" * place + "●" + "─" * (width - 1 - place)
    return Text.assemble(
        (f"{param.low:g} ", ink.DIM),
        (line, "yellow" if at_bound else ""),
        (f" {param.high:g}", ink.DIM),
    )


# --------------------------------------------------------------------------------------------------


def states(view: PageView) -> Iterator[RenderableType]:
    """A curve for each attribute: measured and rolled out."""
    tracks = [] if view.evaluation is None else _tracks(view, view.evaluation)
    if not tracks:
        yield Text(
            "No states: the program did not get that far."
            if view.row.status == "failed"
            else "No states yet."
        )
        return
    title, measured, rolled, bound = tracks[view.clip % len(tracks)]
    more = (
        f" ({view.clip % len(tracks) + 1} of {len(tracks)}; [ and ] change it)"
        if len(tracks) > 1
        else ""
    )
    yield Text.assemble(
        title + more + "   ",
        ("● measured ", ink.TRUE),
        (" ━ rolled out ", ink.MADE),
        (" both", ink.BOTH),
        ("   ┊ from here on not fitted, but predicted" if bound else "", ink.DIM),
    )
    for column in _columns(measured, rolled):
        yield from _curve(
            column, _values(measured, column), _values(rolled, column), bound, view.width
        )


def _tracks(view: PageView, evaluation: Evaluation) -> list[tuple[str, States, States, int | None]]:
    """(title, measured, rolled, first frame that judges or None) of each video. Where a video was
    cut in time, its two parts are joined."""
    observed = view.index.observed or {}
    fitted, ahead = evaluation.measured, evaluation.predicted
    again = evaluation.remeasured or tuple(
        States(s.columns, np.full_like(s.values, np.nan)) for s in ahead
    )
    if observed.get("fitted") == [trial["seen"] for trial in observed.get("trials", ())]:
        parts = zip(fitted, again, evaluation.rolled, ahead, strict=True)
        return [
            (f"video {k}", _joined(m, a), _joined(r, p), len(m))
            for k, (m, a, r, p) in enumerate(parts)
        ]
    found: list[tuple[str, States, States, int | None]] = [
        (f"video {k}, fitted", m, r, None)
        for k, (m, r) in enumerate(zip(fitted, evaluation.rolled, strict=True))
    ]
    return found + [
        (f"video {k}, predicted", m, r, None)
        for k, (m, r) in enumerate(zip(again, ahead, strict=True))
    ]


def _joined(first: States, second: States) -> States:
    columns = tuple(dict.fromkeys((*first.columns, *second.columns)))
    return States(
        columns,
        np.concatenate(
            [
                np.stack([_values(part, column) for column in columns], axis=1)
                for part in (first, second)
            ]
        ),
    )


def _values(table: States, column: str) -> np.ndarray:
    return table.column(column) if column in table.columns else np.full(len(table), np.nan)


def _columns(measured: States, rolled: States) -> list[str]:
    """Columns that can be compared first."""
    names = dict.fromkeys((*measured.columns, *rolled.columns))
    return sorted(names, key=lambda name: not (name in measured.columns and name in rolled.columns))


def _curve(
    column: str, measured: np.ndarray, rolled: np.ndarray, bound: int | None, width: int
) -> Iterator[Text]:
    known = np.concatenate([measured, rolled])
    known = known[np.isfinite(known)]
    if not len(known):
        return
    gap = np.abs(rolled - measured)
    head = Text.assemble(
        "\n", (column, "bold"), (f"  {known.min():.4g} to {known.max():.4g}", ink.DIM)
    )
    if np.isfinite(gap).any():
        worst = int(np.nanargmax(gap))
        head.append(
            f"  largest gap {gap[worst]:.3g} {unit_of(column)}, at frame {worst}",
            "yellow" if bound is not None and worst >= bound else "",
        )
    elif not np.isfinite(measured).any():
        head.append("  not measured", ink.DIM)
    yield head
    if np.ptp(known) < 1e-9:
        yield Text("constant", ink.DIM)
        return
    wide = min(max(20, 6 * len(measured)), width - 2)
    yield from ink.plot(measured, rolled, wide, _PLOT, bound)


# --------------------------------------------------------------------------------------------------


def frames(view: PageView) -> Iterator[RenderableType]:
    """Key frames: predicted ones against the truth, redrawn ones against what was seen."""
    told = False
    for name, words in (
        ("prediction", "Predicted, against frames that it had not seen"),
        ("reconstruction", "Drawn again from measured states"),
    ):
        strip = view.film(name)
        if strip is None:
            continue
        cut = ink.moving(strip[:2].reshape(-1, *strip.shape[2:]))
        yield from _titled(
            words,
            Text(
                "cut to where something moves; the error is black where there is none, then red, "
                "then white",
                ink.DIM,
            ),
        )
        for number, true, drawn in zip(
            _numbers(view, name, strip.shape[1]), strip[0], strip[1], strict=True
        ):
            shown = [
                (f"{_STRIPS[name][0]}, frame {number}", true),
                (_STRIPS[name][1], drawn),
                ("error", ink.heat(true, drawn)),
            ]
            yield from _row(shown, cut, view.width)
            yield Text()
        told = True
    if not told:
        yield Text("No pictures: the program did not get that far.")


# --------------------------------------------------------------------------------------------------


def source(view: PageView) -> Iterator[RenderableType]:
    """The three programs, the stages that this node changed first."""
    for stage in sorted(STAGES, key=lambda name: name not in view.row.stages):
        changed = (
            ""
            if view.row.parent is None
            else " (changed here)"
            if stage in view.row.stages
            else " (as in its parent)"
        )
        yield Text(
            f"── {stage}.py{changed}",
            f"bold {ink.MADE}" if stage in view.row.stages else f"bold {ink.DIM}",
        )
        yield Syntax(
            "\n".join(map(_cut, clean(view.programs[stage]).strip("\n").splitlines())),
            "python",
            theme="ansi_dark",
            line_numbers=True,
            word_wrap=True,
            background_color="default",
        )
        yield Text()


def diff(view: PageView) -> Iterator[RenderableType]:
    """The programs against those of another node."""
    base = view.base or view.row.parent
    if base is None:
        yield Text(
            "A draft has no parent. Go to another node, press m there, and come back: then the "
            "two are compared."
        )
        return
    yield Text(
        f"From node {base}{'' if view.base else ', its parent,'} to node {view.node}. "
        + (
            "Press u to compare with the parent again."
            if view.base
            else "Press m on any node to compare with that one."
        ),
        ink.DIM,
    )
    before, same = view.programs_of(base), []
    for stage in STAGES:
        lines = list(
            difflib.unified_diff(
                clean(before[stage]).splitlines(),
                clean(view.programs[stage]).splitlines(),
                f"{base}/{stage}.py",
                f"{view.node}/{stage}.py",
                lineterm="",
            )
        )
        if not lines:
            same.append(f"{stage}.py")
            continue
        yield Text()
        yield from (Text(_cut(line), _diff_style(line)) for line in lines)
    if same:
        yield Text(f"\nThe same in both: {', '.join(same)}.", ink.DIM)


def _cut(line: str) -> str:
    """A line that no person reads to its end (numbers for the proposer) without its middle."""
    return (
        line
        if len(line) <= _LONG
        else f"{line[: _LONG // 2]} … {len(line) - _LONG} characters … {line[-_LONG // 2 :]}"
    )


def _diff_style(line: str) -> str:
    if line.startswith(("---", "+++")):
        return "bold"
    return {"+": ink.GOOD, "-": ink.BAD, "@": ink.TRUE}.get(line[:1], "")


# --------------------------------------------------------------------------------------------------


def output(view: PageView) -> Iterator[RenderableType]:
    """The failure with its traceback, remarks, what the programs printed, times."""
    evaluation = view.evaluation
    if evaluation is None:
        yield Text("Not judged yet.")
        return
    if evaluation.failure is not None:
        failure = evaluation.failure
        yield Text(f"Failed in {failure.stage}: {failure.kind}", f"bold {ink.BAD}")
        yield Text(clean(failure.message))
        if failure.traceback:
            yield Syntax(
                clean(failure.traceback),
                "pytb",
                theme="ansi_dark",
                background_color="default",
                word_wrap=True,
            )
    else:
        yield Text("It ran to its end.", ink.GOOD)
    for reason in evaluation.reasons:
        yield Padding(Text(clean(reason)), (1, 0, 0, 0))
    if evaluation.log:
        yield from _titled("What it printed", Text(clean(evaluation.log)))
    if evaluation.timings:
        table = _grid("l", "r", "l")
        for name, seconds in evaluation.timings.items():
            again = (
                " (an earlier candidate's, used again)"
                if seconds > evaluation.timings.get("total", seconds)
                else ""
            )
            table.add_row(name, f"{seconds:.3f} s", again)
        yield from _titled("Time", table)


# --------------------------------------------------------------------------------------------------


def words(view: PageView) -> Iterator[RenderableType]:
    """Why it was proposed, what that cost, and the prompt and reply where a model was asked."""
    row = view.row
    table = _grid("l", "w")
    table.add_row(
        Text("asked for", "bold"),
        f"{row.kind}"
        + (f" of node {row.parent}" if row.parent else "")
        + (f", stage {row.asked}" if row.asked else ""),
    )
    table.add_row(Text("because", "bold"), Text(clean(row.reason)))
    table.add_row(Text("answer", "bold"), Text(clean(row.said["rationale"])))
    table.add_row(Text("from", "bold"), Text(clean(f"{row.said['origin']} ({cost(row)})")))
    yield table
    findings = row.said["findings"]
    if findings:
        yield from _titled(
            "Checked before",
            *(Text(clean(f"{finding['stage']}: {finding['message']}")) for finding in findings),
        )
    for key in row.said["exchanges"]:
        yield from _exchange(view, key)
    if not row.said["exchanges"]:
        yield Text(
            "\nNo model was asked: this proposer writes by itself." if not row.calls else "",
            ink.DIM,
        )


def _exchange(view: PageView, key: str) -> Iterator[RenderableType]:
    """A recorded request or reply."""
    data = view.folder.store.get(key)
    content = json.loads(data)
    if "messages" not in content:
        reply = Reply.from_bytes(data)
        yield from _titled(
            f"Reply of {clean(reply.model) or 'the model'} ({reply.output_tokens} tokens)",
            Text(clean(reply.text or reply.arguments or reply.refusal)),
        )
        return
    for message in content["messages"]:
        yield from _titled(f"Prompt, {message['role']}")
        for part in message["parts"]:
            yield (
                Text(clean(part["text"]))
                if "text" in part
                else Text(
                    f"[picture {part['size'][0]} x {part['size'][1]}: {clean(part['caption'])}]",
                    ink.TRUE,
                )
            )


def cost(row: Row) -> str:
    """What asking for a node cost, in a few words."""
    if not row.calls:
        return "free"
    money = row.cost.get("money")
    tokens = row.cost.get("input_tokens", 0) + row.cost.get("output_tokens", 0)
    return f"{row.calls} call{'s' if row.calls > 1 else ''}, {tokens} tokens, " + (
        "price unknown" if money is None else f"${money:.4f}"
    )


PAGES: dict[str, Callable[[PageView], Iterator[RenderableType]]] = {
    "why": why,
    "source": source,
    "diff": diff,
    "losses": losses,
    "numbers": numbers,
    "states": states,
    "frames": frames,
    "output": output,
    "words": words,
}
"""Name of a page -> what makes it."""
