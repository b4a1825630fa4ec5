"""What leaving out an entry of the ledger changes, on real scenes."""

from __future__ import annotations

import re
import threading

import pytest

from agent.core.readying import readied
from agent.core.split import validation
from agent.proposers.offline.plans import concluded, looked_at
from agent.proposers.offline.priors import CAUSES, ENTRIES, JOINTS, THRESHOLDS, looking_up, without
from benchmarks.environments import load
from benchmarks.gallery import JUDGING
from benchmarks.harness.case import Case, Options, Workplace
from benchmarks.suites.ablate import Ablate, standing
from tools.types import ContractError


@pytest.fixture(scope="module")
def damped():
    """A damped spring: (task, what is seen, the truth)."""
    task, held_back = load("gallery:damped-spring", seed=0)
    guiding = validation(readied(task)).guiding
    return guiding, looked_at(guiding), held_back.truth


def kinds(draft):
    return {term.kind for term in draft.mechanism.terms}


def test_without_the_law_of_drag_other_laws_have_to_do(damped):
    task, seen, truth = damped
    usual = concluded(task, seen)
    assert kinds(usual.drafts[0]) == {"joint_spring", "damping"}
    with without("law drag"):
        plan = concluded(task, seen)
    assert all(not {"drag", "damping"} & kinds(draft) for draft in plan.drafts)
    assert {"spring", "quadratic_drag"} <= kinds(plan.drafts[0])
    assert standing(plan, truth).margin < standing(usual, truth).margin
    assert concluded(task, seen).drafts == usual.drafts


def test_without_the_odds_of_drag_it_costs_what_a_cause_costs_on_average(damped):
    task, seen, truth = damped
    others = [CAUSES[word].log_odds for word in CAUSES if word != "drag"]
    with without("cause drag"):
        assert CAUSES["drag"].log_odds == pytest.approx(sum(others) / len(others))
        after = standing(concluded(task, seen), truth)
    before = standing(concluded(task, seen), truth)
    assert before.rank == after.rank == 1
    dearer = CAUSES["drag"].log_odds - sum(others) / len(others)
    assert after.margin == pytest.approx(before.margin - dearer)


def test_what_is_left_out_is_in_force_again_and_elsewhere():
    usual = THRESHOLDS.rod
    with pytest.raises(RuntimeError, match="midway"), without("threshold rod"):
        assert THRESHOLDS.rod > usual and JOINTS["free"].log_odds == 0.0
        other = [0.0]
        thread = threading.Thread(target=lambda: other.append(THRESHOLDS.rod))
        thread.start()
        thread.join()
        assert other[-1] == usual
        raise RuntimeError("midway")
    assert THRESHOLDS.rod == usual


def test_an_entry_that_is_not_there_is_refused_with_the_nearest():
    with pytest.raises(ContractError, match="did you mean law drag"), without("law darg"):
        pass


def test_what_was_not_looked_up_changes_nothing(damped):
    task, seen, _ = damped
    with looking_up() as entries:
        plan = concluded(task, seen)
    assert {"cause drag", "law drag", "joint free", "threshold hopeless"} <= entries < {*ENTRIES}
    with without(next(entry for entry in ENTRIES if entry not in entries)):
        assert concluded(task, seen).drafts == plan.drafts


def test_the_suite_asks_only_scenes_that_judge():
    drafts, searches = Ablate().phases(Options())
    assert {case.key for case in drafts} == {f"drafts/{scene}" for scene in JUDGING}
    assert [case.needs for case in searches] == [(case.key,) for case in drafts]


def test_the_suite_tells_what_pays(tmp_path):
    suite = Ablate(("cause drag", "law drag", "law gear"))
    place, drafts = Workplace(tmp_path, Options(budget=1)), Case("drafts/drag-fall")
    search = Case("search/drag-fall", needs=(drafts.key,))
    records = {case.key: suite.run(case, place) for case in (drafts, search)}
    assert [*records[drafts.key].notes["instead"]] == ["law drag"]
    figures = records[search.key].rows[0]
    assert figures["law drag: score"] < figures["nothing: score"]
    report = suite.report(records, place.options)
    assert "| law drag | 1 | 1 | 1 | 1 |" in report
    _, pays, *_, unasked = report.strip().splitlines()[-6:]
    assert "law drag" in pays and "law gear" in unasked
    report = suite.report({drafts.key: records[drafts.key]}, place.options)
    assert re.search(r"Open: .* \(1\): law drag", report)


def test_a_search_without_its_drafts_says_so(tmp_path):
    (search, *_) = Ablate().phases(Options())[1]
    with pytest.raises(ContractError, match="before it"):
        Ablate().run(search, Workplace(tmp_path, Options()))
