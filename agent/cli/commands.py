"""What each subcommand does: arguments in, library calls, text out, exit code."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from agent import proposers
from agent.cli import cutting, inputs, live, storing, text, vision
from agent.cluster.box import RemoteBox
from agent.cluster.engine import connected
from agent.config import EvaluationConfig, Grants, SearchConfig
from agent.core import affordances, explained
from agent.core.diagnosis import diagnose
from agent.core.split import final, validation
from agent.evaluation.evaluate import Evaluator
from agent.evaluation.foretelling import confirmed
from agent.evaluation.jobs import CandidateFailed, Fitted
from agent.models.options import LONGEST_ANSWER, ModelOptions
from agent.models.prices import Price, parse_price, price_of
from agent.plain import clean, private
from agent.report import write_report
from agent.run import runfolder, store
from agent.run.runfolder import RunFolder
from agent.search import outcome
from agent.search import steps as search
from agent.search.outcome import RunResult
from agent.units import convert
from agent.units import given as units
from agent.units.edits import in_pixels
from agent.units.given import Given
from agent.units.scale import Scale
from agent.worldmodel import whatif
from agent.worldmodel.world import WorldModel
from sandbox import Sandbox
from tools import media
from tools.command_line import did_you_mean
from tools.errors import UsageError
from tools.fitting import OPTIMIZERS, Measured
from tools.fitting import report as fit_report
from tools.fitting.result import BUDGET_SPENT
from tools.metrics import lpips
from tools.preparation import Preparation
from tools.types import Video

STRICT = "strict"
_LIBRARIES = {
    "lbfgs": ("jax", "jax"),
    "mcmc": ("emcee", "mcmc"),
}  # optimiser -> the library it needs and the extra that has it


def run(arguments: argparse.Namespace) -> int:
    """Search."""
    _check_belongs(arguments)
    typed = Given.typed(arguments)
    config = _search_config(arguments)
    inputs.check(arguments)
    name = f"{time.strftime('%Y%m%d-%H%M%S')}-{inputs.name_of(arguments)}-{arguments.seed}"
    out = Path(arguments.out or Path("runs") / name)
    runfolder.check_new(out)
    shared = storing.shared(arguments)
    access = proposers.access(os.environ, shared)
    with live.watching(config.budget, arguments.quiet) as watch:
        task, held_back = inputs.load(arguments)
        proposer = proposers.make(config, store.Store(out / "store"), access)
        result = search.run(
            task,
            held_back,
            config,
            proposer=proposer,
            out=out,
            on_event=watch,
            opened=_opened(arguments),
            shared=shared,
        )
    if typed:
        _scale(result, typed)
    return finish(result)


def _kept(run: str, typed: Given) -> Scale | None:
    """The scale of a run, with what is typed (see agent.cli.units, which brings in the equations,
    and is therefore loaded here)."""
    return import_module("agent.cli.units").kept(run, typed)


def _scale(result: RunResult, typed: Given) -> None:
    """Keep what was said of lengths with the run; a word on stderr where it fits nothing found."""
    units.save(result.path, typed, None)
    if result.best is None:
        return
    try:
        _kept(str(result.path), typed)
    except UsageError as error:
        print(f"run-agent: {error}", file=sys.stderr)
        return
    write_report(result.path)


def _opened(arguments: argparse.Namespace) -> search.Opened:
    """Where programs run: on this machine, or on the workers of --cluster."""
    if not arguments.cluster:
        if arguments.tls:
            raise UsageError("--tls", "--cluster beside it", "none", "leave it out")
        return search.here
    tls = None if arguments.tls is None else Path(arguments.tls)

    @contextmanager
    def elsewhere(config: SearchConfig) -> Iterator[RemoteBox]:
        with connected(arguments.cluster, tls) as client, RemoteBox(client, config.sandbox) as box:
            yield box

    return elsewhere


def resume(arguments: argparse.Namespace) -> int:
    """Go on with a run."""
    budget = arguments.budget or RunFolder(arguments.run).settings()["budget"]
    grants, shared = granted(arguments), storing.shared(arguments)
    with live.watching(budget, arguments.quiet) as watch:
        result = search.resume(
            arguments.run,
            secrets=proposers.access(os.environ, shared),
            grants=grants,
            budget=arguments.budget,
            threshold=arguments.threshold,
            on_event=watch,
            tell=lambda line: print(f"run-agent: {line}", file=sys.stderr, flush=True),
            opened=_opened(arguments),
            shared=shared,
        )
    return finish(result)


def granted(arguments: argparse.Namespace) -> Grants:
    """What the run's folder may not decide, from the call and the environment."""
    price, prices = _prices(arguments.price)
    return Grants(
        sandbox=_mode(arguments),
        base_url=arguments.base_url or proposers.base_url(os.environ) or None,
        max_cost=arguments.max_cost,
        max_tokens=arguments.max_tokens,
        price=None if price is None else (price.input, price.output),
        prices=prices,
        model=arguments.model or "",
        timeout=arguments.timeout,
        replay=arguments.replay or "",
        lpips=_lpips(arguments.lpips),
        vision=vision.folders(os.environ, arguments.unpinned_weights),
        workers=_workers(arguments),
    )


