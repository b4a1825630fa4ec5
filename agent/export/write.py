"""The exported file: head, code of ours that the programs need, the programs, their numbers, and
what makes it run alone."""

from __future__ import annotations

import ast
import base64
import pprint
import textwrap
import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from agent import versions
from agent.export import seen
from agent.export.gather import Foreign, Gathered, Gatherer, Name, Writer
from agent.plain import short
from agent.run import export_format
from agent.run.runfolder import RunFolder
from agent.units import convert, given
from agent.units.scale import Scale
from agent.worldmodel.world import WorldModel
from tools import toolbox
from tools.errors import UsageError
from tools.masks.request import parse_detections
from tools.types import STAGES, FittedParam, Programs

FORMS: Mapping[str, str] = {
    "python": "`python {out} VIDEO --horizon 10 --out film.mp4` predicts with NumPy, OpenCV and "
    "what the programs import",
    "gymnasium": "`gymnasium.make('{out.stem}:{out.stem}-v0')`, or `from {out.stem} import "
    "Environment, VectorEnvironment`",
}
"""What can be written, and how it is used."""

_RULE = "# " + "=" * 100
_WIDTH = 110


def exported(path: Path, form: str, dt: float | None = None, node: str | None = None) -> str:
    """The text of the file for the model at ``path`` (see WorldModel.load). dt: seconds between
    frames, None for the run's own. node: another program of the run than its best."""
    with WorldModel.load(path, node=node) as model:
        dt = dt or (None if model.seen is None else model.seen.dt)
        if dt is None:
            raise UsageError(
                "--dt",
                f"the seconds between frames, because {path} is no run that knows them",
                "none",
            )
        worlds = seen.worlds(model, path) if form == "gymnasium" else None
        scale = given.scale_of(path) if path.is_dir() else None
        return _text(model.programs, model.fitted, dt, _provenance(path), worlds, scale)


# --------------------------------------------------------------------------------------------------


def _text(
    programs: Programs,
    fitted: Sequence[FittedParam],
    dt: float,
    provenance: Mapping[str, Any],
    worlds: Mapping[str, Any] | None,
    scale: Scale | None,
) -> str:
    if parse_detections(programs.perception):
        raise UsageError(
            "export",
            "a perception program that measures by itself",
            "one that declares DETECTIONS, which need learned networks",
        )
    gatherer = Gatherer(dict(programs.items()))
    runtime = "agent.export.standalone" if worlds is None else "agent.export.environment"
    measuring = [Name("tools.toolbox", name) for name in _measuring(programs.perception)]
    needed = [Name("agent.export.standalone", name) for name in ("WorldModel", "main")]
    needed += [Name(runtime, name) for name in ("make", "register")] if worlds is not None else []
    gathered = gatherer.gather([*measuring, *needed])
    writer = Writer(gatherer, gathered)
    body = [
        *_ours(writer, gathered),
        *_programs(writer),
        _numbers(fitted, dt, scale),
        *_assembled(gatherer, gathered, measuring, worlds),
    ]
    head = _head(provenance, fitted, worlds is not None)
    lines = sorted(writer.imports(), key=lambda line: (line.startswith("from"), line))
    imports = "from __future__ import annotations\n\n" + "\n".join(lines) + "\n"
    return _with_contents(head, imports + "\n\n" + "\n\n".join(body))


def _ours(writer: Writer, gathered: Gathered) -> Iterator[str]:
    for name in gathered.order:
        if name not in STAGES:
            doc = ast.get_docstring(ast.parse(gathered.modules[name].source)) or ""
            about = "\n".join(f"# {line}" for line in textwrap.wrap(doc.splitlines()[0], _WIDTH))
            yield f"{_RULE}\n# {name}\n{about}\n\n{writer.module(name)}"


def _programs(writer: Writer) -> Iterator[str]:
    for stage in ("perception", "dynamics", "rendering"):
        begin, end = export_format.mark(stage), export_format.mark(stage, end=True)
        yield f"{_RULE}\n{begin}\n{writer.program(stage).strip()}\n{end}\n"


