"""``run-agent bench``: run a suite, compare two results, write tables, score anybody's predicted
videos.

run-agent bench SUITE [--out DIR] [--count N] [--seed S] [--budget B] [--workers W] ...
run-agent bench compare A B
run-agent bench table FILE...
run-agent bench score --frames DIR (--truth DIR | --env NAME)
run-agent bench data --env NAME --out DIR
run-agent bench sheet --out FILE.png
run-agent bench list | metrics
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from agent.cluster.engine import add_options, connected
from agent.run.store import check_file, check_place
from benchmarks import suites
from benchmarks.environments.variants import KNOWN
from benchmarks.harness import foretelling, scoring
from benchmarks.harness.case import Options, Workplace, check_only
from benchmarks.harness.compare import compare
from benchmarks.harness.execute import asked, execute
from benchmarks.harness.ledger import Ledger
from benchmarks.harness.results import Result, surroundings
from tools import media
from tools.command_line import Parser, did_you_mean, whole
from tools.metrics.cards import CARDS
from tools.metrics.lpips import check_folder
from tools.types import ContractError

VERBS = ("compare", "table", "score", "data", "sheet", "list", "metrics")


def main(argv: Sequence[str]) -> int:
    """Do what the arguments after ``run-agent bench`` ask; the exit code. Raises ContractError on a
    wrong call."""
    verb = argv[0] if argv else "--help"
    if verb in ("-h", "--help"):
        print((__doc__ or "").strip() + "\n\nsuites: " + ", ".join(suites.known()))
        return 0
    if verb in VERBS:
        return {
            "compare": _compare,
            "table": _table,
            "score": _score,
            "data": _data,
            "sheet": _sheet,
            "list": _list,
            "metrics": _metrics,
        }[verb](argv[1:])
    if verb not in suites.known():
        words = (*suites.known(), *VERBS)
        raise ContractError(
            "bench",
            f"a suite ({', '.join(suites.known())}) or one of {', '.join(VERBS)}",
            repr(verb) + did_you_mean(verb, words),
        )
    return _suite(verb, argv[1:])


def _suite(name: str, argv: Sequence[str]) -> int:
    suite = suites.suite(name)
    arguments = _suite_parser(name, suite.about).parse_args(argv)
    keys = ["count", "seed", "budget", "proposer", "variant", "only", "data", "weights"]
    keys += ["record", "recordings"]
    options = Options(
        **{key: getattr(arguments, key) for key in keys}, policies=tuple(arguments.policies)
    )
    check_only([case for phase in suite.phases(options) for case in phase], options)
    folder = Path(arguments.out or f"runs/bench-{name}-{options.seed}")
    check_place(folder)
    if options.weights is not None:
        check_folder(options.weights, "--weights")
    ledger = Ledger(folder, asked(suite, options))
    began = time.time()
    with _cluster(arguments) as client:
        execute(
            suite,
            Workplace(folder, options),
            ledger,
            arguments.workers,
            lambda line: print(line, file=sys.stderr, flush=True),
            client,
        )
    about = {
        **surroundings(Path(__file__).parent),
        "started": round(began),
        "seconds": round(sum(r.seconds for r in ledger.records.values()), 1),
    }
    result = Result(name, options, ledger.records, about)
    path = result.write(folder)
    table = _report(result)
    (folder / "table.md").write_text(table, encoding="utf-8")
    print(table)
    print(f"written to {path}")
    return 1 if any(record.error for record in result.records.values()) else 0


def _cluster(arguments: argparse.Namespace) -> AbstractContextManager[Any]:
    """The client of --cluster, or None."""
    if arguments.cluster is None:
        return nullcontext()
    return connected(arguments.cluster, None if arguments.tls is None else Path(arguments.tls))


def _report(result: Result) -> str:
    """The suite's own tables, and how well its searches foretold what was held back."""
    report = suites.suite(result.suite).report(result.records, result.options)
    return "\n".join([report, foretelling.table(result.records)])


def _suite_parser(name: str, about: str) -> argparse.ArgumentParser:
    parser = Parser(prog=f"run-agent bench {name}", description=about)
    add_options(parser, "do the cases; --data and --weights are then folders there")
    _size(parser)
    parser.add_argument(
        "--out",
        metavar="DIR",
        help="folder for results; the same arguments go on with what is there (default: "
        "runs/bench-NAME-SEED)",
    )
    parser.add_argument(
        "--workers",
        type=whole(1),
        default=os.cpu_count() or 1,
        metavar="W",
        help="cases at a time (default: all cores)",
    )
    parser.add_argument(
        "--proposer",
        default="offline",
        metavar="NAME",
        help="who writes programs (default: offline)",
    )
    parser.add_argument(
        "--variant",
        choices=KNOWN,
        metavar="NAME",
        help=f"what becomes of the videos: {', '.join(KNOWN)} (default: the protocol's)",
    )
    parser.add_argument(
        "--policies",
        nargs="+",
        default=[],
        metavar="NAME",
        help="search policies to compare (default: the suite's own)",
    )
    parser.add_argument(
        "--only", default="", metavar="TEXT", help="only cases whose key contains TEXT"
    )
    parser.add_argument(
        "--data",
        metavar="DIR",
        help="folder with downloaded PhyWorld files, or with footage.json and its clips",
    )
    parser.add_argument(
        "--weights",
        metavar="DIR",
        help="folder with LPIPS weights: alexnet.pth, alex.pth, vgg16.pth, vgg.pth",
    )
    parser.add_argument(
        "--record",
        default="",
        metavar="MODEL",
        help="search only: ask this language model live, and record it",
    )
    parser.add_argument(
        "--recordings", metavar="DIR", help="search only: repeat what such a bench recorded in DIR"
    )
    return parser