def _check_belongs(arguments: argparse.Namespace) -> None:
    """Refuse what the proposer would take in silence and not use."""
    replays = arguments.proposer == "replay"
    if arguments.proposer in ("offline", "random"):
        named = ("model", "base_url", "max_cost", "max_tokens", "price", "temperature", "stream")
        for name in (*named, "no_check", "in_flight", "timeout", "memory"):
            if getattr(arguments, name) not in (None, False, []):
                raise UsageError(
                    f"--{name.replace('_', '-')}",
                    "a language model (--proposer llm or both)",
                    arguments.proposer,
                    "leave it out",
                )
    if arguments.proposer in ("llm", "both") and arguments.batch != 1:
        raise UsageError(
            "--batch",
            "a proposer that waits for nobody",
            arguments.proposer,
            "say --in-flight N instead",
        )
    if arguments.replay and not replays:
        raise UsageError("--from", "--proposer replay", arguments.proposer, "leave it out")
    if arguments.hint and arguments.proposer == "random":
        print(
            "run-agent: --hint: not used, the proposer random reads no words; others do",
            file=sys.stderr,
        )
    if arguments.hint and arguments.proposer == "offline":
        from agent.proposers.offline import hints  # takes a moment to import

        if hints.says_nothing(arguments.hint):
            print(
                "run-agent: --hint: not used, it names no mechanism that the offline proposer "
                "knows; say for example pendulum, spring, bounce, friction or roll",
                file=sys.stderr,
            )


def _search_config(arguments: argparse.Namespace) -> SearchConfig:
    return SearchConfig(
        budget=arguments.budget,
        threshold=arguments.threshold,
        seed=arguments.seed,
        batch=arguments.batch,
        workers=_workers(arguments),
        policy=arguments.policy,
        proposer=arguments.proposer,
        hint=private(arguments.hint),
        sandbox=_mode(arguments),
        lpips=_lpips(arguments.lpips),
        rules=private(affordances.load_all(arguments.affordance).to_markdown()),
        model=_model(arguments),
        evaluation=EvaluationConfig(
            repeat=arguments.repeat, vision=vision.checked(arguments, os.environ)
        ),
    )


def _model(arguments: argparse.Namespace) -> ModelOptions:
    names = arguments.model or [""]
    plain, prices = _prices(arguments.price)
    price = plain or price_of(names[0])
    return ModelOptions(
        name=names[0],
        others=tuple(names[1:]),
        prices=prices,
        base_url=arguments.base_url or proposers.base_url(os.environ),
        max_cost=arguments.max_cost,
        max_tokens=arguments.max_tokens,
        price=None if price is None else (price.input, price.output),
        temperature=arguments.temperature,
        max_output=_max_output(arguments),
        stream=arguments.stream,
        check=not arguments.no_check,
        replay=arguments.replay or "",
        in_flight=arguments.in_flight,
        timeout=arguments.timeout or ModelOptions().timeout,
        memory=arguments.memory or "",
    )


def _prices(texts: Sequence[str]) -> tuple[Price | None, tuple[tuple[str, float, float], ...]]:
    """The price without a name, and those with one."""
    plain: Price | None = None
    named = []
    try:
        for text in texts:
            name, _, numbers = text.rpartition("=")
            price = parse_price(numbers)
            if name:
                named.append((name, price.input, price.output))
            else:
                plain = price
    except ValueError as error:
        raise UsageError(f"--{error}") from None
    return plain, tuple(named)


def _lpips(folder: str | None) -> str:
    if folder is not None:
        lpips.check_folder(folder, "--lpips")
    return folder or ""


def _max_output(arguments: argparse.Namespace) -> int:
    asked = arguments.max_output
    if asked is not None and not 256 <= asked <= LONGEST_ANSWER:
        raise UsageError("--max-output", f"256 to {LONGEST_ANSWER} tokens", str(asked))
    return ModelOptions().max_output if asked is None else asked


def _workers(arguments: argparse.Namespace) -> int:
    """As asked, else one a processor up to four: what they change is the time alone."""
    return min(4, os.cpu_count() or 1) if arguments.workers is None else arguments.workers


def _mode(arguments: argparse.Namespace) -> str:
    mode = arguments.unsafe_sandbox
    if mode not in (None, "landlock-only", "rlimits-only"):
        raise UsageError(
            "--unsafe-sandbox",
            "landlock-only or rlimits-only",
            repr(mode),
            "leave it out for the strict sandbox",
        )
    return mode or STRICT


