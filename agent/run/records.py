"""Tasks, truths, proposals and diagnoses as JSON, with arrays kept once in a content store."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

import numpy as np

from agent.core.protocols import Cost, Diagnosis, Finding, Move, Proposal
from agent.run.store import Store
from tools import backing, claims
from tools.errors import UsageError
from tools.guide import Guide
from tools.media import shelved
from tools.preparation import Preparation
from tools.types import ContractError, HeldBack, Programs, States, Task, Video, check_frames


def save_array(store: Store, array: np.ndarray) -> dict[str, Any]:
    """Keep an array of plain numbers (compressed) and describe where it is."""
    if array.nbytes > backing.LARGE:
        blob = store.put_pieces(_compressed(array))
    else:
        blob = store.put(zlib.compress(np.ascontiguousarray(array).tobytes(), 1))
    return {"blob": blob, "dtype": array.dtype.str, "shape": list(array.shape)}


def load_array(store: Store, entry: Mapping[str, Any]) -> np.ndarray:
    """Inverse of :func:`save_array`. Raises ContractError for what is no such description,
    StorageError for a blob that is missing or damaged."""
    about = claims.read(_Array, entry, "array")
    dtype, size = _dtype(about.dtype), 1
    for length in about.shape:
        size *= length
    if min(about.shape, default=0) < 0 or not 0 <= size * dtype.itemsize <= backing.MOST:
        raise ContractError("array", f"at most {backing.MOST} bytes", f"shape {about.shape}"[:80])
    room = size * dtype.itemsize
    try:
        if room > backing.LARGE:
            data = backing.written(_restored(store.pieces(about.blob), room))
        else:
            packed = store.get(about.blob)
            data = np.frombuffer(zlib.decompressobj().decompress(packed, room + 1), np.uint8)
    except zlib.error as error:
        raise ContractError("array", "compressed numbers", str(error)) from None
    if len(data) != room:
        raise ContractError("array", f"{room} bytes", f"{len(data)} or more")
    return data.view(dtype).reshape(about.shape)


def _compressed(array: np.ndarray) -> Iterator[bytes]:
    packer = zlib.compressobj(1)
    for part in backing.windows(array):
        yield packer.compress(np.ascontiguousarray(part).tobytes())
    yield packer.flush()


def _restored(pieces: Iterable[bytes], room: int) -> Iterator[np.ndarray]:
    """What ``pieces`` hold, a few at a time and no more than one byte beyond ``room``."""
    unpacker, left = zlib.decompressobj(), room + 1
    for piece in pieces:
        while piece and left > 0:
            data = unpacker.decompress(piece, min(left, backing.WINDOW))
            piece, left = unpacker.unconsumed_tail, left - len(data)
            yield np.frombuffer(data, np.uint8)


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
        "future_actions": [_listed(a) for a in task.future_actions],
        "future_times": [_listed(t) for t in task.future_times],
        "name": task.name,
    }


def load_task(store: Store, data: Mapping[str, Any]) -> Task:
    """Inverse of :func:`save_task`. Raises ContractError, StorageError."""
    said = claims.read(_Task, data, "task")
    train, test = (
        tuple(shelved(_load_video(store, entry) for entry in entries))
        for entries in (said.train, said.test)
    )
    actions, times = (
        tuple(_numbers(one) for one in told) for told in (said.future_actions, said.future_times)
    )
    task = Task(train, test, said.context, said.horizon, actions, said.name, times)
    if any(a is not None and len(a) != task.horizon for a in task.future_actions):
        raise ContractError("task", f"{task.horizon} actions to come", "others")
    if len(task.test) * task.horizon * task.shape[0] * task.shape[1] * 3 > backing.MOST:
        raise ContractError("task", f"at most {backing.MOST} bytes to predict", "more")
    return task


@dataclass(frozen=True)
class _Video:
    frames: Mapping[str, Any]
    dt: float
    actions: tuple[float, ...] | None
    name: str
    times: tuple[float, ...] | None = None
    notes: tuple[str, ...] = ()
    prepared: Mapping[str, Any] = field(default_factory=dict)
    guide: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class _Task:
    train: tuple[_Video, ...]
    test: tuple[_Video, ...]
    context: int
    horizon: int
    future_actions: tuple[tuple[float, ...] | None, ...]
    name: str
    future_times: tuple[tuple[float, ...] | None, ...] = ()


def _save_video(store: Store, video: Video) -> dict[str, Any]:
    return {
        "frames": save_array(store, video.frames),
        "dt": video.dt,
        "actions": _listed(video.actions),
        "name": video.name,
        "times": _listed(video.times),
        "notes": list(video.notes),
        "prepared": dict(video.prepared),
        **({"guide": video.guide.to_json()} if video.guide else {}),
    }


def _load_video(store: Store, said: _Video) -> Video:
    Preparation.from_json(said.prepared)
    try:
        guide = Guide.from_json(said.guide)
    except UsageError as error:
        raise ContractError("guide", "what a person pointed out", str(error)[:120]) from None
    return Video(
        load_array(store, said.frames),
        said.dt,
        _numbers(said.actions),
        said.name,
        _numbers(said.times),
        said.notes,
        said.prepared,
        guide,
    )


def _listed(numbers: np.ndarray | None) -> list[float] | None:
    return None if numbers is None else np.asarray(numbers).tolist()


def _numbers(told: tuple[float, ...] | None) -> np.ndarray | None:
    return None if told is None else np.array(told, np.float64)


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
    said = ("rationale", "exhausted", "origin", "closed", "screened", "belief")
    data = {key: getattr(proposal, key) for key in said}
    data |= {key: list(getattr(proposal, key)) for key in ("stages", "exchanges")}
    return data | {
        "cost": asdict(proposal.cost),
        "findings": [asdict(f) for f in proposal.findings],
        "move": save_move(move),
    }


def save_move(move: Move) -> dict[str, Any]:
    """JSON of a move."""
    data = asdict(move)
    return data if move.brief else {key: data[key] for key in data if key != "brief"}


def load_move(data: Mapping[str, Any]) -> Move:
    """Inverse of :func:`save_move`. Raises ContractError."""
    return claims.read(Move, data, "move")


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
    screened: str = ""
    belief: float | None = None


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
