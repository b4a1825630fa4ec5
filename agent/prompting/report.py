"""A node in words: its programs, what was fitted, how it fell short; and what the search has tried
so far."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from agent.core.protocols import Archive, Finding, Node
from agent.prompting.tables import comparison_table, elided, number, param_table
from tools.types import Evaluation, Failure, Programs, Steps

_MEANING = {
    "perception": "motion of the picture that the measured states leave unexplained",
    "dynamics": "distance between the rollout and the measured states",
    "rendering": "colour error of frames drawn from the measured states",
}


def program(node: Node) -> str:
    """The three sources, each in a fence that names its file, under the node's rationale."""
    files = "\n\n".join(
        f"```python {stage}.py\n{source.strip()}\n```"
        for stage, source in node.candidate.programs.items()
    )
    return f"## Program {node.id}\n\nRationale: {node.candidate.rationale or '(none)'}\n\n{files}"


def shortfall(node: Node, dt: Steps, rows: int) -> str:
    """Losses by stage, the fit, the residual in words and numbers."""
    evaluation = node.evaluation
    parts = [
        losses(evaluation),
        f"Verdict: {node.diagnosis.verdict}." + findings(node.diagnosis.findings),
    ]
    parts += [f"Remarks: {'; '.join(evaluation.reasons)}."] if evaluation.reasons else []
    parts += [frame_errors(evaluation), fit(evaluation)]
    if evaluation.predicted and evaluation.remeasured:
        first = len(evaluation.measured[0]) if evaluation.measured else 0
        table = comparison_table(evaluation.remeasured[0], evaluation.predicted[0], dt, rows, first)
        parts.append(
            "Frames that judge: measured by this perception, predicted by the model, and their "
            f"gap:\n\n{table}"
        )
    if evaluation.measured and evaluation.rolled:
        table = comparison_table(evaluation.measured[0], evaluation.rolled[0], dt, rows)
        parts.append(
            "Frames it was fitted to: measured, rolled out from the first frame, and their "
            f"gap:\n\n{table}"
        )
    parts += (
        [f"The programs printed:\n\n```\n{clip_lines(evaluation.log, 12)}\n```"]
        if evaluation.log.strip()
        else []
    )
    return "\n\n".join(part for part in parts if part)


def losses(evaluation: Evaluation) -> str:
    """Losses by stage as a list, with the noise floor."""
    lines = ["Losses by stage (0 = perfect, 1 = as bad as doing nothing):", ""]
    for stage, meaning in _MEANING.items():
        value = getattr(evaluation.losses, stage)
        floor = (
            f" (noise alone would give {number(evaluation.losses.floor)})"
            if stage == "rendering" and evaluation.losses.floor is not None
            else ""
        )
        lines.append(
            f"- {stage}: {'not measured' if value is None else number(value)}, {meaning}{floor}"
        )
    return "\n".join(lines)


def findings(found: Sequence[Finding]) -> str:
    """Findings as a list, strongest first."""
    return "".join(f"\n- {finding.stage}: {finding.message}" for finding in found)


def frame_errors(evaluation: Evaluation) -> str:
    """How the error grows over the frames that judge."""
    if not evaluation.frame_errors or not evaluation.frame_errors[0]:
        return ""
    errors = evaluation.frame_errors[0]
    shown = ", ".join(elided([number(round(error, 4)) for error in errors], 12))
    return f"Error of each predicted frame, relative to repeating the last seen one: {shown}."


def fit(evaluation: Evaluation) -> str:
    """Fitted θ and how the fit ended."""
    report = evaluation.fit
    status = (
        f"The fit ended: {report['status']}"
        + (f" ({report['message']})" if report.get("message") else "")
        + "."
        if report.get("status")
        else ""
    )
    return f"{status}\n\n{param_table(evaluation.params)}" if evaluation.params else status


