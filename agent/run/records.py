"""Tasks, truths, proposals and diagnoses as JSON, with arrays kept once in a content store."""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np

from agent.core.protocols import Cost, Diagnosis, Finding, Move, Proposal
from agent.run.store import LARGEST_BLOB, Store
from tools import claims
from tools.types import ContractError, HeldBack, Programs, States, Task, Video, check_frames


def save_array(store: Store, array: np.ndarray) -> dict[str, Any]:
    """Keep an array of plain numbers (compressed) and describe where it is."""
    data = zlib.compress(np.ascontiguousarray(array).tobytes(), 1)
    return {"blob": store.put(data), "dtype": array.dtype.str, "shape": list(array.shape)}


def load_array(store: Store, entry: Mapping[str, Any]) -> np.ndarray:
    """Inverse of :func:`save_array`. Raises ContractError for what is no such description,
    StorageError for a blob that is missing or damaged."""
    about = claims.read(_Array, entry, "array")
    dtype, size = _dtype(about.dtype), 1
    for length in about.shape:
        size *= length
    if min(about.shape, default=0) < 0 or not 0 <= size * dtype.itemsize <= LARGEST_BLOB:
        raise ContractError("array", f"at most {LARGEST_BLOB} bytes", f"shape {about.shape}"[:80])
    unpack = zlib.decompressobj()
    try:
        data = unpack.decompress(store.get(about.blob), size * dtype.itemsize + 1)
    except zlib.error as error:
        raise ContractError("array", "compressed numbers", str(error)) from None
    if len(data) != size * dtype.itemsize:
        raise ContractError("array", f"{size * dtype.itemsize} bytes", f"{len(data)} or more")
    return np.frombuffer(data, dtype).reshape(about.shape)


@dataclass(frozen=True)
class _Array:
    blob: str
    dtype: str
    shape: tuple[int, ...]


def _dtype(name: str) -> np.dtype:
    if not re.fullmatch(r"[|<>=]?(b1|[iu][1248]|f[248])", name):
        raise ContractError("array", "a dtype of plain numbers", repr(name[:20]))
    return np.dtype(name)


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
    """Inverse of :func:`save_task`. Raises ContractError, StorageError."""
    said = claims.read(_Task, data, "task")
    train, test = (
        tuple(_load_video(store, entry) for entry in entries) for entries in (said.train, said.test)
    )
    actions = tuple(None if a is None else np.array(a, np.float64) for a in said.future_actions)
    task = Task(train, test, said.context, said.horizon, actions, said.name)
    if any(a is not None and len(a) != task.horizon for a in task.future_actions):
        raise ContractError("task", f"{task.horizon} actions to come", "others")
    if len(task.test) * task.horizon * task.shape[0] * task.shape[1] * 3 > LARGEST_BLOB:
        raise ContractError("task", f"at most {LARGEST_BLOB} bytes to predict", "more")
    return task


@dataclass(frozen=True)
class _Video:
    frames: Mapping[str, Any]
    dt: float
    actions: tuple[float, ...] | None
    name: str


@dataclass(frozen=True)
class _Task:
    train: tuple[_Video, ...]
    test: tuple[_Video, ...]
    context: int
    horizon: int
    future_actions: tuple[tuple[float, ...] | None, ...]
    name: str


def _save_video(store: Store, video: Video) -> dict[str, Any]:
    actions = None if video.actions is None else video.actions.tolist()
    return {
        "frames": save_array(store, video.frames),
        "dt": video.dt,
        "actions": actions,
        "name": video.name,
    }


def _load_video(store: Store, said: _Video) -> Video:
    actions = None if said.actions is None else np.array(said.actions, np.float64)
    return Video(load_array(store, said.frames), said.dt, actions, said.name)


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
    """Inverse of :func:`save_held_back` (lists come back as tuples). Raises ContractError,
    StorageError."""
    said = claims.read(_HeldBack, data, "held_back")
    frames = tuple(
        None if f is None else check_frames(load_array(store, f), "held_back") for f in said.frames
    )
    return HeldBack(frames, {key: _load(store, value) for key, value in said.truth.items()})


def check_held_back(held: HeldBack, task: Task) -> None:
    """Raise ContractError unless these can be the frames after those of ``task``."""
    sizes = {one.shape[1:3] for one in held.frames if one is not None}
    if len(held.frames) != len(task.test) or not sizes <= {task.shape}:
        raise ContractError("held_back", f"{len(task.test)} futures of {task.shape}", str(sizes))


@dataclass(frozen=True)
class _HeldBack:
    frames: tuple[Mapping[str, Any] | None, ...]
    truth: Mapping[str, Mapping[str, Any]]


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


def _load(store: Store, entry: Any) -> Any:
    if not isinstance(entry, Mapping) or len(entry) != 1:
        raise ContractError("truth", "one kind of value", str(entry)[:60])
    kind, value = next(iter(entry.items()))
    if kind == "array":
        return load_array(store, value)
    if kind == "states":
        return claims.read(States, value, "truth")
    if kind == "map":
        items = claims.read(dict[str, Any], value, "truth").items()
        return {key: _load(store, item) for key, item in items}
    if kind == "list":
        return tuple(_load(store, item) for item in claims.read(tuple[Any, ...], value, "truth"))
    return value


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


@dataclass(frozen=True)
class _Proposal:
    rationale: str
    exhausted: bool
    origin: str
    stages: tuple[str, ...]
    exchanges: tuple[str, ...]
    cost: Cost
    findings: tuple[Finding, ...]
    move: Move
    closed: bool = False


def load_proposal(data: Mapping[str, Any], programs: Programs | None) -> tuple[Proposal, Move]:
    """Inverse of :func:`save_proposal`. Raises ContractError."""
    said = claims.read(_Proposal, data, "proposal")
    words = {one.name: getattr(said, one.name) for one in fields(said) if one.name != "move"}
    return Proposal(programs, **words), said.move


def save_diagnosis(diagnosis: Diagnosis) -> dict[str, Any]:
    """JSON of a diagnosis."""
    return asdict(diagnosis)


def load_diagnosis(data: Mapping[str, Any]) -> Diagnosis:
    """Inverse of :func:`save_diagnosis`. Raises ContractError."""
    return claims.read(Diagnosis, data, "diagnosis")
