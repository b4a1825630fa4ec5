"""The figures in README and docs are printed from result files that stand beside them.

python -m benchmarks.pages add RESULT NAME    keep a finished bench beside the pages, as NAME.json
python -m benchmarks.pages [--check]          print every table anew, or only say which differ

A page holds ``<!-- table: FORM NAME -->`` ... ``<!-- end -->``; what stands between is printed from
NAME's result file. FORM is "report" (all tables of the suite), "many" (rows of benchmarks.many) or
another of FORMS.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from agent.run import store
from benchmarks import many, published, suites
from benchmarks.harness import foretelling
from benchmarks.harness.results import Result
from benchmarks.harness.tables import Column, Line, markdown, of_method
from benchmarks.suites.cartpole import OURS
from tools.types import ContractError

ROOT = Path(__file__).resolve().parent.parent
RESULTS = Path("docs/benchmarks/results")
BLOCK = re.compile(
    r"(?P<head><!-- table: (?P<form>\S+) (?P<name>\S+) -->\n)(?P<body>.*?)(?P<tail><!-- end -->)",
    re.DOTALL,
)


def pages(root: Path = ROOT) -> list[Path]:
    """The pages that may hold tables."""
    folders = (root / "docs", root / "docs/benchmarks", root / "docs/howto")
    return [
        root / "README.md",
        *(page for folder in folders for page in sorted(folder.glob("*.md"))),
    ]


def printed(page: str, root: Path = ROOT) -> str:
    """The text of a page with every table printed anew. Raises ContractError for a form or result
    that is not there."""

    def anew(block: re.Match[str]) -> str:
        path = root / RESULTS / f"{block['name']}.json"
        if block["form"] == "many":
            text = many.table(store.read_json(path)["rows"])
        else:
            text = _form(block["form"])(Result.read(path)).strip()
        return f"{block['head']}\n{text}\n\n{block['tail']}"

    return BLOCK.sub(anew, page)


def keep(source: Path, name: str, root: Path = ROOT) -> Path:
    """Copy a finished bench beside the pages, without the folders of the machine it ran on."""
    result = Result.read(source)
    data = result.options.data
    options = replace(
        result.options,
        data=None if data is None else Path(data).name,
        weights=None,
        recordings=None,
    )
    versions = {k: v for k, v in result.about.get("versions", {}).items() if k != "platform"}
    kept = replace(result, options=options, about={**result.about, "versions": versions})
    path = root / RESULTS / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    store.write_json(path, kept.to_json())
    return path


# --------------------------------------------------------------------------------------------------


def _form(name: str) -> Callable[[Result], str]:
    if name not in FORMS:
        raise ContractError("form of a table", f"one of {', '.join(FORMS)}", repr(name))
    return FORMS[name]


def report(result: Result) -> str:
    """Everything that the suite prints, when and on what it was measured, and whether the search's
    score foretells the held-back one."""
    tables = suites.suite(result.suite).report(result.records, result.options)
    return "\n".join([measured(result), "", tables, foretelling.table(result.records)])


def measured(result: Result) -> str:
    """The commit, time and machine of a result in a sentence."""
    about = result.about
    commit = str(about.get("commit") or "of no commit")
    return (
        f"*Measured with commit {commit[:10]}{'+' if commit.endswith('+') else ''}, "
        f"{about['machine']['cores']} cores, "
        f"{about['seconds'] / 60:.0f} minutes of all cases together.*"
    )


def _cartpole(result: Result) -> str:
    """The three figures that people ask for."""
    columns = (Column("mae", "MAE", 5), Column("psnr", "PSNR, dB", 2))
    ours = ("search", "hand", "still")
    lines = [
        Line(f"{row.model} (published)", row.data, row.figures)
        for row in published.CARTPOLE
        if row.model == "ProgGen"
    ]
    lines += [of_method(result.records, method, OURS[method], "", columns) for method in ours]
    count = sum(key.startswith("search/") for key in result.records)
    return _slim(f"CartPole, {count} episodes, 10 seen, 10 predicted", columns, lines)


def _slim(title: str, columns: Sequence[Column], lines: Sequence[Line]) -> str:
    """A table of names and figures alone."""
    rows = markdown(title, columns, lines).splitlines()[2:]
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows if row]
    kept = [[row[0], *row[2 : 2 + len(columns)]] for row in cells]
    kept[0][0] = title
    return "\n".join("| " + " | ".join(row) + " |" for row in kept)


def _first_item(result: Result) -> str:
    """The first item of the list below the suite's table."""
    tables = suites.suite(result.suite).report(result.records, result.options)
    return next(line[2:] for line in tables.splitlines() if line.startswith("- "))


FORMS: Mapping[str, Callable[[Result], str]] = {
    "report": report,
    "cartpole": _cartpole,
    "first-item": _first_item,
}
"""How a result can be printed."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point of ``python -m benchmarks.pages``."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pages", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("words", nargs="*", metavar="add RESULT NAME")
    parser.add_argument("--check", action="store_true")
    asked = parser.parse_args(arguments)
    if asked.words and (len(asked.words) != 3 or asked.words[0] != "add"):
        parser.error("expected: add RESULT NAME")
    try:
        if asked.words:
            print(keep(Path(asked.words[1]), asked.words[2]).relative_to(ROOT))
        stale = _print_anew(write=not asked.check)
    except ContractError as error:
        print(f"python -m benchmarks.pages: {error}", file=sys.stderr)
        return 2
    for page in stale:
        print(f"{'differs' if asked.check else 'printed'}: {page}")
    return 1 if asked.check and stale else 0


def _print_anew(write: bool) -> list[Path]:
    """The pages whose tables are not what their results hold; write: put that right."""
    stale = []
    for page in pages():
        text = page.read_text(encoding="utf-8")
        anew = printed(text)
        if anew != text:
            stale.append(page.relative_to(ROOT))
            if write:
                page.write_text(anew, encoding="utf-8")
    return stale


if __name__ == "__main__":
    sys.exit(main())
