"""The steps that run candidate code, as routines for the locked child: three of an evaluation, and
what-ifs.

``perceive``  one clip -> states (claim) and a *parcel* (bytes): states and scene for the steps
              below
``fit``       parcels of the clips to fit -> θ, rolled-out states, frames drawn again from the
              measured states
``predict``   parcel of one clip and θ -> states and frames after the clip
``imagine``   parcel of one clip, a state and a change -> what would have happened instead, states
              and frames

Each runs in a child of its own. ``perceive`` is given one clip and one program, so a parcel is a
function of these two alone: the host may hand it to later children, in place of that very clip and
for candidates with the same perception source, without opening a path between candidates, or from
frames that a child may not see. The host never opens a parcel; only a child does.
"""

from __future__ import annotations

import itertools
import json
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from sandbox import tracks
from sandbox.scene_edits import altered, changed
from sandbox.stage_tracker import stage
from tools import backing, fitting, timing, toolbox
from tools.masks import request
from tools.rendering.shutter import exposed
from tools.types import (
    ContractError,
    Scene,
    Shutter,
    State,
    States,
    Steps,
    flatten_state,
    unflatten_state,
)

Arrays = Mapping[str, np.ndarray]
_PREFIX = 8  # bytes of the parcel's header length
_NOWHERE = Scene(np.zeros((1, 1, 3), np.uint8))
_NOTHING = np.zeros(0, np.uint8)
_LEAST_SPREAD = 1e-9  # noise of a table must be positive


# --------------------------------------------------------------------------------------------------


def perceive(
    programs: Any, inputs: Arrays, payload: Mapping[str, Any], outputs: Arrays
) -> dict[str, Any]:
    """inputs: ``frames`` (T, H, W, 3) uint8. outputs: ``parcel``, bytes to fill, and for large
    clips ``scratch``, room for as many frames. Where the program declares detections, the payload
    names them (``masks``) and the inputs hold their masks (see tools.masks.request).

    Claim: ``states`` (JSON), ``size`` of the parcel in bytes, ``looks`` (the scene's constants, and
    the sizes of its sprites), ``seconds``. A parcel that does not fit is a failure.
    """
    frames = inputs["frames"]
    if "scratch" in outputs:
        backing.lend(outputs["scratch"])
    function = programs.function("perception", "perceive")
    began = time.perf_counter()
    with stage("perception"):
        tools = request.Toolbox(
            toolbox, request.unpack(payload["masks"], inputs) if "masks" in payload else None
        )
        states, scene = _checked_perception(function(frames, tools), frames)
        parcel = pack(states, scene)
        _fill(outputs["parcel"], parcel)
    looks = {
        "constants": dict(scene.constants),
        "sprites": {name: list(sprite.shape[:2]) for name, sprite in scene.sprites.items()},
    }
    return {
        "states": states.to_json(),
        "size": len(parcel),
        "looks": looks,
        "seconds": time.perf_counter() - began,
    }


def _checked_perception(answer: Any, frames: np.ndarray) -> tuple[States, Scene]:
    if not isinstance(answer, tuple) or len(answer) != 2:
        raise ContractError(
            "perceive(frames, tools)",
            "a tuple (states, scene)",
            _kind(answer),
            "return states, scene",
        )
    states, scene = answer
    if not isinstance(states, States):
        if not isinstance(states, Sequence):
            raise ContractError(
                "perceive(frames, tools): states",
                "tools.types.States or a list of dicts",
                _kind(states),
            )
        states = States.of(states)
    if len(states) != len(frames):
        raise ContractError(
            "perceive(frames, tools): states",
            f"{len(frames)} states, one a frame",
            str(len(states)),
        )
    if not isinstance(scene, Scene):
        raise ContractError("perceive(frames, tools): scene", "tools.types.Scene", _kind(scene))
    if scene.background.shape != frames.shape[1:]:
        raise ContractError(
            "perceive(frames, tools): scene.background",
            f"shape {frames.shape[1:]}",
            str(scene.background.shape),
        )
    return states, scene


def _kind(value: Any) -> str:
    return type(value).__name__ if not isinstance(value, tuple) else f"a tuple of {len(value)}"


def _fill(out: np.ndarray, data: bytes) -> None:
    if len(data) > len(out):
        raise ContractError(
            "perceive(frames, tools): scene",
            f"at most {len(out)} bytes",
            str(len(data)),
            "keep fewer or smaller sprites",
        )
    out[: len(data)] = np.frombuffer(data, np.uint8)


# --------------------------------------------------------------------------------------------------


