"""What can be typed. Imports nothing heavy, so that --help is instant."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from agent.cli import cutting, pointing
from agent.cluster.engine import add_options
from tools.command_line import Parser, above, at_least, did_you_mean, whole

GROUPS = {
    "search": ("run", "resume", "fork", "remember", "sweep", "look", "judge"),
    "look at a search": ("trace", "report", "index", "tracks", "equations", "certainty"),
    "use a model": ("predict", "export"),
    "your own programs": ("evaluate", "fit"),
    "measure": ("bench",),
    "this machine": ("doctor", "weights", "store", "completion"),
}
"""Subcommands, as --help groups them; `run` is meant when none is given."""

COMMANDS = tuple(name for names in GROUPS.values() for name in names)

_OWN_OPTIONS = ("bench", "weights")
"""Those that read what follows them with a parser of their own, --help included."""

_EPILOG = """examples:
  run-agent --env cartpole --budget 20              search; a summary with score, metrics, paths
  run-agent --video clip.mp4 --context 20           the same on your own video
  run-agent look clip.mp4                           what a video shows, and the command to search it
  run-agent trace RUN                               browse a search; RUN is the folder that it wrote
  run-agent predict RUN --set push*=-1 --out what-if.mp4
  run-agent predict RUN --set push*=-1 --or --set ball.vx=0 --out three.gif
  run-agent export RUN --to python --out model.py   the model as one file that runs alone
  run-agent evaluate DIR --video clip.mp4           score your own three programs

exit codes: 0 finished, 1 failed, 2 the call was wrong"""


def parse(argv: list[str]) -> argparse.Namespace:
    """Arguments with ``handler`` set to "module:function"."""
    parser = build()
    if not argv:
        parser.print_help()
        parser.exit(2)
    if not argv[0].startswith("-") and argv[0] not in COMMANDS:
        parser.error(_meant(argv[0]))
    if argv[0] not in (*COMMANDS, "-h", "--help", "--version"):
        argv = ["run", *argv]
    if argv[0] in _OWN_OPTIONS:
        return argparse.Namespace(**vars(parser.parse_args(argv[:1])) | {"rest": argv[1:]})
    if argv[0] == "sweep" and "--" in argv:
        cut = argv.index("--")
        return argparse.Namespace(**vars(parser.parse_args(argv[:cut])) | {"rest": argv[cut + 1 :]})
    return parser.parse_args(argv)


def _meant(word: str) -> str:
    """Why ``word`` is no command, and what may have been meant."""
    path = Path(word)
    got = f"expected one of {', '.join(COMMANDS)}, got {word}"
    if (path / "trace.jsonl").is_file():
        return f"{got}; it is a run: look at it with `run-agent trace {word}`"
    if path.exists():
        return f"{got}; search programs for a video with `run-agent --video {word}`"
    return got + did_you_mean(word, COMMANDS)


def build() -> argparse.ArgumentParser:
    """The whole parser."""
    parser = Parser(
        "run-agent",
        description="Find small readable programs that explain and predict a video.",
        epilog=_EPILOG,
        formatter_class=_Grouped,
    )
    parser.add_argument("--version", action=_Version)
    commands = parser.add_subparsers(metavar="COMMAND", required=True, title="commands")
    _run(commands)
    _resume(commands)
    _fork(commands)
    _remember(commands)
    _look(commands)
    _judge(commands)
    _trace(commands)
    _report(commands)
    _own(
        commands, "evaluate", "score your own three programs, in the same sandbox", "the evaluation"
    )
    fit = _own(
        commands,
        "fit",
        "fit only the numbers of your own programs, on all frames seen",
        "the fitted parameters",
    )
    fit.add_argument(
        "--optimizer",
        default="auto",
        metavar="NAME",
        help="auto, least_squares, multistart, powell, lbfgs, differential_evolution or mcmc "
        "(default auto)",
    )
    fit.add_argument(
        "--evaluations", type=whole(1), metavar="N", help="rollouts at most (default 20000)"
    )
    fit.add_argument(
        "--seconds", type=above(0), metavar="S", help="processor time at most (default 30)"
    )
    fit.add_argument("--plot", metavar="FILE", help="write the residual plot as PNG")
    _predict(commands)
    _others(commands)
    return parser


class _Grouped(argparse.RawDescriptionHelpFormatter):
    """Help that lists the commands under the headings of ``GROUPS``."""

    def _format_action(self, action: argparse.Action) -> str:
        if not isinstance(action, argparse._SubParsersAction):
            return super()._format_action(action)
        about = {one.dest: one for one in action._get_subactions()}
        lines = []
        for heading, names in GROUPS.items():
            lines.append(f"{' ' * self._current_indent}{heading}\n")
            self._indent()
            lines += [super(_Grouped, self)._format_action(about[name]) for name in names]
            self._dedent()
        return "".join(lines)


class _Version(argparse.Action):
    def __init__(self, option_strings: Sequence[str], dest: str):
        super().__init__(option_strings, dest, nargs=0, help="print the version and exit")

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: object,
        option_string: str | None = None,
    ) -> None:
        from importlib.metadata import version

        print(f"proggen-agent {version('proggen-agent')}")
        parser.exit(0)


def _command(
    commands: argparse._SubParsersAction, name: str, handler: str, about: str
) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=about, description=about)
    parser.set_defaults(handler=handler)
    return parser


def _another(parser: argparse.ArgumentParser) -> None:
    """Options that name another video than the run's."""
    parser.add_argument(
        "--video",
        metavar="FILE",
        help="predict another video of the same scene (default: the run's own)",
    )
    parser.add_argument(
        "--context", type=whole(1), metavar="N", help="frames of --video seen (default: the run's)"
    )
    cutting.add(parser.add_argument_group("--video: cut and prepared as in the run, but for"))


