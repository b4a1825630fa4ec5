"""Trusted functions that run in the locked child: ``routine(programs, inputs, payload, outputs) ->
claim``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from sandbox.stage_tracker import stage

Routine = Callable[
    [Any, Mapping[str, np.ndarray], Mapping[str, Any], Mapping[str, np.ndarray]], Mapping[str, Any]
]


def idle(
    programs: Any,
    inputs: Mapping[str, np.ndarray],
    payload: Mapping[str, Any],
    outputs: Mapping[str, np.ndarray],
) -> dict[str, Any]:
    """Do nothing: the cost of the sandbox itself."""
    return {}


def call(
    programs: Any,
    inputs: Mapping[str, np.ndarray],
    payload: Mapping[str, Any],
    outputs: Mapping[str, np.ndarray],
) -> dict[str, Any]:
    """Call ``payload["function"]`` of the program ``payload["stage"]`` (default "dynamics") with
    (inputs, payload, outputs).

    Its return value comes back as ``{"value": ...}``.
    """
    place = payload.get("stage", "dynamics")
    function = programs.function(place, payload["function"])
    with stage(place):
        return {"value": function(inputs, payload, outputs)}


ROUTINES: dict[str, Routine] = {"idle": idle, "call": call}
"""Name -> routine. A child runs nothing else."""

UNAVAILABLE: dict[str, str] = {}
"""Name -> why it could not be loaded; a job that asks for it is refused with this reason."""

try:
    from sandbox import stages
except Exception as error:
    UNAVAILABLE |= dict.fromkeys(
        ("perceive", "fit", "predict", "imagine", "doubt"), f"{type(error).__name__}: {error}"
    )
else:
    ROUTINES |= {
        "perceive": stages.perceive,
        "fit": stages.fit,
        "predict": stages.predict,
        "imagine": stages.imagine,
        "doubt": stages.doubt,
    }
