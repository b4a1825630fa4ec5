"""Sandbox jobs on the workers of a cluster, behind the interface of a sandbox on this machine.

Arrays travel by content: a job names its inputs by hash, a worker that does not hold one says so,
and is sent the bytes once. A worker that dies, or is cut off, costs the jobs that it had: Dask
gives them to another.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from concurrent.futures import CancelledError, ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from functools import cache
from typing import Any

import numpy as np

from agent import versions
from agent.cluster.engine import LOST, threads
from sandbox import ArraySpec, Job, Limits, Outcome, Sandbox, SandboxError, doctor
from sandbox.contract import Shared
from sandbox.lockdown import SAFE, Layer
from tools import claims
from tools.types import Failure, Programs

HELD = 4 << 30
"""Bytes of inputs that a worker keeps for further jobs."""
_TURNS = 8
"""Times that a job is sent again with inputs that the worker lacked."""


@dataclass(frozen=True)
class Sent:
    """An array by content. key: hash of bytes, dtype and shape."""

    array: np.ndarray
    key: str

    @classmethod
    def of(cls, array: np.ndarray) -> Sent:
        """``array`` under its hash."""
        plain = np.ascontiguousarray(array)
        name = f"{plain.dtype.str}{plain.shape}".encode()
        return cls(plain, hashlib.blake2b(name + plain.tobytes(), digest_size=16).hexdigest())

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the array."""
        return self.array.shape

    def close(self) -> None:
        """Nothing to give back: the array is the caller's."""


@dataclass(frozen=True)
class Posture:
    """What a worker must be: mode, profile, and the versions that the host has."""

    mode: str
    profile: str
    versions: Mapping[str, str]


@dataclass(frozen=True)
class Order:
    """One job as it travels. header: JSON. inputs: name -> hash."""

    posture: Posture
    header: bytes
    inputs: Mapping[str, str]


@dataclass(frozen=True)
class Answer:
    """missing: hashes of inputs to send to the worker at ``where``; else header: JSON of the
    outcome, arrays: their bytes by name."""

    where: str
    missing: tuple[str, ...] = ()
    header: bytes = b""
    arrays: Mapping[str, bytes] = field(default_factory=dict)


class RemoteBox:
    """The sandboxes of all workers of a cluster. client: of Dask. mode, profile: as for
    ``Sandbox``. Raises SandboxError where the first worker has other versions, or barriers that do
    not hold."""

    def __init__(self, client: Any, mode: str = "strict", profile: str = "plain"):
        self._client = client
        self._posture = Posture(mode, profile, _deciding(versions.known()))
        self.mode, layers = self._submit(_introduce, self._posture)
        self.layers = tuple(Layer(**layer) for layer in layers)
        self._threads = ThreadPoolExecutor(max(4, 2 * threads(client)))

    def share(self, array: np.ndarray) -> Sent:
        """Name ``array`` by its content."""
        return Sent.of(array)

    def run(self, job: Job) -> Outcome:
        """One job on whichever worker is free. Raises ValueError and SandboxError."""
        sent = {name: _sent(value) for name, value in job.inputs.items()}
        order = Order(
            self._posture,
            _header(job),
            {name: one.key for name, one in sent.items()},
        )
        answer: Answer = self._submit(work, order, {})
        for _ in range(_TURNS):
            if not answer.missing:
                return _outcome(answer, job)
            held = {one.key: one.array for one in sent.values() if one.key in answer.missing}
            answer = self._with(order, held, answer)
        raise SandboxError(
            "--cluster",
            "workers that keep their inputs",
            "some that lose them faster than they are sent",
            "give the workers more memory, then `run-agent resume`",
        )

    def _with(self, order: Order, held: Mapping[str, np.ndarray], asked: Answer) -> Answer:
        """The job once more, where Dask lays down what the worker lacked; ``asked`` again where
        that worker is gone."""
        try:
            laid = self._client.scatter(dict(held), workers=[asked.where], hash=False)
        except (KeyError, ValueError, OSError):  # it has left meanwhile
            return self._submit(work, order, {})
        try:
            return self._submit(work, order, laid, near=asked.where)
        except CancelledError:  # it left with what was laid down
            return self._submit(work, order, {})

    def map(self, jobs: Iterable[Job]) -> list[Outcome]:
        """Jobs in parallel over the workers; outcomes in the order of the jobs."""
        return list(self._threads.map(self.run, jobs))

    def close(self) -> None:
        """End the threads that wait; workers stay."""
        self._threads.shutdown(cancel_futures=True)

    def __enter__(self) -> RemoteBox:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _submit(self, function: Any, *arguments: Any, near: str = "") -> Any:
        """The value of a call on a worker. What it raises is raised here, at once; where workers
        die under it, others get it."""
        from distributed import KilledWorker

        place = {"workers": [near], "allow_other_workers": True} if near else {}
        for _ in range(LOST):
            future = self._client.submit(function, *arguments, pure=False, **place)
            try:
                return future.result()
            except KilledWorker as error:
                lost = error
            except (SandboxError, ValueError, CancelledError):
                raise
            except Exception as error:  # of the engine: a link cut
                raise SandboxError(
                    "--cluster",
                    "a job done",
                    f"{type(error).__name__}: {error}",
                    "look at the workers' logs, then `run-agent resume`",
                ) from error
        raise SandboxError(
            "--cluster",
            "workers that outlive a job",
            f"{LOST} times some that died under it: {lost}",
            "look at the workers' logs, then `run-agent resume`",
        )