def _look(commands: argparse._SubParsersAction) -> None:
    parser = _command(
        commands,
        "look",
        "agent.cli.looking:main",
        "look at a video without a search: contact sheet, what moves when, noise, light, camera, "
        "time stamps, and the command that would search it",
    )
    parser.add_argument("clip", metavar="FILE", help="a video, as for --video")
    parser.add_argument("--json", action="store_true", help="as JSON")
    parser.add_argument(
        "--out", metavar="FILE", help="the contact sheet (default: NAME.look.png, here)"
    )
    part = parser.add_argument_group("which part of the file")
    cutting.add(part)
    pointing.add(part)


def _judge(commands: argparse._SubParsersAction) -> None:
    parser = _command(
        commands,
        "judge",
        "agent.cli.judging:main",
        "does a video keep to the physics that it shows (or that a world model foretells)? Bodies "
        "that jump, vanish, change size, colour or velocity without cause, time that stops",
    )
    parser.add_argument(
        "clip", metavar="VIDEO", help="a video, as for --video, or a folder of videos to rank"
    )
    parser.add_argument(
        "--world", metavar="RUN", help="judge against this world model (a run or an exported file)"
    )
    parser.add_argument(
        "--context", type=whole(2), metavar="N", help="with --world: frames it sees (the run's)"
    )
    parser.add_argument("--json", action="store_true", help="as JSON")
    parser.add_argument(
        "--out",
        metavar="FILE",
        help="the film with the moment marked (default: NAME.judge.mp4, here); for a folder the "
        "table as CSV (default: judge.csv)",
    )
    cutting.add(parser.add_argument_group("which part of the file"))


def _run(commands: argparse._SubParsersAction) -> None:
    parser = _command(
        commands,
        "run",
        "agent.cli.commands:run",
        "search programs for a video (the default command)",
    )
    _input(parser)
    search = parser.add_argument_group("search")
    search.add_argument(
        "--budget", type=whole(1), default=20, metavar="N", help="evaluations (default 20)"
    )
    search.add_argument(
        "--threshold",
        type=above(0),
        default=0.97,
        metavar="S",
        help="score at which to stop; above 1 = never (default 0.97)",
    )
    search.add_argument(
        "--proposer",
        default="offline",
        metavar="NAME",
        help="who writes the programs: offline, llm, both or replay (default offline: no key, no "
        "network)",
    )
    search.add_argument(
        "--policy", default="tree", metavar="NAME", help="tree, best-of-n or linear (default tree)"
    )
    search.add_argument(
        "--batch",
        type=whole(1),
        default=1,
        metavar="N",
        help="proposals a round, made before any of them is scored (default 1)",
    )
    search.add_argument(
        "--hint", default="", metavar="TEXT", help="words about the scene for the proposer"
    )
    _model(parser)
    _machine(parser)
    _vision(parser)
    parser.add_argument(
        "--out", metavar="DIR", help="new folder for the run (default runs/<time>-<env>-<seed>)"
    )
    parser.add_argument(
        "--lpips",
        metavar="DIR",
        help="weights of the LPIPS metric: alexnet.pth, alex.pth, vgg16.pth, vgg.pth",
    )
    parser.add_argument("--quiet", action="store_true", help="only the summary")
    _units(parser)


