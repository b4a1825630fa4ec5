"""Plain text for people: the tree of a search, one node of it, differences between programs, summaries."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from agent.cli.live import outcome
from agent.runfolder import RunFolder, read_params
from tools.types import STAGES, Evaluation, FittedParam, Programs

if TYPE_CHECKING:
    from agent.outcome import RunResult

Events = Sequence[Mapping[str, Any]]


def show(lines: Iterable[str]) -> None:
    """Print lines to stdout."""
    for line in lines:
        print(line)


# ------------------------------------------------------------------------------------------------------------ tree


def tree(events: Events) -> Iterator[str]:
    """The search as an indented tree, one line a node: id, move, stages, score or failure, why it was tried."""
    proposed = {event["node"]: event for event in events if event["event"] == "proposed"}
    evaluated = {event["node"]: event for event in events if event["event"] == "evaluated"}
    diagnosed = {event["node"]: event for event in events if event["event"] == "diagnosed"}
    best = next((event["node"] for event in reversed(events) if event["event"] == "best"), None)
    children: dict[str | None, list[str]] = {}
    for node, event in proposed.items():
        children.setdefault(event["move"]["parent"], []).append(node)
    yield from _head(events)
    stack = [(node, "") for node in reversed(children.get(None, []))]
    while stack:
        node, indent = stack.pop()
        event = proposed[node]
        stages = ", ".join(event["stages"]) if len(event["stages"]) < len(STAGES) else "all"
        result = outcome(evaluated[node]) if node in evaluated else "not evaluated"
        yield f"{indent}{node} {event['move']['kind']} [{stages}] {result}" + ("  <- best" if node == best else "")
        yield f"{indent}    tried because {event['move']['reason']}"
        if node in diagnosed and diagnosed[node]["findings"]:
            yield f"{indent}    found: {diagnosed[node]['findings'][0]['message']}"
        stack += [(child, indent + "  ") for child in reversed(children.get(node, []))]


def _head(events: Events) -> Iterator[str]:
    for event in events:
        if event["event"] == "run":
            config = event["config"]
            yield f"budget {config['budget']}, threshold {config['threshold']}, seed {config['seed']}, policy {config['policy']}, proposer {config['proposer']}"
        if event["event"] == "finished":
            yield f"{event['status']}: {event['reason']}; score {event['score']:.4f} in {event['evaluations']} evaluations"


# ------------------------------------------------------------------------------------------------------------ node


def node(folder: RunFolder, node_id: str) -> Iterator[str]:
    """One node: why, what, how it did, its numbers, its sources."""
    folder.node(node_id)
    proposal, move = folder.load_proposal(node_id)
    yield f"node {node_id}: {move.kind}" + (f" of {move.parent}" if move.parent else "") + f", changes {', '.join(proposal.stages)}"
    yield f"tried because {move.reason}"
    yield f"rationale: {proposal.rationale}"
    evaluation, diagnosis = folder.load_evaluation(node_id), folder.load_diagnosis(node_id)
    if evaluation is not None:
        yield from judged(evaluation)
    for finding in diagnosis.findings if diagnosis is not None else ():
        yield f"found ({finding.stage}, {finding.kind}): {finding.message}"
    for stage, source in proposal.programs.items():
        yield f"\n--- {stage}.py"
        yield source.rstrip()


def judged(evaluation: Evaluation) -> Iterator[str]:
    """Score, losses, failure, parameters and remarks of an evaluation."""
    yield f"{evaluation.status}: score {evaluation.score:.4f}"
    losses = evaluation.losses
    for stage in STAGES:
        value = getattr(losses, stage)
        floor = f" (noise floor {losses.floor:.3g})" if stage == "rendering" and losses.floor else ""
        yield f"  {stage} loss {'not reached' if value is None else f'{value:.4g}'}{floor}"
    if evaluation.failure is not None:
        yield f"  failed in {evaluation.failure.stage}: {evaluation.failure.kind}: {evaluation.failure.message}"
        yield from ("    " + text for text in evaluation.failure.traceback.splitlines())
    yield from ("  " + text for text in parameters(evaluation.params))
    yield from (f"  {reason}" for reason in evaluation.reasons)


def parameters(params: Sequence[FittedParam]) -> Iterator[str]:
    """One line a parameter: value, error, unit, bounds, note."""
    for param in params:
        error = "" if param.error is None else f" ± {param.error:.2g}"
        about = "; ".join(part for part in (param.about, param.note) if part)
        yield f"{param.name} = {param.value:.6g}{error} {param.unit} in [{param.low:g}, {param.high:g}]" + (f" ({about})" if about else "")


def difference(first: Programs, second: Programs, names: tuple[str, str]) -> Iterator[str]:
    """Unified difference of the programs of two nodes."""
    for stage in STAGES:
        files = [f"{name}/{stage}.py" for name in names]
        yield from (text.rstrip("\n") for text in difflib.unified_diff(first[stage].splitlines(), second[stage].splitlines(), *files, lineterm=""))


# --------------------------------------------------------------------------------------------------------- summary


def summary(result: RunResult) -> Iterator[str]:
    """What a run came to, where its files are, and what to type next."""
    yield f"{result.status}: score {result.score:.4f} after {result.evaluations} evaluations, {result.seconds:.1f} s ({result.reason})"
    if result.best is None:
        yield f"  trace     run-agent trace {result.path}"
        return
    baseline = result.baselines["persistence"]
    for name, form in (("psnr", "{:.2f} dB"), ("mae", "{:.5f}"), ("ssim", "{:.4f}")):
        if result.metrics.get(name) is not None:
            yield f"  {name:<9} {form.format(result.metrics[name])} on held-back frames (last frame repeated: {form.format(baseline[name])})"
    for text in parameters(read_params(result.path / "best" / "params.json")):
        yield f"  fitted    {text}"
    for name, path in (("programs", "best/"), ("pictures", "filmstrip.png"), ("film", "prediction.mp4"), ("report", "report.html")):
        yield f"  {name:<9} {result.path / path}"
    yield f"  next      run-agent trace {result.path}"