def finish(result: RunResult) -> int:
    text.show(text.summary(result))
    return 1 if result.status == "failed" else 0


# --------------------------------------------------------------------------------------------------


def evaluate(arguments: argparse.Namespace) -> int:
    """Score three programs of the user's own."""
    _check_out(arguments.out)
    programs = runfolder.read_programs(arguments.programs)
    task, _ = inputs.load(arguments)
    config = EvaluationConfig(repeat=arguments.repeat, vision=vision.checked(arguments, os.environ))
    split = validation(task, config.validation)
    sandbox = Sandbox(_workers(arguments), _mode(arguments))
    with sandbox, live.heard(lambda: "running the programs in the sandbox"):
        evaluator, seed = (
            Evaluator(task, split, sandbox, config),
            search.node_seed(arguments.seed, "0"),
        )
        evaluation = evaluator.evaluate(programs, seed)
        if evaluation.status == "ok":
            evaluation = confirmed(evaluation, evaluator.confirm(programs, evaluation.values, seed))
    if arguments.out:
        store.write_json(Path(arguments.out), evaluation.to_json())
    text.show(text.judged(evaluation))
    diagnosis = diagnose(evaluation)
    text.show(
        f"  found ({finding.stage}, {finding.kind}): {finding.message}"
        for finding in diagnosis.findings
    )
    return 0 if evaluation.status == "ok" else 1


def fit(arguments: argparse.Namespace) -> int:
    """Fit the numbers of three programs on everything visible."""
    for out in (arguments.out, arguments.plot):
        _check_out(out)
    if arguments.plot and not arguments.plot.endswith(".png"):
        raise UsageError("--plot", "a file name that ends in .png", repr(arguments.plot))
    programs = runfolder.read_programs(arguments.programs)
    profile = _profile(arguments.optimizer)
    task, held_back = inputs.load(arguments)
    config = EvaluationConfig(
        repeat=arguments.repeat,
        optimizer=arguments.optimizer,
        vision=vision.checked(arguments, os.environ),
        **_patience(arguments),
    )
    sandbox = Sandbox(_workers(arguments), _mode(arguments), profile=profile)
    with sandbox, live.heard(lambda: "perceiving and fitting in the sandbox"):
        try:
            forecast = Evaluator(
                task, validation(task, config.validation), sandbox, config
            ).forecast(programs, search.node_seed(arguments.seed, "0"))
        except CandidateFailed as failed:
            said = f"{failed.failure.kind}: {failed.failure.message}"
            print(clean(f"failed in {failed.failure.stage}: {said}"), file=sys.stderr)
            return 1
    fitted = forecast.fitted
    seen = [
        Measured(states, video.steps, video.actions)
        for states, video in zip(forecast.measured, final(task).fit, strict=True)
    ][: len(fitted.rolled)]
    if arguments.out:
        runfolder.write_params(Path(arguments.out), fitted.params)
    if arguments.plot:
        with store.replacing(Path(arguments.plot)) as temporary:
            media.write_image(temporary, fit_report.residual_plot(fitted.rolled, seen))
    text.show(_fit_lines(fitted, seen))
    figures = outcome.measure(
        [one.frames for one in forecast.predicted], held_back, [video.frames for video in task.test]
    )
    if figures["psnr"] is not None:
        print(f"held-back frames: psnr {figures['psnr']:.2f} dB, mae {figures['mae']:.5f}")
    if arguments.plot:
        print(f"residuals drawn in {arguments.plot}")
    return 0


def _check_out(out: str | None, *suffixes: str) -> None:
    if out is not None:
        store.check_file(Path(out), suffixes)


def _profile(optimizer: str) -> str:
    """The sandbox's profile for an optimiser: those with a library of their own get a server that
    holds it."""
    if optimizer not in OPTIMIZERS:
        raise UsageError(
            "--optimizer",
            f"one of {', '.join(OPTIMIZERS)}",
            repr(optimizer) + did_you_mean(optimizer, OPTIMIZERS),
        )
    library, extra = _LIBRARIES.get(optimizer, ("numpy", ""))
    if find_spec(library) is None:
        raise UsageError(
            f"--optimizer {optimizer}",
            f"the library {library}",
            "none that is installed",
            f"pip install '.[{extra}]', or leave the option out",
        )
    return "threads" if extra else "plain"


def _patience(arguments: argparse.Namespace) -> dict[str, Any]:
    """Limits of one fit as asked for, and of the job that it runs in."""
    asked = {
        name: value
        for name in ("evaluations", "seconds")
        if (value := getattr(arguments, name)) is not None
    }
    default = EvaluationConfig()
    budget = replace(default.fit, **asked)
    room = max(budget.seconds - default.fit.seconds, 0.0)
    return {
        "fit": budget,
        "limits": replace(
            default.limits, wall=default.limits.wall + 20 * room, cpu=default.limits.cpu + 2 * room
        ),
    }