def _model(parser: argparse.ArgumentParser) -> None:
    model = parser.add_argument_group("language model (--proposer llm, both, replay)")
    model.add_argument(
        "--model",
        action="append",
        metavar="NAME",
        help="as the endpoint calls it; the key is read from PROGGEN_API_KEY or OPENAI_API_KEY; "
        "repeatable: the one that gains most for a dollar is asked most",
    )
    _endpoint(model)
    _asking(model)
    model.add_argument(
        "--no-check", action="store_true", help="do not let the model check detections"
    )
    model.add_argument(
        "--memory",
        metavar="DIR",
        help="a library that drafts are shown the likest entries of; see run-agent remember",
    )
    model.add_argument(
        "--affordance",
        action="append",
        default=[],
        metavar="NAME|FILE",
        help="rules about the scene: rigid, circles, articulated, differentiable, engine or a "
        "file; repeatable",
    )
    model.add_argument(
        "--from",
        dest="replay",
        metavar="RUN",
        help="for --proposer replay: the run whose proposals are repeated",
    )


def _asking(model: argparse._ArgumentGroup) -> None:
    """How a model is asked."""
    model.add_argument(
        "--in-flight",
        type=whole(1),
        metavar="N",
        help="questions at the same time, beside all other work (default 4; 1 for a server on "
        "this machine without a price)",
    )
    model.add_argument(
        "--max-output",
        type=int,
        metavar="N",
        help="tokens of one answer (default 16000; doubled for an answer that was cut off)",
    )
    model.add_argument(
        "--temperature", type=at_least(0), metavar="T", help="default: the endpoint's own"
    )
    model.add_argument("--stream", action="store_true", help="ask for answers in pieces")


def _endpoint(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--base-url",
        metavar="URL",
        help="any OpenAI-compatible endpoint (default PROGGEN_BASE_URL, OPENAI_BASE_URL, then "
        "OpenAI)",
    )
    group.add_argument(
        "--max-cost", type=above(0), metavar="USD", help="stop before a call that could pass this"
    )
    group.add_argument(
        "--max-tokens",
        type=whole(1),
        metavar="N",
        help="stop before a call that could pass this many tokens",
    )
    group.add_argument(
        "--timeout", type=above(0), metavar="S", help="seconds for one answer (default 300)"
    )
    group.add_argument(
        "--price",
        action="append",
        default=[],
        metavar="[MODEL=]IN,OUT",
        help="dollars a million tokens, where the model is not in the table; repeatable",
    )


def _input(parser: argparse.ArgumentParser) -> None:
    source = parser.add_argument_group("input (one of --env and --video)")
    source.add_argument(
        "--env",
        metavar="NAME",
        help="an environment: cartpole, gym:ID, ... (an unknown name lists all)",
    )
    source.add_argument(
        "--video",
        action="append",
        metavar="FILE",
        help="mp4, gif, webm, webp, .npz (frames, dt or times, actions) or a folder of images; "
        "repeatable",
    )
    source.add_argument(
        "--learn-from",
        action="append",
        default=[],
        metavar="FILE",
        help="a video to be seen whole; repeatable",
    )
    source.add_argument(
        "--context",
        type=whole(1),
        metavar="N",
        help="frames seen (default: the environment's, or two thirds of the video)",
    )
    source.add_argument(
        "--horizon",
        type=whole(1),
        metavar="N",
        help="frames to predict (default: the environment's, or the rest of the video)",
    )
    cutting.add(source)
    pointing.add(source)
    source.add_argument(
        "--seed",
        type=whole(0),
        default=0,
        metavar="N",
        help="decides everything random (default 0)",
    )
    for name, about in (
        ("variant", "clean, noise, mp4, or a trouble of the camera (shake1, pan, shadow, ...)"),
        ("level", "which split the test videos come from"),
        ("data", "a data file in place of the generator"),
    ):
        source.add_argument(
            f"--{name}", metavar="NAME" if name != "data" else "FILE", help=f"for --env: {about}"
        )
    for name, least in (("train", 0), ("test", 1)):
        source.add_argument(
            f"--{name}", type=whole(least), metavar="N", help=f"for --env: number of {name} videos"
        )


