"""The pure parts of the agent: split, screen, archive, policy, diagnosis, edits, losses,
pictures."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from agent import pictures
from agent.core import diagnosis, policy
from agent.core.archive import NodeArchive
from agent.core.protocols import Diagnosis, Finding, Move, Node
from agent.core.screen import MAX_LITERAL, complexity, duplicate, fingerprint, normalised, screen
from agent.core.split import final, moves, validation
from agent.evaluation import losses
from agent.report import ranking
from agent.worldmodel import edits
from tests.agent.candidates import DYNAMICS, GOOD, WRONG, changed, thrown
from tools import rendering
from tools.errors import UsageError
from tools.types import (
    Candidate,
    ContractError,
    Evaluation,
    Failure,
    FittedParam,
    Losses,
    Programs,
    States,
    Task,
    Video,
)

# --------------------------------------------------------------------------------------------------


def single(context=14):
    return Task((), (thrown(context + 6).cut(0, context),), context, 6)


def test_a_single_video_is_split_in_time_and_uses_no_frame_twice():
    whole = single().test[0].frames
    split = validation(single())
    (trial,) = split.trials
    assert len(trial.seen) == 8 and trial.horizon == 4 and split.fit == (trial.seen,)
    np.testing.assert_array_equal(np.concatenate([trial.seen.frames, trial.truth]), whole[:12])
    np.testing.assert_array_equal(trial.whole.frames, whole[:12])


@pytest.mark.parametrize(
    "context, origins, last",
    [
        (5, [3], 0),
        (8, [6], 0),
        (10, [7], 0),
        (12, [7, 6, 5], 2),
        (14, [8, 7, 5], 2),
        (20, [13, 10, 7], 2),
        (50, [31, 25, 18], 5),
    ],
)
def test_forecasts_start_from_several_frames_and_nobody_sees_the_last(context, origins, last):
    task = replace(single(context), horizon=60)
    split = validation(task)
    guiding = context - last
    assert [len(origin.trials[0].seen) for origin in split.origins] == origins
    assert all(len(origin.trials[0].whole) == guiding for origin in split.origins)
    assert split.guiding.context == len(split.guiding.test[0]) == guiding
    if last:
        (trial,) = split.last.trials
        np.testing.assert_array_equal(trial.truth, task.test[0].frames[guiding:])
        assert [len(video) for video in split.last.fit] == [guiding]
    else:
        assert split.last is None and split.guiding is task


def test_what_will_act_after_the_guiding_frames_is_what_acted_and_will_act():
    video = replace(thrown(14), actions=np.arange(14.0))
    task = Task((), (video,), 14, 3, (np.array([14.0, 15.0, 16.0]),))
    assert validation(task).guiding.future_actions[0].tolist() == [12.0, 13.0, 14.0]


def test_no_more_frames_judge_than_the_horizon_asks_for():
    task = Task((), (thrown(40).cut(0, 40),), 40, 3)
    assert validation(task).trials[0].horizon == 3


@pytest.mark.parametrize("context, seen, judged", [(3, 2, 1), (4, 2, 2), (5, 3, 2), (10, 7, 3)])
def test_short_contexts_leave_at_least_two_frames_to_see(context, seen, judged):
    trial = validation(single(context)).trials[0]
    assert (len(trial.seen), trial.horizon) == (seen, judged)


def test_two_frames_and_nothing_else_cannot_judge():
    with pytest.raises(UsageError, match="at least 3 frames"):
        validation(single(2))


def test_several_training_videos_are_split_by_video():
    train = tuple(thrown(12, x=x) for x in (5.0, 8.0, 11.0, 14.0, 17.0, 20.0))
    task = Task(train, (thrown(5).cut(0, 3),), 3, 6)
    split = validation(task)
    assert len(split.fit) == 4 and len(split.trials) == 1 and len(split.origins) == 1
    assert split.guiding.train == train[:5] and split.last.fit == train[:5]
    assert [trial.whole.frames.tobytes() for trial in split.last.trials] == [
        train[5].frames[:9].tobytes()
    ]
    assert all(len(trial.seen) == 3 and trial.horizon == 6 for trial in split.trials)
    assert all(
        trial.seen.frames.tobytes() not in {video.frames[:3].tobytes() for video in split.fit}
        for trial in split.trials
    )
    assert final(task).fit == train and final(task).trials[0].truth is None
    many = tuple(replace(train[0], name=str(n)) for n in range(200))
    split = validation(replace(task, train=many))
    assert (len(split.trials), len(split.last.trials)) == (15, 10)
    assert len(split.fit) == 180 - 15 and len(split.last.fit) == 180


def test_nothing_moves_is_a_clear_refusal():
    still = Video(np.repeat(thrown(1).frames, 12, axis=0))
    with pytest.raises(UsageError, match="nothing moves"):
        validation(Task((), (still,), 12, 4))


def test_motion_is_told_from_noise():
    assert moves(thrown(6).frames)
    assert not moves(
        np.clip(
            thrown(1).frames + np.random.default_rng(0).normal(0, 5, (8, 64, 64, 3)), 0, 255
        ).astype(np.uint8)
    )


def test_the_cut_moves_forward_until_something_moves_behind_it():
    video = thrown(20)
    frames = video.frames.copy()
    frames[12:] = frames[12]
    split = validation(Task((), (Video(frames, video.dt),), 20, 10))
    assert len(split.trials[0].seen) < 12


def test_actions_travel_with_their_frames():
    video = replace(thrown(14), actions=np.arange(14.0))
    trial = validation(Task((), (video,), 14, 6)).trials[0]
    assert trial.all_actions.tolist() == list(range(12)) == trial.whole.actions.tolist()


# --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "stage, source, kind, words",
    [
        ("dynamics", "def step(:", "SyntaxError", "does not parse"),
        ("perception", "x = 1", "MissingFunction", "perceive(frames, tools)"),
        (
            "rendering",
            "def render(state):\n    pass",
            "WrongArguments",
            "expected render(state, scene, shape), got render(state)",
        ),
        (
            "rendering",
            "import os\ndef render(a, b, c):\n    pass",
            "ForbiddenImport",
            "cannot import os",
        ),
        (
            "rendering",
            "from urllib.request import urlopen\ndef render(a, b, c):\n    pass",
            "ForbiddenImport",
            "urllib",
        ),
        (
            "rendering",
            f"X = {'a' * (MAX_LITERAL + 1)!r}\ndef render(a, b, c):\n    pass",
            "LargeLiteral",
            "measure it in perceive",
        ),
        (
            "rendering",
            f"X = 0x{'f' * 20000}\ndef render(a, b, c):\n    pass",
            "TooLarge",
            "measure it",
        ),
        (
            "rendering",
            f"X = {list(range(4000))}\ndef render(a, b, c):\n    pass",
            "ManyConstants",
            "at most",
        ),
        ("rendering", "#" * 70_000, "TooLarge", "at most"),
        ("rendering", "(" * 5000, "SyntaxError", "does not parse"),
    ],
)
def test_the_screen_says_which_file_and_what_to_do(stage, source, kind, words):
    failure = screen(changed(**{stage: source}))
    assert failure.stage == "screen" and failure.kind == kind and words in failure.message
    assert failure.message.startswith(f"{stage}.py: ") and "\n" not in failure.message


def test_good_programs_pass():
    assert screen(GOOD) is None
    assert (
        screen(changed(rendering="def render(state, scene, shape, extra=1, *more):\n    pass"))
        is None
    )


def test_duplicates_are_known_by_what_they_do():
    same = changed(
        dynamics='"""Other words."""\n# and comments\n' + DYNAMICS.replace("ball, g", "ball,   g")
    )
    assert fingerprint(same) == fingerprint(GOOD) != fingerprint(WRONG)
    assert duplicate(same, {fingerprint(GOOD): "3"}).message.startswith(
        "the same programs as node 3"
    )
    assert duplicate(WRONG, {fingerprint(GOOD): "3"}) is None


def test_complexity_ignores_comments_and_counts_parameters():
    assert complexity(changed(dynamics="# a comment\n" + DYNAMICS)) == complexity(GOOD)
    assert complexity(
        changed(dynamics=DYNAMICS + "\ndef more():\n    return [k**2 for k in range(9)]\n")
    ) > complexity(GOOD)


def test_what_does_not_parse_is_its_own_normal_form():
    assert normalised("def (") == "def ("


# ------------------------------------------------------------------------------------------------ a

FAILED = Evaluation("failed", failure=Failure("rendering", "ValueError", "broken"))


def node(
    name, score=0.0, parent=None, move="draft", evaluation=None, complexity=100.0, guilty="dynamics"
):
    evaluation = evaluation or Evaluation("ok", score, complexity=complexity)
    programs = changed(dynamics=f"{DYNAMICS}\nNAME = {name!r}\n")
    finding = Finding(guilty, "drift", "it drifts")
    return Node(
        Candidate(name, programs, parent, move),
        evaluation,
        Diagnosis(guilty, "bad structure", (finding,)),
    )


def test_ties_go_to_the_simpler_then_the_older_program():
    archive = NodeArchive(
        (
            node("0", 0.900, complexity=300),
            node("1", 0.903, complexity=200),
            node("2", 0.902, complexity=200),
            node("3", 0.95, evaluation=FAILED),
        )
    )
    assert archive.best.id == "1"
    assert NodeArchive(archive.nodes, tolerance=0.0).best.id == "1"
    assert [n.id for n in archive.ranked()] == ["1", "2", "0"]
    assert NodeArchive().best is None and NodeArchive((node("0", evaluation=FAILED),)).best is None


def filmed(name, score, belief, leeway=0.05, complexity=100.0):
    one = node(name, evaluation=Evaluation("ok", score, complexity=complexity, leeway=leeway))
    return replace(one, candidate=replace(one.candidate, belief=belief))


def test_what_a_camera_cannot_tell_apart_is_decided_by_belief():
    draft, edit = filmed("0", 0.50, 0.0, complexity=300), filmed("1", 0.54, -25.0)
    choice = NodeArchive((edit, draft)).choice
    assert choice.node is draft and choice.by_belief and choice.tied == (edit, draft)
    assert NodeArchive((draft, filmed("1", 0.56, -25.0))).best.id == "1", "a lead that counts"
    assert NodeArchive((edit, draft)).ranked() == (draft, edit)


def test_ties_of_drawings_go_by_belief_and_programs_without_one_tie_as_ever():
    drawn = filmed("0", 0.90, 0.0, 0.0, 300), filmed("1", 0.902, -25.0, 0.0, 200)
    assert NodeArchive(drawn).best.id == "0" and NodeArchive(drawn).choice.by_belief
    ahead = filmed("0", 0.90, 0.0, 0.0, 300), filmed("1", 0.92, -25.0, 0.0, 200)
    assert NodeArchive(ahead).best.id == "1", "without a leeway a lead counts"
    likely, other = filmed("0", 0.50, 0.0, complexity=300), filmed("1", 0.52, -25.0)
    foreign = filmed("2", 0.518, None, complexity=200)
    assert NodeArchive((likely, other, foreign)).best is foreign, "smaller than the likeliest"
    dear, worse = (filmed("2", s, None, complexity=c) for s, c in ((0.518, 400), (0.51, 200)))
    assert NodeArchive((likely, other, dear)).best is likely
    assert NodeArchive((likely, other, worse)).best is likely, "no belief, no leeway"


def test_an_archive_is_a_value():
    empty = NodeArchive()
    one = empty.added(node("0"))
    assert len(empty) == 0 and len(one) == 1 and one.added(node("0", 0.5)).nodes[0].score == 0.5
    with pytest.raises(ContractError, match="one of 0"):
        one["7"]


def chosen(*nodes, name="tree", declined=(), closed=()):
    return policy.named(name).choose(
        NodeArchive(nodes, declined, closed=frozenset(closed)), np.random.default_rng(0)
    )


def test_tree_search_drafts_first():
    assert chosen().kind == "draft"


def test_tree_search_repairs_what_broke_but_not_for_ever():
    first = node("0", evaluation=FAILED, guilty="rendering")
    move = chosen(first)
    assert (move.kind, move.parent, move.stage) == (
        "repair",
        "0",
        "rendering",
    ) and "broken" in move.reason
    second, third = (
        node("1", parent="0", move="repair", evaluation=FAILED),
        node("2", parent="1", move="repair", evaluation=FAILED),
    )
    assert chosen(first, second).parent == "1"
    assert chosen(first, second, third).kind == "draft"


def test_tree_search_refines_the_guilty_stage_of_the_best():
    move = chosen(node("0", 0.6), node("1", 0.8, parent="0", move="refine", guilty="rendering"))
    assert (move.kind, move.parent, move.stage) == (
        "refine",
        "1",
        "rendering",
    ) and "it drifts" in move.reason


def test_tree_search_tries_another_structure_while_nothing_is_promising():
    assert chosen(node("0", 0.2)).kind == "draft"
    assert chosen(node("0", 0.2), node("1", 0.3)).kind == "refine"
    assert chosen(node("0", 0.2), declined=(Move("draft"),)).kind == "refine"


def test_tree_search_leaves_a_node_on_which_everything_fails():
    nodes = [node("0", 0.60), node("1", 0.59)] + [
        node(str(k), 0.3, parent="0", move="refine") for k in range(2, 6)
    ]
    assert chosen(*nodes).parent == "1"
    assert (
        chosen(node("0", 0.6), node("1", 0.59), declined=(Move("refine", "0"),) * 4).parent == "1"
    )


def test_tree_search_leaves_a_node_that_is_closed_and_comes_back_to_tired_ones_when_drafts_are():
    tired = [node("0", 0.60), node("1", 0.59)] + [
        node(str(k), 0.3, parent="1", move="refine") for k in range(2, 6)
    ]
    ends = [n.id for n in tired if n.score < 0.5]
    assert chosen(*tired, closed=("0",)).parent in ends
    assert chosen(*tired, closed=("0", *ends)).kind == "draft"
    assert chosen(*tired, closed=("0", *ends, None)).parent == "1"


def test_a_duplicate_is_not_repaired():
    copy = node(
        "1",
        parent="0",
        move="refine",
        evaluation=Evaluation("failed", failure=Failure("screen", "Duplicate", "again")),
    )
    assert chosen(node("0", 0.8), copy).parent == "0"


def test_baselines():
    nodes = (node("0", 0.9), node("1", 0.1, parent="0", move="refine"))
    assert chosen(*nodes, name="best-of-n").kind == "draft"
    assert chosen(*nodes, name="linear").parent == "1"
    assert chosen(*nodes, node("2", evaluation=FAILED), name="linear").kind == "repair"
    with pytest.raises(UsageError, match="tree, best-of-n, linear"):
        policy.named("magic")


# --------------------------------------------------------------------------------------------------


def evaluated(gap, losses=None, **fields):
    """An evaluation whose prediction of ball.x is off by ``gap`` over the judging frames."""
    gap = np.asarray(gap, float)
    truth = 3.0 * np.arange(len(gap))
    table = [
        States(("ball.x",), column[:, None])
        for column in (truth + gap, truth, 3.0 * np.arange(20.0))
    ]
    losses = losses or Losses(0.1, 0.02, 0.01, 0.0)
    return Evaluation(
        "ok",
        0.6,
        losses,
        predicted=(table[0],),
        remeasured=(table[1],),
        measured=(table[2],),
        **({"fit": {"status": "converged", "message": ""}} | fields),
    )


@pytest.mark.parametrize(
    "gap, kind",
    [
        ([4, 4.1, 4, 4.2, 4, 4.1], "lag"),
        ([0.1, 0.7, 1.5, 2.6, 3.8, 5.2], "drift"),
        ([0, 0, 0, 0, 0, 2, 4, 6, 8, 10], "kink"),
    ],
)
def test_a_residual_is_named_by_its_shape(gap, kind):
    found = diagnosis.diagnose(evaluated(gap))
    assert found.guilty == "dynamics" and found.verdict == "bad structure"
    assert (
        found.findings[0].kind == kind
        and found.findings[0].where == "ball.x"
        and "ball.x" in found.findings[0].message
    )


def test_small_gaps_are_no_evidence():
    assert not diagnosis.diagnose(evaluated([0.05] * 6)).findings


def test_gaps_within_rounding_and_within_errors_are_no_bad_structure():
    drift = [0.1, 0.2, 0.4, 0.6, 0.8]
    fit = {"status": "converged", "message": ""}
    rounded = fit | {"columns": {"ball.x": 0.45}}
    assert diagnosis.diagnose(evaluated(drift)).verdict == "bad structure"
    found = diagnosis.diagnose(evaluated(drift, fit=rounded))
    assert found.verdict == "within error" and not found.findings
    far = fit | {"columns": {"ball.x": 30.0}}  # a fit that misses everything excuses nothing
    assert diagnosis.diagnose(evaluated([2, 4, 6, 8], fit=far)).verdict == "bad structure"
    plain = evaluated([1, 2, 3, 4])
    unsure = replace(plain, predicted=(replace(plain.predicted[0], noise=np.array([1.5])),))
    assert diagnosis.diagnose(plain).verdict == "bad structure"
    assert diagnosis.diagnose(unsure).verdict == "within error"


def test_a_column_that_is_not_measured_is_a_fault_of_perception():
    rows = [{"pole": {"x": 3.0 * t, "angle": np.nan if t < 6 else 0.1}} for t in range(8)]
    found = diagnosis.diagnose(replace(evaluated([1, 2, 3, 4]), measured=(States.of(rows),)))
    assert (found.guilty, found.verdict) == ("perception", "bad perception")
    assert found.findings[0].message.startswith("pole.angle is missing in 6 of 8 fitted frames")
    for size in ({}, {"radius": 4.0}):  # out of view
        late = [{"pole": {"x": 3.0 * t if t > 5 else np.nan, **size}} for t in range(8)]
        found = diagnosis.diagnose(replace(evaluated([1, 2, 3, 4]), measured=(States.of(late),)))
        assert found.verdict == "bad structure"


@pytest.mark.parametrize(
    "losses, guilty, verdict",
    [
        (Losses(0.9, 0.0, 0.9, 0.0), "perception", "bad perception"),
        (Losses(0.1, 0.0, 0.4, 0.0), "rendering", "bad rendering"),
        (Losses(0.1, 0.02, 0.001, 0.0), "dynamics", "within error"),
        # no drawing does better than the picture's own pixels, moved: a codec, rounding
        (Losses(0.15, 0.02, 0.18, 0.0), "rendering", "within error"),
    ],
)
def test_guilt_goes_to_the_stage_whose_loss_stands_out(losses, guilty, verdict):
    found = diagnosis.diagnose(evaluated([0.0] * 4, losses))
    assert (found.guilty, found.verdict) == (guilty, verdict)


def test_an_object_that_the_rollout_forgets_is_named():
    rows = [{"ball": {"x": 1.0 * t}, "pole": {"x": 2.0}} for t in range(4)]
    found = diagnosis.diagnose(replace(evaluated([0.0] * 4), remeasured=(States.of(rows),)))
    assert found.verdict == "bad structure" and found.findings[0].where == "pole"
    assert "neither initial nor step returns it" in found.findings[0].message


def test_an_unfinished_fit_is_told_from_a_bad_structure():
    fit = {"status": "starts disagree", "message": "2 of 8 agree"}
    found = diagnosis.diagnose(evaluated([1, 2, 3, 4], fit=fit))
    assert found.verdict == "fit not converged" and any(
        "2 of 8 agree" in f.message for f in found.findings
    )


def test_a_failure_blames_its_stage():
    assert diagnosis.diagnose(FAILED).guilty == "rendering"
    assert (
        diagnosis.diagnose(
            Evaluation("failed", failure=Failure("screen", "X", "perception.py: no"))
        ).guilty
        == "perception"
    )
    assert diagnosis.diagnose(Evaluation("ok", 0.999)).verdict == "exact"


# --------------------------------------------------------------------------------------------------


def positions(frames=8, **fixed):
    v = [
        {
            "ball": {"x": 10.0 + 30.0 * t / 25, "y": 44.8 - 55.0 * t / 25 + 30.0 * (t / 25) ** 2}
            | fixed
        }
        for t in range(frames)
    ]
    return States.of(v)


def test_perception_loss_measures_the_motion_that_states_leave_out():
    frames = thrown(8).frames
    left, moved = losses.unexplained(frames, positions(), 0.0)
    assert moved > 0 and left / moved < 0.25
    left, moved = losses.unexplained(frames, positions(x=20.0, y=20.0), 0.0)
    assert left == moved
    left, moved = losses.unexplained(frames, positions(y=20.0), 0.0)
    assert 0.4 < left / moved < 1.0


def test_growing_and_fading_are_motions_that_states_can_hold():
    yy, xx = np.mgrid[:64, :64]
    radius, gain = np.linspace(6.0, 20.0, 8), np.linspace(1.0, 0.5, 8)
    cover = [np.clip(r + 0.5 - np.hypot(xx - 32, yy - 30), 0, 1)[..., None] for r in radius]
    grown = np.stack([np.rint(200 * c + np.zeros(3)) for c in cover]).astype(np.uint8)
    faded = np.stack([np.rint(g * np.full((64, 64, 3), 180.0)) for g in gain]).astype(np.uint8)
    sizes = States.of([{"disk": {"x": 32.0, "y": 30.0, "radius": float(r)}} for r in radius])
    light = States.of([{"light": {"gain": float(g)}} for g in gain])
    clock = States.of([{"clock": {"t": float(t)}} for t in range(8)])
    for frames, states in ((grown, sizes), (faded, light)):
        left, moved = losses.unexplained(frames, states, 0.0)
        assert left < 0.3 * moved
        assert losses.unexplained(frames, clock, 0.0) == (moved, moved)


def growing(frames=8):
    """A ball that breathes and a bar that turns, each in a film of its own, with its number."""
    plate = np.full((80, 80, 3), 240, np.uint8)
    balls, bars = [], []
    for t in range(frames):
        balls.append(rendering.canvas(plate))
        rendering.draw_disk(balls[-1], 40, 38, 10.0 + 2.0 * t, (200, 30, 30))
        bars.append(rendering.canvas(plate))
        corners = rendering.box_corners(45, 40, 0.2 * t, 50, 8)
        rendering.draw_polygon(bars[-1], corners, (30, 30, 200))
    for film, name, values in (
        (balls, "ball.radius", 10.0 + 2.0 * np.arange(frames)),
        (bars, "bar.angle", 0.2 * np.arange(frames)),
    ):
        pictures = np.stack([rendering.finish(image) for image in film])
        yield pictures, name, values


def test_perception_loss_counts_sizes_and_angles_of_what_has_no_place():
    for frames, name, values in growing():
        left, moved = losses.unexplained(frames, States((name,), values[:, None]), 0.0)
        assert moved > 0 and left / moved < 0.35, name
        still = States((name,), np.full((len(values), 1), values[0]))
        left, moved = losses.unexplained(frames, still, 0.0)
        assert left == moved, name


def test_perception_loss_counts_sizes_beside_a_place():
    frames, name, values = next(growing())
    places = np.column_stack([np.full(8, 40.0), np.full(8, 38.0), values])
    table = States(("ball.x", "ball.y", name), places)
    left, moved = losses.unexplained(frames, table, 0.0)
    assert left / moved < 0.35


def test_rendering_loss_and_its_floor():
    frames = thrown(8).frames
    back = losses.plate(thrown(24).frames)
    assert losses.rendering([frames], [frames], [back], 0.0) == (0.0, 0.0)
    assert losses.rendering([np.repeat(back[None], 8, 0)], [frames], [back], 0.0)[0] == 1.0
    noisy = thrown(8, noise=4.0).frames
    loss, floor = losses.rendering([frames], [noisy], [back], 4.0)
    assert 0.0 < loss < 0.05 and 0.3 < loss / floor < 3.0


@pytest.mark.parametrize(
    "text, name, before, after",
    [
        ("g=3", "g", 1, 3),
        ("g *= 2", "g", 4, 8),
        ("ball.x+=-5", "ball.x", 7, 2),
        ("a-=1", "a", 1, 0),
    ],
)
def test_edits(text, name, before, after):
    edit = edits.parse(text)
    assert edit.name == name and edit.apply(before) == after


@pytest.mark.parametrize("text", ["g", "g=", "=3", "g=x", "g==3", "g=nan", "3g=1", "g/=2"])
def test_edits_that_are_none(text):
    with pytest.raises(UsageError, match="NAME=VALUE"):
        edits.parse(text)


NAMED = edits.Named(
    (FittedParam("g", 3.0, 0.0, 9.0, "px/s^2"),),
    {"ball.x": 5.0},
    {"ball": {"colour": [1.0, 2.0, 3.0], "size": 1.0}},
    Programs("", "CENTRE = {'ball': (1.0, 2.0)}  # px\n", "RADIUS = 5\n"),
)


def test_edits_go_to_what_has_the_name_and_unknown_names_list_the_known():
    typed = (
        "g*=2",
        "ball.x=1",
        "ball.colour=#ff0010",
        "ball.size*=2",
        "CENTRE.ball*=2",
        "RADIUS+=1",
    )
    done = edits.sort([edits.parse(text) for text in typed], NAMED)
    assert (
        done.values == {"g": 6.0}
        and [e.name for e in done.state] == ["ball.x"]
        and [e.name for e in done.looks] == ["ball.colour", "ball.size"]
    )
    assert done.looks[0].number == (255.0, 0.0, 16.0)
    assert (
        done.programs.dynamics == "CENTRE = {'ball': (2.0, 4.0)}  # px\n"
        and done.programs.rendering == "RADIUS = 6.0\n"
    )
    with pytest.raises(
        UsageError,
        match=r"parameters: g; states: ball\.x; looks: ball\.colour, ball\.size; constants: "
        r"CENTRE\.ball, RADIUS",
    ):
        edits.sort([edits.parse("mass=1")], NAMED)
    edits.check([edits.parse("ball_link.size=2")], NAMED.params, NAMED.programs)  # a scene may tell
    with pytest.raises(UsageError, match=r"wall\.size"):
        edits.check([edits.parse("wall.size=2")], NAMED.params, NAMED.programs)


@pytest.mark.parametrize(
    "text, words",
    [
        ("g=1,2", "one number, got 2"),
        ("ball.colour=1,2", "3 numbers, got 2"),
        ("CENTRE.ball=1,2,3", "2 numbers, got 3"),
        ("ball.x=1,2", "one number"),
    ],
)
def test_edits_with_too_many_or_too_few_numbers(text, words):
    with pytest.raises(UsageError, match=words):
        edits.sort([edits.parse(text)], NAMED)


def test_what_can_be_edited_is_listed_with_value_and_unit():
    lines = [str(one) for one in NAMED.listed()]
    assert (
        lines[:2] == ["g = 3 px/s^2", "ball.x = 5 px"]
        and "ball.colour = 1,2,3" in lines
        and lines[-1] == "RADIUS = 5  (in rendering.py)"
    )


def test_filmstrips_show_every_row_and_the_last_frame():
    truth = thrown(9, size=200).frames
    times = pictures.spread(9, 5)
    assert times[0] == 0 and times[-1] == 8 and len(times) == 5
    strip = pictures.comparison(
        ("truth", "prediction"),
        pictures.reduced(truth[times]),
        pictures.reduced(truth[times]),
        times,
    )
    assert strip.shape[0] == 18 + 3 * 162 and strip.dtype == np.uint8
    assert (pictures.difference(truth, truth) == 128).all()


def test_films_of_several_panes_fit_a_screen_and_small_ones_keep_their_pixels():
    large, small = np.zeros((2, 108, 1920, 3), np.uint8), np.zeros((2, 24, 32, 3), np.uint8)
    assert (
        pictures.side_by_side(zip(*[large] * 3, strict=True)).shape == (2, 36, pictures.WIDE + 8, 3)
        and pictures.side_by_side(zip(large, strict=True)).shape == large.shape
    )
    assert pictures.side_by_side(zip(*[small] * 3, strict=True)).shape == (2, 24, 3 * 32 + 8, 3)


def test_of_equals_the_larger_and_the_later_are_told_apart():
    def one(name, score, size, leeway=0.0, belief=None):
        said = {"leeway": leeway, "belief": belief}
        return SimpleNamespace(id=name, status="ok", score=score, complexity=size, **said)

    likely, unlikely = one("0", 0.5, 300.0, 0.06, 0.0), one("1", 0.55, 100.0, 0.06, -20.0)
    assert ranking.decided(likely, [unlikely]) == "likelier"
    assert ranking.rule(likely, [unlikely], 0.01, "node").endswith(
        "Node 0 is likelier beforehand than node 1."
    )
    winner, others = one("8", 0.93, 100.0), [one("7", 0.93, 120.0), one("9", 0.93, 101.0)]
    told = ranking.rule(winner, others, 0.01, "node")
    assert told.endswith("Node 8 is clearly smaller than node 7 and came before node 9.")
    assert ranking.rule(winner, others[:1], 0.01, "node").endswith(
        "Node 8 is clearly smaller than node 7."
    )
    line = [winner, one("3", 0.7, 90.0), one("2", 0.6, 90.0)]
    assert (ranking.standing(line[1], line, 0.01), ranking.standing(line[2], line, 0.01)) == (
        "the best that is not as good",
        "the best of another line",
    )
