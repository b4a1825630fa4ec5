"""Are the things that a perception program found really there, and the right ones?

Two witnesses. *Measured evidence* needs no model: is there foreground where the object is said to
be; does the picture look the same around it in every frame (reconstruction error of its region);
does the picture move the way the object is said to move; does its colour stay; do two objects sit
in one place; is there something that moves and belongs to none. *Verdicts* come from a
vision-language model that was shown an overlay; it errs too. Both are added as log-odds: a witness
shifts the belief that a detection is right, and neither decides alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass

import cv2
import numpy as np

from agent.checking.sighting import Sighting, Thing, sight
from agent.core.protocols import Archive, Finding, Node
from tools.perception.background import background, differs, pixel_noise, threshold
from tools.types import Evaluation, States, Task

VERDICTS = ("right", "wrong", "twice", "unsure")
"""What a checker may say of one object: "twice" = the same thing as another object."""

# Log-odds that each observation adds to "this detection is right".
_PRIOR = 1.0
_PRESENT, _ABSENT = 1.5, -2.5
_STEADY, _UNSTEADY = 1.5, -2.0
_FOLLOWS, _STRAYS = 1.0, -2.0
_MISTAKEN = -3.5
_MOST = 4.0  # measurements do not know what a thing is called: together they never count for more
_SAME_PLACE = -5.0
_SAYS = {"right": 1.2, "wrong": -1.6, "twice": -1.6, "unsure": 0.0}
_SAYS_WITH_A_GAP = _SAYS | {
    "wrong": -5.0
}  # something else moves that no object stands for: confusion is likely

_FRAMES = 24  # frames measured on
_STILL = 0.5  # pixels: what travels less stands still
_ODD = 0.35  # share of its contrast by which a region may differ and still look the same


@dataclass(frozen=True)
class ModelVerdict:
    """What a checker says of one object. verdict: one of VERDICTS. why: its own words."""

    name: str
    verdict: str
    why: str = ""


@dataclass(frozen=True)
class Missing:
    """Something that a checker sees and no object stands for. x, y: about where, pixels (or
    None)."""

    what: str
    x: float | None = None
    y: float | None = None


@dataclass(frozen=True)
class DetectionEvidence:
    """Measurements on one object; None where they do not apply.

    seen: share of frames with a position. present: share of these with foreground at it (None for
    what stands still). reconstruction: difference between its region and the region's median over
    all frames, as a share of its contrast with the background (0 = always looks the same). steady:
    share of frames in which this difference is small. mistaken: share of frames in which its region
    looks more like another object's. following: share of the change between frames that moving the
    picture along with it removes (None for what stands still). colour: median RGB at it. twin: an
    earlier object in the same place, or "".
    """

    name: str
    seen: float
    present: float | None = None
    reconstruction: float | None = None
    steady: float | None = None
    mistaken: float | None = None
    following: float | None = None
    colour: tuple[int, int, int] | None = None
    twin: str = ""

    @property
    def odds(self) -> float:
        """Log-odds that the detection is right, from the measurements alone."""
        total = _PRIOR + _step(self.present, 0.5, 0.9, _ABSENT, _PRESENT)
        total += _step(self.steady, 0.6, 0.8, _UNSTEADY, _STEADY)
        total += _step(self.mistaken, 0.15, 0.3, 0.0, _MISTAKEN)
        total += _step(self.following, 0.1, 0.5, _STRAYS, _FOLLOWS)
        return min(_MOST, total) + (_SAME_PLACE if self.twin else 0.0)

    def describe(self) -> str:
        """The measurements in words."""
        words = [f"seen in {self.seen:.0%} of the frames"]
        if self.present is not None:
            words.append(f"foreground at its place in {self.present:.0%} of them")
        if self.reconstruction is not None:
            words.append(
                f"its region looks the same in {self.steady:.0%} (mean difference "
                f"{self.reconstruction:.0%} of its contrast)"
            )
        if self.mistaken:
            words.append(f"looks like another object in {self.mistaken:.0%}")
        if self.following is not None:
            words.append(
                f"moving with it explains {max(0.0, self.following):.0%} of the change there"
            )
        if self.twin:
            words.append(f"in the same place as {self.twin}")
        return ", ".join(words)


def _step(value: float | None, low: float, high: float, below: float, above: float) -> float:
    """Log-odds of a measurement: ``below`` up to ``low``, ``above`` from ``high``, linear between;
    0 when not measured."""
    if value is None:
        return 0.0
    return float(np.interp(value, (low, high), (below, above)))


def belief(odds: float) -> float:
    """Log-odds -> probability.

    >>> belief(0.0)
    0.5
    """
    return 1.0 / (1.0 + math.exp(-max(-60.0, min(60.0, odds))))


# --------------------------------------------------------------------------------------------------


def check_detections(
    task: Task,
    evaluation: Evaluation,
    verdicts: Sequence[ModelVerdict] = (),
    missing: Sequence[Missing] = (),
) -> tuple[Finding, ...]:
    """Findings on what perception found in the first clip it was run on; with no verdicts, from
    measurements alone.

    Kinds: "wrong_detection", "same_thing_twice", "missing_object" (believed); "checker_overruled"
    (a verdict that the measurements contradict, kept for the record); "detections_checked" (the sum
    of it, always last). Empty when nothing was measured.
    """
    clip = checked_clip(task, evaluation)
    if clip is None:
        return ()
    return tuple(judge(*clip, verdicts, missing))


def checked_before(archive: Archive, parent: Node, origin: str) -> bool:
    """Whether an earlier refinement by ``origin`` (or one that came to nothing) has looked at the
    detections of this perception."""
    source = parent.candidate.programs.perception
    parents = [
        node.candidate.parent
        for node in archive.nodes
        if node.candidate.move == "refine" and node.candidate.origin.partition(":")[0] == origin
    ]
    parents += [move.parent for move in archive.declined if move.kind == "refine"]
    return any(
        one is not None and archive[one].candidate.programs.perception == source for one in parents
    )


def checked_clip(task: Task, evaluation: Evaluation) -> tuple[np.ndarray, States] | None:
    """(frames, states) that are looked at: the first clip that the candidate was fitted to, or
    None."""
    if not evaluation.measured or not evaluation.measured[0].columns:
        return None
    states = evaluation.measured[0]
    frames = next((v.frames for v in task.train or task.test if len(v) >= len(states)), None)
    return None if frames is None else (frames[: len(states)], states)


def marked(states: States) -> bool:
    """Whether any object has a place that can be marked in a picture."""
    names = {*states.columns}
    return any(
        {f"{name}.x", f"{name}.y"} <= names
        and np.isfinite(states.column(f"{name}.x") + states.column(f"{name}.y")).any()
        for name in states.objects
    )


def judge(
    frames: np.ndarray, states: States, verdicts: Sequence[ModelVerdict], missing: Sequence[Missing]
) -> Iterator[Finding]:
    """Weigh verdicts against measurements, object by object."""
    seen = sight(frames)
    lost = unexplained(seen, states)
    said, weights = (
        {verdict.name: verdict for verdict in verdicts},
        _SAYS_WITH_A_GAP if lost else _SAYS,
    )
    beliefs: dict[str, float] = {}
    plate = seen.plate if seen.plate.shape == frames.shape[1:] else None
    for evidence in measure(frames, states, plate):
        verdict = said.get(evidence.name)
        beliefs[evidence.name] = belief(
            evidence.odds + (weights[verdict.verdict] if verdict else 0.0)
        )
        yield from _findings(evidence, verdict, beliefs[evidence.name])
    yield from (_missing_finding(seen, thing, missing) for thing in lost)
    yield from _unsupported(seen, states, missing, lost)
    if beliefs:
        words = ", ".join(f"{name} {value:.0%}" for name, value in beliefs.items())
        yield Finding(
            "perception",
            "detections_checked",
            f"belief that each detection is right: {words}",
            evidence=dict(beliefs),
        )


def _findings(
    evidence: DetectionEvidence, verdict: ModelVerdict | None, value: float
) -> Iterator[Finding]:
    numbers = {key: item for key, item in asdict(evidence).items() if item is not None} | {
        "belief": round(value, 3)
    }
    if verdict:
        numbers |= {"verdict": verdict.verdict, "why": verdict.why}
    says = (
        f'; the checker says {verdict.verdict}: "{verdict.why}"'
        if verdict and verdict.why
        else f"; the checker says {verdict.verdict}"
        if verdict
        else ""
    )
    if value < 0.5:
        twice = bool(evidence.twin) or bool(verdict and verdict.verdict == "twice")
        kind, what = (
            ("same_thing_twice", "the same thing as another object")
            if twice
            else ("wrong_detection", "probably not what it is taken for")
        )
        yield Finding(
            "perception",
            kind,
            f"{evidence.name} is {what}: {evidence.describe()}{says}",
            evidence.name,
            numbers,
        )
    elif verdict and verdict.verdict in ("wrong", "twice"):
        message = (
            f"{evidence.name} is kept although the checker doubts it: {evidence.describe()}{says}"
        )
        yield Finding("perception", "checker_overruled", message, evidence.name, numbers)


def _missing_finding(seen: Sighting, thing: Thing, missing: Sequence[Missing]) -> Finding:
    t = min(thing.regions)
    x, y = seen.place(thing, t)
    words = next(
        (f'; the checker calls it "{one.what}"' for one in missing if _near(one, seen, thing)), ""
    )
    area = thing.area / seen.scale**2
    message = (
        f"no object stands for something of colour {thing.colour} and {area:.0f} px that "
        f"moves (at frame {t}: x={x:.0f}, y={y:.0f}){words}"
    )
    return Finding(
        "perception",
        "missing_object",
        message,
        "",
        {
            "colour": thing.colour,
            "area": round(area),
            "x": round(x, 1),
            "y": round(y, 1),
            "frame": t,
        },
    )


def _unsupported(
    seen: Sighting, states: States, missing: Sequence[Missing], lost: Sequence[Thing]
) -> Iterator[Finding]:
    """What the checker misses and the measurements do not."""
    for one in missing:
        if not any(_near(one, seen, thing) for thing in lost):
            message = (
                f'the checker misses "{one.what}", but everything that moves belongs to an '
                "object; it may be part of one, or stand still"
            )
            yield Finding(
                "perception",
                "checker_overruled",
                message,
                "",
                {"what": one.what, "x": one.x, "y": one.y},
            )


def _near(one: Missing, seen: Sighting, thing: Thing) -> bool:
    if one.x is None or one.y is None:
        return False
    reach = 10.0 + 0.1 * max(seen.shape)
    boxes = (seen.box(thing, t) for t in thing.regions)
    return any(
        x0 - reach <= one.x <= x1 + reach and y0 - reach <= one.y <= y1 + reach
        for x0, y0, x1, y1 in boxes
    )


# --------------------------------------------------------------------------------------------------


def measure(
    frames: np.ndarray, states: States, plate: np.ndarray | None = None
) -> tuple[DetectionEvidence, ...]:
    """Evidence on every object that has ``x`` and ``y`` columns. frames: (T, H, W, 3) uint8, one
    row of ``states`` each. plate: the background where it is known already."""
    picked = np.unique(
        np.linspace(0, len(frames) - 1, min(len(frames), _FRAMES)).round().astype(int)
    )
    frames = frames[picked]
    noise = pixel_noise(frames)
    plate = background(frames, noise) if plate is None else plate
    masks = [differs(frame, plate, threshold(noise)) for frame in frames]
    poses = {name: pose[picked] for name, pose in _poses(states).items()}
    regions = {name: _follow(pose, frames, plate, masks) for name, pose in poses.items()}
    looks = {name: _template(one) for name, one in regions.items() if len(one.times) > 1}
    return tuple(_evidence(name, regions, looks, masks, _twin(name, poses)) for name in poses)


def _poses(states: States) -> dict[str, np.ndarray]:
    """Object -> (T, 4): x, y, angle (0 if it has none), reach (0 if not known)."""
    table = {}
    for name in states.objects:
        own = {
            column.split(".")[1]: states.column(column)
            for column in states.columns
            if column.split(".")[0] == name
        }
        if "x" in own and "y" in own:
            zero = np.zeros(len(states))
            sizes = [own[key] * factor for key, factor in _SIZES.items() if key in own]
            reach = np.max(sizes, axis=0) if sizes else zero
            table[name] = np.column_stack(
                [own["x"], own["y"], np.nan_to_num(own.get("angle", zero)), np.nan_to_num(reach)]
            )
    return table


_SIZES = {"radius": 1.0, "r": 1.0, "width": 0.5, "height": 0.5, "length": 0.5}
"""Attributes that tell how far an object reaches, and the factor to make a radius of them."""


@dataclass(frozen=True)
class _Followed:
    """An object's region through the frames in which it has a position. times: (n,) their indices.
    pose: (n, 4). patches, grounds: per frame its window in the picture and in the plate, in its own
    frame of reference. still: per pair of successive frames, the change seen from where it was;
    moved: the change seen from the object itself."""

    share: float
    times: np.ndarray
    pose: np.ndarray
    patches: np.ndarray
    grounds: np.ndarray
    still: float = 0.0
    moved: float = 0.0

    @property
    def travels(self) -> bool:
        return len(self.pose) > 1 and float(np.ptp(self.pose[:, :2], axis=0).max()) > _STILL


def _follow(
    pose: np.ndarray, frames: np.ndarray, plate: np.ndarray, masks: Sequence[np.ndarray]
) -> _Followed:
    seen = np.isfinite(pose[:, 0]) & np.isfinite(pose[:, 1]) & _inside(pose, plate.shape)
    times, own = np.flatnonzero(seen), pose[seen]
    reach = _reach(own, [masks[int(t)] for t in times]) if len(times) else 3
    patches = _patches([frames[t] for t in times], own, reach)
    before = _patches([frames[t] for t in times[1:]], own[:-1], reach)
    still, moved = (
        float(np.nansum(np.abs(later - patches[:-1]))) for later in (before, patches[1:])
    )
    return _Followed(
        float(seen.mean()),
        times,
        own,
        patches,
        _patches([plate] * len(times), own, reach),
        still,
        moved,
    )


def _evidence(
    name: str,
    regions: Mapping[str, _Followed],
    looks: Mapping[str, np.ndarray],
    masks: Sequence[np.ndarray],
    twin: str,
) -> DetectionEvidence:
    """looks: the template of each region that is seen twice."""
    own = regions[name]
    if len(own.times) < 2:
        return DetectionEvidence(name, own.share, present=None if own.share else 0.0, twin=twin)
    errors = _errors(own, looks[name])
    red, green, blue = np.median([_core(patch) for patch in own.patches], axis=0)
    return DetectionEvidence(
        name,
        own.share,
        colour=(int(red), int(green), int(blue)),
        twin=twin,
        present=float(
            np.mean([_touches(masks[t], pose) for t, pose in zip(own.times, own.pose, strict=True)])
        )
        if own.travels
        else None,
        reconstruction=None if errors is None else float(errors.mean()),
        steady=None if errors is None else float((errors < _ODD).mean()),
        mistaken=_mistaken(name, own, looks, errors),
        following=1.0 - own.moved / own.still if own.travels and own.still > 0 else None,
    )


def _inside(pose: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    h, w = shape[:2]
    with np.errstate(invalid="ignore"):
        return (
            (pose[:, 0] > -0.5)
            & (pose[:, 0] < w - 0.5)
            & (pose[:, 1] > -0.5)
            & (pose[:, 1] < h - 0.5)
        )


def _reach(pose: np.ndarray, masks: Sequence[np.ndarray]) -> int:
    """Half side of the window around an object, pixels: its own size when it is a column, else half
    the width that foreground has around it."""
    known = float(pose[:, 3].max())
    if known > 0:
        return int(np.clip(math.ceil(known) + 1, 3, 64))
    inner = [
        cv2.distanceTransform(np.pad(mask, 1).astype(np.uint8), cv2.DIST_L2, 3)[1:-1, 1:-1]
        for mask in masks[:4]
    ]
    around = [
        _window(field, one, 8).max(initial=0.0) for field, one in zip(inner, pose, strict=False)
    ]
    return int(np.clip(round(1.2 * float(np.median(around))) + 1, 3, 48))


def _window(image: np.ndarray, pose: np.ndarray, reach: int) -> np.ndarray:
    x, y = round(float(pose[0])), round(float(pose[1]))
    return image[max(0, y - reach) : y + reach + 1, max(0, x - reach) : x + reach + 1]


def _touches(mask: np.ndarray, pose: np.ndarray) -> bool:
    return bool(_window(mask, pose, 2).any())


def _patches(images: Sequence[np.ndarray], poses: np.ndarray, reach: int) -> np.ndarray:
    """(n, 2 reach + 1, 2 reach + 1, 3) float32: the window around each pose, NaN outside the
    picture."""
    side = 2 * reach + 1
    return (
        np.stack([_patch(image, pose, reach) for image, pose in zip(images, poses, strict=True)])
        if len(poses)
        else np.zeros((0, side, side, 3), np.float32)
    )


def _patch(image: np.ndarray, pose: np.ndarray, reach: int) -> np.ndarray:
    c, s = math.cos(pose[2]), math.sin(pose[2])
    u = np.arange(-reach, reach + 1, dtype=np.float32)
    du, dv = np.meshgrid(u, u)
    x, y = (
        (pose[0] + c * du - s * dv).astype(np.float32),
        (pose[1] + s * du + c * dv).astype(np.float32),
    )
    patch = cv2.remap(
        image.astype(np.float32), x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    patch[(x < -0.5) | (y < -0.5) | (x > image.shape[1] - 0.5) | (y > image.shape[0] - 0.5)] = (
        np.nan
    )
    return patch


def _core(patch: np.ndarray) -> np.ndarray:
    middle = len(patch) // 2
    return np.nan_to_num(
        patch[middle - 1 : middle + 2, middle - 1 : middle + 2].reshape(-1, 3)
    ).mean(0)


def _template(own: _Followed) -> np.ndarray:
    """(side, side, 3) what the region looks like in most frames; NaN where it is never in the
    picture."""
    known = np.isfinite(own.patches).any(axis=0)
    return np.where(known, np.nanmedian(np.where(known, own.patches, 0.0), axis=0), np.nan)


def _errors(own: _Followed, template: np.ndarray) -> np.ndarray | None:
    """(n,) mean difference of each frame's region from ``template`` over the template's contrast
    with the plate, within its body (where that contrast is high); None when there is no contrast to
    speak of."""
    middle, half = len(template) // 2, own.patches.shape[1] // 2
    size = min(middle, half)
    crop, own_crop = (slice(centre - size, centre + size + 1) for centre in (middle, half))
    template, patches, grounds = (
        template[crop, crop],
        own.patches[:, own_crop, own_crop],
        own.grounds[:, own_crop, own_crop],
    )
    contrast = np.nan_to_num(
        np.abs(template - np.nanmedian(np.nan_to_num(grounds), axis=0)).max(axis=-1)
    )
    body = contrast > 0.5 * contrast.max()
    scale = float(contrast[body].mean()) if body.any() else 0.0
    if scale <= 4.0:
        return None
    difference = np.nan_to_num(np.abs(patches - template)).max(axis=-1)
    return difference[:, body].mean(axis=1) / scale


def _mistaken(
    name: str, own: _Followed, looks: Mapping[str, np.ndarray], errors: np.ndarray | None
) -> float | None:
    """Share of frames in which the region looks clearly more like another object's than like its
    own."""
    if errors is None:
        return None
    confused = np.zeros(len(errors), bool)
    for other, look in looks.items() if (errors > _ODD).any() else ():
        if other != name:
            theirs = _errors(own, look)
            confused |= (errors > _ODD) & (theirs < 0.5 * errors) if theirs is not None else False
    return float(confused.mean())


def _twin(name: str, poses: dict[str, np.ndarray]) -> str:
    """The first of the objects before it that sits in the same place and turn in most frames, or
    ""."""
    own = poses[name]
    for other, pose in poses.items():
        if other == name:
            return ""
        gap = np.hypot(*(own[:, :2] - pose[:, :2]).T)
        turn = np.abs(own[:, 2] - pose[:, 2])
        if np.mean((gap < 2.0) & (turn < 0.1)) > 0.6:
            return other
    return ""


# --------------------------------------------------------------------------------------------------


def unexplained(seen: Sighting, states: States) -> tuple[Thing, ...]:
    """Things in motion that no object stands for, biggest first.

    A thing is accounted for when some object lies in it in most frames, or keeps its distance from
    it (a part of that object). Objects without x and y (a bare angle) account for one thing each.
    """
    poses = _poses(states)
    bare = len(states.objects) - len(poses)
    lost = [
        thing
        for thing in seen.things
        if _moves(seen, thing) and not any(_accounts(seen, thing, pose) for pose in poses.values())
    ]
    return tuple(lost[bare:])


def _moves(seen: Sighting, thing: Thing) -> bool:
    places = np.array([seen.place(thing, t) for t in thing.regions])
    size = math.sqrt(thing.area) / seen.scale
    return len(places) > 2 and float(np.ptp(places, axis=0).max()) > max(2.0, 0.25 * size)


def _accounts(seen: Sighting, thing: Thing, pose: np.ndarray) -> bool:
    times = [t for t in thing.regions if t < len(pose) and np.isfinite(pose[t, :2]).all()]
    if len(times) < 0.5 * len(thing.regions):
        return False
    within = np.mean([_within(seen.box(thing, t), pose[t, 0], pose[t, 1]) for t in times])
    offsets = np.array([np.subtract(seen.place(thing, t), pose[t, :2]) for t in times])
    carried = np.ptp(np.hypot(*offsets.T)) < 1.5 + 0.02 * float(np.hypot(*offsets.T).max())
    return bool(within > 0.5 or (carried and len(times) > 2))


def _within(box: tuple[float, float, float, float], x: float, y: float) -> bool:
    x0, y0, x1, y1 = box
    slack = 1.0 + 0.15 * max(x1 - x0, y1 - y0)
    return x0 - slack <= x <= x1 + slack and y0 - slack <= y <= y1 + slack


def parse_verdicts(
    rows: Iterable[dict[str, object]], known: Sequence[str]
) -> tuple[ModelVerdict, ...]:
    """Verdicts from a checker's answer; rows about unknown objects or with unknown verdicts are
    left out."""
    found = []
    for row in rows:
        name, verdict = str(row.get("object", "")), str(row.get("verdict", "")).strip().lower()
        if name in known and verdict in VERDICTS:
            found.append(
                ModelVerdict(name, verdict, " ".join(str(row.get("why") or "").split())[:200])
            )
    return tuple(found)