def _machine(parser: argparse.ArgumentParser) -> None:
    machine = parser.add_argument_group("machine")
    machine.add_argument(
        "--workers",
        type=whole(1),
        default=None,
        metavar="N",
        help="processes at work; changes the time, never the result (default: one a processor, at "
        "most 4)",
    )
    add_options(machine, "run the programs")
    _store(machine)
    machine.add_argument(
        "--repeat",
        action="store_true",
        help="draw every prediction twice and refuse programs that are not deterministic",
    )
    _unsafe(machine)


def _unsafe(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--unsafe-sandbox",
        metavar="MODE",
        help="landlock-only or rlimits-only, where strict is not to be had; see run-agent doctor",
    )


def _vision(parser: argparse.ArgumentParser) -> None:
    vision = parser.add_argument_group(
        "learned perception (for programs that declare DETECTIONS; see run-agent weights list)"
    )
    vision.add_argument(
        "--detector",
        default="auto",
        metavar="NAME",
        help="auto, colour-words or grounding-dino-tiny (default auto: what is there)",
    )
    vision.add_argument(
        "--segmenter",
        default="auto",
        metavar="NAME",
        help="auto, grabcut, sam-vit-b, sam-vit-l or sam-vit-h (default auto)",
    )
    vision.add_argument(
        "--tracker",
        default="classical",
        metavar="NAME",
        help="classical, sam2.1-hiera-tiny, xmem or auto (default classical)",
    )
    vision.add_argument(
        "--device", default="auto", metavar="NAME", help="auto, cpu, cuda or mps (default auto)"
    )
    _unpinned(vision)


def _unpinned(parser: argparse._ActionsContainer) -> None:
    parser.add_argument(
        "--unpinned-weights",
        action="store_true",
        help="load weights whose checksum nobody published (xmem): you have compared it",
    )


def _resume(commands: argparse._SubParsersAction) -> None:
    parser = _command(
        commands,
        "resume",
        "agent.cli.commands:resume",
        "go on with a run that was stopped in any way, or with a finished one under higher limits",
    )
    parser.add_argument("run", metavar="RUN")
    parser.add_argument(
        "--budget",
        type=whole(1),
        metavar="N",
        help="evaluations, over all sessions (default: the run's)",
    )
    parser.add_argument(
        "--threshold",
        type=above(0),
        metavar="S",
        help="score at which to stop; above 1 = never (default: the run's)",
    )
    parser.add_argument("--workers", type=whole(1), default=None, metavar="N")
    add_options(parser, "run the programs")
    _store(parser)
    parser.add_argument("--quiet", action="store_true")
    _granted(parser)


def _remember(commands: argparse._SubParsersAction) -> None:
    parser = _command(
        commands,
        "remember",
        "agent.cli.remembering:main",
        "put the best programs of a run into a library for later runs (--memory DIR)",
    )
    parser.add_argument("run", metavar="RUN")
    parser.add_argument("--to", metavar="DIR", required=True, help="the library's folder")
    parser.add_argument(
        "--words", metavar="TEXT", help="what the mechanism is (default: its own rationale)"
    )


def _granted(parser: argparse.ArgumentParser) -> None:
    said = parser.add_argument_group(
        "what a run's folder may not decide (say it again, as `run` was told)"
    )
    said.add_argument("--model", metavar="NAME", help="another model than the run's")
    _endpoint(said)
    said.add_argument("--from", dest="replay", metavar="RUN", help="the run that a replay repeats")
    said.add_argument("--lpips", metavar="DIR", help="weights of the LPIPS metric")
    _unpinned(said)
    _unsafe(said)


