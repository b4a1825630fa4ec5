"""``run-agent weights list | get NAME... | verify [NAME...]``: the command over
``tools.vision.weights``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from typing import TextIO

from tools.command_line import Parser
from tools.vision.weights import MODELS, Model, WeightsError, WeightStore


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give ``parser`` the arguments of ``run-agent weights``."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="list | get | verify")
    actions.add_parser(
        "list", help="what there is: role, size, licence, source, and what is on disk"
    )
    for name, text in (
        ("get", "download and verify"),
        ("verify", "compute the checksums of what is on disk"),
    ):
        action = actions.add_parser(name, help=text)
        action.add_argument(
            "names",
            nargs="+" if name == "get" else "*",
            metavar="NAME",
            help="one of " + ", ".join(MODELS),
        )


def main(argv: Sequence[str], environ: Mapping[str, str], out: TextIO = sys.stdout) -> int:
    """Run the command; returns 0, 1 (missing, broken or unreachable weights) or 2 (wrong call)."""
    parser = Parser(prog="run-agent weights")
    add_arguments(parser)
    try:
        options = parser.parse_args(argv)
    except SystemExit as stop:
        return int(stop.code or 0)
    return execute(options, WeightStore.from_environ(environ), out)


def execute(options: argparse.Namespace, store: WeightStore, out: TextIO = sys.stdout) -> int:
    """Run parsed options (see :func:`add_arguments`) on a store; returns the exit code."""
    names = list(getattr(options, "names", ())) or list(store.models)
    try:
        models = [store.model(name) for name in names]
    except WeightsError as error:
        print(error, file=sys.stderr)
        return 2
    if options.action == "list":
        return _list(models, store, out)
    if options.action == "get":
        return _get(models, store, out)
    return _verify(models, store, out, every=bool(options.names))


def _list(models: Sequence[Model], store: WeightStore, out: TextIO) -> int:
    print(f"folder: {store.folder}", file=out)
    for model in models:
        states = {store.state(model.name, file).status for file in model.files}
        status = " / ".join(sorted(states - {"verified", "unchecked"})) or "ready"
        print(
            f"{model.name:20} {model.role:10} {_megabytes(model.size):>9}  {status:14} "
            f"{model.licence}  ({model.source})",
            file=out,
        )
        print(
            f"{'':20} local path: {model.variable}" + (f"; {model.note}" if model.note else ""),
            file=out,
        )
    return 0


def _get(models: Sequence[Model], store: WeightStore, out: TextIO) -> int:
    for model in models:
        try:
            store.get(model.name, _Meter(out))
            for file in model.files:
                state = store.state(model.name, file, check=True)
                print(f"{model.name}: {state.path} {state.status}", file=out)
        except WeightsError as error:
            print(error, file=sys.stderr)
            return 1
    return 0


def _verify(models: Sequence[Model], store: WeightStore, out: TextIO, every: bool) -> int:
    """every: a missing file counts as broken (its model was asked for by name)."""
    broken = 0
    for model in models:
        for file in model.files:
            state = store.state(model.name, file, check=True)
            published = (
                "published checksum"
                if file.sha256
                else "no published checksum: compare it, then --unpinned-weights loads it"
            )
            detail = f"sha256 {state.digest} ({published})" if state.digest else ""
            print(f"{model.name:20} {state.status:14} {state.path} {detail}".rstrip(), file=out)
            broken += state.status.startswith("wrong") or (every and state.status == "missing")
    return 1 if broken else 0


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.0f} MB"


class _Meter:
    """Prints a line of progress every ten per cent."""

    def __init__(self, out: TextIO):
        self.out, self.last = out, -1

    def __call__(self, what: str, done: int, total: int) -> None:
        tenth = 10 * done // total if total else -1
        if tenth != self.last:
            self.last = tenth
            print(f"  {what}: {_megabytes(done)} of {_megabytes(total)}", file=self.out)