def _numbers(fitted: Sequence[FittedParam], dt: float, scale: Scale | None) -> str:
    table = {
        param.name: {key: value for key, value in asdict(param).items() if key != "name"}
        for param in fitted
    }
    si = {param.name: said for param in fitted if (said := convert.beside(param, scale))}
    metres = "None" if scale is None else repr(scale.metres)
    text = pprint.pformat(table, width=_WIDTH, sort_dicts=False)
    return (
        f'{_RULE}\n{export_format.FITTED} = {text}\n"""Parameters as fitted: value, bounds, '
        f'unit, standard error."""\n\nDT = {dt!r}\n"""Seconds between frames."""\n\n'
        f'METRES = {metres}\n"""Of a pixel, None where nobody said."""\n\nSI = '
        f'{pprint.pformat(si, width=_WIDTH)}\n"""Parameters with a length in them, in SI."""\n'
    )


def _assembled(
    gatherer: Gatherer,
    gathered: Gathered,
    measuring: Sequence[Name],
    worlds: Mapping[str, Any] | None,
) -> Iterator[str]:
    """The programs and the tools as namespaces, and the model made of them."""

    def called(module: str, name: str) -> str:
        found = gatherer.resolve(module, name)
        assert isinstance(found, Name | Foreign), f"{module}.{name} is defined"
        return gathered.names[found]

    defined = {stage: gathered.modules[stage].defined for stage in STAGES}
    parts: list[tuple[str, str]] = [
        ("dynamics", name)
        for name in ("PARAMS", "LATENTS", "DIFFERENTIABLE", "initial", "step")
        if name in defined["dynamics"]
    ]
    parts += [("perception", "perceive"), ("rendering", "render")]
    programs = ", ".join(f"{name}={called(stage, name)}" for stage, name in parts)
    tools = ", ".join(f"{one.name}={called(one.module, one.name)}" for one in measuring)
    model = called("agent.export.standalone", "WorldModel")
    yield (
        f"{_RULE}\nPROGRAMS = SimpleNamespace({programs})\nTOOLS = SimpleNamespace({tools})\n"
        f'MODEL = {model}(PROGRAMS, {{name: entry["value"] for name, entry in '
        f"{export_format.FITTED}.items()}}, DT, TOOLS)\n"
    )
    if worlds is not None:
        yield from _environment(called, worlds)
    yield (
        'if __name__ == "__main__":\n    raise '
        f"SystemExit({called('agent.export.standalone', 'main')}(MODEL, "
        f"{export_format.FITTED}, SI))\n"
    )


def _environment(called: Any, worlds: Mapping[str, Any]) -> Iterator[str]:
    data = worlds["parcel"]
    lines = textwrap.wrap(base64.b85encode(zlib.compress(data, 9)).decode(), 118)
    starts = pprint.pformat(worlds["starts"], width=_WIDTH, sort_dicts=False)
    yield (
        f'{_RULE}\nSTARTS = {starts}\n"""States at the first frame of each clip seen: where '
        f'episodes begin."""\n\nACTIONS = {worlds["actions"]!r}\n"""Values that acted in the '
        'clips seen."""\n'
    )
    uneven = any(worlds["steps"])
    if uneven:
        yield (
            f'STEPS = {worlds["steps"]!r}\n"""Seconds from frame to frame in the clips seen, per '
            'start; None = DT."""\n'
        )
    packed = "\n".join(f"    {line!r}" for line in lines)
    yield (
        f'SCENE = (\n{packed}\n)\n"""What does not change, as perception found it: background, '
        'looks, sprites; packed."""\n'
    )
    make, register = (called("agent.export.environment", name) for name in ("make", "register"))
    yield (
        f"Environment, VectorEnvironment = {make}(MODEL, STARTS, ACTIONS, SCENE"
        f"{', STEPS' if uneven else ''})\n{register}(__name__)\n"
    )


def _measuring(perception: str) -> list[str]:
    """The tools that a perception program uses: every attribute in it with the name of one."""
    tree = ast.parse(perception)
    if any(
        isinstance(node, ast.Name) and node.id in ("getattr", "vars") for node in ast.walk(tree)
    ):
        return list(toolbox.__all__)
    used = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    return [name for name in toolbox.__all__ if name in used]


# --------------------------------------------------------------------------------------------------