def pack(states: States, scene: Scene) -> bytes:
    """States and scene as bytes: length of the header (8 bytes, little endian), JSON header, arrays
    one after another."""
    arrays = {"": scene.background, **scene.sprites}
    header = {
        "states": states.to_json(),
        "constants": {name: dict(values) for name, values in scene.constants.items()},
        "order": list(scene.order),
        "shutter": scene.shutter and asdict(scene.shutter),
        "arrays": [[name, array.dtype.name, list(array.shape)] for name, array in arrays.items()],
    }
    text = json.dumps(header, allow_nan=False).encode()
    return b"".join(
        [
            len(text).to_bytes(_PREFIX, "little"),
            text,
            *(np.ascontiguousarray(a).tobytes() for a in arrays.values()),
        ]
    )


def unpack(data: np.ndarray) -> tuple[States, Scene]:
    """Inverse of :func:`pack`, from a uint8 array. Only ever called in a child: the bytes are a
    program's."""
    start = _PREFIX + int.from_bytes(data[:_PREFIX].tobytes(), "little")
    header = json.loads(data[_PREFIX:start].tobytes())
    arrays: dict[str, np.ndarray] = {}
    for name, dtype, shape in header["arrays"]:
        size = math.prod(shape) * np.dtype(dtype).itemsize
        arrays[name] = np.frombuffer(data[start : start + size].tobytes(), dtype).reshape(shape)
        start += size
    background = arrays.pop("")
    shutter = header["shutter"] and Shutter(**header["shutter"])
    return States.from_json(header["states"]), Scene(
        background, arrays, header["constants"], tuple(header["order"]), shutter
    )


# --------------------------------------------------------------------------------------------------


def fit(
    programs: Any, inputs: Arrays, payload: Mapping[str, Any], outputs: Arrays
) -> dict[str, Any]:
    """inputs: ``parcels``, one after another, and what was measured in clips whose parcel is not
    needed (sandbox.tracks).

    payload: that of sandbox.tracks; ``sizes`` (bytes of each clip's parcel, 0 where none is
    needed), ``cuts`` (frames that count, from the first),
    ``told`` (of how many clips, from the first, the rollout is wanted), ``dt`` (seconds between
    frames: a number, or a list with one a step) and ``actions`` per clip, ``seed``, ``budget``
    (fields of tools.fitting.Budget), ``optimizer``, ``start`` (values that an earlier fit ended at,
    {} for the declared ones), ``redraw`` (per clip, the frames to draw
    again). outputs: ``redrawn<i>`` per clip with any.

    Claim: ``fit`` (FitResult as JSON), ``rolled`` (States per clip told), ``seconds`` by step.
    """
    clips = _clips(inputs, payload)
    program = programs["dynamics"]
    began = time.perf_counter()
    with stage("dynamics"):  # whatever goes wrong or takes too long in here is the program's doing
        measured = [clip for clip, _ in clips]
        result = fitting.fit(
            program,
            measured,
            optimizer=payload["optimizer"],
            rng=np.random.default_rng(payload["seed"]),
            budget=fitting.Budget(**payload["budget"]),
            start=payload["start"],
        )
        rolled = [
            fitting.rollout(program, result.values, start, len(one.states) - 1, one.dt, one.actions)
            if start
            else one.states
            for start, one in itertools.islice(
                zip(result.starts, measured, strict=True), payload["told"]
            )
        ]
    fitted = time.perf_counter()
    for index, times in enumerate(payload["redraw"]):
        if times:
            one, scene = clips[index]
            draw(programs, list(one.states), times, scene, outputs[f"redrawn{index}"])
    seconds = {"fit": fitted - began, "redraw": time.perf_counter() - fitted}
    return {
        "fit": result.to_json(),
        "rolled": [states.to_json() for states in rolled],
        "seconds": seconds,
    }


def _steps(dt: float | list[float]) -> Steps:
    return np.array(dt, np.float64) if isinstance(dt, list) else dt


def _clips(inputs: Arrays, payload: Mapping[str, Any]) -> list[tuple[fitting.Measured, Scene]]:
    """Clips of a job; a table of states alone has no scene."""
    clips, start, parcels = [], 0, inputs.get("parcels", _NOTHING)
    told = (payload[key] for key in ("sizes", "cuts", "dt", "actions"))
    for table, size, cut, dt, actions in zip(tracks.unpacked(payload, inputs), *told, strict=True):
        states, scene = (
            unpack(parcels[start : start + size]) if table is None else (table, _NOWHERE)
        )
        known = None if actions is None else np.array(actions, np.float64)
        clips.append((fitting.Measured(states.cut(0, cut), _steps(dt), known), scene))
        start += size
    return clips


