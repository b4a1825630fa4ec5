"""Frames out of gymnasium, without a window: the one place that touches pygame's environment
variables."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from tools.types import ContractError

_HEADLESS = {
    "SDL_VIDEODRIVER": "dummy",
    "SDL_AUDIODRIVER": "dummy",
    "PYGAME_HIDE_SUPPORT_PROMPT": "1",
}


@dataclass(frozen=True)
class Recording:
    """frames: (T, H, W, 3) uint8. observations: (T, ...) float64, what the environment reported at
    each frame. states: (T, k) float64, its own ``state`` where it has one, else the flat
    observations."""

    frames: np.ndarray
    observations: np.ndarray
    states: np.ndarray


@contextmanager
def headless() -> Iterator[None]:
    """SDL draws into memory while this is open; the process's environment is put back
    afterwards."""
    before = {key: os.environ.get(key) for key in _HEADLESS}
    os.environ.update(_HEADLESS)
    try:
        yield
    finally:
        for key, value in before.items():
            os.environ.pop(key, None) if value is None else os.environ.__setitem__(key, value)


@contextmanager
def opened(env_id: str) -> Iterator[Any]:
    """An unwrapped gymnasium environment that renders to arrays, closed at the end.

    Unwrapped, so that neither a time limit nor the end of an episode stops the film. Raises
    ContractError for an unknown id, an environment that needs an extra, or one without "rgb_array"
    frames.
    """
    import gymnasium

    with headless():
        env = _made(gymnasium, env_id)
        try:
            yield env
        finally:
            env.close()


def _made(gymnasium: Any, env_id: str) -> Any:
    modes = _spec_modes(gymnasium, env_id)
    if modes is not None and "rgb_array" not in modes:
        raise ContractError(
            f"environment gym:{env_id}",
            "render mode 'rgb_array'",
            f"modes {list(modes)}",
            "pick one that draws frames",
        )
    try:
        return gymnasium.make(env_id, render_mode="rgb_array", disable_env_checker=True).unwrapped
    except (gymnasium.error.DependencyNotInstalled, ImportError) as error:
        fix = "pip install 'gymnasium[all]' or the extra it names"
        raise ContractError(
            f"environment gym:{env_id}", "its extra to be installed", _line(error), fix
        ) from error
    except gymnasium.error.Error as error:
        raise ContractError(
            f"environment gym:{env_id}",
            "an id registered with gymnasium",
            _line(error),
            "see gymnasium.envs.registry",
        ) from error


def _spec_modes(gymnasium: Any, env_id: str) -> Sequence[str] | None:
    """Render modes declared by the class behind an id, or None when they cannot be read without
    making it."""
    try:
        entry = gymnasium.spec(env_id).entry_point
        maker = (
            gymnasium.envs.registration.load_env_creator(entry) if isinstance(entry, str) else entry
        )
    except (gymnasium.error.Error, ImportError, AttributeError):
        return None
    metadata = getattr(maker, "metadata", None)
    return None if metadata is None else metadata.get("render_modes", ())


def record(
    env: Any, actions: Sequence[Any], *, seed: int, place: Callable[[Any], None] | None = None
) -> Recording:
    """Reset ``env`` with ``seed``, let ``place`` set its state, then film one frame before each
    action.

    The last action is not carried out: frame t + 1 follows from frame t and ``actions[t]``.
    """
    import gymnasium

    level = gymnasium.logger.min_level
    gymnasium.logger.min_level = gymnasium.logger.ERROR
    try:
        observation, _ = env.reset(seed=seed)
        if place is not None:
            place(env)
        frames, observations, states = [], [], []
        for index, action in enumerate(actions):
            frames.append(np.array(env.render(), np.uint8))
            observations.append(np.ravel(np.asarray(observation, np.float64)))
            states.append(_state(env, observations[-1]))
            if index + 1 < len(actions):
                observation = env.step(action)[0]
    finally:
        gymnasium.logger.min_level = level
    return Recording(np.stack(frames), np.stack(observations), np.stack(states))


def frame_time(env: Any) -> float:
    """Seconds between frames: the simulator's own step where it says so (``dt``, ``tau``), else 1 /
    render_fps, else 1/30."""
    for key in ("dt", "tau"):
        value = getattr(env, key, None)
        if isinstance(value, (int, float)) and value > 0:
            return float(value)
    return 1.0 / float(env.metadata.get("render_fps") or 30.0)


def _state(env: Any, observation: np.ndarray) -> np.ndarray:
    state = getattr(env, "state", None)
    return observation if state is None else np.array(state, np.float64).ravel()


def _line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
