"""A candidate through the real sandbox: what it is told when it fails, what it scores when it runs,
what it cannot know."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from agent.config import EvaluationConfig
from agent.core.split import Origin, Split, validation
from agent.evaluation import evaluate, jobs
from agent.evaluation.evaluate import Evaluator
from agent.evaluation.jobs import CandidateFailed
from sandbox.contract import Limits
from tests.agent.candidates import (
    DYNAMICS,
    GOOD,
    PERCEPTION,
    RENDERING,
    WRONG,
    changed,
    task,
    thrown,
)
from tools.types import Task, Video

CONFIG = EvaluationConfig(limits=Limits(wall=2.5, cpu=2.5, claim=8 << 20))


@pytest.fixture(scope="module")
def judge(box):
    seen = task()[0]
    return Evaluator(seen, validation(seen), box, CONFIG)


def test_the_right_programs_score_near_one_with_the_right_numbers(judge):
    evaluation = judge.evaluate(GOOD, 0)
    assert evaluation.status == "ok" and evaluation.score > 0.98
    assert evaluation.params[0].name == "gravity" and evaluation.params[0].value == pytest.approx(
        60.0, abs=2.0
    )
    assert (
        evaluation.losses.dynamics < 0.01
        and evaluation.losses.rendering < 0.01
        and evaluation.losses.perception < 0.25
    )
    assert len(evaluation.measured[0]) == len(evaluation.rolled[0]) == 8
    assert (
        len(evaluation.predicted[0])
        == len(evaluation.remeasured[0])
        == len(evaluation.frame_errors[0])
        == 4
    )
    gap = evaluation.predicted[0].column("ball.x") - evaluation.remeasured[0].column("ball.x")
    assert np.abs(gap).max() < 0.2
    assert {"perceive", "fit", "predict", "total"} <= set(evaluation.timings)


def test_each_stage_has_its_own_loss(judge):
    wrong_dynamics = judge.evaluate(WRONG, 0)
    assert (
        0.2 < wrong_dynamics.score < 0.8
        and wrong_dynamics.losses.dynamics > 0.02
        and wrong_dynamics.losses.rendering < 0.01
    )
    wrong_rendering = judge.evaluate(changed(rendering=RENDERING.replace("5.0", "2.5")), 0)
    assert wrong_rendering.losses.rendering > 0.3 and wrong_rendering.losses.dynamics < 0.01
    blind = judge.evaluate(
        changed(perception=PERCEPTION.replace("(weight * yy).sum() / total", "32.0")), 0
    )
    assert blind.losses.perception > 0.4 and blind.score < 0.5


def test_a_constant_perception_does_not_make_everything_perfect(judge):
    constant = PERCEPTION.replace("(weight * xx).sum() / total", "20.0").replace(
        "(weight * yy).sum() / total", "20.0"
    )
    evaluation = judge.evaluate(changed(perception=constant), 0)
    assert evaluation.score == 0.0 and (
        evaluation.losses.perception in (None, 1.0) or evaluation.status == "failed"
    )


FAILURES = {
    "perceive returns one thing": (
        dict(perception="def perceive(frames, tools):\n    return 3\n"),
        "perception",
        "a tuple (states, scene)",
    ),
    "too few states": (
        dict(perception=PERCEPTION.replace("return states,", "return states[1:],")),
        "perception",
        "8 states, one a frame",
    ),
    "no scene": (
        dict(perception=PERCEPTION.replace("Scene(background)", "None")),
        "perception",
        "tools.types.Scene",
    ),
    "wrong background": (
        dict(perception=PERCEPTION.replace("Scene(background)", "Scene(background[1:])")),
        "perception",
        "shape (64, 64, 3)",
    ),
    "a state of text": (
        dict(perception=PERCEPTION.replace("(weight * xx).sum() / total", "'left'")),
        "perception",
        "a number",
    ),
    "writes into frames": (
        dict(perception=PERCEPTION.replace("states = []", "states = []; frames[0] = 0")),
        "perception",
        "read-only",
    ),
    "no PARAMS tuple": (
        dict(dynamics=DYNAMICS.replace("PARAMS = (Param", "PARAMS = (3, Param")),
        "dynamics",
        "PARAMS",
    ),
    "step raises": (
        dict(
            dynamics=DYNAMICS.replace(
                'state["ball"], params["gravity"]', 'state["bull"], params["gravity"]'
            )
        ),
        "dynamics",
        "bull",
    ),
    "unknown latent": (
        dict(dynamics=DYNAMICS.replace('"ball.vy")', '"ball.spin")')),
        "dynamics",
        "LATENTS",
    ),
    "render returns floats": (
        dict(rendering=RENDERING.replace(".astype(np.uint8)", "")),
        "rendering",
        "convert with np.uint8",
    ),
    "render of another size": (
        dict(rendering=RENDERING.replace(".astype(np.uint8)", ".astype(np.uint8)[1:]")),
        "rendering",
        "(64, 64, 3)",
    ),
    "loops for ever": (
        dict(rendering="def render(state, scene, shape):\n    while True:\n        pass\n"),
        "rendering",
        "do less work",
    ),
    "exits": (dict(dynamics="import numpy\nraise SystemExit(0)\n" + DYNAMICS), "dynamics", "exit"),
}


@pytest.mark.parametrize("name", FAILURES)
def test_a_program_that_breaks_the_contract_learns_why(judge, name):
    sources, stage, words = FAILURES[name]
    evaluation = judge.evaluate(changed(**sources), 0)
    assert evaluation.status == "failed" and evaluation.score == 0.0
    assert (
        evaluation.failure.stage == stage
        and words in evaluation.failure.message
        and "\n" not in evaluation.failure.message
    )


def test_a_program_that_eats_memory_is_stopped(box):
    greedy = (
        "def perceive(frames, tools):\n    kept = []\n    while True:\n        "
        "kept.append(bytearray(1 << 24))\n"
    )
    seen = task()[0]
    small = replace(CONFIG, limits=Limits(wall=20.0, cpu=20.0, memory=128 << 20))
    failure = (
        Evaluator(seen, validation(seen), box, small)
        .evaluate(changed(perception=greedy), 0)
        .failure
    )
    assert (
        failure.stage in ("perception", "limits")
        and "memory" in f"{failure.kind} {failure.message}".lower()
    )


def test_what_a_program_prints_is_kept(judge):
    evaluation = judge.evaluate(
        changed(
            perception=PERCEPTION.replace(
                "states = []", "states = []; print('so many', len(frames))"
            )
        ),
        0,
    )
    assert "so many 8" in evaluation.log


def test_names_that_do_not_match_are_said_so(judge):
    other = DYNAMICS.replace('"ball"', '"disk"').replace("ball.", "disk.")
    other = other.replace(
        'states[0]["disk"], states[1]["disk"]', 'states[0]["ball"], states[1]["ball"]'
    )
    evaluation = judge.evaluate(
        changed(
            dynamics=other,
            rendering=RENDERING.replace('"ball"', '"disk"').replace('state["disk"]["x"]', "20.0"),
        ),
        0,
    )
    assert evaluation.status == "failed" or any(
        "nothing to compare" in reason for reason in evaluation.reasons
    )


def test_a_program_that_is_not_deterministic_is_refused_on_request(box):
    seen = task()[0]
    shaky = changed(
        rendering=RENDERING.replace("RADIUS + 0.5", "RADIUS + np.random.default_rng().random()")
    )
    strict = Evaluator(seen, validation(seen), box, replace(CONFIG, repeat=True))
    assert strict.evaluate(GOOD, 0).status == "ok"
    assert strict.evaluate(shaky, 0).failure.kind == "NotDeterministic"


def test_the_same_seed_gives_the_same_evaluation(judge):
    def timeless(evaluation):
        data = evaluation.to_json()
        data["fit"].pop("seconds", None)
        return {key: value for key, value in data.items() if key != "timings"}

    assert timeless(judge.evaluate(GOOD, 7)) == timeless(judge.evaluate(GOOD, 7))


def test_perception_is_not_run_again_when_only_the_dynamics_change(judge):
    first = judge.evaluate(GOOD, 0)
    again = judge.evaluate(WRONG, 0)
    assert again.measured[0].to_json() == first.measured[0].to_json()
    assert again.timings["perceive"] == first.timings["perceive"]  # the seconds it took when it ran


def test_several_training_videos_share_parameters(box, monkeypatch):
    """All are fitted; of those beyond the first few no more is told than what the fit says."""
    for module in (jobs, evaluate):
        monkeypatch.setattr(module, "TOLD_CLIPS", 2)
    train = tuple(
        thrown(14, x=x, v=v) for x, v in ((8.0, 20.0), (14.0, 25.0), (10.0, 30.0), (12.0, 15.0))
    )
    seen = Task(
        train, (thrown(14, x=9.0, v=22.0).cut(0, 3), thrown(14, x=20.0, v=12.0).cut(0, 3)), 3, 8
    )
    evaluator = Evaluator(seen, validation(seen), box, EvaluationConfig())
    evaluation = evaluator.evaluate(GOOD, 0)
    assert (
        evaluation.score > 0.95 and len(evaluation.measured) == 2 and len(evaluation.predicted) == 1
    )
    assert len(evaluator.split.fit) == 3 and len(evaluation.rolled) == 2
    fewer = Evaluator(
        seen, replace(validation(seen), origins=_first_two(seen)), box, EvaluationConfig()
    )
    assert fewer.evaluate(GOOD, 0).params[0].value != evaluation.params[0].value
    forecast = evaluator.forecast(GOOD, 0)
    assert len(forecast.predicted) == 2
    truth = thrown(14, x=20.0, v=12.0).frames[3:11]
    assert np.abs(forecast.predicted[1].frames.astype(int) - truth).mean() < 0.2


def _first_two(task):
    (origin,) = validation(task).origins
    return (replace(origin, fit=origin.fit[:2]),)


# --------------------------------------------------------------------------------------------------

NOSY = PERCEPTION.replace(
    "def perceive(frames, tools):",
    "SEEN = []\ndef perceive(frames, tools):\n    SEEN.append(len(frames)); print('calls', "
    "len(SEEN), 'frames', len(frames))",
)


def with_another_future(split: Split) -> Split:
    """The same fit and the same seen frames, but other frames to be judged by."""
    trials = tuple(
        replace(trial, truth=np.ascontiguousarray(trial.truth[::-1] // 2)) for trial in split.trials
    )
    return replace(split, origins=(Origin(split.fit, trials), *split.origins[1:]))


def test_nothing_that_a_candidate_does_depends_on_the_frames_that_judge_it(box):
    seen = task()[0]
    split = validation(seen)
    honest = Evaluator(seen, split, box, CONFIG)
    other = Evaluator(seen, with_another_future(split), box, CONFIG)
    ours, theirs = honest.evaluate(GOOD, 0), other.evaluate(GOOD, 0)
    assert (
        ours.params == theirs.params
        and ours.predicted[0].to_json() == theirs.predicted[0].to_json()
    )
    assert ours.rolled[0].to_json() == theirs.rolled[0].to_json() and ours.losses == theirs.losses
    assert (
        ours.score != theirs.score
        and ours.remeasured[0].to_json() != theirs.remeasured[0].to_json()
    )


def test_each_call_of_perceive_is_in_a_process_that_knows_no_other(box):
    seen = task()[0]
    log = Evaluator(seen, validation(seen), box, CONFIG).evaluate(changed(perception=NOSY), 0).log
    assert "calls 1 frames 8" in log and "calls 2" not in log and "frames 12" not in log


def test_what_later_children_are_given_is_a_function_of_the_source_and_the_seen_frames_alone(box):
    """The parcel of a clip does not change with what else was perceived, with the other programs,
    or with the future."""
    seen = task()[0]
    split = validation(seen)
    first, second = (
        Evaluator(seen, split, box, CONFIG),
        Evaluator(seen, with_another_future(split), box, CONFIG),
    )
    first.evaluate(changed(dynamics=DYNAMICS + "\nimport sys\n"), 0)
    second.evaluate(WRONG, 0)
    mine, yours = (e._runner.perceive(GOOD.perception, split.fit)[0] for e in (first, second))
    assert mine.parcel.tobytes() == yours.parcel.tobytes()


def test_a_parcel_stands_in_for_its_own_clip_only(box):
    """What was perceived with the judging frames in sight is kept under another name than what was
    perceived without them."""
    seen = task()[0]
    evaluator = Evaluator(seen, validation(seen), box, CONFIG)
    evaluator.evaluate(GOOD, 0)
    (trial,) = evaluator.split.trials
    without, whole = (
        evaluator._runner.perceive(GOOD.perception, [video])[0]
        for video in (trial.seen, trial.whole)
    )
    assert (len(without.states), len(whole.states)) == (
        8,
        12,
    ) and without.parcel.tobytes() != whole.parcel.tobytes()
    assert evaluator._runner.content(trial.seen) != evaluator._runner.content(trial.whole)


def test_a_candidate_that_remembers_the_whole_clip_is_not_helped(box):
    """Perception that hides frames in its scene can replay only what it was shown."""
    greedy = PERCEPTION.replace(
        "from tools.types import Scene", "from tools.types import Scene\nKEPT = {}"
    ).replace(
        "return states, Scene(background)",
        "return states, Scene(frames[-1].copy(), {}, {'film': {'frames': [int(v) for v in "
        "frames[-1].ravel()[:9]]}})",
    )
    replay = "def render(state, scene, shape):\n    return scene.background.copy()\n"
    seen = task()[0]
    evaluation = Evaluator(seen, validation(seen), box, CONFIG).evaluate(
        changed(perception=greedy, rendering=replay), 0
    )
    assert evaluation.status == "ok" and evaluation.score == 0.0


def test_a_forecast_that_fails_is_the_candidates_failure(box):
    late = PERCEPTION.replace(
        "states = []", "states = []\n    assert len(frames) < 10, 'too many frames'"
    )
    seen = task()[0]
    evaluator = Evaluator(seen, validation(seen), box, CONFIG)
    evaluation = evaluator.evaluate(changed(perception=late), 0)
    assert evaluation.status == "ok" and evaluation.remeasured == ()
    with pytest.raises(CandidateFailed, match="too many frames"):
        evaluator.forecast(changed(perception=late), 0)


def test_the_final_prediction_is_drawn_twice_in_any_case(box):
    shaky = changed(
        rendering=RENDERING.replace("RADIUS + 0.5", "RADIUS + np.random.default_rng().random()")
    )
    with pytest.raises(CandidateFailed, match="different frames") as failed:
        Evaluator(task()[0], validation(task()[0]), box, CONFIG).forecast(shaky, 0)
    assert failed.value.failure.kind == "NotDeterministic"


def test_a_video_is_shown_to_programs_without_its_name(box):
    named = Video(thrown(8).frames, 1 / 25, None, "secret-name")
    peek = PERCEPTION.replace("states = []", "states = []; print(vars())")
    log = (
        Evaluator(Task((), (named,), 8, 4), validation(Task((), (named,), 8, 4)), box, CONFIG)
        .evaluate(changed(perception=peek), 0)
        .log
    )
    assert "secret-name" not in log
