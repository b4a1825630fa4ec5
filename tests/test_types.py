import json
import math

import numpy as np
import pytest

from tools.types import (
    ContractError,
    Evaluation,
    Failure,
    FittedParam,
    HeldBack,
    Losses,
    Param,
    Programs,
    Scene,
    States,
    Task,
    Video,
    as_names,
    check_frames,
    flatten_state,
    unflatten_state,
)

FRAMES = np.zeros((4, 6, 8, 3), np.uint8)


def test_a_video_cannot_be_changed_and_cuts_are_copies():
    frames = FRAMES.copy()
    video = Video(frames, 0.1, np.arange(4))
    with pytest.raises(ValueError):
        video.frames[0] = 1
    part = video.cut(1, 3)
    assert (
        len(part) == 2
        and part.actions.tolist() == [1.0, 2.0]
        and not np.shares_memory(part.frames, video.frames)
    )
    assert video.shape == (6, 8)


@pytest.mark.parametrize(
    "frames", [FRAMES.astype(float), FRAMES[..., 0], FRAMES[:0], [[1]], FRAMES[:, :0]]
)
def test_frames_that_break_the_contract_are_named(frames):
    with pytest.raises(ContractError, match="expected"):
        check_frames(frames)


@pytest.mark.parametrize(
    "changes",
    [{"dt": 0.0}, {"dt": math.nan}, {"actions": np.zeros(3)}, {"actions": np.full(4, np.nan)}],
)
def test_a_video_with_wrong_times_or_actions_is_refused(changes):
    with pytest.raises(ContractError):
        Video(**({"frames": FRAMES} | changes))


@pytest.mark.parametrize(
    "changes",
    [
        {"test": ()},
        {"context": 1},
        {"horizon": 0},
        {"context": 3},
        {"train": (Video(np.zeros((4, 5, 5, 3), np.uint8)),)},
        {"future_actions": (None, None)},
    ],
)
def test_a_task_that_cannot_be_is_refused(changes):
    fields = {"train": (), "test": (Video(FRAMES),), "context": 4, "horizon": 2}
    assert Task(**fields).future_actions == (None,)
    with pytest.raises(ContractError):
        Task(**(fields | changes))


def test_states_round_trip_through_json_with_invisible_entries():
    states = States.of(
        [{"ball": {"x": 1.0, "y": 2.0}}, {"ball": {"x": math.nan, "y": 3.0}}, {"cart": {"x": 5.0}}],
        {"ball.x": 0.1},
    )
    again = States.from_json(json.loads(json.dumps(states.to_json(), allow_nan=False)))
    assert again.columns == ("ball.x", "ball.y", "cart.x") and again.objects == ("ball", "cart")
    np.testing.assert_array_equal(again.values, states.values)
    np.testing.assert_array_equal(again.noise, [0.1, 1.0, 1.0])
    assert math.isnan(states[2]["ball"]["x"]) and states.column("cart.x")[2] == 5.0
    assert len(states.cut(1, 3)) == 2


@pytest.mark.parametrize(
    "state, culprit",
    [
        ([], "{object"),
        ({"a b": {}}, "identifier"),
        ({"ball": 1.0}, "ball"),
        ({"ball": {"x": "1"}}, "a number"),
        ({"ball": {"x": math.inf}}, "finite"),
        ({"ball": {"x": None}}, "a number"),
    ],
)
def test_a_wrong_state_names_its_culprit(state, culprit):
    with pytest.raises(ContractError, match=culprit):
        flatten_state(state)


@pytest.mark.parametrize(
    "columns, values",
    [
        (("x",), [[1.0]]),
        (("a.x", "a.x"), [[1.0, 2.0]]),
        (("a.x",), [[math.inf]]),
        (("a.x",), [[1e12]]),
    ],
)
def test_wrong_tables_are_refused(columns, values):
    with pytest.raises(ContractError):
        States(columns, np.array(values))


@pytest.mark.parametrize(
    "data", [{}, {"columns": ["a.x"], "values": [["b"]]}, None, {"columns": ["a.x"], "values": 3}]
)
def test_states_from_json_refuses_anything_else(data):
    with pytest.raises(ContractError):
        States.from_json(data)


def test_unknown_columns_list_the_known_ones():
    with pytest.raises(ContractError, match=r"ball\.x"):
        States.of([{"ball": {"x": 1.0}}]).column("ball.z")


def test_nesting_and_flattening_are_inverse():
    state = {"a": {"x": 1.0, "y": 2.0}, "b": {"angle": 0.5}}
    assert unflatten_state(flatten_state(state)) == state


@pytest.mark.parametrize(
    "fields",
    [
        {"background": np.zeros((4, 4), np.uint8)},
        {"sprites": {"a": np.zeros((2, 2, 3))}},
        {"sprites": {"a b": np.zeros((2, 2, 4))}},
        {"sprites": {"a": np.full((2, 2, 4), np.nan)}},
        {"constants": {"a": {"f": object()}}},
        {"constants": {"a": {"f": math.nan}}},
        {"order": ("a b",)},
    ],
)
def test_a_wrong_scene_is_refused(fields):
    good = {"background": np.zeros((4, 4, 3), np.uint8)}
    assert Scene(**good).order == ()
    with pytest.raises(ContractError):
        Scene(**(good | fields))


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "a b"},
        {"value": 5.0},
        {"low": 2.0},
        {"high": math.inf},
        {"prior": 0.0},
        {"value": "1"},
        {"high": 1e12},
    ],
)
def test_a_wrong_parameter_is_refused(changes):
    good = {"name": "g", "value": 1.0, "low": 0.0, "high": 2.0}
    assert Param(**good).unit == ""
    with pytest.raises(ContractError):
        Param(**(good | changes))


def test_programs_know_their_stages():
    programs = Programs("p", "d", "r")
    assert programs["dynamics"] == "d" and [stage for stage, _ in programs.items()] == [
        "perception",
        "dynamics",
        "rendering",
    ]
    with pytest.raises(ContractError, match="perception, dynamics, rendering"):
        programs["other"]


def test_an_evaluation_round_trips_through_json():
    states = States.of([{"ball": {"x": 1.0}}])
    evaluation = Evaluation(
        "ok",
        0.5,
        Losses(0.1, 0.2, 0.3, 0.0),
        Failure("fit", "A", "b"),
        (FittedParam("g", 1.0, 0.0, 2.0, "px", 0.1, "", "falls"),),
        {"status": "converged"},
        (states,),
        (states,),
        (),
        (states,),
        ((0.1, 0.2),),
        ({"seen": 10, "judged": 5, "score": 0.5},),
        {"score": 0.4, "weight": 0.2},
        100.0,
        ("why",),
        "log",
        {"fit": 0.1},
        {"prediction": "abc"},
    )
    again = Evaluation.from_json(json.loads(json.dumps(evaluation.to_json(), allow_nan=False)))
    assert (
        again.to_json() == evaluation.to_json()
        and again.values == {"g": 1.0}
        and again.failure == evaluation.failure
    )


def test_long_lists_of_names_are_cut():
    assert (
        as_names(["a", "b"]) == "a, b"
        and as_names([str(i) for i in range(20)], 3) == "0, 1, 2, ... 17 more"
    )


def test_held_back_frames_may_be_unknown():
    assert HeldBack((None,)).truth == {}