def _clip(parcel: np.ndarray, payload: Mapping[str, Any]) -> tuple[fitting.Measured, Scene]:
    """The one clip of a job that looks ahead."""
    one = {key: [payload[key]] for key in ("cut", "dt", "actions")}
    whole = {"sizes": [len(parcel)], "tables": [None], "cuts": one.pop("cut")}
    return _clips({"parcels": parcel}, whole | one)[0]


# --------------------------------------------------------------------------------------------------


def predict(
    programs: Any, inputs: Arrays, payload: Mapping[str, Any], outputs: Arrays
) -> dict[str, Any]:
    """inputs: ``parcel`` of the frames seen. outputs: ``frames`` (horizon, H, W, 3) uint8, and
    ``replayed`` (len(again), H, W, 3) where frames seen are to be drawn as they are rolled out.

    payload: ``cut`` (frames seen that count, from the first); ``dt``; ``actions`` for all of these
    and those to come, or None; ``values`` (θ); ``again`` (which frames seen to draw); ``errors``
    (of θ, where the spread of the forecast is asked for, else None); ``near`` (columns of a start
    state to begin from, or None), ``explicable`` (whether a fit that ended there explained what was
    measured); ``anew`` (whether the forecast may start from the last frames
    seen, see tools.fitting.going_on).

    Claim: ``states`` for the frames seen and to come, with the spread that each column has by the
    last of them as noise where it was asked for.
    """
    measured, scene = _clip(inputs["parcel"], payload)
    frames, program = outputs["frames"], programs["dynamics"]
    with stage("dynamics"):
        values, errors = payload["values"], payload["errors"]
        near, explicable = payload["near"], payload["explicable"]
        start = fitting.infer_start(program, values, measured, near, explicable)
        steps = len(measured.states) + len(frames) - 1
        states = fitting.rollout(program, values, start, steps, measured.dt, measured.actions)
        if payload["anew"]:
            states = fitting.gone_on(program, values, measured, states)
        if errors is not None:
            spread = fitting.forecast_spread(program, values, errors, start, measured, len(frames))
            states = replace(states, noise=np.maximum(spread, _LEAST_SPREAD))
    film = list(states)
    draw(programs, film, range(len(film))[-len(frames) :], scene, frames)
    if payload["again"]:
        draw(programs, film, payload["again"], scene, outputs["replayed"])
    return {"states": states.to_json()}


# --------------------------------------------------------------------------------------------------


def imagine(
    programs: Any, inputs: Arrays, payload: Mapping[str, Any], outputs: Arrays
) -> dict[str, Any]:
    """What would have happened after a frame, had something been otherwise. inputs and outputs: as
    ``predict``.

    payload: ``dt``, ``actions`` as in ``predict``; ``since`` (frame), ``row`` (the state of that
    frame by column, None = not visible); ``values`` (θ until then), ``edited`` (θ from then on);
    ``state`` (list of [column, operator, number]), ``scene`` (see sandbox.scene_edits). A column
    that ``initial`` computes from θ (and the fit does not infer) follows a change of θ.

    Claim: ``states`` from that frame on.
    """
    measured, scene = _clip(inputs["parcel"], payload)
    frames, program, since = outputs["frames"], programs["dynamics"], payload["since"]
    row = {column: math.nan if value is None else value for column, value in payload["row"].items()}
    with stage("dynamics"):
        before, after = (
            program.initial(measured.states, dict(payload[theta]), timing.usual_step(measured.dt))
            for theta in ("values", "edited")
        )
        for column, shift in shifts(before, after).items():
            if column in row and column not in getattr(program, "LATENTS", ()):
                row[column] += shift
        for column, operator, number in payload["state"]:
            row[column] = changed(row[column], operator, number)
        actions = None if measured.actions is None else measured.actions[since:]
        steps = len(measured.states) + len(frames) - 1 - since
        dt = timing.steps_between(measured.dt, since, since + steps + 1)
        states = fitting.rollout(
            program, payload["edited"], unflatten_state(row), steps, dt, actions
        )
    film, looks = list(states), altered(scene, payload["scene"])
    draw(programs, film, range(len(film))[-len(frames) :], looks, frames)
    return {"states": states.to_json()}


def shifts(before: State, after: State) -> dict[str, float]:
    """What is added to each column that two first states have and that differs, by column."""
    first, second = flatten_state(before, allow_nan=True), flatten_state(after, allow_nan=True)
    return {
        column: second[column] - first[column]
        for column in first
        if column in second and second[column] != first[column]
    }