def _row(param: FittedParam) -> str:
    shown = short(param.shown.replace("±", "+-"), 80)
    about = f"   {short(param.about, 200)}" if param.about else ""
    assumed = "   (assumed, not learnt)" if param.assumed else ""
    return f"    {param.name} = {shown}{about}{assumed}"


_AS_ENVIRONMENT = (
    '    env = gymnasium.make("THIS_FILE:THIS_FILE-v0", reward=lambda before, action, after: ..., '
    "terminated=lambda state: ...)",
    '    envs = gymnasium.make_vec("THIS_FILE:THIS_FILE-v0", num_envs=64, ...)   # stepped all at '
    "once where the programs allow it",
    "    from THIS_FILE import Environment, VectorEnvironment                    # the classes "
    "themselves",
    "",
    "Observations are the numbers that env.columns names, in env.units; named=True gives a dict by "
    "column.",
    'info: "state" by column, "frame" and "seconds" since the start, "start" (which clip), '
    '"finite".',
)
_AS_MODEL = (
    "    python THIS_FILE VIDEO --context 10 --horizon 10 --out film.mp4",
    "    from THIS_FILE import MODEL; frames, states = MODEL.predict(frames, 10, "
    'edits=["gravity*=0.5"])',
)


def _head(provenance: Mapping[str, Any], fitted: Sequence[FittedParam], gym: bool) -> str:
    rows = [_row(param) for param in fitted]
    use = _AS_ENVIRONMENT if gym else _AS_MODEL
    return "\n".join(
        [
            "A world model fitted to video by proggen-agent, in one file that runs alone.",
            "",
            *use,
            "",
            "Lengths are pixels (x right, y down), angles radians, times seconds. Change the "
            "programs "
            "below as you like:",
            "`run-agent evaluate THIS_FILE --video CLIP` scores them, `run-agent fit` fits their "
            "numbers again.",
            "",
            "Parameters:",
            *(rows or ["    none"]),
            "",
            "Where it comes from:",
            *(f"    {key}: {short(str(value), 2000)}" for key, value in provenance.items()),
            "",
            "Contents, by line:",
        ]
    )


def _provenance(path: Path) -> dict[str, Any]:
    """Run, node, score and versions, or the path of programs without a run."""
    facts: dict[str, Any] = {
        "exported": time.strftime("%Y-%m-%d"),
        "versions": ", ".join(
            f"{k} {v}" for k, v in versions.known().items() if v and k != "platform"
        ),
    }
    if not (path / "trace.jsonl").is_file():
        return {"programs": path.resolve().name} | facts
    folder = RunFolder(path)
    first, result = folder.first(), folder.result() or {}
    node = result.get("best")
    about = folder.proposal(node)[0].rationale if node else ""
    seen = (
        f"{len(first['task']['train'])} clips whole, {first['task']['context']} frames of "
        f"{len(first['task']['test'])}"
    )
    metrics = {
        key: value
        for key, value in (result.get("metrics") or {}).items()
        if key in ("psnr", "mae") and value is not None
    }
    return {
        "run": path.resolve().name,
        "node": f"{node} of {result.get('evaluations')}",
        "score": f"{result.get('score'):.4f}",
        "held-back frames": ", ".join(f"{key} {value:.4g}" for key, value in metrics.items())
        or "none",
        "seen": seen,
        "seed": first["config"]["seed"],
        "proposer": first["config"]["proposer"],
        **facts,
        "why": about,
    }


def _with_contents(head: str, body: str) -> str:
    """Docstring with a table of the programs' lines, then the body. Lines are counted after the
    docstring's own length. Whatever stands in ``head`` ends neither the docstring nor the file."""
    head = head.replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
    wanted = [(export_format.mark(stage), f"{stage}.py") for stage in STAGES] + [
        (f"{export_format.FITTED} = ", "parameters")
    ]
    lines = body.splitlines()
    above = len(head.splitlines()) + len(wanted) + 2
    table = []
    for start, title in wanted:
        number = next(index for index, line in enumerate(lines) if line.startswith(start))
        table.append(f"    {above + number + 1:>5}  {title}")
    return f'"""{head}\n' + "\n".join(table) + '\n"""\n\n' + body.rstrip() + "\n"