def _size(parser: argparse.ArgumentParser) -> None:
    """How much is asked for."""
    parser.add_argument(
        "--count",
        type=whole(1),
        metavar="N",
        help="videos, episodes or scenes (default: the suite's own number)",
    )
    parser.add_argument(
        "--seed", type=whole(0), default=0, metavar="S", help="of data and searches (default: 0)"
    )
    parser.add_argument(
        "--budget",
        type=whole(1),
        default=20,
        metavar="B",
        help="evaluations a search (default: 20)",
    )


def _compare(argv: Sequence[str]) -> int:
    parser = Parser(
        prog="run-agent bench compare", description="What changed between two results beyond noise."
    )
    parser.add_argument("first", type=Path, metavar="A")
    parser.add_argument("second", type=Path, metavar="B")
    arguments = parser.parse_args(argv)
    print(compare(Result.read(arguments.first), Result.read(arguments.second)))
    return 0


def _table(argv: Sequence[str]) -> int:
    parser = Parser(
        prog="run-agent bench table",
        description="Markdown tables of results, published rows included.",
    )
    parser.add_argument("files", type=Path, nargs="+", metavar="FILE")
    for path in parser.parse_args(argv).files:
        result = Result.read(path)
        print(_report(result))
    return 0


def _score(argv: Sequence[str]) -> int:
    parser = Parser(
        prog="run-agent bench score",
        description="Score predicted videos with the metrics of the suites.",
    )
    parser.add_argument(
        "--frames",
        type=Path,
        required=True,
        metavar="DIR",
        help="predicted videos, one a file or folder, in order of name",
    )
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument(
        "--truth",
        type=Path,
        metavar="DIR",
        help="true videos of the same names, the seen frames included",
    )
    source.add_argument(
        "--env", metavar="NAME", help="environment that was predicted; file k is its test video k"
    )
    parser.add_argument(
        "--context",
        type=whole(1),
        metavar="N",
        help="frames that were seen (with --truth; default: the environment's)",
    )
    parser.add_argument("--seed", type=whole(0), default=0, metavar="S")
    parser.add_argument("--level", metavar="LEVEL", help="split of the test videos, for PhyWorld")
    parser.add_argument("--weights", metavar="DIR", help="folder with LPIPS weights")
    arguments = parser.parse_args(argv)
    print(scoring.score_frames(arguments.frames, _truth(arguments), arguments.weights))
    return 0


def _truth(arguments: argparse.Namespace) -> scoring.Truth:
    if arguments.truth is not None:
        return scoring.truth_in(arguments.truth, arguments.context)
    count = len(scoring.names_in(arguments.frames))
    return scoring.truth_of(arguments.env, arguments.seed, count, arguments.level)


def _data(argv: Sequence[str]) -> int:
    parser = Parser(
        prog="run-agent bench data",
        description="Write what a model may see of an environment: seen frames as npz.",
    )
    parser.add_argument("--env", required=True, metavar="NAME")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    parser.add_argument("--count", type=whole(1), default=1, metavar="N")
    parser.add_argument("--seed", type=whole(0), default=0, metavar="S")
    parser.add_argument("--level", metavar="LEVEL")
    arguments = parser.parse_args(argv)
    check_place(arguments.out)
    written = scoring.write_seen(
        arguments.env, arguments.seed, arguments.count, arguments.level, arguments.out
    )
    print(
        f"{written} videos written to {arguments.out}; predict the frames after them and score "
        "with run-agent bench score"
    )
    return 0


def _sheet(argv: Sequence[str]) -> int:
    from benchmarks.gallery.sheet import contact_sheet

    parser = Parser(
        prog="run-agent bench sheet", description="A picture of every scene of the gallery."
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FILE.png")
    parser.add_argument("--seed", type=whole(0), default=0, metavar="S")
    arguments = parser.parse_args(argv)
    check_file(arguments.out, media.IMAGES)
    media.write_image(arguments.out, contact_sheet(arguments.seed))
    print(f"written to {arguments.out}")
    return 0


def _list(argv: Sequence[str]) -> int:
    for name in suites.known():
        print(f"{name:16s} {suites.suite(name).about}")
    return 0


def _metrics(argv: Sequence[str]) -> int:
    for card in CARDS.values():
        print(
            f"{card.name} ({card.unit}, {card.better} is better; perfect: {card.floor})\n  "
            f"{card.definition}\n  frames: {card.frames}\n  objects: {card.objects}\n  source: "
            f"{card.source}"
        )
    return 0
