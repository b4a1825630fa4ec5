"""Hostile candidates fail by themselves: an evaluation says so, and a search goes on."""

from __future__ import annotations

import pytest

from agent.config import EvaluationConfig, SearchConfig
from agent.core.split import validation
from agent.evaluation.evaluate import Evaluator
from agent.evaluation.jobs import CandidateFailed
from agent.run.runfolder import RunFolder
from tests.agent.candidates import GOOD, Scripted, task
from tests.agent.hostile import CLAIMS, SOURCES
from tests.agent.test_search import result, searched, summary

TASK, HELD = task()


@pytest.fixture(scope="module")
def evaluator(box):
    return Evaluator(TASK, validation(TASK), box, EvaluationConfig())


@pytest.mark.parametrize("kind", CLAIMS)
def test_a_claim_beyond_its_bounds_is_the_candidates_failure(evaluator, kind):
    evaluation = evaluator.evaluate(CLAIMS[kind], 0)
    assert evaluation.status == "failed" and evaluation.failure.kind in (
        "BadClaim",
        "BadResult",
        "OutputLimit",
        "ContractError",
        "ValueError",
    )
    assert len(evaluation.failure.message) < 600 and evaluation.failure.message.isprintable()


@pytest.mark.parametrize("kind", SOURCES)
def test_a_source_that_cannot_be_walked_is_the_candidates_failure(evaluator, kind):
    evaluation = evaluator.evaluate(SOURCES[kind], 0)
    assert evaluation.status == "failed" or evaluation.score > 0.9
    try:
        evaluator.forecast(SOURCES[kind], 0)
    except CandidateFailed as failed:
        assert len(failed.failure.message) < 600


def test_a_search_meets_them_all_and_goes_on_also_after_a_resume(box, tmp_path):
    met = [*SOURCES.values(), *list(CLAIMS.values())[::5], GOOD]
    config = SearchConfig(budget=len(met), policy="best-of-n", threshold=1.5)
    whole = tmp_path / "whole"
    searched(box, whole, Scripted(*met), config)
    told, ended = summary(whole), result(whole)
    assert ended["evaluations"] == len(met) and ended["score"] > 0.95
    for name in ("result.json", f"nodes/{len(met) - 1}/evaluation.json"):
        (whole / name).unlink()
    searched(box, whole, Scripted(*met), config)
    assert summary(whole) == told and result(whole) == ended
    assert RunFolder(whole).load_evaluation("0").status == "failed"