def _fit_lines(fitted: Fitted, seen: Sequence[Measured]) -> Iterator[str]:
    """What a fit came to: sentence, table of parameters, posterior where one was sampled, residuals
    over time."""
    said = fitted.report
    yield f"fit {said['status']}: {said['message']}"
    if said["status"] == BUDGET_SPENT:
        yield "options: --evaluations N and --seconds S allow more"
    yield (
        f"{said['evaluations']:.0f} evaluations in {said['seconds']:.2f} s by "
        f"{said['optimizer']}; rms residual {_number(said['rms'])} (1 = the noise level)"
    )
    if fitted.params:
        yield from ("", *text.table(fit_report.HEADER, fit_report.rows(fitted.params)))
    for name, (low, middle, high) in said["posterior"].items():
        yield f"posterior of {name}: {middle:.6g}, 95 % in [{low:.6g}, {high:.6g}]"
    yield from (
        "",
        "residuals (measured - fitted) over time:",
        *fit_report.residual_lines(fitted.rolled, seen),
        "",
    )


def _number(value: float | None) -> str:
    return "not finite" if value is None else f"{value:.3g}"


def _other_clip(model: WorldModel, arguments: argparse.Namespace) -> Video:
    """The clip of --video, prepared as the run's own was where the options do not say otherwise."""
    base = None if model.seen is None else Preparation.from_json(model.seen.prepared).of_another()
    how = inputs.preparation(arguments, base)
    return media.read(arguments.video, 0, arguments.context, preparation=how)


def predict(arguments: argparse.Namespace) -> int:
    """Predict with a model, edited or not."""
    _check_out(arguments.out, *media.WRITABLE)
    if arguments.context is not None and arguments.video is None:
        raise UsageError("--context", "--video beside it", "none", "leave it out")
    variants = tuple(tuple(group) for group in arguments.edits)
    if len(variants) > 1 and not all(variants):
        raise UsageError("--or", "--set before and after it", "a what-if without edits")
    if arguments.video is None and (options := cutting.given(arguments)):
        raise UsageError(f"--{options[0]}", "--video beside it", "none", "leave it out")
    _say_unexplained(arguments.run)
    waiting = live.heard(lambda: "running the programs in the sandbox")
    grants = Grants(vision=vision.folders(os.environ))
    scale = _kept(arguments.run, Given.typed(arguments))
    with WorldModel.load(arguments.run, node=arguments.node, grants=grants) as model, waiting:
        variants = tuple(in_pixels(group, model.fitted, scale) for group in variants)
        clip = None if arguments.video is None else _other_clip(model, arguments)
        seen = whatif.clip_of(model, clip)
        whatif.check_since(arguments.since, seen)
        if arguments.list:
            text.show(text.editable(model.editable(seen, arguments.since), scale))
            return 0
        answer = whatif.ask(
            model,
            whatif.WhatIf(
                variants, arguments.since, arguments.horizon, inputs.actions(arguments.actions)
            ),
            clip,
        )
    if arguments.out:
        answer.write(Path(arguments.out))
    text.show(answer.lines(lambda name, v: convert.told(v, convert.column_unit(name, None), scale)))
    if arguments.out:
        print(f"written to {arguments.out}")
    return 0


def _say_unexplained(run: str) -> None:
    """A word on stderr where the programs of a run explain nothing."""
    if (Path(run) / "trace.jsonl").is_file():
        result = RunFolder(run).result() or {"explained": True}
        if explained.fails(result):
            print(f"run-agent: {explained.verdict(result)}", file=sys.stderr)


# --------------------------------------------------------------------------------------------------


def export(arguments: argparse.Namespace) -> int:
    """The programs found in another form."""
    return import_module("agent.export").main(arguments)


def bench(arguments: argparse.Namespace) -> int:
    """Benchmark suites."""
    return _optional("benchmarks.suite", "bench").main(arguments.rest)


def weights(arguments: argparse.Namespace) -> int:
    """Weights of learned perception."""
    return import_module("tools.vision.weights_cli").main(arguments.rest, os.environ)


def doctor(arguments: argparse.Namespace) -> int:
    """Which barriers hold here."""
    examination = import_module("sandbox.doctor").examine()
    print(json.dumps(examination.to_json(), indent=1) if arguments.json else examination)
    return 0 if examination.ok else 1


def _optional(module: str, command: str) -> Any:
    if find_spec(module) is None:
        raise UsageError(
            command,
            f"the module {module}",
            "an installation without it",
            "install it from a full checkout",
        )
    return import_module(module)