def _fork(commands: argparse._SubParsersAction) -> None:
    parser = _command(
        commands,
        "fork",
        "agent.cli.forking:main",
        "search on from a node of a run in a run of its own, perhaps from your own edit of it",
    )
    parser.add_argument("run", metavar="RUN")
    parser.add_argument("node", metavar="NODE")
    parser.add_argument(
        "--edit",
        metavar="DIR",
        help="files that you changed (perception.py, dynamics.py, rendering.py): the first child",
    )
    parser.add_argument("--out", metavar="DIR", help="new folder (default RUN-fork-NODE)")
    parser.add_argument(
        "--budget", type=whole(1), metavar="N", help="evaluations (default: the run's)"
    )
    parser.add_argument("--threshold", type=above(0), metavar="S", help="default: the run's")
    parser.add_argument(
        "--seed", type=whole(0), metavar="N", help="decides everything random (default: the run's)"
    )
    parser.add_argument("--policy", metavar="NAME", help="default: the run's")
    parser.add_argument("--proposer", metavar="NAME", help="default: the run's")
    parser.add_argument("--workers", type=whole(1), default=None, metavar="N")
    parser.add_argument("--quiet", action="store_true")
    _granted(parser)


def _trace(commands: argparse._SubParsersAction) -> None:
    parser = _command(
        commands,
        "trace",
        "agent.cli.reading:trace",
        "how a search went: a browser in a terminal, plain text elsewhere",
    )
    parser.usage = (
        "run-agent trace RUN [NODE] [--diff [OTHER]] [--plain]\n       run-agent trace "
        "RUN --otlp [URL]\n       run-agent trace list [FOLDER]\n       run-agent "
        "trace compare A B      (each RUN, or RUN:NODE)"
    )
    parser.add_argument(
        "words",
        metavar="RUN",
        nargs="+",
        help="the folder of a run, and perhaps one of its nodes; or list, or compare",
    )
    parser.add_argument(
        "--diff",
        metavar="OTHER",
        nargs="?",
        const="",
        help="the node's programs against its parent, or another node",
    )
    parser.add_argument("--plain", action="store_true", help="plain text even in a terminal")
    parser.add_argument(
        "--otlp",
        metavar="URL",
        nargs="?",
        const="http://localhost:4318",
        help="send the search as OpenTelemetry spans to a collector (default %(const)s)",
    )


def _report(commands: argparse._SubParsersAction) -> None:
    parser = _command(
        commands,
        "report",
        "agent.cli.reporting:write",
        "write the report of a run again, or that of an unfinished one",
    )
    parser.add_argument("run", metavar="RUN")
    parser.add_argument(
        "--out", metavar="FILE", help="where to (default: report.html in the run's folder)"
    )
    _units(parser)


def _own(
    commands: argparse._SubParsersAction, name: str, about: str, out: str
) -> argparse.ArgumentParser:
    """A command on three programs of the user's own."""
    parser = _command(commands, name, f"agent.cli.commands:{name}", about)
    parser.add_argument(
        "programs",
        metavar="DIR",
        help="folder with perception.py, dynamics.py, rendering.py; a run (its best); or a file "
        "that export wrote",
    )
    _input(parser)
    _machine(parser)
    _vision(parser)
    parser.add_argument("--out", metavar="FILE", help=f"write {out} as JSON")
    return parser