def _sent(value: Shared | np.ndarray | Any) -> Sent:
    return value if isinstance(value, Sent) else Sent.of(np.asarray(value, order="C"))


def _header(job: Job) -> bytes:
    body = {
        "routine": job.routine,
        "programs": dict(job.programs.items()) if job.programs else None,
        "payload": dict(job.payload),
        "outputs": {name: [list(s.shape), s.dtype] for name, s in job.outputs.items()},
        "limits": asdict(job.limits),
    }
    try:
        return json.dumps(body, allow_nan=False).encode()
    except (TypeError, ValueError) as error:
        raise ValueError(f"Job.payload: expected finite JSON, got {error}") from None


def _outcome(answer: Answer, job: Job) -> Outcome:
    """Read an answer; shapes are those that the job had asked for."""
    told = claims.parse(answer.header.decode(), "an answer of the cluster", len(answer.header))
    arrays = {}
    for name, data in answer.arrays.items():
        spec = job.outputs[name]
        arrays[name] = np.frombuffer(data, spec.dtype).reshape(spec.shape)
    failure = None if told["failure"] is None else Failure(**told["failure"])
    return Outcome(
        told["claim"], arrays, failure, told["log"], told["wall"], told["cpu"], told["peak"]
    )


# --------------------------------------------------------------------- what runs on a worker


class _Place:
    """What a worker keeps between jobs: sandboxes by posture, inputs by hash."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._boxes: dict[tuple[str, str], Sandbox] = {}
        self._held: OrderedDict[str, Any] = OrderedDict()

    def box(self, posture: Posture) -> Sandbox:
        """The sandbox for a posture, its barriers probed once. Raises SandboxError."""
        _check_versions(posture.versions)
        with self._lock:
            key = (posture.mode, posture.profile)
            if key not in self._boxes:
                self._boxes[key] = _probed(posture)
            return self._boxes[key]

    def take(self, data: Mapping[str, np.ndarray], box: Sandbox) -> None:
        """Hold further inputs; the oldest go where there are too many."""
        with self._lock:
            for key, array in data.items():
                self._held[key] = box.share(np.ascontiguousarray(array))
            while len(self._held) > 1 and sum(map(_size, self._held.values())) > HELD:
                self._held.popitem(last=False)

    def find(self, keys: Iterable[str]) -> tuple[dict[str, Any], tuple[str, ...]]:
        """Inputs that are here, and hashes of those that are not."""
        with self._lock:
            found = {key: self._held[key] for key in keys if key in self._held}
            for key in found:
                self._held.move_to_end(key)
            return found, tuple(key for key in keys if key not in found)


def _size(shared: Any) -> int:
    return int(np.prod(shared.shape, dtype=np.int64)) * np.dtype(shared.slot.dtype).itemsize


_PLACE = _Place()


def _probed(posture: Posture) -> Sandbox:
    box = Sandbox(1, posture.mode, profile=posture.profile)
    held = doctor.record(box)
    weak = [name for name, active in held["barriers"].items() if not active]
    if posture.mode in SAFE and not held["ok"]:
        box.close()
        raise SandboxError(
            "sandbox of a worker",
            f"all barriers of the mode {posture.mode}",
            f"none of {', '.join(weak)}",
            "see `run-agent doctor` there",
        )
    return box


@cache
def _mine() -> dict[str, str]:
    return _deciding(versions.known())


def _check_versions(theirs: Mapping[str, str]) -> None:
    other = sorted(k for k in {*_mine(), *theirs} if _mine().get(k) != theirs.get(k))
    if other:
        raise SandboxError(
            "worker of the cluster",
            "libraries like those of this machine",
            f"other versions of {', '.join(other)}",
            "install the same lock file on both",
        )


def _deciding(known: Mapping[str, str]) -> dict[str, str]:
    """Versions that must agree; kernels may differ."""
    return {name: version for name, version in known.items() if name != "platform"}


def _introduce(posture: Posture) -> tuple[str, list[dict[str, Any]]]:
    box = _PLACE.box(posture)
    return box.mode, [layer.to_json() for layer in box.layers]


def work(order: Order, data: Mapping[str, np.ndarray]) -> Answer:
    """Do one job in this worker's sandbox, or say which inputs it lacks. data: inputs by hash, of
    those that it has asked for."""
    from distributed import get_worker

    where = get_worker().address
    box = _PLACE.box(order.posture)
    _PLACE.take(data, box)
    held, missing = _PLACE.find(order.inputs.values())
    if missing:
        return Answer(where, missing)
    told = json.loads(order.header)
    outputs = {
        name: ArraySpec(tuple(shape), dtype) for name, (shape, dtype) in told["outputs"].items()
    }
    outcome = box.run(
        Job(
            told["routine"],
            Programs(**told["programs"]) if told["programs"] else None,
            {name: held[key] for name, key in order.inputs.items()},
            told["payload"],
            outputs,
            Limits(**told["limits"]),
        )
    )
    return Answer(where, (), _told(outcome), {n: a.tobytes() for n, a in outcome.arrays.items()})


def _told(outcome: Outcome) -> bytes:
    body = {
        "claim": outcome.claim,
        "failure": None if outcome.failure is None else asdict(outcome.failure),
        "log": outcome.log,
        "wall": outcome.wall,
        "cpu": outcome.cpu,
        "peak": outcome.peak,
    }
    return json.dumps(body, allow_nan=False).encode()