# --------------------------------------------------------------------------------------------------


def doubt(
    programs: Any, inputs: Arrays, payload: Mapping[str, Any], outputs: Arrays
) -> dict[str, Any]:
    """What the clips leave open: which parameters they determine, how wide a forecast of the first
    of them is, and what another experiment would tell. inputs: as of ``fit``.

    payload: that of sandbox.tracks; ``sizes``, ``cuts``, ``dt`` and ``actions`` per clip (those of
    the first for the frames to come, too), ``seed``; ``values`` (θ to begin from); ``ahead``
    (frames); ``quantiles`` of the bands; ``trials`` (simulated clips that check an experiment;
    None: no experiments); ``moments`` (indices of frames). outputs: ``drawn``, (n, moments, H, W,
    3), these frames as n draws have them.

    Claim: ``determined``, ``combinations``, ``bands`` (States per quantile), ``worth``, ``noise``,
    ``outlooks`` (the clip at hand first).
    """
    clips = _clips(inputs, payload)
    program, rng = programs["dynamics"], np.random.default_rng(payload["seed"])
    with stage("dynamics"):
        measured = [clip for clip, _ in clips]
        found = fitting.posterior(program, measured, payload["values"], rng)
        told = fitting.determined(found)
        ahead, actions = payload["ahead"], measured[0].actions
        columns, table = fitting.bands(
            program, found, measured[0], ahead, payload["quantiles"], actions
        )
        outlooks = []
        if payload["trials"] is not None:
            outlooks = _outlooks(program, found, measured[0], told, payload["trials"], rng)
    for k, room in enumerate(outputs.get("drawn", ())):
        with stage("dynamics"):
            states = fitting.rolled(program, found, k, measured[0], ahead, actions)
        draw(programs, list(states), payload["moments"], clips[0][1], room)
    return {
        "determined": [asdict(one) for one in told],
        "combinations": [asdict(one) for one in fitting.combinations(found, told)],
        "bands": [States(columns, rows).to_json() for rows in table],
        "worth": found.worth,
        "noise": dict(found.noise),
        "outlooks": outlooks,
    }


def _outlooks(
    program: Any,
    found: fitting.Posterior,
    measured: fitting.Measured,
    determined: Sequence[fitting.Determined],
    trials: int,
    rng: np.random.Generator,
) -> list[dict[str, Any]]:
    """The clip at hand once more and other experiments; the check by simulation is for the clip at
    hand and the one that shrinks errors most."""
    values = found.values_at(found.best)
    start = fitting.infer_start(program, values, measured)
    base = fitting.now(measured, start, found.noise)
    actions = measured.actions
    told = [
        fitting.outlook(program, values, base, one, rng, 0, actions)
        for one in (base, *fitting.choices(program, values, base, actions))
    ]
    left_open = [one.name for one in determined if not one.told]
    winner, _, _ = fitting.best(told[1:], told[0], left_open)
    checked = [
        fitting.outlook(program, values, base, one.experiment, rng, trials, actions)
        if one in (told[0], winner)
        else one
        for one in told
    ]
    return [
        {
            "word": one.experiment.word,
            "frames": one.experiment.frames,
            "dt": one.experiment.dt,
            "errors": {n: e for n, e in one.errors.items() if math.isfinite(e)},
            "simulated": {n: e for n, e in one.simulated.items() if math.isfinite(e)},
        }
        for one in checked
    ]


# --------------------------------------------------------------------------------------------------


def draw(
    programs: Any, film: Sequence[State], times: Sequence[int], scene: Scene, out: np.ndarray
) -> None:
    """Render frames ``times`` of a film into ``out`` (len(times), H, W, 3), checking every
    picture."""
    render = programs.function("rendering", "render")
    shape = out.shape[1:3]

    def picture(state: State) -> np.ndarray:
        frame = render(state, scene, shape)
        if (
            not isinstance(frame, np.ndarray)
            or frame.dtype != np.uint8
            or frame.shape != out.shape[1:]
        ):
            got = f"{frame.dtype} {frame.shape}" if isinstance(frame, np.ndarray) else _kind(frame)
            raise ContractError(
                "render(state, scene, shape)",
                f"uint8 array {out.shape[1:]}",
                got,
                "clip to [0, 255] and convert with np.uint8",
            )
        return frame

    for index, t in enumerate(times):
        with stage("rendering"):
            out[index] = exposed(picture, film, t, scene.shutter)
