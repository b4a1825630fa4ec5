"""`run-agent remember`: the best programs of a run go into a library."""

from __future__ import annotations

import argparse

from agent.checking.sighting import sight
from agent.core import explained
from agent.prompting.compose import subject
from agent.prompting.likeness import measures
from agent.run import library
from agent.run.runfolder import RunFolder
from tools.errors import UsageError


def main(arguments: argparse.Namespace) -> int:
    """Add an entry, with the measures of the run's scene."""
    folder = RunFolder(arguments.run)
    result = folder.result()
    if result is None or result["best"] is None:
        raise UsageError(
            str(folder.path),
            "a finished run with programs",
            "none",
            f"`run-agent resume {folder.path}` finishes it",
        )
    if explained.fails(result):
        raise UsageError(
            str(folder.path),
            "programs that explain their clip",
            f"a score of {result['score']:.2f}",
            "only what proved itself is remembered",
        )
    proposal, _ = folder.proposal(result["best"])
    assert proposal.programs is not None, "a node has programs"
    words = arguments.words or proposal.rationale
    seen = sight(subject(folder.task()).frames, thin=True)
    entry = library.Entry(
        library.slug(words),
        proposal.programs,
        words,
        float(result["score"]),
        folder.path.name,
        {name: round(value, 4) for name, value in measures(seen).items()},
    )
    place = library.write(arguments.to, entry)
    print(f"written to {place}; use it with --memory {arguments.to}")
    return 0