class _Set(argparse.Action):
    """One more edit in the what-if at hand; ``--or`` (nargs 0) begins another."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: object,
        option_string: str | None = None,
    ) -> None:
        groups = [list(group) for group in getattr(namespace, self.dest) or [[]]]
        if self.nargs == 0:
            groups.append([])
        else:
            groups[-1].append(values)
        setattr(namespace, self.dest, groups)


def _predict(commands: argparse._SubParsersAction) -> None:
    parser = _command(
        commands,
        "predict",
        "agent.cli.commands:predict",
        "predict with the programs found, as they are or edited: what if?",
    )
    parser.add_argument(
        "run",
        metavar="RUN",
        help="a run, a folder with three programs and params.json, or a file that export wrote",
    )
    _another(parser)
    parser.add_argument(
        "--horizon", type=whole(1), metavar="N", help="frames to predict (default: the run's)"
    )
    parser.add_argument(
        "--list",
        action="store_true",
        help="everything that --set can name, with its value, and stop",
    )
    parser.add_argument(
        "--set",
        action=_Set,
        default=[],
        metavar="NAME=VALUE",
        dest="edits",
        help="NAME=VALUE (also with a unit, gravity=1.62m/s^2, where a scale is known), "
        "NAME*=FACTOR, NAME+=DELTA or NAME-=DELTA: a parameter, the state "
        "(ball.vx*=-1), looks (ball.colour=255,0,0), a constant in the programs; several act "
        "together",
    )
    parser.add_argument(
        "--or",
        action=_Set,
        nargs=0,
        dest="edits",
        help="begin another what-if, shown beside: --set a*=2 --or --set b=0",
    )
    parser.add_argument(
        "--since",
        type=whole(0),
        metavar="FRAME",
        help="frame from which the edits hold (default: the last one seen)",
    )
    parser.add_argument(
        "--actions",
        metavar="LIST|FILE",
        help="what acts in the frames to come: 0,1,1 (repeated to the end) or a .npy file "
        "(default: the run's own)",
    )
    parser.add_argument(
        "--out",
        metavar="FILE",
        help="mp4, webm, gif, png (side by side with the unedited prediction) or npz (the edited "
        "ones)",
    )
    _node(parser)
    _units(parser)


def _sweep(commands: argparse._SubParsersAction) -> None:
    parser = _command(
        commands,
        "sweep",
        "agent.cli.sweeping:main",
        "search many clips x seeds x settings: one run folder each and one table",
    )
    parser.add_argument("clips", nargs="*", metavar="CLIP", help="clips, or folders of them")
    parser.add_argument(
        "--env",
        action="append",
        default=[],
        metavar="NAME",
        help="an environment, or a family of them such as gallery; repeatable",
    )
    parser.add_argument(
        "--out", required=True, metavar="DIR", help="new folder, or one to go on with"
    )
    parser.add_argument("--seeds", default="0", metavar="LIST", help="0-4 or 0,3,7 (default 0)")
    parser.add_argument(
        "--vary",
        action="append",
        default=[],
        metavar="NAME=A,B",
        help="an option of run-agent run and its values; repeatable",
    )
    parser.add_argument("--workers", type=int, metavar="N", help="runs at a time on this machine")
    parser.add_argument("--again", action="store_true", help="begin anew what failed before")
    add_options(parser, "do the runs")
    parser.set_defaults(rest=[])
    parser.epilog = (
        "what follows -- goes to every run: run-agent sweep clips/ --out s -- --context 20"
    )


def _node(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--node", metavar="ID", help="another program of the run than its best (see its front)"
    )


def _store(parser: argparse._ActionsContainer) -> None:
    parser.add_argument(
        "--store",
        metavar="DIR",
        help="what several runs share: evaluations, perception of a clip, replies of models "
        "(default: PROGGEN_STORE)",
    )


def _units(parser: argparse.ArgumentParser) -> None:
    """--scale, --know, --origin and --up."""
    group = parser.add_argument_group("units (kept with the run; pixels without them)")
    group.add_argument(
        "--scale",
        action="append",
        default=[],
        metavar="LENGTH",
        help="one known length: ball.width=0.04m, 412px=1.00m or 120,80:520,84=0.62m; repeatable",
    )
    group.add_argument(
        "--know",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="one known constant or moment: gravity=9.81m/s^2, ball.speed@12=2.7m/s; repeatable",
    )
    group.add_argument("--origin", default="", metavar="X,Y", help="pixels where zero is")
    group.add_argument("--up", default="", metavar="WAY", help="up: y grows upwards (default down)")


def _tracks(commands: argparse._SubParsersAction) -> None:
    """Tables, in a person's units."""
    tracks = _command(
        commands,
        "tracks",
        "agent.cli.units:tracks",
        "coordinates of a run as a table: measured, fitted, forecast, in pixels or metres; those "
        "of a clip that no search has seen: measured",
    )
    tracks.add_argument("run", metavar="RUN|CLIP")
    tracks.add_argument("--out", metavar="FILE", help="tracks.csv or tracks.parquet")
    tracks.add_argument(
        "--overlay", metavar="FILE", help="film of tracks, forecast and mechanism on the picture"
    )
    tracks.add_argument(
        "--plot", metavar="FILE", help="every coordinate: data, fit, forecast, rest; .svg or .png"
    )
    _node(tracks)
    _units(tracks)
    part = tracks.add_argument_group("which part of a clip")
    cutting.add(part)
    pointing.add(part)


