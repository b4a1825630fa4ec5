"""Whether the score of a search foretells the held-back frames: both side by side, and their rank
correlation."""

from __future__ import annotations

from collections.abc import Mapping
from math import isnan

from scipy.stats import spearmanr

from benchmarks.harness.case import Record

LEAST, LISTED = 3, 60
"""Cases from which a rank correlation says anything at all, and most that are listed one by one."""


def table(records: Mapping[str, Record]) -> str:
    """Markdown of every search with its own score, the score of the frames held back (the mean over
    its videos) and Spearman's rank correlation; "" where no record is of a search."""
    pairs = [
        (key, scores) for key, record in sorted(records.items()) if (scores := _scores(record))
    ]
    if not pairs:
        return ""
    rows = [
        "| search | its score | held-back score |",
        "|---|---|---|",
        *(f"| {key} | {ours:.4f} | {real:.4f} |" for key, (ours, real) in pairs),
        "",
    ]
    lines = [
        "## Does the search's score foretell the held-back one?",
        "",
        *(rows if len(pairs) <= LISTED else ()),
        correlation([scores for _, scores in pairs]),
        "",
    ]
    return "\n".join(lines)


def correlation(pairs: list[tuple[float, float]]) -> str:
    """Spearman's rank correlation of (search score, held-back score) in a sentence.

    >>> correlation([(0.2, 0.1), (0.9, 0.8), (0.95, 0.97)])
    'Rank correlation (Spearman) 1.00 over 3 searches.'
    """
    count = len(pairs)
    if count < LEAST:
        return f"No rank correlation: expected at least {LEAST} searches, got {count}."
    ours, real = zip(*pairs, strict=True)
    if min(len(set(ours)), len(set(real))) == 1:
        return f"No rank correlation: all {count} searches score alike."
    return (
        f"Rank correlation (Spearman) {spearmanr(ours, real).statistic:.2f} over {count} searches."
    )


def _scores(record: Record) -> tuple[float, float] | None:
    """(search score, mean held-back score) of a record, or None."""
    ours = [value for row in record.rows if (value := row.get("search_score")) is not None]
    real = [value for row in record.rows if (value := row.get("score")) is not None]
    if not ours or not real or isnan(ours[0]):
        return None
    return float(ours[0]), float(sum(real) / len(real))
