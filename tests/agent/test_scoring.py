"""How a search scores: events anywhere in the visible frames, the part that nobody is shown, and
the check after the final refit."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from agent.config import EvaluationConfig, SearchConfig
from agent.core.archive import NodeArchive
from agent.core.diagnosis import diagnose
from agent.core.protocols import Node
from agent.core.split import validation
from agent.evaluation.evaluate import Evaluator
from agent.evaluation.foretelling import agreeing, confirmed, pooled
from agent.evaluation.jobs import Fitted
from agent.evaluation.leeway import leeway, misplaced, rounded, unseen
from agent.search import steps
from agent.search.outcome import conclude
from sandbox import Limits
from tests.agent import collision
from tests.agent.candidates import GOOD, PERCEPTION, Scripted, changed, task
from tools.errors import UsageError
from tools.metrics.score import Score, Target
from tools.types import Candidate, FittedParam, States

CONFIG = EvaluationConfig(limits=Limits(wall=60.0, cpu=20.0, claim=8 << 20))


def judged(box, impact, programs):
    seen, _ = collision.task(impact)
    evaluator = Evaluator(seen, validation(seen), box, CONFIG)
    evaluation = evaluator.evaluate(programs, 0)
    return evaluation, confirmed(evaluation, evaluator.confirm(programs, evaluation.values, 0))


@pytest.mark.parametrize("impact", [4.5, 14.6, 17.4, 20.6])
def test_an_impact_may_fall_anywhere_in_the_guiding_frames(box, impact):
    guiding, final = judged(box, impact, collision.COLLIDE)
    assert guiding.score >= 0.97 and final.score >= 0.97 and guiding.leeway == 0.0
    assert [origin["seen"] for origin in guiding.origins] == [15, 12, 9]
    assert judged(box, impact, collision.PASS)[1].score < final.score - 0.2


def test_an_impact_that_nobody_was_shown_lowers_no_verdict(box):
    before, final = judged(box, 21.2, collision.COLLIDE)
    assert before.score > 0.99 and final.score > 0.97
    other, blind = judged(box, 21.2, collision.PASS)
    assert other.score > 0.99 and diagnose(other).verdict == "exact"
    assert blind.last["score"] < 0.1 and 0.4 < blind.score < final.score


def test_a_body_that_no_fitted_frame_shows_is_told():
    table = np.zeros((5, 4))
    columns = ("a.x", "a.y", "b.x", "b.y")
    assert not unseen(States(columns, table))
    table[:, 2:] = np.nan
    assert unseen(States(columns, table))
    table[4, 2:] = 1.0
    assert not unseen(States(columns, table))


def test_leeway_is_what_a_score_changes_where_things_lie_a_little_beside():
    plate = np.full((60, 80, 3), 120, np.uint8)
    seen, truth = (np.repeat(plate[None], n, axis=0) for n in (4, 6))
    for t, frame in enumerate((*seen, *truth)):
        frame[20:36, 5 + 6 * t : 21 + 6 * t] = (200, 60, 40)
    target = Target.of(seen, truth, 0.0)
    little, more = (leeway(truth, target, plate, shift) for shift in (0.3, 1.0))
    assert 0.01 < little < more < 0.2
    assert leeway(truth, target, plate, 0.0) == 0.0


def test_drawings_on_whole_pixels_leave_a_score_open_and_smooth_ones_do_not():
    whole = rounded({"ball.x": 0.29, "ball.y": 0.25, "ball.angle": 3.0, "ball.width": None})
    assert whole == pytest.approx(2**0.5 * 0.29)
    assert rounded({"ball.x": 25.0}) == pytest.approx(2**0.5 * 0.3), "a wrong law is no rounding"
    assert rounded({"ball.x": 0.02, "ball.y": 0.01}) == rounded({}) == 0.0


def test_places_are_off_by_the_lens_and_by_the_fit_up_to_a_pixel_each():
    course = np.column_stack([np.linspace(0.0, 100.0, 20), np.zeros(20)])
    fitted = States(("ball.x", "ball.y"), course)
    sure, vague = (
        States(("ball.x", "ball.y"), course[:5], np.array(noise)) for noise in ((0.1, 0.1), (9, 9))
    )
    assert misplaced(fitted, sure) == pytest.approx((0.3**2 + 0.02) ** 0.5)
    assert misplaced(fitted, vague) == pytest.approx((0.3**2 + 1.0) ** 0.5)


HALF = changed(
    perception=PERCEPTION.replace(
        "states = []", "states = []\n    late = 6.0 if len(frames) > 13 else 0.0"
    ).replace(
        '"x": (weight * xx).sum() / total',
        '"x": (weight * xx).sum() / total + late * len(states) / 5',
    )
)
"""Perception that reads the whole clip wrongly, and shorter ones rightly."""


def concluded(box, *programs):
    seen, held = task()
    evaluator = Evaluator(seen, validation(seen), box, CONFIG)
    archive = NodeArchive()
    for index, one in enumerate(programs):
        evaluation = evaluator.evaluate(one, 0)
        last = evaluator.confirm(one, evaluation.values, 0)
        evaluation = confirmed(evaluation, last)
        archive = archive.added(Node(Candidate(str(index), one), evaluation, diagnose(evaluation)))
    return conclude(seen, held, archive, evaluator, SearchConfig(evaluation=CONFIG), "")


def test_what_the_search_had_read_is_used_where_the_whole_is_read_worse(box):
    ended = concluded(box, HALF)
    assert ended.best.id == "0" and "goes on from what was read in the search" in ended.reason
    assert ended.forecast.replayed > 0.95 and ended.metrics["score"] > 0.9
    assert len(ended.forecast.predicted[0].frames) == 10


def test_a_forecast_that_holds_is_used_without_a_word(box):
    ended = concluded(box, GOOD)
    assert ended.metrics["score"] > 0.95 and "read again" not in ended.reason


def test_a_search_shows_its_proposer_nothing_of_the_last_part(box, tmp_path):
    class Watching(Scripted):
        def propose(self, task, archive, move, rng):
            self.shown = task
            return super().propose(task, archive, move, rng)

    seen, held = task()
    watching = Watching(GOOD)
    config = SearchConfig(budget=1, threshold=2.0, evaluation=CONFIG)
    result = steps.run(seen, held, config, proposer=watching, out=tmp_path / "run")
    assert watching.shown.context == len(watching.shown.test[0]) == 12
    data = json.loads((tmp_path / "run" / "result.json").read_text())
    assert [origin["seen"] for origin in data["origins"]] == [8, 7, 5]
    assert data["last"]["score"] > 0.95 and data["score"] == result.score


def test_a_run_that_was_scored_otherwise_says_which_version_it_needs(box, tmp_path):
    seen, held = task()
    config = SearchConfig(budget=1, threshold=2.0, evaluation=CONFIG)
    steps.run(seen, held, config, proposer=Scripted(GOOD), out=tmp_path / "run")
    path = tmp_path / "run" / "trace.jsonl"
    first, *rest = path.read_text().splitlines(keepends=True)
    event = json.loads(first)
    del event["scoring"]
    event["versions"]["proggen-agent"] = "0.0.7"
    path.write_text(json.dumps(event) + "\n" + "".join(rest))
    assert steps.resume(tmp_path / "run").score > 0.9
    with pytest.raises(UsageError, match=rf"scoring {steps.SCORING}, got 1.*0\.0\.7"):
        steps.resume(tmp_path / "run", budget=2)
    assert (tmp_path / "run" / "result.json").exists()


def test_constants_of_honest_programs_are_free(box):
    seen, _ = collision.task(14.6)
    evaluator = Evaluator(seen, validation(seen), box, CONFIG)
    evaluation = evaluator.evaluate(collision.COLLIDE, 0)
    assert not any("constants" in reason for reason in evaluation.reasons)
    padded = replace(
        collision.COLLIDE,
        dynamics=collision.DYNAMICS + f"\nPLACES = {[round(7.3 * k, 2) for k in range(60)]}\n",
    )
    charged = evaluator.evaluate(padded, 0)
    assert charged.score < evaluation.score - 0.5
    assert any("constants in dynamics.py" in reason for reason in charged.reasons)


def fitted(**values):
    """A fit by name: value, standard error (None: not identified)."""
    params = [
        FittedParam(name, value, 0.0, 10.0, error=error, note="" if error else "no effect")
        for name, (value, error) in values.items()
    ]
    return Fitted(tuple(params), {p.name: p.value for p in params}, {}, (), (), {}, "")


def test_what_few_frames_leave_open_is_taken_from_more_of_them():
    early = fitted(open=(3.0, 0.5), known=(3.0, 0.1), idle=(1.0, None))
    later = {"open": 4.0, "known": 4.0, "idle": 2.0, "other": 1.0}
    assert agreeing(early, later) == {"open": 4.0, "idle": 2.0}
    traded = fitted(pull=(9.0, 5.0), length=(3.0, 2.0), centre=(3.32, 0.1))
    assert agreeing(traded, later := {"pull": 8.0, "length": 4.0, "centre": 3.0}) == later


def test_origins_count_by_how_much_moves_there():
    rest, far = (np.full((2, 8, 8, 3), 100, np.uint8) for _ in range(2))
    rest[:, 0, 0], far[:, :4] = 120, 200
    seen = np.full((3, 8, 8, 3), 100, np.uint8)
    targets = [(Target.of(seen, truth, 0.0),) for truth in (rest, far)]
    assert pooled([Score(0.0), Score(1.0)], targets) > 0.98
    assert pooled([Score(0.0)], targets) == 0.0