def _laws(commands: argparse._SubParsersAction) -> None:
    """What a model says, and how sure it is."""
    equations = _command(
        commands,
        "equations",
        "agent.cli.equations:equations",
        "the mechanism as equations of motion: impacts, parameters, what is conserved, limits",
    )
    equations.add_argument("run", metavar="RUN")
    equations.add_argument(
        "--to", default="text", choices=("text", "latex", "sympy"), help="default text"
    )
    equations.add_argument("--out", metavar="FILE", help="write it there, too")
    _node(equations)
    _units(equations)
    certainty = _command(
        commands,
        "certainty",
        "agent.cli.certainty:certainty",
        "which numbers a clip determines, how far its forecast is worth anything, and what to film "
        "next",
    )
    certainty.add_argument("run", metavar="RUN")
    certainty.add_argument(
        "--trials",
        type=whole(3),
        default=24,
        metavar="N",
        help="simulated clips that check what a next experiment promises (default 24)",
    )
    certainty.add_argument("--json", action="store_true", help="as JSON")
    _node(certainty)
    _units(certainty)


def _export(commands: argparse._SubParsersAction) -> None:
    export = _command(
        commands,
        "export",
        "agent.cli.commands:export",
        "the programs found as one file, or as a Gymnasium environment",
    )
    export.add_argument(
        "run",
        metavar="RUN",
        help="a run, or (for python) a folder with three programs and params.json",
    )
    export.add_argument(
        "--to",
        required=True,
        metavar="FORM",
        help="python: one file that runs alone; gymnasium: an environment, one at a time or many "
        "at once",
    )
    _node(export)
    export.add_argument(
        "--dt", type=above(0), metavar="S", help="seconds between frames (default: the run's)"
    )
    export.add_argument("--out", metavar="FILE", help="new .py file (default FORM_model.py)")


def _others(commands: argparse._SubParsersAction) -> None:
    _export(commands)
    for name, handler, about in (
        ("bench", "bench", "run a benchmark suite; `run-agent bench --help` lists them"),
        ("weights", "weights", "weights of learned perception: what is there, what is missing"),
    ):
        parser = commands.add_parser(name, help=about, add_help=False)
        parser.set_defaults(handler=f"agent.cli.commands:{handler}")
        parser.add_argument("rest", nargs=argparse.REMAINDER)
    _tracks(commands)
    _laws(commands)
    _sweep(commands)
    index = _command(
        commands,
        "index",
        "agent.cli.reporting:write_index",
        "one page of all runs in a folder: film strips, mechanisms, scores; sortable",
    )
    index.add_argument("folder", metavar="DIR", help="a folder with runs in it, such as runs")
    index.add_argument("--out", metavar="FILE", help="the page (default: index.html in the folder)")
    _this_machine(commands)


def _this_machine(commands: argparse._SubParsersAction) -> None:
    doctor = _command(
        commands,
        "doctor",
        "agent.cli.commands:doctor",
        "which barriers of the sandbox hold on this machine, by live probes",
    )
    doctor.add_argument("--json", action="store_true")
    kept = _command(
        commands,
        "store",
        "agent.cli.storing:main",
        "what several runs share: how much is there, and making room",
    )
    kept.add_argument("verb", metavar="VERB", choices=("list", "gc"), help="list or gc")
    kept.add_argument("folder", nargs="?", metavar="DIR", help="default: PROGGEN_STORE")
    kept.add_argument("--most", metavar="SIZE", help="gc: keep at most this much, such as 10G")
    kept.add_argument("--unused", metavar="TIME", help="gc: remove what was not used for 30d")
    completion = _command(
        commands,
        "completion",
        "agent.cli.completing:main",
        "completion of this command line, for a shell to read",
    )
    completion.add_argument(
        "shell", metavar="SHELL", choices=("bash", "zsh", "tcsh"), help="bash, zsh or tcsh"
    )
    completion.epilog = 'bash: eval "$(run-agent completion bash)", here or in ~/.bashrc'
