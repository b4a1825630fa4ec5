"""Plain text for people: the tree of a search, one node of it, differences between programs,
summaries."""

from __future__ import annotations

import difflib
import re
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from agent.cli.live import confirmed, outcome
from agent.core import explained
from agent.core.front import Ranked
from agent.plain import Verbatim, clean, wrapped
from agent.run.runfolder import RunFolder, read_params
from agent.units import convert, given
from agent.units.scale import Scale
from tools.types import STAGES, Evaluation, FittedParam, Programs

if TYPE_CHECKING:
    from agent.search.outcome import RunResult
    from agent.worldmodel.edits import Editable


def show(lines: Iterable[str]) -> None:
    """Print lines to stdout, without anything that a terminal would obey; in a terminal, long ones
    broken between words."""
    width = shutil.get_terminal_size().columns if sys.stdout and sys.stdout.isatty() else 0
    for line in lines:
        safe = type(line)(clean(line))
        print(wrapped(safe, width) if width else safe)


# --------------------------------------------------------------------------------------------------


@dataclass
class _Branch:
    """A node of the tree as far as its line needs it."""

    move: Mapping[str, Any]
    stages: str
    said: str = ""
    checked: tuple[str, ...] = ()
    result: str = "not evaluated"
    found: str = ""
    children: list[str] = field(default_factory=list)


