"""Tasks, truths, proposals and diagnoses as JSON, with arrays kept once in a content store."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from agent.core.protocols import Cost, Diagnosis, Finding, Move, Proposal
from agent.run.store import Store
from tools.types import HeldBack, Programs, States, Task, Video


def save_array(store: Store, array: np.ndarray) -> dict[str, Any]:
    """Keep an array of plain numbers (compressed) and describe where it is."""
    data = zlib.compress(np.ascontiguousarray(array).tobytes(), 1)
    return {"blob": store.put(data), "dtype": array.dtype.str, "shape": list(array.shape)}


def load_array(store: Store, entry: Mapping[str, Any]) -> np.ndarray:
    """Inverse of :func:`save_array`."""
    return np.frombuffer(zlib.decompress(store.get(entry["blob"])), entry["dtype"]).reshape(
        entry["shape"]
    )


# --------------------------------------------------------------------------------------------------


def save_task(store: Store, task: Task) -> dict[str, Any]:
    """JSON of a task; its frames go into the store."""
    return {
        "train": [_save_video(store, video) for video in task.train],
        "test": [_save_video(store, video) for video in task.test],
        "context": task.context,
        "horizon": task.horizon,
        "future_actions": [
            None if a is None else np.asarray(a).tolist() for a in task.future_actions
        ],
        "name": task.name,
    }


def load_task(store: Store, data: Mapping[str, Any]) -> Task:
    """Inverse of :func:`save_task`."""
    train, test = (
        tuple(_load_video(store, entry) for entry in data[key]) for key in ("train", "test")
    )
    actions = tuple(None if a is None else np.array(a, np.float64) for a in data["future_actions"])
    return Task(train, test, data["context"], data["horizon"], actions, data["name"])


def _save_video(store: Store, video: Video) -> dict[str, Any]:
    actions = None if video.actions is None else video.actions.tolist()
    return {
        "frames": save_array(store, video.frames),
        "dt": video.dt,
        "actions": actions,
        "name": video.name,
    }


def _load_video(store: Store, data: Mapping[str, Any]) -> Video:
    actions = None if data["actions"] is None else np.array(data["actions"], np.float64)
    return Video(load_array(store, data["frames"]), data["dt"], actions, data["name"])


def save_held_back(store: Store, held: HeldBack) -> dict[str, Any]:
    """JSON of what is held back. Entries of ``truth`` that are neither plain data, arrays nor
    States are left out."""
    frames = [None if f is None else save_array(store, f) for f in held.frames]
    truth = {
        key: entry
        for key, value in held.truth.items()
        if (entry := _save(store, value)) is not None
    }
    return {"frames": frames, "truth": truth}


def load_held_back(store: Store, data: Mapping[str, Any]) -> HeldBack:
    """Inverse of :func:`save_held_back` (lists come back as tuples)."""
    frames = tuple(None if f is None else load_array(store, f) for f in data["frames"])
    return HeldBack(frames, {key: _load(store, value) for key, value in data["truth"].items()})


def _save(store: Store, value: Any) -> dict[str, Any] | None:
    """A tagged value, or None when it has no place in a file."""
    if isinstance(value, np.ndarray) and value.dtype.kind in "biuf":
        return {"array": save_array(store, value)}
    if isinstance(value, States):
        return {"states": value.to_json()}
    if isinstance(value, Mapping):
        return {
            "map": {
                str(key): entry
                for key, item in value.items()
                if (entry := _save(store, item)) is not None
            }
        }
    if isinstance(value, (list, tuple)):
        entries = [_save(store, item) for item in value]
        return None if None in entries else {"list": entries}
    if isinstance(value, np.generic):
        value = value.item()
    return {"value": value} if value is None or isinstance(value, (bool, int, float, str)) else None


def _load(store: Store, entry: Mapping[str, Any]) -> Any:
    kind, value = next(iter(entry.items()))
    if kind == "array":
        return load_array(store, value)
    if kind == "states":
        return States.from_json(value)
    if kind == "map":
        return {key: _load(store, item) for key, item in value.items()}
    return tuple(_load(store, item) for item in value) if kind == "list" else value


# ------------------------------------------------------------------------------------------- propos


def save_proposal(proposal: Proposal, move: Move) -> dict[str, Any]:
    """JSON of a proposal and of the move that asked for it; the programs' sources lie beside it."""
    data = {key: getattr(proposal, key) for key in ("rationale", "exhausted", "origin", "closed")}
    data |= {key: list(getattr(proposal, key)) for key in ("stages", "exchanges")}
    return data | {
        "cost": asdict(proposal.cost),
        "findings": [asdict(f) for f in proposal.findings],
        "move": asdict(move),
    }


def load_proposal(data: Mapping[str, Any], programs: Programs | None) -> tuple[Proposal, Move]:
    """Inverse of :func:`save_proposal`."""
    words: dict[str, Any] = {key: data[key] for key in ("rationale", "exhausted", "origin")} | {
        "closed": data.get("closed", False)
    }
    lists: dict[str, Any] = {key: tuple(data[key]) for key in ("stages", "exchanges")}
    findings = tuple(Finding(**f) for f in data["findings"])
    return Proposal(programs, **words, **lists, cost=Cost(**data["cost"]), findings=findings), Move(
        **data["move"]
    )


def save_diagnosis(diagnosis: Diagnosis) -> dict[str, Any]:
    """JSON of a diagnosis."""
    return asdict(diagnosis)


def load_diagnosis(data: Mapping[str, Any]) -> Diagnosis:
    """Inverse of :func:`save_diagnosis`."""
    return Diagnosis(
        data["guilty"], data["verdict"], tuple(Finding(**finding) for finding in data["findings"])
    )
