"""Trusted functions that run in the locked child: ``routine(programs, inputs, payload, outputs) -> claim``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.util import find_spec
from typing import Any

import numpy as np

from sandbox.marks import stage

Routine = Callable[[Any, Mapping[str, np.ndarray], Mapping[str, Any], Mapping[str, np.ndarray]], Mapping[str, Any]]


def idle(programs: Any, inputs: Mapping[str, np.ndarray], payload: Mapping[str, Any], outputs: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Do nothing: the cost of the sandbox itself."""
    return {}


def call(programs: Any, inputs: Mapping[str, np.ndarray], payload: Mapping[str, Any], outputs: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Call ``payload["function"]`` of the program ``payload["stage"]`` (default "dynamics") with (inputs, payload, outputs).

    Its return value comes back as ``{"value": ...}``.
    """
    place = payload.get("stage", "dynamics")
    function = programs.function(place, payload["function"])
    with stage(place):
        return {"value": function(inputs, payload, outputs)}


ROUTINES: dict[str, Routine] = {"idle": idle, "call": call}

if find_spec("sandbox.stages") is not None:
    from sandbox import stages

    ROUTINES |= {"perceive": stages.perceive, "fit": stages.fit, "predict": stages.predict}