def tree(events: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """The search as an indented tree: id, move, stages, score or failure; why it was tried, what
    was checked before, what was proposed, what was found. Above it what came to nothing."""
    branches: dict[str, _Branch] = {}
    drafts: list[str] = []
    best, closed = None, []
    for event in events:
        node = event.get("node", "")
        match event["event"]:
            case "proposed":
                stages = ", ".join(event["stages"]) if len(event["stages"]) < len(STAGES) else "all"
                branches[node] = _Branch(
                    event["move"],
                    stages,
                    _first_sentence(event["rationale"]),
                    tuple(finding["message"] for finding in event["findings"]),
                )
                host = branches.get(event["move"]["parent"])
                (drafts if host is None else host.children).append(node)
            case "evaluated":
                branches[node].result = outcome(event)
            case "diagnosed":
                branches[node].found = event["findings"][0]["message"] if event["findings"] else ""
            case "confirmed":
                branches[node].result += f"; {confirmed(event)}"
            case "best":
                best = node
            case "declined" if event.get("closed"):
                parent = event["move"]["parent"]
                closed.append(f"node {parent}" if parent else "drafts")
            case _:
                yield from _head(event)
    if closed:
        others = f" and {len(closed) - 12} others" if len(closed) > 12 else ""
        yield f"nothing more to try at {', '.join(closed[:12])}{others}"
    stack = [(node, 0) for node in reversed(drafts)]
    while stack:
        node, depth = stack.pop()
        yield from _lines(node, branches[node], "  " * depth, node == best)
        stack += [(child, depth + 1) for child in reversed(branches[node].children)]


def _lines(node: str, branch: _Branch, indent: str, best: bool) -> Iterator[str]:
    yield f"{indent}{node} {branch.move['kind']} [{branch.stages or 'nothing'}] {branch.result}" + (
        "  <- best" if best else ""
    )
    yield f"{indent}    tried because {branch.move['reason']}"
    yield from (f"{indent}    checked: {message}" for message in branch.checked)
    yield f"{indent}    proposed: {branch.said or '(no rationale)'}"
    if branch.found:
        yield f"{indent}    found: {branch.found}"


def _head(event: Mapping[str, Any]) -> Iterator[str]:
    if event["event"] == "run":
        config = event["config"]
        yield (
            f"budget {config['budget']}, threshold {config['threshold']}, seed "
            f"{config['seed']}, policy {config['policy']}, proposer {config['proposer']}"
        )
    if event["event"] == "declined":
        what = "left out before" if event.get("screened") else "nothing for"
        yield (
            f"{what} node {event['node']} ({event['move']['kind']}{_of(event['move'])}): "
            f"{event['rationale'][:300]}"
        )
    if event["event"] == "extended":
        yield f"went on with budget {event['budget']}, threshold {event['threshold']}"
    if event["event"] == "finished":
        yield (
            f"{event['status']}: {event['reason']}; score {event['score']:.4f} in "
            f"{event['evaluations']} evaluations"
        )
        if said := explained.verdict(event):
            yield said


def _of(move: Mapping[str, Any]) -> str:
    return f" of {move['parent']}" if move["parent"] else ""


def _first_sentence(text: str) -> str:
    sentence = re.split(r"(?<=[.!?])\s", text.strip(), maxsplit=1)[0]
    return sentence if len(sentence) <= 200 else sentence[:197] + "..."


# --------------------------------------------------------------------------------------------------


def node(folder: RunFolder, node_id: str) -> Iterator[str]:
    """One node: why, what, how it did, its numbers, its sources."""
    folder.node(node_id)
    proposal, move = folder.proposal(node_id)
    yield (
        f"node {node_id}: {move.kind}"
        + (f" of {move.parent}" if move.parent else "")
        + f", changes {', '.join(proposal.stages)}"
    )
    yield f"tried because {move.reason}"
    yield from (f"checked ({finding.kind}): {finding.message}" for finding in proposal.findings)
    yield f"rationale: {proposal.rationale}"
    if proposal.cost.calls:
        yield f"cost: {_cost(asdict(proposal.cost))}"
    evaluation, diagnosis = folder.load_evaluation(node_id), folder.load_diagnosis(node_id)
    if evaluation is not None:
        yield from judged(evaluation, given.scale_of(folder.path))
    for finding in diagnosis.findings if diagnosis is not None else ():
        yield f"found ({finding.stage}, {finding.kind}): {finding.message}"
    assert proposal.programs is not None, "a node has programs"
    for stage, source in proposal.programs.items():
        yield f"\n--- {stage}.py"
        yield Verbatim(source.rstrip())


def judged(evaluation: Evaluation, scale: Scale | None = None) -> Iterator[str]:
    """Score, losses, failure, parameters and remarks of an evaluation."""
    yield f"{evaluation.status}: score {evaluation.score:.4f}"
    losses = evaluation.losses
    for origin in evaluation.origins:
        yield (
            f"  forecast from frame {origin['seen']}, {origin['judged']} frames: "
            f"{origin['score']:.4f}"
        )
    if evaluation.last:
        yield (
            f"  forecast of the last part, which nobody was shown: {evaluation.last['score']:.4f}"
        )
    for stage in STAGES:
        value = getattr(losses, stage)
        floor = (
            f" (noise floor {losses.floor:.3g})" if stage == "rendering" and losses.floor else ""
        )
        yield f"  {stage} loss {'not reached' if value is None else f'{value:.4g}'}{floor}"
    if evaluation.failure is not None:
        yield (
            f"  failed in {evaluation.failure.stage}: {evaluation.failure.kind}: "
            f"{evaluation.failure.message}"
        )
        lines = evaluation.failure.traceback.splitlines()
        yield from (Verbatim("    " + text) for text in lines)
    yield from ("  " + text for text in parameters(evaluation.params, scale))
    yield from (f"  {reason}" for reason in evaluation.reasons)


def parameters(params: Sequence[FittedParam], scale: Scale | None = None) -> Iterator[str]:
    """One line a parameter: fitted or assumed, value, error, unit, the same in SI, bounds, note."""
    for param in params:
        si = convert.beside(param, scale)
        about = "; ".join(part for part in (param.about, param.note) if part)
        yield (
            f"{'assumed' if param.assumed else 'fitted':<9} {param.name} = {param.shown}"
            f"{f' = {si}' if si else ''} in "
            f"[{param.low:g}, {param.high:g}]" + (f" ({about})" if about else "")
        )


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Aligned columns under a head, as wide as they need to be."""
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    for row in (head, ["-" * width for width in widths], *rows):
        cells = (f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True))
        yield Verbatim("  ".join(cells).rstrip())


def difference(first: Programs, second: Programs, names: tuple[str, str]) -> Iterator[str]:
    """Unified difference of the programs of two nodes."""
    for stage in STAGES:
        before, after = (f"{name}/{stage}.py" for name in names)
        yield from (
            Verbatim(text.rstrip("\n"))
            for text in difflib.unified_diff(
                first[stage].splitlines(), second[stage].splitlines(), before, after, lineterm=""
            )
        )


def front(found: Sequence[Ranked]) -> Iterator[str]:
    """Length against error of the programs that no other beats in both."""
    if found:
        yield "front (no other program is as short and as good):"
        head = ("node", "length, bits", "fitted", "error")
        rows = [(r.node, f"{r.bits:.0f}", str(r.params), f"{r.error:.4f}") for r in found]
        yield from table(head, rows)


def editable(things: Iterable[Editable], scale: Scale | None = None) -> Iterator[str]:
    """What can be edited, by kind, also in SI; a name that several things have means the first."""
    kind = ""
    titles = {
        "parameter": "parameters (fitted, shared by all videos)",
        "state": "state (at the frame from which edits hold)",
        "looks": "looks (how things are drawn; size multiplies all lengths of a thing's drawing)",
        "constant": "constants in the programs",
    }
    for one in things:
        if one.kind != kind:
            kind = one.kind
            yield f"{titles[kind]}:"
        unit = one.unit or convert.column_unit(one.name, None)
        factor = one.kind == "looks" and one.name.endswith(".size")  # of all lengths, no length
        number = isinstance(one.value, (int, float)) and one.kind != "constant" and not factor
        si = convert.told(one.value, unit, scale) if number else ""
        yield f"  {one}" + (f"  = {si}" if si else "")


# --------------------------------------------------------------------------------------------------


def _cost(cost: Mapping[str, Any]) -> str:
    """Calls, tokens and money of a model; a price that nobody knows is said to be unknown."""
    money = "price unknown" if cost["money"] is None else f"${cost['money']:.4f}"
    return (
        f"{cost['calls']} calls, {cost['input_tokens']:,} tokens in, {cost['output_tokens']:,} "
        f"out, {money}"
    )


def summary(result: RunResult) -> Iterator[str]:
    """What a run came to, where its files are, and what to type next."""
    yield (
        f"{result.status}: score {result.score:.4f} after {result.evaluations} evaluations, "
        f"{result.seconds:.1f} s ({result.reason})"
    )
    told = {key: getattr(result, key) for key in ("best", "score", "explained", "motion")}
    if said := explained.verdict(told):
        yield said
    if result.cost.get("calls"):
        yield f"  cost      {_cost(result.cost)}"
    if result.best is None:
        yield f"  trace     run-agent trace {result.path}"
        return
    baseline = result.baselines["persistence"]
    for name, form in (("psnr", "{:.2f} dB"), ("mae", "{:.5f}"), ("ssim", "{:.4f}")):
        if result.metrics.get(name) is not None:
            yield (
                f"  {name:<9} {form.format(result.metrics[name])} on held-back frames (last "
                f"frame repeated: {form.format(baseline[name])})"
            )
    scale = given.scale_of(result.path)
    for text in parameters(read_params(result.path / "best" / "params.json"), scale):
        yield f"  {text}"
    for name, path in (
        ("programs", "best/"),
        ("pictures", "filmstrip.png"),
        ("film", "prediction.mp4"),
        ("report", "report.html"),
    ):
        yield f"  {name:<9} {result.path / path}"
    yield f"  next      run-agent trace {result.path}"
