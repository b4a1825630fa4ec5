"""Environments: the protocol, determinism, what is held back, and the messages of bad calls."""

from __future__ import annotations

import os
from typing import ClassVar

import gymnasium
import numpy as np
import pytest

from benchmarks.environments import Options, cartpole, known, load
from tools.types import ContractError


def persistence(task, held):
    """(MAE on [0, 1], mean PSNR in dB) of repeating the last seen frame."""
    errors = (held.frames[0] - task.test[0].frames[-1].astype(float)) / 255.0
    return abs(errors).mean(), float((-10 * np.log10((errors**2).mean(axis=(1, 2, 3)))).mean())


def test_cartpole_follows_the_papers_protocol():
    task, held = load("cartpole", seed=3)
    assert (task.context, task.horizon, task.dt, task.shape, task.train) == (
        10,
        10,
        0.02,
        (400, 600),
        (),
    )
    assert task.test[0].actions is None and task.test[0].name == ""
    assert held.frames[0].shape == (10, 400, 600, 3)
    states = held.truth["states"][0]
    assert len(states) == 20 and (np.diff(states.column("pole.angle")) > 0).all(), (
        "the pole turns clockwise"
    )
    assert (np.diff(states.column("cart.vx")) < 0).all(), "the push is to the left"


def test_cartpole_repeating_the_last_frame_costs_what_the_paper_implies():
    figures = np.mean([persistence(*load("cartpole", seed=seed)) for seed in range(6)], axis=0)
    assert figures[0] == pytest.approx(0.0097, abs=0.0005)
    assert figures[1] == pytest.approx(21.7, abs=0.4)


def test_the_same_seed_gives_the_same_bytes_and_another_seed_does_not():
    first, again, other = (load("cartpole", seed=seed)[0].test[0].frames for seed in (5, 5, 6))
    assert np.array_equal(first, again) and not np.array_equal(first, other)


def test_cartpole_cuts_lengths_and_adds_videos_on_request():
    task, held = load("cartpole", seed=1, context=4, horizon=2, options=Options(train=1, test=2))
    assert [len(video) for video in task.test] == [4, 4] and [
        len(video) for video in task.train
    ] == [6]
    assert len(held.frames) == 2 and len(held.truth["states"]) == 2
    assert np.array_equal(task.test[0].frames, load("cartpole", seed=1)[0].test[0].frames[:4]), (
        "the first video is the plain one"
    )


def test_the_simulator_can_be_asked_what_if():
    start = cartpole.draw_start(0)
    pushed_back = cartpole.film(start, 5, cartpole.Physics(push=10.0)).states
    assert pushed_back[-1, 1] > start[1], "a push to the right speeds the cart up to the right"
    longer = cartpole.film(start, 2, cartpole.Physics(length=1.0)).frames[0]
    assert (longer == (202, 152, 101)).all(-1).sum() > 1.7 * (
        cartpole.film(start, 2).frames[0] == (202, 152, 101)
    ).all(-1).sum()


def test_any_gymnasium_environment_records_its_actions():
    task, held = load("gym:MountainCar-v0", seed=0, context=6, horizon=4)
    assert task.test[0].actions.shape == (6,) and set(task.test[0].actions) <= {0.0, 1.0, 2.0}
    assert task.future_actions[0].shape == (4,) and held.frames[0].shape[0] == 4
    assert load("gym:Pendulum-v1", seed=0, context=3, horizon=2)[0].dt == 0.05


def test_an_action_that_one_number_cannot_say_is_held_and_not_told():
    task, _ = load("gym:MultiBox-v0", seed=0, context=3, horizon=2)
    assert task.test[0].actions is None
    assert len({tuple(frame[0, 0]) for frame in task.test[0].frames[1:]}) == 1


def test_the_process_environment_is_left_alone(monkeypatch):
    monkeypatch.delenv("SDL_VIDEODRIVER", raising=False)
    load("cartpole", seed=0)
    assert "SDL_VIDEODRIVER" not in os.environ


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("cartpool", "environment: expected one of cartpole.*; did you mean cartpole\\?"),
        ("gallery:pendulm", "; did you mean pendulum\\?"),
        ("gym:Nope-v0", "gym:Nope-v0: expected an id registered"),
        ("gym:Blind-v0", "expected render mode 'rgb_array'"),
        ("gym:Needy-v0", "its extra to be installed"),
    ],
)
def test_bad_names_are_answered_in_one_line(name, says):
    with pytest.raises(ContractError, match=says) as caught:
        load(name, seed=0)
    assert "\n" not in str(caught.value)


def test_an_option_of_another_environment_is_refused():
    with pytest.raises(ContractError, match="option 'data' of environment 'cartpole'"):
        load("cartpole", seed=0, options=Options(data="file.hdf5"))


def test_known_names_all_load():
    for name in known():
        if name != "gym:ID" and not name.startswith("gallery:"):
            assert load(name, seed=0, context=2, horizon=1, options=Options(train=1))[0].test


class Blind(gymnasium.Env):
    """Draws nothing."""

    metadata: ClassVar = {"render_modes": ["ansi"]}


class MultiBox(gymnasium.Env):
    """Shows its two-number action as a colour."""

    metadata: ClassVar = {"render_modes": ["rgb_array"], "render_fps": 10}
    action_space = gymnasium.spaces.Box(0.0, 1.0, (2,))
    observation_space = gymnasium.spaces.Box(0.0, 1.0, (2,))

    def __init__(self, render_mode=None):
        self.shown = np.zeros(2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return self.shown, {}

    def step(self, action):
        self.shown = np.array(action)
        return self.shown, 0.0, False, False, {}

    def render(self):
        return np.full((8, 8, 3), [*(255 * self.shown).astype(int), 0], np.uint8)


class Needy(MultiBox):
    """Needs a package that is not there."""

    def __init__(self, render_mode=None):
        raise gymnasium.error.DependencyNotInstalled("pip install needed")


@pytest.fixture(autouse=True, scope="module")
def registered():
    for name, maker in (("Blind-v0", Blind), ("MultiBox-v0", MultiBox), ("Needy-v0", Needy)):
        gymnasium.register(name, maker)
    yield
    for name in ("Blind-v0", "MultiBox-v0", "Needy-v0"):
        gymnasium.registry.pop(name)