def failure(failed: Failure, programs: Programs) -> str:
    """Kind, message, the offending lines with their neighbours, and the program's own traceback."""
    parts = [f"Stage: {failed.stage}. {failed.kind}: {failed.message}"]
    parts += [f"```python\n{lines}\n```" for lines in [_offending(failed, programs)] if lines]
    parts += [f"```\n{clip_lines(failed.traceback, 20)}\n```"] if failed.traceback.strip() else []
    return "\n\n".join(parts)


def _offending(failed: Failure, programs: Programs) -> str:
    """The line that the failure names last, in its file, marked, with three lines before and two
    after."""
    text = f"{failed.message}\n{failed.traceback}"
    places = re.findall(r"(perception|dynamics|rendering)\.py\D{0,12}?(\d+)", text) or re.findall(
        r"(perception|dynamics|rendering)\.py[^\n]*?line (\d+)", text
    )
    if not places:
        return ""
    stage, line = places[-1][0], int(places[-1][1])
    lines = programs[stage].splitlines()
    window = range(max(1, line - 3), min(len(lines), line + 2) + 1)
    return (
        "\n".join(
            [
                f"# {stage}.py",
                *(f"{'>' if n == line else ' '}{n:4d} {lines[n - 1]}" for n in window),
            ]
        )
        if 0 < line <= len(lines)
        else ""
    )


def clip_lines(text: str, limit: int) -> str:
    """Head and tail of a long text, lines cut to 200 characters."""
    return "\n".join(elided([line[:200] for line in text.strip().splitlines()], limit))


def tried(archive: Archive, limit: int) -> str:
    """A table of the hypotheses so far, each with what it changed and what that did; the middle of
    a long search is left out."""
    done = [node for node in archive.nodes if node.evaluation.status != "pending"]
    vain = len(archive.declined)
    refused = (
        f"{vain} further answer{'s' * (vain > 1)} came to nothing: no usable programs, or programs "
        "that were among these already."
        if vain
        else ""
    )
    if not done:
        return " ".join(["Nothing has been tried yet.", refused]).strip()
    best = archive.best
    rows = elided([_row(archive, node, node is best) for node in done], limit)
    return "\n".join(
        [
            f"Tried so far ({len(done)}), with the effect of each; do not propose any of these "
            "again as it stands:",
            "",
            "program | changes | score (gain) | hypothesis | what is left",
            "--- | --- | --- | --- | ---",
            *rows,
            *(["", refused] if refused else []),
        ]
    )


def _row(archive: Archive, node: Node, best: bool) -> str:
    """One hypothesis. Gain: over the program it was made from."""
    candidate = node.candidate
    change = "draft"
    if candidate.parent is not None:
        change = f"{candidate.move} of {candidate.parent}: {', '.join(candidate.stages) or '-'}"
    cells = (
        candidate.id,
        change,
        _effect(archive, node) + (", the best so far" if best else ""),
        _first_sentence(candidate.rationale),
        _outcome(node),
    )
    return " | ".join(" ".join(cell.replace("|", "/").split()) for cell in cells)


def _effect(archive: Archive, node: Node) -> str:
    if node.evaluation.failure is not None:
        return "failed"
    parent = None if node.candidate.parent is None else archive[node.candidate.parent]
    gain = "" if parent is None else f" ({node.score - parent.score:+.3f})"
    return f"{node.score:.3f}{gain}"


def _outcome(node: Node) -> str:
    failed = node.evaluation.failure
    if failed is not None:
        return f"{failed.stage}: {failed.kind}: {failed.message[:120]}"
    found = node.diagnosis.findings
    return (found[0].message if found else node.diagnosis.verdict)[:160]


def _first_sentence(text: str) -> str:
    sentence = re.split(r"(?<=[.!?])\s", text.strip(), maxsplit=1)[0]
    return sentence if len(sentence) <= 220 else sentence[:217] + "..."


def others(archive: Archive, shown: Sequence[str], count: int) -> Iterator[Node]:
    """The best ``count`` nodes that ran and are not among ``shown``, best first."""
    ran = [
        node for node in archive.nodes if node.evaluation.status == "ok" and node.id not in shown
    ]
    yield from sorted(ran, key=lambda node: (-node.score, node.evaluation.complexity))[:count]
